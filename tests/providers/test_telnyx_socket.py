"""Telnyx: speech over a WebSocket."""

from __future__ import annotations

import io
from base64 import b64decode
from pathlib import Path
from typing import Any

import av
import pytest

from mockvoice.provider import SPECS

from ..conftest import Box, Serve
from ..http.sockets import closed, kinds, opened, receive_frames, say, socket_url


def spoken(box: Box, *frames: Any, **parameters: Any) -> list[Any]:
    """Return all frames of a session that the last frame of the client ends."""
    with opened(socket_url(box.url, **parameters)) as client:
        say(client, " ", *frames, "")
        received = receive_frames(client)
    assert client.close_code == 1000
    return received


def audio(frames: list[Any]) -> bytes:
    return b"".join(b64decode(frame["audio"]) for frame in frames if frame.get("audio"))


def seconds(data: bytes) -> float:
    with av.open(io.BytesIO(data), "r") as container:
        lengths = [frame.samples / frame.sample_rate for frame in container.decode(audio=0)]
    return float(sum(lengths))


def test_text_is_spoken_in_streamed_frames(box: Box) -> None:
    frames = spoken(box, "Hello, welcome to our service. How are you?")
    first, *_ = frames
    assert kinds(frames) == ["audio_chunk", "final"]
    assert (first["text"], first["isFinal"], first["cached"]) == (None, False, False)
    assert isinstance(first["timeToFirstAudioFrameMs"], int)
    assert "timeToFirstAudioFrameMs" not in frames[1]
    assert [frame["text"] for frame in frames if frame.get("text")] == [
        "Hello, welcome to our service. How are you?"
    ]
    assert frames[-1] == {"type": "final", "audio": None, "text": "", "isFinal": True}
    assert seconds(audio(frames)) == pytest.approx(2.6, abs=0.5)


def test_aws_and_azure_speak_in_the_frame_with_the_text(box: Box) -> None:
    frames = spoken(box, "Hello.", voice="azure.en-US-AvaMultilingualNeural")
    assert (frames[0]["text"], bool(frames[0]["audio"])) == ("Hello.", True)
    assert all(frame["text"] is None for frame in frames[1:-2])


def test_text_waits_for_the_end_of_its_sentence(box: Box) -> None:
    with opened(socket_url(box.url)) as client:
        say(client, " ", "Hello", " there. How")
        assert spoken_text(client) == "Hello there."
        say(client, " are you")
        say(client, {"text": " today", "flush": True})
        assert spoken_text(client) == "How are you today"
        say(client, "Rest", "")
        assert [f["text"] for f in receive_frames(client) if f.get("text")] == ["Rest"]


def spoken_text(client: Any) -> str:
    """Return the text of the frames up to the next `final`."""
    text = ""
    while (frame := receive_frames(client, 1)[0])["type"] != "final":
        text = frame["text"] or text
    return text


def test_decimal_point_does_not_end_a_sentence(box: Box) -> None:
    frames = spoken(box, "It costs 3.50 dollars", " in all.")
    assert [frame["text"] for frame in frames if frame.get("text")] == [
        "It costs 3.50 dollars in all."
    ]


def test_long_text_without_a_sentence_is_spoken(box: Box) -> None:
    with opened(socket_url(box.url)) as client:
        say(client, " ", "word " * 300)
        assert spoken_text(client).startswith("word word")


def test_text_before_the_first_frame_is_not_spoken(box: Box) -> None:
    with opened(socket_url(box.url)) as client:
        say(client, "Hello.", " ", "")
        assert kinds(receive_frames(client)) == ["final"]
    assert closed(box)["hint"].startswith('text before the frame {"text": " "}')


def test_force_drops_text_that_waits(box: Box) -> None:
    frames = spoken(box, "Hello", {"force": True}, {"force": True, "text": "Goodbye."})
    assert [frame["text"] for frame in frames if frame.get("text")] == ["Goodbye."]


@pytest.mark.parametrize(
    ("format", "magic"), [("wav", b"RIFF"), ("mp3", b"\xff\xf3"), ("pcm", b""), ("linear16", b"")]
)
def test_audio_has_the_requested_format(box: Box, format: str, magic: bytes) -> None:
    data = audio(spoken(box, "Hello.", audio_format=format, sample_rate=16000))
    assert data.startswith(magic)
    if format in ("pcm", "linear16"):
        assert len(data) / 2 / 16000 == pytest.approx(0.36, abs=0.3)
    else:
        assert seconds(data) > 0.2


def test_voice_settings_of_the_first_frame_apply(box: Box) -> None:
    lengths = []
    for settings in ({}, {"voice_speed": 2.0}, {"voice_speed": "fast"}):
        with opened(socket_url(box.url, voice="Telnyx.NaturalHD.astra")) as client:
            say(client, {"text": " ", "voice_settings": settings}, "Hello, how are you?", "")
            lengths.append(seconds(audio(receive_frames(client))))
    assert lengths[0] == lengths[2]
    assert lengths[1] == pytest.approx(lengths[0] / 2, abs=0.1)


def test_clone_speaks_as_over_rest(box: Box) -> None:
    body = {
        "name": "n",
        "voice_design_id": "550e8400-e29b-41d4-a716-446655440000",
        "language": "en",
        "gender": "male",
    }
    headers = {"Authorization": "Bearer KEY_123456789"}
    made = box.http.post("/telnyx/v2/voice_clones", json=body, headers=headers).json()["data"]
    voice = f"Telnyx.Qwen3TTS.{made['id']}"
    speech = {"text": "Hello.", "voice": voice}
    rest = box.http.post("/telnyx/v2/text-to-speech/speech", json=speech, headers=headers)
    assert audio(spoken(box, "Hello.", voice=voice)) == rest.content


def test_voice_by_its_parts(box: Box) -> None:
    parts = {"provider": "Telnyx", "model_id": "NaturalHD", "voice_id": "astra"}
    whole = spoken(box, "Hello.", voice="Telnyx.NaturalHD.astra")
    assert audio(spoken(box, "Hello.", **parts)) == audio(whole)
    assert audio(spoken(box, "Hello.", provider="telnyx", voice="astra"))


def test_newer_edition_has_the_websocket(box: Box) -> None:
    assert box.control.post("/reset", json={"edition": {"telnyx": "latest"}}).is_success
    assert kinds(spoken(box, "Hello.")) == ["audio_chunk", "final"]


def test_contract_without_schemas_of_frames(serve: Serve, tmp_path: Path) -> None:
    bundled = (SPECS / "telnyx/2026-03-20.yaml").read_text()
    contract = tmp_path / "telnyx.yaml"
    contract.write_text(bundled.replace("x-websocket:", "x-other:"))
    server = serve(contracts={"telnyx": str(contract)})
    for frame in ("[1]", "x", b"x"):
        with opened(socket_url(server.url)) as client:
            client.send(frame)
            (error,) = receive_frames(client)
            assert error["error"].startswith("the frame must be an object with text; got ")
    with opened(socket_url(server.url)) as client:
        say(client, " ", "Hello.", "")
        assert kinds(receive_frames(client)) == ["audio_chunk", "final"]

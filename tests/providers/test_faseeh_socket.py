"""Faseeh: speech over a WebSocket."""

from __future__ import annotations

import json
from base64 import b64decode
from typing import Any

import pytest

from ..conftest import Box, Serve
from ..http.sockets import closed, opened, receive_frames, say, socket_url

PATH = "/faseeh/api/v1/websocket/text-to-speech"
OLDER_PATH = "/faseeh/api/v1/text-to-speech"
KEY = {"x-api-key": "KEY"}
INIT = {"type": "initConnection", "voice_id": "ar-hijazi-female-1"}
READY = {"type": "connectionInitialized"}
FINAL = {"audio": "", "isFinal": True}
CLOSE = {"type": "closeConnection"}


def text(text: str, **options: Any) -> dict[str, Any]:
    return {"type": "text", "text": text, **options}


def talk(box: Box, *frames: Any, path: str = PATH, **parameters: Any) -> tuple[list[Any], int]:
    """Return the frames of a session, and the code with which it ended."""
    with opened(socket_url(box.url, path, **parameters), KEY if not parameters else {}) as client:
        say(client, *frames)
        received = receive_frames(client)
    return received, client.close_code or 0


def pcm(frames: list[Any]) -> bytes:
    return b"".join(b64decode(frame["audio"]) for frame in frames if frame.get("audio"))


@pytest.mark.parametrize("path", [PATH, OLDER_PATH])
def test_text_is_spoken(box: Box, path: str) -> None:
    frames, code = talk(box, INIT, text("مرحبا بك. كيف حالك؟"), CLOSE, path=path)
    assert (frames[0], frames[-2:], code) == (READY, [FINAL, FINAL], 1000)
    assert {frame["sampleRate"] for frame in frames if frame.get("audio")} == {24000}
    assert len(pcm(frames)) / 2 / 24000 == pytest.approx(1.1, abs=0.4)


def test_text_waits_for_a_sentence_or_flush(box: Box) -> None:
    with opened(socket_url(box.url, PATH), KEY) as client:
        say(client, INIT, text("Hello"), text(" there. How"))
        assert receive_frames(client, 1) == [READY]
        until_final(client)
        say(client, text(" are you", flush=True))
        until_final(client)
        say(client, text("Fine", try_trigger_generation=True))
        until_final(client)
        say(client, CLOSE)
        assert receive_frames(client) == [FINAL]


def until_final(client: Any) -> None:
    while receive_frames(client, 1)[0] != FINAL:
        pass


def test_rate_and_speed(box: Box) -> None:
    slow, fast = (
        pcm(talk(box, {**INIT, **options}, text("Hello, how are you?"), CLOSE)[0])
        for options in (
            {"output_format": "pcm_8000"},
            {"output_format": "pcm_16000", "voice_settings": {"speed": 1.2}},
        )
    )
    assert len(fast) == pytest.approx(len(slow) * 2 / 1.2, rel=0.01)


def test_key_in_query_or_first_frame(box: Box, server: Any) -> None:
    assert talk(box, INIT, CLOSE, **{"x-api-key": "KEY_in_query"})[0] == [READY, FINAL]
    with opened(socket_url(box.url, PATH), {}) as client:
        say(client, {**INIT, "x_api_key": "KEY_in_frame_1"}, CLOSE)
        assert receive_frames(client) == [READY, FINAL]
    closed(box, -1)
    shown = json.dumps(box.requests())
    assert "KEY_in_query" not in shown
    assert "KEY_in_frame_1" not in shown
    assert all(entry["account"] for entry in box.requests())


def test_session_without_a_key_is_rejected(box: Box) -> None:
    with opened(socket_url(box.url, PATH), {}) as client:
        say(client, INIT)
        (error,) = receive_frames(client)
    assert error == {
        "type": "error",
        "message": "Invalid or missing API key",
        "errorCode": 40101,
        "errorMessage": "Invalid or missing API key",
    }
    assert client.close_code == 1008


def test_unlisted_key_in_the_first_frame_is_rejected(serve: Serve) -> None:
    server = serve(keys="listed", accounts={"faseeh": {"KEY_listed": {}}})
    with opened(socket_url(server.url, PATH), {}) as client:
        say(client, {**INIT, "x_api_key": "other"})
        assert receive_frames(client)[0]["errorCode"] == 40101
    with opened(socket_url(server.url, PATH), {}) as client:
        say(client, {**INIT, "x_api_key": "KEY_listed"})
        assert receive_frames(client, 1) == [READY]


@pytest.mark.parametrize(
    ("frame", "code", "message"),
    [
        ({**INIT, "voice_id": "nobody"}, 40401, "Voice not found: nobody"),
        ({**INIT, "model_id": "nothing"}, 40001, "Model not found: nothing"),
        (text("Hello."), 40001, "type must be initConnection in the first frame; got text"),
        ({"type": "initConnection"}, 40001, "voice_id is required"),
        (
            {**INIT, "voice_settings": {"speed": 2}},
            40001,
            "voice_settings.speed must be at most 1.2; got 2",
        ),
    ],
)
def test_errors_are_explained(box: Box, frame: Any, code: int, message: str) -> None:
    (error,), closed = talk(box, frame)
    assert (error["errorCode"], error["message"], closed) == (code, message, 1008)
    assert error["errorMessage"] == message


def test_error_code_of_the_newer_edition_is_text(box: Box) -> None:
    assert box.control.post("/reset", json={"edition": {"faseeh": "munsit.com"}}).is_success
    (error,), _ = talk(box, {**INIT, "voice_id": "nobody"})
    assert error["errorCode"] == "40401"


def test_disabled_model(box: Box) -> None:
    box.put("faseeh", "KEY", models=["faseeh-v1-preview"])
    (error,), _ = talk(box, INIT)
    assert error["errorCode"] == 40301


def test_text_is_charged_until_the_wallet_is_empty(box: Box) -> None:
    box.put("faseeh", "KEY", credit=0.0005)
    frames, code = talk(box, INIT, text("Hello."), text("Hello, how are you?"), CLOSE)
    assert pcm(frames)
    assert frames[-1]["errorCode"] == 40201
    assert frames[-1]["message"].startswith("Insufficient wallet balance. Required: $0.00095")
    assert code == 1008
    account = box.control.get("/accounts/faseeh/KEY").json()
    assert account["credit"] == pytest.approx(0.0002)


def test_wallet_of_the_key_in_the_first_frame_is_charged(box: Box) -> None:
    box.put("faseeh", "KEY_in_frame", credit=0.0001)
    with opened(socket_url(box.url, PATH), {}) as client:
        say(client, {**INIT, "x_api_key": "KEY_in_frame"}, text("Hello, how are you?"))
        assert receive_frames(client)[-1]["errorCode"] == 40201

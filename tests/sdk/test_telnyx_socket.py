"""Streaming calls of the newest official Telnyx SDK."""

from __future__ import annotations

import asyncio
from base64 import b64decode
from typing import Any

import pytest
from telnyx import AsyncTelnyx, Telnyx
from websockets.exceptions import ConnectionClosedError, InvalidStatus

from ..conftest import Box

# The SDK calls `connect` in a way that websockets 17.1 deprecates.
pytestmark = pytest.mark.filterwarnings("ignore:connect.. must be used as a context manager")

VOICE = {"voice": "Telnyx.NaturalHD.astra"}


@pytest.fixture
def client(box: Box) -> Telnyx:
    return Telnyx(api_key="KEY_test", base_url=f"{box.url}/telnyx/v2")


def test_stream_speaks(client: Telnyx, box: Box) -> None:
    with client.text_to_speech.stream(extra_query=VOICE) as connection:
        for text in (" ", "Hello, welcome. How are you?", ""):
            connection.send({"text": text})
        events = [*connection]
    assert {type(event).__name__ for event in events} == {"AudioChunkFrame", "FinalFrameEvent"}
    audio = b"".join(b64decode(event.audio) for event in events if event.audio)
    assert audio.startswith(b"\xff\xf3")
    assert box.last()["query"] == VOICE


def test_asynchronous_stream_speaks_with_handlers(box: Box) -> None:
    async def speak() -> list[Any]:
        finals: list[Any] = []
        client = AsyncTelnyx(api_key="KEY_test", base_url=f"{box.url}/telnyx/v2")
        async with client, client.text_to_speech.stream(extra_query=VOICE) as connection:
            connection.on("final", finals.append)
            await connection.send({"text": " "})
            await connection.send({"text": "Hello.", "voice_settings": {"voice_speed": 2}})
            await connection.send({"text": ""})
            await connection.dispatch_events()
        return finals

    assert len(asyncio.run(speak())) == 2


def test_error_event_explains_a_frame(client: Telnyx) -> None:
    with client.text_to_speech.stream() as connection:
        connection.send_raw('{"txt": "Hello."}')
        event: Any = connection.recv()
        assert (event.type, event.error) == (
            "error",
            'the frame must have text, or force with true; got {"txt": "Hello."}',
        )
        with pytest.raises(ConnectionClosedError) as raised:
            connection.recv()
    assert raised.value.rcvd is not None
    assert raised.value.rcvd.code == 1008


def test_handshake_is_rejected_without_a_key_and_for_ultra(box: Box) -> None:
    url = f"{box.url}/telnyx/v2"
    for key, voice, status in (("", "Telnyx.NaturalHD.astra", 401), ("K", "Telnyx.Ultra.x", 403)):
        client = Telnyx(api_key=key, base_url=url)
        with pytest.raises(InvalidStatus) as raised:
            client.text_to_speech.stream(extra_query={"voice": voice}).enter()
        assert raised.value.response.status_code == status


@pytest.mark.parametrize(
    ("fault", "code"), [({"kind": "reset"}, 1006), ({"kind": "close", "code": 1012}, 1012)]
)
def test_sdk_connects_again_after_a_broken_connection(
    client: Telnyx, box: Box, fault: Any, code: int
) -> None:
    box.inject({**fault, "frame": 2}, "ok")
    attempts: list[Any] = []
    options: Any = {"initial_delay": 0.01, "on_reconnecting": attempts.append}
    query = {**VOICE, "inactivity_timeout": "1"}
    with client.text_to_speech.stream(extra_query=query, **options) as connection:
        connection.send({"text": " "})
        connection.send({"text": "Hello."})
        assert len([*connection]) == 1  # and then silence, until the server closes
    assert [event.close_code for event in attempts] == [code]
    assert [entry["closed"]["code"] for entry in box.requests()] == [code, 1000]

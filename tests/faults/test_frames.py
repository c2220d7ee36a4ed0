"""Faults on the frames of a WebSocket."""

from __future__ import annotations

import asyncio
import json
import socket
import time
from contextlib import suppress
from typing import Any
from urllib.parse import urlsplit

import pytest
from websockets.client import ClientProtocol
from websockets.exceptions import ConnectionClosed
from websockets.uri import parse_uri

from mockvoice import create_app

from ..conftest import Box
from ..http.sockets import KEY, closed, exchanged, kinds, opened, receive_frames, say, socket_url

WEBSOCKET = {"provider": "telnyx", "operation": "TextToSpeechOverWs"}


def talk(box: Box, *frames: Any, text: str = "Hello.") -> tuple[list[str], Any]:
    """Return the frames of a session as text, and the closed client."""
    received: list[str] = []
    with opened(socket_url(box.url)) as client:
        with suppress(ConnectionClosed):  # by a fault, before the last of them is sent
            say(client, " ", text, *frames, "")
        while True:
            try:
                received.append(str(client.recv(timeout=20)))
            except ConnectionClosed:
                return received, client


def wait_for_frames(box: Box, count: int) -> None:
    """Wait until the conversation has read that many frames of the client."""
    deadline = time.monotonic() + 20
    while time.monotonic() < deadline:
        senders = [frame["sender"] for frame in box.last()["frames"]]
        if senders.count("client") == count:
            return
    raise AssertionError(senders)


def test_reset_in_place_of_a_frame(box: Box) -> None:
    id = box.inject(**WEBSOCKET, kind="reset", frame=2)
    received, client = talk(box)
    assert len(received) == 1
    assert client.close_code == 1006
    recorded = closed(box)
    assert (recorded["status"], recorded["fault"]) == (101, {"id": id, "kind": "reset"})
    assert recorded["closed"] == {"code": 1006, "reason": ""}
    assert [frame["sender"] for frame in recorded["frames"]].count("server") == 1
    assert recorded["client_closed"] is None


@pytest.mark.parametrize("kind", ["reset", "disconnect"])
def test_client_sees_rst_only_of_a_reset(box: Box, kind: str) -> None:
    box.inject(**WEBSOCKET, kind=kind, frame=1)
    host, _, port = urlsplit(box.url).netloc.partition(":")
    with socket.create_connection((host, int(port)), timeout=20) as raw:
        protocol = ClientProtocol(parse_uri(socket_url(box.url)))
        request = protocol.connect()
        request.headers.update(KEY)
        protocol.send_request(request)
        raw.sendall(b"".join(protocol.data_to_send()))
        protocol.receive_data(raw.recv(65536))
        for text in (" ", "Hello."):
            protocol.send_text(json.dumps({"text": text}).encode())
        raw.sendall(b"".join(protocol.data_to_send()))
        if kind == "reset":
            with pytest.raises(ConnectionResetError):
                raw.recv(65536)
        else:
            assert raw.recv(65536) == b""


def test_disconnect_in_place_of_a_frame(box: Box) -> None:
    box.inject(**WEBSOCKET, kind="disconnect", frame=1)
    received, client = talk(box)
    assert (received, client.close_code) == ([], 1006)


def test_close_with_a_code(box: Box) -> None:
    box.inject(**WEBSOCKET, kind="close", code=4008, reason="ä" * 100, frame=3)
    received, client = talk(box)
    assert len(received) == 2
    assert (client.close_code, client.close_reason) == (4008, "ä" * 61)
    assert closed(box)["closed"] == {"code": 4008, "reason": "ä" * 61}


def test_close_is_by_default_an_error_in_place_of_the_first_frame(box: Box) -> None:
    box.inject(kind="close")
    received, client = talk(box)
    assert (received, client.close_code) == ([], 1011)
    assert box.http.get("/health").status_code == 200


def test_truncated_frame(box: Box) -> None:
    box.inject(**WEBSOCKET, kind="truncate", frame=2)
    received, client = talk(box)
    assert len(received) == 1
    assert client.close_code == 1006
    assert closed(box)["closed"]["code"] == 1006


@pytest.mark.parametrize(
    ("kind", "text"), [("malformed", '"audio":"'), ("empty", ""), ("wrong_type", "<html>")]
)
def test_frame_that_is_not_json(box: Box, kind: str, text: str) -> None:
    box.inject(**WEBSOCKET, kind=kind)
    received, client = talk(box)
    assert text in received[0]
    with pytest.raises(ValueError, match=r"Expecting|control character|Unterminated"):
        json.loads(received[0])
    assert client.close_code == 1000
    assert kinds([json.loads(frame) for frame in received[1:]])[-1] == "final"


def test_error_frame_for_a_status(box: Box) -> None:
    box.inject(**WEBSOCKET, status=503, frame=2)
    received, client = talk(box)
    assert json.loads(received[-1]) == {"type": "error", "error": "Error in audio response"}
    assert (len(received), client.close_code) == (2, 1011)


def test_error_frame_with_a_body(box: Box) -> None:
    box.inject(**WEBSOCKET, status=503, frame=1, body={"error": "mine"})
    assert [json.loads(frame) for frame in talk(box)[0]] == [{"error": "mine"}]


def test_frame_edited_by_reply(box: Box) -> None:
    box.inject(**WEBSOCKET, kind="reply", frame=1, set={"/cached": True}, remove=["/text"])
    first = json.loads(talk(box)[0][0])
    assert first["cached"] is True
    assert "text" not in first
    assert closed(box)["custom"] is True


def test_frame_replaced_by_reply(box: Box) -> None:
    box.inject(**WEBSOCKET, kind="reply", frame=2, body={"hello": "world"})
    assert json.loads(talk(box)[0][1]) == {"hello": "world"}


def test_delayed_frame(box: Box) -> None:
    box.inject(**WEBSOCKET, kind="delay", seconds=0.3, frame=2)
    with opened(socket_url(box.url)) as client:
        say(client, " ", "Hello.")
        receive_frames(client, 1)
        before = time.monotonic()
        receive_frames(client, 1)
        assert time.monotonic() - before > 0.25


def test_drip_delays_all_frames_from_one_on(box: Box) -> None:
    expected, _ = talk(box)
    box.inject(**WEBSOCKET, kind="drip", seconds=0.1, frame=2)
    before = time.monotonic()
    received, _ = talk(box)
    assert len(received) == len(expected)  # they differ in measured times
    assert time.monotonic() - before > 0.09 * (len(received) - 1)


def test_force_interrupts_speech_that_drips(box: Box) -> None:
    box.inject(**WEBSOCKET, kind="drip", seconds=3600, frame=2)
    with opened(socket_url(box.url)) as client:
        say(client, " ", "Hello.")
        receive_frames(client, 1)
        say(client, {"force": True})
        wait_for_frames(box, 3)
    assert closed(box)["closed"]["code"] == 1000


def test_frame_that_is_still_delayed_at_the_end_is_not_recorded(box: Box) -> None:
    box.inject(**WEBSOCKET, kind="delay", seconds=3600, frame=1)
    with opened(socket_url(box.url)) as client:
        say(client, " ", "Hello.")
        wait_for_frames(box, 2)
    assert [frame["sender"] for frame in closed(box)["frames"]] == ["client", "client"]


def test_timeout_is_silent_and_ends_with_the_client(box: Box) -> None:
    box.inject(**WEBSOCKET, kind="timeout", seconds=3600, frame=1)
    with opened(socket_url(box.url)) as client:
        say(client, " ", "Hello.")
        wait_for_frames(box, 2)
        with pytest.raises(TimeoutError):
            client.recv(timeout=0.2)
    recorded = closed(box)
    assert recorded["fault"]["kind"] == "timeout"
    assert [frame["sender"] for frame in recorded["frames"]] == ["client", "client"]


@pytest.mark.parametrize("fault", [{"kind": "reset"}, {"kind": "disconnect"}, {"status": 503}])
def test_fault_without_frame_acts_on_the_handshake(box: Box, fault: Any) -> None:
    box.inject(**WEBSOCKET, **fault)
    with pytest.raises(Exception, match=r"reset|closed|503|did not receive"):
        opened(socket_url(box.url))
    assert box.last()["status"] == fault.get("status")


def test_fault_in_a_header_of_the_handshake(box: Box) -> None:
    headers = {
        "Authorization": "Bearer KEY",
        "X-Mockvoice-Fault": '{"kind": "close", "code": 4001, "frame": 2}',
    }
    with opened(socket_url(box.url), headers) as client:
        say(client, " ", "Hello.", "")
        assert len(receive_frames(client)) == 1
    assert client.close_code == 4001


def test_fault_with_frame_counts_connections_and_no_other_requests(box: Box) -> None:
    id = box.inject(provider="telnyx", kind="reset", frame=1, times=1)
    box.http.get("/telnyx/v2/voice_clones", headers={"Authorization": "Bearer KEY"})
    assert box.fault(id)["matched"] == 0
    assert talk(box)[1].close_code == 1006
    assert talk(box)[1].close_code == 1000
    assert (box.fault(id)["hits"], box.fault(id)["matched"]) == (1, 1)


def test_fault_on_a_frame_that_is_not_reached_is_an_internal_error(box: Box) -> None:
    id = box.inject(**WEBSOCKET, kind="reset", frame=99)
    talk(box)
    error = closed(box)["internal_error"]
    assert error == f"{id} had no effect: the connection ended after frame 4 of the server"
    box.control.delete("/requests")


@pytest.mark.parametrize(
    ("fault", "message"),
    [
        ({"operation": "listVoices", "kind": "close"}, "operation must be a WebSocket for a fault"),
        ({"operation": "listVoices", "kind": "reset", "frame": 1}, "operation must be a WebSocket"),
        ({"kind": "close", "code": 1005}, "code must be a code that a server can send"),
        ({"kind": "close", "code": 2000}, "code must be 1000 to 1014, or 3000 to 4999"),
        ({"kind": "reset", "frame": 0}, "frame must be at least 1"),
        ({"kind": "tls", "frame": 1}, "frame cannot be used with tls"),
    ],
)
def test_fault_that_can_never_act_is_rejected(box: Box, fault: Any, message: str) -> None:
    response = box.control.post("/faults", json=fault)
    assert response.status_code in (400, 422)
    assert message in response.json()["detail"]


@pytest.mark.memory
def test_broken_connection_in_the_same_process() -> None:
    app = create_app()
    app.control.telnyx.fail("reset", operation="TextToSpeechOverWs", frame=1)
    with pytest.raises(ConnectionResetError):
        asyncio.run(exchanged(app, ['{"text": " "}', '{"text": "Hello."}']))
    assert app.control.requests[0].fault is not None

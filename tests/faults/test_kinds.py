"""Fault kinds on the wire: through a raw socket, with both HTTP parsers of uvicorn."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Iterator
from contextlib import ExitStack
from time import perf_counter
from typing import get_args

import httpx
import pytest

from mockvoice.faults.kinds import Kind
from mockvoice.http.app import App
from mockvoice.http.server import Server, bind

from ..conftest import Box, internal_errors
from ..state.serializing import make_mock
from .raw import Raw

LIST = "/retell/list-voices"
COMMUNITY = "/retell/add-community-voice"
VOICE = b'{"provider_voice_id": "x", "voice_name": "n", "voice_provider": "minimax"}'
TYPE = {"content_type": "application/json"}
CUSTOM = "/supertone/v1/custom-voices"


@pytest.fixture(scope="module", params=["h11", "httptools"])
def server(request: pytest.FixtureRequest, servers: ExitStack) -> Server:
    mock = make_mock()
    return servers.enter_context(Server(mock, bind("127.0.0.1", 0), http=request.param))


@pytest.fixture(autouse=True)
def no_internal_errors(server: Server) -> Iterator[None]:
    yield
    assert not internal_errors(server)


@pytest.fixture
def raw(box: Box) -> Iterator[Raw]:
    with Raw(box.url) as raw:
        yield raw


def names(box: Box) -> list[str]:
    return [voice["data"]["voice_name"] for voice in box.voices()]


@pytest.mark.parametrize("when", ["before", "after"])
def test_reset_sends_tcp_rst(box: Box, raw: Raw, when: str) -> None:
    box.inject(kind="reset", when=when)
    raw.send(COMMUNITY, "POST", VOICE, **TYPE)
    with pytest.raises(ConnectionResetError):
        raw.read()
    assert names(box) == (["n"] if when == "after" else [])
    assert (box.last()["status"], box.last()["fault"]["kind"]) == (None, "reset")


@pytest.mark.parametrize("when", ["before", "after"])
def test_disconnect_closes_without_sending_a_byte(box: Box, raw: Raw, when: str) -> None:
    box.inject(kind="disconnect", when=when)
    raw.send(COMMUNITY, "POST", VOICE, **TYPE)
    assert raw.read() == b""
    assert names(box) == (["n"] if when == "after" else [])
    assert box.last()["response"] is None


@pytest.mark.parametrize("when", ["before", "after"])
def test_timeout_sends_nothing_then_closes(box: Box, raw: Raw, when: str) -> None:
    box.inject(kind="timeout", seconds=0.03, when=when)
    started = perf_counter()
    raw.send(COMMUNITY, "POST", VOICE, **TYPE)
    assert raw.read() == b""
    assert perf_counter() - started >= 0.03
    assert names(box) == (["n"] if when == "after" else [])


@pytest.mark.parametrize("when", ["before", "after"])
@pytest.mark.parametrize(
    ("cut", "share"),
    [
        ({}, 0.5),
        ({"fraction": 0.25}, 0.25),
        ({"fraction": 0.0}, 0.0),
        ({"fraction": 1.0}, 0.999),
        ({"bytes": 10}, None),
        ({"bytes": 10.0}, None),
        ({"bytes": 10_000}, 0.999),
    ],
)
def test_truncated_body_is_shorter_than_content_length(
    box: Box, raw: Raw, when: str, cut: dict[str, float], share: float | None
) -> None:
    box.inject(kind="truncate", when=when, **cut)
    raw.send(COMMUNITY, "POST", VOICE, **TYPE)
    received = raw.receive()
    assert (received.status, raw.read()) == (200, b"")
    assert len(received.body) < received.content_length
    assert len(received.body) == (10 if share is None else int(received.content_length * share))
    assert names(box) == (["n"] if when == "after" else [])
    assert box.last()["response"]["body"] == (received.body.decode() or None)


def test_streamed_audio_is_truncated(box: Box, raw: Raw) -> None:
    box.inject(kind="truncate", when="after")
    body = b'{"text": "hello", "voice": "aws.Polly.Generative.Lucia"}'
    raw.send("/telnyx/v2/text-to-speech/speech", "POST", body, **TYPE)
    received = raw.receive()
    assert received.headers["content-type"] == "audio/mpeg"
    assert len(received.body) == received.content_length // 2 > 0


@pytest.mark.parametrize("when", ["before", "after"])
def test_delay_postpones_the_whole_response(box: Box, raw: Raw, when: str) -> None:
    box.inject(kind="delay", seconds=0.03, when=when)
    started = perf_counter()
    raw.send(COMMUNITY, "POST", VOICE, **TYPE)
    received = raw.receive()
    assert perf_counter() - started >= 0.03
    assert (received.status, json.loads(received.body)["voice_name"]) == (200, "n")
    assert names(box) == ["n"]


@pytest.mark.parametrize("when", ["before", "after"])
def test_drip_sends_the_response_in_pieces(box: Box, raw: Raw, when: str) -> None:
    box.inject(kind="drip", seconds=0.04, when=when)
    started = perf_counter()
    raw.send(COMMUNITY, "POST", VOICE, **TYPE)
    received = raw.receive()
    assert perf_counter() - started >= 0.04
    assert received.reads > 2
    assert (received.status, json.loads(received.body)["voice_name"]) == (200, "n")
    assert names(box) == ["n"]
    raw.send(LIST)  # the connection stays open
    assert raw.receive().status == 200


@pytest.mark.parametrize("when", ["before", "after"])
def test_injected_error_keeps_the_connection_open(box: Box, raw: Raw, when: str) -> None:
    box.inject(status=500, times=1, when=when)
    raw.send(COMMUNITY, "POST", VOICE, **TYPE)
    assert raw.receive().status == 500
    assert names(box) == (["n"] if when == "after" else [])
    raw.send(LIST)
    assert raw.receive().status == 200


@pytest.mark.parametrize("when", ["before", "after"])
@pytest.mark.parametrize("kind", ["malformed", "empty", "wrong_type"])
def test_corrupted_body_keeps_status_and_connection(
    box: Box, raw: Raw, kind: str, when: str
) -> None:
    box.inject(kind=kind, times=1, when=when)
    raw.send(COMMUNITY, "POST", VOICE, **TYPE)
    received = raw.receive()
    assert (received.status, received.content_length) == (200, len(received.body))
    with pytest.raises(ValueError, match="line 1 column"):
        json.loads(received.body)
    if kind == "wrong_type":
        assert received.headers["content-type"] == "text/html"
        assert received.body.startswith(b"<html>")
    else:
        assert received.headers["content-type"] == "application/json"
        assert (received.body == b"") == (kind == "empty")
    assert names(box) == (["n"] if when == "after" else [])
    assert box.last()["response"]["body"] == (received.body.decode() or None)
    raw.send(LIST)
    assert raw.receive().status == 200


@pytest.mark.parametrize("kind", ["malformed", "empty", "wrong_type", "drip"])
def test_fault_for_a_204_response_keeps_the_connection_open(box: Box, raw: Raw, kind: str) -> None:
    """A client would read a body after 204 as the next response."""
    box.control.post("/voices", json={"provider": "supertone", "id": "v"})
    box.inject(kind=kind, seconds=0, operation="delete_custom_voice", times=1, when="after")
    raw.send(f"{CUSTOM}/v", "DELETE", x_sup_api_key="K")
    received = raw.receive()
    expected = 200 if kind in ("malformed", "wrong_type") else 204
    assert (received.status, bool(received.body)) == (expected, expected == 200)
    raw.send(f"{CUSTOM}/v", x_sup_api_key="K")
    assert raw.receive().status == 404


# tls acts on handshakes, and close on WebSockets.
@pytest.mark.parametrize("kind", [kind for kind in get_args(Kind) if kind not in ("tls", "close")])
@pytest.mark.parametrize("path", ["/retell/nowhere", "/retell/create-phone-call?x=1"])
def test_every_kind_acts_on_unknown_paths(box: Box, raw: Raw, kind: str, path: str) -> None:
    own = {"status": 500} if kind == "reply" else {}
    box.inject(kind=kind, seconds=0.001, **own)
    raw.send(path)
    if kind == "reset":
        with pytest.raises(ConnectionResetError):
            raw.read()
    elif kind in ("disconnect", "timeout"):
        assert raw.read() == b""
    else:
        assert raw.receive().status == (500 if kind in ("status", "reply") else 404)
    assert box.last()["fault"]["kind"] == kind


def test_fault_acts_after_the_whole_upload(box: Box, raw: Raw, wav: bytes) -> None:
    """A client that is still sending would see a broken pipe instead of the fault."""
    box.inject(status=502)
    raw.send("/telnyx/v2/voice_clones/from_upload", "POST", wav * 40, content_type="audio/wav")
    assert raw.receive().status == 502
    assert box.last()["bytes"] == len(wav) * 40


def test_disconnecting_client_ends_a_timeout_fault(box: Box) -> None:
    """Connections of clients that have given up would otherwise stay open for minutes."""
    box.inject(kind="timeout")
    with Raw(box.url) as raw:
        raw.send(LIST)
    while not (entries := box.requests()):
        assert box.control.get("/health").status_code == 200
    assert (entries[0]["status"], entries[0]["fault"]["kind"]) == (None, "timeout")


@pytest.mark.parametrize("kind", ["timeout", "delay", "drip"])
def test_server_stops_while_a_fault_keeps_a_client_waiting(
    kind: str, caplog: pytest.LogCaptureFixture
) -> None:
    with ExitStack() as stack:
        with Server(make_mock(), bind("127.0.0.1", 0)) as server:
            box = stack.enter_context(Box(server, "waiting"))
            id = box.inject(kind=kind, seconds=60)
            raw = stack.enter_context(Raw(box.url))
            raw.send(LIST)
            while not box.fault(id)["hits"]:
                continue
        while raw.read():
            continue
    assert caplog.records == []


@pytest.mark.parametrize("kind", ["reset", "disconnect", "timeout", "truncate"])
def test_fault_that_breaks_the_connection_raises_in_process(kind: str) -> None:
    """Without a server, an ASGI client gets the exception of a broken connection."""
    mock = make_mock()
    fault = json.dumps({"kind": kind, "seconds": 0.001})

    async def call() -> None:
        transport = httpx.ASGITransport(App(mock))
        async with httpx.AsyncClient(transport=transport, base_url="http://mock") as http:
            await http.get(LIST, headers={"X-Mockvoice-Fault": fault})

    with pytest.raises(ConnectionResetError, match="by a fault"):
        asyncio.run(call())
    (entry,), _ = asyncio.run(mock.store.list_entries(""))
    assert (entry.kind, entry.internal_error) == (kind, "")


def test_delays_add_up_with_the_next_fault(box: Box, raw: Raw) -> None:
    ids = [
        box.inject(kind="delay", seconds=0.02),
        box.inject(kind="delay", seconds=0.02, when="after"),
        box.inject(status=503),
        box.inject(kind="reset"),  # does not fire
    ]
    started = perf_counter()
    raw.send(LIST)
    received = raw.receive()
    assert perf_counter() - started >= 0.04
    assert received.status == 503
    assert received.headers["x-mockvoice-fault"] == ", ".join(ids[:3])
    assert box.last()["fault"] == {"id": ", ".join(ids[:3]), "kind": "delay, delay, status"}
    assert [box.fault(id)["hits"] for id in ids] == [1, 1, 1, 0]


def test_extreme_distributions_give_valid_durations(box: Box, raw: Raw) -> None:
    box.inject(kind="delay", seconds=0, distribution="lognormal", jitter=3600, times=20)
    box.inject(kind="delay", seconds=0, distribution="uniform", jitter=0.001, times=20)
    box.inject(kind="delay", seconds=0, distribution="normal", jitter=0.001, times=20)
    for _ in range(20):
        raw.send(LIST)
        assert raw.receive().status == 200

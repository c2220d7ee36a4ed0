"""WebSockets that are passed through to a live service."""

from __future__ import annotations

import asyncio
import json
import threading
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager, suppress
from typing import Any

import httpx
import pytest
from websockets.asyncio.server import ServerConnection
from websockets.asyncio.server import serve as serve_socket
from websockets.exceptions import ConnectionClosed, InvalidStatus
from websockets.sync.client import connect

from mockvoice.http.server import Server, bind

from ..conftest import Serve
from ..http.sockets import kinds, opened, receive_frames, say, socket_url
from ..state.serializing import make_mock
from .stand_in import as_json, stand_in
from .test_forward import free_url

KEY = "sk_live_socket_4711"
AUTHORIZATION = {"authorization": f"Bearer {KEY}"}
Talk = Callable[[ServerConnection], Awaitable[None]]


@contextmanager
def live_socket(talk: Talk, **options: Any) -> Iterator[str]:
    """Run a WebSocket server, and yield its URL."""
    started, stop = threading.Event(), threading.Event()
    urls = []

    async def run() -> None:
        async with serve_socket(talk, "127.0.0.1", 0, **options) as server:
            (listener,) = server.sockets
            urls.append(f"http://127.0.0.1:{listener.getsockname()[1]}")
            started.set()
            await asyncio.to_thread(stop.wait)

    thread = threading.Thread(target=lambda: asyncio.run(run()))
    thread.start()
    try:
        assert started.wait(20)
        yield urls[0]
    finally:
        stop.set()
        thread.join()


async def echo(socket: ServerConnection) -> None:
    async for message in socket:
        await socket.send(message)


def entry(server: Server) -> Any:
    """Return the newest entry, once it is complete."""
    events = f"{server.url}/__mockvoice/events?after=0&timeout=20"
    with httpx.stream("GET", events) as stream:
        line = next(line for line in stream.iter_lines() if line.startswith("data:"))
    return json.loads(line.removeprefix("data:"))


def test_frames_pass_unchanged_in_both_directions_and_are_recorded(serve: Serve) -> None:
    seen: list[Any] = []

    async def talk(socket: ServerConnection) -> None:
        assert socket.request
        seen.extend([socket.request.path, socket.request.headers["authorization"]])
        await echo(socket)

    with live_socket(talk) as url:
        server = serve(upstream={"telnyx": f"{url}/v2"})
        with opened(socket_url(server.url, voice="x y"), AUTHORIZATION) as socket:
            for frame in ('{ "text":  "a" }', "no JSON", b"\x00\xff"):
                socket.send(frame)
                assert socket.recv(timeout=20) == frame
    assert seen == ["/v2/text-to-speech/speech?voice=x+y", AUTHORIZATION["authorization"]]
    found = entry(server)
    assert (found["status"], found["upstream"]) == (101, f"{url}/v2")
    assert [frame["data"] for frame in found["frames"]] == [
        *[{"text": "a"}] * 2,
        *["no JSON"] * 2,
        None,
        None,
    ]
    assert {violation["source"] for violation in found["violations"]} > {"upstream"}
    assert KEY not in json.dumps(found)


def test_speech_of_another_mock_passes_through(serve: Serve) -> None:
    with Server(make_mock(seed=4711), bind("127.0.0.1", 0)) as service:
        server = serve(upstream={"telnyx": f"{service.url}/telnyx/v2"})
        url = socket_url(server.url, voice="Telnyx.NaturalHD.Alloy")
        with opened(url, AUTHORIZATION) as socket:
            say(socket, " ", "Hello there.", "")
            frames = receive_frames(socket)
    assert kinds(frames) == ["audio_chunk", "final"]
    assert entry(server)["violations"] == []


@pytest.mark.parametrize(("code", "received"), [(1000, 1000), (4711, 4711)])
def test_code_of_the_live_service_reaches_the_client(
    serve: Serve, code: int, received: int
) -> None:
    async def talk(socket: ServerConnection) -> None:
        await socket.send("last")
        await socket.close(code, "because")

    with live_socket(talk) as url:
        server = serve(upstream={"telnyx": url})
        with opened(socket_url(server.url), AUTHORIZATION) as socket:
            assert socket.recv(timeout=20) == "last"
            with pytest.raises(ConnectionClosed) as closed:
                socket.recv(timeout=20)
    assert closed.value.rcvd
    assert (closed.value.rcvd.code, closed.value.rcvd.reason) == (received, "because")


def test_code_of_the_client_reaches_the_live_service(serve: Serve) -> None:
    codes: list[int | None] = []
    ended = threading.Event()

    async def talk(socket: ServerConnection) -> None:
        with suppress(ConnectionClosed):
            await echo(socket)
        codes.append(socket.close_code)
        ended.set()

    with live_socket(talk) as url:
        server = serve(upstream={"telnyx": url})
        with opened(socket_url(server.url), AUTHORIZATION) as socket:
            socket.close(4001)
        assert ended.wait(20)
    assert codes == [4001]


def test_broken_connection_of_the_live_service_breaks_that_of_the_client(serve: Serve) -> None:
    async def talk(socket: ServerConnection) -> None:
        await socket.recv()
        socket.transport.abort()

    with live_socket(talk) as url:
        server = serve(upstream={"telnyx": url})
        with opened(socket_url(server.url), AUTHORIZATION) as socket:
            socket.send("go")
            with pytest.raises(ConnectionClosed) as closed:
                socket.recv(timeout=20)
    assert closed.value.rcvd is None


def test_subprotocol_is_negotiated_with_the_live_service(serve: Serve) -> None:
    with live_socket(echo, subprotocols=["v2.speech"]) as url:
        server = serve(upstream={"telnyx": url})
        options: Any = {"subprotocols": ["v1.speech", "v2.speech"]}
        with connect(socket_url(server.url), additional_headers=AUTHORIZATION, **options) as socket:
            assert socket.subprotocol == "v2.speech"


def test_refused_handshake_and_missing_service_reach_the_client(serve: Serve) -> None:
    with stand_in() as live:
        live.reply = lambda request: as_json({"errors": [{"code": "10009"}]}, 401)
        server = serve(upstream={"telnyx": live.url})
        with pytest.raises(InvalidStatus) as refused:
            with opened(socket_url(server.url), AUTHORIZATION):
                pass
    assert refused.value.response.status_code == 401
    assert json.loads(refused.value.response.body or b"") == {"errors": [{"code": "10009"}]}
    missing = serve(upstream={"telnyx": free_url()})
    with pytest.raises(InvalidStatus) as failed:
        with opened(socket_url(missing.url), AUTHORIZATION):
            pass
    assert failed.value.response.status_code == 502
    assert "cannot connect to" in json.loads(failed.value.response.body or b"")["detail"]


def test_faults_apply_to_the_handshake_and_to_frames(serve: Serve) -> None:
    with live_socket(echo) as url:
        server = serve(upstream={"telnyx": url})
        faults = f"{server.url}/__mockvoice/faults"
        before = {"provider": "telnyx", "status": 503, "times": 1}
        httpx.post(faults, json=before).raise_for_status()
        with pytest.raises(InvalidStatus):
            with opened(socket_url(server.url), AUTHORIZATION):
                pass
        second = {"provider": "telnyx", "kind": "disconnect", "frame": 2, "times": 1}
        httpx.post(faults, json=second).raise_for_status()
        with opened(socket_url(server.url), AUTHORIZATION) as socket:
            socket.send("1")
            assert socket.recv(timeout=20) == "1"
            socket.send("2")
            with pytest.raises(ConnectionClosed):
                socket.recv(timeout=20)

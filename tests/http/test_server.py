"""The server on a real port, in a thread."""

from __future__ import annotations

import asyncio
import socket
import time
from typing import Any
from urllib.parse import urlsplit

import httpx
import pytest

from mockvoice.http.app import App
from mockvoice.http.server import PortTaken, Server, bind

from ..conftest import Serve, stored_records
from ..state.serializing import make_mock

TELNYX = "/telnyx/v2/voice_clones/from_upload"
KEY = {"Authorization": "Bearer K"}


@pytest.mark.parametrize("http", ["h11", "httptools"])
def test_both_http_parsers_of_uvicorn_work(http: Any, wav: bytes) -> None:
    with Server(make_mock(), bind("127.0.0.1", 0), http=http) as server:
        url = f"{server.url}{TELNYX}"
        fields, file = {"name": "n", "language": "en"}, {"audio_file": wav}
        assert httpx.post(url, headers=KEY, data=fields, files=file).status_code == 201


def test_https_of_a_proxy_on_this_machine_is_used_in_urls(serve: Serve) -> None:
    url = f"{serve().url}/unknown"
    headers = {"X-Forwarded-Proto": "https", "X-Forwarded-For": "203.0.113.7", "Host": "mock.test"}
    assert "https://mock.test/telnyx/v2" in httpx.get(url, headers=headers).json()["hint"]
    del headers["X-Forwarded-Proto"]
    assert "http://mock.test/telnyx/v2" in httpx.get(url, headers=headers).json()["hint"]


def test_stopped_server_releases_its_port() -> None:
    with Server(make_mock(), bind("127.0.0.1", 0)) as server:
        port = urlsplit(server.url).port
        assert port
        with pytest.raises(PortTaken, match=f"cannot listen on 127.0.0.1 port {port}"):
            bind("127.0.0.1", port)
    bind("127.0.0.1", port).close()


def stop_time() -> float:
    """Return the seconds that a server takes to stop while an idle connection is open."""
    with httpx.Client() as client:
        with Server(make_mock(), bind("127.0.0.1", 0)) as server:
            assert client.get(f"{server.url}/__mockvoice/health").status_code == 200
            begin = time.perf_counter()
        return time.perf_counter() - begin


def test_server_without_requests_in_progress_stops_at_once() -> None:
    """uvicorn waits for a tenth of a second, which a test suite with many servers notices."""
    assert min(stop_time() for _ in range(5)) < 0.1


def test_server_listens_on_ipv6() -> None:
    with Server(make_mock(), bind("::1", 0)) as server:
        assert server.url.startswith("http://[::1]:")
        assert httpx.get(f"{server.url}/__mockvoice/health").json()["status"] == "ok"


def test_servers_in_one_process_are_isolated(serve: Serve) -> None:
    one, two = serve(), serve()
    body = {
        "name": "n",
        "voice_design_id": "550e8400-e29b-41d4-a716-446655440000",
        "language": "en",
        "gender": "male",
    }
    clones = [
        httpx.post(f"{server.url}/telnyx/v2/voice_clones", headers=KEY, json=body).json()
        for server in (one, two)
    ]
    assert clones[0]["data"]["id"] == clones[1]["data"]["id"]  # the first id of the same seed
    records = [stored_records(server) for server in (one, two)]
    assert [len(of_server) for of_server in records] == [1, 1]


def test_servers_in_one_process_share_the_bundled_contracts() -> None:
    """Reading them takes longer than starting a server."""
    one, two = make_mock(), make_mock(edition={"supertone": "latest"})
    same = [one.providers[name].document is two.providers[name].document for name in one.providers]
    assert dict(zip(one.providers, same, strict=True)) == {
        "faseeh": True,
        "retell": True,
        "supertone": False,
        "telnyx": True,
    }


def test_nagles_algorithm_is_disabled() -> None:
    """asyncio disables it for sockets with the protocol TCP; else responses take 40 ms longer."""
    listener = bind("127.0.0.1", 0)
    assert listener.proto == socket.IPPROTO_TCP
    listener.close()


def test_early_error_is_sent_after_the_whole_upload(serve: Serve) -> None:
    """Node.js clients report `fetch failed` for a response before the end of their upload."""
    server = serve()
    host, port = urlsplit(server.url).hostname, urlsplit(server.url).port
    with socket.create_connection((host, port)) as client:
        client.sendall(f"POST {TELNYX} HTTP/1.1\r\nHost: x\r\nContent-Length: 6\r\n\r\n".encode())
        client.settimeout(0.2)
        with pytest.raises(TimeoutError):
            client.recv(1)
        client.settimeout(5)
        client.sendall(b"abcdef")
        assert client.recv(65536).startswith(b"HTTP/1.1 401 ")


@pytest.mark.parametrize("value", ["100-continue", "100-Continue"])
def test_expect_100_continue_is_answered(serve: Serve, value: str) -> None:
    """curl sends this header with large bodies; the journal has it as it was sent."""
    server = serve()
    host, port = urlsplit(server.url).hostname, urlsplit(server.url).port
    head = f"POST {TELNYX} HTTP/1.1\r\nHost: x\r\nContent-Length: 2\r\nExpect: {value}\r\n\r\n"
    with socket.create_connection((host, port), timeout=5) as client:
        client.sendall(head.encode())
        assert client.recv(65536).startswith(b"HTTP/1.1 100 ")
        client.sendall(b"{}")
        assert client.recv(65536).startswith(b"HTTP/1.1 401 ")
    (entry,) = httpx.get(f"{server.url}/__mockvoice/requests").json()["requests"]
    assert entry["headers"]["expect"] == value


def test_server_survives_disconnected_clients(serve: Serve) -> None:
    server = serve()
    host, port = urlsplit(server.url).hostname, urlsplit(server.url).port
    for _ in range(3):
        with socket.create_connection((host, port)) as client:
            client.sendall(
                f"POST {TELNYX} HTTP/1.1\r\nHost: x\r\nContent-Length: 9\r\n\r\nx".encode()
            )
    assert httpx.get(f"{server.url}/__mockvoice/health").status_code == 200


def run_app(scope: dict[str, Any], *messages: str) -> list[str]:
    """Call the app with ASGI messages, and return the types of those that it sends."""
    received, sent = [{"type": message} for message in messages], list[str]()

    async def receive() -> Any:
        return received.pop(0)

    async def send(message: Any) -> None:
        sent.append(message["type"])

    asyncio.run(App(make_mock())(scope, receive, send))
    return sent


def test_app_handles_lifespan_and_rejects_unknown_websockets() -> None:
    assert run_app({"type": "lifespan"}, "lifespan.startup", "lifespan.shutdown") == [
        "lifespan.startup.complete",
        "lifespan.shutdown.complete",
    ]
    websocket = {"type": "websocket", "path": "/nowhere", "query_string": b"", "headers": []}
    assert run_app(websocket, "websocket.connect") == ["websocket.close"]

"""The app on a real port, in a thread."""

from __future__ import annotations

import asyncio
import socket
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
def test_both_parsers_of_uvicorn_serve(http: Any, wav: bytes) -> None:
    with Server(make_mock(), bind("127.0.0.1", 0), http=http) as server:
        url = f"{server.url}{TELNYX}"
        fields, file = {"name": "n", "language": "en"}, {"audio_file": wav}
        assert httpx.post(url, headers=KEY, data=fields, files=file).status_code == 201


def test_a_stopped_server_gives_its_port_back() -> None:
    with Server(make_mock(), bind("127.0.0.1", 0)) as server:
        port = urlsplit(server.url).port
        assert port
        with pytest.raises(PortTaken, match=f"cannot listen on 127.0.0.1 port {port}"):
            bind("127.0.0.1", port)
    bind("127.0.0.1", port).close()


def test_ipv6_is_served() -> None:
    with Server(make_mock(), bind("::1", 0)) as server:
        assert server.url.startswith("http://[::1]:")
        assert httpx.get(f"{server.url}/__mockvoice/health").json()["status"] == "ok"


def test_two_servers_in_one_process_share_nothing(serve: Serve) -> None:
    one, two = serve(), serve()
    body = {
        "name": "n",
        "voice_design_id": "550e8400-e29b-41d4-a716-446655440000",
        "language": "en",
        "gender": "male",
    }
    answers = [
        httpx.post(f"{each.url}/telnyx/v2/voice_clones", headers=KEY, json=body).json()
        for each in (one, two)
    ]
    assert answers[0]["data"]["id"] == answers[1]["data"]["id"]  # the first id of the same seed
    made = [stored_records(server) for server in (one, two)]
    assert [len(each) for each in made] == [1, 1]


def test_answers_are_not_held_back_by_nagles_algorithm() -> None:
    """Asyncio switches it off on sockets that are named as TCP; else each answer takes 40 ms."""
    listener = bind("127.0.0.1", 0)
    assert listener.proto == socket.IPPROTO_TCP
    listener.close()


def test_an_early_refusal_waits_for_the_whole_upload(serve: Serve) -> None:
    """Node clients report `fetch failed` when they are answered before they have sent all."""
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


def test_a_client_that_expects_to_continue_is_told_to(serve: Serve, wav: bytes) -> None:
    """curl asks before it sends a large body."""
    server = serve()
    host, port = urlsplit(server.url).hostname, urlsplit(server.url).port
    head = f"POST {TELNYX} HTTP/1.1\r\nHost: x\r\nContent-Length: 2\r\nExpect: 100-continue\r\n\r\n"
    with socket.create_connection((host, port), timeout=5) as client:
        client.sendall(head.encode())
        assert client.recv(65536).startswith(b"HTTP/1.1 100 ")
        client.sendall(b"{}")
        assert client.recv(65536).startswith(b"HTTP/1.1 401 ")


def test_a_client_that_goes_away_does_no_harm(serve: Serve) -> None:
    server = serve()
    host, port = urlsplit(server.url).hostname, urlsplit(server.url).port
    for _ in range(3):
        with socket.create_connection((host, port)) as client:
            client.sendall(
                f"POST {TELNYX} HTTP/1.1\r\nHost: x\r\nContent-Length: 9\r\n\r\nx".encode()
            )
    assert httpx.get(f"{server.url}/__mockvoice/health").status_code == 200


def called(scope: dict[str, Any], *messages: str) -> list[str]:
    """What the app sends when it is called as ASGI servers call it."""
    received, sent = [{"type": message} for message in messages], list[str]()

    async def receive() -> Any:
        return received.pop(0)

    async def send(message: Any) -> None:
        sent.append(message["type"])

    asyncio.run(App(make_mock())(scope, receive, send))
    return sent


def test_the_app_lives_under_any_asgi_server() -> None:
    assert called({"type": "lifespan"}, "lifespan.startup", "lifespan.shutdown") == [
        "lifespan.startup.complete",
        "lifespan.shutdown.complete",
    ]
    assert called({"type": "websocket"}, "websocket.connect") == ["websocket.close"]

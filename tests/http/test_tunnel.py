"""Tunnels to hosts that the mock does not serve: `unknown_hosts: tunnel`."""

from __future__ import annotations

import asyncio
import socket
import threading
from collections.abc import Iterator
from typing import Any
from urllib.parse import urlsplit

import httpx
import pytest

from mockvoice.config.settings import SettingsError, load
from mockvoice.http.server import Server, bind

from ..state.serializing import make_mock

pytestmark = pytest.mark.memory

CONNECT = "CONNECT {} HTTP/1.1\r\nHost: x\r\n\r\n"
ESTABLISHED = b"HTTP/1.1 200 Connection established\r\n\r\n"


def own_address() -> str:
    """Return an address of this machine that is not a loopback address."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        probe.connect(("192.0.2.1", 9))  # sends nothing
        address: str = probe.getsockname()[0]
        return address


@pytest.fixture
def names(monkeypatch: pytest.MonkeyPatch) -> dict[str, str]:
    """Names that resolve to addresses in this process."""
    known = {
        "echo.test": own_address(),
        "rebound.test": "127.0.0.1",
        "cloud.test": "169.254.169.254",
    }
    resolve = socket.getaddrinfo

    def getaddrinfo(host: Any, *arguments: Any, **options: Any) -> Any:
        if str(host).endswith(".test") and host not in known:
            raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")
        return resolve(known.get(host, host), *arguments, **options)

    monkeypatch.setattr(socket, "getaddrinfo", getaddrinfo)
    return known


@pytest.fixture
def server() -> Iterator[Server]:
    """Server that lets unknown hosts through, and can be reached by more than one address."""
    mock = make_mock(unknown_hosts="tunnel", open_proxy=True, host="0.0.0.0", read_timeout=1)
    with Server(mock, bind("0.0.0.0", 0)) as server:
        yield server


@pytest.fixture
def echo() -> Iterator[int]:
    """Port of a service that sends back everything, and then the word end."""

    def serve() -> None:
        while True:
            try:
                client, _ = listener.accept()
            except OSError:
                return
            with client:
                while data := client.recv(65536):
                    client.sendall(data)
                client.sendall(b"end")

    with socket.create_server(("", 0)) as listener:
        thread = threading.Thread(target=serve)
        thread.start()
        yield listener.getsockname()[1]
        listener.shutdown(socket.SHUT_RDWR)
    thread.join()


def connect(server: Server, address: str = "127.0.0.1") -> socket.socket:
    return socket.create_connection((address, urlsplit(server.url).port), timeout=10)


def journal(server: Server) -> list[Any]:
    entries = asyncio.run(server.mock.store.list_entries(""))[0]
    return [(entry.method, entry.path, entry.status, entry.hint) for entry in entries]


def test_tunnel_passes_bytes_in_both_directions(
    server: Server, names: dict[str, str], echo: int
) -> None:
    data = bytes(range(256)) * 20_000
    received = b""

    def send() -> None:
        client.sendall(CONNECT.format(f"echo.test:{echo}").encode() + data)
        client.shutdown(socket.SHUT_WR)

    with connect(server) as client:
        sender = threading.Thread(target=send)
        sender.start()
        while chunk := client.recv(65536):
            received += chunk
        sender.join()
    assert received == ESTABLISHED + data + b"end"
    assert journal(server) == [
        (
            "CONNECT",
            f"echo.test:{echo}",
            200,
            f"passed on to echo.test:{echo}, because unknown_hosts is tunnel",
        )
    ]


def test_host_may_speak_first(server: Server, names: dict[str, str]) -> None:
    """Before the client knows that the tunnel exists, and hanging up at once."""
    with socket.create_server(("", 0)) as listener, connect(server) as client:
        client.sendall(CONNECT.format(f"echo.test:{listener.getsockname()[1]}").encode())
        accepted, _ = listener.accept()
        accepted.sendall(b"220 hello")
        accepted.close()
        assert b"".join(iter(lambda: client.recv(65536), b"")) == ESTABLISHED + b"220 hello"


def test_idle_tunnel_outlives_the_read_timeout_and_ends_with_the_server(
    names: dict[str, str], echo: int
) -> None:
    mock = make_mock(unknown_hosts="tunnel", read_timeout=1)
    with Server(mock, bind("127.0.0.1", 0)) as server:
        client = connect(server)
        client.sendall(CONNECT.format(f"echo.test:{echo}").encode())
        assert client.recv(65536) == ESTABLISHED
        client.settimeout(2.5)
        with pytest.raises(TimeoutError):
            client.recv(1)
        client.sendall(b"x")
        assert client.recv(1) == b"x"
    with client:
        assert client.recv(65536) in (b"", b"end")


@pytest.mark.parametrize(
    ("target", "reason"),
    [
        ("rebound.test:80", "has the address 127.0.0.1, to which no tunnel may lead"),
        ("cloud.test:80", "has the address 169.254.169.254, to which no tunnel may lead"),
        ("missing.test:443", "cannot connect to missing.test:443: Name or service not known"),
        ("echo.test:1", "cannot connect to echo.test:1"),
        ("echo.test:x", "must be a host and a port, such as echo.test:443"),
        ("echo.test:99999", "must be a host and a port, such as echo.test:443"),
    ],
)
def test_unreachable_host_gets_502(
    server: Server, names: dict[str, str], target: str, reason: str
) -> None:
    with connect(server) as client:
        client.sendall(CONNECT.format(target).encode())
        response = b"".join(iter(lambda: client.recv(65536), b"")).decode()
    assert response.startswith("HTTP/1.1 502 ")
    assert reason in response


def test_tunnel_to_the_mock_itself_is_rejected(server: Server, names: dict[str, str]) -> None:
    port = urlsplit(server.url).port
    with connect(server) as client:
        client.sendall(CONNECT.format(f"echo.test:{port}").encode())
        response = b"".join(iter(lambda: client.recv(65536), b""))
    assert response.startswith(f"HTTP/1.1 502 echo.test:{port} leads back to mockvoice".encode())


def test_hosts_of_providers_are_never_tunneled(server: Server) -> None:
    with connect(server) as client:
        client.sendall(CONNECT.format("api.telnyx.com:80").encode())
        assert client.recv(65536) == ESTABLISHED
        client.sendall(b"GET /v2/voice_clones HTTP/1.1\r\nHost: api.telnyx.com\r\n\r\n")
        assert client.recv(65536).startswith(b"HTTP/1.1 401 ")


def test_plain_requests_and_tls_to_unknown_hosts_are_refused_all_the_same(server: Server) -> None:
    with httpx.Client(proxy=f"http://127.0.0.1:{urlsplit(server.url).port}") as client:
        response = client.get("http://example.com/")
    assert response.status_code == 502
    assert "unknown_hosts: tunnel lets https requests through" in response.json()["hint"]


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "192.0.2.1", "mock.example.com"])
def test_open_proxy_needs_a_second_setting(host: str) -> None:
    settings = {"unknown_hosts": "tunnel", "host": host}
    with pytest.raises(SettingsError, match=f"unknown_hosts: tunnel on {host} would let every"):
        load(settings, {})
    assert load({**settings, "open_proxy": True}, {}).open_proxy
    for loopback in ("127.0.0.1", "::1", "localhost"):
        assert load({**settings, "host": loopback}, {}).host == loopback

"""A client with access to the bytes of a connection, and to how it ends."""

from __future__ import annotations

import socket
from collections.abc import Mapping
from typing import NamedTuple, Self
from urllib.parse import urlsplit


class Received(NamedTuple):
    """A response: `body` is what was received, in a number of `reads`."""

    status: int
    headers: Mapping[str, str]
    body: bytes
    reads: int

    @property
    def content_length(self) -> int:
        """The value of the header Content-Length."""
        return int(self.headers["content-length"])


class Raw:
    """One connection to a server."""

    def __init__(self, url: str) -> None:
        parts = urlsplit(url)
        self._path = parts.path
        self._socket = socket.create_connection((parts.hostname, parts.port), timeout=5)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Close the connection."""
        self._socket.close()

    def send(self, path: str, method: str = "GET", body: bytes = b"", **headers: str) -> None:
        """Send a request; `content_type` is the header Content-Type."""
        lines = [f"{name.replace('_', '-')}: {value}" for name, value in headers.items()]
        self._write(f"{method} {self._path}{path}", [*lines, f"Content-Length: {len(body)}"], body)

    def begin(self, path: str, **headers: str) -> None:
        """Send a POST whose body is missing a byte, and wait until the server reads it."""
        lines = [f"{name.replace('_', '-')}: {value}" for name, value in headers.items()]
        self._write(
            f"POST {self._path}{path}", [*lines, "Content-Length: 1", "Expect: 100-continue"]
        )
        assert self.read().startswith(b"HTTP/1.1 100 ")

    def end(self) -> None:
        """Send the missing byte."""
        self._socket.sendall(b"x")

    def _write(self, request: str, lines: list[str], body: bytes = b"") -> None:
        head = [f"{request} HTTP/1.1", "Host: x", "Authorization: Bearer K", *lines, "", ""]
        self._socket.sendall("\r\n".join(head).encode() + body)

    def read(self) -> bytes:
        """Receive bytes; none at the end. Raises ConnectionResetError after a reset."""
        return self._socket.recv(65536)

    def receive(self) -> Received:
        """Receive a response up to its Content-Length, or up to the end of the connection."""
        data, reads = b"", 0
        while b"\r\n\r\n" not in data:
            data += (chunk := self.read())
            assert chunk, f"the connection ended after {data!r}"
        head, _, body = data.partition(b"\r\n\r\n")
        first, *lines = head.decode("latin-1").split("\r\n")
        headers = {}
        for line in lines:
            name, _, value = line.partition(": ")
            assert name.lower() not in headers, f"two headers {name}"
            headers[name.lower()] = value
        status = int(first.split()[1])
        length = 0 if status == 204 else int(headers["content-length"])
        while len(body) < length and (chunk := self.read()):
            body, reads = body + chunk, reads + 1
        return Received(status, headers, body, reads)

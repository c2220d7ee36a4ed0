"""Stand-ins for live services: small HTTP and HTTPS servers with responses of their own."""

from __future__ import annotations

import json
import ssl
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, NamedTuple

import trustme


class Received(NamedTuple):
    """A request as it arrived; `headers` has the names and values in their order."""

    method: str
    target: str
    headers: list[tuple[str, str]]
    body: bytes

    def header(self, name: str) -> str | None:
        return {key.lower(): value for key, value in self.headers}.get(name)


class Reply(NamedTuple):
    """A response; `pieces` are sent as chunks, each after the one before was read."""

    status: int = 200
    body: bytes = b""
    headers: tuple[tuple[str, str], ...] = (("content-type", "application/json"),)
    pieces: Iterator[bytes] | None = None
    content_length: int | None = None


def as_json(value: Any, status: int = 200) -> Reply:
    return Reply(status, json.dumps(value).encode())


class StandIn:
    """A server on a port of its own that records requests and sends the responses it is given."""

    def __init__(self) -> None:
        self.received: list[Received] = []
        self.reply: Callable[[Received], Reply] = lambda request: as_json({})
        self.url = ""


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    stand_in: StandIn

    def handle_any(self) -> None:
        size = int(self.headers.get("content-length") or 0)
        request = Received(self.command, self.path, [*self.headers.items()], self.rfile.read(size))
        self.stand_in.received.append(request)
        reply = self.stand_in.reply(request)
        self.send_response(reply.status)
        for name, value in reply.headers:
            self.send_header(name, value)
        if reply.pieces is None:
            length = len(reply.body) if reply.content_length is None else reply.content_length
            self.send_header("content-length", str(length))
            self.end_headers()
            self.wfile.write(reply.body)
            self.close_connection = length != len(reply.body)
            return
        self.send_header("transfer-encoding", "chunked")
        self.end_headers()
        for piece in reply.pieces:
            self.wfile.write(b"%x\r\n%s\r\n" % (len(piece), piece))
            self.wfile.flush()
        self.wfile.write(b"0\r\n\r\n")

    do_GET = do_POST = do_PUT = do_PATCH = do_DELETE = do_HEAD = handle_any  # noqa: N815

    def log_message(self, *_: object) -> None:
        pass


class _HTTPServer(ThreadingHTTPServer):
    daemon_threads = True

    def handle_error(self, *_: object) -> None:
        """Stay quiet about clients that leave."""


@contextmanager
def stand_in(ca: trustme.CA | None = None) -> Iterator[StandIn]:
    """Run a stand-in, with TLS if there is a CA."""
    service = StandIn()
    handler = type("Handler", (_Handler,), {"stand_in": service})
    with _HTTPServer(("127.0.0.1", 0), handler) as server:
        if ca:
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            ca.issue_cert("127.0.0.1").configure_cert(context)
            server.socket = context.wrap_socket(server.socket, server_side=True)
        service.url = f"http{'s' if ca else ''}://127.0.0.1:{server.server_address[1]}"
        thread = threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True)
        thread.start()
        yield service
        server.shutdown()
        thread.join()

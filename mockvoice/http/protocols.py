"""The HTTP protocols of uvicorn, with access to the connection for faults that break it.

They also limit the head of a request and the time that it takes, and keep the body of a request
that offers to upgrade the connection.
"""

from __future__ import annotations

import asyncio
from functools import lru_cache
from itertools import chain
from typing import Any

from .transport import CONNECTION, TARGET, Connection, JoiningTransport

try:
    import httptools
except ImportError:  # no wheel for this platform
    httptools = None  # type: ignore[assignment]

MAX_HEAD_BYTES = 64 * 1024  # of the request line and all headers, as in h11
ABNORMAL_CLOSURE = 1006  # RFC 6455, section 7.1.5
_SHARED_HEADERS = 512
_SHARED_HEADER_BYTES = 128  # of name and value; longer ones are seldom repeated


def protocol(name: str) -> type[asyncio.Protocol]:
    """Return the protocol class for `h11` or `httptools`; `auto` prefers httptools if installed."""
    if name == "httptools" or (name == "auto" and httptools is not None):
        from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

        return type("Protocol", (HttpToolsMixin, HttpToolsProtocol), {})
    import h11  # here: servers with httptools do not need it
    from uvicorn.protocols.http.h11_impl import H11Protocol

    return type("Protocol", (H11Mixin, H11Protocol), {"idle": h11.IDLE})


def websocket_protocol(**arguments: Any) -> asyncio.Protocol:
    """Return the protocol of a connection that was upgraded to WebSocket.

    Imported when the first client connects, because few servers see one.
    """
    from uvicorn.protocols.websockets.websockets_sansio_impl import WebSocketsSansIOProtocol

    kind: type[asyncio.Protocol] = type("Protocol", (WebSocketMixin, WebSocketsSansIOProtocol), {})
    return kind(**arguments)


class ConnectionMixin(asyncio.Protocol):
    """A connection that faults can break and that does not wait forever for its client."""

    loop: asyncio.AbstractEventLoop
    transport: asyncio.Transport
    app: Any
    cycle: Any
    timeout_keep_alive_task: Any
    _unset_keepalive_if_required: Any
    connection: Connection

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Give the application access to the connection."""
        joining: Any = JoiningTransport(transport)
        super().connection_made(joining)
        self.connection = connection = Connection(joining)
        self._running: Any = None
        self._waiting_since = self.loop.time()
        app = self.app

        def app_with_connection(scope: Any, receive: Any, send: Any) -> Any:
            scope[CONNECTION] = connection
            self._running = getattr(receive, "__self__", None)
            return app(scope, receive, send)

        self.app = app_with_connection

    def connection_lost(self, error: Exception | None) -> None:
        """Tell the request that is running, which is not the newest one if others wait."""
        running = self._running
        if running is not None and not running.response_complete:
            running.disconnected = True
            running.message_event.set()
        super().connection_lost(error)

    def data_received(self, data: bytes) -> None:
        """Parse data, and note the time since which the rest of a request is missing."""
        if not self.is_reading_head():  # all of a head has to arrive in time
            self._waiting_since = self.loop.time()
        self.parse(data)

    def is_reading_head(self) -> bool:
        """Return True if a part of a request's head has arrived."""
        raise NotImplementedError

    def parse(self, data: bytes) -> None:
        """Parse data."""
        super().data_received(data)

    def close_if_stalled(self, since: float) -> None:
        """Close the connection if the rest of the request has still not arrived."""
        if self._waiting_since > since or self.timeout_keep_alive_task is not None:
            return
        if self.cycle is None or self.cycle.response_complete or self.cycle.more_body:
            self.connection.close()

    def shutdown(self) -> None:
        """Close a connection whose client waits because of a fault: uvicorn would wait for it."""
        super().shutdown()  # type: ignore[misc]  # of uvicorn
        if self.connection.waiting:
            self.connection.close()


class WebSocketMixin(asyncio.Protocol):
    """A WebSocket that faults can break."""

    app: Any
    conn: Any
    queue: asyncio.Queue[Any]
    handshake_complete: bool
    handshake_initiated: bool
    transport: asyncio.Transport
    connection: Connection

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Give the application access to the connection."""
        self.connection = connection = Connection(transport)
        app = self.app

        def app_with_connection(scope: Any, receive: Any, send: Any) -> Any:
            scope[CONNECTION] = connection
            return app(scope, receive, send)

        self.app = app_with_connection
        super().connection_made(transport)

    def data_received(self, data: bytes) -> None:
        """Parse data. A handshake that cannot be parsed is rejected, where uvicorn keeps silent."""
        super().data_received(data)
        error = self.conn.handshake_exc
        if self.handshake_initiated or error is None:
            return
        text = f"invalid WebSocket handshake: {error.__cause__ or error}".encode()
        self.transport.write(
            b"HTTP/1.1 400 Bad Request\r\nconnection: close\r\n"
            b"content-type: text/plain; charset=utf-8\r\n"
            b"content-length: %d\r\n\r\n%s" % (len(text), text)
        )
        self.transport.close()

    async def send(self, message: Any) -> None:
        """Send a message of the application; its response is an end of the handshake, too."""
        await super().send(message)  # type: ignore[misc]  # of uvicorn
        if message["type"] == "websocket.http.response.body" and not message.get("more_body"):
            self.handshake_complete = True  # else uvicorn logs an error

    def connection_lost(self, error: Exception | None) -> None:
        """Tell the application about a client that left without a closing handshake."""
        if self.conn.close_rcvd is None:
            self.queue.put_nowait({"type": "websocket.disconnect", "code": ABNORMAL_CLOSURE})
        super().connection_lost(error)

    def close_if_stalled(self, since: float) -> None:
        """Do nothing: a conversation has a limit of its own for a silent client."""


class H11Mixin(ConnectionMixin):
    """Additions to the protocol of h11."""

    conn: Any
    scope: Any
    idle: Any  # the state before a request

    def _should_upgrade(self) -> bool:
        upgrades: bool = super()._should_upgrade()  # type: ignore[misc]  # of uvicorn
        return upgrades and self.scope["method"] == "GET"

    def is_reading_head(self) -> bool:
        """Return True if a part of a request's head has arrived."""
        return self.conn.their_state is self.idle and bool(self.conn.trailing_data[0])


@lru_cache(maxsize=_SHARED_HEADERS)
def _shared_header(name: bytes, value: bytes) -> tuple[bytes, bytes]:
    return name.lower(), value


class _HeadTooLarge(Exception):
    """The head of a request exceeds its limit."""


class HttpToolsMixin(ConnectionMixin):
    """Additions to the protocol of httptools: a bounded head, and bodies after an upgrade offer."""

    parser: Any
    send_400_response: Any
    handle_websocket_upgrade: Any
    _get_upgrade: Any
    url: bytes
    scope: Any
    headers: list[tuple[bytes, bytes]]
    expect_100_continue: bool

    _in_head = False
    _pending_bytes = 0  # of the chunks after the one in which the head began
    _chunk_bytes = 0  # of the chunk that is parsed

    def is_reading_head(self) -> bool:
        """Return True if a part of a request's head has arrived."""
        return self._in_head

    def parse(self, data: bytes) -> None:
        """Parse data. A head that is too large is rejected with 431."""
        self._unset_keepalive_if_required()
        if self._in_head:  # the parser announces a header only when it has ended
            self._pending_bytes += len(data)
            if self._pending_bytes > MAX_HEAD_BYTES + len(data):
                self._reject_head()
                return
        self._chunk_bytes = len(data)
        try:
            self.parser.feed_data(data)
        except httptools.HttpParserUpgrade as upgrade:
            if self._opens_websocket():
                self.handle_websocket_upgrade()
            else:
                self._parse_without_upgrade(data[upgrade.args[0] :])
        except httptools.HttpParserError as error:
            if isinstance(error.__context__, _HeadTooLarge):
                self._reject_head()
            else:
                self.send_400_response("Invalid HTTP request received.")

    def _reject_head(self) -> None:
        text = f"the request line and headers have more than {MAX_HEAD_BYTES} bytes"
        self.transport.write(
            b"HTTP/1.1 431 Request Header Fields Too Large\r\nconnection: close\r\n"
            b"content-type: text/plain; charset=utf-8\r\n"
            b"content-length: %d\r\n\r\n%s" % (len(text), text.encode())
        )
        self.transport.close()

    def _should_upgrade(self) -> bool:
        return True  # uvicorn leaves the request alone; it starts below

    def _opens_websocket(self) -> bool:
        """Return True for a handshake that no request on the connection precedes."""
        is_free = self.cycle is None or self.cycle.response_complete
        is_get = self.parser.get_method() == b"GET"
        return bool(is_free and is_get and self._get_upgrade() == b"websocket")

    def _parse_without_upgrade(self, rest: bytes) -> None:
        """Parse the request again without its offer to upgrade, which takes away its body.

        Java's HttpClient and `curl --http2` offer HTTP/2 with each request (RFC 7540, 3.2).
        """
        if self.parser.get_method() == b"CONNECT":
            self.send_400_response("CONNECT must be the first request of a connection.")
            return
        version = self.parser.get_http_version().encode()
        lines = [b"%s %s HTTP/%s" % (self.parser.get_method(), self.url, version)]
        for name, value in self.headers:
            if name == b"connection":
                options = [option.strip() for option in value.split(b",")]
                value = b", ".join(o for o in options if o.lower() != b"upgrade")  # noqa: PLW2901
            if name != b"upgrade":
                lines.append(b"%s: %s" % (name, value))
        self.parser = httptools.HttpRequestParser(self)
        self._in_head = False
        self.parse(b"\r\n".join([*lines, b"", rest]))

    def on_message_begin(self) -> None:
        """Begin a request."""
        super().on_message_begin()  # type: ignore[misc]
        self._in_head = True
        self._pending_bytes = 0

    def on_header(self, name: bytes, value: bytes) -> None:
        """Note a header; requests share those that they repeat, since the journal keeps them."""
        if len(name) + len(value) <= _SHARED_HEADER_BYTES:
            header = _shared_header(name, value)
        else:
            header = name.lower(), value
        if header[0] == b"expect" and value.lower() == b"100-continue":
            self.expect_100_continue = True
        self.headers.append(header)

    def on_headers_complete(self) -> None:
        """Begin the body."""
        if self._pending_bytes or self._chunk_bytes > MAX_HEAD_BYTES:  # else it is smaller for sure
            head = len(self.url) + sum(map(len, chain.from_iterable(self.headers)))
            if head > MAX_HEAD_BYTES:
                raise _HeadTooLarge
        self._in_head = False
        if self.url[:1] != b"/":  # uvicorn keeps only its path
            self.scope[TARGET] = self.url.decode("latin-1")
        super().on_headers_complete()  # type: ignore[misc]

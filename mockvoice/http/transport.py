"""The connection to the client: send a response, delay it, or break the connection."""

from __future__ import annotations

import asyncio
import socket
import struct
from collections.abc import (
    AsyncIterator,
    Awaitable,
    Callable,
    Coroutine,
    Iterator,
    Mapping,
    Sequence,
)
from contextlib import suppress
from dataclasses import dataclass, field
from time import perf_counter
from typing import Any, TypeVar

from starlette.types import Receive, Scope, Send

from ..errors import UpstreamFailed

CONNECTION = "mockvoice.connection"  # the key of the Connection in a request's scope
TARGET = "mockvoice.target"  # the key of a request target in absolute form
_DRIP_PIECES = 20
_PIECE_BYTES = 64 * 1024
_LAST_CHUNK = b"0\r\n\r\n"  # of a chunked body without trailers
_Result = TypeVar("_Result")


class ConnectionClosed(ConnectionResetError):
    """A fault closes the connection to a client in this process, which has no socket."""


@dataclass(slots=True, eq=False)
class RawResponse:
    """A response as it is sent; a body that is an iterator is streamed.

    `content_length` is the number of promised bytes where it differs from that of the body.
    `repeated` has further values of headers. `trailers` are sent after a streamed body. A
    `conversation` follows the response that opens a WebSocket.
    """

    status: int
    media_type: str
    body: bytes | Iterator[bytes] | AsyncIterator[bytes]
    headers: dict[str, str] = field(default_factory=dict)
    content_length: int | None = None
    repeated: Sequence[tuple[bytes, bytes]] = ()
    trailers: Mapping[str, str] = field(default_factory=dict)
    conversation: Callable[[Any], Awaitable[None]] | None = None

    def whole(self) -> bytes:
        """Return the body in one piece; faults are not asked about one that is on its way."""
        if isinstance(self.body, AsyncIterator):
            raise TypeError("the body is not read yet")
        return self.body if isinstance(self.body, bytes) else b"".join(self.body)


class JoiningTransport:
    """A transport for uvicorn, which writes the head and the body of a response one by one.

    Between `hold` and `release` they are collected, and then sent as one packet. With `trailers`,
    what is collected is the end of a chunked body (RFC 9112, 7.1.2): uvicorn cannot write trailers
    with HTTP/1.1.
    """

    def __init__(self, transport: Any) -> None:
        self._transport = transport
        self._held: list[bytes] | None = None
        self._trailers = b""

    def __getattr__(self, name: str) -> Any:
        return getattr(self._transport, name)

    def write(self, data: bytes) -> None:
        """Write data, or hold it back."""
        if self._held is None:
            self._transport.write(data)
        else:
            self._held.append(data)

    def hold(self, trailers: bytes = b"") -> None:
        """Begin to hold back what is written."""
        self._held = []
        self._trailers = trailers

    def release(self, missing: int = 0) -> None:
        """Write what was held back, except for the last bytes of it."""
        held, self._held = self._held, None
        if held:
            data = b"".join(held)
            if self._trailers and data == _LAST_CHUNK:
                data = b"0\r\n%s\r\n" % self._trailers
            self._transport.write(data[: len(data) - missing])

    def close(self) -> None:
        """Close the connection once everything is written."""
        self.release()
        self._transport.close()


@dataclass(slots=True, eq=False)
class Connection:
    """The connection of a request; `waiting` while a fault keeps its client waiting.

    `unsent` bytes of a response wait for a client that last read some of it at `progress_at`.
    `closed_by_server` is True if the client did not end the connection.
    """

    transport: Any = None
    waiting: bool = False
    unsent: int = 0
    progress_at: float = 0.0
    closed_by_server: bool = False

    def hold(self, trailers: bytes = b"") -> None:
        """Begin to hold back what is written, to send it as one packet."""
        if self.transport is not None:
            self.transport.hold(trailers)

    def release(self, missing: int = 0) -> None:
        """Write what was held back, except for the last bytes of it."""
        if self.transport is not None:
            self.transport.release(missing)

    def close(self) -> None:
        """Close the connection once the client has got what was sent."""
        self.closed_by_server = True
        self.transport.close()

    def abort(self) -> None:
        """Close the connection at once."""
        self.closed_by_server = True
        self.transport.abort()


class ResponseTransport:
    """Sends the response to one request.

    `started` is True once the client was sent a status, `closed` once the connection has ended.
    `client_closed` is the number of seconds after which the client ended it, None if it did not.
    """

    def __init__(self, scope: Scope, receive: Receive, send: Send) -> None:
        self._scope = scope
        self._connection: Connection = scope.get(CONNECTION) or Connection()
        self._receive = receive
        self._send = send
        self._created_at = perf_counter()
        self.started = False
        self.closed = False
        self.client_closed: float | None = None

    async def send(self, response: RawResponse) -> None:
        """Send a response."""
        if self.closed:
            return
        body = response.body
        if isinstance(body, bytes):
            self._connection.hold()
            try:
                await self._start(response, len(body))
                if len(body) <= _PIECE_BYTES:
                    await self._send({"type": "http.response.body", "body": body})
                else:
                    await self._send_body(body)
            finally:
                self._connection.release()
            return
        if isinstance(body, AsyncIterator):
            await self._relay(response, body)
            return
        await self._start(response, None)
        for piece in body:
            await self._send({"type": "http.response.body", "body": piece, "more_body": True})
        await self._end(response)

    async def _end(self, response: RawResponse) -> None:
        """Send the end of a body with its trailers."""
        trailers = response.trailers if self._takes_trailers else {}
        lines = [f"{name}: {value}\r\n" for name, value in trailers.items()]
        self._connection.hold("".join(lines).encode("latin-1"))
        try:
            await self._send({"type": "http.response.body", "body": b""})
        finally:
            self._connection.release()

    async def _send_body(self, body: bytes) -> None:
        """Send a body in pieces, each once the client has read most of those before it."""
        connection = self._connection
        try:
            for i in range(0, len(body) - _PIECE_BYTES, _PIECE_BYTES):
                connection.unsent = len(body) - i
                connection.progress_at = asyncio.get_running_loop().time()
                piece = body[i : i + _PIECE_BYTES]
                await self._send({"type": "http.response.body", "body": piece, "more_body": True})
                connection.release()
            rest = body[(max(len(body) - 1, 0) // _PIECE_BYTES) * _PIECE_BYTES :]
            await self._send({"type": "http.response.body", "body": rest})
        finally:
            connection.unsent = 0

    async def _relay(self, response: RawResponse, pieces: AsyncIterator[bytes]) -> None:
        """Send the pieces of a response from another server as they arrive.

        The connection is closed if they break off, so that the client notices.
        """
        await self._start(response, response.content_length)
        has_socket = self._connection.transport is not None
        leaving = asyncio.ensure_future(self._wait_for_disconnect()) if has_socket else None
        try:
            async for piece in pieces:
                if self.closed:
                    return
                await self._send_piece(piece)
        except UpstreamFailed:
            if leaving:
                leaving.cancel()
            await self.disconnect()
        else:
            await self._send({"type": "http.response.body", "body": b""})
        finally:
            self._connection.unsent = 0
            if leaving:
                leaving.cancel()

    async def wait(self, work: Coroutine[Any, Any, _Result]) -> _Result | None:
        """Return the result of some work; cancel it, and return None, if the client leaves."""
        if self._connection.transport is None:
            return await work
        working = asyncio.ensure_future(work)
        leaving = asyncio.ensure_future(self._wait_for_disconnect())
        self._connection.waiting = True
        try:
            await asyncio.wait((working, leaving), return_when=asyncio.FIRST_COMPLETED)
            return await working if working.done() else None
        finally:
            self._connection.waiting = False
            for task in (working, leaving):
                task.cancel()
            await asyncio.gather(working, leaving, return_exceptions=True)

    async def stream(self, response: RawResponse, pieces: AsyncIterator[bytes]) -> None:
        """Send the pieces of a response until they end or the client disconnects.

        The connection is closed at once when the server stops.
        """
        connection = self._connection
        await self._start(response, None)
        connection.waiting = True
        try:
            async with asyncio.TaskGroup() as group:
                sending = group.create_task(self._send_pieces(pieces))
                leaving = group.create_task(self._wait_for_disconnect())
                sending.add_done_callback(lambda _: leaving.cancel())
                leaving.add_done_callback(lambda _: sending.cancel())
        finally:
            connection.waiting = False
            connection.unsent = 0

    async def _send_pieces(self, pieces: AsyncIterator[bytes]) -> None:
        async for piece in pieces:
            await self._send_piece(piece)
        await self._send({"type": "http.response.body", "body": b""})

    async def _send_piece(self, piece: bytes) -> None:
        connection = self._connection
        connection.unsent = len(piece)
        connection.progress_at = asyncio.get_running_loop().time()
        await self._send({"type": "http.response.body", "body": piece, "more_body": True})
        connection.unsent = 0

    async def drip(self, response: RawResponse, seconds: float) -> None:
        """Send a response with its body in small pieces over some seconds."""
        body = response.whole()
        await self._start(response, None if response.trailers else len(body))
        size = max(len(body) // _DRIP_PIECES, 1)
        pieces = [body[i : i + size] for i in range(0, len(body), size)]
        for piece in pieces:
            await self.pause(seconds / len(pieces))
            if self.closed:
                return
            await self._send({"type": "http.response.body", "body": piece, "more_body": True})
        await self._end(response)

    async def truncate(self, response: RawResponse) -> None:
        """Send a part of a response, and close the connection."""
        await self._start(response, response.content_length)
        await self._send({"type": "http.response.body", "body": response.body, "more_body": True})
        await self.disconnect()

    async def disconnect(self) -> None:
        """Close the connection."""
        if self.closed:
            return
        if self._connection.transport is None:
            raise ConnectionClosed("mockvoice: connection closed by a fault")
        self._connection.close()
        await self._wait_for_disconnect()

    async def close(self, code: int, reason: str) -> None:
        """Close the connection; that of a WebSocket with a code and a reason."""
        await self.disconnect()

    async def reset(self) -> None:
        """Reset the connection: the client sees a TCP RST."""
        if self.closed:
            return
        if self._connection.transport is None:
            raise ConnectionResetError("mockvoice: connection reset by a fault")
        linger = struct.pack("ii", 1, 0)  # discard unsent data, and send RST instead of FIN
        sock = self._connection.transport.get_extra_info("socket")
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger)
        self._connection.abort()
        await self._wait_for_disconnect()

    async def pause(self, seconds: float) -> None:
        """Wait, but no longer than the client stays connected."""
        if seconds > 0 and not self.closed:
            self._connection.waiting = True
            with suppress(TimeoutError):
                await asyncio.wait_for(self._wait_for_disconnect(), seconds)
            self._connection.waiting = False

    async def _wait_for_disconnect(self) -> None:
        while (await self._receive())["type"] != "http.disconnect":
            pass
        self.disconnected()

    def disconnected(self) -> None:
        """Note that the connection has ended."""
        self.closed = True
        if not self._connection.closed_by_server:
            self.client_closed = perf_counter() - self._created_at

    @property
    def _takes_trailers(self) -> bool:
        """False for HTTP/1.0, which has none, and for an application without a socket."""
        return self._connection.transport is not None and self._scope["http_version"] != "1.0"

    async def _start(self, response: RawResponse, length: int | None) -> None:
        self.started = True
        headers = _encoded(response.headers)
        headers += response.repeated
        if response.media_type:
            headers.append((b"content-type", response.media_type.encode("latin-1")))
        if response.trailers and length is None:
            announced = {"trailer": ", ".join(response.trailers)}
            headers += _encoded(announced if self._takes_trailers else response.trailers)
        if length is not None and response.status not in (204, 304):
            headers.append((b"content-length", b"%d" % length))
        await self._send(
            {"type": "http.response.start", "status": response.status, "headers": headers}
        )


def _encoded(headers: Mapping[str, str]) -> list[tuple[bytes, bytes]]:
    return [(name.encode("latin-1"), text.encode("latin-1")) for name, text in headers.items()]

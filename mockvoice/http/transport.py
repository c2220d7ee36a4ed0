"""The way back to the client: send a reply well, or break off as real connections do."""

from __future__ import annotations

import asyncio
import socket
import struct
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any

from starlette.types import Receive, Scope, Send

CONNECTION = "mockvoice.line"  # where connection.py puts the line into a request's scope
_DRIP_PIECES = 20


@dataclass(slots=True, eq=False)
class RawResponse:
    """What goes back to the client; a body that is an iterator goes in its pieces.

    `length` is how many bytes are promised where that is not how many come.
    """

    status: int
    media_type: str
    body: bytes | Iterator[bytes]
    headers: dict[str, str] = field(default_factory=dict)
    length: int | None = None


@dataclass(slots=True, eq=False)
class Connection:
    """A connection within reach; `waiting` while a client is kept waiting because of a fault."""

    transport: Any = None
    waiting: bool = False


class Transport:
    """One request's connection."""

    def __init__(self, scope: Scope, receive: Receive, send: Send) -> None:
        self._line: Connection = scope.get(CONNECTION) or Connection()
        self._receive = receive
        self._send = send

    async def send(self, reply: RawResponse) -> None:
        """The whole reply."""
        body = reply.body
        if isinstance(body, bytes):
            await self._start(reply, len(body))
            await self._send({"type": "http.response.body", "body": body})
            return
        await self._start(reply, None)
        for piece in body:
            await self._send({"type": "http.response.body", "body": piece, "more_body": True})
        await self._send({"type": "http.response.body", "body": b""})

    async def drip(self, reply: RawResponse, seconds: float) -> None:
        """The whole reply, its body in small pieces over some seconds."""
        body = whole(reply)
        await self._start(reply, len(body))
        size = max(len(body) // _DRIP_PIECES, 1)
        pieces = [body[i : i + size] for i in range(0, len(body), size)]
        for piece in pieces:
            if not await self.pause(seconds / len(pieces)):
                return
            await self._send({"type": "http.response.body", "body": piece, "more_body": True})
        await self._send({"type": "http.response.body", "body": b""})

    async def truncate(self, reply: RawResponse) -> None:
        """The headers, what there is of the body, and the end."""
        await self._start(reply, reply.length)
        await self._send({"type": "http.response.body", "body": reply.body, "more_body": True})
        await self.disconnect()

    async def disconnect(self) -> None:
        """Close the connection as it is."""
        if self._line.transport is None:
            raise ConnectionResetError("mockvoice: the connection was closed as asked for")
        self._line.transport.close()
        await self._gone()

    async def reset(self) -> None:
        """Reset the connection: the client sees a TCP RST."""
        if self._line.transport is None:
            raise ConnectionResetError("mockvoice: the connection was reset as asked for")
        linger = struct.pack("ii", 1, 0)  # drop what was not sent, and say RST instead of FIN
        sock = self._line.transport.get_extra_info("socket")
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger)
        self._line.transport.abort()
        await self._gone()

    async def pause(self, seconds: float) -> bool:
        """Wait; False when the client went away meanwhile."""
        if seconds > 0:
            self._line.waiting = True
            with suppress(TimeoutError):
                await asyncio.wait_for(self._gone(), seconds)
                return False
            self._line.waiting = False
        return True

    async def _gone(self) -> None:
        while (await self._receive())["type"] != "http.disconnect":
            pass

    async def _start(self, reply: RawResponse, length: int | None) -> None:
        headers = [(k.encode("latin-1"), v.encode("latin-1")) for k, v in reply.headers.items()]
        if reply.media_type:
            headers.append((b"content-type", reply.media_type.encode("latin-1")))
        if length is not None and reply.status != 204:
            headers.append((b"content-length", b"%d" % length))
        await self._send(
            {"type": "http.response.start", "status": reply.status, "headers": headers}
        )


def whole(reply: RawResponse) -> bytes:
    """The body in one piece."""
    return reply.body if isinstance(reply.body, bytes) else b"".join(reply.body)

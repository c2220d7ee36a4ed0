"""The frames of a WebSocket: sending them, also as faults want it, and recording them."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from time import perf_counter
from typing import Any, Literal, NamedTuple

from starlette.types import Receive, Scope, Send

from ..state.journal import JournalFrame
from ..types import JSON
from .responses import encode
from .transport import ConnectionClosed, RawResponse, ResponseTransport

ABNORMAL_CLOSURE, NO_CODE = 1006, 1005  # RFC 6455, section 7.4.1: never sent
MAX_REASON = 123  # bytes: section 5.5
WEBSOCKET = "mockvoice.websocket"  # the key in a scope of the Channel of a handshake
MAX_RECORDED = 1000  # frames in a journal entry
_MAX_RECORDED_BYTES = 256 * 1024
# Characters of a text in a recorded frame; most texts of the server are audio.
_MAX_TEXT = {"client": 4096, "server": 256}


class Channel(NamedTuple):
    """The ASGI functions of a WebSocket."""

    receive: Receive
    send: Send


def is_handshake(scope: Scope) -> bool:
    """Return True for a request that opens a WebSocket."""
    return WEBSOCKET in scope


class FrameDropped(Exception):
    """A frame is not sent, because it was interrupted while a fault delayed it."""


class FrameTransport(ResponseTransport):
    """Receives the frames of a WebSocket, and sends each like a response, so that faults act on it.

    `sent` is the number of frames that were sent. `ended` are the code and the reason of the side
    that closed first, None while it is open.
    `read_timeout` are the seconds that a client may take to read a frame.
    """

    def __init__(self, scope: Scope, read_timeout: float) -> None:
        channel: Channel = scope[WEBSOCKET]
        super().__init__(scope, channel.receive, channel.send)
        self._read_timeout = read_timeout
        self._wakes = asyncio.Event()  # a pause, because it is over or useless
        self.sent = 0
        self.ended: tuple[int, str] | None = None

    @property
    def has_socket(self) -> bool:
        """False for a client in this process."""
        return self._connection.transport is not None

    async def accept(self, headers: Mapping[str, str]) -> bool:
        """Complete the handshake; return False if the client is gone."""
        headers = dict(headers)
        subprotocol = headers.pop("sec-websocket-protocol", None)
        raw = [(name.encode("latin-1"), text.encode("latin-1")) for name, text in headers.items()]
        message = {"type": "websocket.accept", "headers": raw, "subprotocol": subprotocol}
        try:
            await self._send(message)
        except OSError:
            self._note_end(ABNORMAL_CLOSURE, "")
            super().disconnected()
            return False
        self.started = True
        return True

    async def receive(self) -> str | bytes | None:
        """Return the next frame of the client, or None once the connection has ended."""
        message = await self._receive()
        if message["type"] == "websocket.receive":
            content: str | bytes | None = message.get("text")
            return message["bytes"] if content is None else content
        code = message.get("code", NO_CODE)
        self._note_end(code, message.get("reason") or "")
        if code == ABNORMAL_CLOSURE:
            super().disconnected()
        return None

    async def send(self, response: RawResponse) -> None:
        """Send a frame: text, or bytes if it has no media type.

        A client that does not read is disconnected after a while.
        """
        if self.closed:
            return
        data = response.whole()
        self._connection.unsent = len(data)
        self._connection.progress_at = asyncio.get_running_loop().time()
        content = (
            {"text": data.decode(errors="replace")} if response.media_type else {"bytes": data}
        )
        message = {"type": "websocket.send", **content}
        try:
            await asyncio.wait_for(self._send(message), self._read_timeout)
            self.sent += 1
        except TimeoutError:
            self._note_end(ABNORMAL_CLOSURE, "")
            self._connection.abort()
            raise ConnectionResetError("the client does not read") from None
        finally:
            self._connection.unsent = 0

    async def drip(self, response: RawResponse, seconds: float) -> None:
        """Send a frame after a pause."""
        await self.pause(seconds)
        await self.send(response)

    async def truncate(self, response: RawResponse) -> None:
        """Send a part of a frame, and close the connection without a closing handshake."""
        if self._connection.transport is None:
            raise ConnectionClosed("mockvoice: connection closed by a fault")
        data = response.whole()
        missing = (response.content_length or len(data)) - len(data)
        response.body = data + bytes(missing)
        self._connection.hold()
        try:
            await self.send(response)
        finally:
            self._connection.release(missing)
        await self.disconnect()

    async def close(self, code: int, reason: str) -> None:
        """Begin the closing handshake, unless the connection has ended."""
        if not self.closed:
            reason = reason.encode()[:MAX_REASON].decode(errors="ignore")
            self._note_end(code, reason)
            await self._send({"type": "websocket.close", "code": code, "reason": reason})

    async def pause(self, seconds: float) -> None:
        """Wait, but no longer than the connection lasts. Raises FrameDropped at an interruption."""
        if seconds <= 0 or self.closed:
            return
        self._wakes.clear()
        self._connection.waiting = True
        try:
            await asyncio.wait_for(self._wakes.wait(), seconds)
        except TimeoutError:
            return
        finally:
            self._connection.waiting = False
        if not self.closed:
            raise FrameDropped

    def interrupt(self) -> None:
        """Drop the frame that is delayed, if there is one."""
        self._wakes.set()

    def _note_end(self, code: int, reason: str) -> None:
        self.closed = True
        self.ended = self.ended or (code, reason)
        self._wakes.set()

    async def _wait_for_disconnect(self) -> None:
        while not self.closed:
            self._wakes.clear()
            await self._wakes.wait()


class FrameLog:
    """The frames of a connection as the journal keeps them: the first ones, with short texts."""

    def __init__(self, started: float) -> None:
        self._started = started
        self._bytes = 0
        self.frames: list[JournalFrame] = []
        self.omitted = 0

    def add(self, sender: Literal["client", "server"], data: Any, size: int) -> None:
        """Add a frame: JSON, text or bytes."""
        shown = _shown(data, _MAX_TEXT[sender])
        self._bytes += len(encode(shown))
        if len(self.frames) >= MAX_RECORDED or self._bytes > _MAX_RECORDED_BYTES:
            self.omitted += 1
            return
        elapsed = (perf_counter() - self._started) * 1000
        self.frames.append(JournalFrame(sender, elapsed, size, shown))


def _shown(value: Any, max_text: int) -> JSON:
    """Return JSON with long texts cut, and None for bytes."""
    if isinstance(value, str) and len(value) > max_text:
        return f"{value[:max_text]}... ({len(value)} characters)"
    if isinstance(value, dict):
        return {name: _shown(member, max_text) for name, member in value.items()}
    if isinstance(value, list):
        return [_shown(item, max_text) for item in value]
    return None if isinstance(value, bytes) else value

"""WebSockets that are passed through to a live service, frame by frame."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from contextlib import suppress
from typing import TYPE_CHECKING, Any, NamedTuple

from ..errors import Violation
from ..openapi.schema import Schema
from ..state.journal import JournalEntry
from ..types import JSON
from ..upstream.validation import MAX_VIOLATIONS, SOURCE
from .body import parse
from .frames import ABNORMAL_CLOSURE, NO_CODE
from .transport import RawResponse
from .websocket import NORMAL, WebSocketSession

if TYPE_CHECKING:
    from websockets.asyncio.client import ClientConnection

_MAX_UNSENT = 16  # frames of the live service that wait for the client


class RelayedFrame(NamedTuple):
    """A frame of the live service: as it was sent, and as JSON if it is."""

    content: str | bytes
    parsed: JSON


class RelaySession(WebSocketSession):
    """A session whose frames are passed on unchanged, whether they violate the contract or not.

    `redact` masks secrets in JSON, for the journal.
    """

    redact: Callable[[JSON], JSON]

    def __init__(self, *arguments: Any, redact: Callable[[JSON], JSON]) -> None:
        super().__init__(*arguments)
        self.redact = redact
        self.idle_seconds = 1e6  # the live service decides
        self._violations: list[Violation] = []

    def recorded(self, entry: JournalEntry) -> JournalEntry:
        """Return a journal entry with what happened since the handshake."""
        entry = super().recorded(entry)
        return entry._replace(violations=(*entry.violations, *self._violations))

    async def relay(self, content: str | bytes) -> None:
        """Send a frame of the live service, once the client has most of those before it."""
        if len(self._unsent) >= _MAX_UNSENT:
            await self._is_sent.wait()
        frame = RelayedFrame(content, _parsed(content))
        frames = self._ctx.operation.frames
        self._check(frames and frames.server, frame.parsed, "response")
        self.play([frame])

    async def end(self, code: int | None, reason: str | None) -> None:
        """Close the connection as the live service has closed the other one."""
        if code is None or code == ABNORMAL_CLOSURE:
            await self._is_sent.wait()
            await self._transport.disconnect()
        else:
            await self.close(NORMAL if code == NO_CODE else code, reason or "")

    @property
    def ended(self) -> tuple[int, str]:
        """Code and reason with which the client has closed the connection."""
        return self._transport.ended or (ABNORMAL_CLOSURE, "")

    def _checked(self, content: str | bytes) -> str | bytes:
        parsed = _parsed(content)
        self._log.add("client", self.redact(parsed), len(content))
        frames = self._ctx.operation.frames
        self._check(frames and frames.client, parsed, "frame")
        return content

    async def _deliver(self, frame: Any, response: RawResponse) -> None:
        shown = frame.parsed if isinstance(frame, RelayedFrame) else frame  # of an internal error
        await super()._deliver(self.redact(shown), response)

    def _rendered(self, frame: Any) -> RawResponse:
        if isinstance(frame.content, bytes):
            return RawResponse(101, "", frame.content)
        is_json = frame.parsed is not frame.content
        media_type = "application/json" if is_json else "text/plain"
        return RawResponse(101, media_type, frame.content.encode())

    def _check(self, schema: Schema | None, frame: JSON, location: Any) -> None:
        """Record the violations of a frame; those of the live service have another source."""
        if schema is None or ((is_json := not isinstance(frame, bytes)) and schema.is_valid(frame)):
            return
        binary = Violation(location, "", "frame", f"the {location} must be text with JSON")
        for one in schema.violations(frame, location) if is_json else [binary]:
            if len(self._violations) < MAX_VIOLATIONS:
                own = one._replace(received=self.redact(one.received))
                is_live = location == "response"
                self._violations.append(own._replace(source=SOURCE) if is_live else own)


def _parsed(content: str | bytes) -> Any:
    """Return a frame as JSON; one that is not stays as it is."""
    if isinstance(content, str):
        with suppress(ValueError):
            return parse(content.encode())
    return content


async def pass_through(live: ClientConnection, session: Any) -> None:
    """Pass on the frames of both sides until one of them closes: a conversation."""
    sending = asyncio.create_task(_send_on(session, live))
    try:
        with suppress(OSError, EOFError):
            async for content in _frames(live):
                await session.relay(content)
        if not sending.done():
            await session.end(live.close_code, live.close_reason)
        elif error := sending.exception():
            raise error
    finally:
        sending.cancel()
        await asyncio.gather(sending, return_exceptions=True)
        await live.close()


async def _frames(live: ClientConnection) -> Any:
    """Yield frames until the connection has ended, in whatever way."""
    from websockets.exceptions import ConnectionClosed  # few servers forward WebSockets

    try:
        async for content in live:
            yield content
    except ConnectionClosed:
        return


async def _send_on(session: RelaySession, live: ClientConnection) -> None:
    """Send the frames of the client to the live service, then close the connection as it did."""
    from websockets.exceptions import ConnectionClosed  # as above

    try:
        with suppress(ConnectionClosed):
            async for content in session:
                await live.send(content)
    finally:
        code, reason = session.ended
        await live.close(NORMAL if code in (NO_CODE, ABNORMAL_CLOSURE) else code, reason)

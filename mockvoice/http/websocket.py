"""WebSockets: the handshake, handled like any other request, and the conversation after it."""

from __future__ import annotations

import asyncio
import traceback
from collections import deque
from collections.abc import Awaitable, Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import replace
from typing import Any, Self

from starlette.types import Message, Receive, Scope, Send

from ..errors import (
    InjectedError,
    InternalError,
    MalformedBody,
    Problem,
    StoreUnavailable,
    UpgradeRequired,
    ValidationFailed,
    Violation,
)
from ..faults.kinds import InjectedFault
from ..openapi.document import Operation
from ..openapi.examples import example
from ..provider import Conversation, Handler, RequestContext, WebSocket
from ..state.journal import JournalEntry
from ..state.store import Change, CommitConflict
from ..types import JSON
from .auth import unlisted_key
from .body import parse
from .frames import WEBSOCKET, Channel, FrameDropped, FrameLog, FrameTransport, is_handshake
from .responses import encode
from .transport import RawResponse

IDLE_SECONDS = 300.0  # without a frame of the client, unless the provider has another limit
MAX_UNREAD = 4  # frames of the client that wait for the conversation
MAX_UNSENT = 100  # calls of `play` whose frames wait; then frames of the client wait, too
BUSY_FRAMES = 100  # in the journal; then it is updated only while the client sends nothing
SAVE_SECONDS = 0.2
NORMAL, VIOLATION, ERROR = 1000, 1008, 1011  # RFC 6455, section 7.4.1
_ATTEMPTS = 50  # to apply one change
_HTTP_SCHEMES = {"ws": "http", "wss": "https"}


# --- the handshake -------------------------------------------------------------------------------


def as_request(scope: Scope, receive: Receive, send: Send) -> tuple[Scope, Receive, Send]:
    """Return a handshake as a GET request, whose response rejects it."""

    async def receive_request() -> Message:
        if (await receive())["type"] == "websocket.connect":
            return {"type": "http.request", "body": b""}
        return {"type": "http.disconnect"}

    async def send_response(message: Message) -> None:
        if "websocket.http.response" in (scope.get("extensions") or {}):
            await send({**message, "type": f"websocket.{message['type']}"})
        elif message["type"] == "http.response.start":  # all that this server can send is a 403
            await send({"type": "websocket.close"})

    request = {
        **scope,
        "type": "http",
        "method": "GET",
        "scheme": _HTTP_SCHEMES.get(scope.get("scheme", ""), "http"),
        WEBSOCKET: Channel(receive, send),
    }
    return request, receive_request, send_response


def check_upgrade(operation: Operation, scope: Scope) -> None:
    """Raise UpgradeRequired for a plain request to a WebSocket."""
    if operation.frames is not None and not is_handshake(scope):
        raise UpgradeRequired(
            f"{operation.id} is a WebSocket, which the request does not open",
            headers={"upgrade": "websocket"},
            hint="connect with a WebSocket client, to a URL that begins with ws:// or wss://",
        )


# --- the conversation ----------------------------------------------------------------------------


def answer_with_examples(ctx: RequestContext) -> Conversation:
    """Return a conversation that answers each frame with the contract's example of a frame."""

    async def converse(socket: WebSocket) -> None:
        schema = ctx.operation.frames and ctx.operation.frames.server
        async for _ in socket:
            if schema:
                socket.play([example(ctx.provider.document.schemas, schema.node)])

    return converse


Changes = Sequence[Change]
CommitFrames = Callable[["WebSocketSession", Changes], Awaitable[CommitConflict | None]]


class WebSocketSession:
    """An open WebSocket: a task reads frames, and another one sends them, during a conversation.

    `commit` applies changes and updates the journal entry. `problem` is the reason why the server
    closed the connection, None if there is none.
    """

    def __init__(
        self,
        ctx: RequestContext,
        transport: FrameTransport,
        faults: Sequence[InjectedFault],
        log: FrameLog,
        commit: CommitFrames,
    ) -> None:
        self._ctx = ctx
        self._transport = transport
        self._faults = [*faults]
        self._log = log
        self._commit = commit
        self._received: asyncio.Queue[str | bytes | None] = asyncio.Queue(MAX_UNREAD)
        self._unsent: deque[Iterator[Any]] = deque()
        self._is_sent, self._has_output = asyncio.Event(), asyncio.Event()
        self._is_sent.set()
        self._saving = asyncio.Lock()
        self._is_saved = True
        self._broken: OSError | None = None
        self.problem: Problem | None = None
        self.hints: list[str] = []
        self.idle_seconds = IDLE_SECONDS

    async def run(self, conversation: Conversation, headers: Mapping[str, str]) -> None:
        """Complete the handshake, and hold the conversation until the connection ends.

        Raises ConnectionResetError for a fault that breaks the connection to a client in this
        process.
        """
        if not await self._transport.accept(headers):
            return
        tasks = [asyncio.create_task(self._read()), asyncio.create_task(self._write())]
        try:
            await self._converse(conversation)
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
        for fault in self._faults:
            if not fault.has_acted:
                ended = f"the connection ended after frame {self._transport.sent} of the server"
                self._ctx.record_internal_error(f"{fault.id} had no effect: {ended}")
        if self._broken:
            raise self._broken

    def recorded(self, entry: JournalEntry) -> JournalEntry:
        """Return a journal entry with what happened since the handshake."""
        problem = self.problem
        hints = [entry.hint, *self.hints, problem.hint if problem else ""]
        return entry._replace(
            frames=tuple(self._log.frames),
            omitted_frames=self._log.omitted,
            closed=self._transport.ended,
            violations=problem.violations if problem else (),
            hint="; ".join(filter(None, hints)),
            account=self._ctx.account.key,
            internal_error=self._ctx.internal_error,
            custom=entry.custom or any(fault.is_custom for fault in self._faults),
        )

    # --- for the conversation, see the protocol WebSocket ---

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> Any:
        if len(self._unsent) >= MAX_UNSENT:
            await self._is_sent.wait()
        content = await self._next()
        if content is None:
            raise StopAsyncIteration
        self._is_saved = False
        return self._checked(content)

    def play(self, frames: Iterable[Any]) -> None:
        """Send frames, after those that are still to be sent."""
        if not self._transport.closed:
            self._unsent.append(iter(frames))
            self._is_sent.clear()
            self._has_output.set()

    def interrupt(self) -> None:
        """Drop the frames that are still to be sent."""
        self._unsent.clear()
        self._transport.interrupt()

    async def call(self, function: Handler) -> Any:
        """Return the result of a function of the context, and apply what it changed."""
        ctx = self._ctx
        ctx.begun = replace(ctx.begun, now=(await ctx.mock.store.get_clock(ctx.sandbox)).now)
        for _ in range(_ATTEMPTS):
            ctx.changes.clear()
            ctx.not_found.clear()
            result = function(ctx)
            result = await result if hasattr(result, "__await__") else result
            conflict = await self._save(tuple(ctx.changes))
            if conflict is None:
                return result
            ctx.account = conflict.account
        raise InternalError(f"the state changed in each of {_ATTEMPTS} attempts")

    async def authenticate(self, key: str) -> None:
        """Continue with the account of another API key. Raises Unauthenticated."""
        ctx = self._ctx
        store, defaults = ctx.mock.store, ctx.provider.account
        account = await store.get_account(ctx.sandbox, ctx.provider.name, key, defaults)
        problem = unlisted_key(ctx, account)
        if problem:
            raise problem
        ctx.account = account

    def add_hint(self, hint: str) -> None:
        """Add a hint to the journal entry."""
        if hint not in self.hints:
            self.hints.append(hint)

    async def close(self, code: int = NORMAL, reason: str = "") -> None:
        """Send what is still to be sent, and close the connection; nothing follows."""
        await self._is_sent.wait()
        await self._transport.close(code, reason)

    # --- the conversation ---

    async def _converse(self, conversation: Conversation) -> None:
        try:
            await conversation(self)
            await self.close()
        except Problem as problem:
            await self._is_sent.wait()
            await self._reject(problem)
        except StoreUnavailable as error:
            await self._reject(InternalError(str(error)))
        except OSError:  # the client is gone
            pass
        except Exception:  # noqa: BLE001 - the client gets an error frame, and the error is recorded
            await self._reject(self._internal_error())

    def _internal_error(self) -> InternalError:
        self._ctx.record_internal_error(traceback.format_exc())
        return InternalError("mockvoice has an internal error; its log has the traceback")

    async def _reject(self, problem: Problem) -> None:
        """Send the provider's error frame for a problem, and close the connection."""
        problem.__traceback__ = None  # a reference cycle would keep the frame in memory
        self.problem = self.problem or problem
        is_internal = isinstance(problem, InternalError)
        with suppress(OSError):
            frame = self._ctx.provider.error_frame(problem, self._ctx)
            await self._deliver(frame, _json_frame(frame))
            await self._transport.close(ERROR if is_internal else VIOLATION, "")

    # --- receiving ---

    async def _read(self) -> None:
        """Receive frames until the connection has ended."""
        while (content := await self._transport.receive()) is not None:
            await self._received.put(content)
        self._wake()

    def _wake(self) -> None:
        """Let the conversation see that the connection has ended."""
        self._is_sent.set()
        with suppress(asyncio.QueueFull):  # else it waits for nothing
            self._received.put_nowait(None)

    async def _next(self) -> str | bytes | None:
        """Return the next frame of the client, None if the connection has ended."""
        while self._received.empty():
            if self._transport.closed:
                return None
            if self._is_busy:
                with suppress(TimeoutError):
                    return await asyncio.wait_for(self._received.get(), SAVE_SECONDS)
            await self._save()
            try:
                return await asyncio.wait_for(self._received.get(), self.idle_seconds)
            except TimeoutError:
                if self._is_sent.is_set():
                    await self.close(NORMAL, "inactivity timeout")
        return self._received.get_nowait()

    @property
    def _is_busy(self) -> bool:
        """True if the journal entry has so many frames that saving it takes time."""
        return len(self._log.frames) > BUSY_FRAMES

    def _checked(self, content: str | bytes) -> Any:
        """Return a frame as JSON, text or bytes.

        Raises MalformedBody or ValidationFailed if the contract has a schema that it violates.
        """
        schema = self._ctx.operation.frames and self._ctx.operation.frames.client
        frame: Any = content
        problem: Problem | None = None
        if isinstance(content, str):
            try:
                frame = parse(content.encode())
            except ValueError as error:
                problem = MalformedBody("", Violation("frame", "", "frame", f"the frame {error}"))
        else:
            message = "the frame must be text with JSON; got a binary frame"
            problem = ValidationFailed("", Violation("frame", "", "frame", message))
        self._log.add("client", frame, len(content))
        if schema is None:
            return frame
        if problem:
            raise problem
        frame = schema.coerce(frame)
        if not schema.is_valid(frame):
            raise ValidationFailed("", *schema.violations(frame, "frame"))
        return frame

    # --- sending ---

    async def _write(self) -> None:
        """Send frames as the conversation plays them."""
        try:
            while not self._transport.closed:
                self._has_output.clear()
                if self._unsent:
                    await self._send_next()
                    await asyncio.sleep(0)  # the client may interrupt
                else:
                    self._is_sent.set()
                    if not self._is_busy:
                        await self._save()
                    await self._has_output.wait()
        except OSError as error:
            self._broken = None if self._transport.has_socket else error
        except Problem as problem:
            await self._reject(problem)
        except Exception:  # noqa: BLE001 - of the iterator of a handler
            await self._reject(self._internal_error())
        finally:
            self._wake()

    async def _send_next(self) -> None:
        frames = self._unsent[0]
        try:
            frame = next(frames)
            await self._deliver(frame, self._rendered(frame))
        except StopIteration:
            self._unsent.popleft()
        except FrameDropped:
            pass

    async def _deliver(self, frame: Any, response: RawResponse) -> None:
        """Send a frame, or what the faults make of it; nothing once the connection has ended."""
        if self._transport.closed:
            return
        before = self._transport.sent
        faults = [fault for fault in self._faults if fault.acts_on(before + 1)]
        if faults:
            response = await self._inject(faults, response)
        else:
            await self._transport.send(response)
        if self._transport.sent > before:
            self._log.add("server", frame, len(response.whole()))
            self._is_saved = False

    async def _inject(self, faults: Sequence[InjectedFault], response: RawResponse) -> RawResponse:
        """Let faults act on a frame, and return it as it was sent."""
        for fault in faults:
            fault.has_acted = True
            await fault.before(self._transport)
        last = faults[-1]
        error = last.error(self._ctx.operation.responses) if last.responds else None
        if error:
            response = self._rendered_error(error)
        for fault in faults:
            response = fault.edit(response)
            if fault.ineffective:
                self._ctx.record_internal_error(f"{fault.id} had no effect: {fault.ineffective}")
        for fault in faults:
            await fault.after(self._transport)
        await last.send(self._transport, response)
        if error:
            await self._transport.close(ERROR, "")
        return response

    def _rendered_error(self, error: InjectedError) -> RawResponse:
        """Return the provider's error frame for an injected error, or its own body."""
        if isinstance(error.body, str):
            return RawResponse(101, "text/plain", error.body.encode())
        if error.body is not None:
            return _json_frame(error.body)
        return _json_frame(self._ctx.provider.error_frame(error, self._ctx))

    def _rendered(self, frame: Any) -> RawResponse:
        """Return a frame as it is sent; one that violates the contract is an internal error."""
        if isinstance(frame, bytes):
            return RawResponse(101, "", frame)
        schema = self._ctx.operation.frames and self._ctx.operation.frames.server
        if schema and not schema.is_valid(frame):
            sentences = "; ".join(v.sentence for v in schema.violations(frame, "frame"))
            self._ctx.record_internal_error(f"a frame of {self._ctx.operation.id}: {sentences}")
        return _json_frame(frame)

    # --- the journal ---

    async def _save(self, changes: Changes = ()) -> CommitConflict | None:
        """Apply changes, and update the journal entry if there is something new."""
        async with self._saving:
            if self._is_saved and not changes:
                return None
            self._is_saved = True
            try:
                return await self._commit(self, changes)
            except StoreUnavailable:
                if changes:
                    raise
            return None  # logged by the store


def _json_frame(frame: JSON) -> RawResponse:
    return RawResponse(101, "application/json", encode(frame).encode())

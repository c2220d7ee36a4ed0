"""The live response to a request: forwarded to the upstream of its provider, or replayed."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator, Awaitable, Callable, Collection, Iterable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from hashlib import sha256
from typing import TYPE_CHECKING, Any, NamedTuple
from urllib.parse import parse_qs, quote

from starlette.types import Scope

from ..errors import InvalidControlHeader, Problem, UpstreamFailed, Violation
from ..faults.kinds import InjectedFault
from ..provider import RequestContext
from ..redact import Redactor, find_secrets, request_secrets
from ..state.clock import timestamp
from ..state.journal import JournalEntry, ResponseDifference
from ..types import JSON
from ..upstream.messages import LiveRequest, LiveResponse
from .body import Body, parse
from .frames import is_handshake
from .hosts import HIDDEN
from .identify import SANDBOX
from .params import decode, without_files
from .transport import RawResponse, ResponseTransport

if TYPE_CHECKING:
    from websockets.asyncio.client import ClientConnection

    from ..upstream.recording import Recorder
    from ..upstream.services import LiveServices

log = logging.getLogger("mockvoice")

_MAX_SECRET_BYTES = 16 * 1024  # of a secret at the end of what is shown of a response


@dataclass(slots=True, eq=False)
class Live:
    """The live response to a request, or the problem in its place; `upstream` is the URL.

    `violations` are the rules of the contract that the response breaks, `difference` is what the
    mock would have responded differently; None until it is known. `socket` is a WebSocket to the
    live service, `redactor` masks the secrets of the request and of the response.
    """

    upstream: str
    response: LiveResponse | None = None
    problem: Problem | None = None
    violations: Sequence[Violation] = ()
    difference: tuple[ResponseDifference, ...] | None = None
    parsed: JSON = None
    error: str = ""
    socket: ClientConnection | None = None
    redactor: Redactor = field(default_factory=Redactor)

    def raw(self) -> RawResponse:
        """Return the response as it is sent to the client."""
        response = self.received
        return RawResponse(
            response.status,
            response.media_type,
            response.body,
            response.headers,
            response.content_length,
            response.repeated,
        )

    @property
    def received(self) -> LiveResponse:
        """The response of a request that has no problem."""
        if self.response is None:
            raise LookupError("there is no live response")
        return self.response

    @property
    def is_json(self) -> bool:
        """True if the body is JSON that was read."""
        return self.received.is_json and isinstance(self.received.body, bytes)

    def parse(self, secrets: Iterable[str]) -> None:
        """Parse the body if it is JSON; `secrets` are those of the request."""
        if self.is_json and self.received.body:
            try:
                self.parsed = parse(self.received.whole())
            except ValueError as error:
                self.error = str(error)
        self.redactor = Redactor([*secrets, *find_secrets(self.parsed)], queries=True)

    def shown(self, content: bytes, size: int) -> bytes:
        """Return the beginning of a response with its secrets masked."""
        text = content[: size + _MAX_SECRET_BYTES].decode(errors="replace")
        return self.redactor.text(text).encode()[:size]

    def finished(self, entry: JournalEntry) -> JournalEntry:
        """Return the journal entry with the reason of a broken body."""
        failure = self.response.failure if self.response else ""
        return entry._replace(hint=failure or entry.hint)

    async def close(self) -> None:
        """Release the connection to the live service."""
        if self.response and self.response.close:
            await self.response.close()
        if self.socket:
            await self.socket.close()


class _Sent(NamedTuple):
    """A request: `target` is its path below the base path of the provider, with the query."""

    ctx: RequestContext
    scope: Scope
    body: Body
    target: bytes

    def request(self) -> LiveRequest:
        """Return the request for the live service."""
        scope, body = self.scope, self.body
        name, method = self.ctx.provider.name, scope["method"]
        return LiveRequest(name, method, self.target, scope["headers"], body.raw or (), body.size)

    def secrets(self) -> list[str]:
        """Return the secrets of the request."""
        query = parse_qs(self.scope["query_string"].decode("latin-1"))
        headers = dict(self.ctx.headers.items())
        key, fields = self.ctx.account.key, self.body.members()
        return [*request_secrets(key, headers, query, fields)]


async def fetch(
    services: LiveServices,
    ctx: RequestContext,
    scope: Scope,
    body: Body,
    faults: Collection[InjectedFault],
    problem: Problem | None,
    transport: ResponseTransport,
) -> Live | None:
    """Return the live response, forwarded or replayed; None if only the mock is to respond."""
    url, target = services.source(ctx.provider.name), _target(ctx, scope)
    if not url or target is None or isinstance(problem, InvalidControlHeader):
        return None
    if not body.complete or any(fault.replaces for fault in faults):
        return None
    if is_handshake(scope) and services.replays(ctx.provider.name):  # is not recorded
        return None
    live = Live(url)
    if body.raw is None:
        live.problem = body.problem
        return live
    sent = _Sent(ctx, scope, body, target)
    try:
        await _receive(services, live, sent, transport, whole=bool(faults))
    except UpstreamFailed as failed:
        live.problem = failed
    return live


async def _receive(
    services: LiveServices, live: Live, sent: _Sent, transport: ResponseTransport, *, whole: bool
) -> None:
    """Set the live response. Raises UpstreamFailed."""
    secrets = sent.secrets()
    if is_handshake(sent.scope) and services.forwarder:
        opened = await services.forwarder.open_socket(sent.request())
        if not isinstance(opened, LiveResponse):
            live.socket, live.redactor = opened, Redactor(secrets, queries=True)
            return
        live.response = opened
    elif services.replays(sent.ctx.provider.name):
        await _replay(services, live, sent, secrets)
    else:
        live.response = await _forward(services, sent, transport, whole=whole)
        if live.response is None:
            raise UpstreamFailed("the client closed the connection", live.upstream)
    live.parse(secrets)
    if services.recorder and not is_handshake(sent.scope):
        await _record(services.recorder, live, sent, secrets)


async def _forward(
    services: LiveServices, sent: _Sent, transport: ResponseTransport, *, whole: bool
) -> LiveResponse | None:
    """Return the response of the upstream; None if the client leaves before."""
    if transport.closed or services.forwarder is None:
        return None
    return await transport.wait(services.forwarder.send(sent.request(), whole=whole))


# --- recordings ----------------------------------------------------------------------------------


async def _replay(services: LiveServices, live: Live, sent: _Sent, secrets: list[str]) -> None:
    """Set the recorded response, and its place in the recording. Raises NothingRecorded."""
    if services.replayer:
        ctx, request = sent.ctx, _request_document(sent, secrets)
        live.upstream, live.response = await services.replayer.send(
            ctx.mock.store, ctx.sandbox, ctx.provider.name, ctx.operation.id, request
        )


def _request_document(sent: _Sent, secrets: list[str]) -> dict[str, Any]:
    """Return a request as it is recorded and looked up, with its secrets masked."""
    ctx, scope, body, target = sent
    decoded = None
    with suppress(Problem):
        decoded = decode(ctx.operation, scope, ctx.headers, body)
    path, _, query = target.decode("latin-1").partition("?")
    request: dict[str, Any] = {"method": scope["method"], "path": path}
    if query and not ctx.operation.id:
        request["query"] = parse_qs(query, keep_blank_values=True)
    if decoded and decoded.parameters:
        request["parameters"] = decoded.parameters
    if decoded and decoded.media_type:
        is_object = isinstance(decoded.body, dict) or decoded.body is None
        request["body"] = without_files(decoded.fields) if is_object else decoded.body
    elif body.size:
        request["body_sha256"] = sha256(b"".join(body.raw or ())).hexdigest()
    if ctx.uploads:
        request["files"] = [
            {
                "field": upload.name,
                "filename": upload.filename,
                "bytes": upload.size,
                "sha256": upload.sha256,
            }
            for upload in ctx.uploads
        ]
    masked: dict[str, Any] = Redactor(secrets, queries=True).redact(request)
    return masked


async def _record(recorder: Recorder, live: Live, sent: _Sent, secrets: list[str]) -> None:
    """Append the exchange to the recording: now, or once the body has been sent."""
    from ..upstream.recording import MAX_BODY_BYTES, response_document  # here: few servers record

    ctx = sent.ctx
    exchange = {
        "provider": ctx.provider.name,
        "edition": ctx.provider.edition,
        "operation": ctx.operation.id,
        "upstream": live.upstream,
        "at": timestamp(ctx.now),
        "request": _request_document(sent, secrets),
    }
    response = live.received

    async def write(content: bytes | None, size: int) -> None:
        recorded = response_document(response, live.parsed, content, size, live.redactor)
        try:
            await asyncio.to_thread(recorder.write, {**exchange, "response": recorded})
        except OSError as error:
            reason = f"cannot write {recorder.path}: {error.strerror}"
            log.error("record: %s", reason)  # noqa: TRY400 - a traceback tells nothing more

    if isinstance(response.body, bytes):
        size = len(response.body)
        await write(response.body if size <= MAX_BODY_BYTES else None, size)
    else:
        response.body = _recorded(response, response.body, MAX_BODY_BYTES, write)


async def _recorded(
    response: LiveResponse,
    pieces: AsyncIterator[bytes],
    max_bytes: int,
    write: Callable[[bytes | None, int], Awaitable[None]],
) -> AsyncIterator[bytes]:
    """Yield the pieces of a body, and record it before the client has it all.

    One that is too long is recorded as None.
    """
    kept: list[bytes] = []
    size, written = 0, False
    async for piece in pieces:
        size += len(piece)
        if size <= max_bytes:
            kept.append(piece)
        if size == response.content_length:  # the client does not wait for anything after it
            written = True
            await write(b"".join(kept) if size <= max_bytes else None, size)
        yield piece
    if not written:
        await write(b"".join(kept) if size <= max_bytes else None, size)


def _target(ctx: RequestContext, scope: Scope) -> bytes | None:
    """Return the path below the base path of the provider, as it was sent, with the query.

    None for a path that is not below it.
    """
    path: str = scope["path"]
    base = ctx.provider.base_path
    if path != base and not path.startswith(f"{base}/"):
        return None
    raw: bytes = scope.get("raw_path") or b""
    if SANDBOX in scope:
        raw = b"/" + raw[1:].partition(b"/")[2]
    prefix = base.removeprefix(scope.get(HIDDEN, "")).encode()
    if not raw.startswith(prefix):  # sent with other escapes than needed
        raw, prefix = quote(path).encode(), quote(base).encode()
    query: bytes = scope["query_string"]
    return raw[len(prefix) :] + (b"?" + query if query else b"")

"""The live response to a request, from the upstream of its provider, beside that of the mock.

The sandbox of the request is the shadow of the live account: the mock handles each request in it,
with the ids of the live service, and its response is compared and not sent.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qs, quote

from starlette.types import Scope

from ..errors import InvalidControlHeader, Problem, UpstreamFailed, Violation
from ..faults.kinds import InjectedFault
from ..openapi.document import MediaType
from ..provider import RequestContext
from ..redact import Redactor, find_secrets, request_secrets
from ..state.journal import JournalEntry, ResponseDifference
from ..state.store import PutRecord
from ..types import JSON
from ..upstream.adopt import adopted, unknown_records
from ..upstream.compare import Answer, differences
from ..upstream.messages import LiveRequest, LiveResponse
from ..upstream.validation import response_violations
from .body import Body, parse
from .hosts import HIDDEN
from .identify import SANDBOX
from .params import Decoded
from .transport import RawResponse, ResponseTransport

if TYPE_CHECKING:
    from ..upstream.forward import Forwarder

_READING = ("GET", "HEAD", "PUT", "PATCH")  # methods whose records existed before the request
_MAX_SECRET_BYTES = 16 * 1024
_LARGE = 64 * 1024  # bytes of a body that is compared in another thread


@dataclass(slots=True, eq=False)
class Live:
    """The live response to a request, or the problem in its place; `upstream` is the URL.

    `violations` are the rules of the contract that the response breaks, `difference` is what the
    mock would have responded differently; None until it is known. `redactor` masks the secrets of
    the request and of the response.
    """

    upstream: str
    response: LiveResponse | None = None
    problem: Problem | None = None
    violations: Sequence[Violation] = ()
    difference: tuple[ResponseDifference, ...] | None = None
    parsed: JSON = None
    error: str = ""
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

    async def finished(self, entry: JournalEntry) -> JournalEntry:
        """Release the connection; return the journal entry with the reason of a broken body."""
        if self.response is None:
            return entry
        if self.response.close:
            await self.response.close()
        return entry._replace(hint=self.response.failure or entry.hint)


async def fetch(
    forwarder: Forwarder,
    ctx: RequestContext,
    scope: Scope,
    body: Body,
    faults: Iterable[InjectedFault],
    problem: Problem | None,
    transport: ResponseTransport,
) -> Live | None:
    """Return the live response; None if the mock is to respond, because nothing is forwarded."""
    url = forwarder.urls.get(ctx.provider.name)
    target = None if url is None else _target(ctx, scope)
    if url is None or target is None or isinstance(problem, InvalidControlHeader):
        return None
    if not body.complete or any(fault.replaces for fault in faults):
        return None
    live = Live(url)
    if body.raw is None:
        live.problem = body.problem
        return live
    request = LiveRequest(
        ctx.provider.name, scope["method"], target, scope["headers"], body.raw, body.size
    )
    try:
        if not transport.closed:
            live.response = await transport.wait(forwarder.send(request, whole=bool([*faults])))
        if live.response is None:
            live.problem = UpstreamFailed("the client closed the connection", url)
        else:
            query = parse_qs(scope["query_string"].decode("latin-1"))
            headers = dict(ctx.headers.items())
            live.parse([*request_secrets(ctx.account.key, headers, query, body.members())])
    except UpstreamFailed as failed:
        live.problem = failed
    return live


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


# --- the mock ------------------------------------------------------------------------------------


async def prepare(ctx: RequestContext, live: Live) -> None:
    """Give the sandbox the records that the client reads, so that the mock knows them."""
    content = _content(ctx, live)
    if content and live.received.status < 300 and ctx.operation.method in _READING:
        records = await unknown_records(ctx, content, live.redactor.redact(live.parsed))
        if records:
            await ctx.mock.store.put_records(ctx.sandbox, records)


async def compare(
    ctx: RequestContext, live: Live, mocked: RawResponse, decoded: Decoded | None
) -> None:
    """Set violations and differences, and let the changes of the mock have the live ids."""
    response = live.received
    answer = _answer(live, mocked)
    work = partial(_compare, ctx, live, answer, _texts(decoded))
    size = len(response.body) if isinstance(response.body, bytes) else 0
    if size > _LARGE:
        await asyncio.to_thread(work)
    else:
        work()
    if ctx.internal_error:  # of the mock alone, which shows as a difference
        ctx.internal_error = ""
    if response.status >= 400:
        ctx.changes.clear()
    elif mocked.status < 300:
        ctx.changes = adopted(ctx.changes, answer.body, live.redactor.redact(live.parsed))
    elif content := _content(ctx, live):
        unknown = await unknown_records(ctx, content, live.redactor.redact(live.parsed))
        ctx.changes = [PutRecord(record) for record in unknown]


def _compare(ctx: RequestContext, live: Live, mocked: Answer, sent: Collection[str]) -> None:
    response = live.received
    violations = response_violations(
        ctx.operation, response.status, response.media_type, live.parsed, live.error
    )
    hide = live.redactor
    live.violations = [
        one._replace(message=hide.text(one.message), received=hide.redact(one.received))
        for one in violations
    ]
    content = _content(ctx, live)
    is_json = live.is_json and not live.error and bool(response.body)
    received = Answer(response.status, response.media_type, live.parsed, is_json)
    live.difference = differences(
        ctx.provider.document.schemas,
        content.schema.node if content and content.schema else None,
        received,
        mocked,
        hide=hide.redact,
        varying=ctx.provider.varying,
        sent=sent,
    )


def _content(ctx: RequestContext, live: Live) -> MediaType | None:
    """Return what the contract documents for the status of a live response with JSON."""
    documented = ctx.operation.responses.get(live.received.status)
    return documented.find(live.received.media_type) if documented and live.is_json else None


def _answer(live: Live, mocked: RawResponse) -> Answer:
    """Return the response of the mock, with its body only if there is another to compare."""
    if not (live.is_json and "json" in mocked.media_type.partition(";")[0]):
        return Answer(mocked.status, mocked.media_type)
    try:
        body = json.loads(mocked.whole() or b"null")
    except ValueError:  # a stream of several documents
        return Answer(mocked.status, mocked.media_type)
    return Answer(mocked.status, mocked.media_type, body, is_json=True)


def _texts(decoded: Decoded | None) -> set[str]:
    """Return the texts of a request."""
    if decoded is None:
        return set()
    pending: list[Any] = [decoded.parameters, decoded.fields]
    found = set()
    while pending:
        value = pending.pop()
        if isinstance(value, str):
            found.add(value)
        elif isinstance(value, dict):
            pending += value.values()
        elif isinstance(value, list):
            pending += value
    return found

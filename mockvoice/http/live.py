"""The live response to a request, from the upstream of its provider."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING
from urllib.parse import quote

from starlette.types import Scope

from ..errors import InvalidControlHeader, Problem, UpstreamFailed
from ..faults.kinds import InjectedFault
from ..provider import RequestContext
from ..state.journal import JournalEntry
from ..upstream.messages import LiveRequest, LiveResponse
from .body import Body
from .hosts import HIDDEN
from .identify import SANDBOX
from .transport import RawResponse, ResponseTransport

if TYPE_CHECKING:
    from ..upstream.forward import Forwarder


@dataclass(slots=True, eq=False)
class Live:
    """The live response to a request, or the problem in its place; `upstream` is the URL."""

    upstream: str
    response: LiveResponse | None = None
    problem: Problem | None = None

    def raw(self) -> RawResponse:
        """Return the response as it is sent to the client."""
        response = self.response
        assert response is not None  # noqa: S101 - asked only if there is no problem
        return RawResponse(
            response.status,
            response.media_type,
            response.body,
            response.headers,
            response.content_length,
            response.repeated,
        )

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

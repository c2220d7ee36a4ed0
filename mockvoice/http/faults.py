"""What an asked-for failure does to a request: which fires, and how the client sees it."""

from __future__ import annotations

import math
import re
from collections.abc import Iterator
from dataclasses import replace
from functools import cache
from typing import Any

from ..errors import InjectedError, InvalidControlHeader, Problem, Violation
from ..faults.rules import Fault, FaultRule, FiredFault, Seen
from ..provider import RequestContext
from .body import Body, parse
from .responses import documented, refused
from .transport import RawResponse, Transport, whole

BY_HEADER = "header"  # the id of a fault that came with the request itself
_HEADER = "x-mockvoice-fault"
_ASKING = frozenset({_HEADER.encode(), b"prefer"})
_PREFERRED = re.compile(r'\s*code="?([45]\d\d)"?\s*', re.ASCII | re.IGNORECASE)
_SPOILING = frozenset({"truncate", "malformed"})  # kinds that leave some of the body
_HTML = b"<html><body><h1>It works!</h1></body></html>"


def may_fire(ctx: RequestContext) -> bool:
    """Whether a look at the faults is worth the while."""
    return bool(ctx.sandbox.faults) or ctx.headers.any_of(_ASKING)


async def fired(ctx: RequestContext, body: Body) -> list[FiredFault]:
    """The faults that fire for a call: that of its own headers, then those of the sandbox.

    Raises Misasked when what the headers ask for is no fault.
    """
    sandbox, operation = ctx.sandbox, ctx.operation
    now = sandbox.clock.now()
    seen = Seen(
        provider=ctx.provider.name,
        operation=operation.id,
        route=f"{operation.method} {operation.path}",
        account=ctx.account.key,
        header=lambda name: ctx.headers.find(name.lower()),
        fields=cache(body.members),
    )
    own = [FaultRule.read(BY_HEADER, data, sandbox.chance, now) for data in _own(ctx)]
    return await sandbox.faults.take(seen, now, own)


def _own(ctx: RequestContext) -> Iterator[dict[str, Any]]:
    """What the headers ask for: `X-Mockvoice-Fault`, and `Prefer: code=`."""
    text, at = ctx.headers.get(_HEADER), f"/{_HEADER}"
    if text:
        try:
            data = parse(text.encode("latin-1"))
        except ValueError as error:
            wrong = Violation("header", at, "format", str(error), "JSON", text)
            raise InvalidControlHeader("", wrong) from None
        if violations := ctx.mock.wrong_fault(data, "header", at):
            raise InvalidControlHeader("", *violations)
        yield data
    for preference in re.split("[,;]", ctx.headers.get("prefer")):
        if found := _PREFERRED.fullmatch(preference):
            yield {"status": int(found[1])}


def failed(ctx: RequestContext, asked: Fault) -> RawResponse:
    """The error that a fault asks for, in the provider's words unless it brings its own."""
    documented_errors = [status for status in ctx.operation.responses if status >= 500]
    status = asked.status or (documented_errors[-1] if documented_errors else 500)
    headers = {name.lower(): value for name, value in asked.headers.items()}
    if asked.retry_after is not None:
        headers["retry-after"] = str(math.ceil(asked.retry_after))
        if asked.retry_after < 1:
            headers["retry-after-ms"] = f"{asked.retry_after * 1000:g}"
    media_type = headers.pop("content-type", "")
    reply = refused(ctx, InjectedError(status, body=asked.body, headers=headers))
    reply.media_type = media_type or reply.media_type
    return reply


def instead(ctx: RequestContext, asked: Fault, refusal: Problem | None) -> RawResponse:
    """What the client gets in place of an answer: an error, or a success that was not done."""
    if asked.kind == "status":
        return failed(ctx, asked)
    if refusal and not ctx.operation.responses:
        return refused(ctx, refusal)
    return documented(ctx)


def spoilt(reply: RawResponse, asked: Fault) -> RawResponse:
    """The reply as the fault leaves it: its body is gone, or cut, or of no use."""
    kind, body = asked.kind, whole(reply) if asked.kind in _SPOILING else b""
    if kind == "truncate":
        return replace(reply, body=body[: _cut(asked, len(body))], length=len(body))
    if kind == "empty":
        return replace(reply, body=b"")
    # Where nothing was to come something comes, and 204 is the status of nothing.
    status = 200 if reply.status == 204 else reply.status
    if kind == "malformed":
        return replace(reply, status=status, body=body[: len(body) // 2] + b"\0")
    if kind == "wrong_type":
        return replace(reply, status=status, body=_HTML, media_type="text/html")
    return reply


def _cut(asked: Fault, length: int) -> int:
    """After how many bytes a reply is cut: some of it always is missing."""
    if asked.bytes is not None:
        return min(asked.bytes, max(length - 1, 0))
    fraction = 0.5 if asked.fraction is None else asked.fraction
    return min(int(length * fraction), max(length - 1, 0))


async def send(transport: Transport, reply: RawResponse, asked: FiredFault) -> None:
    """The reply on the way that the fault leaves it."""
    kind = asked.fault.kind
    if kind == "reset":
        await transport.reset()
    elif kind == "disconnect":
        await transport.disconnect()
    elif kind == "timeout":
        if await transport.pause(asked.seconds):
            await transport.disconnect()
    elif kind == "drip":
        await transport.drip(reply, asked.seconds)
    elif kind == "truncate":
        await transport.truncate(reply)
    else:
        await transport.send(reply)

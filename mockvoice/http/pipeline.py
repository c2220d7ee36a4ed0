"""The life of a request, step by step.

    arrive    which sandbox, which operation, whose key; unknown path or method -> 404 405
    read      the whole body, bounded, before anything is decided
    faults    an asked-for failure wins over everything below (those `after` act at the end)
    admit     limits, then the account                                          -> 402 403 429
    decode    text -> the types of the contract; media type, unreadable         -> 400 415 422
    check     the contract's rules, then what a file must be                    -> 400 413 415 422
    handle    the provider's function: change what is stored, return the answer
    reply     status and media type from the contract; the reply is checked against it
    bend      after-faults: done, but the client sees an error, a cut, a drip, a reset
    journal   whatever happened

A step returns a value or raises a Problem; no step knows the next.
"""

from __future__ import annotations

import traceback
from collections.abc import Awaitable, Mapping
from time import perf_counter
from typing import Any

from starlette.types import Receive, Scope, Send

from ..config.settings import BYTES_PER_MB
from ..errors import InternalError, Problem
from ..faults.rules import FiredFault
from ..openapi.document import Operation
from ..provider import Mock, Provider, RequestContext, Response, undeclared
from . import faults
from .body import Body, read
from .identify import identify
from .params import decode, tell_unread
from .ratelimit import limit, limited, remember_wait
from .responses import answered, documented, refused
from .transport import RawResponse, Transport
from .validation import check

_REPLY_BYTES = 64 * 1024  # of a reply's body that the journal keeps


async def handle_request(
    mock: Mock,
    provider: Provider,
    operations: Mapping[str, Operation],
    scope: Scope,
    receive: Receive,
    send: Send,
) -> None:
    """Answer one request to a path of a provider that has these operations, by method."""
    began = perf_counter()
    ctx, refusal = await identify(mock, provider, operations, scope)
    sandbox, entry = ctx.sandbox, ctx.entry
    journal = sandbox.journal  # a reset meanwhile begins another, with numbers of its own
    try:
        body = await read(
            receive, ctx.headers.get("content-type"), mock.settings.max_body_mb * BYTES_PER_MB
        )
        entry.size = body.size
        if body.complete:  # else the client is gone
            await _serve(ctx, refusal, body, scope, Transport(scope, receive, send))
            if body.size and not entry.fields and not entry.uploads:
                tell_unread(ctx, body)
    except ConnectionResetError:
        raise  # asked for, where only the server that called us can do it
    except Exception:
        ctx.record_internal_error(traceback.format_exc())
        raise
    finally:
        await sandbox.accounts.leave(ctx.account)
        entry.milliseconds = (perf_counter() - began) * 1000
        if provider.journalled:
            await journal.append(entry)
            if mock.log:
                mock.log(sandbox.name, entry)


async def _serve(
    ctx: RequestContext, refusal: Problem | None, body: Body, scope: Scope, transport: Transport
) -> None:
    """Faults before, the reply, faults after; what is sent is what they leave of it."""
    asked: list[FiredFault] = []
    if ctx.provider.journalled and faults.may_fire(ctx):
        try:
            asked = await faults.fired(ctx, body)
        except Problem as problem:
            refusal = problem
    if not asked:
        await _send(ctx, await _respond(ctx, refusal, body, scope), None, transport)
        return
    ctx.entry.fault = ", ".join(each.id for each in asked)
    ctx.entry.kind = ", ".join(each.fault.kind for each in asked)
    last = asked[-1] if asked[-1].fault.kind != "delay" else None
    if not await transport.pause(_delay(asked, "before")):
        return
    if last and last.fault.instead:
        reply = faults.instead(ctx, last.fault, refusal)
    else:
        reply = await _respond(ctx, refusal, body, scope)
        if last and last.fault.kind == "status":
            reply = faults.failed(ctx, last.fault)
    if await transport.pause(_delay(asked, "after")):
        await _send(ctx, reply, last, transport)


def _delay(asked: list[FiredFault], when: str) -> float:
    delays = [each for each in asked if each.fault.kind == "delay" and each.fault.when == when]
    return sum(each.seconds for each in delays)


async def _respond(
    ctx: RequestContext, refusal: Problem | None, body: Body, scope: Scope
) -> RawResponse:
    """What the provider would say, whatever goes wrong."""
    problem = refusal
    if problem is None:
        try:
            return await _answer(ctx, body, scope)
        except Problem as raised:
            problem = raised
            if body.empty and not problem.hint:
                problem.hint = ctx.operation.empty_body_hint
        except Exception:  # noqa: BLE001 - the client is answered, and our mistake is told
            ctx.record_internal_error(traceback.format_exc())
            problem = InternalError("mockvoice itself failed; its log says where")
    problem.__traceback__ = None  # a circle, which would keep the uploads for a while
    ctx.entry.violations, ctx.entry.hint = problem.violations, problem.hint
    return refused(ctx, problem)


async def _answer(ctx: RequestContext, body: Body, scope: Scope) -> RawResponse:
    if limited(ctx):
        await limit(ctx)
    if ctx.provider.admit:
        await _declared(ctx, ctx.provider.admit(ctx))
    decoded = decode(ctx, body, scope)
    check(ctx, decoded)
    if decoded and decoded.content.defaults:
        ctx.fields = {**decoded.content.defaults, **ctx.fields}
    handler = ctx.provider.handlers.get(ctx.operation.id)
    if handler is None:
        return documented(ctx)
    answer = await _declared(ctx, handler(ctx))
    return answered(ctx, answer if isinstance(answer, Response) else Response(answer))


async def _declared(ctx: RequestContext, result: Awaitable[Any]) -> Any:
    """Await a handler or `admit`. Raises InternalError for an error that it does not declare."""
    try:
        return await result
    except Problem as problem:
        message = undeclared(ctx.provider, ctx.operation.id, problem)
        if not message:
            raise
    ctx.record_internal_error(message)
    raise InternalError("mockvoice itself failed; its log says where")


async def _send(
    ctx: RequestContext, reply: RawResponse, asked: FiredFault | None, transport: Transport
) -> None:
    if asked:
        reply = faults.spoilt(reply, asked.fault)
    entry = ctx.entry
    # What was asked for wins over what would come by itself.
    reply.headers = headers = {
        "date": ctx.sandbox.clock.date(),
        **ctx.reply_headers,
        **reply.headers,
    }
    if "retry-after" in headers:
        remember_wait(ctx, headers)
    if ctx.provider.journalled:
        if ctx.mock.settings.diagnostics:
            headers["x-mockvoice-request"] = entry.id
            if entry.fault:
                headers["x-mockvoice-fault"] = entry.fault
        if asked is None or asked.fault.kind not in ("reset", "disconnect", "timeout"):
            entry.status, entry.reply_type, entry.reply_headers = (
                reply.status,
                reply.media_type,
                headers,
            )
            if isinstance(reply.body, bytes):
                entry.reply = reply.body[:_REPLY_BYTES]
    await (faults.send(transport, reply, asked) if asked else transport.send(reply))

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
from collections.abc import Mapping
from time import perf_counter

from starlette.types import Receive, Scope, Send

from ..errors import Failed, Problem
from ..openapi.document import Operation
from ..provider import Answer, Call, Mock, Provider
from ..sandbox.faults import Fired
from ..settings import BYTES_PER_MB
from . import bend
from .arrive import arrive
from .body import Body, read
from .check import check
from .decode import decode, tell_unread
from .limit import limit, limited, remember_wait
from .reply import answered, documented, refused
from .wire import Reply, Wire

_REPLY_BYTES = 64 * 1024  # of a reply's body that the journal keeps


async def exchange(
    mock: Mock,
    provider: Provider,
    operations: Mapping[str, Operation],
    scope: Scope,
    receive: Receive,
    send: Send,
) -> None:
    """Answer one request to a path of a provider that has these operations, by method."""
    began = perf_counter()
    call, refusal = await arrive(mock, provider, operations, scope)
    sandbox, told = call.sandbox, call.told
    journal = sandbox.journal  # a reset meanwhile begins another, with numbers of its own
    try:
        body = await read(
            receive, call.headers.get("content-type"), mock.settings.max_body_mb * BYTES_PER_MB
        )
        told.size = body.size
        if body.complete:  # else the client is gone
            await _serve(call, refusal, body, scope, Wire(scope, receive, send))
            if body.size and not told.fields and not told.uploads:
                tell_unread(call, body)
    except ConnectionResetError:
        raise  # asked for, where only the server that called us can do it
    except Exception:
        call.mistaken(traceback.format_exc())
        raise
    finally:
        await sandbox.accounts.leave(call.account)
        told.milliseconds = (perf_counter() - began) * 1000
        if provider.journalled:
            await journal.append(told)
            if mock.log:
                mock.log(sandbox.name, told)


async def _serve(call: Call, refusal: Problem | None, body: Body, scope: Scope, wire: Wire) -> None:
    """Faults before, the reply, faults after; what is sent is what they leave of it."""
    asked: list[Fired] = []
    if call.provider.journalled and bend.may_fire(call):
        try:
            asked = await bend.fired(call, body)
        except Problem as problem:
            refusal = problem
    if not asked:
        await _send(call, await _respond(call, refusal, body, scope), None, wire)
        return
    call.told.fault = ", ".join(each.id for each in asked)
    call.told.kind = ", ".join(each.fault.kind for each in asked)
    last = asked[-1] if asked[-1].fault.kind != "delay" else None
    if not await wire.pause(_delay(asked, "before")):
        return
    if last and last.fault.instead:
        reply = bend.instead(call, last.fault, refusal)
    else:
        reply = await _respond(call, refusal, body, scope)
        if last and last.fault.kind == "status":
            reply = bend.failed(call, last.fault)
    if await wire.pause(_delay(asked, "after")):
        await _send(call, reply, last, wire)


def _delay(asked: list[Fired], when: str) -> float:
    delays = [each for each in asked if each.fault.kind == "delay" and each.fault.when == when]
    return sum(each.seconds for each in delays)


async def _respond(call: Call, refusal: Problem | None, body: Body, scope: Scope) -> Reply:
    """What the provider would say, whatever goes wrong."""
    problem = refusal
    if problem is None:
        try:
            return await _answer(call, body, scope)
        except Problem as raised:
            problem = raised
            if body.empty and not problem.hint:
                problem.hint = call.operation.empty_body_hint
        except Exception:  # noqa: BLE001 - the client is answered, and our mistake is told
            call.mistaken(traceback.format_exc())
            problem = Failed("mockvoice itself failed; its log says where")
    problem.__traceback__ = None  # a circle, which would keep the uploads for a while
    call.told.violations, call.told.hint = problem.violations, problem.hint
    return refused(call, problem)


async def _answer(call: Call, body: Body, scope: Scope) -> Reply:
    if limited(call):
        await limit(call)
    if call.provider.admit:
        await call.provider.admit(call)
    decoded = decode(call, body, scope)
    check(call, decoded)
    if decoded and decoded.content.defaults:
        call.fields = {**decoded.content.defaults, **call.fields}
    handler = call.provider.handlers.get(call.operation.id)
    if handler is None:
        return documented(call)
    answer = await handler(call)
    return answered(call, answer if isinstance(answer, Answer) else Answer(answer))


async def _send(call: Call, reply: Reply, asked: Fired | None, wire: Wire) -> None:
    if asked:
        reply = bend.spoilt(reply, asked.fault)
    told = call.told
    # What was asked for wins over what would come by itself.
    reply.headers = headers = {
        "date": call.sandbox.clock.date(),
        **call.reply_headers,
        **reply.headers,
    }
    if "retry-after" in headers:
        remember_wait(call, headers)
    if call.provider.journalled:
        if call.mock.settings.diagnostics:
            headers["x-mockvoice-request"] = told.id
            if told.fault:
                headers["x-mockvoice-fault"] = told.fault
        if asked is None or asked.fault.kind not in ("reset", "disconnect", "timeout"):
            told.status, told.reply_type, told.reply_headers = (
                reply.status,
                reply.media_type,
                headers,
            )
            if isinstance(reply.body, bytes):
                told.reply = reply.body[:_REPLY_BYTES]
    await (bend.send(wire, reply, asked) if asked else wire.send(reply))

"""What an asked-for failure does to a request: which fires, and how the client sees it."""

from __future__ import annotations

import math
import re
from collections.abc import Iterator
from dataclasses import replace
from functools import cache
from typing import Any

from ..errors import Asked, Misasked, Problem, Violation
from ..provider import Call
from ..sandbox.faults import Fault, Fired, Rule, Seen
from .body import Body, parse
from .reply import documented, refused
from .wire import Reply, Wire, whole

BY_HEADER = "header"  # the id of a fault that came with the request itself
_HEADER = "x-mockvoice-fault"
_ASKING = frozenset({_HEADER.encode(), b"prefer"})
_PREFERRED = re.compile(r'\s*code="?([45]\d\d)"?\s*', re.ASCII | re.IGNORECASE)
_SPOILING = frozenset({"truncate", "malformed"})  # kinds that leave some of the body
_HTML = b"<html><body><h1>It works!</h1></body></html>"


def may_fire(call: Call) -> bool:
    """Whether a look at the faults is worth the while."""
    return bool(call.sandbox.faults) or call.headers.any_of(_ASKING)


async def fired(call: Call, body: Body) -> list[Fired]:
    """The faults that fire for a call: that of its own headers, then those of the sandbox.

    Raises Misasked when what the headers ask for is no fault.
    """
    sandbox, operation = call.sandbox, call.operation
    now = sandbox.clock.now()
    seen = Seen(
        provider=call.provider.name,
        operation=operation.id,
        route=f"{operation.method} {operation.path}",
        account=call.account.key,
        header=lambda name: call.headers.find(name.lower()),
        fields=cache(body.members),
    )
    own = [Rule.read(BY_HEADER, data, sandbox.chance, now) for data in _own(call)]
    return await sandbox.faults.take(seen, now, own)


def _own(call: Call) -> Iterator[dict[str, Any]]:
    """What the headers ask for: `X-Mockvoice-Fault`, and `Prefer: code=`."""
    text, at = call.headers.get(_HEADER), f"/{_HEADER}"
    if text:
        try:
            data = parse(text.encode("latin-1"))
        except ValueError as error:
            wrong = Violation("header", at, "format", str(error), "JSON", text)
            raise Misasked("", wrong) from None
        if violations := call.mock.wrong_fault(data, "header", at):
            raise Misasked("", *violations)
        yield data
    for preference in re.split("[,;]", call.headers.get("prefer")):
        if found := _PREFERRED.fullmatch(preference):
            yield {"status": int(found[1])}


def failed(call: Call, asked: Fault) -> Reply:
    """The error that a fault asks for, in the provider's words unless it brings its own."""
    documented_errors = [status for status in call.operation.responses if status >= 500]
    status = asked.status or (documented_errors[-1] if documented_errors else 500)
    headers = {name.lower(): value for name, value in asked.headers.items()}
    if asked.retry_after is not None:
        headers["retry-after"] = str(math.ceil(asked.retry_after))
        if asked.retry_after < 1:
            headers["retry-after-ms"] = f"{asked.retry_after * 1000:g}"
    media_type = headers.pop("content-type", "")
    reply = refused(call, Asked(status, body=asked.body, headers=headers))
    reply.media_type = media_type or reply.media_type
    return reply


def instead(call: Call, asked: Fault, refusal: Problem | None) -> Reply:
    """What the client gets in place of an answer: an error, or a success that was not done."""
    if asked.kind == "status":
        return failed(call, asked)
    if refusal and not call.operation.responses:
        return refused(call, refusal)
    return documented(call)


def spoilt(reply: Reply, asked: Fault) -> Reply:
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


async def send(wire: Wire, reply: Reply, asked: Fired) -> None:
    """The reply on the way that the fault leaves it."""
    kind = asked.fault.kind
    if kind == "reset":
        await wire.reset()
    elif kind == "disconnect":
        await wire.disconnect()
    elif kind == "timeout":
        if await wire.pause(asked.seconds):
            await wire.disconnect()
    elif kind == "drip":
        await wire.drip(reply, asked.seconds)
    elif kind == "truncate":
        await wire.truncate(reply)
    else:
        await wire.send(reply)

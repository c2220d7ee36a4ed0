"""What an asked-for failure does to a request: which fires, and how the client sees it."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from typing import Any

from ..errors import Asked, Malformed
from ..provider import Call
from ..sandbox.faults import Fault, Fired, Seen, drawn, fault
from .body import Body
from .reply import documented, refused
from .wire import Reply, Wire, whole

BY_HEADER = "header"  # the id of a fault that came with the request itself
_ASKING = frozenset({b"x-mockvoice-fault", b"prefer"})
_FOREVER = 300.0  # seconds that a timeout lasts unless it says otherwise
_HTML = b"<html><body><h1>It works!</h1></body></html>"


def may_fire(call: Call) -> bool:
    """Whether a look at the faults is worth the while."""
    return bool(call.sandbox.faults) or call.headers.any_of(_ASKING)


async def fired(call: Call, body: Body) -> list[Fired]:
    """The faults that fire for a call: that of its own headers, else those of the sandbox."""
    own = _own(call)
    if own:
        return [own]
    peeked: dict[str, Any] = {}

    def fields() -> Mapping[str, Any]:
        if not peeked:
            peeked.update(_peek(body))
        return peeked

    operation = call.operation
    seen = Seen(
        provider=call.provider.name,
        operation=operation.id,
        route=f"{operation.method} {operation.path}",
        account=call.account.key,
        header=lambda name: call.headers.get(name.lower()),
        fields=fields,
    )
    return await call.sandbox.faults.take(seen, call.sandbox.clock.now())


def _own(call: Call) -> Fired | None:
    """The fault in `X-Mockvoice-Fault`, or the status in `Prefer: code=`."""
    text = call.headers.get("x-mockvoice-fault")
    if text:
        try:
            data = json.loads(text)
        except ValueError:
            data = text
        call.mock.check_fault(data, "header", "/x-mockvoice-fault")
        found = fault(data)
        return Fired(BY_HEADER, found, drawn(found, call.sandbox.chance))
    for preference in call.headers.get("prefer").replace(";", ",").split(","):
        name, _, value = preference.strip().partition("=")
        if (
            name.lower() == "code"
            and value.strip('"').isdigit()
            and 400 <= int(value.strip('"')) < 600
        ):
            return Fired(BY_HEADER, Fault(status=int(value.strip('"'))), 0.0)
    return None


def _peek(body: Body) -> dict[str, Any]:
    """The members of a body as far as they can be read: it may be wrong, or not be checked yet."""
    if body.parts:
        return {name: value for name, value in body.parts if isinstance(value, str)}
    try:
        value = body.json()
    except Malformed:
        return {}
    return value if isinstance(value, dict) else {}


def failed(call: Call, asked: Fault) -> Reply:
    """The error that a fault asks for, in the provider's words unless it brings its own."""
    documented_errors = [status for status in call.operation.responses if status >= 500]
    status = asked.status or (documented_errors[-1] if documented_errors else 500)
    headers = dict(asked.headers)
    if asked.retry_after is not None:
        headers["retry-after"] = str(math.ceil(asked.retry_after))
        if asked.retry_after < 1:
            headers["retry-after-ms"] = f"{asked.retry_after * 1000:g}"
    return refused(call, Asked(status, body=asked.body, headers=headers))


def before(call: Call, asked: Fault) -> Reply:
    """What the client gets in place of an answer: an error, or a success that was not done."""
    return failed(call, asked) if asked.kind == "status" else documented(call)


async def send(wire: Wire, reply: Reply, asked: Fired) -> None:
    """The reply, as the fault lets it through."""
    kind = asked.fault.kind
    if kind == "status":
        await wire.send(reply)
    elif kind == "reset":
        await wire.reset()
    elif kind == "disconnect":
        await wire.disconnect()
    elif kind == "timeout":
        seconds = _FOREVER if asked.fault.seconds is None else asked.seconds
        if await wire.pause(seconds):
            await wire.disconnect()
    elif kind == "drip":
        await wire.drip(reply, asked.seconds)
    elif kind == "truncate":
        await wire.truncate(reply, _cut(asked.fault, len(whole(reply))))
    else:
        await wire.send(_spoilt(reply, kind))


def _cut(asked: Fault, length: int) -> int:
    """After how many bytes a reply is cut: some of it always is missing."""
    if asked.bytes is not None:
        return min(asked.bytes, max(length - 1, 0))
    fraction = 0.5 if asked.fraction is None else asked.fraction
    return min(int(length * fraction), max(length - 1, 0))


def _spoilt(reply: Reply, kind: str) -> Reply:
    """The reply with its status, and with a body that nobody can use."""
    if kind == "empty":
        return Reply(reply.status, reply.media_type, b"", reply.headers)
    if kind == "wrong_type":
        return Reply(reply.status, "text/html", _HTML, reply.headers)
    body = whole(reply)
    return Reply(reply.status, reply.media_type, body[: len(body) // 2] + b"\0", reply.headers)

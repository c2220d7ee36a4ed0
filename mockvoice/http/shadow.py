"""The response of the mock beside a live one: the sandbox is the shadow of the live account.

The mock handles each forwarded request in the sandbox of the request. Its response is compared with
the live one, and not sent; its records get the ids of the live service, so that it finds them in
later requests.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Collection
from functools import partial
from typing import Any

from ..openapi.document import MediaType
from ..provider import RequestContext
from ..state.store import PutRecord
from ..upstream.adopt import adopted, unknown_records
from ..upstream.compare import Answer, differences
from ..upstream.validation import response_violations
from .live import Live
from .params import Decoded
from .transport import RawResponse

_READING = ("GET", "HEAD", "PUT", "PATCH")  # methods whose records existed before the request
_LARGE = 64 * 1024  # bytes of a body that is compared in another thread


async def prepare(ctx: RequestContext, live: Live) -> None:
    """Give the sandbox the records that the client reads, so that the mock knows them."""
    ctx.is_shadow = True
    content = _content(ctx, live)
    if content and live.received.status < 300 and ctx.operation.method in _READING:
        records = await unknown_records(ctx, content, live.redactor.redact(live.parsed))
        if records:
            await ctx.mock.store.put_records(ctx.sandbox, records)


async def compare(
    ctx: RequestContext, live: Live, mocked: RawResponse, decoded: Decoded | None
) -> None:
    """Set violations and differences, and let the changes of the mock have the live ids."""
    ctx.is_shadow = False
    response = live.received
    answer = _answer(live, mocked)
    work = partial(_compare, ctx, live, answer, _texts(decoded))
    size = len(response.body) if isinstance(response.body, bytes) else 0
    if size > _LARGE:
        await asyncio.to_thread(work)
    else:
        work()
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

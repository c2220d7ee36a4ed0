"""Handlers for `/verification` and `/report`: conditions that fail a test, and what happened."""

from __future__ import annotations

from ..provider import Response
from ..types import JSON
from .context import ControlContext
from .faults import fault_json
from .requests import entries_json, since


async def get_verification(ctx: ControlContext) -> JSON:
    _, rules = await ctx.store.list_rules(ctx.sandbox)
    entries = await ctx.store.list_internal_errors(ctx.sandbox)
    return {
        "faults": [fault_json(rule) for rule in rules if rule.is_waiting],
        "requests": await entries_json(ctx, entries),
    }


async def get_report(ctx: ControlContext) -> Response:
    from ..models import RecordedRequest, RecordedRequests  # here: many servers never report
    from ..report import report

    entries, evicted = await ctx.store.list_entries(ctx.sandbox)
    if "since" in ctx.parameters:
        entries, evicted = [*filter(since(ctx.parameters["since"]), entries)], 0
    _, rules = await ctx.store.list_rules(ctx.sandbox)
    requests = map(RecordedRequest.of, await entries_json(ctx, entries))
    text = report(RecordedRequests(requests, evicted), map(fault_json, rules))
    return Response(text.encode(), media_type="text/plain; charset=utf-8")

"""Handlers for `/faults`."""

from __future__ import annotations

from ..errors import NotFound, ValidationFailed
from ..faults.rules import FaultRule
from ..openapi.normalize import JSON
from ..provider import RequestContext
from ..redact import mask_key, redact


async def list_faults(ctx: RequestContext) -> JSON:
    return {"faults": [fault_json(rule) for rule in ctx.sandbox.faults]}


async def add_fault(ctx: RequestContext) -> JSON:
    if violations := ctx.mock.wrong_fault(ctx.fields, "body"):
        raise ValidationFailed("", *violations)
    rule = await ctx.sandbox.faults.add(ctx.fields, ctx.sandbox.clock.now())
    return fault_json(rule)


async def clear_faults(ctx: RequestContext) -> None:
    await ctx.sandbox.faults.clear()


async def get_fault(ctx: RequestContext) -> JSON:
    rule = await ctx.sandbox.faults.get(ctx.parameters["id"])
    if rule is None:
        raise NotFound(f"there is no fault {ctx.parameters['id']}")
    return fault_json(rule)


async def delete_fault(ctx: RequestContext) -> None:
    await get_fault(ctx)
    await ctx.sandbox.faults.remove(ctx.parameters["id"])


def fault_json(rule: FaultRule) -> JSON:
    """Return a fault with its id and counters; secrets in its `match` are masked."""
    fault = rule.described()
    if "match" in fault:
        fault["match"] = match = redact(fault["match"])
        if "account" in match:
            match["account"] = mask_key(match["account"])
    return fault

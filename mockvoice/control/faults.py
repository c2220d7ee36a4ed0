"""Handlers for `/faults`."""

from __future__ import annotations

from ..errors import NotFound, ValidationFailed
from ..faults.rules import FaultRule
from ..faults.validation import fault_violations
from ..redact import redact_fault
from ..types import JSON
from .context import ControlContext


async def list_faults(ctx: ControlContext) -> JSON:
    _, rules = await ctx.store.list_rules(ctx.sandbox)
    return {"faults": [fault_json(rule) for rule in rules]}


async def add_fault(ctx: ControlContext) -> JSON:
    if violations := fault_violations(ctx.mock.control, ctx.providers, ctx.body, "body"):
        raise ValidationFailed("", *violations)
    return fault_json(await ctx.store.add_rule(ctx.sandbox, ctx.body))


async def clear_faults(ctx: ControlContext) -> None:
    await ctx.store.clear_rules(ctx.sandbox)


async def get_fault(ctx: ControlContext) -> JSON:
    _, rules = await ctx.store.list_rules(ctx.sandbox)
    for rule in rules:
        if rule.id == ctx.parameters["id"]:
            return fault_json(rule)
    raise _no_fault(ctx)


async def delete_fault(ctx: ControlContext) -> None:
    if not await ctx.store.remove_rule(ctx.sandbox, ctx.parameters["id"]):
        raise _no_fault(ctx)


def _no_fault(ctx: ControlContext) -> NotFound:
    return NotFound(f"there is no fault {ctx.parameters['id']}")


def fault_json(rule: FaultRule) -> JSON:
    """Return a fault with its id and counters; secrets in its `match` are masked."""
    return redact_fault(rule.described())

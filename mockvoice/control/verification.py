"""Handler for `/verification`: conditions that should fail a test."""

from __future__ import annotations

from ..types import JSON
from .context import ControlContext
from .faults import fault_json
from .requests import entry_json


async def get_verification(ctx: ControlContext) -> JSON:
    _, rules = await ctx.store.list_rules(ctx.sandbox)
    entries = await ctx.store.list_internal_errors(ctx.sandbox)
    return {
        "faults": [fault_json(rule) for rule in rules if rule.is_waiting],
        "requests": [await entry_json(ctx, entry) for entry in entries],
    }

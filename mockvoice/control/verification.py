"""Handler for `/verification`: conditions that should fail a test."""

from __future__ import annotations

from ..openapi.normalize import JSON
from ..provider import RequestContext
from .faults import fault_json
from .requests import entry_json


async def get_verification(ctx: RequestContext) -> JSON:
    faults, journal = ctx.sandbox.faults, ctx.sandbox.journal
    return {
        "faults": [fault_json(rule) for rule in faults if rule.waits],
        "requests": [entry_json(entry) for entry in journal if entry.internal_error],
    }

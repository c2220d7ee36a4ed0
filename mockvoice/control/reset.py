"""Handler for `/reset`: the initial state of a sandbox."""

from __future__ import annotations

from dataclasses import replace

from ..provider import RequestContext
from ..state.sandbox import PARTS


async def reset(ctx: RequestContext) -> None:
    settings = dict(ctx.fields)
    parts, seed = settings.pop("only", PARTS), settings.pop("seed", None)
    if seed is not None:
        seed = int(seed)  # 7.0 is a valid integer in JSON Schema
    ctx.sandbox.reset(parts, replace(ctx.sandbox.settings, **settings), seed)

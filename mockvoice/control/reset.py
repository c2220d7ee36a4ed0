"""Handler for `/reset`: the initial state of a sandbox."""

from __future__ import annotations

from ..state.store import PARTS, SandboxSettings
from .context import ControlContext


async def reset(ctx: ControlContext) -> None:
    settings = dict(ctx.fields)
    parts, seed = settings.pop("only", PARTS), settings.pop("seed", None)
    if seed is not None:
        seed = int(seed)  # 7.0 is a valid integer in JSON Schema
    await ctx.store.reset(ctx.sandbox, parts, SandboxSettings(seed, **settings))

"""Handler for `/reset`: the initial state of a sandbox."""

from __future__ import annotations

from ..state.store import PARTS, SandboxSettings
from .context import ControlContext


async def reset(ctx: ControlContext) -> None:
    settings = dict(ctx.fields)
    parts, seed = settings.pop("only", PARTS), settings.pop("seed", None)
    await ctx.store.reset(ctx.sandbox, parts, SandboxSettings(seed, **settings))

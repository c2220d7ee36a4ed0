"""Handlers for `/sandboxes`."""

from __future__ import annotations

from ..errors import NotFound
from ..text import did_you_mean
from ..types import JSON
from .context import ControlContext


async def list_sandboxes(ctx: ControlContext) -> JSON:
    names = await ctx.store.list_sandboxes()
    return {"sandboxes": [await _sandbox_json(ctx, name) for name in names]}


async def delete_sandbox(ctx: ControlContext) -> None:
    name = ctx.parameters["name"]
    if not await ctx.store.delete_sandbox(name):
        existing = [name for name in await ctx.store.list_sandboxes() if name]
        hint = did_you_mean(name, existing)
        suggestion = f" ({hint})" if hint else ""
        raise NotFound(f"there is no sandbox {name}{suggestion}; `GET /sandboxes` lists all")


async def _sandbox_json(ctx: ControlContext, name: str) -> JSON:
    counts, _ = await ctx.store.count_entries(name)
    return {
        "name": name,
        "url": f"{ctx.server_url}/~{name}" if name else ctx.server_url,
        "requests": sum(count.total for count in counts),
    }

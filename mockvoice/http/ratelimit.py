"""How often, and how much at once, an account may call: 429, and what the client is told of it."""

from __future__ import annotations

import math
from collections.abc import Iterator

from ..errors import RateLimited
from ..provider import Limit, RequestContext


def limited(ctx: RequestContext) -> bool:
    """Whether there are limits to be counted at all."""
    return bool(ctx.account.limits) or ctx.sandbox.settings.limits == "documented"


async def limit(ctx: RequestContext) -> None:
    """Count the call against all limits that hold for it. Raises RateLimited."""
    accounts, account = ctx.sandbox.accounts, ctx.account
    for name, held in _holding(ctx):
        max_count = held.for_tier(account.tier)
        if max_count is None:
            continue
        if held.per is None:
            if ctx.at_once > max_count:
                raise RateLimited(
                    f"Concurrency limit reached. Current: {ctx.at_once}, Maximum: {max_count}"
                )
            continue
        now = ctx.sandbox.clock.now()
        hit = await accounts.hit(account, name, max_count, held.per, now)
        if ctx.provider.rate_headers:
            ctx.reply_headers |= ctx.provider.rate_headers(max_count, hit.left, hit.reset)
        if hit.wait:
            raise RateLimited(headers={"retry-after": str(math.ceil(hit.wait))})


def _holding(ctx: RequestContext) -> Iterator[tuple[str, Limit]]:
    """The limits of the account, then those the provider documents where they are switched on."""
    own = ctx.account.limits
    for name, given in own.items():
        known = ctx.provider.limits.get(name, Limit())
        if known.matches(ctx.operation.id):
            yield name, Limit(known.operations, int(given["max"]), given.get("per", known.per))
    if ctx.sandbox.settings.limits == "documented":
        for name, held in ctx.provider.limits.items():
            if name not in own and held.matches(ctx.operation.id):
                yield name, held


def remember_wait(ctx: RequestContext, headers: dict[str, str]) -> None:
    """Remember until when the client was told to wait, to see whether it does."""
    milliseconds, seconds = headers.get("retry-after-ms"), headers.get("retry-after", "")
    try:
        wait = float(milliseconds) / 1000 if milliseconds else float(seconds)
    except ValueError:
        return  # not told, or told a date
    if not math.isfinite(wait):
        return
    ctx.account.retry_at[ctx.operation.id] = ctx.sandbox.clock.now() + wait

"""How often, and how much at once, an account may call: 429, and what the client is told of it."""

from __future__ import annotations

import math
from collections.abc import Iterator

from ..errors import RateLimited
from ..provider import Call, Limit


def limited(call: Call) -> bool:
    """Whether there are limits to be counted at all."""
    return bool(call.account.limits) or call.sandbox.settings.limits == "documented"


async def limit(call: Call) -> None:
    """Count the call against all limits that hold for it. Raises RateLimited."""
    accounts, account = call.sandbox.accounts, call.account
    for name, held in _holding(call):
        most = held.most_of(account.tier)
        if most is None:
            continue
        if held.per is None:
            if call.at_once > most:
                raise RateLimited(
                    f"Concurrency limit reached. Current: {call.at_once}, Maximum: {most}"
                )
            continue
        now = call.sandbox.clock.now()
        hit = await accounts.hit(account, name, most, held.per, now)
        if call.provider.rate_headers:
            call.reply_headers |= call.provider.rate_headers(most, hit.left, hit.reset)
        if hit.wait:
            raise RateLimited(headers={"retry-after": str(math.ceil(hit.wait))})


def _holding(call: Call) -> Iterator[tuple[str, Limit]]:
    """The limits of the account, then those the provider documents where they are switched on."""
    own = call.account.limits
    for name, given in own.items():
        known = call.provider.limits.get(name, Limit())
        if known.covers(call.operation.id):
            yield name, Limit(known.operations, int(given["most"]), given.get("per", known.per))
    if call.sandbox.settings.limits == "documented":
        for name, held in call.provider.limits.items():
            if name not in own and held.covers(call.operation.id):
                yield name, held


def remember_wait(call: Call, headers: dict[str, str]) -> None:
    """Remember until when the client was told to wait, to see whether it does."""
    milliseconds, seconds = headers.get("retry-after-ms"), headers.get("retry-after", "")
    try:
        wait = float(milliseconds) / 1000 if milliseconds else float(seconds)
    except ValueError:
        return  # not told, or told a date
    if not math.isfinite(wait):
        return
    call.account.told[call.operation.id] = call.sandbox.clock.now() + wait

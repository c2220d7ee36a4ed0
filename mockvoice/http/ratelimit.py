"""Rate and concurrency limits: 429, rate headers, and clients that retry too early."""

from __future__ import annotations

import math
from collections.abc import Mapping
from functools import lru_cache

from ..errors import RateLimited
from ..provider import Provider, RequestContext
from ..state.accounts import LimitRule


@lru_cache(maxsize=1024)
def limit_rules(
    provider: Provider, operation_id: str
) -> tuple[tuple[LimitRule, ...], tuple[str, ...]]:
    """Return the provider's limits for an operation, and the names of the other ones."""
    rules, others = [], []
    for name, limit in provider.limits.items():
        if limit.matches(operation_id):
            rules.append(LimitRule(name, limit.max, limit.per))
        else:
            others.append(name)
    return tuple(rules), tuple(others)


def rate_limit(ctx: RequestContext) -> None:
    """Set the rate headers. Raises RateLimited if a limit is exceeded."""
    for result in ctx.begun.limits:
        if result.per is None:
            if result.exceeded:
                raise RateLimited(
                    f"Concurrency limit reached. Current: {result.used}, Maximum: {result.max}"
                )
            continue
        if ctx.provider.rate_headers:
            headers = ctx.provider.rate_headers(result.max, result.remaining, result.reset)
            ctx.response_headers |= headers
        if result.exceeded:
            raise RateLimited(headers=_retry_after(ctx, result.wait))


def _retry_after(ctx: RequestContext, seconds: float) -> Mapping[str, str]:
    """Return the Retry-After header if the contract documents it or the setting asks for it."""
    documented = ctx.operation.responses.get(429)
    if ctx.begun.retry_after == "always" or (documented and "retry-after" in documented.headers):
        return {"retry-after": str(math.ceil(seconds))}
    return {}


def retry_at(now: float, headers: Mapping[str, str]) -> float | None:
    """Return the time until which response headers tell the client to wait, if they do."""
    milliseconds, seconds = headers.get("retry-after-ms"), headers.get("retry-after", "")
    if not (milliseconds or seconds):
        return None
    try:
        wait = float(milliseconds) / 1000 if milliseconds else float(seconds)
    except ValueError:
        return None  # a date
    return now + wait if math.isfinite(wait) else None

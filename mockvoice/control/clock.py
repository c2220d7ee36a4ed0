"""Handlers for `/clock`: the time of a sandbox."""

from __future__ import annotations

from datetime import UTC, datetime

from ..errors import ValidationFailed, Violation
from ..openapi.normalize import JSON
from ..provider import RequestContext
from ..state.clock import EARLIEST, LATEST, timestamp


async def get_clock(ctx: RequestContext) -> JSON:
    clock = ctx.sandbox.clock
    return {"now": timestamp(clock.now()), "frozen": clock.frozen}


async def set_clock(ctx: RequestContext) -> JSON:
    clock = ctx.sandbox.clock
    freeze, advance = ctx.fields.get("freeze"), ctx.fields.get("advance", 0)
    now = (
        _in_range("freeze", freeze, parse_time(freeze)) if isinstance(freeze, str) else clock.now()
    )
    _in_range("advance", advance, now + advance)
    if freeze:
        clock.freeze(now)
    elif "freeze" in ctx.fields:
        clock.run()
    clock.advance(advance)
    return await get_clock(ctx)


def parse_time(text: str) -> float | None:
    """Return an ISO 8601 date and time as seconds since the epoch, or None if it is malformed.

    The time zone defaults to UTC.
    """
    try:
        time = datetime.fromisoformat(text.upper())
    except ValueError:
        return None
    return (time if time.tzinfo else time.replace(tzinfo=UTC)).timestamp()


def _in_range(field: str, received: JSON, time: float | None) -> float:
    """Return a time that the clock can represent. Raises ValidationFailed."""
    if time is None or not EARLIEST <= time <= LATEST:
        bounds = f"from {timestamp(EARLIEST)} to {timestamp(LATEST)}"
        message = f"must result in a time {bounds}; got {received}"
        violation = Violation("body", f"/{field}", "range", message, received=received)
        raise ValidationFailed("", violation)
    return time

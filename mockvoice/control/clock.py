"""Handlers for `/clock`: the time of a sandbox."""

from __future__ import annotations

from datetime import UTC, datetime

from ..errors import ValidationFailed, Violation
from ..state.clock import EARLIEST, LATEST, timestamp
from ..state.store import ClockState
from ..types import JSON
from .context import ControlContext


async def get_clock(ctx: ControlContext) -> JSON:
    return _clock_json(await ctx.store.get_clock(ctx.sandbox))


async def set_clock(ctx: ControlContext) -> JSON:
    freeze, advance = ctx.fields.get("freeze"), ctx.fields.get("advance", 0)
    now = (await ctx.store.get_clock(ctx.sandbox)).now
    if isinstance(freeze, str):
        now = _in_range("freeze", freeze, parse_time(freeze))
    _in_range("advance", advance, now + advance)
    frozen = bool(freeze) if "freeze" in ctx.fields else None
    clock = await ctx.store.set_clock(
        ctx.sandbox, at=now if freeze else None, frozen=frozen, advance=advance
    )
    return _clock_json(clock)


def _clock_json(clock: ClockState) -> JSON:
    return {"now": timestamp(clock.now), "frozen": clock.frozen}


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

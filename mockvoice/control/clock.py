"""Handlers for `/clock`: the time of a sandbox."""

from __future__ import annotations

from ..errors import ValidationFailed, Violation
from ..state.clock import EARLIEST, LATEST, parse_time, timestamp
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


def _in_range(field: str, received: JSON, time: float | None) -> float:
    """Return a time that the clock can represent. Raises ValidationFailed."""
    if time is None or not EARLIEST <= time <= LATEST:
        bounds = f"from {timestamp(EARLIEST)} to {timestamp(LATEST)}"
        message = f"must result in a time {bounds}; got {received}"
        violation = Violation("body", f"/{field}", "range", message, received=received)
        raise ValidationFailed("", violation)
    return time

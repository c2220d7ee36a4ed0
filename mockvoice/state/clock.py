"""The time of a sandbox."""

from __future__ import annotations

import time
from collections.abc import Mapping
from datetime import UTC, datetime
from email.utils import formatdate
from functools import lru_cache

# RFC 3339 ends with the year 9999; a clock set to its beginning can still advance for a while.
EARLIEST, LATEST = 0.0, 253_370_764_800.0  # seconds since 1970: the years 1970 and 9999


class Clock:
    """The time of one sandbox: real, unless it was frozen or advanced."""

    def __init__(self) -> None:
        self._offset = 0.0
        self._frozen: float | None = None

    def now(self) -> float:
        """Return the time in seconds since 1970."""
        return self._frozen if self._frozen is not None else time.time() + self._offset

    def advance(self, seconds: float) -> None:
        """Move the time forward."""
        if self._frozen is not None:
            self._frozen += seconds
        else:
            self._offset += seconds

    def freeze(self, at: float | None = None) -> None:
        """Stop the time, now or at a moment in seconds since 1970."""
        self._frozen = self.now() if at is None else at

    def run(self) -> None:
        """Let the time run again, from the moment at which it is frozen."""
        if self._frozen is not None:
            self._offset, self._frozen = self._frozen - time.time(), None

    @property
    def frozen(self) -> bool:
        """True while the time stands still."""
        return self._frozen is not None


def configured_clock(settings: Mapping[str, str]) -> Clock:
    """Return the clock that a sandbox starts with: frozen at a time, or running from a time."""
    clock = Clock()
    for name, text in settings.items():
        clock.freeze(parse_time(text))
        if name == "start":
            clock.run()
    return clock


def parse_time(text: str) -> float | None:
    """Return an ISO 8601 date and time as seconds since the epoch, or None if it is malformed.

    The time zone defaults to UTC.
    """
    try:
        time = datetime.fromisoformat(text.upper())
    except ValueError:
        return None
    return (time if time.tzinfo else time.replace(tzinfo=UTC)).timestamp()


@lru_cache(maxsize=64)
def http_date(second: int) -> str:
    """Return a time as the HTTP header Date has it."""
    return formatdate(second, usegmt=True)


def timestamp(moment: float) -> str:
    """Return a time as RFC 3339 in UTC: `2024-01-01T00:00:00Z`, with milliseconds if it has any."""
    second, fraction = divmod(moment, 1.0)
    if not fraction:
        return f"{_second(second)}Z"
    # Rounded down, but not what is a whole number of milliseconds except for the last bits.
    return f"{_second(second)}.{min(int(fraction * 1000 + 0.001), 999):03}Z"


@lru_cache(maxsize=64)
def _second(moment: float) -> str:
    return datetime.fromtimestamp(moment, UTC).isoformat()[:19]

"""Time and ids that repeat."""

from __future__ import annotations

import time
from collections import Counter
from datetime import UTC, datetime
from email.utils import formatdate
from functools import lru_cache
from hashlib import blake2b

# What can be told by every date: RFC 3339 ends with the year 9999, and a clock goes on for a while.
EARLIEST, LATEST = 0.0, 253_370_764_800.0  # seconds since the epoch: 1970, 9999


class Clock:
    """The time of one sandbox: real, unless it was frozen or advanced."""

    def __init__(self) -> None:
        self._offset = 0.0
        self._frozen: float | None = None
        self._dated = 0, ""

    def now(self) -> float:
        """Seconds since the epoch."""
        return self._frozen if self._frozen is not None else time.time() + self._offset

    def advance(self, seconds: float) -> None:
        """Let time pass at once."""
        if self._frozen is not None:
            self._frozen += seconds
        else:
            self._offset += seconds

    def freeze(self, at: float | None = None) -> None:
        """Stop time, now or at a moment in seconds since the epoch."""
        self._frozen = self.now() if at is None else at

    def run(self) -> None:
        """Let time pass again, from the moment at which it stands."""
        if self._frozen is not None:
            self._offset, self._frozen = self._frozen - time.time(), None

    def date(self) -> str:
        """The time as HTTP wants it in the header Date."""
        now = int(self.now())
        if now != self._dated[0]:
            self._dated = now, formatdate(now, usegmt=True)
        return self._dated[1]

    @property
    def frozen(self) -> bool:
        """Whether time stands still."""
        return self._frozen is not None


def timestamp(moment: float) -> str:
    """A moment as RFC 3339 in UTC: `2024-01-01T00:00:00Z`, with a fraction where it has one."""
    second, fraction = divmod(moment, 1.0)
    return f"{_second(second)}.{int(fraction * 1000):03}Z" if fraction else f"{_second(second)}Z"


@lru_cache(maxsize=64)  # many things happen in one second
def _second(moment: float) -> str:
    return datetime.fromtimestamp(moment, UTC).isoformat()[:19]


class Ids:
    """Ids made of a seed: the nth id of a kind is always the same, whatever else was made."""

    def __init__(self, seed: str) -> None:
        self._seed = seed
        self._counts: Counter[str] = Counter()

    def _next(self, kind: str) -> bytes:
        self._counts[kind] += 1
        name = f"{self._seed}/{kind}/{self._counts[kind]}"
        return blake2b(name.encode(), digest_size=32).digest()

    def uuid(self, kind: str) -> str:
        """The next UUID of a kind, in the form of version 4 (RFC 9562)."""
        text = self._next(kind).hex()
        variant = "89ab"[int(text[16], 16) % 4]
        return f"{text[:8]}-{text[8:12]}-4{text[13:16]}-{variant}{text[17:20]}-{text[20:32]}"

    def token(self, kind: str, length: int) -> str:
        """The next lower-case hexadecimal token of a kind, up to 64 characters."""
        return self._next(kind).hex()[:length]

    def word(self, kind: str, length: int) -> str:
        """The next token of letters and digits, up to 43 characters."""
        number = int.from_bytes(self._next(kind), "big")
        letters = []
        for _ in range(length):
            number, rest = divmod(number, len(_ALPHABET))
            letters.append(_ALPHABET[rest])
        return "".join(letters)


_ALPHABET = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789"

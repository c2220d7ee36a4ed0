"""Failures on request: which fire for a request, and how often they did."""

from __future__ import annotations

import json
import math
import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from itertools import chain, count
from random import Random
from typing import Any, NamedTuple

OK = "ok"  # in a sequence: this request passes
SLOW = ("delay", "drip")  # kinds that take time, and nothing else: the operation is done
LONGEST = 3600.0  # seconds that a fault may take
# Seconds that a kind takes unless it is told how many.
_USUAL = {"delay": 1.0, "drip": 1.0, "timeout": 300.0}


class Fault(NamedTuple):
    """One way to fail, in the words of its JSON (the table "Faults" of the README)."""

    kind: str = "status"
    status: int | None = None
    body: Any = None
    headers: Mapping[str, str] = {}
    retry_after: float | None = None
    seconds: float | None = None
    jitter: float = 0.0
    distribution: str = "fixed"
    bytes: int | None = None
    fraction: float | None = None
    when: str = "before"

    @property
    def instead(self) -> bool:
        """Whether the client is failed in place of the operation, which is not done."""
        return self.when == "before" and self.kind not in SLOW


class Seen(NamedTuple):
    """What a fault may be matched against: `fields` are looked at only where a match wants them."""

    provider: str
    operation: str
    route: str
    account: str
    header: Callable[[str], str | None]
    fields: Callable[[], Mapping[str, Any]]


@dataclass(slots=True, eq=False)
class FaultRule:
    """A fault, or a sequence of faults and "ok", with the requests that it is for.

    `matched` counts the requests that matched, `hits` those for which it fired; an expired or
    used up rule stays, so that its counts can be read. A `configured` rule comes from the settings.
    """

    id: str
    data: Mapping[str, Any]
    turns: tuple[Fault | None, ...]
    random: Random
    created_at: float
    configured: bool = False
    matched: int = 0
    hits: int = 0

    @classmethod
    def read(
        cls,
        id: str,
        data: Mapping[str, Any],
        random: Random,
        now: float,
        *,
        configured: bool = False,
    ) -> FaultRule:
        """The rule of a fault's JSON, which was checked."""
        given = data.get("sequence", [data])
        turns = tuple(None if each == OK else _fault(each) for each in given)
        return cls(id, data, turns, random, now, configured)

    def expired(self, now: float) -> bool:
        """Whether its lifetime is over."""
        lifetime = self.data.get("expires_in")
        return lifetime is not None and now >= self.created_at + lifetime

    @property
    def used_up(self) -> bool:
        """Whether it will not fire again, for all that is to come."""
        if "sequence" in self.data:
            return self.matched >= len(self.turns)
        times = self.data.get("times")
        return times is not None and self.hits >= times

    @property
    def waits(self) -> bool:
        """Whether requests did not come that it was for: it never fired, or turns are left."""
        if self.configured:
            return False
        if "sequence" in self.data:
            return self.matched < len(self.turns)
        by_chance = self.data.get("probability", 1.0) < 1.0
        return not (self.hits or (by_chance and self.matched))

    def turn(self) -> Fault | None:
        """Count a request that matched; the fault that fires for it, or None."""
        if self.used_up:
            return None
        self.matched += 1
        if "sequence" in self.data:
            fault = self.turns[self.matched - 1]
        else:
            passed, every = self.data.get("skip", 0), self.data.get("every", 1)
            due = self.matched > passed and (self.matched - passed - 1) % every == 0
            fault = self.turns[0] if due else None
        probability = self.data.get("probability", 1.0)
        if fault is None or (probability < 1.0 and self.random.random() >= probability):
            return None
        self.hits += 1
        return fault

    def described(self) -> dict[str, Any]:
        """The rule as JSON, as it was given, with its id and its counts."""
        return {"id": self.id, **self.data, "hits": self.hits, "matched": self.matched}


class FiredFault(NamedTuple):
    """A fault that fires for a request; `seconds` are drawn."""

    id: str
    fault: Fault
    seconds: float


class FaultRules:
    """The rules of one sandbox, oldest first.

    Of several that would fire the oldest does, and the others do not count the request; delays go
    together with what comes after them.
    """

    def __init__(
        self,
        seed: str,
        max_count: int,
        configured: Sequence[Mapping[str, Any]] = (),
        now: float = 0.0,
    ) -> None:
        self._seed = seed
        self._max_count = max_count
        self._rules: dict[str, FaultRule] = {}
        self._numbers = count(1)
        for data in configured:
            self._put(data, now, configured=True)

    def __bool__(self) -> bool:
        return bool(self._rules)

    def __iter__(self) -> Iterator[FaultRule]:
        return iter([*self._rules.values()])

    async def add(self, data: Mapping[str, Any], now: float) -> FaultRule:
        """Make a rule of a fault's JSON, which was checked. The oldest gives way to too many."""
        return self._put(data, now, configured=False)

    def _put(self, data: Mapping[str, Any], now: float, *, configured: bool) -> FaultRule:
        id = f"fault_{next(self._numbers)}"
        chance = Random(f"{self._seed}/{id}")  # noqa: S311 - to be repeated, not to be secret
        rule = FaultRule.read(id, data, chance, now, configured=configured)
        self._rules[id] = rule
        if len(self._rules) > self._max_count:
            del self._rules[next(iter(self._rules))]
        return rule

    async def get(self, id: str) -> FaultRule | None:
        """The rule with an id."""
        return self._rules.get(id)

    async def remove(self, id: str) -> None:
        """Delete the rule with an id."""
        self._rules.pop(id, None)

    async def clear(self) -> None:
        """Delete all rules."""
        self._rules.clear()

    async def take(self, seen: Seen, now: float, own: Iterable[FaultRule] = ()) -> list[FiredFault]:
        """The faults that fire for a request; each is counted. Its `own` come first."""
        fired = []
        for rule in chain(own, self):
            if not rule.expired(now) and _matches(rule.data, seen):
                fault = rule.turn()
                if fault:
                    fired.append(FiredFault(rule.id, fault, _drawn(fault, rule.random)))
                    if fault.kind != "delay":
                        break
        return fired


def _fault(data: Mapping[str, Any]) -> Fault:
    """A fault of its JSON, without what says when it fires."""
    known = {name: data[name] for name in Fault._fields if name in data}
    for name in ("status", "bytes"):  # 502.0 is a whole number, too
        if name in known:
            known[name] = int(known[name])
    return Fault(**known)


def _drawn(fault: Fault, random: Random) -> float:
    """How long a fault lasts, in seconds."""
    middle = _USUAL.get(fault.kind, 0.0) if fault.seconds is None else fault.seconds
    seconds, jitter = middle, fault.jitter
    if fault.distribution == "uniform":
        seconds = random.uniform(middle - jitter, middle + jitter)
    elif fault.distribution == "normal":
        seconds = random.gauss(middle, jitter)
    elif fault.distribution == "lognormal":
        seconds = middle * math.exp(min(random.gauss(0.0, jitter), 50.0))  # no float has e**710
    return min(max(seconds, 0.0), LONGEST)


def _matches(data: Mapping[str, Any], seen: Seen) -> bool:
    match = data.get("match", {})
    return (
        data.get("provider") in (None, seen.provider)
        and data.get("operation") in (None, seen.operation, seen.route)
        and ("account" not in match or _like(match["account"], seen.account))
        and all(_like(value, seen.header(name)) for name, value in match.get("headers", {}).items())
        and all(
            _like(value, seen.fields().get(name)) for name, value in match.get("fields", {}).items()
        )
    )


def _like(wanted: Any, got: Any) -> bool:
    """Whether a value is the wanted one; text may have `*` and `?` for what does not matter.

    What was sent as text may be wanted as a number; null wants nothing there.
    """
    if isinstance(got, str):
        text = wanted if isinstance(wanted, str) else json.dumps(wanted)
        return _pattern(text).fullmatch(got) is not None
    return bool(wanted == got)


@lru_cache(maxsize=1024)
def _pattern(text: str) -> re.Pattern[str]:
    pieces = {"*": ".*", "?": "."}
    return re.compile("".join(pieces.get(each) or re.escape(each) for each in text), re.DOTALL)

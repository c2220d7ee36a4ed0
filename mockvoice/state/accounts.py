"""API keys: tier, credit, trial, enabled models, limits, and how much of the limits is used."""

from __future__ import annotations

from collections import defaultdict, deque
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from .store import Begin, LimitResult, LimitRule

EVERY_KEY = "*"  # its configured state applies to all keys of a provider
USAGE_ENTRIES = 10_000  # kept of each account


@dataclass(frozen=True, slots=True)
class Account:
    """One API key at one provider.

    `credit` is in the provider's own unit (dollars, credits), None if unlimited; `models` are the
    enabled ones, None for all; `limits` are its own, by name: {"max": 3, "per": 60}.
    `concurrency` is the number of its requests in progress.
    """

    provider: str
    key: str
    tier: str = ""
    credit: float | None = None
    trial_ended: bool = False
    models: tuple[str, ...] | None = None
    limits: Mapping[str, Any] = field(default_factory=dict)
    concurrency: int = 0

    def described(self) -> dict[str, Any]:
        """Return the state that can be changed, as JSON."""
        return {name: getattr(self, name) for name in STATE}


STATE = ("tier", "credit", "trial_ended", "models", "limits")


@dataclass(slots=True, eq=False)
class AccountEntry:
    """An account in memory, with what the store counts for it."""

    account: Account
    retry_at: dict[str, float] = field(default_factory=dict)  # by operation
    hits: dict[str, deque[float]] = field(default_factory=lambda: defaultdict(deque))
    usage: deque[Mapping[str, Any]] = field(default_factory=lambda: deque(maxlen=USAGE_ENTRIES))

    def change(self, **state: Any) -> None:
        """Replace parts of the account."""
        self.account = replace(self.account, **state)

    def enter(self, step: int = 1) -> None:
        """Count one more request in progress."""
        account = self.account
        # As `replace`, which takes ten times as long.
        self.account = Account(
            account.provider,
            account.key,
            account.tier,
            account.credit,
            account.trial_ended,
            account.models,
            account.limits,
            account.concurrency + step,
        )

    def leave(self) -> None:
        """Count one less."""
        self.enter(-1)

    def count(self, begin: Begin, now: float, *, documented: bool) -> list[LimitResult]:
        """Count a request against the limits that apply to it, up to the first exceeded one."""
        results = []
        for rule in self._rules(begin, documented=documented):
            result = self._count(rule, now)
            if result is not None:
                results.append(result)
                if result.exceeded:
                    break
        return results

    def _rules(self, begin: Begin, *, documented: bool) -> Iterator[LimitRule]:
        """The account's own limits, then the provider's where they are switched on."""
        from .store import LimitRule

        own = self.account.limits
        known = {rule.name: rule for rule in begin.limits}
        for name, limit in own.items():
            if name not in begin.other_limits:
                per = known[name].per if name in known else None
                yield LimitRule(name, int(limit["max"]), limit.get("per", per))
        if documented:
            yield from (rule for rule in begin.limits if rule.name not in own)

    def _count(self, rule: LimitRule, now: float) -> LimitResult | None:
        from .store import LimitResult

        maximum = rule.max if isinstance(rule.max, int) else rule.max.get(self.account.tier)
        if maximum is None:
            return None
        if rule.per is None:
            return LimitResult(rule.name, maximum, None, self.account.concurrency)
        hits = self.hits[rule.name]
        while hits and hits[0] <= now - rule.per:
            hits.popleft()
        wait, used = 0.0, len(hits) + 1
        if len(hits) < maximum:
            hits.append(now)
        else:
            wait = hits[0] + rule.per - now if hits else rule.per
        reset = hits[0] + rule.per - now if hits else rule.per
        return LimitResult(rule.name, maximum, rule.per, used, reset, wait)

    def give_back(self, results: Iterable[LimitResult], now: float) -> None:
        """Undo `count`."""
        for result in results:
            if result.per is not None and not result.exceeded and now in self.hits[result.name]:
                self.hits[result.name].remove(now)


class Accounts:
    """The accounts of one sandbox in memory; an account is made when its key is first seen.

    Beyond `capacity` the oldest account is evicted.
    """

    def __init__(
        self, configured: Mapping[str, Mapping[str, Mapping[str, Any]]], capacity: int
    ) -> None:
        self._configured = configured
        self._every: dict[str, dict[str, Any]] = {}
        self._capacity = capacity
        self._entries: dict[tuple[str, str], AccountEntry] = {}

    def find(self, provider: str, key: str) -> AccountEntry | None:
        """Return the account of a key, if it is there."""
        return self._entries.get((provider, key))

    def open(self, provider: str, key: str, defaults: Mapping[str, Any]) -> AccountEntry:
        """Return the account of a key; a new one is as configured, else has the defaults."""
        entry = self._entries.get((provider, key))
        if entry:
            return entry
        configured = self._configured.get(provider, {})
        every = {**configured.get(EVERY_KEY, {}), **self._every.get(provider, {})}
        account = Account(provider, key, **{**defaults, **every, **configured.get(key, {})})
        entry = AccountEntry(account)
        if key:  # requests without a key have no account
            self._entries[provider, key] = entry
        if len(self._entries) > self._capacity:
            del self._entries[next(iter(self._entries))]
        return entry

    def change(self, entry: AccountEntry, state: Mapping[str, Any]) -> Account:
        """Replace parts of an account's state; that of `*` is the state of every key."""
        account = entry.account
        changed = [entry]
        if account.key == EVERY_KEY:
            self._every.setdefault(account.provider, {}).update(state)
            changed += [e for (name, _), e in self._entries.items() if name == account.provider]
        for changed_entry in changed:
            changed_entry.change(**state)
        return entry.account

"""API keys: tier, credit, trial, enabled models, limits, and how much of the limits is used."""

from __future__ import annotations

from collections import defaultdict, deque
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple

EVERY_KEY = "*"  # its configured state applies to all keys of a provider
USAGE_ENTRIES = 10_000  # kept of each account
MAX_KEY_CHARACTERS = 4 * 1024 * 1024  # of all keys of a sandbox


class Account(NamedTuple):
    """One API key at one provider.

    `credit` is in the provider's own unit (dollars, credits), None if unlimited; `models` are the
    enabled ones, None for all; `limits` are its own, by name: {"max": 3, "per": 60}.
    `concurrency` is the number of its requests in progress, for `get_account` only.
    """

    provider: str
    key: str
    tier: str = ""
    credit: float | None = None
    trial_ended: bool = False
    models: tuple[str, ...] | None = None
    listed: bool = False
    limits: Mapping[str, Any] = {}
    concurrency: int = 0

    def described(self) -> dict[str, Any]:
        """Return the state that can be changed, as JSON."""
        return {name: getattr(self, name) for name in STATE} | {"limits": {**self.limits}}


STATE = ("tier", "credit", "trial_ended", "models", "listed", "limits")


def initial_account(
    configured: Mapping[str, Mapping[str, Mapping[str, Any]]],
    provider: str,
    key: str,
    defaults: Mapping[str, Any],
) -> Account:
    """Return the account of a key as configured, else with the defaults."""
    by_key = configured.get(provider)
    if not by_key:
        return Account(provider, key, **defaults)
    state = {**defaults, **by_key.get(EVERY_KEY, {}), **by_key.get(key, {})}
    return Account(provider, key, **state, listed=key in by_key and key != EVERY_KEY)


class LimitRule(NamedTuple):
    """A limit of the provider that applies to the operation of a request.

    `max` is a number of requests, or a number by tier; `per` is in seconds, None for requests at
    the same time.
    """

    name: str
    max: int | Mapping[str, int]
    per: float | None


class LimitResult(NamedTuple):
    """A limit after a request was counted.

    `used` includes the request; `reset` and `wait` are in seconds; `wait` is 0 unless the limit is
    exceeded. `per` is None for requests at the same time.
    """

    name: str
    max: int
    per: float | None
    used: int
    reset: float = 0.0
    wait: float = 0.0

    @property
    def exceeded(self) -> bool:
        """True if the request is one too many."""
        return self.used > self.max

    @property
    def remaining(self) -> int:
        """The number of requests that are left."""
        return max(self.max - self.used, 0)


@dataclass(slots=True, eq=False)
class AccountEntry:
    """An account in memory, with what the store counts for it."""

    account: Account
    concurrency: int = 0  # requests in progress
    retry_at: dict[str, float] = field(default_factory=dict)  # by operation
    hits: dict[str, deque[float]] = field(default_factory=lambda: defaultdict(deque))
    usage: deque[Mapping[str, Any]] = field(default_factory=lambda: deque(maxlen=USAGE_ENTRIES))

    def change(self, **state: Any) -> None:
        """Replace parts of the account."""
        self.account = self.account._replace(**state)

    def count(
        self, rules: Sequence[LimitRule], others: Collection[str], now: float, *, documented: bool
    ) -> list[LimitResult]:
        """Count a request against the limits that apply to it, up to the first exceeded one.

        `rules` are the documented limits of the operation, `others` the names of those of other
        operations.
        """
        results = []
        for rule in self._rules(rules, others, documented=documented):
            result = self._count(rule, now)
            if result is not None:
                results.append(result)
                if result.exceeded:
                    break
        return results

    def _rules(
        self, rules: Sequence[LimitRule], others: Collection[str], *, documented: bool
    ) -> Iterator[LimitRule]:
        """Yield the account's own limits, then the documented ones that are switched on."""
        own = self.account.limits
        known = {rule.name: rule.per for rule in rules}
        for name, limit in own.items():
            if name not in others:
                per = limit.get("per", known.get(name))
                yield LimitRule(name, int(limit["max"]), per)
        if documented:
            yield from (rule for rule in rules if rule.name not in own)

    def _count(self, rule: LimitRule, now: float) -> LimitResult | None:
        maximum = rule.max if isinstance(rule.max, int) else rule.max.get(self.account.tier)
        if maximum is None:
            return None
        if rule.per is None:
            return LimitResult(rule.name, maximum, None, self.concurrency)
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

    Beyond `capacity`, and if the keys get too long together, the oldest accounts are evicted.
    """

    def __init__(
        self, configured: Mapping[str, Mapping[str, Mapping[str, Any]]], capacity: int
    ) -> None:
        self._configured = configured
        self._every: dict[str, dict[str, Any]] = {}
        self._capacity = capacity
        self._entries: dict[tuple[str, str], AccountEntry] = {}
        self._key_characters = 0

    def find(self, provider: str, key: str) -> AccountEntry | None:
        """Return the account of a key, if it is there."""
        return self._entries.get((provider, key))

    def open(self, provider: str, key: str, defaults: Mapping[str, Any]) -> AccountEntry:
        """Return the account of a key; a new one is as configured, else has the defaults."""
        entry = self._entries.get((provider, key))
        if entry:
            return entry
        account = initial_account(self._configured, provider, key, defaults)
        entry = AccountEntry(account._replace(**self._every.get(provider, {})))
        if key:  # requests without a key have no account
            self._entries[provider, key] = entry
            self._key_characters += len(key)
            while (
                len(self._entries) > self._capacity or self._key_characters > MAX_KEY_CHARACTERS
            ) and self._entries:
                oldest = next(iter(self._entries))
                del self._entries[oldest]
                self._key_characters -= len(oldest[1])
        return entry

    def __iter__(self) -> Iterator[AccountEntry]:
        return iter([*self._entries.values()])

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

"""What an API key stands for: tier, credit, trial, enabled models, limits."""

from __future__ import annotations

from collections import defaultdict, deque
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, NamedTuple


class Hit(NamedTuple):
    """What counting came to: seconds to wait (0: it was counted), how many are left, seconds until
    the first of them is given back.
    """

    wait: float
    left: int
    reset: float


@dataclass(slots=True, eq=False)
class Account:
    """One API key at one provider.

    `credit` is in the provider's own unit (dollars, credits), None for as much as is wanted;
    `models` are those enabled, None for all; `limits` are its own, by name: {"max": 3, "per": 60}.

    `in_flight` counts the requests being answered; `told` is until when it was told to wait, by
    operation; `found` is the store in which it found what everybody finds; `notes` are what the
    provider writes down of its use, the newest ten thousand.
    """

    provider: str
    key: str
    tier: str = ""
    credit: float | None = None
    trial_ended: bool = False
    models: tuple[str, ...] | None = None
    limits: Mapping[str, Any] = field(default_factory=dict)
    in_flight: int = 0
    found: object = field(default=None, repr=False)
    retry_at: dict[str, float] = field(default_factory=dict, repr=False)
    hits: dict[str, deque[float]] = field(default_factory=lambda: defaultdict(deque), repr=False)
    notes: deque[dict[str, Any]] = field(default_factory=lambda: deque(maxlen=10_000), repr=False)

    def described(self) -> dict[str, Any]:
        """Its state as JSON."""
        return {name: getattr(self, name) for name in STATE}


STATE = ("tier", "credit", "trial_ended", "models", "limits")
EVERY_KEY = "*"  # what is stated of it holds for all keys of a provider


class Accounts:
    """The accounts of one sandbox; one is made when its key is first seen."""

    def __init__(
        self, configured: Mapping[str, Mapping[str, Mapping[str, Any]]], max_count: int
    ) -> None:
        self._configured = configured
        self._every: dict[str, dict[str, Any]] = {}
        self._max_count = max_count
        self._accounts: dict[tuple[str, str], Account] = {}

    async def open(self, provider: str, key: str, usual: Mapping[str, Any]) -> Account:
        """The account of a key; that of a new one is as settings state it, else as is usual."""
        found = self._accounts.get((provider, key))
        if found:
            return found
        configured = self._configured.get(provider, {})
        every = {**configured.get(EVERY_KEY, {}), **self._every.get(provider, {})}
        account = Account(provider, key, **{**usual, **every, **configured.get(key, {})})
        self._accounts[provider, key] = account
        if len(self._accounts) > self._max_count:
            del self._accounts[next(iter(self._accounts))]
        return account

    async def enter(self, provider: str, key: str, usual: Mapping[str, Any]) -> Account:
        """The account of a key, with one more request that is being answered."""
        account = await self.open(provider, key, usual)
        account.in_flight += 1
        return account

    async def leave(self, account: Account) -> None:
        """One less is being answered."""
        account.in_flight -= 1

    async def hit(self, account: Account, what: str, max_count: int, per: float, now: float) -> Hit:
        """Count one more of something; past `most` within `per` seconds it is not counted."""
        hits = account.hits[what]
        while hits and hits[0] <= now - per:
            hits.popleft()
        wait = 0.0
        if len(hits) < max_count:
            hits.append(now)
        else:
            wait = hits[0] + per - now if hits else per
        reset = hits[0] + per - now if hits else per
        return Hit(wait, max(max_count - len(hits), 0), reset)

    async def change(self, account: Account, state: Mapping[str, Any]) -> Account:
        """Replace parts of an account's state; that of `*` is the state of every key."""
        changed = [account]
        if account.key == EVERY_KEY:
            self._every.setdefault(account.provider, {}).update(state)
            changed += [a for a in self._accounts.values() if a.provider == account.provider]
        for each in changed:
            for name, value in state.items():
                setattr(each, name, value)
        return account

    async def spend(self, account: Account, amount: float) -> bool:
        """Take an amount of credit; False, and nothing taken, when there is less."""
        if account.credit is None:
            return True
        if account.credit < amount:
            return False
        account.credit -= amount
        return True

    async def note(self, account: Account, used: dict[str, Any]) -> None:
        """Write down a use of an account."""
        account.notes.append(used)

"""Everything that one isolated mock remembers, as one value."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Collection, Mapping
from itertools import chain
from random import Random
from typing import Any

from ..config.settings import BYTES_PER_MB, Settings
from ..faults.rules import FaultRules
from .accounts import Accounts
from .clock import Clock, Ids
from .journal import Journal
from .records import Record, RecordStore
from .uploads import UploadCache

PARTS = ("faults", "requests", "voices", "accounts", "clock", "ids")

Seed = Callable[[Mapping[str, Any], Ids, float], list[Record]]


class Sandbox:
    """One mock: two sandboxes share nothing but the room for files.

    It begins with the accounts, voices and faults that the settings state; `plant` makes the
    records of a voice that they state, at a moment, with ids where it has none of its own.
    `mistakes` are those of mockvoice itself, the newest hundred: a failure, or a reply that does
    not fit its contract.
    """

    faults: FaultRules
    journal: Journal
    voices: RecordStore
    accounts: Accounts
    clock: Clock
    ids: Ids
    chance: Random

    def __init__(
        self, name: str, settings: Settings, kept: UploadCache, seed_records: Seed
    ) -> None:
        self.name = name
        self.kept = kept
        self._seed_records = seed_records
        self.settings = settings
        self._seed = f"{settings.seed}/{name}"
        self.internal_errors: deque[str] = deque(maxlen=100)
        self._begin(PARTS)

    def reset(
        self,
        parts: Collection[str] = PARTS,
        settings: Settings | None = None,
        seed: int | None = None,
    ) -> None:
        """Put parts of it back to the start; with a seed it repeats what any other did with it."""
        self.settings = settings or self.settings
        if seed is not None:
            self._seed = f"{seed}/"
        self._begin(parts)

    def _begin(self, parts: Collection[str]) -> None:
        settings, seed = self.settings, self._seed
        if "clock" in parts:
            self.clock = Clock()
        now = self.clock.now()
        if "faults" in parts:
            self.faults = FaultRules(seed, settings.max_faults, settings.faults, now)
        if "requests" in parts:
            self.journal = Journal(settings.max_requests, settings.journal_mb * BYTES_PER_MB)
            self.internal_errors.clear()
        if "voices" in parts:
            # Ids of their own: the same after every reset, and none that is made later.
            ids = Ids(f"{seed}/stated")
            configured = [self._seed_records(wanted, ids, now) for wanted in settings.voices]
            self.voices = RecordStore(settings.max_voices, chain.from_iterable(configured))
        if "accounts" in parts:
            self.accounts = Accounts(settings.accounts, settings.max_accounts)
        if "ids" in parts:
            self.ids, self.chance = Ids(seed), Random(seed)  # noqa: S311 - to be repeated, not to be secret

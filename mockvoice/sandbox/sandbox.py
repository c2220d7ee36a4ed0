"""Everything that one isolated mock remembers, as one value."""

from __future__ import annotations

from collections import deque
from collections.abc import Collection
from random import Random

from ..settings import BYTES_PER_MB, Settings
from .accounts import Accounts
from .clock import Clock, Ids
from .faults import Faults
from .journal import Journal
from .uploads import Kept
from .voices import Voices

PARTS = ("faults", "requests", "voices", "accounts", "clock", "ids")


class Sandbox:
    """One mock: two sandboxes share nothing but the room for files.

    `mistakes` are those of mockvoice itself, the newest hundred: a failure, or a reply that does
    not fit its contract.
    """

    faults: Faults
    journal: Journal
    voices: Voices
    accounts: Accounts
    clock: Clock
    ids: Ids
    chance: Random

    def __init__(self, name: str, settings: Settings, kept: Kept) -> None:
        self.name = name
        self.kept = kept
        self.settings = settings
        self._seed = f"{settings.seed}/{name}"
        self.mistakes: deque[str] = deque(maxlen=100)
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
        if "faults" in parts:
            self.faults = Faults(seed, settings.max_faults)
        if "requests" in parts:
            self.journal = Journal(settings.max_requests, settings.journal_mb * BYTES_PER_MB)
            self.mistakes.clear()
        if "voices" in parts:
            self.voices = Voices(settings.max_voices)
        if "accounts" in parts:
            self.accounts = Accounts(settings.accounts, settings.max_accounts)
        if "clock" in parts:
            self.clock = Clock()
        if "ids" in parts:
            self.ids, self.chance = Ids(seed), Random(seed)  # noqa: S311 - to be repeated, not to be secret

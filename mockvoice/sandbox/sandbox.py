"""Everything that one isolated mock remembers, as one value."""

from __future__ import annotations

from collections import deque

from ..settings import Settings
from .accounts import Accounts
from .clock import Clock, Ids
from .uploads import Kept
from .voices import Voices


class Sandbox:
    """One mock: two sandboxes share nothing.

    `mistakes` are those of mockvoice itself, the newest hundred: a failure, or a reply that does
    not fit its contract.
    """

    def __init__(self, name: str, settings: Settings, kept: Kept) -> None:
        self.name = name
        self.settings = settings
        self.kept = kept
        self.mistakes: deque[str] = deque(maxlen=100)
        self.clock = Clock()
        self.ids = Ids(f"{settings.seed}/{name}")
        self.accounts = Accounts(settings.accounts, settings.max_accounts)
        self.voices = Voices(settings.max_voices)

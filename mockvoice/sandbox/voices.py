"""The voice store: what was made, by whom."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from itertools import count
from typing import Any

from .uploads import Upload

Data = dict[str, Any]
EVERYBODY = "*"  # the account of records that all accounts of a provider see


@dataclass(slots=True, eq=False)
class Record:
    """One stored thing, most often a voice: `data` is exactly what its provider's API shows.

    `collection` tells things of one provider apart (`voice_clones`, `voice_designs`); `account`
    is the API key it belongs to; `created_at` is in seconds since the epoch; a `preset` was there
    from the start.
    """

    provider: str
    collection: str
    account: str
    id: str
    data: Data
    created_at: float
    uploads: tuple[Upload, ...] = ()
    preset: bool = False
    number: int = 0

    @property
    def shelf(self) -> tuple[str, str, str]:
        """Where it stands: provider, collection, account."""
        return self.provider, self.collection, self.account


class Voices:
    """The records of one sandbox, in memory, oldest first; an account sees only its own.

    Holds at most `most` records: beyond that the oldest is dropped, and counted in `dropped`.
    """

    def __init__(self, most: int, stated: Iterable[Record] = ()) -> None:
        self._most = most
        self._shelves: dict[tuple[str, str, str], dict[str, Record]] = {}
        self._order: OrderedDict[int, Record] = OrderedDict()  # gives up its first at once
        self._numbers = count(1)
        self.dropped = 0
        for record in stated:
            self._put(record)

    async def add(self, record: Record) -> Record:
        """Store a record; one with the same id in the same collection and account gives way."""
        return self._put(record)

    def _put(self, record: Record) -> Record:
        shelf = self._shelves.get(record.shelf)
        if shelf is None:
            shelf = self._shelves[record.shelf] = {}
        if record.id in shelf:
            del self._order[shelf[record.id].number]
        record.number = next(self._numbers)
        shelf[record.id] = self._order[record.number] = record
        if len(self._order) > self._most:
            self._forget(self._oldest())
            self.dropped += 1
        return record

    def _oldest(self) -> Record:
        """The oldest that somebody made: presets are given up only where there is nothing else."""
        for _ in range(len(self._order)):
            record = next(iter(self._order.values()))
            if not record.preset:
                break
            self._order.move_to_end(record.number)
        return record

    async def get(self, provider: str, collection: str, account: str, id: str) -> Record | None:
        """The record with this id that is this account's, or everybody's."""
        for owner in (account, EVERYBODY):
            found = self._shelves.get((provider, collection, owner), {}).get(id)
            if found:
                return found
        return None

    async def list(self, provider: str, collection: str, account: str) -> list[Record]:
        """All records in a collection that are this account's or everybody's, oldest first."""
        own = self._shelves.get((provider, collection, account), {})
        shared = self._shelves.get((provider, collection, EVERYBODY))
        if not shared:
            return [*own.values()]
        both = [*own.values(), *shared.values()]
        return sorted(both, key=lambda each: each.number)

    async def update(self, record: Record, change: Callable[[Data], Data]) -> Record:
        """Replace a record's data by what `change` makes of it."""
        record.data = change(record.data)
        return record

    async def remove(self, record: Record) -> None:
        """Delete a record."""
        if record.number in self._order:
            self._forget(record)

    def _forget(self, record: Record) -> None:
        del self._order[record.number]
        shelf = self._shelves[record.shelf]
        del shelf[record.id]
        if not shelf:
            del self._shelves[record.shelf]

    def __iter__(self) -> Iterator[Record]:
        return iter([*self._order.values()])

    def __len__(self) -> int:
        return len(self._order)

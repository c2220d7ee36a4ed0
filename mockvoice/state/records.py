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
    def partition(self) -> tuple[str, str, str]:
        """Where it stands: provider, collection, account."""
        return self.provider, self.collection, self.account


class RecordStore:
    """The records of one sandbox, in memory, oldest first; an account sees only its own.

    Holds at most `most` records: beyond that the oldest is dropped, and counted in `dropped`.
    """

    def __init__(self, max_count: int, configured: Iterable[Record] = ()) -> None:
        self._max_count = max_count
        self._partitions: dict[tuple[str, str, str], dict[str, Record]] = {}
        self._order: OrderedDict[int, Record] = OrderedDict()  # gives up its first at once
        self._numbers = count(1)
        self.evicted = 0
        for record in configured:
            self._put(record)

    async def add(self, record: Record) -> Record:
        """Store a record; one with the same id in the same collection and account gives way."""
        return self._put(record)

    def _put(self, record: Record) -> Record:
        partition = self._partitions.get(record.partition)
        if partition is None:
            partition = self._partitions[record.partition] = {}
        if record.id in partition:
            del self._order[partition[record.id].number]
        record.number = next(self._numbers)
        partition[record.id] = self._order[record.number] = record
        if len(self._order) > self._max_count:
            self._forget(self._oldest())
            self.evicted += 1
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
            found = self._partitions.get((provider, collection, owner), {}).get(id)
            if found:
                return found
        return None

    async def list(self, provider: str, collection: str, account: str) -> list[Record]:
        """All records in a collection that are this account's or everybody's, oldest first."""
        own = self._partitions.get((provider, collection, account), {})
        shared = self._partitions.get((provider, collection, EVERYBODY))
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
        partition = self._partitions[record.partition]
        del partition[record.id]
        if not partition:
            del self._partitions[record.partition]

    def __iter__(self) -> Iterator[Record]:
        return iter([*self._order.values()])

    def __len__(self) -> int:
        return len(self._order)

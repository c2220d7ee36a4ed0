"""Records: voices and everything else that a provider stores."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Iterator
from itertools import count
from typing import Any, NamedTuple

Data = dict[str, Any]
_NUMBER = 9  # the position of `number` in a record
EVERY_ACCOUNT = "*"  # the account of records that all accounts of a provider see


class Record(NamedTuple):
    """One stored thing, most often a voice: `data` is what its provider's API shows.

    `collection` separates the kinds of things of one provider (`voice_clones`, `voice_designs`);
    `account` is the API key it belongs to; `created_at` is in seconds since 1970; `uploads` are
    the ids of its files. A `preset` comes with the provider; a `base` record exists without being
    stored: a preset, or a record of the settings. `number` is its place among all records of the
    sandbox, `revision` counts its changes. A `removed` record hides a base record.
    """

    provider: str
    collection: str
    account: str
    id: str
    data: Data
    created_at: float
    uploads: tuple[str, ...] = ()
    preset: bool = False
    base: bool = False
    number: int = 0
    revision: int = 0
    removed: bool = False

    @property
    def partition(self) -> tuple[str, str, str]:
        """Provider, collection and account."""
        return self.provider, self.collection, self.account


def _numbered(record: Record, number: int, revision: int) -> Record:
    """Return a record with another number and revision, four times as fast as `_replace`."""
    return Record._make((*record[:_NUMBER], number, revision, record.removed))


class Records:
    """The records of one sandbox in memory, oldest first; an account sees only its own.

    Beyond `capacity` the oldest record is evicted.
    """

    def __init__(self, capacity: int) -> None:
        self._capacity = capacity
        self._partitions: dict[tuple[str, str, str], dict[str, Record]] = {}
        self._order: OrderedDict[int, Record] = OrderedDict()  # evicts its first in constant time
        self._numbers = count(1)
        self.evicted = 0

    def find(self, partition: tuple[str, str, str], id: str) -> Record | None:
        """Return the record with this id."""
        return self._partitions.get(partition, {}).get(id)

    def put(self, record: Record) -> tuple[Record, list[Record]]:
        """Store a record; return it as stored, and the records that it replaces or evicts.

        A record of the same id is replaced: in its place when `record` has its number, else at
        the end.
        """
        dropped = []
        partition = self._partitions.setdefault(record.partition, {})
        before = partition.get(record.id)
        if before:
            dropped.append(before)
        if before and before.number == record.number:
            record = _numbered(record, before.number, before.revision + 1)
        else:
            if before:
                del partition[before.id], self._order[before.number]
            record = _numbered(record, next(self._numbers), 0)
        partition[record.id] = self._order[record.number] = record
        if len(self._order) > self._capacity:
            _, oldest = self._order.popitem(last=False)
            self._delete_from_partition(oldest)
            dropped.append(oldest)
            self.evicted += 1
        return record, dropped

    def delete(self, record: Record) -> Record | None:
        """Delete the record of this id, and return it."""
        stored = self.find(record.partition, record.id)
        if stored:
            del self._order[stored.number]
            self._delete_from_partition(stored)
        return stored

    def _delete_from_partition(self, record: Record) -> None:
        partition = self._partitions[record.partition]
        del partition[record.id]
        if not partition:
            del self._partitions[record.partition]

    def list(self, provider: str, collection: str, account: str) -> list[Record]:
        """Return the records in a collection of this account and of every account."""
        own = self._partitions.get((provider, collection, account), {})
        shared = self._partitions.get((provider, collection, EVERY_ACCOUNT))
        if not shared:
            return [*own.values()]
        both = [*own.values(), *shared.values()]
        return sorted(both, key=lambda record: record.number)

    def __iter__(self) -> Iterator[Record]:
        return iter([*self._order.values()])

    def __len__(self) -> int:
        return len(self._order)

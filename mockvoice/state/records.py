"""Records: voices and everything else that a provider stores."""

from __future__ import annotations

from bisect import bisect_left, insort
from collections import Counter, OrderedDict, defaultdict
from collections.abc import Iterator, Mapping, Sequence
from itertools import count
from typing import Any, Literal, NamedTuple

Data = dict[str, Any]
_NUMBER = 9  # the position of `number` in a record
EVERY_ACCOUNT = "*"  # the account of records that all accounts of a provider see


class Record(NamedTuple):
    """One stored thing, most often a voice: `data` is what its provider's API shows.

    `collection` separates the kinds of things of one provider (`voice_clones`, `voice_designs`);
    `account` is the API key it belongs to; `created_at` is in seconds since 1970; `uploads` are
    the ids of its files. A `preset` comes with the provider; a `base` record exists without being
    stored: a preset, or a record of the settings. `number` is its place among all records of the
    sandbox, `revision` counts its changes. A `removed` record hides a base record. `keys` are texts
    by which queries sort and select, besides the id; a store need not return them.
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
    keys: Mapping[str, str] = {}

    @property
    def partition(self) -> tuple[str, str, str]:
        """Provider, collection and account."""
        return self.provider, self.collection, self.account


def _numbered(record: Record, number: int, revision: int) -> Record:
    """Return a record with another number and revision, four times as fast as `_replace`."""
    return Record._make((*record[:_NUMBER], number, revision, *record[_NUMBER + 2 :]))


class Condition(NamedTuple):
    """A test of records: the value of one of these keys is, starts with or contains a text."""

    keys: Sequence[str]
    test: Literal["is", "starts", "contains"]
    text: str

    def matches(self, record: Record) -> bool:
        """Return True if a record passes the test."""
        return any(self.accepts(key_of(record, name)[0]) for name in self.keys)

    def accepts(self, value: str) -> bool:
        """Return True if a value passes the test."""
        if self.test == "is":
            return value == self.text
        return value.startswith(self.text) if self.test == "starts" else self.text in value


class Query(NamedTuple):
    """Some of the records of a collection: those that pass all tests, in an order.

    `order` is a key, or "" for the order in which they were stored. Of records with equal values
    the older one is first, or last if `descending`. `limit` is None for all from `offset` on.
    `base` are ids of base records: the page names those that are stored, and so hidden.
    """

    where: Sequence[Condition] = ()
    order: str = ""
    descending: bool = False
    offset: int = 0
    limit: int | None = None
    base: Sequence[str] = ()

    def bounds(self, total: int) -> tuple[int, int]:
        """Return begin and end of the slice of so many records in ascending order."""
        begin = min(self.offset, total)
        end = total if self.limit is None else min(begin + self.limit, total)
        return (total - end, total - begin) if self.descending else (begin, end)


class RecordPage(NamedTuple):
    """The result of a query: `total` counts the records of all its pages.

    `hidden` are the ids of those base records that are stored, or removed.
    """

    records: Sequence[Record]
    total: int
    hidden: Sequence[str] = ()


Key = tuple[str, int]  # the value of a record, and its number


def key_of(record: Record, name: str) -> Key:
    """Return the value of a record for a key, and its number: what it is sorted by."""
    if name:
        return record.id if name == "id" else record.keys.get(name, ""), record.number
    return "", record.number


def slice_of(one: Sequence[Key], other: Sequence[Key], begin: int, end: int) -> list[Key]:
    """Return a slice of two sorted lists as if they were one.

    The time depends on the slice and on the shorter list.
    """
    shorter, longer = sorted((one, other), key=len)
    skipped = max(begin - len(shorter), 0)  # not more than this can precede the slice
    merged = sorted([*shorter, *longer[skipped:end]])
    return merged[begin - skipped : end - skipped]


class _Partition:
    """The records of one account in one collection. Each key in use has a sorted list."""

    def __init__(self) -> None:
        self.records: dict[str, Record] = {}
        self._sorted: dict[str, list[Key]] = {}

    def put(self, record: Record) -> None:
        """Add a record; there is none with its id."""
        self.records[record.id] = record
        if not record.removed:
            for name, values in self._sorted.items():
                insort(values, key_of(record, name))

    def pop(self, id: str) -> Record:
        """Remove and return a record."""
        record = self.records.pop(id)
        if not record.removed:
            for name, values in self._sorted.items():
                del values[bisect_left(values, key_of(record, name))]
        return record

    def values(self, name: str) -> list[Key]:
        """Return the values of all records that are not removed, sorted; computed on first use."""
        if name not in self._sorted:
            shown = [record for record in self.records.values() if not record.removed]
            self._sorted[name] = sorted([key_of(record, name) for record in shown])
        return self._sorted[name]

    def find(self, where: Sequence[Condition], order: str) -> list[Key]:
        """Return the values of the records that pass all tests, sorted."""
        if not where:
            return self.values(order)
        first, *rest = ({number for _, number in self._passing(test)} for test in where)
        numbers = first.intersection(*rest)
        if order:
            return [key for key in self.values(order) if key[1] in numbers]
        return [("", number) for number in sorted(numbers)]

    def _passing(self, condition: Condition) -> Iterator[Key]:
        text = condition.text
        for name in condition.keys:
            values = self.values(name)
            if condition.test == "contains":
                yield from (key for key in values if text in key[0])
                continue
            for i in range(bisect_left(values, (text, 0)), len(values)):
                if not condition.accepts(values[i][0]):
                    break
                yield values[i]


class Records:
    """The records of one sandbox in memory, oldest first; an account sees only its own.

    Beyond `capacity` the oldest record is evicted.
    """

    def __init__(self, capacity: int) -> None:
        self._capacity = capacity
        self._partitions: dict[tuple[str, str, str], _Partition] = {}
        self._order: OrderedDict[int, Record] = OrderedDict()  # evicts its first in constant time
        # The number of accounts that have an id, by provider and collection.
        self._held = defaultdict[tuple[str, str], Counter[str]](Counter)
        self._numbers = count(1)
        self.evicted = 0

    def find(self, partition: tuple[str, str, str], id: str) -> Record | None:
        """Return the record with this id."""
        found = self._partitions.get(partition)
        return found.records.get(id) if found else None

    def has(self, provider: str, collection: str, id: str) -> bool:
        """Return True if any account has a record with this id that is not removed."""
        return self._held[provider, collection][id] > 0

    def put(self, record: Record) -> tuple[Record, list[Record]]:
        """Store a record; return it as stored, and the records that it replaces or evicts.

        A record of the same id is replaced: in its place when `record` has its number, else at
        the end.
        """
        at = record.partition
        partition = self._partitions.get(at)
        before = partition.records.get(record.id) if partition else None
        dropped = [before] if before else []
        if before and before.number == record.number:
            record = _numbered(record, before.number, before.revision + 1)
            self._drop(before)
        else:
            if before:
                self._drop(before)
                del self._order[before.number]
            record = _numbered(record, next(self._numbers), 0)
        self._order[record.number] = record
        partition = self._partitions.get(at)  # again: the last record may have been dropped
        if partition is None:
            partition = self._partitions[at] = _Partition()
        partition.put(record)
        if not record.removed:
            self._held[record.provider, record.collection][record.id] += 1
        if len(self._order) > self._capacity:
            _, oldest = self._order.popitem(last=False)
            self._drop(oldest)
            dropped.append(oldest)
            self.evicted += 1
        return record, dropped

    def delete(self, record: Record) -> Record | None:
        """Delete the record of this id, and return it."""
        stored = self.find(record.partition, record.id)
        if stored:
            del self._order[stored.number]
            self._drop(stored)
        return stored

    def _drop(self, record: Record) -> None:
        """Remove a record from everything but the order of all records."""
        partition = self._partitions[record.partition]
        partition.pop(record.id)
        if not partition.records:
            del self._partitions[record.partition]
        if not record.removed:
            held = self._held[record.provider, record.collection]
            held[record.id] -= 1
            if not held[record.id]:
                del held[record.id]

    def query(self, provider: str, collection: str, account: str, query: Query) -> RecordPage:
        """Return records in a collection of this account and of every account."""
        names = {account: None, EVERY_ACCOUNT: None}
        partitions = [self._partitions.get((provider, collection, name)) for name in names]
        visible = [partition for partition in partitions if partition]
        found: list[list[Key]] = [partition.find(query.where, query.order) for partition in visible]
        one, other = [*found, [], []][:2]
        total = len(one) + len(other)
        numbers = [number for _, number in slice_of(one, other, *query.bounds(total))]
        if query.descending:
            numbers.reverse()
        hidden = [id for id in query.base if any(id in part.records for part in visible)]
        return RecordPage([self._order[number] for number in numbers], total, hidden)

    def __iter__(self) -> Iterator[Record]:
        return iter([*self._order.values()])

    def __len__(self) -> int:
        return len(self._order)

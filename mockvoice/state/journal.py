"""The journal: the last requests of a sandbox, bounded in count and bytes."""

from __future__ import annotations

from collections import OrderedDict, deque
from collections.abc import Iterator, Mapping, Sequence
from itertools import chain, count
from typing import Any, NamedTuple

from ..errors import Violation

_ENTRY_BYTES = 2048  # of an entry besides its texts, about
_INTERNAL_ERRORS = 100  # entries with an internal error that outlast the journal


class JournalEntry(NamedTuple):
    """One request and its response.

    `headers` and `query` are as sent; `fields` are the decoded members of the body without files;
    `uploads` are ids; `size` is in bytes. `status` is None when no response was sent: a reset, a
    client that disconnected. `early` is the number of seconds before Retry-After elapsed.
    """

    number: int
    provider: str
    operation: str
    account: str
    method: str
    path: str
    query: bytes
    headers: Sequence[tuple[bytes, bytes]]
    at: float
    fields: Mapping[str, Any] = {}
    uploads: tuple[str, ...] = ()
    size: int = 0
    file_size: int = 0
    violations: tuple[Violation, ...] = ()
    hint: str = ""
    fault: str = ""
    kind: str = ""
    status: int | None = None
    response_type: str = ""
    response_headers: Mapping[str, str] = {}
    response: bytes = b""
    milliseconds: float | None = None
    early: float | None = None
    internal_error: str = ""

    @property
    def id(self) -> str:
        """The id of the entry: `request_7`."""
        return f"request_{self.number}"

    @property
    def weight(self) -> int:
        """The approximate number of bytes it occupies; files are counted where they are stored."""
        headers = sum(map(len, chain.from_iterable(self.headers)))
        text = len(self.query) + self.size - self.file_size + len(self.response)
        return _ENTRY_BYTES + headers + text


class Journal:
    """The entries of one sandbox in memory, at most `capacity` of about `max_bytes` bytes.

    The oldest entries are evicted; one that is larger than `max_bytes` stays until the next one.
    Entries with an internal error stay in `internal_errors`.
    """

    def __init__(self, capacity: int, max_bytes: int) -> None:
        self._capacity = capacity
        self._max_bytes = max_bytes
        self._entries: OrderedDict[int, tuple[JournalEntry, int]] = OrderedDict()
        self._numbers = count(1)
        self.internal_errors: deque[JournalEntry] = deque(maxlen=_INTERNAL_ERRORS)
        self.bytes = 0
        self.evicted = 0

    def next_number(self) -> int:
        """Reserve the number of an entry."""
        return next(self._numbers)

    def put(self, entry: JournalEntry) -> list[JournalEntry]:
        """Store an entry; return the one that it replaces, and those that it evicts."""
        weight = entry.weight
        dropped = []
        before = self._entries.pop(entry.number, None)
        if before:
            self.bytes -= before[1]
            dropped.append(before[0])
        self._entries[entry.number] = entry, weight
        self.bytes += weight
        if entry.internal_error:
            self.put_internal_error(entry)
        while len(self._entries) > self._capacity or (
            self.bytes > self._max_bytes and len(self._entries) > 1
        ):
            _, (oldest, evicted_weight) = self._entries.popitem(last=False)
            self.bytes -= evicted_weight
            self.evicted += 1
            dropped.append(oldest)
        return dropped

    def put_internal_error(self, entry: JournalEntry) -> None:
        """Store an entry among those with an internal error, in place of one with its number."""
        for i, other in enumerate(self.internal_errors):
            if other.number == entry.number:
                self.internal_errors[i] = entry
                return
        self.internal_errors.append(entry)

    def find(self, number: int) -> JournalEntry | None:
        """Return the entry with a number."""
        stored = self._entries.get(number)
        return stored[0] if stored else None

    def clear(self) -> None:
        """Delete all entries; numbers continue."""
        self._entries.clear()
        self.internal_errors.clear()
        self.bytes = self.evicted = 0

    def __iter__(self) -> Iterator[JournalEntry]:
        # Stored in the order in which requests ended, listed in the order in which they began.
        return iter([self._entries[number][0] for number in sorted(self._entries)])

    def __len__(self) -> int:
        return len(self._entries)

"""The journal: the last requests of a sandbox, bounded in count and bytes."""

from __future__ import annotations

from collections import Counter, OrderedDict, deque
from collections.abc import Iterator, Mapping, Sequence
from itertools import count
from sys import getsizeof
from typing import Any, Literal, NamedTuple
from urllib.parse import parse_qs

from ..errors import Violation
from ..redact import Redactor, request_secrets
from .events import NO_EVENT, EventNumber

_ENTRY_BYTES = 1100  # of an entry without its texts and values, measured
_HEADER_BYTES = 140  # of the objects for one header besides its text, measured
_TEXT_BYTES = getsizeof("")  # of a text in ASCII without its characters
EVERY_SANDBOX = "*"  # of an event about the journals of all sandboxes; none has this name
EVENT_BYTES = 1024 * 1024  # of the entries that wait_for_entries returns, unless it is one
MAX_COVERAGE = 10_000  # counters of one sandbox: only injected statuses can make so many
_INTERNAL_ERRORS = 100  # entries with an internal error that outlast the journal


DifferenceKind = Literal[
    "status", "media_type", "added", "missing", "retyped", "format", "code", "value"
]


class ResponseDifference(NamedTuple):
    """A difference between the response of a live service and that of the mock.

    `kind` is `status`, `media_type`, `added` (only the live response has the member), `missing`
    (only that of the mock), `retyped`, `format` (of an id), `code` (of an error) or `value`.
    `location` is `status`, `content-type` or a JSON Pointer into the body, where `*` is any item.
    """

    kind: DifferenceKind
    location: str
    live: Any = None
    mock: Any = None


class JournalFrame(NamedTuple):
    """One frame of a WebSocket: JSON or text, with long texts cut; None for a binary one.

    `milliseconds` have passed since the request began.
    """

    sender: Literal["client", "server"]
    milliseconds: float
    size: int
    data: Any


class JournalEntry(NamedTuple):
    """One request and its response.

    `headers` and `query` are as sent; `fields` are the decoded members of the body without files;
    `uploads` are ids; `size` is in bytes. `status` is None when no response was sent: a reset, a
    client that disconnected. `early` is the number of seconds before Retry-After elapsed,
    `client_closed` the number after which the client ended the connection. `edition` is that of
    the contract, "" where there is only one. A `custom` response is one that a fault made and
    that need not satisfy the contract. `upstream` is the URL of the live service to which the
    request was forwarded, "" if the mock responded; `difference` has what the mock would have
    responded differently, None if that was not compared. `frames` are the first ones of a
    WebSocket, `closed` are the code and the reason of its end, None while it is open.
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
    client_closed: float | None = None
    internal_error: str = ""
    edition: str = ""
    custom: bool = False
    upstream: str = ""
    difference: tuple[ResponseDifference, ...] | None = None
    frames: tuple[JournalFrame, ...] = ()
    omitted_frames: int = 0
    closed: tuple[int, str] | None = None

    @property
    def id(self) -> str:
        """The id of the entry: `request_7`."""
        return f"request_{self.number}"

    def query_texts(self) -> dict[str, list[str]]:
        """Return the query parameters by name."""
        return parse_qs(self.query.decode("latin-1"), keep_blank_values=True)

    def header_texts(self) -> dict[str, str]:
        """Return the headers by name."""
        return {name.decode("latin-1"): text.decode("latin-1") for name, text in self.headers}

    def redactor(self) -> Redactor:
        """Return what masks the secrets of the request wherever they occur."""
        received = [frame.data for frame in self.frames if isinstance(frame.data, dict)]
        return Redactor(
            request_secrets(
                self.account, self.header_texts(), self.query_texts(), self.fields, *received
            )
        )

    def without_content(self) -> JournalEntry:
        """Return the entry without what the client sent in the body, and without the response."""
        return self._replace(
            fields={}, uploads=(), violations=(), response=b"", difference=None, frames=()
        )

    @property
    def weight(self) -> int:
        """The approximate number of bytes that it occupies in memory.

        Files are counted where they are stored.
        """
        headers = _HEADER_BYTES * (len(self.headers) + len(self.response_headers))
        for name, sent in self.headers:  # a loop is faster here than chained iterators
            headers += len(name) + len(sent)
        for value in self.response_headers.values():
            headers += len(value)
        text = len(self.account) + len(self.path) + len(self.query) + len(self.response)
        text += len(self.hint) + len(self.internal_error)
        values = _fields_memory(self.fields)
        if self.violations:
            values += _memory([self.fields, *self.violations])  # may contain values of the fields
            values -= _fields_memory(self.fields)
        if self.difference:
            values += _memory(self.difference)
        if self.frames:
            values += _memory(self.frames)
        return _ENTRY_BYTES + headers + text + values


def _fields_memory(fields: Mapping[str, Any]) -> int:
    """Return what `_memory` does, 20 times as fast for the flat text that most requests have."""
    try:
        text = "".join([*fields, *fields.values()])
    except TypeError:
        return _memory(fields)
    # Joined, text in ASCII counts like the rest: more than it takes.
    return getsizeof(fields) + 2 * len(fields) * _TEXT_BYTES + getsizeof(text)


def _memory(value: Any) -> int:
    """Return the number of bytes of a value and of all that it contains, each object once."""
    total, seen, stack = 0, set(), [value]
    while stack:
        item = stack.pop()
        if id(item) not in seen:
            seen.add(id(item))
            total += getsizeof(item)
            if isinstance(item, dict):
                stack += item
                stack += item.values()
            elif isinstance(item, list | tuple):
                stack += item
    return total


class JournalEvent(NamedTuple):
    """A journal entry that was completed: the event with this number.

    Events are numbered by sandbox, and over all sandboxes. `entry` is None if all entries of the
    sandbox before the event were deleted; those of all sandboxes if `sandbox` is EVERY_SANDBOX.
    """

    number: int
    sandbox: str
    entry: JournalEntry | None


class JournalEvents(NamedTuple):
    """The next events, oldest first; `last` is the number of the last one that was considered.

    `missed` events came before them, but their entries are no longer in the journal.
    """

    last: int
    events: Sequence[JournalEvent] = ()
    missed: int = 0


class _StoredEntry(NamedTuple):
    entry: JournalEntry
    weight: int
    event: EventNumber


class RequestCount(NamedTuple):
    """The number of requests to an operation that got a status, None if no response was sent.

    `provider` is "" for a path that no provider serves, `operation` for one without operations.
    """

    provider: str
    operation: str
    status: int | None
    total: int


class CoverageCount(NamedTuple):
    """The number of requests to an operation that got a status while some kinds of faults fired.

    `edition` is that of the contract, "" where there is only one. `status` is None if no response
    was sent; `kinds` are the different kinds in alphabetical order, none if the operation itself
    responded.
    """

    provider: str
    edition: str
    operation: str
    status: int | None
    kinds: tuple[str, ...]
    total: int


def count_of(entry: JournalEntry) -> CoverageCount | None:
    """Return what a request adds to the coverage.

    None for a request to no operation, and for one that failed because of the mock itself.
    """
    if not entry.operation or entry.internal_error:
        return None
    kinds = tuple(sorted({*entry.kind.split(", ")})) if entry.kind else ()
    return CoverageCount(entry.provider, entry.edition, entry.operation, entry.status, kinds, 1)


def _counted(entry: JournalEntry) -> tuple[str, str, int | None]:
    return entry.provider, entry.operation, entry.status


class Journal:
    """The entries of one sandbox in memory, at most `capacity`; `bytes` is their weight.

    The oldest entries are evicted. Those with an internal error stay in `internal_errors`, without
    their content, and all remain counted in `counts`, by provider, operation and status.
    """

    def __init__(self, capacity: int) -> None:
        self._capacity = capacity
        self._entries: OrderedDict[int, _StoredEntry] = OrderedDict()
        self._numbers = count(1)
        self.internal_errors: deque[JournalEntry] = deque(maxlen=_INTERNAL_ERRORS)
        self.counts: Counter[tuple[str, str, int | None]] = Counter()
        self.bytes = 0
        self.evicted = 0

    def next_number(self) -> int:
        """Reserve the number of an entry."""
        return next(self._numbers)

    def put(self, entry: JournalEntry, event: EventNumber = NO_EVENT) -> list[JournalEntry]:
        """Store an entry; return the one that it replaces, and those that it evicts.

        `event` is the number of its completion.
        """
        weight = entry.weight
        dropped = []
        before = self._entries.pop(entry.number, None)
        if before:
            self.bytes -= before.weight
            dropped.append(before.entry)
            self.counts[_counted(before.entry)] -= 1
        self.counts[_counted(entry)] += 1
        self._entries[entry.number] = _StoredEntry(entry, weight, event)
        self.bytes += weight
        if entry.internal_error:
            self.put_internal_error(entry)
        while len(self._entries) > self._capacity:
            dropped.append(self.evict())
        return dropped

    def evict(self) -> JournalEntry:
        """Delete the oldest entry, and return it."""
        _, oldest = self._entries.popitem(last=False)
        self.bytes -= oldest.weight
        self.evicted += 1
        for i, entry in enumerate(self.internal_errors):
            if entry is oldest.entry:
                self.internal_errors[i] = entry.without_content()
        return oldest.entry

    def completed(self, after: int, *, overall: bool) -> list[tuple[int, JournalEntry, int]]:
        """Return the events after a number, newest first: number, entry and its weight."""
        events = []
        for entry, weight, event in reversed(self._entries.values()):
            number = event.overall if overall else event.in_sandbox
            if event is not NO_EVENT:
                if number <= after:
                    break
                events.append((number, entry, weight))
        return events

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
        return stored.entry if stored else None

    def clear(self) -> None:
        """Delete all entries; numbers continue."""
        self._entries.clear()
        self.internal_errors.clear()
        self.counts.clear()
        self.bytes = self.evicted = 0

    def __iter__(self) -> Iterator[JournalEntry]:
        # Stored in the order in which requests ended, listed in the order in which they began.
        return iter([self._entries[number].entry for number in sorted(self._entries)])

    def __len__(self) -> int:
        return len(self._entries)

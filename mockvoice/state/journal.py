"""The last exchanges of a sandbox, bounded in count and bytes."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from itertools import count
from typing import Any

from .uploads import Upload

_ENTRY_BYTES = 2048  # what an exchange takes besides its texts, about


@dataclass(slots=True, eq=False)
class JournalEntry:
    """One request and what came of it; written down while it happens, told when it is asked for.

    `status` is None while no reply was sent, and stays so when none was: a reset, a client that
    went away. `early` is by how many seconds it came before it was told to by `Retry-After`.
    """

    number: int
    provider: str
    operation: str
    account: str
    method: str
    path: str
    query: bytes
    headers: Any
    at: float
    fields: Mapping[str, Any] = field(default_factory=dict)
    uploads: tuple[Upload, ...] = ()
    size: int = 0
    violations: tuple[Any, ...] = ()
    hint: str = ""
    fault: str = ""
    kind: str = ""
    status: int | None = None
    reply_type: str = ""
    reply_headers: Mapping[str, str] = field(default_factory=dict)
    reply: bytes = b""
    milliseconds: float | None = None
    early: float | None = None
    internal_error: str = ""

    @property
    def id(self) -> str:
        """What it is called: `request_7`."""
        return f"request_{self.number}"

    @property
    def weight(self) -> int:
        """How many bytes it holds on to, about; files are counted where they are kept."""
        weight: int = (
            _ENTRY_BYTES + self.headers.size + len(self.query) + self.size + len(self.reply)
        )
        for upload in self.uploads:
            weight -= upload.size
        return weight


class Journal:
    """Exchanges, oldest first: at most `entries` of them and about `bytes` bytes.

    What is beyond is dropped oldest first, and counted in `dropped`.
    """

    def __init__(self, entries: int, bytes: int) -> None:
        self._entries = entries
        self._bytes = bytes
        self._exchanges: OrderedDict[int, tuple[JournalEntry, int]] = OrderedDict()
        self._numbers = count(1)
        self.bytes = 0
        self.evicted = 0

    def next_number(self) -> int:
        """The number of the exchange that begins."""
        return next(self._numbers)

    async def append(self, handle_request: JournalEntry) -> None:
        """Keep an exchange that ended, at the cost of the oldest where there is no room."""
        weight = handle_request.weight
        self._exchanges[handle_request.number] = handle_request, weight
        self.bytes += weight
        while len(self._exchanges) > self._entries or self.bytes > self._bytes:
            if len(self._exchanges) == 1:
                break
            _, (_, lightened) = self._exchanges.popitem(last=False)
            self.bytes -= lightened
            self.evicted += 1

    async def get(self, number: int) -> JournalEntry | None:
        """The exchange with a number."""
        found = self._exchanges.get(number)
        return found[0] if found else None

    async def clear(self) -> None:
        """Forget all exchanges; the numbers of those to come go on."""
        self._exchanges.clear()
        self.bytes = self.evicted = 0

    def __iter__(self) -> Iterator[JournalEntry]:
        # They are kept as they ended, and told as they began.
        return iter([self._exchanges[number][0] for number in sorted(self._exchanges)])

    def __len__(self) -> int:
        return len(self._exchanges)

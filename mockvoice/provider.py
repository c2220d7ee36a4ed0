"""What a provider is: a contract, and plain functions for what the contract leaves unsaid."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from types import MappingProxyType
from typing import Any, NamedTuple
from urllib.parse import quote

from .errors import Problem
from .openapi.document import Document, Operation
from .openapi.lift import JSON, ContractError
from .sandbox.accounts import Account
from .sandbox.sandbox import Sandbox
from .sandbox.uploads import Kept, Upload
from .sandbox.voices import Record
from .settings import BYTES_PER_MB, Settings

_HERE = Path(__file__).parent
SPECS = next(  # inside the package where it was installed, beside it in a checkout
    folder for folder in (_HERE / "specs", _HERE.parent / "specs") if folder.is_dir()
)


NOWHERE = Operation(id="", method="", path="")


class Headers:
    """The headers of a request by lower-case name; of a repeated one the last."""

    def __init__(self, raw: Iterable[tuple[bytes, bytes]]) -> None:
        self._raw = dict(raw)

    def get(self, name: str, default: str = "") -> str:
        """A header's value (decoded only now: most are never asked for)."""
        value = self._raw.get(name.encode("latin-1"))
        return default if value is None else value.decode("latin-1")

    def items(self) -> list[tuple[str, str]]:
        """All names and values."""
        return [(k.decode("latin-1"), v.decode("latin-1")) for k, v in self._raw.items()]


@dataclass(slots=True, eq=False)
class Call:
    """One request to one operation, read and checked: what a handler is given.

    The operation is NOWHERE where path and method lead to none. `parameters` are those of path,
    query and header, `fields` the body's members, with an Upload (or a list of them) where a file
    was sent; all in the types that the contract wants. `uploads` are all files of the body,
    `origin` is where the client reaches the mock: `http://127.0.0.1:4010`.
    """

    mock: Mock
    sandbox: Sandbox
    provider: Provider
    operation: Operation
    account: Account
    headers: Headers
    origin: str
    parameters: dict[str, JSON] = field(default_factory=dict)
    fields: dict[str, Any] = field(default_factory=dict)
    uploads: tuple[Upload, ...] = ()

    async def add(self, collection: str, id: str, data: dict[str, JSON]) -> Record:
        """Store a record of this account, with the files of this call."""
        now, name, key = self.sandbox.clock.now(), self.provider.name, self.account.key
        record = Record(name, collection, key, id, data, now, self.uploads)
        return await self.sandbox.voices.add(record)

    async def find(self, collection: str, id: str) -> Record | None:
        """The record of this account with this id."""
        voices, name = self.sandbox.voices, self.provider.name
        return await voices.get(name, collection, self.account.key, id)

    async def all(self, collection: str) -> list[Record]:
        """The records of this account, oldest first."""
        return await self.sandbox.voices.list(self.provider.name, collection, self.account.key)

    def sound_url(self, voice: str) -> str:
        """Where the mock itself serves a sound that this voice makes."""
        return f"{self.origin}/__mockvoice/samples/wav?voice={quote(voice)}"

    def max_bytes(self, documented: int | None) -> int | None:
        """How large a file may be: the setting for this provider, else as documented."""
        megabytes = self.sandbox.settings.max_file_mb.get(self.provider.name)
        return documented if megabytes is None else int(megabytes * 1024 * 1024)


class Answer(NamedTuple):
    """What a handler returns where plain JSON does not say it all.

    A body that is an iterator is streamed in its pieces. `status` and `media_type` only where the
    contract offers several.
    """

    body: JSON | bytes | Iterator[bytes] = None
    status: int | None = None
    media_type: str | None = None
    headers: Mapping[str, str] = MappingProxyType({})


Handler = Callable[[Call], Awaitable[Any]]


def _documented_error(problem: Problem, status: int, call: Call) -> JSON:
    """The words of a provider that has no module: the contract's example for this status."""
    body = call.operation.documented(status)
    return body if body is not None else {"error": problem.sentences or f"status {status}"}


async def _admit_all(call: Call) -> None:
    """The rules for accounts of a provider that has none."""


def _no_presets(sandbox: Sandbox, key: str) -> list[Record]:
    return []


@dataclass(frozen=True, eq=False)
class Provider:
    """A contract with a name, and what it leaves unsaid.

    `error` words a problem for a status; `admit` raises for accounts that may not call the
    operation; `account` is the state of a new key, and `presets` the records that it finds.
    """

    name: str
    title: str = ""
    error: Callable[[Problem, int, Call], JSON] = _documented_error
    admit: Callable[[Call], Awaitable[None]] = _admit_all
    account: Mapping[str, Any] = field(default_factory=dict)
    presets: Callable[[Sandbox, str], list[Record]] = _no_presets
    error_type: str = "application/json"
    contract: Path | None = None
    prefix: str | None = None
    handlers: dict[str, Handler] = field(default_factory=dict)
    remembering: set[str] = field(default_factory=set)

    def operation(
        self, operation_id: str, *, remembers: bool = True
    ) -> Callable[[Handler], Handler]:
        """Make a function the handler of an operation of the contract.

        `remembers` tells people whether its answer depends on what was sent before.
        """

        def register(handler: Handler) -> Handler:
            self.handlers[operation_id] = handler
            if remembers:
                self.remembering.add(operation_id)
            return handler

        return register

    @cached_property
    def document(self) -> Document:
        """The contract, read on first use.

        Raises ContractError when it cannot be understood, or lacks an operation that has a handler.
        """
        path = self.contract or SPECS / f"{self.name}.yaml"
        document = Document(self.name, path.read_text(encoding="utf-8"))
        for operation_id in self.handlers:
            if operation_id not in document.operations:
                raise ContractError(f"{self.name}: {path} has no operation {operation_id}")
        return document

    @property
    def base_path(self) -> str:
        """Where the provider is served: `/telnyx/v2`."""
        prefix = f"/{self.name}" if self.prefix is None else self.prefix
        return f"{prefix}{self.document.base_path}"


class Mock:
    """All that one server holds: its settings, its providers, and what it remembers."""

    def __init__(self, settings: Settings, providers: Iterable[Provider]) -> None:
        self.settings = settings
        self.providers = {provider.name: provider for provider in providers}
        self.kept = Kept(settings.keep_mb * BYTES_PER_MB)
        self.sandbox = Sandbox("", settings, self.kept)

    def reset(self) -> None:
        """Forget everything."""
        self.kept.forget({upload for record in self.sandbox.voices for upload in record.uploads})
        self.sandbox = Sandbox("", self.settings, self.kept)

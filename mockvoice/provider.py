"""What a provider is: a contract, and plain functions for what the contract leaves unsaid."""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from types import MappingProxyType
from typing import Any, NamedTuple
from urllib.parse import quote

from .config.settings import BYTES_PER_MB, Settings
from .errors import Problem, RequestLocation, ValidationFailed, Violation
from .openapi.document import Document, Operation
from .openapi.examples import example
from .openapi.messages import did_you_mean
from .openapi.normalize import JSON, ContractError
from .openapi.schema import Schema, escape
from .state.access_log import printer
from .state.accounts import Account
from .state.clock import Ids, timestamp
from .state.journal import JournalEntry
from .state.records import EVERYBODY, Record
from .state.sandbox import Sandbox
from .state.uploads import Upload, UploadCache

log = logging.getLogger("mockvoice")

_HERE = Path(__file__).parent
SPECS = next(  # inside the package where it was installed, beside it in a checkout
    folder for folder in (_HERE / "specs", _HERE.parent / "specs") if folder.is_dir()
)


NO_OPERATION = Operation(id="", method="", path="")
_FRAMING = ("content-length", "transfer-encoding")


class Headers:
    """The headers of a request by lower-case name; of a repeated one the last."""

    def __init__(self, raw: Iterable[tuple[bytes, bytes]]) -> None:
        self._raw = dict(raw)

    def any_of(self, names: frozenset[bytes]) -> bool:
        """Whether one of some headers is there."""
        return not names.isdisjoint(self._raw)

    def get(self, name: str, default: str = "") -> str:
        """A header's value (decoded only now: most are never asked for)."""
        value = self.find(name)
        return default if value is None else value

    def find(self, name: str) -> str | None:
        """A header's value, or None."""
        value = self._raw.get(name.encode("latin-1"))
        return None if value is None else value.decode("latin-1")

    @property
    def size(self) -> int:
        """The bytes of all names and values."""
        return sum(map(len, self._raw)) + sum(map(len, self._raw.values()))

    def items(self) -> list[tuple[str, str]]:
        """All names and values."""
        return [(k.decode("latin-1"), v.decode("latin-1")) for k, v in self._raw.items()]


@dataclass(slots=True, eq=False)
class RequestContext:
    """One request to one operation, read and checked: what a handler is given.

    The operation is NOWHERE where path and method lead to none. `parameters` are those of path,
    query and header, `fields` the body's members, with an Upload (or a list of them) where a file
    was sent; all in the types that the contract wants. `uploads` are all files of the body, `body`
    is what was sent as JSON. `origin` is where the client reaches the mock:
    `http://127.0.0.1:4010`. `at_once` counts the requests of this account that were being answered
    when it came, itself among them. What stands in `reply_headers` comes with every reply, `told`
    is what the journal will tell.
    """

    mock: Mock
    sandbox: Sandbox
    provider: Provider
    operation: Operation
    account: Account
    headers: Headers
    origin: str
    entry: JournalEntry
    at_once: int = 1
    parameters: dict[str, JSON] = field(default_factory=dict)
    fields: dict[str, Any] = field(default_factory=dict)
    uploads: tuple[Upload, ...] = ()
    body: JSON = None
    reply_headers: dict[str, str] = field(default_factory=dict)

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

    def record_internal_error(self, message: str) -> None:
        """Write down that mockvoice itself did something wrong."""
        log.error("%s", message)
        self.entry.internal_error = message
        self.sandbox.internal_errors.append(message)

    def sample_url(self, voice: str) -> str:
        """Where the mock itself serves a sound that this voice makes."""
        return f"{self.origin}/__mockvoice/samples/wav?voice={quote(voice)}"

    def max_bytes(self, documented: int | None) -> int | None:
        """How large a file may be: the setting for this provider, else as documented."""
        megabytes = self.sandbox.settings.max_file_mb.get(self.provider.name)
        return documented if megabytes is None else int(megabytes * 1024 * 1024)


class Response(NamedTuple):
    """What a handler returns where plain JSON does not say it all.

    A body that is an iterator is streamed in its pieces. `status` and `media_type` only where the
    contract offers several.
    """

    body: JSON | bytes | Iterator[bytes] = None
    status: int | None = None
    media_type: str | None = None
    headers: Mapping[str, str] = MappingProxyType({})


Handler = Callable[[RequestContext], Awaitable[Any]]


def _documented_error(problem: Problem, status: int, ctx: RequestContext) -> JSON:
    """The words of a provider that has no module: the contract's example for this status."""
    body = ctx.operation.documented(status)
    return body if body is not None else {"error": problem.sentences or f"status {status}"}


class Limit(NamedTuple):
    """So many calls to some operations (none named: to all), by tier where tiers differ.

    `per` is in seconds; None limits how many are answered at once.
    """

    operations: tuple[str, ...] = ()
    max_count: int | Mapping[str, int] = 0
    per: float | None = None

    def matches(self, operation_id: str) -> bool:
        """Whether it holds for an operation."""
        return not self.operations or operation_id in self.operations

    def for_tier(self, tier: str) -> int | None:
        """How many a tier has; None for as many as it wants."""
        return self.max_count if isinstance(self.max_count, int) else self.max_count.get(tier)


class Collection(NamedTuple):
    """One kind of things that are stored: where the contract describes one, and its id's name.

    For one that is planted `new_id` makes an id, `sound` is the member that leads to how it sounds,
    and `beside` makes the records that belong to it.
    """

    schema: str
    id: str
    new_id: Callable[[Ids], str]
    sound: str = ""
    beside: Callable[[Record], list[Record]] = lambda record: []


@dataclass(frozen=True, eq=False)
class Provider:
    """A contract with a name, and plain functions for what the contract leaves open.

    `aliases` are other names for environment variables. `error` words a problem for a status.
    `admit` raises for accounts that may not call the operation, before the body is decoded.
    `account` is the state of a new key, `presets` returns the records that it starts with. `limits`
    are the documented rate limits, by name; `rate_headers` returns the headers that report one,
    from its maximum, the number left and the seconds until the next is available. `collections` are
    the kinds of records that may be seeded, cloned voices first.

    `raises` are the errors that `admit` may raise for every operation; `declared_errors` are those
    of the operations, by id.
    """

    name: str
    title: str = ""
    error: Callable[[Problem, int, RequestContext], JSON] = _documented_error
    admit: Callable[[RequestContext], Awaitable[None]] | None = None
    raises: Sequence[Problem] = ()
    aliases: tuple[str, ...] = ()
    account: Mapping[str, Any] = field(default_factory=dict)
    presets: Callable[[Sandbox, str], list[Record]] | None = None
    limits: Mapping[str, Limit] = field(default_factory=dict)
    rate_headers: Callable[[int, int, float], dict[str, str]] | None = None
    collections: Mapping[str, Collection] = field(default_factory=dict)
    error_type: str = "application/json"
    journalled: bool = True
    contract: Path | None = None
    prefix: str | None = None
    handlers: dict[str, Handler] = field(default_factory=dict)
    declared_errors: dict[str, Sequence[Problem]] = field(default_factory=dict)
    stateful_operations: set[str] = field(default_factory=set)

    def operation(
        self, operation_id: str, *, stateful: bool = True, raises: Sequence[Problem] = ()
    ) -> Callable[[Handler], Handler]:
        """Register a function as the handler of an operation of the contract.

        `stateful` tells users that responses depend on earlier requests. `raises` declares the
        errors of the function, and those that `admit` raises for this operation: one Problem for
        each cause, which its detail names, as in `NotFound("unknown voice_id")`. Errors that follow
        from the contract, such as a missing field, need no declaration.
        """

        def register(handler: Handler) -> Handler:
            self.handlers[operation_id] = handler
            self.declared_errors[operation_id] = raises
            if stateful:
                self.stateful_operations.add(operation_id)
            return handler

        return register

    def declared(self, operation_id: str) -> list[Problem]:
        """Return the errors that `admit` and the handler of an operation may raise."""
        return [*self.raises, *self.declared_errors.get(operation_id, ())]

    @cached_property
    def document(self) -> Document:
        """The contract, read on first use.

        Raises ContractError for an unreadable contract, or one that lacks an operation that has a
        handler.
        """
        path = self.contract or SPECS / f"{self.name}.yaml"
        document = Document(self.name, path.read_text(encoding="utf-8"))
        for operation_id in self.handlers:
            if operation_id not in document.operations:
                raise ContractError(f"{self.name}: {path} has no operation {operation_id}")
        return document

    @property
    def base_path(self) -> str:
        """The path that the provider is served under: `/telnyx/v2`."""
        prefix = f"/{self.name}" if self.prefix is None else self.prefix
        return f"{prefix}{self.document.base_path}"


def undeclared(provider: Provider, operation_id: str, problem: Problem) -> str:
    """Return the message for an error that an operation raises without declaring it, else "".

    The control API is exempt: it has no `mockvoice errors` to keep true.
    """
    declared = tuple(type(error) for error in provider.declared(operation_id))
    if isinstance(problem, declared) or not provider.journalled:
        return ""
    name = type(problem).__name__
    return (
        f"{provider.name} {operation_id} raised {name}, which it does not declare: add"
        f' {name}("<cause>") to raises in @provider.operation("{operation_id}", raises=[...]), or'
        f" to raises of the Provider if admit raises it for every operation"
    )


class Mock:
    """All that one server holds: its settings, its providers, and what it remembers.

    `served` are the providers without the control API.
    """

    def __init__(self, settings: Settings, providers: Iterable[Provider]) -> None:
        self.settings = settings
        self.log = printer(settings.log)
        self.providers = {provider.name: provider for provider in providers}
        self.served = {name: each for name, each in self.providers.items() if each.journalled}
        self.kept = UploadCache(settings.upload_cache_mb * BYTES_PER_MB)
        self.sandbox = self._begin("")
        self._sandboxes: dict[str, Sandbox] = {}

    def _begin(self, name: str) -> Sandbox:
        return Sandbox(name, self.settings, self.kept, self.seeded)

    def named(self, name: str) -> Sandbox:
        """The sandbox with a name, made on first use; the oldest gives way to too many."""
        if not name:
            return self.sandbox
        if name not in self._sandboxes:
            self._sandboxes[name] = self._begin(name)
            if len(self._sandboxes) > self.settings.max_sandboxes:
                del self._sandboxes[next(iter(self._sandboxes))]
        return self._sandboxes[name]

    @property
    def sandboxes(self) -> list[Sandbox]:
        """All of them, the default one first."""
        return [self.sandbox, *self._sandboxes.values()]

    def _control_schema(self, name: str) -> Schema:
        schemas = self.providers["mockvoice"].document.schemas
        return schemas.compile(f"#/components/schemas/{name}")

    def wrong_fault(self, data: JSON, location: RequestLocation, at: str = "") -> list[Violation]:
        """Why JSON that stands at a place is no fault, or one that can never fire; else nothing."""
        kind = "Fault" if location == "header" else "FaultOrSequence"  # a request has but one turn
        violations = self._control_schema(kind).violations(data, location, at)
        if isinstance(data, dict):
            violations += self.wrong_target(data, location, at)
        if violations:
            return violations
        turns = {f"{at}/sequence/{i}": turn for i, turn in enumerate(data.get("sequence", ()))}
        return [
            _unwritable(location, f"{where}/headers/{name}", name)
            for where, turn in (turns or {at: data}).items()
            if isinstance(turn, dict)
            for name in turn.get("headers", ())
            if name.lower() in _FRAMING
        ]

    def wrong_limits(
        self, provider: Provider, state: Mapping[str, JSON], location: RequestLocation, at: str = ""
    ) -> list[Violation]:
        """The limits in an account's state that are none of the provider's; else nothing."""
        known = [*provider.limits, "requests"]
        return [
            off_the_list(location, f"{at}/limits/{escape(name)}", known, name)
            for name in state.get("limits", {})
            if name not in known
        ]

    def wrong_target(
        self, data: Mapping[str, JSON], location: RequestLocation, at: str = ""
    ) -> Iterator[Violation]:
        """Why its `provider` or `operation` names nothing that is served; else nothing."""
        wanted, operation = data.get("provider"), data.get("operation")
        served = self.served
        if isinstance(wanted, str) and wanted not in served:
            yield off_the_list(location, f"{at}/provider", [*served], wanted)
        elif isinstance(operation, str):
            ids = {
                name: each.id
                for provider in ([served[wanted]] if isinstance(wanted, str) else served.values())
                for each in provider.document.operations.values()
                for name in (each.id, f"{each.method} {each.path}")
            }
            if operation not in ids:
                known = [*dict.fromkeys(ids.values())]
                message = f"must be an operation; got {operation}; there are {', '.join(known)}"
                same_form = [name for name in ids if (" " in name) == (" " in operation)]
                yield off_the_list(location, f"{at}/operation", same_form, operation)._replace(
                    message=message, expected=known
                )

    def seeded(
        self,
        wanted: Mapping[str, Any],
        ids: Ids,
        now: float,
        sample_url: Callable[[str], str] | None = None,
    ) -> list[Record]:
        """The record that a Plant of the control API asks for, after those that belong to it.

        What is missing is made up so that the record fits its contract; `sound_url` leads to the
        sound of an id where the mock's address is known. Raises Invalid.
        """
        found: Provider = _named("/provider", wanted["provider"], self.served)
        name = wanted.get("collection") or next(iter(found.collections), "")
        collection: Collection = _named("/collection", name, found.collections)
        schema = found.document.schemas.compile(collection.schema)
        given = {**wanted.get("data", {})}
        if "id" in wanted:
            given[collection.id] = wanted["id"]
        id = given.get(collection.id) or collection.new_id(ids)
        if isinstance(id, str) and schema.node["properties"][collection.id].get("format") == "uuid":
            id = id.lower()  # as RFC 9562 writes it, and as it is looked for
        shown: dict[str, JSON] = example(found.document.schemas, schema.node)
        # The id itself, and what else is the same, such as provider_voice_id.
        same = {name for name, value in shown.items() if value == shown[collection.id]}
        made = {
            name: id if name in same else _anew(found, schema, name, value, ids, now)
            for name, value in shown.items()
        }
        data = {**made, **given, collection.id: id}
        if sample_url and collection.sound and collection.sound not in given:
            data[collection.sound] = sample_url(str(id))
        if not schema.is_valid(data):
            # What was made up fits, but for the id in it.
            at = "/id" if "id" in wanted else f"/data/{collection.id}"
            ours = same - given.keys() | ({collection.id} if "id" in wanted else set())
            broken = [
                each if ours.isdisjoint(each.pointer.split("/")[2:3]) else each._replace(pointer=at)
                for each in schema.violations(data, "body", "/data")
            ]
            raise ValidationFailed("", *{each.sentence: each for each in broken}.values())
        record = Record(found.name, name, wanted.get("account") or EVERYBODY, str(id), data, now)
        return [*collection.beside(record), record]


def _anew(found: Provider, schema: Schema, name: str, value: JSON, ids: Ids, now: float) -> JSON:
    """A member as the contract shows it, but of a new record: an id of its own, of this moment."""
    kind = schema.node["properties"][name].get("format")
    if kind == "date-time":
        return timestamp(now)
    return ids.uuid(f"{found.name} planted {name}") if kind == "uuid" and value else value


def _named(at: str, name: str, known: Mapping[str, Any]) -> Any:
    if name not in known:
        raise ValidationFailed("", off_the_list("body", at, [*known], name))
    return known[name]


def off_the_list(location: RequestLocation, pointer: str, known: list[str], got: str) -> Violation:
    """What is none of the names that are known, and which may have been meant."""
    message = f"must be one of {', '.join(known) or 'none'}; got {got}"
    hint = did_you_mean(got, known)
    return Violation(location, pointer, "enum", message, expected=known, received=got, hint=hint)


def _unwritable(location: RequestLocation, pointer: str, name: str) -> Violation:
    message = "is written by the server; ask for the kind truncate to have it lie"
    return Violation(location, pointer, "not", message, received=name)

"""Providers: a contract, and plain functions for what the contract cannot express."""

from __future__ import annotations

import logging
import re
from collections.abc import (
    AsyncIterator,
    Awaitable,
    Callable,
    Iterable,
    Iterator,
    Mapping,
    Sequence,
)
from dataclasses import dataclass, field, replace
from functools import cache, cached_property
from pathlib import Path
from types import MappingProxyType
from typing import Any, Literal, NamedTuple, Protocol
from urllib.parse import quote

from .config.settings import Settings
from .errors import MissingMember, Problem, RequestLocation
from .openapi.document import Document, Operation
from .openapi.normalize import ContractError
from .redact import Redactor, request_secrets
from .state.accounts import STATE, Account
from .state.ids import Ids
from .state.records import Data, Query, Record, RecordPage, key_of
from .state.store import AddUsage, AtMost, Begun, Change, PutRecord, RemoveRecord, Spend, Store
from .state.uploads import Upload
from .types import JSON

log = logging.getLogger("mockvoice")

_HERE = Path(__file__).parent
SPECS = next(  # inside an installed package, beside the package in a checkout
    folder for folder in (_HERE / "specs", _HERE.parent / "specs") if folder.is_dir()
)

LATEST = "latest"  # the newest bundled edition of a contract
_MESSAGE_CHARACTERS = 16_384  # of an internal error

NO_OPERATION = Operation(id="", method="", path="")
_SECURITY_SCHEMES = re.compile(r"  securitySchemes:\n(    .*\n)+")
PRESET_CREATED = 1_704_067_200.0  # 2024-01-01, in seconds since 1970


class Headers:
    """The headers of a request by lower-case name; of a repeated header the last one."""

    def __init__(self, raw: Iterable[tuple[bytes, bytes]]) -> None:
        self.raw = raw
        self._values = dict(raw)

    def has_any(self, names: frozenset[bytes]) -> bool:
        """Return True if one of these headers was sent."""
        return bool(names & self._values.keys())

    def get(self, name: str, default: str = "") -> str:
        """Return the value of a header (decoded here, since most headers are never read)."""
        value = self.find(name)
        return default if value is None else value

    def find(self, name: str) -> str | None:
        """Return the value of a header, or None."""
        value = self._values.get(name.encode("latin-1"))
        return None if value is None else value.decode("latin-1")

    def items(self) -> list[tuple[str, str]]:
        """Return all names and values."""
        return [(k.decode("latin-1"), v.decode("latin-1")) for k, v in self._values.items()]


def sample_url(origin: str, voice: str) -> str:
    """Return the URL at which the mock at an origin serves a sample of a voice."""
    return f"{origin}/__mockvoice/samples/wav?voice={quote(voice)}"


class Members(dict[str, Any]):
    """Fields or parameters by name. Reading one that was not sent raises MissingMember.

    With a bundled contract that cannot happen, because it requires what handlers read, or has a
    default for it. The contract of a user may require less.
    """

    def __init__(self, location: RequestLocation, members: Mapping[str, Any]) -> None:
        super().__init__(members)
        self._location = location

    def __missing__(self, name: str) -> Any:
        raise MissingMember(self._location, name)


class Services(Protocol):
    """The parts of a mock that the handling of a request uses."""

    settings: Settings
    store: Store

    def base_records(
        self, provider: Provider, account: str, collection: str, seed: str, started_at: float | None
    ) -> list[Record]:
        """Return the presets of an account, and the configured records that it sees."""

    def configured_records(
        self, provider: Provider, seed: str, started_at: float | None
    ) -> Sequence[Record]:
        """Return the provider's records of the settings as a sandbox has them at its start."""

    async def get_uploads(self, sandbox: str, ids: Sequence[str]) -> Sequence[Upload]:
        """Return the files of records; the content of an evicted one is None."""


@dataclass(slots=True, eq=False)
class RequestContext:
    """One request to one operation: the argument of a handler.

    `parameters` are those of path, query and headers; `fields` are the members of the body, with an
    Upload (or a list of them) for each file; both have the types that the contract declares.
    `uploads` are all files of the body, `body` is a JSON body as it was sent. `origin` is the
    address at which the client reaches the sandbox: `http://127.0.0.1:4010`. `account` is the state
    of the API key when the request began, `now` that time in seconds since 1970, and `ids` makes
    ids that repeat with the seed. `response_headers` are sent with every response.

    A handler changes nothing itself: `add`, `update`, `remove`, `spend` and `add_usage` are applied
    all at once when the handler has returned, and not at all if it raised. If the state changed
    in between, the handler runs again. `is_shadow` is True while the response is only compared with
    a live one.
    """

    mock: Services
    provider: Provider
    operation: Operation
    sandbox: str
    account: Account
    headers: Headers
    origin: str
    begun: Begun
    ids: Ids = field(init=False)
    parameters: dict[str, JSON] = field(default_factory=dict)
    fields: dict[str, Any] = field(default_factory=dict)
    uploads: tuple[Upload, ...] = ()
    body: JSON = None
    response_headers: dict[str, str] = field(default_factory=dict)
    changes: list[Change] = field(default_factory=list)
    not_found: list[tuple[str, str]] = field(default_factory=list)
    internal_error: str = ""
    is_shadow: bool = False

    def __post_init__(self) -> None:
        self._begin_ids()

    def _begin_ids(self) -> None:
        """Begin with the first ids of the request."""
        scope = f"{self.provider.name}/{self.operation.id}"
        self.ids = Ids(self.begun.seed, scope, self.begun.ordinal)

    @property
    def now(self) -> float:
        """The time at which the request began, in seconds since 1970."""
        return self.begun.now

    async def find(self, collection: str, id: str) -> Record | None:
        """Return the record of this account with an id, or None."""
        name, key = self.provider.name, self.account.key
        record = await self.mock.store.get_record(self.sandbox, name, collection, key, id)
        if record is None:
            for base in self._base_records(collection):
                if base.id == id:
                    return base
        if record is None or record.removed:
            self.not_found.append((collection, id))
            return None
        return record

    async def all(self, collection: str) -> Sequence[Record]:
        """Return the records of this account, oldest first, after presets and configured ones."""
        return (await self.page(collection)).records

    async def page(self, collection: str, query: Query | None = None) -> RecordPage:
        """Return the records of this account that a query finds: by default all of them.

        Presets and configured records are older than all others. The query may use "id" and the
        `keys` of the collection.
        """
        query = query or Query()
        _check_keys(self.provider, collection, query)
        base = self._base_records(collection)
        # The stored records that precede the page, as many as base records could come before.
        first = max(query.offset - len(base), 0)
        limit = None if query.limit is None else query.offset + query.limit - first
        stored = await self.mock.store.find_records(
            self.sandbox,
            self.provider.name,
            collection,
            self.account.key,
            query._replace(offset=first, limit=limit, base=[record.id for record in base]),
        )
        return _merged(self.provider, base, stored, query, query.offset - first) if base else stored

    async def files(self, record: Record) -> Sequence[Upload]:
        """Return the files of a record; the content of an evicted one is None."""
        return await self.mock.get_uploads(self.sandbox, record.uploads)

    async def owner_hint(self) -> str:
        """Return the hint for a record that was not found because of its account, or ""."""
        for collection, id in self.not_found:
            if await self.exists(collection, id):
                return (
                    f"{id} in {collection} belongs to another API key; a key sees only its own"
                    " records and those of every key"
                )
        return ""

    async def exists(self, collection: str, id: str) -> bool:
        """Return True if any account has a record with an id, presets aside."""
        store, name = self.mock.store, self.provider.name
        if await store.has_record(self.sandbox, name, collection, id):
            return True
        seed, started_at = self.begun.seed, self.begun.started_at
        for base in self.mock.configured_records(self.provider, seed, started_at):
            if (base.collection, base.id) == (collection, id):
                stored = await store.get_record(self.sandbox, name, collection, base.account, id)
                if stored is None:  # neither replaced nor removed
                    return True
        return False

    def _base_records(self, collection: str) -> list[Record]:
        """The presets of the account and the records of the settings, as they were at the start."""
        records = self.mock.base_records(
            self.provider, self.account.key, collection, self.begun.seed, self.begun.started_at
        )
        return [with_sample(self.provider, record, self.sample_url) for record in records]

    def add(self, collection: str, id: str, data: Data) -> Record:
        """Store a record of this account, with the files of this request; returns it."""
        uploads = tuple([upload.id for upload in self.uploads])
        name, account = self.provider.name, self.account.key
        keys = _keys(self.provider, collection, data)
        record = Record(name, collection, account, id, data, self.now, uploads, keys=keys)
        self.changes.append(PutRecord(record))
        return record

    def update(self, record: Record, **members: JSON) -> Data:
        """Replace members of a record's data; returns the new data."""
        data = {**record.data, **members}
        updated = with_keys(self.provider, record._replace(data=data))
        self.changes.append(PutRecord(updated, record.revision))
        return data

    def remove(self, record: Record) -> None:
        """Delete a record; a preset that it replaced does not come back."""
        ids = {base.id for base in self._base_records(record.collection)}
        self.changes.append(RemoveRecord(record._replace(base=record.id in ids)))

    def spend(self, amount: float) -> bool:
        """Spend credit; return False, and spend nothing, if the account has less.

        What the handler has spent before is taken into account.
        """
        credit = self.account.credit
        if credit is not None:
            spent = sum(change.amount for change in self.changes if isinstance(change, Spend))
            if credit < spent + amount:
                return False
        self.changes.append(Spend(amount))
        return True

    def add_usage(self, usage: Mapping[str, Any]) -> None:
        """Record a use of the account."""
        self.changes.append(AddUsage(usage))

    async def usage(self) -> Sequence[Mapping[str, Any]]:
        """Return the uses of the account, oldest first."""
        store, name = self.mock.store, self.provider.name
        return await store.get_usage(self.sandbox, name, self.account.key)

    def require_unchanged(self, collection: str, prefix: str, records: Sequence[Record]) -> None:
        """Run the handler again if records with such ids were added since these were read."""
        stored = sum(record.number > 0 for record in records)
        self.changes.append(AtMost(collection, prefix, stored))

    def retry(self, account: Account) -> None:
        """Discard all changes and begin again with the account as it is now."""
        self.account = account
        self.changes.clear()
        self.not_found.clear()
        self.response_headers.clear()
        self._begin_ids()

    def record_internal_error(self, message: str) -> None:
        """Log a failure of mockvoice itself, and add it to the journal entry.

        Its secrets are masked here: the journal, which masks those of an entry, may evict what it
        knows them from. Only the end of a long message is kept: a traceback ends with the
        exception, whose text can contain a whole field. While the mock only shadows a live service,
        such a failure shows as a difference.
        """
        if self.is_shadow:
            return
        headers = dict(self.headers.items())
        secrets = request_secrets(self.account.key, headers, self.parameters, self.fields)
        self.internal_error = Redactor(secrets).text(message)[-_MESSAGE_CHARACTERS:]
        log.error("%s", self.internal_error)

    def sample_url(self, voice: str) -> str:
        """Return the URL at which the mock serves a sample of a voice."""
        return sample_url(self.origin, voice)

    def max_bytes(self, documented: int | None) -> int | None:
        """Return the size limit of a file: the setting for this provider, else as documented."""
        megabytes = self.mock.settings.max_file_mb.get(self.provider.name)
        return documented if megabytes is None else int(megabytes * 1024 * 1024)


class Response(NamedTuple):
    """The result of a handler that needs more than JSON.

    A body that is an iterator of bytes is streamed, and followed by the `trailers`. `status` and
    `media_type` are needed only where the contract offers several.
    """

    body: JSON | bytes | Iterator[bytes] = None
    status: int | None = None
    media_type: str | None = None
    headers: Mapping[str, str] = MappingProxyType({})
    trailers: Mapping[str, str] = MappingProxyType({})


Handler = Callable[[RequestContext], Any]  # plain or async


class WebSocket(Protocol):
    """An open WebSocket: the argument of a conversation.

    A frame is JSON, or bytes. `idle_seconds` is the time without a frame of the client after which
    the server closes the connection.
    """

    idle_seconds: float

    def __aiter__(self) -> AsyncIterator[Any]:
        """Return the frames of the client, each checked against the contract, until it closes.

        Raises MalformedBody or ValidationFailed for a frame that violates the contract.
        """

    def play(self, frames: Iterable[Any]) -> None:
        """Send frames, after those that are still to be sent, while the conversation goes on.

        Each is taken from the iterable only when the one before it has been sent.
        """

    def interrupt(self) -> None:
        """Drop the frames that are still to be sent."""

    async def call(self, function: Handler) -> Any:
        """Return the result of a function of the context, and apply what it changed.

        It is called again if the state changed in the meantime.
        """

    async def authenticate(self, key: str) -> None:
        """Continue with the account of an API key that a frame has. Raises Unauthenticated."""

    def add_hint(self, hint: str) -> None:
        """Add a hint to the journal entry."""

    async def close(self, code: int = 1000, reason: str = "") -> None:
        """Send what is still to be sent, and close the connection; nothing follows."""


# Talks to a client until it returns. A Problem that it raises is sent as the provider's error
# frame, and ends the connection.
Conversation = Callable[[WebSocket], Awaitable[None]]


def _error_frame(problem: Problem, ctx: RequestContext) -> JSON:
    return {"error": problem.sentences or "internal error"}


def _documented_error(problem: Problem, status: int, ctx: RequestContext) -> JSON:
    """Return the error of a provider that has no module: the contract's example for the status."""
    body = ctx.operation.documented(status)
    return body if body is not None else {"error": problem.sentences or f"status {status}"}


class RateLimit(NamedTuple):
    """A limit on the requests of an account to some operations (to all if none is named).

    `max` is a number of requests, or a number by tier; `per` is in seconds, None limits the
    requests at the same time.
    """

    operations: tuple[str, ...] = ()
    max: int | Mapping[str, int] = 0
    per: float | None = None

    def matches(self, operation_id: str) -> bool:
        """Return True if the limit applies to an operation."""
        return not self.operations or operation_id in self.operations


class Collection(NamedTuple):
    """One kind of records: the pointer of its schema in the contract, and the name of its id.

    `sample` is the member with the URL of a sample, which is filled in when a preset or configured
    record is read. For seeded records `new_id` makes an id, `related` makes the records without
    which this one would be incomplete, and `extra` are members that the schema does not have.
    `keys` are what `RequestContext.page` may sort or select by, besides "id": functions of the data
    by name.
    """

    schema: str
    id: str
    new_id: Callable[[Ids], str]
    sample: str = ""
    related: Callable[[Record], list[Record]] = lambda record: []
    extra: tuple[str, ...] = ()
    keys: Mapping[str, Callable[[Data], str]] = {}


class Edition(NamedTuple):
    """One edition of a provider's contract, and what differs in it besides the contract.

    `sdks` are the first versions of official SDKs that were generated from it, by language, in
    lower case: {"python": "4.100.0"}. `account`, `presets`, `limits` and `collections` replace
    those of the provider; `raises` are further errors of operations, by id.
    """

    sdks: Mapping[str, str] = {}
    account: Mapping[str, Any] | None = None
    presets: Callable[[str], list[Record]] | None = None
    limits: Mapping[str, RateLimit] | None = None
    collections: Mapping[str, Collection] | None = None
    raises: Mapping[str, Sequence[Problem]] = {}


@dataclass(frozen=True, eq=False)
class Provider:
    """A contract with a name, and plain functions for what the contract leaves open.

    `env` maps the environment variables that point official clients to the mock to "base_url" or
    "api_key"; None stands for NAME_BASE_URL and NAME_API_KEY. `base_url_argument` is the parameter
    of the client for the base URL. `error` words a problem for a status, `error_frame` for a frame
    of an open WebSocket.
    `admit` raises for accounts that may not call the operation, before the body is decoded; like a
    handler, it is a plain or an async function.
    `account` is the state of a new key: the fields of an account that have an effect, with their
    initial values. `tiers` are the values of its field `tier`, any if empty. `presets` returns the
    records that a new key starts with. `limits` are the documented rate limits, by name;
    `rate_headers` returns the headers that report one, from its maximum, the number left and the
    seconds until the next is available. `collections` are the kinds of records that may be seeded,
    cloned voices first.

    `raises` are the errors that `admit` may raise for every operation; `declared_errors` are those
    of the operations, by id.

    `varying` are names of members in responses whose values no mock can know, such as sizes; see
    `upstream/compare.py` for those of all providers.

    `editions` are the bundled editions of the contract by name, oldest first; the first one is the
    default. `select` returns the provider in one of them, which `edition` then names. `contract` is
    the file of a contract that is not bundled; `warned` has the subjects of the
    warnings about it that were logged.
    """

    name: str
    title: str = ""
    error: Callable[[Problem, int, RequestContext], JSON] = _documented_error
    admit: Callable[[RequestContext], Any] | None = None
    raises: Sequence[Problem] = ()
    env: Mapping[str, Literal["base_url", "api_key"]] | None = None
    base_url_argument: str = "base_url"
    account: Mapping[str, Any] = field(default_factory=dict)
    tiers: tuple[str, ...] = ()
    presets: Callable[[str], list[Record]] | None = None
    limits: Mapping[str, RateLimit] = field(default_factory=dict)
    rate_headers: Callable[[int, int, float], dict[str, str]] | None = None
    collections: Mapping[str, Collection] = field(default_factory=dict)
    error_type: str = "application/json"
    varying: tuple[str, ...] = ()
    error_frame: Callable[[Problem, RequestContext], JSON] = _error_frame
    editions: Mapping[str, Edition] = field(default_factory=dict)
    edition: str = ""
    contract: Path | None = None
    warned: set[str] = field(default_factory=set)
    handlers: dict[str, Handler] = field(default_factory=dict)
    declared_errors: dict[str, Sequence[Problem]] = field(default_factory=dict)
    stateful_operations: set[str] = field(default_factory=set)

    def __post_init__(self) -> None:
        """Raise ContractError for an account that no request could have."""
        for name in self.account:
            if name not in STATE:
                raise ContractError(
                    f"{self.name}: accounts have no field {name}; available: {', '.join(STATE)}"
                )
        if self.tiers and self.account.get("tier") not in self.tiers:
            raise ContractError(
                f"{self.name}: the tier of a new account must be one of tiers"
                f" ({', '.join(self.tiers)}); got {self.account.get('tier')}"
            )

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

    def websocket(
        self, operation_id: str, *, stateful: bool = True, raises: Sequence[Problem] = ()
    ) -> Callable[[Callable[[RequestContext], Any]], Handler]:
        """Register a function as the handler of a WebSocket: an operation that documents a 101.

        The function returns the conversation that follows the handshake, or raises a Problem that
        rejects the handshake; then no connection is opened. `stateful` and `raises` as for
        `operation`. Errors of the conversation need no declaration, since they have no status.
        """
        return self.operation(operation_id, stateful=stateful, raises=raises)

    def declared(self, operation_id: str) -> list[Problem]:
        """Return the errors that `admit` and the handler of an operation may raise."""
        return [*self.raises, *self.declared_errors.get(operation_id, ())]

    def select(self, edition: str = "") -> Provider:
        """Return the provider in a bundled edition: a name, "latest", or "" for the default.

        Handlers are shared by all editions. Nothing is read until the contract is used. Raises
        ContractError for an unknown edition.
        """
        name = self.resolve(edition)
        if not name:
            return self
        if name not in self.editions:
            known = ", ".join(self.editions) or "none"
            raise ContractError(f"{self.name} has no edition {name}; available: {known}")
        selected = self.editions[name]
        raises = {
            operation: [*self.declared_errors.get(operation, ()), *errors]
            for operation, errors in selected.raises.items()
        }
        return replace(
            self,
            edition=name,
            account=self.account if selected.account is None else selected.account,
            presets=selected.presets or self.presets,
            limits=self.limits if selected.limits is None else selected.limits,
            collections=self.collections if selected.collections is None else selected.collections,
            declared_errors={**self.declared_errors, **raises},
        )

    def resolve(self, edition: str) -> str:
        """Return the name of an edition, which may be given as "latest", or "" for the default."""
        names = [*self.editions]
        return {LATEST: names[-1], "": names[0]}.get(edition, edition) if names else edition

    @cached_property
    def document(self) -> Document:
        """The contract, read on first use. Raises ContractError for an unreadable contract.

        Handlers of operations that it lacks are not used; only a bundled edition may lack some
        without a warning.
        """
        if self.contract is None:
            return _bundled(self.name, self.resolve(self.edition))
        text = self.contract.read_text(encoding="utf-8")
        document = Document(self.name, text, self.contract.name)
        missing = [name for name in self.handlers if name not in document.operations]
        if missing:
            operations = f"operation{'s' * (len(missing) > 1)} {', '.join(missing)}"
            log.warning("%s: %s has no %s; skipped", self.name, self.contract, operations)
        return document

    @cached_property
    def outline(self) -> Document:
        """The contract without operations and schemas, which take nearly all of the time to read.

        It is all that a provider without requests needs. The contract of a user is read as a whole,
        so that the server does not start with one that is unreadable.
        """
        if self.contract is None:
            return _bundled_outline(self.name, self.resolve(self.edition))
        return self.document

    @property
    def is_replaced(self) -> bool:
        """True if the contract of a user replaces the one that the handlers were written for."""
        return bool(self.contract and self.editions)

    def warn(self, subject: str, message: str) -> None:
        """Log a warning about the contract, once for each subject."""
        if subject not in self.warned:
            self.warned.add(subject)
            log.warning("%s: %s %s", self.name, subject, message)

    @property
    def contract_title(self) -> str:
        """The contract in use: `edition 2026-08`, or `contract acme.yaml (1.0.0)`."""
        outline = self.outline
        if self.contract is None:
            return f"edition {outline.edition}"
        return f"contract {outline.file} ({outline.edition})"

    @property
    def env_variables(self) -> Mapping[str, str]:
        """The environment variables that clients read, with their meaning: see `env`."""
        if self.env is not None:
            return self.env
        prefix = self.name.upper().replace("-", "_")
        return {f"{prefix}_BASE_URL": "base_url", f"{prefix}_API_KEY": "api_key"}

    @property
    def base_path(self) -> str:
        """The path that the provider is served under: `/telnyx/v2`."""
        return f"/{self.name}{self.outline.base_path}"


@cache
def _bundled(name: str, edition: str) -> Document:
    """Return the contract of a bundled edition; all mocks of a process share it."""
    return Document(name, *_read_bundled(name, edition))


@cache
def _bundled_outline(name: str, edition: str) -> Document:
    """Return the outline of a bundled edition, in which each section begins at the margin."""
    text, file = _read_bundled(name, edition)
    head, components = text.partition("\npaths:\n")[0], text.partition("\ncomponents:\n")[2]
    schemes = _SECURITY_SCHEMES.match(components)
    return Document(name, f"{head}\ncomponents:\n{schemes[0] if schemes else '  {}'}", file)


def _read_bundled(name: str, edition: str) -> tuple[str, str]:
    """Return the text of a bundled edition, and its file."""
    file = f"{name}/{edition}.yaml"
    return (SPECS / file).read_text(encoding="utf-8"), file


def preset(
    provider: str, collection: str, account: str, id: str, data: Mapping[str, Any]
) -> Record:
    """Return a record with which every account starts."""
    return Record(
        provider, collection, account, id, {**data}, PRESET_CREATED, preset=True, base=True
    )


def with_sample(provider: Provider, record: Record, sample_url: Callable[[str], str]) -> Record:
    """Return a record with the URL of its sample, if its collection has samples."""
    collection = provider.collections.get(record.collection)
    if collection is None or not collection.sample or collection.sample in record.data:
        return record
    return record._replace(data={**record.data, collection.sample: sample_url(record.id)})


def with_keys(provider: Provider, record: Record) -> Record:
    """Return a record with the keys that its collection declares."""
    keys = _keys(provider, record.collection, record.data)
    return record._replace(keys=keys) if keys else record


def _keys(provider: Provider, collection: str, data: Data) -> Mapping[str, str]:
    """Return the values of the keys that a collection declares."""
    declared = provider.collections.get(collection)
    return {name: key(data) for name, key in declared.keys.items()} if declared else {}


def _check_keys(provider: Provider, name: str, query: Query) -> None:
    """Raise ValueError for a query that uses a key which its collection does not declare."""
    collection = provider.collections.get(name)
    known = {"", "id", *(collection.keys if collection else ())}
    for key in (query.order, *(key for test in query.where for key in test.keys)):
        if key not in known:
            raise ValueError(f"{name} has no key {key!r}: add it to the keys of its Collection")


def _merged(
    provider: Provider, base: Sequence[Record], stored: RecordPage, query: Query, skipped: int
) -> RecordPage:
    """Return a page of base and stored records; `skipped` of both precede it."""
    keyed = [with_keys(provider, record) for record in base if record.id not in stored.hidden]
    shown = [record for record in keyed if all(test.matches(record) for test in query.where)]
    total = stored.total + len(shown)
    shown += reversed(stored.records) if query.descending else stored.records
    if query.order:
        shown.sort(key=lambda record: key_of(with_keys(provider, record), query.order)[0])
    if query.descending:
        shown.reverse()
    end = None if query.limit is None else skipped + query.limit
    return RecordPage(shown[skipped:end], total)


def undeclared(provider: Provider, operation_id: str, problem: Problem) -> str:
    """Return the message for an error that an operation raises without declaring it, else ""."""
    declared = tuple(type(error) for error in provider.declared(operation_id))
    if provider.contract:
        declared = (*declared, MissingMember)
    if isinstance(problem, declared):
        return ""
    name = type(problem).__name__
    return (
        f"{provider.name} {operation_id} raised {name}, which it does not declare: add"
        f' {name}("<cause>") to raises in @provider.operation("{operation_id}", raises=[...]), or'
        f" to raises of the Provider if admit raises it for every operation"
    )

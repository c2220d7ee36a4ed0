"""Typed models of control API objects; fields have the names of the contract."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, fields, replace
from datetime import datetime
from typing import TYPE_CHECKING, Any, Literal, Self, overload

if TYPE_CHECKING:
    from .state.journal import DifferenceKind


class _Model:
    """A model built from a JSON object; additional properties are ignored."""

    __slots__ = ()

    @classmethod
    def of(cls, data: Mapping[str, Any]) -> Self:
        """Build the model from a JSON object."""
        names = [field.name for field in fields(cls)]  # type: ignore[arg-type]  # dataclasses below
        return cls(**{name: _convert(name, data[name]) for name in names})


def _convert(name: str, value: Any) -> Any:
    if name in ("at", "created_at"):
        return datetime.fromisoformat(value)
    model = _NESTED.get(name)
    if model is None or value is None:
        return value
    if model is RecordedFile:
        return RecordedFiles(map(RecordedFile.of, value))
    return tuple(map(model.of, value)) if isinstance(value, list | tuple) else model.of(value)


@dataclass(frozen=True, slots=True)
class RecordedFile(_Model):
    """An uploaded file: `field` and `filename` as sent; `format` and `seconds` from its bytes."""

    field: str
    filename: str
    content_type: str
    bytes: int
    sha256: str | None
    format: str
    seconds: float | None


class RecordedFiles(tuple[RecordedFile, ...]):
    """The files of a request in the order sent; `files["field"]` is the first file of a field."""

    __slots__ = ()

    @overload  # type: ignore[override]  # accepts more keys than a tuple
    def __getitem__(self, key: int | str) -> RecordedFile: ...
    @overload
    def __getitem__(self, key: slice) -> tuple[RecordedFile, ...]: ...
    def __getitem__(self, key: int | str | slice) -> RecordedFile | tuple[RecordedFile, ...]:
        """Return a file by position or field. Raises KeyError for a field without a file."""
        if not isinstance(key, str):
            return super().__getitem__(key)
        for file in self:
            if file.field == key:
                return file
        fields = ", ".join(file.field for file in self) or "none"
        raise KeyError(f"no file in field {key}; fields with files: {fields}")


@dataclass(frozen=True, slots=True)
class RecordedViolation(_Model):
    """A contract rule that a request broke; `source` is the rule in the contract."""

    location: str
    pointer: str
    rule: str
    message: str
    expected: Any
    received: Any
    source: str
    hint: str


@dataclass(frozen=True, slots=True)
class RecordedDifference(_Model):
    """A difference between a live response and that of the mock; `location` is a JSON Pointer."""

    kind: DifferenceKind
    location: str
    live: Any
    mock: Any


@dataclass(frozen=True, slots=True)
class RecordedFault(_Model):
    """The fault that fired for a request."""

    id: str
    kind: str


@dataclass(frozen=True, slots=True)
class RecordedResponse(_Model):
    """A response; the body is JSON, text, or None for audio."""

    headers: Mapping[str, str]
    body: Any


@dataclass(frozen=True, slots=True)
class RecordedFrame(_Model):
    """One frame of a WebSocket: JSON or text, with long texts cut; None for a binary one.

    `sender` is `client` or `server`; `milliseconds` have passed since the request began.
    """

    sender: Literal["client", "server"]
    milliseconds: float
    bytes: int
    data: Any


@dataclass(frozen=True, slots=True)
class RecordedClose(_Model):
    """The end of a WebSocket: code and reason; 1006 without a closing handshake."""

    code: int
    reason: str


@dataclass(frozen=True, slots=True)
class RecordedRequest(_Model):
    """A journal entry: one request and its response.

    `status` and `response` are None if no response was sent. `attempt` counts from 1 and is None
    for clients that do not send a retry count. `early` is the seconds before Retry-After elapsed,
    `client_closed` the seconds after which the client ended the connection; None if it did not.
    `custom` is True if a fault of kind `reply` made or edited the response. `upstream` is the URL
    of the live service to which the request was forwarded, "" if it was not; `difference` is what
    the mock would have responded differently, None if that is not known. Of a WebSocket,
    `frames` are the first ones in both directions, and `closed` is None while it is open.
    """

    id: str
    sandbox: str
    at: datetime
    provider: str
    operation: str
    method: str
    path: str
    query: Mapping[str, Any]
    account: str
    headers: Mapping[str, str]
    fields: Mapping[str, Any]
    files: RecordedFiles
    bytes: int
    violations: tuple[RecordedViolation, ...]
    hint: str
    fault: RecordedFault | None
    status: int | None
    response: RecordedResponse | None
    milliseconds: float | None
    attempt: int | None
    early: float | None
    client_closed: float | None
    internal_error: str
    custom: bool
    upstream: str
    difference: tuple[RecordedDifference, ...] | None
    frames: tuple[RecordedFrame, ...]
    omitted_frames: int
    closed: RecordedClose | None

    @property
    def client_frames(self) -> tuple[Any, ...]:
        """The content of the frames that the client sent."""
        return tuple(frame.data for frame in self.frames if frame.sender == "client")

    @property
    def is_violation(self) -> bool:
        """True if the request violated the contract or matched no operation.

        A live response that violates the contract is no violation of the request.
        """
        request = [one for one in self.violations if one.location != "response"]
        return bool(request) or not self.operation


@dataclass(frozen=True, slots=True)
class Voice(_Model):
    """A stored record; `data` is the object that the provider's API returns."""

    provider: str
    collection: str
    id: str
    account: str
    created_at: datetime
    data: dict[str, Any]
    uploads: RecordedFiles


@dataclass(frozen=True, slots=True)
class AccountInfo(_Model):
    """The account of an API key at a provider; the key is masked.

    A key is `listed` if it is in the configuration, or was added or changed later.
    """

    provider: str
    key: str
    tier: str
    credit: float | None
    trial_ended: bool
    models: list[str] | None
    listed: bool
    limits: dict[str, dict[str, float | None]]


@dataclass(frozen=True, slots=True)
class StatusCoverage(_Model):
    """A documented status of an operation, and the number of requests that got it.

    `provoked_by` are the requests and accounts that cause it; `inject` is the fault that does, None
    for a success.
    """

    status: int
    description: str
    requests: int
    provoked_by: Sequence[str]
    inject: Mapping[str, Any] | None


@dataclass(frozen=True, slots=True)
class OperationCoverage(_Model):
    """An operation, and the responses and faults that requests to it have met.

    `edition` is that of the contract, "" where there is only one. `undocumented` are the numbers of
    requests by status, for other statuses than the documented ones; `faults` are those by kind of
    fault; `no_response` counts requests without a response.
    """

    provider: str
    edition: str
    operation: str
    method: str
    path: str
    requests: int
    statuses: tuple[StatusCoverage, ...]
    undocumented: Mapping[str, int]
    no_response: int
    faults: Mapping[str, int]

    @property
    def seen(self) -> list[StatusCoverage]:
        """The documented statuses that a request got, from any cause."""
        return [status for status in self.statuses if status.requests]

    @property
    def missing(self) -> list[StatusCoverage]:
        """The documented statuses that no request got."""
        return [status for status in self.statuses if not status.requests]


@dataclass(frozen=True, slots=True)
class Coverage(_Model):
    """The part of the contracts that requests have exercised.

    `operations` are those of the providers in use, or of all providers with `all`. A documented
    status counts as covered when a request got it from any cause. Operations that were never called
    only count with `all`: no test can tell the ones that a client does not need.
    """

    all: bool
    operations: tuple[OperationCoverage, ...]

    @property
    def called(self) -> list[OperationCoverage]:
        """The operations that were called."""
        return [operation for operation in self.operations if operation.requests]

    @property
    def counted(self) -> Sequence[OperationCoverage]:
        """The operations whose documented statuses make up the percentage."""
        return self.operations if self.all else self.called

    @property
    def seen(self) -> int:
        """The number of documented statuses that requests got."""
        return sum(len(operation.seen) for operation in self.counted)

    @property
    def total(self) -> int:
        """The number of documented statuses that count."""
        return sum(len(operation.statuses) for operation in self.counted)

    @property
    def percent(self) -> float:
        """The share of `total` that was seen, rounded down to a tenth; 0 without any request."""
        return self.seen * 1000 // self.total / 10 if self.total else 0.0

    def described(self) -> dict[str, Any]:
        """Return the coverage as the JSON of the control API."""
        return {
            "percent": self.percent,
            "seen": self.seen,
            "total": self.total,
            "called": len(self.called),
            **asdict(self),
        }


@dataclass(frozen=True, slots=True)
class UpstreamDifference(_Model):
    """A difference between live responses of an operation and those of the mock.

    `status` is that of the live response; `live` and `mock` are the values of the first of the
    `requests`, whose id is `example`.
    """

    provider: str
    edition: str
    operation: str
    status: int
    kind: DifferenceKind
    location: str
    live: Any
    mock: Any
    requests: int
    example: str

    def with_requests(self, requests: int) -> UpstreamDifference:
        """Return the difference with another number of requests."""
        return replace(self, requests=requests)


@dataclass(frozen=True, slots=True)
class Differences(_Model):
    """Live responses compared with those of the mock.

    `compared` is the number of requests, `evicted` that of older ones which the journal no longer
    has; `upstreams` are the URLs of the live services by provider.
    """

    compared: int
    evicted: int
    upstreams: Mapping[str, str]
    differences: tuple[UpstreamDifference, ...]

    def described(self) -> dict[str, Any]:
        """Return the differences as the JSON of the control API."""
        return asdict(self)


_NESTED: Mapping[str, type[_Model]] = {
    "files": RecordedFile,
    "uploads": RecordedFile,
    "violations": RecordedViolation,
    "fault": RecordedFault,
    "response": RecordedResponse,
    "difference": RecordedDifference,
    "differences": UpstreamDifference,
    "frames": RecordedFrame,
    "closed": RecordedClose,
    "operations": OperationCoverage,
    "statuses": StatusCoverage,
}


class RecordedRequests(list[RecordedRequest]):
    """A snapshot of the journal, oldest request first.

    `evicted` is the number of older requests, of all providers, that the journal no longer has.
    """

    def __init__(self, requests: Iterable[RecordedRequest] = (), evicted: int = 0) -> None:
        super().__init__(requests)
        self.evicted = evicted

    @property
    def last(self) -> RecordedRequest:
        """The newest request. Raises LookupError if there is none."""
        if not self:
            raise LookupError("no requests received")
        return self[-1]


class Voices:
    """Stored records, oldest first, accessible by position or id.

    Not a list, because type checkers would reject `"an id" in voices`.
    """

    def __init__(self, voices: Iterable[Voice]) -> None:
        self._voices = [*voices]

    @overload
    def __getitem__(self, key: int | str) -> Voice: ...
    @overload
    def __getitem__(self, key: slice) -> list[Voice]: ...
    def __getitem__(self, key: int | str | slice) -> Voice | list[Voice]:
        """Return a voice by position or id. Raises KeyError for an unknown id."""
        if not isinstance(key, str):
            return self._voices[key]
        for voice in self:
            if voice.id == key:
                return voice
        ids = ", ".join(voice.id for voice in self) or "none"
        raise KeyError(f"no voice with id {key}; ids: {ids}")

    def __contains__(self, key: object) -> bool:
        """Return True if there is a voice equal to `key`, or with this id."""
        return any(key in (voice, voice.id) for voice in self)

    def __iter__(self) -> Iterator[Voice]:
        return iter(self._voices)

    def __len__(self) -> int:
        return len(self._voices)

    def __eq__(self, other: object) -> bool:
        return self._voices == (other._voices if isinstance(other, Voices) else other)

    __hash__ = None  # type: ignore[assignment]  # like a list

    def __repr__(self) -> str:
        return repr(self._voices)

"""What a mock tells of itself, as typed values; the words are those of the control API."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, fields
from datetime import datetime
from typing import Any, Literal, Self, TypedDict, overload

Kind = Literal[
    "status",
    "delay",
    "timeout",
    "reset",
    "disconnect",
    "truncate",
    "malformed",
    "empty",
    "wrong_type",
    "drip",
]
SampleFormat = Literal["wav", "mp3", "flac", "ogg", "m4a"]
Part = Literal["faults", "requests", "voices", "accounts", "clock", "ids"]


def expand_fault(what: Any) -> Mapping[str, Any]:
    """The fields of a fault that is said in short: a status (502), a kind ("reset"), or a list.

    A list is what comes in turn, each said in short or in its fields; "ok" lets a request pass.
    """
    if isinstance(what, Mapping):
        return what
    if isinstance(what, list):
        return {"sequence": [turn if turn == "ok" else expand_fault(turn) for turn in what]}
    return {"kind" if isinstance(what, str) else "status": what}


class Match(TypedDict, total=False):
    """What a request must be like for a fault; text may have * and ? for what does not matter."""

    fields: Mapping[str, Any]
    headers: Mapping[str, str]
    account: str


class Failure(TypedDict, total=False):
    """How a request fails."""

    kind: Kind
    status: int
    body: Any
    headers: Mapping[str, str]
    retry_after: float
    when: Literal["before", "after"]
    seconds: float
    jitter: float
    distribution: Literal["fixed", "uniform", "normal", "lognormal"]
    bytes: int
    fraction: float


class Target(TypedDict, total=False):
    """Which requests fail."""

    operation: str
    match: Match
    expires_in: float


class FaultFields(Failure, Target, total=False):
    """A fault: how requests fail, which, and how often."""

    times: int
    skip: int
    every: int
    probability: float


class AccountState(TypedDict, total=False):
    """What an API key stands for; what is not named stays as it is."""

    tier: str
    credit: float | None
    trial_ended: bool
    models: Sequence[str] | None
    limits: Mapping[str, Mapping[str, float | None]]


class _Value:
    """A value made of the JSON object that has its members, and maybe more."""

    __slots__ = ()

    @classmethod
    def of(cls, data: Mapping[str, Any]) -> Self:
        """The value of a JSON object."""
        known = [field.name for field in fields(cls)]  # type: ignore[arg-type]  # dataclasses below
        return cls(**{name: _typed(name, data[name]) for name in known})


def _typed(name: str, value: Any) -> Any:
    if name in ("at", "created_at"):
        return datetime.fromisoformat(value)
    made = _MADE.get(name)
    if made is None or value is None:
        return value
    if made is RecordedFile:
        return RecordedFiles(RecordedFile.of(each) for each in value)
    return tuple(map(made.of, value)) if isinstance(value, list) else made.of(value)


@dataclass(frozen=True, slots=True)
class RecordedFile(_Value):
    """A file of a request: `field` and `filename` as sent, `format` and `seconds` by its bytes."""

    field: str
    filename: str
    content_type: str
    bytes: int
    sha256: str | None
    format: str
    seconds: float | None


class RecordedFiles(tuple[RecordedFile, ...]):
    """The files of a request in their order; also to be had by the name of their field."""

    __slots__ = ()

    @overload  # type: ignore[override]  # it takes more than a tuple does
    def __getitem__(self, which: int | str) -> RecordedFile: ...
    @overload
    def __getitem__(self, which: slice) -> tuple[RecordedFile, ...]: ...
    def __getitem__(self, which: int | str | slice) -> RecordedFile | tuple[RecordedFile, ...]:
        """By position, or the first file in a field."""
        if not isinstance(which, str):
            return super().__getitem__(which)
        for each in self:
            if each.field == which:
                return each
        there = ", ".join(each.field for each in self) or "none"
        raise KeyError(f"no file was sent as {which}; files were sent as: {there}")


@dataclass(frozen=True, slots=True)
class RecordedViolation(_Value):
    """One rule that a request broke: where, which, what was expected, and what to do."""

    location: str
    pointer: str
    rule: str
    message: str
    expected: Any
    received: Any
    source: str
    hint: str


@dataclass(frozen=True, slots=True)
class RecordedFault(_Value):
    """The fault that a request met."""

    id: str
    kind: str


@dataclass(frozen=True, slots=True)
class RecordedResponse(_Value):
    """What was sent back; the body is JSON, text, or None for sound."""

    headers: Mapping[str, str]
    body: Any


@dataclass(frozen=True, slots=True)
class RecordedRequest(_Value):
    """One exchange of the journal.

    `status` and `reply` are None when no reply was sent; `attempt` counts from 1 and is None for
    clients that do not tell; `early` is by how many seconds it came before it was told to.
    """

    id: str
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
    internal_error: str


@dataclass(frozen=True, slots=True)
class Voice(_Value):
    """A stored record: `data` is what its provider's API shows of it."""

    provider: str
    collection: str
    id: str
    account: str
    created_at: datetime
    data: dict[str, Any]
    uploads: RecordedFiles


@dataclass(frozen=True, slots=True)
class AccountInfo(_Value):
    """The state of an API key at a provider; the key is redacted."""

    provider: str
    key: str
    tier: str
    credit: float | None
    trial_ended: bool
    models: list[str] | None
    limits: dict[str, dict[str, float | None]]


_MADE: Mapping[str, type[_Value]] = {
    "files": RecordedFile,
    "uploads": RecordedFile,
    "violations": RecordedViolation,
    "fault": RecordedFault,
    "response": RecordedResponse,
}


class RecordedRequests(list[RecordedRequest]):
    """Exchanges, oldest first, as they were when they were asked for."""

    @property
    def last(self) -> RecordedRequest:
        """The newest. Raises LookupError when there is none."""
        if not self:
            raise LookupError("no request has come")
        return self[-1]


class Voices:
    """Stored records, oldest first; to be had by position, or by their id.

    Not a list to type checkers: `"an id" in voices` would be an error to them.
    """

    def __init__(self, voices: Iterable[Voice]) -> None:
        self._voices = [*voices]

    @overload
    def __getitem__(self, which: int | str) -> Voice: ...
    @overload
    def __getitem__(self, which: slice) -> list[Voice]: ...
    def __getitem__(self, which: int | str | slice) -> Voice | list[Voice]:
        """By position, or by id. Raises KeyError for an id that is not there."""
        if not isinstance(which, str):
            return self._voices[which]
        for each in self:
            if each.id == which:
                return each
        there = ", ".join(each.id for each in self) or "none"
        raise KeyError(f"there is no voice {which}; there are: {there}")

    def __contains__(self, which: object) -> bool:
        """Whether a voice, or one with an id, is there."""
        return any(which in (each, each.id) for each in self)

    def __iter__(self) -> Iterator[Voice]:
        return iter(self._voices)

    def __len__(self) -> int:
        return len(self._voices)

    def __eq__(self, other: object) -> bool:
        return self._voices == (other._voices if isinstance(other, Voices) else other)

    __hash__ = None  # type: ignore[assignment]  # as a list

    def __repr__(self) -> str:
        return repr(self._voices)

"""Types of what the control API accepts: fields of faults and accounts, names of formats."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Literal, TypedDict

from .faults.kinds import Kind

CAFormat = Literal["pem", "p12"]
SampleFormat = Literal["wav", "mp3", "flac", "ogg", "m4a"]
CoverageFormat = Literal["text", "markdown", "json", "junit"]
Part = Literal["faults", "requests", "voices", "accounts", "clock", "ids"]
Outcome = int | Kind | Literal["ok"]  # of a request: a status, a kind of fault, or success


class Match(TypedDict, total=False):
    """Conditions on a request; text values may contain the wildcards `*` and `?`."""

    fields: Mapping[str, Any]
    headers: Mapping[str, str]
    account: str


class Failure(TypedDict, total=False):
    """The kind of failure and its parameters."""

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
    certificate: Literal["expired", "wrong_host", "untrusted"]
    code: int
    reason: str
    frame: int
    set: Mapping[str, Any]
    remove: Sequence[str]


class Target(TypedDict, total=False):
    """Selects the requests that fail, and the lifetime of the fault."""

    operation: str
    match: Match
    expires_in: float


class Firing(TypedDict, total=False):
    """Selects for which of the matching requests a fault fires."""

    times: int
    skip: int
    every: int
    probability: float


class FaultFields(Failure, Target, Firing, total=False):
    """All fields of a fault, except `provider` and `sequence`."""


class ReplyFields(Firing, total=False):
    """All fields of a custom response, except `provider`, `operation` and `kind`."""

    match: Match
    expires_in: float
    when: Literal["before", "after"]
    status: int
    body: Any
    headers: Mapping[str, str]
    retry_after: float
    frame: int
    set: Mapping[str, Any]
    remove: Sequence[str]


class AccountState(TypedDict, total=False):
    """Changes to the account of an API key; missing fields stay as they are."""

    tier: str
    credit: float | None
    trial_ended: bool
    models: Sequence[str] | None
    limits: Mapping[str, Mapping[str, float | None]]

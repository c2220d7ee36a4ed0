"""The problems of a request, as data that each provider turns into its own error body.

Problem                   statuses: the first one that the operation documents is sent
├── UnknownPath           404
├── MethodNotAllowed      405
├── Unauthenticated       401
├── PaymentRequired       402
├── Forbidden             403
├── NotFound              404, 422, 400
├── Conflict              409, 422, 400
├── InvalidPath           400, 404, 422  a path parameter breaks a rule
├── MalformedBody         400, 422       the body cannot be parsed
├── ValidationFailed      422, 400       a field or parameter breaks a rule
│   └── MissingMember     422, 400       a handler needs what the contract does not require
├── PayloadTooLarge       413, 400, 422
├── UnsupportedMediaType  415, 422, 400
├── InvalidAudio          415, 400, 422  a file is not audio of a supported format
├── UnknownVoice          400, 404, 422  speech with a voice or model that does not exist
├── UpgradeRequired       426, 400       a plain request to a WebSocket
├── RateLimited           429
├── InvalidControlHeader  400            a header for the mock itself is invalid
├── InjectedError         any            injected by a fault
├── InternalError         500            a defect of the mock
├── UnknownHost           502            a proxy or TLS request to a host that is not served
├── UpstreamFailed        502            a live service cannot be reached, or breaks off
│   ├── UpstreamTimeout   504            a live service does not respond in time
│   └── NothingRecorded   502            a recording has no exchange left for a request
├── TunneledHost          200            no problem: a proxy request that is passed on to its host
└── TLSUnavailable        501            the packages for TLS are not installed
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from http import HTTPStatus
from typing import Any, ClassVar, Literal, NamedTuple

from .text import escape, unescape

RequestLocation = Literal["body", "query", "path", "header", "file", "response", "frame"]


class Violation(NamedTuple):
    """A rule that a request breaks at one location.

    `pointer` is a JSON Pointer (RFC 6901) inside the location, "" for the whole of it. `rule` is a
    keyword of JSON Schema or a similar name. `message` has no subject if the pointer names one.
    `source` is the location of the rule in the contract, such as
    `retell/2026-08.yaml#/components/schemas/CloneVoiceRequest/required`.
    """

    location: RequestLocation
    pointer: str
    rule: str
    message: str
    expected: Any = None
    received: Any = None
    source: str = ""
    hint: str = ""

    @property
    def name(self) -> str:
        """The field or parameter in dotted notation: `voice_settings.speed`; `item 1` of a list."""
        name = ".".join(map(unescape, self.pointer.removeprefix("/").split("/")))
        return f"item {name}" if name[:1].isdecimal() else name

    @property
    def sentence(self) -> str:
        """The violation as a sentence without a period: `name is required`."""
        return f"{self.name} {self.message}" if self.name else self.message

    def described(self) -> dict[str, Any]:
        """Return the violation as JSON."""
        return {
            "location": self.location,
            "pointer": self.pointer,
            "rule": self.rule,
            "message": self.sentence,
            "expected": self.expected,
            "received": self.received,
            "source": self.source,
            "hint": self.hint,
        }


class Problem(Exception):
    """The reason why a request is rejected: violations, or a sentence if no location is at fault.

    A class with a `rule`, which applies to whole bodies, makes a violation of its sentence.
    `provoked_by` describes the requests that cause the problem, "" if no request does. `body`
    replaces the provider's error body.
    """

    statuses: ClassVar[tuple[int, ...]] = (500,)
    rule: ClassVar[str] = ""
    provoked_by: ClassVar[str] = ""

    def __init__(
        self,
        detail: str = "",
        *violations: Violation,
        headers: Mapping[str, str] | None = None,
        hint: str = "",
        body: Any = None,
    ) -> None:
        super().__init__(detail)
        self.detail = detail
        if detail and self.rule and not violations:
            violations = (Violation("body", "", self.rule, detail, hint=hint),)
        self.violations = violations
        self.headers: Mapping[str, str] = headers or {}
        self.hint = hint or next(filter(None, (violation.hint for violation in violations)), "")
        self.body = body

    @property
    def sentences(self) -> str:
        """All violations in one line, or the detail; "" if the status says everything."""
        return "; ".join(violation.sentence for violation in self.violations) or self.detail

    def status(self, documented: Collection[int]) -> int:
        """Return the first of this problem's statuses that is documented, or the first of all."""
        return next(filter(documented.__contains__, self.statuses), self.statuses[0])


class UnknownPath(Problem):
    """No operation has this path."""

    statuses = (404,)
    provoked_by = "an unknown path"


class MethodNotAllowed(Problem):
    """The path has operations, none of them with this method."""

    statuses = (405,)
    provoked_by = "a method that the path does not support"


class Unauthenticated(Problem):
    """The credentials are missing, empty or of the wrong scheme."""

    statuses = (401,)
    provoked_by = "a missing, empty or unlisted key, or another authentication scheme"


class PaymentRequired(Problem):
    """The account has no credit left, or its trial has ended."""

    statuses = (402,)
    provoked_by = "an account without credit, or whose trial has ended"


class Forbidden(Problem):
    """The account may not use this operation, voice or model."""

    statuses = (403,)
    provoked_by = "an operation, voice or model that the account may not use"


class NotFound(Problem):
    """The account has no record with the requested id."""

    statuses = (404, 422, 400)
    provoked_by = "an unknown id"


class Conflict(Problem):
    """The request conflicts with stored state."""

    statuses = (409, 422, 400)
    provoked_by = "a request that conflicts with stored state"


class InvalidPath(Problem):
    """A path parameter breaks a rule, so no record can have this path."""

    statuses = (400, 404, 422)
    provoked_by = "a path parameter that breaks its rule"


class MalformedBody(Problem):
    """The body cannot be parsed: invalid JSON, multipart or charset."""

    statuses = (400, 422)
    provoked_by = "a body that cannot be parsed"
    rule = "body"


class ValidationFailed(Problem):
    """A field or parameter is missing or breaks a rule of the contract."""

    statuses = (422, 400)
    provoked_by = "a field or parameter that is missing or breaks its rule"


class MissingMember(ValidationFailed):
    """A handler needs a field or parameter that the contract in use does not require."""

    def __init__(self, location: RequestLocation, name: str) -> None:
        super().__init__(
            "", Violation(location, f"/{escape(name)}", "required", "is required", name)
        )


class PayloadTooLarge(Problem):
    """A file, or the whole body, exceeds its size limit."""

    statuses = (413, 400, 422)
    provoked_by = "a file or body over its size limit"
    rule = "body"


class UnsupportedMediaType(Problem):
    """The operation does not accept the media type of the body."""

    statuses = (415, 422, 400)
    provoked_by = "a body of an unsupported media type"


class InvalidAudio(Problem):
    """The bytes of a file are not audio of a supported format."""

    statuses = (415, 400, 422)
    provoked_by = "a file whose bytes are not audio of a supported format"


class UnknownVoice(Problem):
    """Speech cannot be made: the requested voice or model does not exist."""

    statuses = (400, 404, 422)
    provoked_by = "an unknown voice or model"


class UpgradeRequired(Problem):
    """A plain request to an operation that is a WebSocket."""

    statuses = (426, 400)
    provoked_by = "a request that does not open a WebSocket"


class RateLimited(Problem):
    """The account exceeds its rate or concurrency limit."""

    statuses = (429,)
    provoked_by = "more requests than the limits of the account"


class InvalidControlHeader(Problem):
    """A header for the mock itself is invalid; no operation documents this error."""

    statuses = (400,)


class InjectedError(Problem):
    """An error injected by a fault."""

    def __init__(self, status: int, *, headers: Mapping[str, str], body: Any = None) -> None:
        super().__init__(headers=headers, body=body)
        self._status = status

    def status(self, documented: Collection[int]) -> int:
        """Return the injected status, documented or not."""
        return self._status


class InternalError(Problem):
    """A defect of the mock itself."""

    statuses = (500,)


class StoreUnavailable(ConnectionError):
    """The server of a shared store cannot be reached, or refuses what it is asked for."""


class UnknownHost(Problem):
    """A proxy or TLS request is for a host that the mock does not serve."""

    statuses = (502,)


class UpstreamFailed(Problem):
    """A live service at a URL cannot be reached, or breaks off its response.

    The response is a problem document (RFC 9457) in place of an error of the provider.
    """

    statuses = (502,)

    def __init__(self, detail: str, upstream: str, *, hint: str = "") -> None:
        status = self.statuses[0]
        body = {"title": HTTPStatus(status).phrase, "status": status, "detail": detail}
        body = {**body, "upstream": upstream, **({"hint": hint} if hint else {})}
        headers = {"content-type": "application/problem+json"}
        super().__init__(detail, headers=headers, hint=hint, body=body)


class UpstreamTimeout(UpstreamFailed):
    """A live service does not respond in time."""

    statuses = (504,)


class NothingRecorded(UpstreamFailed):
    """A recording, which takes the place of the live service, has no exchange for a request."""

    def __init__(self, detail: str, upstream: str, *, hint: str = "") -> None:
        super().__init__(detail, upstream, hint=hint)
        self.headers = {**self.headers, "x-should-retry": "false"}  # SDKs of Stainless obey


class TunneledHost(Problem):
    """A proxy request is passed on to its host: nothing here handles it, but it is recorded."""

    statuses = (200,)


class TLSUnavailable(Problem):
    """The packages for TLS are not installed."""

    statuses = (501,)

"""What can go wrong with a request, before a provider has put it into words.

Problem                 statuses, the first that the operation documents is sent
├── UnknownPath         404
├── WrongMethod         405
├── Unauthenticated     401
├── PaymentRequired     402
├── Forbidden           403
├── NotFound            404, 422, 400
├── Conflict            409, 422, 400
├── BadAddress          400, 404, 422  a path parameter breaks a rule
├── Malformed           400, 422       the body cannot be read at all
├── Invalid             422, 400       a field or parameter breaks a rule
├── TooLarge            413, 400, 422
├── WrongMediaType      415, 422, 400  the body is of a kind that the operation does not take
├── BadAudio            415, 400, 422  a sample is no audio of a supported format
├── BadVoice            400, 404, 422  what is to speak is not there
├── RateLimited         429
├── Misasked            400            a header that speaks to the mock itself is wrong
├── Asked               as asked for   by a fault
└── Failed              500            a fault of ours

A problem carries data; only a provider words it.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Any, ClassVar, Literal, NamedTuple

RequestLocation = Literal["body", "query", "path", "header", "file"]


class Violation(NamedTuple):
    """One rule broken at one place of a request.

    `pointer` is a JSON Pointer (RFC 6901) inside `place`, "" for all of it; `rule` is the keyword
    of JSON Schema that was broken, or a word like it; `message` has no subject where the pointer
    names one; `source` is where the rule stands, such as
    `telnyx.yaml#/components/schemas/VoiceCloneRequest/required`.
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
        """The field or parameter as a person would write it: `voice_settings.speed`."""
        parts = self.pointer.removeprefix("/").split("/")
        return ".".join(part.replace("~1", "/").replace("~0", "~") for part in parts)

    @property
    def sentence(self) -> str:
        """The violation as a sentence without its full stop: `name is required`."""
        return f"{self.name} {self.message}" if self.name else self.message

    def described(self) -> dict[str, Any]:
        """The violation as JSON."""
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
    """Why a request is refused: the violations, or a sentence where there is no single place.

    A `rule` is one for whole bodies: the sentence says how it was broken, and makes a violation.
    `provoked_by` is what it comes of; "" where nothing that a client sends is enough.
    `body` is what is sent in place of the provider's words, where somebody asked for it.
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
        self.hint = hint or next((each.hint for each in violations if each.hint), "")
        self.body = body

    @property
    def sentences(self) -> str:
        """All that is wrong, in one line; empty when there is nothing to add to the status."""
        return "; ".join(each.sentence for each in self.violations) or self.detail

    def status(self, documented: Collection[int]) -> int:
        """The first of this problem's statuses that is documented, else the usual one."""
        return next((each for each in self.statuses if each in documented), self.statuses[0])


class UnknownPath(Problem):
    """No operation has this path."""

    statuses = (404,)
    provoked_by = "a path that no operation has"


class MethodNotAllowed(Problem):
    """The path has operations, none of them with this method."""

    statuses = (405,)
    provoked_by = "a method that the path does not have"


class Unauthenticated(Problem):
    """The credentials are missing, empty or of the wrong scheme."""

    statuses = (401,)
    provoked_by = "a key that is missing, empty or of another scheme"


class PaymentRequired(Problem):
    """The account has no credit left, or its trial has ended."""

    statuses = (402,)
    provoked_by = "an account that cannot pay"


class Forbidden(Problem):
    """The account may not do this."""

    statuses = (403,)
    provoked_by = "what the account may not do or use"


class NotFound(Problem):
    """Nothing of this account has the id that the request names."""

    statuses = (404, 422, 400)
    provoked_by = "an id of nothing that the account has"


class Conflict(Problem):
    """The request contradicts what is stored."""

    statuses = (409, 422, 400)
    provoked_by = "a request that what is stored does not allow"


class InvalidPath(Problem):
    """A path parameter breaks a rule, so nothing can be at that address."""

    statuses = (400, 404, 422)
    provoked_by = "a path with a parameter that breaks its rule"


class MalformedBody(Problem):
    """The body cannot be read: broken JSON, broken multipart, a wrong charset."""

    statuses = (400, 422)
    provoked_by = "a body that cannot be read"
    rule = "body"


class ValidationFailed(Problem):
    """A field or parameter is missing or breaks a rule of the contract."""

    statuses = (422, 400)
    provoked_by = "a field or parameter that is missing or breaks its rule"


class PayloadTooLarge(Problem):
    """A file, or the whole body, has more bytes than are taken."""

    statuses = (413, 400, 422)
    provoked_by = "a file or body that is too large"
    rule = "body"


class UnsupportedMediaType(Problem):
    """The body's media type is none that the operation takes."""

    statuses = (415, 422, 400)
    provoked_by = "a body of another media type"


class InvalidAudio(Problem):
    """A file's bytes are no audio of a supported format."""

    statuses = (415, 400, 422)
    provoked_by = "a file that is no such audio by its bytes"


class UnknownVoice(Problem):
    """A text cannot be said: the voice or the model it names is not there."""

    statuses = (400, 404, 422)
    provoked_by = "a voice or model that is not there"


class RateLimited(Problem):
    """The account sends too much, or too much at once."""

    statuses = (429,)
    provoked_by = "more requests than the account may send"


class InvalidControlHeader(Problem):
    """A header that speaks to the mock itself is wrong: no operation documents that."""

    statuses = (400,)


class InjectedError(Problem):
    """Somebody asked for this status."""

    def __init__(self, status: int, *, headers: Mapping[str, str], body: Any = None) -> None:
        super().__init__(headers=headers, body=body)
        self._status = status

    def status(self, documented: Collection[int]) -> int:
        """The status asked for, documented or not."""
        return self._status


class InternalError(Problem):
    """The mock itself failed."""

    statuses = (500,)

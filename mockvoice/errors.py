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

Place = Literal["body", "query", "path", "header"]


class Violation(NamedTuple):
    """One rule broken at one place of a request.

    `pointer` is a JSON Pointer (RFC 6901) inside `place`, "" for all of it; `rule` is the keyword
    of JSON Schema that was broken, or a word like it; `source` is where the rule stands, such as
    `telnyx.yaml#/components/schemas/VoiceCloneRequest/required`.
    """

    place: Place
    pointer: str
    rule: str
    message: str
    expected: Any = None
    got: Any = None
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
        return f"{self.name or 'the ' + self.place} {self.message}"

    def described(self) -> dict[str, Any]:
        """The violation as JSON."""
        return {
            "where": self.place,
            "pointer": self.pointer,
            "rule": self.rule,
            "message": self.sentence,
            "expected": self.expected,
            "got": self.got,
            "source": self.source,
            "hint": self.hint,
        }


class Problem(Exception):
    """Why a request is refused: the violations, or a sentence where there is no single place.

    `body` is what is sent in place of the provider's words, where somebody asked for it.
    """

    statuses: ClassVar[tuple[int, ...]] = (500,)

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


class WrongMethod(Problem):
    """The path has operations, none of them with this method."""

    statuses = (405,)


class Unauthenticated(Problem):
    """The credentials are missing, empty or of the wrong scheme."""

    statuses = (401,)


class PaymentRequired(Problem):
    """The account has no credit left, or its trial has ended."""

    statuses = (402,)


class Forbidden(Problem):
    """The account may not do this."""

    statuses = (403,)


class NotFound(Problem):
    """Nothing of this account has the id that the request names."""

    statuses = (404, 422, 400)


class Conflict(Problem):
    """The request contradicts what is stored."""

    statuses = (409, 422, 400)


class BadAddress(Problem):
    """A path parameter breaks a rule, so nothing can be at that address."""

    statuses = (400, 404, 422)


class Malformed(Problem):
    """The body cannot be read: broken JSON, broken multipart, a wrong charset."""

    statuses = (400, 422)


class Invalid(Problem):
    """A field or parameter is missing or breaks a rule of the contract."""

    statuses = (422, 400)


class TooLarge(Problem):
    """A file, or the whole body, has more bytes than are taken."""

    statuses = (413, 400, 422)


class WrongMediaType(Problem):
    """The body's media type is none that the operation takes."""

    statuses = (415, 422, 400)


class BadAudio(Problem):
    """A file's bytes are no audio of a supported format."""

    statuses = (415, 400, 422)


class BadVoice(Problem):
    """A text cannot be said: the voice or the model it names is not there."""

    statuses = (400, 404, 422)


class RateLimited(Problem):
    """The account sends too much, or too much at once."""

    statuses = (429,)


class Misasked(Problem):
    """A header that speaks to the mock itself is wrong: no operation documents that."""

    statuses = (400,)


class Asked(Problem):
    """Somebody asked for this status."""

    def __init__(self, status: int, *, headers: Mapping[str, str], body: Any = None) -> None:
        super().__init__(headers=headers, body=body)
        self._status = status

    def status(self, documented: Collection[int]) -> int:
        """The status asked for, documented or not."""
        return self._status


class Failed(Problem):
    """The mock itself failed."""

    statuses = (500,)

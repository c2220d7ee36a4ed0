"""The kinds of faults: one small class each, with its fields, documentation and effects.

A fault acts before the operation (`before`), instead of it (`replaces`), after it (`after`), on its
response (`error`, `edit`) or on the connection (`send`). To add a kind, add a class here
and its name to `Kind`, and to the schema `Kind` in specs/mockvoice.yaml.
"""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Collection, Mapping
from copy import deepcopy
from dataclasses import replace
from typing import TYPE_CHECKING, Any, ClassVar, Literal, get_args

from ..errors import InjectedError
from ..types import JSON
from .pointers import PointerError, remove_value, set_value
from .shorthand import OK

if TYPE_CHECKING:
    from ..http.transport import RawResponse, ResponseTransport

Kind = Literal[
    "status",
    "delay",
    "timeout",
    "reset",
    "disconnect",
    "tls",
    "truncate",
    "malformed",
    "empty",
    "wrong_type",
    "drip",
    "close",
    "reply",
]

MAX_SECONDS = 3600.0  # that a fault can take
_HTML = b"<html><body><h1>It works!</h1></body></html>"
_SERVER_ERROR = 1011  # RFC 6455, section 7.4.1
_TIMED = ("seconds", "jitter", "distribution")


class InjectedFault:
    """One fault that acts on one request.

    `data` are the fields of the fault as JSON; `chance(name)` is a number from 0 to 1 that repeats
    with the seed. `summary` is what the client sees; `fields` are the fields with a meaning for
    this kind, besides those of every fault. A kind that `continues` lets a later fault fire for
    the same request; one that `runs_operation` never replaces the operation. With `no_response`
    nothing is sent that a client would see as a response.

    On a WebSocket, a fault with a `frame` acts on that frame of the server, counted from 1, and not
    on the handshake; kinds that need a body have a `default_frame`. `has_acted` is True once that
    frame was reached.

    `is_custom` is True once `edit` has made the response one that need not satisfy the contract;
    `ineffective` is the reason why it had no effect.
    """

    summary: ClassVar[str]
    fields: ClassVar[tuple[str, ...]] = ()
    default_seconds: ClassVar[float] = 0.0
    continues: ClassVar[bool] = False
    runs_operation: ClassVar[bool] = False
    no_response: ClassVar[bool] = False
    default_frame: ClassVar[int | None] = None

    def __init__(self, id: str, data: Mapping[str, Any], chance: Callable[[str], float]) -> None:
        self.id = id
        self.data = data
        self.when: str = data.get("when", "before")
        self.seconds = _seconds(data, self.default_seconds, chance)
        self.frame: int | None = data.get("frame", self.default_frame)
        self.is_custom = False
        self.ineffective = ""
        self.has_acted = False

    def acts_on(self, frame: int) -> bool:
        """Return True if the fault acts on a frame of a WebSocket."""
        return frame == self.frame

    @property
    def kind(self) -> str:
        """The name of the kind."""
        return kind_of(self.data)

    @property
    def replaces(self) -> bool:
        """True if the client sees the fault instead of the operation, which is not executed."""
        return replaces_operation(self.data)

    async def before(self, transport: ResponseTransport) -> None:
        """Act before the operation."""

    async def after(self, transport: ResponseTransport) -> None:
        """Act between the operation and its response."""

    @property
    def is_slow(self) -> bool:
        """True if the fault keeps the client waiting after the operation."""
        return False

    @property
    def responds(self) -> bool:
        """True if the client sees a response of the fault, even if the operation was executed."""
        return False

    def error(self, documented: Collection[int]) -> InjectedError | None:
        """Return the error to send instead of any response; `documented` are the statuses."""
        return None

    def edit(self, response: RawResponse) -> RawResponse:
        """Return the response as the client is to see it."""
        return response

    async def send(self, transport: ResponseTransport, response: RawResponse) -> None:
        """Send the response, or break the connection."""
        await transport.send(response)


class Status(InjectedFault):
    """An error response."""

    summary = (
        "the contract's documented error for the status and operation;"
        " any other 4xx or 5xx in the provider's error format"
    )
    fields = ("status", "body", "headers", "retry_after")

    @property
    def responds(self) -> bool:
        """True: the response is an error."""
        return True

    def error(self, documented: Collection[int]) -> InjectedError:
        """Return the error; without a status it is the last documented one of 5xx."""
        server_errors = [status for status in documented if status >= 500]
        default = server_errors[-1] if server_errors else 500
        status = int(self.data.get("status") or default)
        return InjectedError(status, headers=_headers(self.data), body=self.data.get("body"))


class Delay(InjectedFault):
    """A pause before or after the operation."""

    summary = "the response, `seconds` later"
    fields = _TIMED
    default_seconds = 1.0
    continues = True
    runs_operation = True

    async def before(self, transport: ResponseTransport) -> None:
        """Wait before the operation."""
        if self.when == "before":
            await transport.pause(self.seconds)

    async def after(self, transport: ResponseTransport) -> None:
        """Wait after the operation."""
        if self.when == "after":
            await transport.pause(self.seconds)

    @property
    def is_slow(self) -> bool:
        """True if the pause comes after the operation."""
        return self.when == "after"


class Timeout(InjectedFault):
    """No response."""

    summary = "nothing until `seconds` have passed; then the connection is closed"
    fields = _TIMED
    default_seconds = 300.0
    no_response = True

    @property
    def is_slow(self) -> bool:
        """True: the client waits for the end."""
        return True

    async def send(self, transport: ResponseTransport, response: RawResponse) -> None:
        """Wait, then close the connection."""
        await transport.pause(self.seconds)
        await transport.disconnect()


class Reset(InjectedFault):
    """A reset connection."""

    summary = "a TCP RST"
    no_response = True

    async def send(self, transport: ResponseTransport, response: RawResponse) -> None:
        """Reset the connection."""
        await transport.reset()


class Disconnect(InjectedFault):
    """A closed connection."""

    summary = "the connection closed before any header"
    no_response = True

    async def send(self, transport: ResponseTransport, response: RawResponse) -> None:
        """Close the connection."""
        await transport.disconnect()


class InvalidCertificate(InjectedFault):
    """A TLS handshake that a careful client breaks off; no request of the connection follows."""

    summary = "a certificate that is expired, for another host, or not trusted: `certificate`"
    fields = ("certificate",)
    no_response = True


class Close(InjectedFault):
    """A WebSocket that the server closes."""

    summary = "a WebSocket closed with `code` (1011) and `reason`, in place of a `frame`"
    fields = ("code", "reason")
    runs_operation = True
    no_response = True
    default_frame = 1

    async def send(self, transport: ResponseTransport, response: RawResponse) -> None:
        """Close the connection with a code and a reason."""
        await transport.close(self.data.get("code", _SERVER_ERROR), self.data.get("reason", ""))


class Truncate(InjectedFault):
    """A body that is cut off."""

    summary = "a body that ends before its Content-Length, after `bytes` or a `fraction` (0.5)"
    fields = ("bytes", "fraction")
    default_frame = 1

    def edit(self, response: RawResponse) -> RawResponse:
        """Cut the body; at least one byte is missing."""
        body = response.whole()
        size = self.data.get("bytes")
        size = int(len(body) * self.data.get("fraction", 0.5)) if size is None else int(size)
        return replace(
            response, body=body[: min(size, max(len(body) - 1, 0))], content_length=len(body)
        )

    async def send(self, transport: ResponseTransport, response: RawResponse) -> None:
        """Send what is left of the body, and close the connection."""
        await transport.truncate(response)


class Malformed(InjectedFault):
    """A body that is broken."""

    summary = "a body that breaks off and is not valid JSON"
    default_frame = 1

    def edit(self, response: RawResponse) -> RawResponse:
        """Break the body in its middle."""
        body = response.whole()
        return replace(_with_body(response), body=body[: len(body) // 2] + b"\0")


class Empty(InjectedFault):
    """A response without a body."""

    summary = "the status with an empty body"
    default_frame = 1

    def edit(self, response: RawResponse) -> RawResponse:
        """Remove the body."""
        return replace(response, body=b"")


class WrongType(InjectedFault):
    """A page in place of the documented media type."""

    summary = "an HTML page"
    default_frame = 1

    def edit(self, response: RawResponse) -> RawResponse:
        """Replace the body with HTML."""
        return replace(_with_body(response), body=_HTML, media_type="text/html")


class Drip(InjectedFault):
    """A slow body."""

    summary = "the body in small pieces, over `seconds`"
    fields = _TIMED
    default_seconds = 1.0
    runs_operation = True
    default_frame = 1

    def acts_on(self, frame: int) -> bool:
        """Return True for all frames from the selected one on."""
        return self.frame is not None and frame >= self.frame

    @property
    def is_slow(self) -> bool:
        """True: the client waits for the end."""
        return True

    async def send(self, transport: ResponseTransport, response: RawResponse) -> None:
        """Send the body in pieces."""
        await transport.drip(response, self.seconds)


class Reply(InjectedFault):
    """A custom response: one of its own, or that of the operation with changes."""

    summary = "a response of your own, or the operation's response with `set` and `remove`"
    fields = ("status", "body", "headers", "retry_after", "set", "remove")

    @property
    def responds(self) -> bool:
        """True unless it edits the response of the operation."""
        return not _edits(self.data)

    def error(self, documented: Collection[int]) -> InjectedError | None:
        """Return the documented error for a status without a body."""
        status = int(self.data.get("status", 200))
        return InjectedError(status, headers={}) if status >= 400 else None

    def edit(self, response: RawResponse) -> RawResponse:
        """Return the custom response; an error of the operation is not edited."""
        if not self.responds and response.status >= 400:
            return response
        try:
            custom = self._own(response) if self.responds else self._edited(response)
        except PointerError as error:
            self.ineffective = str(error)
            return response
        self.is_custom = True
        headers = _headers(self.data)
        media_type = headers.pop("content-type", custom.media_type)
        return replace(custom, media_type=media_type, headers={**custom.headers, **headers})

    def _own(self, response: RawResponse) -> RawResponse:
        """Return a response of its own; `response` is the documented one for its status."""
        default = response.status if response.status < 400 else 200
        status = int(self.data.get("status", default))
        if "body" in self.data:
            status = 200 if status == 204 else status
            return replace(response, status=status, **_encoded(self.data["body"]))
        if status == response.status:
            return response
        return replace(response, status=status, media_type="", body=b"")

    def _edited(self, response: RawResponse) -> RawResponse:
        """Return the response of the operation with the changes. Raises PointerError."""
        if "json" not in response.media_type or not isinstance(response.body, bytes):
            raise PointerError(f"the response is {response.media_type or 'empty'}, not JSON")
        document = json.loads(response.body)
        for pointer, value in self.data.get("set", {}).items():
            document = set_value(document, pointer, deepcopy(value))
        for pointer in self.data.get("remove", ()):
            remove_value(document, pointer)
        return replace(response, body=_json(document))


KINDS: Mapping[str, type[InjectedFault]] = {
    "status": Status,
    "delay": Delay,
    "timeout": Timeout,
    "reset": Reset,
    "disconnect": Disconnect,
    "tls": InvalidCertificate,
    "truncate": Truncate,
    "malformed": Malformed,
    "empty": Empty,
    "wrong_type": WrongType,
    "drip": Drip,
    "close": Close,
    "reply": Reply,
}
assert [*KINDS] == [*get_args(Kind)]  # noqa: S101 - a type checker needs the names twice


def make_fault(id: str, data: Mapping[str, Any], chance: Callable[[str], float]) -> InjectedFault:
    """Return the fault that validated JSON describes."""
    return KINDS[kind_of(data)](id, data, chance)


def kind_of(data: Mapping[str, Any]) -> str:
    """Return the name of the kind that the JSON of a fault has."""
    kind: str = data.get("kind", "status")
    return kind


def is_handshake_fault(data: Mapping[str, Any]) -> bool:
    """Return True if a fault's JSON describes one of TLS handshakes, which precede all requests."""
    steps = data.get("sequence", (data,))
    return any(step != OK and kind_of(step) == "tls" for step in steps)


def needs_websocket(data: Mapping[str, Any]) -> bool:
    """Return True if a fault's JSON, or a step of its sequence, acts on frames in any case."""
    steps = data.get("sequence", (data,))
    return any(step != OK and ("frame" in step or kind_of(step) == "close") for step in steps)


def replaces_operation(data: Mapping[str, Any]) -> bool:
    """Return True if a fault's JSON describes one that is seen instead of the operation."""
    runs_operation = KINDS[kind_of(data)].runs_operation or _edits(data) or "frame" in data
    return data.get("when", "before") == "before" and not runs_operation


def continues(data: Mapping[str, Any]) -> bool:
    """Return True if another fault may fire for the same request."""
    return KINDS[kind_of(data)].continues


def _edits(data: Mapping[str, Any]) -> bool:
    """Return True if a fault's JSON describes changes to the response of the operation."""
    return "set" in data or "remove" in data


def _headers(data: Mapping[str, Any]) -> dict[str, str]:
    """Return the headers of a fault by lower-case name, with its Retry-After."""
    headers = {name.lower(): value for name, value in data.get("headers", {}).items()}
    retry_after = data.get("retry_after")
    if retry_after is not None:
        # In whole seconds: a client that does not read milliseconds need not wait for one.
        headers["retry-after"] = str(math.ceil(retry_after) if retry_after >= 1 else 0)
        if retry_after < 1:
            headers["retry-after-ms"] = f"{retry_after * 1000:g}"
    return headers


def _encoded(body: JSON) -> dict[str, Any]:
    """Return a body and its media type: text as it is, anything else as JSON."""
    if isinstance(body, str):
        return {"media_type": "text/plain; charset=utf-8", "body": body.encode()}
    return {"media_type": "application/json", "body": _json(body)}


def _json(value: JSON) -> bytes:
    return json.dumps(value, ensure_ascii=False, separators=(",", ":")).encode()


def _with_body(response: RawResponse) -> RawResponse:
    """Return the response with a status that allows a body."""
    return replace(response, status=200) if response.status == 204 else response


def _seconds(data: Mapping[str, Any], default: float, chance: Callable[[str], float]) -> float:
    """Return the duration of a fault, drawn from its distribution."""
    middle, jitter = data.get("seconds", default), data.get("jitter", 0.0)
    distribution = data.get("distribution", "fixed")
    seconds = middle
    if distribution == "uniform":
        seconds = middle + jitter * (2 * chance("seconds") - 1)
    elif distribution == "normal":
        seconds = middle + jitter * _gauss(chance)
    elif distribution == "lognormal":
        seconds = middle * math.exp(min(jitter * _gauss(chance), 50.0))  # no float has e**710
    return float(min(max(seconds, 0.0), MAX_SECONDS))


def _gauss(chance: Callable[[str], float]) -> float:
    """Return a draw from the standard normal distribution."""
    from statistics import NormalDist  # late: the import takes 10 ms, and few faults need it

    return NormalDist().inv_cdf(min(max(chance("seconds"), 1e-12), 1 - 1e-12))

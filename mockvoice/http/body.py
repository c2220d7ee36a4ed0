"""A request's body: streamed in, bounded, never on disk; then JSON or form fields and files.

Reading never raises for what a client sent: the whole upload is drained first, and what was wrong
with it is told by `Body.problem`. Node clients report `fetch failed` in place of an early answer.
"""

from __future__ import annotations

import json
import logging
import re
from collections.abc import Awaitable, Callable, Mapping, MutableMapping
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any, NamedTuple
from urllib.parse import parse_qsl

from python_multipart.exceptions import FormParserError
from python_multipart.multipart import MultipartParser, parse_options_header

from ..errors import MalformedBody, PayloadTooLarge, Problem
from ..openapi.messages import TO_FILE
from ..state.uploads import Upload
from ..text import finite_float
from ..types import JSON

Receive = Callable[[], Awaitable[MutableMapping[str, Any]]]

MAX_PARTS = 128
MAX_PART_HEADERS = 8
MAX_PART_HEADER_BYTES = 4096
MAX_TEXT_BYTES = 1 << 20  # of one text field
MAX_DEPTH = 64  # of JSON
SMALL = 8192  # bytes
_ITEM = re.compile(r"\[\d+\]$")  # how the name of a part ends that is one of a list, or of bytes

_quiet = logging.getLogger(__name__)
_quiet.addHandler(logging.NullHandler())
_quiet.propagate = False


@dataclass(slots=True, eq=False)
class Body:
    """What was sent: `parts` of a form in their order, else `data`."""

    media_type: str = ""
    size: int = 0
    data: bytes = b""
    parts: list[tuple[str, str | Upload]] = field(default_factory=list)
    problem: Problem | None = None
    complete: bool = True
    ended: bool = False

    @property
    def empty(self) -> bool:
        """Whether nothing came: no byte, or a form that has no parts."""
        return not self.size or not (self.parts or self.data or self.problem)

    def json(self) -> JSON:
        """The data as JSON. Raises Malformed when it is none."""
        try:
            return parse(self.data)
        except ValueError as error:
            raise MalformedBody(f"the body {error}") from None

    def members(self) -> Mapping[str, Any]:
        """What can be read of a body that nobody has checked; of a repeated member the last."""
        if self.parts:
            return dict(self.parts)
        try:
            value = parse(self.data)
        except ValueError:
            return {}
        return value if isinstance(value, dict) else {}


def parse(data: bytes) -> JSON:
    """The value of JSON that can be checked and stored. Raises ValueError saying what it is not."""
    try:
        value = json.loads(data.decode(), parse_constant=_no_constant, parse_float=finite_float)
    except UnicodeDecodeError as error:
        raise ValueError(f"is not UTF-8: byte {error.start} is wrong") from None
    except json.JSONDecodeError as error:
        raise ValueError(
            f"is not valid JSON: {error.msg} at line {error.lineno}, column {error.colno}"
        ) from None
    except (ValueError, RecursionError) as error:
        raise ValueError(f"is not usable JSON: {error}") from None
    _refuse_unusable(value, data)
    return value


def _no_constant(name: str) -> None:
    raise ValueError(f"{name} is no JSON number")


def _refuse_unusable(value: JSON, data: bytes) -> None:
    """Raise ValueError for JSON that parses and yet cannot be checked or stored."""
    if data.count(b"[") + data.count(b"{") > MAX_DEPTH and _deeper(value, MAX_DEPTH):
        raise ValueError(f"is nested more than {MAX_DEPTH} deep")
    if b"\\u" in data:
        try:
            json.dumps(value, ensure_ascii=False).encode()
        except UnicodeEncodeError:
            raise ValueError("has text with half of a surrogate pair") from None


def _deeper(value: JSON, levels: int) -> bool:
    members = value.values() if isinstance(value, dict) else value
    if not isinstance(value, (dict, list)):
        return False
    return levels == 0 or any(_deeper(each, levels - 1) for each in members)


async def read_body(receive: Receive, content_type: str, most: int) -> Body:
    """Receive a whole body, keeping at most `most` bytes of it."""
    media_type, options = _options(content_type.encode("latin-1"))
    body = Body(media_type)
    parser = None
    if media_type == "multipart/form-data":
        parser = _parser(body, options.get("boundary", ""))
    chunks: list[bytes] = []
    while True:
        message = await receive()
        if message["type"] == "http.disconnect":
            body.complete = False
            return body
        chunk = message.get("body", b"")
        body.size += len(chunk)
        if body.size > most:
            body.problem = PayloadTooLarge(f"the body has more than {most} bytes")
            chunks.clear()
            body.parts.clear()
        elif chunk and body.problem is None:
            if parser:
                _feed(parser, chunk, body)
            else:
                chunks.append(chunk)
        if not message.get("more_body", False):
            break
    if parser and body.problem is None and not body.ended:
        what = "ends before its closing boundary" if body.size else "is empty"
        body.problem = MalformedBody(f"the multipart body {what}")
    body.data = chunks[0] if len(chunks) == 1 else b"".join(chunks)
    if media_type == "application/x-www-form-urlencoded" and body.problem is None:
        _urlencoded(body)
    return body


def _urlencoded(body: Body) -> None:
    try:
        pairs = parse_qsl(
            body.data.decode(), keep_blank_values=True, max_num_fields=MAX_PARTS, errors="strict"
        )
    except ValueError as error:
        body.problem = MalformedBody(f"the form cannot be read: {error}")
        return
    body.parts = [*pairs]


@lru_cache(maxsize=256)  # the same few headers come with every request
def _options(header: bytes) -> tuple[str, dict[str, str]]:
    """A header such as `form-data; name="x"` as its value and its parameters.

    Clients send UTF-8 in names and file names, whatever the RFCs say of it.
    """
    value, options = parse_options_header(header)
    return value.decode("latin-1"), {
        k.decode("latin-1"): v.decode("utf-8", "replace") for k, v in options.items()
    }


def _parser(body: Body, boundary: str) -> _Parser | None:
    """A parser that fills the body; none, and a problem, where no boundary can be used."""
    if not boundary:
        body.problem = MalformedBody("the multipart body has no boundary in its Content-Type")
        return None
    try:
        return _Parser(boundary, _Parts(body))
    except FormParserError as error:
        body.problem = MalformedBody(f"the multipart boundary cannot be used: {error}")
        return None


def _feed(parser: _Parser, chunk: bytes, body: Body) -> None:
    try:
        parser.write(chunk)
    except FormParserError as error:
        body.problem = MalformedBody(f"the multipart body is broken: {error}")
    except Problem as problem:
        body.problem = problem


class _Parser(MultipartParser):
    """The parser, with a shorter way to tell what it found: it tells forty things a request.

    Everything is told in one shape: the bytes, from where, to where; None where it is none.
    """

    def __init__(self, boundary: str, parts: _Parts) -> None:
        super().__init__(
            boundary.encode(),
            max_header_count=MAX_PART_HEADERS,
            max_header_size=MAX_PART_HEADER_BYTES,
        )
        self.logger = _quiet  # what it would log is told to the client
        self._parts = parts

    def callback(
        self,
        name: str,
        data: bytes | None = None,
        start: int | None = None,
        end: int | None = None,
    ) -> None:
        event = _EVENTS.get(name)
        if event is not None:
            event(self._parts, data, start, end)


class _Parts:
    """The parts of a form, as the parser finds them in the stream.

    It does not know the parser: a circle of references would keep every upload until the next
    garbage collection.
    """

    def __init__(self, body: Body) -> None:
        self._body = body
        self._name = b""
        self._value = b""
        self._headers: dict[bytes, bytes] = {}
        self._chunks: list[bytes | memoryview] = []

    def begin(self, *_nothing: None) -> None:
        if len(self._body.parts) >= MAX_PARTS:
            last = self._body.parts[-1][0]
            hint = f"the last part is {last}; {TO_FILE}" if _ITEM.search(last) else ""
            raise PayloadTooLarge(f"the multipart body has more than {MAX_PARTS} parts", hint=hint)
        self._headers = {}
        self._chunks = []

    def header_name(self, data: bytes, start: int, end: int) -> None:
        self._name += data[start:end]

    def header_value(self, data: bytes, start: int, end: int) -> None:
        self._value += data[start:end]

    def header_end(self, *_nothing: None) -> None:
        self._headers[self._name.lower()] = self._value
        self._name = self._value = b""

    def data(self, data: bytes, start: int, end: int) -> None:
        # What is large is not copied; what is small does not hold on to the whole message.
        large = end - start > SMALL
        self._chunks.append(memoryview(data)[start:end] if large else data[start:end])

    def end(self, *_nothing: None) -> None:
        part = _part(
            self._headers.get(b"content-disposition", b""),
            self._headers.get(b"content-type", b""),
        )
        if not part.name:
            raise MalformedBody(
                f"part {len(self._body.parts) + 1} of the multipart body has no name in its"
                " Content-Disposition"
            )
        data = self._chunks[0] if len(self._chunks) == 1 else b"".join(self._chunks)
        value = (
            _text(part, data)
            if part.filename is None
            else Upload(part.name, part.filename, part.content_type, data)
        )
        self._body.parts.append((part.name, value))

    def all_ended(self, *_nothing: None) -> None:
        self._body.ended = True


_EVENTS: Mapping[str, Callable[..., None]] = {
    "part_begin": _Parts.begin,
    "header_field": _Parts.header_name,
    "header_value": _Parts.header_value,
    "header_end": _Parts.header_end,
    "part_data": _Parts.data,
    "part_end": _Parts.end,
    "end": _Parts.all_ended,
}


class _Part(NamedTuple):
    """What the headers of a part say: a text field, unless there is a filename."""

    name: str
    filename: str | None
    content_type: str
    charset: str


@lru_cache(maxsize=256)  # as above
def _part(disposition: bytes, declared: bytes) -> _Part:
    kind, options = _options(disposition)
    media_type, parameters = _options(declared)
    filename = options.get("filename")
    if filename is None and media_type not in ("", "text/plain", "application/json"):
        filename = ""
    return _Part(
        options.get("name", "") if kind == "form-data" else "",
        filename,
        declared.decode("latin-1"),
        parameters.get("charset", "utf-8"),
    )


def _text(part: _Part, data: bytes | memoryview) -> str:
    """A text field's value. Raises TooLarge or Malformed."""
    if len(data) > MAX_TEXT_BYTES:
        raise PayloadTooLarge(f"the text field {part.name} has more than {MAX_TEXT_BYTES} bytes")
    try:
        text = str(data, part.charset)
        if part.charset != "utf-8":
            text.encode()  # some charsets can spell what no UTF-8 can
    except LookupError:
        raise MalformedBody(
            f"the charset {part.charset!r} of the field {part.name} is unknown"
        ) from None
    except UnicodeError:
        raise MalformedBody(f"the field {part.name} is not readable as {part.charset}") from None
    return text

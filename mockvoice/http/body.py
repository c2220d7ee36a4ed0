"""Request bodies: read as a bounded stream, never on disk, and parsed as JSON or as a form.

Reading does not raise for an invalid body. The upload is read to its end, and the error is in
`Body.problem`: Node.js clients report `fetch failed` if the response comes before that.
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
_ITEM = re.compile(r"\[\d+\]$")  # the end of the name of a list item, or of one byte of a Buffer

_quiet = logging.getLogger(__name__)
_quiet.addHandler(logging.NullHandler())
_quiet.propagate = False


@dataclass(slots=True, eq=False)
class Body:
    """A request body: the `parts` of a form in their order, the `data` of any other media type.

    `size` is in bytes. `complete` is False if the client disconnected; `ended` is True once the
    closing boundary of a multipart body was read.
    """

    media_type: str = ""
    size: int = 0
    data: bytes = b""
    parts: list[tuple[str, str | Upload]] = field(default_factory=list)
    problem: Problem | None = None
    complete: bool = True
    ended: bool = False

    @property
    def empty(self) -> bool:
        """True for a body without bytes, or a form without parts."""
        return not self.size or not (self.parts or self.data or self.problem)

    def json(self) -> JSON:
        """Parse the data as JSON. Raises MalformedBody."""
        try:
            return parse(self.data)
        except ValueError as error:
            raise MalformedBody(f"the body {error}") from None

    def members(self) -> Mapping[str, Any]:
        """Return the fields of a form, or of a JSON object, without validation.

        The last one of a repeated field counts. An unreadable body has no fields.
        """
        if self.parts:
            return dict(self.parts)
        try:
            value = parse(self.data)
        except ValueError:
            return {}
        return value if isinstance(value, dict) else {}


def parse(data: bytes) -> JSON:
    """Parse JSON. Raises ValueError, also for values that cannot be validated or stored."""
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
    _check_usable(value, data)
    return value


def _no_constant(name: str) -> None:
    raise ValueError(f"{name} is no JSON number")


def _check_usable(value: JSON, data: bytes) -> None:
    """Raise ValueError for JSON that is too deep to validate or cannot be encoded as UTF-8."""
    if data.count(b"[") + data.count(b"{") > MAX_DEPTH and _is_deeper(value, MAX_DEPTH):
        raise ValueError(f"is nested more than {MAX_DEPTH} deep")
    if b"\\u" in data:
        try:
            json.dumps(value, ensure_ascii=False).encode()
        except UnicodeEncodeError:
            raise ValueError("has text with half of a surrogate pair") from None


def _is_deeper(value: JSON, levels: int) -> bool:
    """Return True if a value is nested more than some levels deep."""
    if not isinstance(value, (dict, list)):
        return False
    items = value.values() if isinstance(value, dict) else value
    return levels == 0 or any(_is_deeper(item, levels - 1) for item in items)


async def read_body(receive: Receive, content_type: str, max_bytes: int) -> Body:
    """Read a body to its end. The bytes of one larger than `max_bytes` are discarded."""
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
        if body.size > max_bytes:
            body.problem = PayloadTooLarge(f"the body has more than {max_bytes} bytes")
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
        error = "ends before its closing boundary" if body.size else "is empty"
        body.problem = MalformedBody(f"the multipart body {error}")
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


@lru_cache(maxsize=256)  # requests repeat the same few headers
def _options(header: bytes) -> tuple[str, dict[str, str]]:
    """Parse a header such as `form-data; name="x"` into its value and parameters.

    Parameters are decoded as UTF-8, as browsers and SDKs send them (RFC 7578, section 5.1).
    """
    value, options = parse_options_header(header)
    return value.decode("latin-1"), {
        k.decode("latin-1"): v.decode("utf-8", "replace") for k, v in options.items()
    }


def _parser(body: Body, boundary: str) -> _Parser | None:
    """Return a parser that fills the body; None if the boundary is missing or unusable."""
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
    """The multipart parser, with a faster dispatch of its callbacks: about forty a request.

    A callback gets a buffer, and the start and end of its data in it; all are None for an event
    without data.
    """

    def __init__(self, boundary: str, parts: _Parts) -> None:
        super().__init__(
            boundary.encode(),
            max_header_count=MAX_PART_HEADERS,
            max_header_size=MAX_PART_HEADER_BYTES,
        )
        self.logger = _quiet  # the client receives the errors
        self._parts = parts

    def callback(
        self,
        name: str,
        data: bytes | None = None,
        start: int | None = None,
        end: int | None = None,
    ) -> None:
        handler = _CALLBACKS.get(name)
        if handler is not None:
            handler(self._parts, data, start, end)


class _Parts:
    """Collects the parts of a form from the callbacks of the parser.

    It has no reference to the parser: a reference cycle would keep every upload in memory until
    the next garbage collection.
    """

    def __init__(self, body: Body) -> None:
        self._body = body
        self._name = b""
        self._value = b""
        self._headers: dict[bytes, bytes] = {}
        self._chunks: list[bytes | memoryview] = []

    def begin(self, *_: None) -> None:
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

    def header_end(self, *_: None) -> None:
        self._headers[self._name.lower()] = self._value
        self._name = self._value = b""

    def data(self, data: bytes, start: int, end: int) -> None:
        # Large pieces are not copied; small ones are, or each would keep its whole message.
        large = end - start > SMALL
        self._chunks.append(memoryview(data)[start:end] if large else data[start:end])

    def end(self, *_: None) -> None:
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

    def body_end(self, *_: None) -> None:
        self._body.ended = True


_CALLBACKS: Mapping[str, Callable[..., None]] = {
    "part_begin": _Parts.begin,
    "header_field": _Parts.header_name,
    "header_value": _Parts.header_value,
    "header_end": _Parts.header_end,
    "part_data": _Parts.data,
    "part_end": _Parts.end,
    "end": _Parts.body_end,
}


class _Part(NamedTuple):
    """The headers of a part. It is a text field if `filename` is None."""

    name: str
    filename: str | None
    content_type: str
    charset: str


@lru_cache(maxsize=256)  # as above
def _part(disposition: bytes, content_type: bytes) -> _Part:
    kind, options = _options(disposition)
    media_type, parameters = _options(content_type)
    filename = options.get("filename")
    if filename is None and media_type not in ("", "text/plain", "application/json"):
        filename = ""
    return _Part(
        options.get("name", "") if kind == "form-data" else "",
        filename,
        content_type.decode("latin-1"),
        parameters.get("charset", "utf-8"),
    )


def _text(part: _Part, data: bytes | memoryview) -> str:
    """Decode a text field. Raises PayloadTooLarge or MalformedBody."""
    if len(data) > MAX_TEXT_BYTES:
        raise PayloadTooLarge(f"the text field {part.name} has more than {MAX_TEXT_BYTES} bytes")
    try:
        text = str(data, part.charset)
        if part.charset != "utf-8":
            text.encode()  # unicode_escape and others can produce lone surrogates
    except LookupError:
        raise MalformedBody(
            f"the charset {part.charset!r} of the field {part.name} is unknown"
        ) from None
    except UnicodeError:
        raise MalformedBody(f"the field {part.name} is not readable as {part.charset}") from None
    return text

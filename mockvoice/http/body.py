"""The body of a request: streamed in, bounded, never on disk; then JSON or form fields and files.

Reading never raises for what a client sent: the whole upload is drained first, and `Body.problem`
says what is wrong with it. Node clients report `fetch failed` in place of an early response.
"""

from __future__ import annotations

import json
import logging
import re
from collections.abc import Awaitable, Callable, Mapping, MutableMapping
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any, NamedTuple, Protocol
from urllib.parse import unquote_to_bytes

from python_multipart.exceptions import FormParserError
from python_multipart.multipart import MultipartParser, parse_options_header

from ..errors import MalformedBody, PayloadTooLarge, Problem
from ..openapi.messages import TO_FILE
from ..state.uploads import Upload
from ..text import brief, finite_float
from ..types import JSON

Receive = Callable[[], Awaitable[MutableMapping[str, Any]]]

MAX_PARTS = 128  # of a form, multipart or urlencoded
MAX_PART_HEADERS = 8
MAX_PART_HEADER_BYTES = 4096  # also of a name in a urlencoded form
MAX_TEXT_BYTES = 1 << 20  # of one text field
MAX_DEPTH = 64  # of JSON
MAX_NODES = 100_000  # members and items of JSON
SMALL = 8192  # bytes
CHARSETS = ("utf-8", "us-ascii", "iso-8859-1", "utf-16")  # of text fields
_CODECS = {**{name: name for name in CHARSETS}, "utf8": "utf-8", "latin-1": "iso-8859-1"}
_ITEM = re.compile(r"\[\d+\]$")  # how the name of a part ends that is one of a list, or of bytes

_quiet = logging.getLogger(__name__)
_quiet.addHandler(logging.NullHandler())
_quiet.propagate = False


@dataclass(slots=True, eq=False)
class Body:
    """The body of a request: the `parts` of a form in their order, else `data`.

    `raw` has the bytes as they arrived; None if nobody asked for them, or if they are too many.
    """

    media_type: str = ""
    size: int = 0
    data: bytes = b""
    parts: list[tuple[str, str | Upload]] = field(default_factory=list)
    problem: Problem | None = None
    complete: bool = True
    ended: bool = False
    raw: list[bytes] | None = None

    @property
    def empty(self) -> bool:
        """True if nothing was sent: no byte, or a form without parts."""
        return not self.size or not (self.parts or self.data or self.problem)

    def json(self) -> JSON:
        """Return the data as JSON. Raises MalformedBody if it is not JSON."""
        try:
            return parse(self.data)
        except ValueError as error:
            raise MalformedBody(f"the body {error}") from None

    def yaml(self) -> JSON:
        """Return the data as YAML. Raises MalformedBody if it is not.

        It may not read the environment of the server.
        """
        from ..config.yaml import UnreadableFile, YAMLDocument  # here: few requests have YAML

        try:
            document = YAMLDocument(self.data.decode("utf-8-sig"), {})
        except UnicodeDecodeError as error:
            raise MalformedBody(f"the body is not UTF-8: byte {error.start} is wrong") from None
        except UnreadableFile as error:
            raise MalformedBody(f"the body has a defect in line {error}") from None
        if document.diagnostics:
            raise MalformedBody(f"the body has a defect in line {document.diagnostics[0]}")
        return document.value

    def members(self) -> Mapping[str, Any]:
        """Return the readable members of an unchecked body; of a repeated member the last."""
        if self.parts:
            return dict(self.parts)
        try:
            value = parse(self.data)
        except ValueError:
            return {}
        return value if isinstance(value, dict) else {}


def parse(data: bytes) -> JSON:
    """Return JSON that can be checked and stored. Raises ValueError, which says what is wrong."""
    if _has_more_nodes(data, MAX_NODES):
        raise ValueError(f"has more than {MAX_NODES} members and items")
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


def _has_more_nodes(data: bytes, limit: int) -> bool:
    """Return True if JSON has more members and items than the limit, before it is parsed."""
    if _count_nodes(data) <= limit:
        return False
    data = data.replace(rb"\\", b"").replace(rb"\"", b"")
    if data.count(b'"') > 4 * limit:  # a member has two strings at most
        return True
    return _count_nodes(b"".join(data.split(b'"')[::2])) > limit  # not in strings


def _count_nodes(data: bytes) -> int:
    return data.count(b",") + data.count(b"[") + data.count(b"{")


def _no_constant(name: str) -> None:
    raise ValueError(f"{name} is not a JSON number")


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


async def read_body(
    receive: Receive,
    content_type: str,
    max_bytes: int,
    max_json_bytes: int,
    *,
    keep_raw: bool = False,
) -> Body:
    """Receive a whole body, and keep no more of it than the limits allow.

    `max_bytes` limits a multipart body, `max_json_bytes` every other one and the text fields of a
    multipart body. With `keep_raw` the bytes are kept as well.
    """
    media_type, options = _options(content_type.encode("latin-1"))
    body = Body(media_type, raw=[] if keep_raw else None)
    setting = "max_body_mb"
    if media_type != "multipart/form-data" and max_json_bytes < max_bytes:
        setting, max_bytes = "max_json_mb", max_json_bytes
    try:
        reader = _reader(body, options.get("boundary", ""), max_json_bytes)
    except Problem as problem:
        body.problem = problem
    more = True
    while more:
        message = await receive()
        if message["type"] == "http.disconnect":
            body.complete = False
            return body
        chunk, more = message.get("body", b""), message.get("more_body", False)
        body.size += len(chunk)
        _keep(body, chunk, max_bytes)
        if body.problem is None:
            try:
                if body.size > max_bytes:
                    raise _too_large(max_bytes, setting)
                if chunk:
                    reader.write(chunk)
                if not more:
                    reader.end()
            except Problem as problem:
                body.problem = problem
                body.parts.clear()
    return body


def _keep(body: Body, chunk: bytes, max_bytes: int) -> None:
    """Keep the bytes as they arrive, if asked to, or none of them once they are too many."""
    if body.raw is not None:
        body.raw.append(chunk)
        if body.size > max_bytes:
            body.raw = None


def _too_large(max_bytes: int, setting: str, subject: str = "the body has") -> PayloadTooLarge:
    return PayloadTooLarge(
        f"{subject} more than {max_bytes} bytes", hint=f"raise the setting {setting}"
    )


class _Reader(Protocol):
    """Reads a body in chunks; `end` completes it. Both raise PayloadTooLarge or MalformedBody."""

    def write(self, chunk: bytes) -> None: ...

    def end(self) -> None: ...


def _reader(body: Body, boundary: str, max_text_bytes: int) -> _Reader:
    """Return the reader for a media type. Raises MalformedBody."""
    if body.media_type == "multipart/form-data":
        return _Multipart(body, boundary, max_text_bytes)
    if body.media_type == "application/x-www-form-urlencoded":
        return _URLEncoded(body)
    return _Data(body)


class _Data:
    """A body that is neither parsed nor decoded while it arrives."""

    def __init__(self, body: Body) -> None:
        self._body = body
        self._chunks: list[bytes] = []

    def write(self, chunk: bytes) -> None:
        """Keep a chunk."""
        self._chunks.append(chunk)

    def end(self) -> None:
        """Set the data of the body."""
        self._body.data = self._chunks[0] if len(self._chunks) == 1 else b"".join(self._chunks)


class _URLEncoded:
    """A urlencoded form, decoded as it arrives so that no chunk takes long."""

    def __init__(self, body: Body) -> None:
        self._parts = body.parts
        self._separators = 0
        self._escape = b""  # of which the rest is in the next chunk
        self._name = bytearray()
        self._value: bytearray | None = None

    def write(self, chunk: bytes) -> None:
        """Read a chunk. Raises PayloadTooLarge or MalformedBody."""
        chunk = self._escape + chunk
        escape = chunk.find(b"%", max(len(chunk) - 2, 0))
        end = len(chunk) if escape < 0 else escape
        self._escape = chunk[end:]
        self._separators += chunk.count(b"&", 0, end)
        if self._separators >= MAX_PARTS:
            raise PayloadTooLarge(f"the form has more than {MAX_PARTS} fields")
        first, *others = chunk[:end].split(b"&")
        self._add(first)
        for text in others:
            self._end_field()
            self._add(text)

    def end(self) -> None:
        """Read the end of the form. Raises PayloadTooLarge or MalformedBody."""
        self._add(self._escape)
        self._end_field()

    def _add(self, text: bytes) -> None:
        if self._value is None:
            name, equals, text = text.partition(b"=")
            self._name += _unquote(name)
            if len(self._name) > MAX_PART_HEADER_BYTES:
                raise PayloadTooLarge(
                    f"the name of a form field has more than {MAX_PART_HEADER_BYTES} bytes"
                )
            if not equals:
                return
            self._value = bytearray()
        self._value += _unquote(text)
        if len(self._value) > MAX_TEXT_BYTES:
            shown = self._name.decode(errors="replace")
            raise PayloadTooLarge(f"the text field {shown} has more than {MAX_TEXT_BYTES} bytes")

    def _end_field(self) -> None:
        name, value = self._name, self._value
        self._name, self._value = bytearray(), None
        if not name and value is None:  # two separators in a row
            return
        try:
            self._parts.append((name.decode(), (value or b"").decode()))
        except UnicodeError:
            shown = name.decode(errors="replace")
            raise MalformedBody(
                f"the form cannot be read: the field {shown} is not readable as utf-8"
            ) from None


def _unquote(text: bytes) -> bytes:
    return unquote_to_bytes(text.replace(b"+", b" "))


@lru_cache(maxsize=256)  # requests repeat the same few headers
def _options(header: bytes) -> tuple[str, dict[str, str]]:
    """Return value and parameters of a header such as `form-data; name="x"`.

    Parameters are decoded as UTF-8, as browsers and SDKs send them (RFC 7578, section 5.1).
    """
    value, options = parse_options_header(header)
    return value.decode("latin-1"), {
        k.decode("latin-1"): v.decode("utf-8", "replace") for k, v in options.items()
    }


class _Multipart:
    """A multipart form, parsed as it arrives."""

    def __init__(self, body: Body, boundary: str, max_text_bytes: int) -> None:
        self._body = body
        if not boundary:
            raise MalformedBody("the multipart body has no boundary in its Content-Type")
        try:
            self._parser = _Parser(boundary, _Parts(body, max_text_bytes))
        except FormParserError as error:
            raise MalformedBody(f"the multipart boundary cannot be used: {error}") from None

    def write(self, chunk: bytes) -> None:
        """Read a chunk. Raises PayloadTooLarge or MalformedBody."""
        try:
            self._parser.write(chunk)
        except FormParserError as error:
            raise MalformedBody(f"the multipart body is broken: {error}") from None

    def end(self) -> None:
        """Read the end of the form. Raises MalformedBody."""
        if not self._body.ended:
            problem = "ends before its closing boundary" if self._body.size else "is empty"
            raise MalformedBody(f"the multipart body {problem}")


class _Parser(MultipartParser):
    """The parser, with one lookup per event: a request has forty of them."""

    def __init__(self, boundary: str, parts: _Parts) -> None:
        super().__init__(
            boundary.encode(),
            max_header_count=MAX_PART_HEADERS,
            max_header_size=MAX_PART_HEADER_BYTES,
        )
        self.logger = _quiet  # its message is part of the response
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

    def __init__(self, body: Body, max_text_bytes: int) -> None:
        self._body = body
        self._max_text_bytes = max_text_bytes
        self._text_bytes = 0
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
        value: str | Upload
        if part.filename is None:
            self._text_bytes += len(data)
            if self._text_bytes > self._max_text_bytes:
                raise _too_large(self._max_text_bytes, "max_json_mb", "the text fields have")
            value = _text(part, data)
        else:
            value = Upload(part.name, part.filename, part.content_type, data)
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
    """The headers of a part; it is a text field unless there is a filename."""

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
    """Return the value of a text field. Raises PayloadTooLarge or MalformedBody."""
    if len(data) > MAX_TEXT_BYTES:
        raise PayloadTooLarge(f"the text field {part.name} has more than {MAX_TEXT_BYTES} bytes")
    # Some of Python's codecs take quadratic time, and others are no character sets.
    codec = _CODECS.get(part.charset.lower())
    if codec is None:
        raise MalformedBody(
            f"the field {part.name} must have one of the charsets {', '.join(CHARSETS)};"
            f" got {brief(part.charset)}"
        )
    try:
        return str(data, codec)
    except UnicodeError:
        raise MalformedBody(f"the field {part.name} is not readable as {part.charset}") from None

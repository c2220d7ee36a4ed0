"""The body of a request: streamed in, bounded, never on disk; then JSON or form fields and files.

Reading never raises for what a client sent: the whole upload is drained first, and `Body.problem`
says what is wrong with it. Node clients report `fetch failed` in place of an early response.
"""

from __future__ import annotations

import json
import re
from collections.abc import Awaitable, Callable, Mapping, MutableMapping
from dataclasses import dataclass, field
from functools import lru_cache
from io import BytesIO
from typing import Any, Protocol
from urllib.parse import unquote_to_bytes

from ..errors import MalformedBody, PayloadTooLarge, Problem
from ..openapi.messages import TO_FILE
from ..state.uploads import Upload
from ..text import brief, finite_float
from ..types import JSON

Receive = Callable[[], Awaitable[MutableMapping[str, Any]]]

MAX_PARTS = 128  # of a form, multipart or urlencoded
MAX_PART_HEADERS = 8
MAX_PART_HEADER_BYTES = 4096  # also of a name in a urlencoded form
MAX_BOUNDARY_CHARACTERS = 256  # RFC 2046 allows 70
MAX_TEXT_BYTES = 1 << 20  # of one text field
MAX_DEPTH = 64  # of JSON
MAX_NODES = 100_000  # members and items of JSON
SMALL = 8192  # bytes
MAX_PIECES = 64  # of a part, mostly of 64 KB, that are only joined when the part ends
CHARSETS = ("utf-8", "us-ascii", "iso-8859-1", "utf-16")  # of text fields
# Some codecs of Python take quadratic time, and others are no character sets.
_CODECS = {**{name: name for name in CHARSETS}, "utf8": "utf-8", "latin-1": "iso-8859-1"}
_ITEM = re.compile(r"\[\d+\]$")  # how the name of a part ends that is one of a list, or of bytes
_TOKEN = re.compile(rb"[!#$%&'*+.^_`|~0-9A-Za-z-]+")  # the name of a header (RFC 9110, 5.6.2)
_LAST = b"--"  # follows the last delimiter of a multipart body
_TAILS = (b"\r\n", _LAST)


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
    media_type, options = _options(content_type)
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
def _options(header: str) -> tuple[str, dict[str, str]]:
    """Return value and parameters of a header such as `form-data; name="x"`, read as Latin-1.

    Parameters are decoded as UTF-8, as browsers and SDKs send them (RFC 7578, section 5.1).
    """
    # Here: the import takes 5 ms, and a server may never receive a form.
    from python_multipart.multipart import parse_options_header

    value, options = parse_options_header(header)
    return value.decode("latin-1"), {
        k.decode("latin-1"): v.decode("utf-8", "replace") for k, v in options.items()
    }


class _Multipart:
    """A multipart form, split into its parts as it arrives (RFC 2046, section 5.1; RFC 7578).

    Everything but the contents of files is small, so what a chunk ends with is read again with the
    next one. A parser that calls back for each header takes four times as long.
    """

    def __init__(self, body: Body, boundary: str, max_text_bytes: int) -> None:
        if not boundary:
            raise MalformedBody("the multipart body has no boundary in its Content-Type")
        if len(boundary) > MAX_BOUNDARY_CHARACTERS:
            raise MalformedBody(
                f"the multipart boundary cannot be used: it has {len(boundary)} characters,"
                f" more than {MAX_BOUNDARY_CHARACTERS}"
            )
        self._body = body
        self._max_text_bytes = max_text_bytes
        self._text_bytes = 0
        self._delimiter = f"\r\n--{boundary}".encode()
        self._started = False  # the first delimiter was read
        self._part: _Part | None = None  # whose content is read, None before the end of its head
        self._pieces: list[bytes | memoryview] = []
        self._content: BytesIO | None = None  # what precedes the pieces of a large file
        self._rest = b""

    def write(self, chunk: bytes) -> None:
        """Read a chunk. Raises PayloadTooLarge or MalformedBody."""
        if self._body.ended:
            return
        data = self._rest + chunk
        at = 0 if self._started else self._read_start(data)
        while self._started and not self._body.ended:
            part = self._part
            if part is None:
                head_end = data.find(b"\r\n\r\n", at)
                if head_end < 0:
                    _check_head(data, at)
                    break
                part = self._part = self._begin_part(data[at:head_end])
                at = head_end + 4
            end, tail = self._next_delimiter(data, at)
            if tail not in _TAILS:
                at = self._read_piece(data, at, end)
                break
            self._end_part(part, data, at, end)
            self._body.ended = tail == _LAST
            at = end + len(self._delimiter) + 2
        self._rest = data[at:]

    def end(self) -> None:
        """Read the end of the form. Raises MalformedBody."""
        if not self._body.ended:
            problem = "ends before its closing boundary" if self._body.size else "is empty"
            raise MalformedBody(f"the multipart body {problem}")

    def _read_start(self, data: bytes) -> int:
        """Read line breaks and the first delimiter; return the position after what was read."""
        at = 0
        if data[:1] in (b"\r", b"\n"):
            at = len(data) - len(data.lstrip(b"\r\n"))
        first = self._delimiter[2:]
        after = at + len(first)
        if not first.startswith(data[at:after]):
            raise _broken("it does not begin with `--` and its boundary")
        tail = data[after : after + 2]
        if len(tail) < 2:
            return at
        if tail not in _TAILS:
            raise _broken("neither a line break nor `--` follows its first boundary")
        self._started, self._body.ended = True, tail == _LAST
        return after + 2

    def _begin_part(self, head: bytes) -> _Part:
        """Return the part that begins with these headers."""
        parts = self._body.parts
        if len(parts) >= MAX_PARTS:
            last = parts[-1][0]
            hint = f"the last part is {last}; {TO_FILE}" if _ITEM.search(last) else ""
            raise PayloadTooLarge(f"the multipart body has more than {MAX_PARTS} parts", hint=hint)
        part = _part(head)
        if not part.name:
            raise MalformedBody(
                f"part {len(parts) + 1} of the multipart body has no name in its"
                " Content-Disposition"
            )
        return part

    def _next_delimiter(self, data: bytes, at: int) -> tuple[int, bytes]:
        """Return the position of the next delimiter, -1 if there is none, and what follows it.

        These are two bytes, unless some are missing. A line that only begins like a delimiter is
        content.
        """
        end = data.find(self._delimiter, at)
        while end >= 0:
            after = end + len(self._delimiter)
            tail = data[after : after + 2]
            if tail in _TAILS or len(tail) < 2:
                return end, tail
            end = data.find(self._delimiter, after)
        return end, b""

    def _read_piece(self, data: bytes, at: int, end: int) -> int:
        """Keep content up to the end, or if it is -1, up to what may begin a delimiter.

        Returns the position after what was read.
        """
        if end < 0:
            end = data.rfind(b"\r", max(len(data) - len(self._delimiter) + 1, at))
            if end < 0 or not self._delimiter.startswith(data[end:]):
                end = len(data)
        if end > at:
            if len(self._pieces) == MAX_PIECES:
                self._copy_pieces()
            self._pieces.append(_piece(data, at, end))
        return end

    def _copy_pieces(self) -> None:
        """Copy the pieces of a large file, which would be in memory twice if joined in the end."""
        self._content = self._content or BytesIO()
        self._content.writelines(self._pieces)
        self._pieces = []

    def _join(self, last: bytes | memoryview) -> bytes:
        """Return the content of a part that arrived in pieces."""
        content, pieces = self._content, [*self._pieces, last]
        self._content, self._pieces = None, []
        if content is None:
            return b"".join(pieces)
        content.writelines(pieces)
        return content.getvalue()  # not a copy

    def _end_part(self, part: _Part, data: bytes, at: int, end: int) -> None:
        """Add a part to the body. Raises PayloadTooLarge or MalformedBody."""
        content = _piece(data, at, end)
        if self._pieces:
            content = self._join(content)
        self._part = None
        if part.filename is not None:
            upload = Upload(part.name, part.filename, part.content_type, content)
            self._body.parts.append((part.name, upload))
            return
        self._text_bytes += len(content)
        if self._text_bytes > self._max_text_bytes:
            raise _too_large(self._max_text_bytes, "max_json_mb", "the text fields have")
        self._body.parts.append((part.name, _text(part, content)))


def _check_head(data: bytes, at: int) -> None:
    """Raise MalformedBody if the headers of a part, which are incomplete, are too large."""
    limit = MAX_PART_HEADERS * MAX_PART_HEADER_BYTES
    if len(data) - at > limit:
        raise _broken(f"the headers of a part have more than {limit} bytes")


def _piece(data: bytes, at: int, end: int) -> bytes | memoryview:
    """Return a piece of content: large ones are not copied; small ones would keep their chunk."""
    return memoryview(data)[at:end] if end - at > SMALL else data[at:end]


def _broken(problem: str) -> MalformedBody:
    return MalformedBody(f"the multipart body is broken: {problem}")


@dataclass(slots=True, eq=False)
class _Part:
    """The headers of a part; it is a text field unless there is a filename."""

    name: str
    filename: str | None
    content_type: str
    charset: str
    codec: str | None  # of the charset, None if it is not one of CHARSETS


@lru_cache(maxsize=256)  # requests repeat the same few parts
def _part(head: bytes) -> _Part:
    """Return the headers of a part. Raises MalformedBody."""
    headers = {}
    lines = head.split(b"\r\n")
    if len(lines) > MAX_PART_HEADERS:
        raise _broken(f"a part has more than {MAX_PART_HEADERS} headers")
    for line in lines:
        name, colon, value = line.partition(b":")
        if len(line) > MAX_PART_HEADER_BYTES:
            raise _broken(f"a part has a header of more than {MAX_PART_HEADER_BYTES} bytes")
        if not (colon and _TOKEN.fullmatch(name)):
            raise _broken(f"{brief(line.decode('latin-1'))} is not a header of a part")
        headers[name.lower()] = value.strip(b" \t").decode("latin-1")
    content_type = headers.get(b"content-type", "")
    kind, options = _options(headers.get(b"content-disposition", ""))
    media_type, parameters = _options(content_type)
    charset = parameters.get("charset", "utf-8")
    filename = options.get("filename")
    if filename is None and media_type not in ("", "text/plain", "application/json"):
        filename = ""
    return _Part(
        options.get("name", "") if kind == "form-data" else "",
        filename,
        content_type,
        charset,
        _CODECS.get(charset.lower()),
    )


def _text(part: _Part, data: bytes | memoryview) -> str:
    """Return the value of a text field. Raises PayloadTooLarge or MalformedBody."""
    if len(data) > MAX_TEXT_BYTES:
        raise PayloadTooLarge(f"the text field {part.name} has more than {MAX_TEXT_BYTES} bytes")
    if part.codec is None:
        raise MalformedBody(
            f"the field {part.name} must have one of the charsets {', '.join(CHARSETS)};"
            f" got {brief(part.charset)}"
        )
    try:
        return str(data, part.codec)
    except UnicodeError:
        raise MalformedBody(f"the field {part.name} is not readable as {part.charset}") from None

"""YAML 1.2 as JSON, with the line of every value: the one loader, also used for contracts.

It imports no other part of `config`, so that `openapi` may import it.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from itertools import chain
from pathlib import Path
from typing import Any, NamedTuple, Self

import yaml

from ..text import brief, finite_float, unescape
from ..types import JSON

_MAX_SIZE = 20_000_000  # characters of all values, counting an alias as the value it stands for
_VALUE_SIZE = 20  # characters that each value counts for in addition to its text
_MAX_DEPTH = 100


class Location(NamedTuple):
    """The position of a value: a name such as `faults[0].kind` ("" for the file), a line from 1."""

    name: str
    line: int


class Diagnostic(NamedTuple):
    """A defect at a location. The message has no subject when the location has a name."""

    location: Location
    message: str

    def __str__(self) -> str:
        subject = f"{self.location.name} " if self.location.name else ""
        return f"{self.location.line}: {subject}{self.message}"


class UnreadableFile(Exception):
    """A file that cannot be used at all: `3:5: reason`, or ` reason` without a position."""


# --- scalars -------------------------------------------------------------------------------------

_TAG = "tag:yaml.org,2002:"
_NULLS = ("", "~", "null", "Null", "NULL")
_BOOLEANS = {
    **dict.fromkeys(("true", "True", "TRUE"), True),
    **dict.fromkeys(("false", "False", "FALSE"), False),
}
_WORDS: Mapping[str, JSON] = {**dict.fromkeys(_NULLS), **_BOOLEANS}
_INTEGER = re.compile(r"[-+]?[0-9]+|0o[0-7]+|0x[0-9a-fA-F]+")
_FLOAT = re.compile(r"[-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)?")
_NUMBER_STARTS = frozenset("+-.0123456789")


def _integer(text: str) -> int:
    return int(text, 0) if text[:2] in ("0o", "0x") else int(text)


_READERS: Mapping[str, Callable[[str], JSON]] = {
    "null": lambda text: None,
    "bool": _BOOLEANS.__getitem__,
    "int": _integer,
    "float": finite_float,
    "str": str,
}


def _implicit_tag(text: str) -> str:
    """Return the type of plain text in the core schema: `off`, `no` and dates are text."""
    if text[:1] in _NUMBER_STARTS:
        if _INTEGER.fullmatch(text):
            return "int"
        if _FLOAT.fullmatch(text):
            return "float"
    return "str"


# --- environment variables -----------------------------------------------------------------------

_REFERENCE = re.compile(r"\$(?:\$|\{(?:(?P<name>[A-Za-z_]\w*)(?::-(?P<default>[^}]*))?\})?)")


def _substitute(text: str, environ: Mapping[str, str]) -> str:
    """Replace references to environment variables. Raises LookupError with the defect."""

    def value(match: re.Match[str]) -> str:
        if match[0] == "$$":
            return "$"
        name, default = match["name"], match["default"]
        if name is None:
            raise LookupError(
                "contains ${ but no reference such as ${NAME} or ${NAME:-default}; write $${ for"
                " the characters ${"
            )
        if name not in environ and default is None:
            raise LookupError(
                f"refers to the environment variable {name}, which is not set; set it, or write"
                f" ${{{name}:-default}}"
            )
        return environ.get(name) or default or ""

    return _REFERENCE.sub(value, text)


# --- documents -----------------------------------------------------------------------------------

# The lines of a value's members or items, each with those inside it; nothing for a scalar.
_Lines = dict[str, tuple[int, Any]] | list[tuple[int, Any]] | None
_UNREAD: _Lines = {}  # in place of the lines of a value that cannot be read


class _Node(NamedTuple):
    """A value with the lines inside it, how deep it is nested, its size, and a scalar's text."""

    value: JSON
    lines: _Lines
    depth: int
    size: int = 0
    text: str | None = None


class YAMLDocument:
    """A YAML 1.2 text as JSON, with the location of each value by its JSON Pointer.

    An empty text is an empty mapping. With `environ`, values and keys may refer to environment
    variables: `${NAME}`, or `${NAME:-default}` for one that is not set or empty; `$$` is a dollar
    sign. `diagnostics` lists what JSON cannot represent, duplicate keys and variables that are not
    set. Raises UnreadableFile when the text cannot be used at all.
    """

    def __init__(self, text: str, environ: Mapping[str, str] | None = None) -> None:
        self._environ = environ
        self.diagnostics: list[Diagnostic] = []
        self._path: list[str | int] = []
        self._anchors: dict[str, _Node | None] = {}  # None while the value is being read
        self._size = 0
        text, self._originals = _without_breaks_of_1_1(text)
        self._events = _events(text)
        root = self._document()
        self.value: JSON = {} if root is None or root.value is None else root.value
        self._lines: _Lines = root.lines if root else None

    @classmethod
    def read(cls, path: str, environ: Mapping[str, str] | None = None) -> Self:
        """Read a file. Raises UnreadableFile."""
        try:
            data = Path(path).read_bytes()
        except OSError as error:
            raise UnreadableFile(f" {error.strerror}") from None
        try:
            return cls(data.decode("utf-8-sig"), environ)
        except UnicodeDecodeError as error:
            line = data.count(b"\n", 0, error.start) + 1
            byte = data[error.start]
            raise UnreadableFile(
                f"{line}: the file must be UTF-8; got the byte 0x{byte:02x}"
            ) from None

    def location(self, pointer: str) -> Location:
        """Return the location of a value, or of its closest parent under the missing name."""
        name, line, _ = self._find(pointer)
        return Location(name, line)

    def is_unread(self, pointer: str) -> bool:
        """Return True for a value that a diagnostic reports as unreadable; it is None."""
        return self._find(pointer)[2] is _UNREAD

    def _find(self, pointer: str) -> tuple[str, int, _Lines]:
        path: list[str | int] = []
        line, lines = 1, self._lines
        for segment in pointer.split("/")[1:]:
            step = unescape(segment)
            if isinstance(lines, list):
                path.append(int(step))
                line, lines = lines[int(step)]
            else:
                path.append(step)
                line, lines = (lines or {}).get(step, (line, None))
        return _name(path), line, lines

    # Events are read one by one instead of letting PyYAML compose nodes, which crashes on deeply
    # nested text, applies the types of YAML 1.1, and takes longer.

    def _document(self) -> _Node | None:
        root = None
        for event in self._events:
            if isinstance(event, yaml.DocumentStartEvent):
                if root:
                    raise UnreadableFile(
                        f"{_position(event)}: the file must be YAML; expected a single document"
                        " in the stream, but found another document"
                    )
                root = self._node(next(self._events), 0)
        return root

    def _node(self, event: Any, depth: int) -> _Node:
        if type(event) is yaml.ScalarEvent and event.anchor is None:
            return self._scalar(event)
        if isinstance(event, yaml.AliasEvent):
            return self._alias(event, depth)
        before, anchor = self._size, event.anchor
        if anchor is not None:
            self._anchors[anchor] = None
        if isinstance(event, yaml.ScalarEvent):
            node = self._scalar(event)
        else:
            self._check_depth(depth + 1, event)
            node = self._collection(event, depth + 1)
            self._count(0, event)
        if anchor is not None:
            node = node._replace(size=self._size - before)
            self._anchors[anchor] = node
        return node

    def _alias(self, event: Any, depth: int) -> _Node:
        name = event.anchor
        if name not in self._anchors:
            raise UnreadableFile(
                f"{_position(event)}: the file must be YAML; found undefined alias"
            )
        node = self._anchors[name]
        if node is None:
            raise UnreadableFile(
                f"{_line(event)}: the alias {name} must not be inside the value that it refers to"
            )
        self._check_depth(depth + node.depth, event)
        self._count(node.size, event)
        return node

    def _collection(self, event: Any, depth: int) -> _Node:
        is_mapping = isinstance(event, yaml.MappingStartEvent)
        has_tag = self._has_tag(event, "map" if is_mapping else "seq")
        node = self._mapping(depth) if is_mapping else self._sequence(depth)
        return node if has_tag else _Node(None, _UNREAD, node.depth)

    def _sequence(self, depth: int) -> _Node:
        values: list[JSON] = []
        lines: list[tuple[int, _Lines]] = []
        inside = 0
        for item in self._events:
            if isinstance(item, yaml.SequenceEndEvent):
                break
            self._path.append(len(values))
            node = self._node(item, depth)
            self._path.pop()
            values.append(node.value)
            lines.append((_line(item), node.lines))
            inside = max(inside, node.depth)
        return _Node(values, lines, inside + 1)

    def _mapping(self, depth: int) -> _Node:
        values: dict[str, JSON] = {}
        lines: dict[str, tuple[int, _Lines]] = {}
        inside = 0
        for key in self._events:
            if isinstance(key, yaml.MappingEndEvent):
                break
            line = _line(key)
            name = self._key(key, depth)
            if name is None:
                self._report("has a key that is not text", line)
                self._node(next(self._events), depth)
                continue
            self._path.append(name)
            if name in values:
                self._report(f"is defined twice, first in line {lines[name][0]}", line)
            node = self._node(next(self._events), depth)
            self._path.pop()
            values[name] = node.value
            lines[name] = line, node.lines
            inside = max(inside, node.depth)
        return _Node(values, lines, inside + 1)

    def _key(self, event: Any, depth: int) -> str | None:
        """Return a key as text, since a key of an account may look like a number; else None."""
        is_plain = type(event) is yaml.ScalarEvent and event.anchor is event.tag is None
        if not is_plain or "$" in event.value or self._originals:
            return self._node(event, depth).text
        name: str = event.value
        self._count(len(name), event)
        return name

    def _scalar(self, event: Any) -> _Node:
        text: str = event.value
        if self._originals:
            text = text.translate(self._originals)
        if self._environ is not None and "$" in text:
            try:
                text = _substitute(text, self._environ)
            except LookupError as error:
                self._report(error.args[0], _line(event))
                return _Node(None, _UNREAD, 0, text=text)
        self._count(len(text), event)
        tag = event.tag
        if tag is None or tag == "!":
            plain = event.implicit[0] and tag is None  # `! 5` is text
            if plain and text in _WORDS:
                return _Node(_WORDS[text], None, 0, 0, text)
            kind = _implicit_tag(text) if plain else "str"
        else:
            kind = tag.removeprefix(_TAG)
        if kind == "str":
            return _Node(text, None, 0, 0, text)
        if kind not in _READERS:
            self._has_tag(event, "str")
        else:
            try:
                return _Node(_READERS[kind](text), None, 0, text=text)
            except (ValueError, KeyError):
                self._report(f"cannot be read as {kind}; got {brief(text)}", _line(event))
        return _Node(None, _UNREAD, 0, text=text)

    def _has_tag(self, event: Any, kind: str) -> bool:
        """Return True for a value without a tag or with that of its kind; report another tag."""
        if event.tag in (None, "!", _TAG + kind):
            return True
        tag = event.tag.replace(_TAG, "!!")
        self._report(f"has the tag {tag}, which is not supported", _line(event))
        return False

    def _report(self, message: str, line: int) -> None:
        name = _name(self._path)
        location = Location(name, line)
        self.diagnostics.append(Diagnostic(location, message if name else f"the file {message}"))

    def _count(self, characters: int, event: Any) -> None:
        self._size += characters + _VALUE_SIZE
        if self._size > _MAX_SIZE:
            raise UnreadableFile(
                f"{_line(event)}: the file must have at most {_MAX_SIZE // 10**6} million"
                " characters, with its aliases expanded"
            )

    def _check_depth(self, depth: int, event: Any) -> None:
        if depth > _MAX_DEPTH:
            raise UnreadableFile(
                f"{_line(event)}: the file must be at most {_MAX_DEPTH} levels deep"
            )


def read_mapping(
    file: str, load: Callable[[], YAMLDocument], kind: str, error: type[Exception]
) -> dict[str, Any]:
    """Return the content of a file that must be a mapping, as `load` reads it.

    `file` and `kind` are the name and the kind of the file in messages. Raises `error` with one
    line for each defect.
    """
    try:
        document = load()
    except UnreadableFile as unreadable:
        raise error(f"{file}:{unreadable}") from None
    if document.diagnostics:
        raise error("\n".join(f"{file}:{defect}" for defect in document.diagnostics))
    if not isinstance(document.value, dict):
        raise error(f"{file} must be {kind}; got {brief(document.value)}")
    return document.value


def _events(text: str) -> Iterator[Any]:
    """Yield PyYAML's events, parsed in C where available. Raises UnreadableFile."""
    try:
        loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)(text)
        yield from iter(loader.get_event, None)  # yaml.parse looks at each event twice
    except yaml.reader.ReaderError as error:
        line = text.encode().count(b"\n", 0, error.position) + 1
        reason = f"the character U+{error.character:04X} is not allowed"
        raise UnreadableFile(f"{line}: the file must be YAML; {reason}") from None
    except yaml.MarkedYAMLError as error:
        raise UnreadableFile(_syntax(error, text)) from None


# PyYAML implements YAML 1.1, in which these three characters break a line: it reads them as a space
# or a newline. In YAML 1.2 they are characters like any other.
_BREAKS_OF_1_1 = "\x85\u2028\u2029"
_PRIVATE_USE = (range(0xE000, 0xF900), range(0xF0000, 0xFFFFE), range(0x100000, 0x10FFFE))


def _without_breaks_of_1_1(text: str) -> tuple[str, Mapping[int, str]]:
    """Replace line breaks of YAML 1.1 by private-use characters that the text does not contain.

    Returns the text and the table that restores them in its scalars, empty if there are none.
    """
    breaks = [character for character in _BREAKS_OF_1_1 if character in text]
    if not breaks:
        return text, {}
    unused = (code for code in chain(*_PRIVATE_USE) if chr(code) not in text)
    originals = dict(zip(unused, breaks, strict=False))
    return text.translate({ord(value): code for code, value in originals.items()}), originals


def _name(path: list[str | int]) -> str:
    steps = [f"[{step}]" if isinstance(step, int) else f".{step}" for step in path]
    return "".join(steps).removeprefix(".")


def _line(event: Any) -> int:
    """Return the line of an event, from 1."""
    line: int = event.start_mark.line
    return line + 1


def _position(event: Any) -> str:
    return f"{_line(event)}:{event.start_mark.column + 1}"


def _syntax(error: yaml.MarkedYAMLError, text: str) -> str:
    """Return the position and the reason of a syntax error, in the parser's words."""
    mark = error.problem_mark
    line, column = (mark.line, mark.column) if mark else (0, 0)
    reason = ", ".join(filter(None, (error.context, error.problem)))
    indent = "".join(text.split("\n")[line : line + 1])[: column + 1]
    hint = "; indent with spaces, not with tabs" if indent.endswith("\t") else ""
    return f"{line + 1}:{column + 1}: the file must be YAML; {reason}{hint}"

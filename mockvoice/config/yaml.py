"""YAML as JSON, and where each value stands in it."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from math import isfinite
from pathlib import Path
from typing import Any, NamedTuple, Self

import yaml

from ..openapi.messages import brief
from ..openapi.normalize import JSON
from ..openapi.schema import escape, unescape

_MOST = 20_000_000  # characters: of the text with its aliases written out, and of where each stands
_EACH = 100  # characters that a value counts for besides
_DEEPEST = 100


class Location(NamedTuple):
    """Where a value stands: its name as a person would write it ("" for all), its line from 1."""

    name: str
    line: int

    def member(self, key: str, line: int) -> Location:
        """Where a member of it stands."""
        return Location(f"{self.name}.{key}" if self.name else key, line)

    def item(self, number: int, line: int) -> Location:
        """Where an item of it stands."""
        return Location(f"{self.name}[{number}]", line)


class Diagnostic(NamedTuple):
    """What is wrong at a spot; the message has no subject where the spot has a name."""

    location: Location
    message: str

    def __str__(self) -> str:
        subject = f"{self.location.name} " if self.location.name else ""
        return f"{self.location.line}: {subject}{self.message}"


class UnreadableFile(Exception):
    """Nothing of a file can be used: `3:5: why`, or ` why` where there is no place."""


def _whole(text: str) -> int:
    return int(text, 0) if text[:2] in ("0o", "0x") else int(text)


def _number(text: str) -> float:
    number = float(text)
    if not isfinite(number):
        raise ValueError(text)
    return int(number) if number.is_integer() and abs(number) < 2**53 else number


# What plain text stands for in YAML 1.2, as editors read it: `off`, `no` and dates are text.
_SCALARS: Mapping[str, tuple[str, Callable[[str], JSON]]] = {
    "null": (r"~|null|Null|NULL|", lambda text: None),
    "bool": (
        r"true|True|TRUE|false|False|FALSE",
        lambda text: {"true": True, "false": False}[text.lower()],
    ),
    "int": (r"[-+]?[0-9]+|0o[0-7]+|0x[0-9a-fA-F]+", _whole),
    "float": (r"[-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)?", _number),
    "str": (r".*", str),
}
_TAG = "tag:yaml.org,2002:"


class _Loader(getattr(yaml, "CSafeLoader", yaml.SafeLoader)):  # type: ignore[misc]  # C, if there
    yaml_implicit_resolvers: Mapping[None, Any] = {
        None: [
            (_TAG + name, re.compile(rf"({pattern})\Z", re.DOTALL))
            for name, (pattern, _) in _SCALARS.items()
        ]
    }


class YAMLDocument:
    """A text of YAML 1.2 as JSON, with the spot of each value by its JSON Pointer.

    An empty text is an empty mapping. `wrong` is what JSON cannot hold, `unread` the pointers of
    values that could not be read. Raises Unreadable when nothing of it can be used.
    """

    def __init__(self, text: str) -> None:
        self.wrong: list[Diagnostic] = []
        self.unread: set[str] = set()
        self._locations = {"": Location("", 1)}
        self._left = _MOST
        node = _composed(text)
        found = None if node is None else self._value(node, "", self._locations[""])
        self.value = {} if found is None else found

    @classmethod
    def read(cls, path: str) -> Self:
        """What a file holds."""
        try:
            data = Path(path).read_bytes()
        except OSError as error:
            raise UnreadableFile(f" {error.strerror}") from None
        try:
            return cls(data.decode("utf-8-sig"))
        except UnicodeDecodeError as error:
            line = data.count(b"\n", 0, error.start) + 1
            found = data[error.start]
            raise UnreadableFile(
                f"{line}: the file must be UTF-8; got the byte 0x{found:02x}"
            ) from None

    def location(self, pointer: str) -> Location:
        """Where a value stands, or would stand if it were not missing."""
        if pointer in self._locations:
            return self._locations[pointer]
        parent, _, step = pointer.rpartition("/")
        above = self.location(parent)
        return above.member(unescape(step), above.line)

    def _value(self, node: Any, pointer: str, location: Location, depth: int = 0) -> JSON:
        self._count(_EACH + len(pointer), location)
        _check_depth(
            depth, location.line
        )  # once more: an alias may stand inside what it stands for
        self._locations[pointer] = location
        kind = node.tag.removeprefix(_TAG)
        if isinstance(node, yaml.MappingNode) and kind == "map":
            return self._mapping(node, pointer, location, depth + 1)
        if isinstance(node, yaml.SequenceNode) and kind == "seq":
            return [
                self._value(each, f"{pointer}/{i}", location.item(i, _line(each)), depth + 1)
                for i, each in enumerate(node.value)
            ]
        return self._scalar(node, kind, pointer, location)

    def _mapping(self, node: Any, pointer: str, location: Location, depth: int) -> JSON:
        made: dict[str, JSON] = {}
        lines: dict[str, int] = {}
        for key, value in node.value:
            line = _line(key)
            if not isinstance(key, yaml.ScalarNode):
                self._complain(Location(location.name, line), "has a key that is no text")
                continue
            name: str = key.value  # always text: a key of an account may look like a number
            inner = location.member(name, line)
            if name in made:
                self._complain(inner, f"is there twice, first in line {lines[name]}")
            made[name] = self._value(value, f"{pointer}/{escape(name)}", inner, depth)
            lines[name] = line
        return made

    def _scalar(self, node: Any, kind: str, pointer: str, location: Location) -> JSON:
        message = f"has the tag {node.tag.replace(_TAG, '!!')}, which has no meaning here"
        if isinstance(node, yaml.ScalarNode) and kind in _SCALARS:
            self._count(len(node.value), location)
            try:
                return _SCALARS[kind][1](node.value)
            except (ValueError, KeyError):
                message = f"cannot be read as {kind}; got {brief(node.value)}"
        self._complain(location, message)
        self.unread.add(pointer)
        return None

    def _complain(self, location: Location, message: str) -> None:
        self.wrong.append(Diagnostic(location, message if location.name else f"the file {message}"))

    def _count(self, characters: int, location: Location) -> None:
        self._left -= characters
        if self._left < 0:
            raise UnreadableFile(
                f"{location.line}: the file must hold at most {_MOST // 10**6} million characters,"
                " with its aliases written out"
            )


def _composed(text: str) -> Any:
    """The node of a text; None when there is none in it."""
    depth = 0
    try:
        for event in yaml.parse(text, _Loader):  # PyYAML crashes when it composes a deep text
            depth += isinstance(event, yaml.CollectionStartEvent)
            depth -= isinstance(event, yaml.CollectionEndEvent)
            _check_depth(depth, _line(event))
        return yaml.compose(text, _Loader)
    except yaml.reader.ReaderError as error:
        line = text.encode().count(b"\n", 0, error.position) + 1
        what = f"the character U+{error.character:04X} is not allowed"
        raise UnreadableFile(f"{line}: the file must be YAML; {what}") from None
    except yaml.MarkedYAMLError as error:
        raise UnreadableFile(_syntax(error, text)) from None


def _check_depth(depth: int, line: int) -> None:
    if depth > _DEEPEST:
        raise UnreadableFile(f"{line}: the file must be at most {_DEEPEST} levels deep")


def _line(node: Any) -> int:
    """The line of a node or an event, from 1."""
    line: int = node.start_mark.line
    return line + 1


def _syntax(error: yaml.MarkedYAMLError, text: str) -> str:
    """Where a text is no YAML, and why, in the parser's words."""
    mark = error.problem_mark
    line, column = (mark.line, mark.column) if mark else (0, 0)
    why = ", ".join(filter(None, (error.context, error.problem)))
    indent = "".join(text.split("\n")[line : line + 1])[: column + 1]
    hint = "; indent with spaces, not with tabs" if indent.endswith("\t") else ""
    return f"{line + 1}:{column + 1}: the file must be YAML; {why}{hint}"

"""Changes to JSON at JSON Pointers (RFC 6901)."""

from __future__ import annotations

from typing import Any

from ..text import brief, did_you_mean, escape, unescape
from ..types import JSON

_APPEND = "-"  # the segment of the item after the last one of a list
_MAX_NAMES = 20  # of members that a message lists


class PointerError(LookupError):
    """A pointer that matches nothing; the message says what is there instead."""


def segments(pointer: str) -> list[str]:
    """Return the unescaped segments of a pointer: `/data/0` is data and 0."""
    return [unescape(segment) for segment in pointer.split("/")[1:]]


def set_value(document: JSON, pointer: str, value: JSON) -> JSON:
    """Return a document with a value at a pointer, which adds a member if there is none.

    `-` as the last segment appends to a list. Raises PointerError.
    """
    if not pointer:
        return value
    parent, name, at = _parent(document, pointer)
    if isinstance(parent, dict):
        parent[name] = value
    elif isinstance(parent, list) and name == _APPEND:
        parent.append(value)
    else:
        _child(parent, name, at)
        parent[int(name)] = value
    return document


def remove_value(document: JSON, pointer: str) -> None:
    """Remove the member or the item at a pointer. Raises PointerError."""
    parent, name, at = _parent(document, pointer)
    _child(parent, name, at)
    del parent[name if isinstance(parent, dict) else int(name)]


def _parent(document: JSON, pointer: str) -> tuple[Any, str, str]:
    """Return the value that contains the target of a pointer, the last segment, and its pointer."""
    *path, name = segments(pointer)
    node, at = document, ""
    for segment in path:
        node = _child(node, segment, at)
        at += f"/{escape(segment)}"
    return node, name, at


def _child(node: Any, segment: str, at: str) -> Any:
    if isinstance(node, dict) and segment in node:
        return node[segment]
    if isinstance(node, list) and _is_index(segment) and int(segment) < len(node):
        return node[int(segment)]
    pointer = f"{at}/{escape(segment)}"
    raise PointerError(f"{pointer} matches nothing: {at or 'the body'} {_described(node, segment)}")


def _is_index(segment: str) -> bool:
    """Return True for the position of an item: digits without leading zeros."""
    short = segment.isascii() and segment.isdigit() and len(segment) < 10
    return short and (segment == "0" or not segment.startswith("0"))


def _described(node: Any, segment: str) -> str:
    if isinstance(node, dict):
        names = [*node][:_MAX_NAMES]
        hint = did_you_mean(segment, names)
        return f"has {', '.join(names) or 'no members'}{'; ' * bool(hint)}{hint}"
    if isinstance(node, list):
        return f"is a list with {len(node)} item{'s' * (len(node) != 1)}"
    return f"is {brief(node)}"

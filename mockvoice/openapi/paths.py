"""Paths into the values of a schema: the members that a contract documents, and no others."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple

from ..types import Node
from .schema import SchemaStore

_MAX_DEPTH = 32  # of combined schemas
_STRUCTURE = frozenset(
    ["properties", "additionalProperties", "patternProperties", "items", "prefixItems"]
)
_COMBINING = ("allOf", "anyOf", "oneOf")


class UnknownMember(NamedTuple):
    """A segment of a path for which a schema documents no member, and those that it documents."""

    name: str
    known: list[str]


def unknown_member(schemas: SchemaStore, node: Any, path: Sequence[str]) -> UnknownMember | None:
    """Return the first segment of a path that the values of a schema do not have.

    None if the path is documented, or may exist because a schema on the way is open.
    """
    nodes = [node]
    for name in path:
        parts = [part for node in nodes for part in combined(schemas, node)]
        if any(_is_open(part) for part in parts):
            return None
        nodes = [child for part in parts for child in members(part, name)]
        if not nodes:
            known = dict.fromkeys(name for part in parts for name in part.get("properties", ()))
            return UnknownMember(name, [*known])
    return None


def combined(schemas: SchemaStore, node: Any, depth: int = 0) -> Iterator[Node]:
    """Yield a schema and those that it combines, references followed."""
    node, _ = schemas.follow(node, "")
    if isinstance(node, dict) and depth < _MAX_DEPTH:
        yield node
        choices = [part for word in _COMBINING for part in node.get(word, ())]
        for part in (*choices, node.get("then"), node.get("else")):
            yield from combined(schemas, part, depth + 1)


def _is_open(node: Node) -> bool:
    """Return True if values may have members that the schema does not describe."""
    if node.get("additionalProperties") or "patternProperties" in node:
        return True
    kinds = node.get("type", ["object", "array"])
    may_have_members = "object" in kinds or "array" in kinds
    described = _STRUCTURE & node.keys() or any(word in node for word in (*_COMBINING, "then"))
    return may_have_members and not described and not {"enum", "const"} & node.keys()


def members(node: Node, name: str) -> Iterator[Any]:
    """Yield the schemas of a member or an item."""
    if name in node.get("properties", {}):
        yield node["properties"][name]
    if "items" in node and (name.isdigit() or name == "-"):
        yield node["items"]

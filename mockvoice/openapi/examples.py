"""Make a value that a schema accepts, always the same one."""

from __future__ import annotations

from typing import Any

from ..types import JSON, Node
from .schema import SchemaStore

_MAX_DEPTH = 8  # of optional members: schemas may contain themselves

_STRINGS = {
    "uuid": "00000000-0000-4000-8000-000000000000",
    "date-time": "2024-01-01T00:00:00Z",
    "date": "2024-01-01",
    "uri": "http://localhost/",
    "email": "someone@example.com",
}


def example(schemas: SchemaStore, node: Any, depth: int = 0) -> JSON:
    """Return the schema's own example, default or first choice, or build a value from its rules."""
    node, _ = schemas.follow(node, "")
    if not isinstance(node, dict):
        return {}
    for choices in (node.get("examples"), node.get("enum"), node.get("x-choices")):
        if isinstance(choices, list) and choices:
            return choices[0]
    for keyword in ("example", "const", "default"):
        if keyword in node:
            return node[keyword]
    for keyword in ("oneOf", "anyOf"):
        if node.get(keyword):
            return example(schemas, node[keyword][0], depth)
    return _build(schemas, node, depth)


def _build(schemas: SchemaStore, node: Node, depth: int) -> JSON:
    kind = node.get("type")
    if isinstance(kind, list):
        kind = kind[0]
    if kind == "object" or "properties" in node or "allOf" in node:
        return _object(schemas, node, depth)
    if kind == "array":
        count = max(node.get("minItems", 0), int(depth < _MAX_DEPTH))
        return [example(schemas, node.get("items"), depth + 1)] * count
    if kind == "string":
        text = _STRINGS.get(node.get("format", ""), "text")
        return text.ljust(node.get("minLength", 0), "x")[: node.get("maxLength")]
    if kind in ("number", "integer"):
        return _number(node)
    return kind == "boolean" or None


def _object(schemas: SchemaStore, node: Node, depth: int) -> JSON:
    built: Node = {}
    conditions = [part for part in node.get("allOf", ()) if "if" in part]
    for part in node.get("allOf", ()):
        value = {} if "if" in part else example(schemas, part, depth)
        if isinstance(value, dict):
            built.update(value)
    required = node.get("required", ())
    for name, member in node.get("properties", {}).items():
        if name in required or depth < _MAX_DEPTH:
            built[name] = example(schemas, member, depth + 1)
    for part in conditions:
        if "then" in part and _is_met(part["if"], built):
            built = {**example(schemas, part["then"], depth), **built}
    return built


def _is_met(condition: Node, value: Node) -> bool:
    """Return True if an object meets a condition that stands for a branch of a discriminator."""
    constants = condition.get("properties", {}).items()
    return all(value.get(name) == member.get("const") for name, member in constants)


def _number(node: Node) -> float:
    low: float = node.get("minimum") or node.get("exclusiveMinimum") or 0
    if "exclusiveMinimum" in node:
        low += 1
    high: float = node.get("maximum", low)
    return min(low, high)

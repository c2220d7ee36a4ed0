"""Compare two contracts: operations, parameters, bodies, responses, and the rules of each field.

A change is breaking if a client of the older contract may fail with the newer one: its requests may
be rejected, or it may get a response that it does not expect.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Literal, NamedTuple

from ..types import JSON, Node
from .document import Document, DocumentedResponse, MediaType, Operation
from .schema import Schema, SchemaStore

Side = Literal["request", "response"]

# The keywords whose value is a bound: True if a higher value allows more.
_BOUNDS: Mapping[str, bool] = {
    **dict.fromkeys(
        ("maxLength", "maximum", "exclusiveMaximum", "maxItems", "maxProperties"), True
    ),
    **dict.fromkeys(
        ("minLength", "minimum", "exclusiveMinimum", "minItems", "minProperties"), False
    ),
    "x-max-bytes": True,
}
_RULES = (*_BOUNDS, "pattern", "format", "multipleOf", "uniqueItems")
_CLIENT_FRAME, _SERVER_FRAME = "client frame", "server frame"  # locations
_ROOTS = ("request", _CLIENT_FRAME, _SERVER_FRAME)
_MAX_DEPTH = 12  # of members: schemas may contain themselves


class Difference(NamedTuple):
    """One difference between two contracts.

    `operation` is its method and path; `location` is the part of it that differs, such as
    `request gender`, `response 201 data.status` or `server frame text`, "" for the operation as a
    whole.
    """

    operation: str
    location: str
    change: Literal["added", "removed", "changed"]
    message: str
    breaking: bool = False
    before: JSON = None
    after: JSON = None


class _Shape(NamedTuple):
    """The values that a schema accepts, over all of its branches."""

    types: frozenset[str] = frozenset()
    choices: tuple[JSON, ...] | None = None
    rules: Mapping[str, JSON] = {}
    members: Mapping[str, Sequence[Any]] = {}
    required: frozenset[str] = frozenset()
    items: Sequence[Any] = ()
    closed: bool = False


class _Pair(NamedTuple):
    """The stores of both contracts, and the operation and side that are compared."""

    old: SchemaStore
    new: SchemaStore
    operation: str
    side: Side

    def difference(
        self,
        location: str,
        change: Literal["added", "removed", "changed"],
        message: str,
        *,
        narrows: bool = False,
        widens: bool = False,
        before: JSON = None,
        after: JSON = None,
    ) -> Difference:
        """Return a difference: narrower requests are breaking, and so are wider responses."""
        breaking = narrows if self.side == "request" else widens
        return Difference(self.operation, location, change, message, breaking, before, after)


def differences(old: Document, new: Document) -> list[Difference]:
    """Return all differences from one contract to another, by operation."""
    before, after = _by_path(old), _by_path(new)
    found: list[Difference] = []
    for name in dict.fromkeys((*before, *after)):
        if name not in after:
            found.append(Difference(name, "", "removed", "operation removed", breaking=True))
        elif name not in before:
            found.append(Difference(name, "", "added", "operation added"))
        else:
            found += _operation(old.schemas, new.schemas, name, before[name], after[name])
    return found


def _by_path(document: Document) -> dict[str, Operation]:
    return {f"{o.method} {o.path}": o for o in document.operations.values()}


def _operation(
    old: SchemaStore, new: SchemaStore, name: str, before: Operation, after: Operation
) -> Iterator[Difference]:
    if before.id != after.id:
        message = f"operationId changed from {before.id} to {after.id}"
        yield Difference(name, "", "changed", message, before=before.id, after=after.id)
    schemes = [one.security.example if one.security else "none" for one in (before, after)]
    if schemes[0] != schemes[1]:
        message = f"authentication changed from {schemes[0]} to {schemes[1]}"
        yield Difference(name, "", "changed", message, breaking=True)
    request = _Pair(old, new, name, "request")
    yield from _parameters(request, before, after)
    yield from _bodies(request, "request", before.bodies, after.bodies)
    response = request._replace(side="response")
    yield from _responses(response, before, after)
    if before.frames and after.frames:
        old_frames, new_frames = before.frames, after.frames
        yield from _content(request, _CLIENT_FRAME, old_frames.client, new_frames.client)
        yield from _content(response, _SERVER_FRAME, old_frames.server, new_frames.server)


def _parameters(pair: _Pair, before: Operation, after: Operation) -> Iterator[Difference]:
    olds, news = (
        {(p.location, p.name): p for p in operation.parameters} for operation in (before, after)
    )
    for key in dict.fromkeys((*olds, *news)):
        location, old, new = " ".join(key), olds.get(key), news.get(key)
        if new is None:
            yield pair.difference(location, "removed", "parameter removed", narrows=True)
        elif old is None:
            required = ", required" if new.required else ""
            message = f"parameter added{required}"
            yield pair.difference(location, "added", message, narrows=new.required)
        else:
            yield from _required(pair, location, was=old.required, now=new.required)
            yield from _schemas(pair, location, [old.schema.node], [new.schema.node], 0)


def _responses(pair: _Pair, before: Operation, after: Operation) -> Iterator[Difference]:
    for status in sorted({*before.responses, *after.responses}):
        location = f"response {status}"
        old, new = before.responses.get(status), after.responses.get(status)
        if old is None:
            yield pair.difference(location, "added", "status added")
        elif new is None:
            message = "status removed"
            yield pair.difference(location, "removed", message, widens=status < 400)
        else:
            yield from _bodies(pair, location, old.content, new.content)
            yield from _headers(pair, location, old, new)


def _headers(
    pair: _Pair, location: str, old: DocumentedResponse, new: DocumentedResponse
) -> Iterator[Difference]:
    for name in sorted(old.headers.keys() ^ new.headers.keys()):
        at = f"{location} header {name}"
        if name in new.headers:
            yield pair.difference(at, "added", "header added")
        else:
            yield pair.difference(at, "removed", "header removed", widens=True)


def _bodies(
    pair: _Pair, location: str, old: Mapping[str, MediaType], new: Mapping[str, MediaType]
) -> Iterator[Difference]:
    for media_type in dict.fromkeys((*old, *new)):
        if media_type not in new:
            message = f"media type {media_type} removed"
            yield pair.difference(location, "removed", message, narrows=True, widens=True)
        elif media_type not in old:
            yield pair.difference(location, "added", f"media type {media_type} added")
        else:
            yield from _content(pair, location, old[media_type].schema, new[media_type].schema)


def _content(
    pair: _Pair, location: str, old: Schema | None, new: Schema | None
) -> Iterator[Difference]:
    """Compare what is sent: a body, or a frame of a WebSocket. Without a schema, it is anything."""
    before, after = ([schema.node] if schema else [] for schema in (old, new))
    yield from _schemas(pair, location, before, after, 0)


# --- schemas -------------------------------------------------------------------------------------


def _schemas(
    pair: _Pair, location: str, old: Sequence[Any], new: Sequence[Any], depth: int
) -> Iterator[Difference]:
    """Compare two schemas, each of one or more branches."""
    if depth > _MAX_DEPTH or (pair.old is pair.new and old == new):
        return
    before, after = _merged(pair.old, old), _merged(pair.new, new)
    yield from _types(pair, location, before, after)
    yield from _choices(pair, location, before.choices, after.choices)
    for rule in _RULES:
        if before.rules.get(rule) != after.rules.get(rule):
            yield _rule(pair, location, rule, before.rules.get(rule), after.rules.get(rule))
    if before.closed != after.closed:
        message = f"unknown members are {'rejected' if after.closed else 'allowed'} now"
        yield pair.difference(location, "changed", message, narrows=after.closed)
    for name in dict.fromkeys((*before.members, *after.members)):
        yield from _member(pair, _join(location, name), name, before, after, depth)
    if before.items and after.items:
        yield from _schemas(pair, f"{location}[]", before.items, after.items, depth + 1)


def _join(location: str, name: str) -> str:
    """Return the location of a member: `request gender`, `response 201 data.status`."""
    is_root = location in _ROOTS or location.removeprefix("response ").isdigit()
    return f"{location} {name}" if is_root else f"{location}.{name}"


def _member(
    pair: _Pair, location: str, name: str, before: _Shape, after: _Shape, depth: int
) -> Iterator[Difference]:
    required = name in after.required
    if name not in after.members:
        yield pair.difference(location, "removed", "field removed", narrows=True, widens=True)
    elif name not in before.members:
        message = "field added, required" if required else "field added"
        yield pair.difference(location, "added", message, narrows=required)
    else:
        yield from _required(pair, location, was=name in before.required, now=required)
        old, new = before.members[name], after.members[name]
        yield from _schemas(pair, location, old, new, depth + 1)


def _required(pair: _Pair, location: str, *, was: bool, now: bool) -> Iterator[Difference]:
    if was != now:
        message = "required now" if now else "no longer required"
        yield pair.difference(location, "changed", message, narrows=now, widens=was)


def _types(pair: _Pair, location: str, old: _Shape, new: _Shape) -> Iterator[Difference]:
    if old.types != new.types:
        before, after = (", ".join(sorted(shape.types)) or "any" for shape in (old, new))
        yield pair.difference(
            location,
            "changed",
            f"type changed from {before} to {after}",
            narrows=bool(new.types) and not old.types <= new.types,
            widens=bool(old.types) and not new.types <= old.types,
            before=before,
            after=after,
        )


def _choices(
    pair: _Pair,
    location: str,
    old: tuple[JSON, ...] | None,
    new: tuple[JSON, ...] | None,
) -> Iterator[Difference]:
    if old is None or new is None:
        if old != new:
            message = "any value is allowed now" if new is None else f"only {_listed(new)} now"
            yield pair.difference(
                location, "changed", message, narrows=old is None, widens=new is None
            )
        return
    added, removed = [c for c in new if c not in old], [c for c in old if c not in new]
    if added:
        message = f"value added: {_listed(added)}"
        yield pair.difference(location, "added", message, widens=True, after=added)
    if removed:
        message = f"value removed: {_listed(removed)}"
        yield pair.difference(location, "removed", message, narrows=True, before=removed)


def _listed(values: Sequence[JSON]) -> str:
    return ", ".join(value if isinstance(value, str) else json.dumps(value) for value in values)


def _rule(pair: _Pair, location: str, rule: str, old: JSON, new: JSON) -> Difference:
    narrower, wider = new is not None, old is not None
    if rule in _BOUNDS and isinstance(old, int | float) and isinstance(new, int | float):
        wider = (new > old) == _BOUNDS[rule]
        narrower = not wider
    before, after = ("none" if value is None else json.dumps(value) for value in (old, new))
    return pair.difference(
        location,
        "changed",
        f"{rule} changed from {before} to {after}",
        narrows=narrower,
        widens=wider and rule not in _BOUNDS,
        before=old,
        after=new,
    )


def _merged(store: SchemaStore, branches: Sequence[Any]) -> _Shape:
    """Return what a value has to satisfy that needs to match only one of the branches."""
    alternatives = [_shape(store, branch) for branch in branches or [{}]]
    types = frozenset[str]().union(*(shape.types for shape in alternatives))
    shapes = [shape for shape in alternatives if shape.types != {"null"}] or alternatives
    first, *others = shapes
    if not others:
        return first._replace(types=types)
    members: dict[str, list[Any]] = {}
    for shape in shapes:
        for name, nodes in shape.members.items():
            members.setdefault(name, []).extend(nodes)
    choices = [shape.choices for shape in shapes]
    return _Shape(
        types,
        None
        if None in choices
        else tuple(dict.fromkeys(c for some in choices for c in some or ())),
        {k: v for k, v in first.rules.items() if all(s.rules.get(k) == v for s in others)},
        members,
        first.required.intersection(*(shape.required for shape in others)),
        [node for shape in shapes for node in shape.items],
        all(shape.closed for shape in shapes),
    )


def _shape(store: SchemaStore, node: Any, depth: int = 0) -> _Shape:
    """Return what one schema says, with all parts of `allOf` and the branches of choices."""
    node, _ = store.follow(node, "")
    if not isinstance(node, dict) or depth > _MAX_DEPTH:
        return _Shape()
    shape = _own(node)
    parts = [part for part in node.get("allOf", ()) if "if" not in part]
    selected = [part["then"] for part in node.get("allOf", ()) if "then" in part]
    selected += [node[key] for key in ("then", "else") if key in node and "oneOf" not in node]
    for part in parts:
        shape = _both(shape, _shape(store, part, depth + 1))
    for branches in (node.get("oneOf"), node.get("anyOf"), selected):
        if branches:
            shape = _both(shape, _merged(store, branches))
    return shape


def _own(node: Node) -> _Shape:
    types = node.get("type", ())
    choices = node.get("enum", node.get("x-choices", [node["const"]] if "const" in node else None))
    return _Shape(
        frozenset([types] if isinstance(types, str) else types),
        None if choices is None else tuple(c for c in choices if c is not None),
        {rule: node[rule] for rule in _RULES if rule in node and "x-choices" not in node},
        {name: [member] for name, member in node.get("properties", {}).items()},
        frozenset(node.get("required", ())),
        [node["items"]] if "items" in node else [],
        node.get("additionalProperties") is False,
    )


def _both(one: _Shape, other: _Shape) -> _Shape:
    """Return what a value has to satisfy that needs to match both."""
    members = {**one.members}
    for name, nodes in other.members.items():
        own = members.get(name)
        members[name] = [{"allOf": [{"anyOf": own}, {"anyOf": nodes}]}] if own else nodes
    choices = other.choices if one.choices is None else one.choices
    if one.choices is not None and other.choices is not None:
        choices = tuple(choice for choice in one.choices if choice in other.choices)
    return _Shape(
        one.types or other.types,
        choices,
        {**other.rules, **one.rules},
        members,
        one.required | other.required,
        one.items or other.items,
        one.closed or other.closed,
    )

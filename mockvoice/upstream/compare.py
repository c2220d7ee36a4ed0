"""Compare the response of a live service with that of the mock."""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Iterator, Sequence
from dataclasses import dataclass
from itertools import islice
from typing import Any, NamedTuple

from ..openapi.paths import combined, members
from ..openapi.schema import SchemaStore
from ..redact import is_secret, mask
from ..state.journal import DifferenceKind, ResponseDifference
from ..text import brief, escape
from ..types import JSON

MAX_DIFFERENCES = 100  # of one response
ANY_ITEM = "*"  # in a location, for an item of a list of records
_MAX_VALUE = 200  # characters of a value that is shown

# Values that always differ: members with these formats in the contract ...
_VARYING_FORMATS = frozenset(("uuid", "date-time", "date", "time", "uri", "uri-reference"))
# ... or with such names, and those that the module of the provider declares ...
_VARYING_NAMES = re.compile(r"(.*_)?(id|ids|at|url|uri|token|balance)|(total|count)(_.*)?")
# ... and, in an error response, texts for people.
_ERROR_TEXTS = re.compile(r".*(message|detail|title|description|reason|msg|hint)s?|error|trace")
_ERROR_CODES = re.compile(r".*(code|type|status|kind|name)|error", re.IGNORECASE)

_FORMS = {
    "UUID": re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}", re.IGNORECASE),
    "time": re.compile(r"\d{4}-\d\d-\d\d([Tt ]\d\d:\d\d.*)?", re.ASCII),
    "URL": re.compile(r"https?://.*", re.DOTALL),
    "number": re.compile(r"\d+", re.ASCII),
}
_PREFIX = re.compile(r"(?:[A-Za-z]{2,}[_.-])+")  # of an id such as custom_voice_4f2a


class Answer(NamedTuple):
    """A response to compare. The body is that of `is_json` responses, parsed."""

    status: int
    media_type: str
    body: JSON = None
    is_json: bool = False


@dataclass(frozen=True, slots=True)
class _Rules:
    """The schemas of the responses, and what decides whether values may differ."""

    schemas: SchemaStore
    varying: Collection[str]
    sent: Collection[str]
    is_error: bool
    hide: Callable[[JSON], JSON]

    def varies(self, name: str, nodes: Sequence[Any], mock: JSON) -> bool:
        """Return True for a member whose value the mock cannot know."""
        if name in self.varying or any(n.get("format") in _VARYING_FORMATS for n in nodes):
            return True
        if any("enum" in node or "const" in node for node in nodes) or mock in self.sent:
            return False
        return _VARYING_NAMES.fullmatch(name) is not None


def differences(
    schemas: SchemaStore,
    node: Any,
    live: Answer,
    mock: Answer,
    *,
    hide: Callable[[JSON], JSON],
    varying: Collection[str] = (),
    sent: Collection[str] = (),
) -> tuple[ResponseDifference, ...]:
    """Return the differences between two responses to a request, at most MAX_DIFFERENCES.

    `node` is the schema of the live response, None if there is none. `hide` returns JSON in which
    secrets are masked. `varying` are names of members
    whose values always differ, `sent` the texts of the request: both responses may repeat these.
    """
    found: list[ResponseDifference] = []
    if live.status != mock.status:
        found.append(ResponseDifference("status", "status", live.status, mock.status))
        if (
            live.status // 100 != mock.status // 100
        ):  # an error and a success have nothing in common
            return tuple(found)
    types = [answer.media_type.partition(";")[0].strip().lower() for answer in (live, mock)]
    if types[0] != types[1]:
        found.append(ResponseDifference("media_type", "content-type", *types))
    if live.is_json and mock.is_json:
        rules = _Rules(schemas, varying, sent, is_error=live.status >= 400, hide=hide)
        nodes = [*combined(schemas, node)] if node is not None else []
        found += islice(
            _values(rules, nodes, live.body, mock.body, "", exact=True), MAX_DIFFERENCES
        )
    return tuple(found)


def _values(
    rules: _Rules, nodes: Sequence[Any], live: JSON, mock: JSON, at: str, *, exact: bool
) -> Iterator[ResponseDifference]:
    """Yield the differences between two values; without `exact` only those of their types."""
    if _type(live) != _type(mock):
        is_optional = None in (live, mock) and any("null" in _types(node) for node in nodes)
        if not is_optional:
            yield _difference(rules, "retyped", at, live, mock)
        elif exact:
            yield _difference(rules, "value", at, live, mock)
    elif isinstance(live, dict) and isinstance(mock, dict):
        yield from _objects(rules, nodes, live, mock, at, exact=exact)
    elif isinstance(live, list) and isinstance(mock, list):
        yield from _lists(rules, nodes, live, mock, at, exact=exact)
    elif exact and live != mock:
        yield from _scalars(rules, nodes, live, mock, at)


def _objects(
    rules: _Rules,
    nodes: Sequence[Any],
    live: dict[str, JSON],
    mock: dict[str, JSON],
    at: str,
    *,
    exact: bool,
) -> Iterator[ResponseDifference]:
    for name in {**live, **mock}:
        pointer = f"{at}/{escape(name)}"
        if name not in mock:
            yield _difference(rules, "added", pointer, live[name], None)
        elif name not in live:
            # Records in a list differ in the members that the contract does not require.
            if exact or any(name in node.get("required", ()) for node in nodes):
                yield _difference(rules, "missing", pointer, None, mock[name])
        else:
            inner = _inner(rules, nodes, name)
            yield from _values(rules, inner, live[name], mock[name], pointer, exact=exact)


def _lists(
    rules: _Rules,
    nodes: Sequence[Any],
    live: list[JSON],
    mock: list[JSON],
    at: str,
    *,
    exact: bool,
) -> Iterator[ResponseDifference]:
    """Yield the differences between lists: of records only in shape, as accounts differ."""
    if not (live and mock):
        return
    inner, name = _inner(rules, nodes, "-"), at.rpartition("/")[2]
    if rules.is_error:
        for i, pair in enumerate(zip(live, mock, strict=False)):
            yield from _values(rules, inner, *pair, f"{at}/{i}", exact=exact)
    elif all(isinstance(item, dict) for item in (*live, *mock)):
        item_at = f"{at}/{ANY_ITEM}"
        yield from _objects(rules, inner, _merged(live), _merged(mock), item_at, exact=False)
    elif {_type(item) for item in live}.isdisjoint(_type(item) for item in mock):
        yield _difference(rules, "retyped", f"{at}/{ANY_ITEM}", live[0], mock[0])
    elif exact and live != mock and not rules.varies(name, nodes, None):
        yield _difference(rules, "value", at, live, mock)


def _merged(items: Sequence[Any]) -> dict[str, JSON]:
    """Return an object with the members of all items; of each the first value that is not null."""
    merged: dict[str, JSON] = {}
    for item in items:
        for name, value in item.items():
            if merged.get(name) is None:
                merged[name] = value
    return merged


def _scalars(
    rules: _Rules, nodes: Sequence[Any], live: JSON, mock: JSON, at: str
) -> Iterator[ResponseDifference]:
    """Yield the difference between two values of one type."""
    name = next((s for s in reversed(at.split("/")) if s and not s.isdecimal()), "")
    if rules.is_error:
        if not _ERROR_TEXTS.fullmatch(name.lower()) or _is_code(live, mock):
            is_code = _ERROR_CODES.fullmatch(name)
            yield _difference(rules, "code" if is_code else "value", at, live, mock)
    elif not rules.varies(name, nodes, mock):
        yield _difference(rules, "value", at, live, mock)
    elif isinstance(live, str) and isinstance(mock, str) and _form(live) != _form(mock):
        yield _difference(rules, "format", at, live, mock)


def _is_code(live: JSON, mock: JSON) -> bool:
    """Return True for words without spaces, which are codes whatever their member is called."""
    return all(
        isinstance(value, str) and re.fullmatch(r"\w{1,60}", value) for value in (live, mock)
    )


def _form(text: str) -> str:
    """Return the form of a value that always differs: a kind of text, or the prefix of an id."""
    for name, pattern in _FORMS.items():
        if pattern.fullmatch(text):
            return name
    prefix = _PREFIX.match(text)
    return prefix[0] if prefix else ""


def _inner(rules: _Rules, nodes: Sequence[Any], name: str) -> list[Any]:
    """Return the schemas of a member or an item."""
    return [
        part
        for node in nodes
        for child in members(node, name)
        for part in combined(rules.schemas, child)
    ]


def _type(value: JSON) -> str:
    if isinstance(value, bool):
        return "boolean"
    if isinstance(value, int | float):
        return "number"
    return type(value).__name__


def _types(node: Any) -> Sequence[str]:
    types = node.get("type", ())
    return [types] if isinstance(types, str) else [*types]


def _difference(
    rules: _Rules, kind: DifferenceKind, at: str, live: JSON, mock: JSON
) -> ResponseDifference:
    """Return a difference with short values, from which secrets are removed."""
    hide = mask if is_secret(at.rpartition("/")[2]) else rules.hide
    return ResponseDifference(kind, at or "/", *(_short(hide(value)) for value in (live, mock)))


def _short(value: JSON) -> JSON:
    text = brief(value, _MAX_VALUE)
    return value if len(text) < _MAX_VALUE else text

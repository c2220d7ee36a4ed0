"""Strategies for requests of a contract: valid ones, and ones that violate one rule."""

from __future__ import annotations

import json
import re
from base64 import b64encode
from collections.abc import Callable, Iterator, Mapping
from copy import deepcopy
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from typing import Any
from urllib.parse import quote

import httpx
from hypothesis import strategies as st

from ..conftest import CODECS, encoded
from .contracts import Contract, Operation

SOUND = {format: encoded(format, 0.3) for format in CODECS} | {"pcm": bytes(4800)}


@dataclass(frozen=True)
class File:
    """A file part."""

    data: bytes = field(repr=False)
    filename: str = "upload"
    media_type: str | None = "application/octet-stream"


@dataclass(frozen=True)
class Request:
    """A request before encoding: parameters, and members or raw content of the body."""

    operation: Operation
    parameters: Mapping[tuple[str, str], Any] = field(default_factory=dict)
    members: Any = None
    content: bytes | None = None
    media_type: str | None = None
    headers: Mapping[str, str] = field(default_factory=dict)

    def send(self, client: httpx.Client) -> httpx.Response:
        path = self.operation.contract.base_path + self.operation.path
        query: list[tuple[str, str | int | float | bool | None]] = []
        for (location, name), value in self.parameters.items():
            values = value if isinstance(value, list) else [value]
            if location == "path":
                path = path.replace(f"{{{name}}}", quote(_text(value), safe=""))
            elif location == "query":
                query += [(name, _text(item)) for item in values]
        content, media_type = self._body()
        headers = dict(self.headers)
        if media_type:
            headers["Content-Type"] = media_type
        return client.request(
            self.operation.method, path, params=query, headers=headers, content=content
        )

    def _body(self) -> tuple[bytes | None, str | None]:
        if self.content is not None or self.members is None:
            return self.content, self.media_type
        assert self.operation.body
        if self.operation.body[0] == "multipart/form-data":
            return multipart(self.members), "multipart/form-data; boundary=zzz"
        return json.dumps(self.members).encode(), self.operation.body[0]


def _text(value: Any) -> str:
    if isinstance(value, str):
        return value
    return json.dumps(value)


def multipart(members: Mapping[str, Any]) -> bytes:
    """Encode a form; a list becomes a repeated part."""
    parts = []
    for name, value in members.items():
        for item in value if isinstance(value, list) else [value]:
            head = f'Content-Disposition: form-data; name="{name}"'
            if isinstance(item, File):
                head += f'; filename="{item.filename}"'
                head += f"\r\nContent-Type: {item.media_type}" if item.media_type else ""
                data = item.data
            else:
                data = _text(item).encode()
            parts.append(b"--zzz\r\n" + head.encode() + b"\r\n\r\n" + data + b"\r\n")
    return b"".join(parts) + b"--zzz--\r\n"


# --- valid values ------------------------------------------------------------------------------

_CHARACTERS = st.characters(exclude_categories=["Cs"])
_JSON = st.one_of(st.none(), st.booleans(), st.integers(-9, 9), st.text(_CHARACTERS, max_size=5))


def values(contract: Contract, node: Any) -> st.SearchStrategy[Any]:
    """Return a strategy for valid values of a schema."""
    node = contract.resolve(node)
    if "const" in node:
        return st.just(node["const"])
    if "enum" in node:
        return st.sampled_from(node["enum"])
    for word in ("anyOf", "oneOf"):
        if word in node:
            return st.one_of([values(contract, branch) for branch in node[word]])
    if "if" in node and "properties" not in node:
        return st.one_of([values(contract, node[branch]) for branch in ("then", "else")])
    kind = node.get("type")
    if isinstance(kind, list):
        return st.one_of([values(contract, {**node, "type": type}) for type in kind])
    make = _BY_KIND.get(kind)
    return make(contract, node) if make else _JSON


_BY_FORMAT: Mapping[str, st.SearchStrategy[str]] = {
    "uuid": st.uuids().map(str),
    "date-time": st.integers(0, 32_000_000_000_000).map(
        lambda ms: datetime.fromtimestamp(ms / 1000, UTC).isoformat()
    ),
    "date": st.dates().map(str),
    "json-pointer": st.sampled_from(["/voice_id", "/voice_name"]),
}


def _strings(contract: Contract, node: Any) -> st.SearchStrategy[Any]:
    if node.get("format") == "binary":
        formats = node.get("x-audio-formats", ["wav"])
        names = st.sampled_from(["upload", "a.wav", "b.mp3", "blob", "الصوت.wav"])
        types = st.sampled_from([None, "application/octet-stream", "audio/x-wav", "audio/mpeg"])
        return st.builds(File, st.sampled_from([SOUND[format] for format in formats]), names, types)
    if node.get("contentEncoding") == "base64":
        return st.binary(max_size=20).map(lambda content: b64encode(content).decode())
    if node.get("format") in _BY_FORMAT:
        return _BY_FORMAT[node["format"]]
    if "pattern" in node:
        pattern = re.compile(node["pattern"].replace("$", r"\Z"), re.ASCII)
        return st.from_regex(pattern).filter(lambda text: len(text) >= node.get("minLength", 0))
    return st.text(
        _CHARACTERS, min_size=node.get("minLength", 0), max_size=min(node.get("maxLength", 40), 300)
    )


def _numbers(contract: Contract, node: Any) -> st.SearchStrategy[Any]:
    low = node.get("minimum", node.get("exclusiveMinimum", -99))
    high = node.get("maximum", 99)
    if node["type"] == "integer":
        return st.integers(low, high)
    return st.floats(low, high, exclude_min="exclusiveMinimum" in node)


def _lists(contract: Contract, node: Any) -> st.SearchStrategy[Any]:
    low = node.get("minItems", 0)
    return st.lists(
        values(contract, node.get("items", {})),
        min_size=low,
        max_size=min(node.get("maxItems", 3), low + 2),
    )


def _objects(contract: Contract, node: Any) -> st.SearchStrategy[Any]:
    members = {
        name: values(contract, schema) for name, schema in node.get("properties", {}).items()
    }
    required = {name: members[name] for name in node.get("required", ())}
    optional = {name: value for name, value in members.items() if name not in required}
    low, high = node.get("minProperties", 0), node.get("maxProperties", len(members))
    objects = st.fixed_dictionaries(required, optional=optional)
    if "if" in node or "allOf" in node:
        valid = objects.map(lambda members: _without_conflicts(contract, node, members))
        return valid.filter(lambda members: not contract.errors(node, members))
    return objects.filter(lambda made: low <= len(made) <= high)


def _without_conflicts(contract: Contract, node: Any, members: Mapping[str, Any]) -> Any:
    """Return the members without those that cannot be with the others, such as kind and status."""
    kept = dict(members)
    for name in members:
        if name not in node.get("required", ()) and contract.errors(node, kept):
            del kept[name]
    return kept


_BY_KIND: Mapping[str, Callable[[Contract, Any], st.SearchStrategy[Any]]] = {
    "string": _strings,
    "number": _numbers,
    "integer": _numbers,
    "boolean": lambda contract, node: st.booleans(),
    "null": lambda contract, node: st.none(),
    "array": _lists,
    "object": _objects,
}


def requests(operation: Operation, known: Mapping[str, Any]) -> st.SearchStrategy[Request]:
    """Return a strategy for valid requests.

    `known` are values of members and parameters that the schema cannot know; None omits a member.
    """
    parameters: dict[tuple[str, str], st.SearchStrategy[Any]] = {}
    optional: dict[tuple[str, str], st.SearchStrategy[Any]] = {}
    for parameter in operation.parameters:
        location, name = parameter["in"], parameter["name"]
        # Without its timeout, the response of GET /events would not end.
        is_sent = parameter.get("required") or (location, name) == ("query", "timeout")
        strategies = parameters if is_sent else optional
        strategies[location, name] = (
            st.just(known[name])
            if name in known
            else values(operation.contract, parameter["schema"])
        )
    members: st.SearchStrategy[Any] = st.none()
    if operation.body:
        names = {parameter["name"] for parameter in operation.parameters}
        fixed = {name: value for name, value in known.items() if name not in names}
        members = values(operation.contract, operation.body[1]).map(
            lambda made: _with_known(made, fixed)
        )
        # The schema of faults does not restrict what `tls` goes with: tests/faults/test_tls.py.
        members = members.filter(lambda made: not isinstance(made, dict) or not _is_tls(made))
    return st.builds(
        Request,
        st.just(operation),
        st.fixed_dictionaries(parameters, optional=optional),
        members,
        headers=st.just(operation.credential),
    )


def _is_tls(fault: Mapping[str, Any]) -> bool:
    return "tls" in (fault.get("kind"), *(_kind(item) for item in fault.get("sequence", ())))


def _kind(item: Any) -> Any:
    return item.get("kind") if isinstance(item, dict) else item


def _with_known(members: Any, known: Mapping[str, Any]) -> Any:
    """Return the members of a body with known values; other bodies, such as 502, as they are."""
    if not isinstance(members, dict):
        return members
    return {k: v for k, v in {**members, **known}.items() if v is not None or k not in known}


# --- one rule broken ---------------------------------------------------------------------------

Break = Callable[[Request], Request]


def breaks(operation: Operation) -> Iterator[tuple[str, Break]]:
    """Yield every change that violates one rule of an operation, with a name for it."""
    if operation.credential:
        yield "no credentials", lambda request: replace(request, headers={})
    for parameter in operation.parameters:
        location, name = parameter["in"], parameter["name"]
        if location == "query":
            for label, wrong in invalid_values(operation.contract, parameter["schema"], text=True):
                if label not in ("a file", "item a file"):  # a query has no files
                    yield f"query {name} {label}", _with_parameter(location, name, wrong)
            if parameter.get("required"):
                yield f"query {name} missing", _without_parameter(location, name)
    if operation.body:
        media_type, schema = operation.body
        yield from _body_breaks(operation, media_type, schema)


def _body_breaks(operation: Operation, media_type: str, schema: Any) -> Iterator[tuple[str, Break]]:
    schema = operation.contract.object_schema(schema)
    form = media_type == "multipart/form-data"
    yield "wrong media type", lambda request: replace(request, content=b"x", media_type="text/css")
    yield "no media type", lambda request: replace(request, content=b"x")
    if form:
        yield "no boundary", lambda r: replace(r, content=b"--zzz--", media_type=media_type)
        yield (
            "cut off",
            lambda r: replace(
                r, content=multipart(r.members)[:-9], media_type=f"{media_type}; boundary=zzz"
            ),
        )
        yield "no body", lambda r: replace(r, content=b"", media_type=f"{media_type}; boundary=zzz")
    else:
        yield "broken JSON", lambda request: replace(request, content=b"{", media_type=media_type)
        yield "no object", lambda request: replace(request, content=b"[]", media_type=media_type)
        yield "no UTF-8", lambda request: replace(request, content=b"\xff", media_type=media_type)
    for name in schema.get("required", ()):
        yield f"{name} missing", _without_members(name)
    if "if" in schema:
        names = _conditional(schema)
        yield f"{' and '.join(names)} missing", _without_members(*names)
    for name, node in schema.get("properties", {}).items():
        for label, wrong in invalid_values(operation.contract, node, text=form):
            yield f"{name} {label}", _with_member(name, wrong)
    if schema.get("additionalProperties") is False:
        yield "extra", _with_member("no_such_member", 1)


_WRONGS: Mapping[str, tuple[str, Callable[[Any], Any]]] = {
    "enum": ("off the list", lambda choices: "no-such-choice"),
    "pattern": (
        "off the pattern",
        lambda pattern: next(text for text in ("!", "a,b;c", "#") if not re.search(pattern, text)),
    ),
    "minLength": ("too short", lambda length: "x" * (length - 1)),
    "maxLength": ("too long", lambda length: "x" * (length + 1)),
    "minimum": ("too small", lambda minimum: minimum - 1),
    "exclusiveMinimum": ("too small", lambda minimum: minimum),
    "maximum": ("too large", lambda maximum: maximum + 1),
}


def invalid_values(contract: Contract, node: Any, *, text: bool) -> Iterator[tuple[str, Any]]:
    """Yield values that violate one rule of a schema; with `text`, numbers are sent as text."""
    node = contract.resolve(node)
    kinds = node.get("type", [])
    kinds = [kinds] if isinstance(kinds, str) else kinds
    if node.get("format") == "binary":
        yield from _wrong_files(node)
        return
    if "array" in kinds:
        yield from _wrong_lists(contract, node, text=text)
        return
    for keyword, (label, wrong) in _WRONGS.items():
        if keyword in node and (keyword, node[keyword]) != ("minLength", 0):
            yield label, wrong(node[keyword])
    if node.get("format") == "uuid":
        yield "no UUID", "abc"
    if kinds and not (text and "string" in kinds):
        yield "of wrong type", "no-such-type" if "string" not in kinds else {"no": "such type"}
    elif kinds:
        yield "a file", File(b"x")


def _wrong_lists(contract: Contract, node: Any, *, text: bool) -> Iterator[tuple[str, Any]]:
    for label, wrong in invalid_values(contract, node["items"], text=text):
        yield f"item {label}", [wrong]
    if "maxItems" in node:
        item = contract.resolve(node["items"])
        one = File(SOUND["wav"]) if item.get("format") == "binary" else "x"
        yield "with too many items", [one] * (node["maxItems"] + 1)


def _wrong_files(node: Any) -> Iterator[tuple[str, Any]]:
    yield "no file", "b'Example data'"
    yield "empty", File(b"")
    if "x-audio-formats" in node:
        yield "text", File(b"Example data", "a.wav", "audio/wav")
        yield "a picture", File(b"\x89PNG\r\n\x1a\n", "a.mp3", "audio/mpeg")
        yield "cut off", File(SOUND["wav"][:30], "a.wav", "audio/wav")
    if "x-max-bytes" in node:
        yield "too many bytes", File(SOUND["wav"] + bytes(node["x-max-bytes"]))


def _with_member(name: str, value: Any) -> Break:
    return lambda request: replace(request, members={**_members(request), name: value})


def _members(request: Request) -> Mapping[str, Any]:
    return request.members if isinstance(request.members, dict) else {}


def _conditional(schema: Any) -> list[str]:
    """Return the members of which a schema requires one, by `if` and `then` or `else`."""
    condition = schema["if"].get("not", schema["if"])
    required = schema.get("then", schema.get("else"))["required"]
    return [*required, *condition["required"]]


def _without_members(*names: str) -> Break:
    def without(request: Request) -> Request:
        members = {k: v for k, v in _members(request).items() if k not in names}
        return replace(request, members=deepcopy(members))

    return without


def _with_parameter(location: str, name: str, value: Any) -> Break:
    return lambda r: replace(r, parameters={**r.parameters, (location, name): value})


def _without_parameter(location: str, name: str) -> Break:
    return lambda r: replace(
        r, parameters={k: v for k, v in r.parameters.items() if k != (location, name)}
    )

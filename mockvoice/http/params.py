"""Decoding: the text of parameters and forms to the types of the contract."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import parse_qsl, unquote

from starlette.types import Scope

from ..errors import MalformedBody, UnsupportedMediaType, Violation
from ..openapi.document import FORMS, YAML, Field, MediaType, Operation
from ..openapi.messages import file_view
from ..provider import Headers
from ..state.uploads import Upload
from ..types import JSON
from .body import Body

ENCODED = "mockvoice.encoded"  # the key in a scope whose path parameters are still percent-encoded


@dataclass(slots=True, eq=False)
class Decoded:
    """The parameters and the body of a request.

    `view` is the body as its schema sees it: an object stands for each file. `media_type` is None
    if there is no body to validate; `files` are the described files with their fields.
    """

    parameters: dict[str, JSON] = field(default_factory=dict)
    fields: dict[str, Any] = field(default_factory=dict)
    body: JSON = None
    media_type: MediaType | None = None
    view: JSON = None
    files: list[tuple[Field, Upload]] = field(default_factory=list)


def decode(
    operation: Operation,
    scope: Scope,
    headers: Headers,
    body: Body,
    *,
    strict_fields: bool = False,
) -> Decoded:
    """Decode a request. Raises UnsupportedMediaType or MalformedBody.

    With `strict_fields`, the part `files[]` of a form is not taken for `files`.
    """
    decoded = Decoded()
    if operation.parameters:
        decoded.parameters = _parameters(operation, scope, headers)
    if not operation.bodies:
        return decoded
    if body.problem:
        raise body.problem
    media_type = operation.bodies.get(body.media_type)
    if media_type is None:
        if not body.size and not operation.body_required:
            return decoded
        raise _unsupported([*operation.bodies], body.media_type)
    decoded.media_type = media_type
    if media_type.media_type in FORMS:
        _form(decoded, media_type, body, strict_fields=strict_fields)
        return decoded
    if not body.size:
        raise MalformedBody("the body is empty")
    value = body.yaml() if media_type.media_type == YAML else body.json()
    if media_type.schema:
        value = media_type.schema.coerce(value)
    decoded.body = decoded.view = value
    decoded.fields = value if isinstance(value, dict) else {}
    return decoded


def _unsupported(supported: list[str], received: str) -> UnsupportedMediaType:
    sent = f"has the media type {received}" if received else "has no media type"
    detail = f"the body {sent}; expected {' or '.join(supported)}"
    violation = Violation("body", "", "media type", detail, supported, received)
    return UnsupportedMediaType(detail, violation)


def _parameters(operation: Operation, scope: Scope, headers: Headers) -> dict[str, JSON]:
    query: dict[str, list[str]] = {}
    for name, text in parse_qsl(scope["query_string"].decode("latin-1"), keep_blank_values=True):
        query.setdefault(name, []).append(text)
    path = scope.get("path_params", {})
    if ENCODED in scope:
        path = {name: unquote(text) for name, text in path.items()}
    sent: Mapping[str, Mapping[str, list[str]]] = {
        "path": {name: [text] for name, text in path.items()},
        "query": query,
        "header": {name: [text] for name, text in headers.items()},
    }
    decoded: dict[str, JSON] = {}
    for parameter in operation.parameters:
        texts_by_name = sent[parameter.location]
        name = parameter.name.lower() if parameter.location == "header" else parameter.name
        texts = texts_by_name.get(name) or texts_by_name.get(f"{name}[]")
        if texts:
            values = [parameter.field.read(text) for text in texts]
            decoded[parameter.name] = values if parameter.field.is_array else values[-1]
        elif parameter.default is not None:
            decoded[parameter.name] = parameter.default
    return decoded


def _form(decoded: Decoded, media_type: MediaType, body: Body, *, strict_fields: bool) -> None:
    """Decode the parts of a form: repeated parts make a list, and `files[]` is `files`."""
    file_names = set()
    for part_name, part in body.parts:
        name, described = part_name, media_type.fields.get(part_name)
        if described is None and part_name.endswith("[]") and not strict_fields:
            name = part_name[:-2]
            described = media_type.fields.get(name)
        value: Any = part
        if isinstance(part, Upload):
            file_names.add(name)
            if described:
                decoded.files.append((described, part))
        elif described:
            value = described.read(part)
        if name in decoded.fields:
            value = _appended(decoded.fields[name], value)
        elif described and described.is_array:
            value = [value]
        decoded.fields[name] = value
    fields = decoded.fields
    decoded.view = {**fields, **{name: _view(fields[name]) for name in file_names}}


def _appended(before: Any, value: Any) -> list[Any]:
    """Return the values of a member until now and the next one as a list."""
    return [*before, value] if isinstance(before, list) else [before, value]


def _view(value: Any) -> JSON:
    """Return a member as its schema sees it."""
    if isinstance(value, Upload):
        return file_view(value.filename)
    return [_view(item) for item in value] if isinstance(value, list) else value


def without_files(fields: Mapping[str, Any]) -> Mapping[str, Any]:
    """Return the fields of a body that are no files."""
    return {
        name: value for name, value in fields.items() if type(value) is str or not _has_file(value)
    }


def _has_file(value: Any) -> bool:
    if isinstance(value, list):
        return any(isinstance(item, Upload) for item in value)
    return isinstance(value, Upload)

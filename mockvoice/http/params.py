"""Text to the types of the contract: parameters and the members of a body."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import parse_qsl, unquote

from starlette.types import Scope

from ..errors import MalformedBody, UnsupportedMediaType, Violation
from ..openapi.document import FORMS, Field, MediaType
from ..openapi.messages import file_view
from ..openapi.normalize import JSON
from ..provider import RequestContext
from ..state.uploads import Upload
from .body import Body

ENCODED = "mockvoice.encoded"  # where app.py says that the parameters of a path are still encoded


@dataclass(slots=True, eq=False)
class Decoded:
    """A body's description, its value as the schema sees it, and the files in it."""

    content: MediaType
    view: JSON
    files: list[tuple[Field, Upload]] = field(default_factory=list)


def decode(ctx: RequestContext, body: Body, scope: Scope) -> Decoded | None:
    """Fill the call's parameters and fields; return what is to be checked of the body.

    Raises WrongMediaType or Malformed.
    """
    if ctx.operation.parameters:
        _parameters(ctx, scope)
    if not ctx.operation.bodies:
        return None
    if body.problem:
        raise body.problem
    content = ctx.operation.bodies.get(body.media_type)
    if content is None:
        if not body.size and not ctx.operation.body_required:
            return None
        raise _wrong_type([*ctx.operation.bodies], body.media_type)
    if content.media_type in FORMS:
        decoded = _form(ctx, content, body)
        for upload in ctx.uploads:
            ctx.sandbox.kept.keep(upload)
        return decoded
    if not body.size:
        raise MalformedBody("the body is empty")
    ctx.body = value = body.json()
    ctx.fields = ctx.entry.fields = value if isinstance(value, dict) else {}
    return Decoded(content, value)


def _wrong_type(wanted: list[str], got: str) -> UnsupportedMediaType:
    sent = f"of type {got}" if got else "of no stated type"
    sentence = f"the body is {sent}; expected is {' or '.join(wanted)}"
    return UnsupportedMediaType(
        sentence, Violation("body", "", "media type", sentence, wanted, got)
    )


def tell_unread(ctx: RequestContext, body: Body) -> None:
    """Write down what was sent where no step came to decode it."""
    ctx.entry.fields = body.members()
    ctx.entry.uploads = tuple(sent for _, sent in body.parts if isinstance(sent, Upload))
    for upload in ctx.entry.uploads:
        ctx.sandbox.kept.keep(upload)


def _parameters(ctx: RequestContext, scope: Scope) -> None:
    query: dict[str, list[str]] = {}
    for name, text in parse_qsl(scope["query_string"].decode("latin-1"), keep_blank_values=True):
        query.setdefault(name, []).append(text)
    path = scope.get("path_params", {})
    if ENCODED in scope:
        path = {name: unquote(text) for name, text in path.items()}
    given: Mapping[str, Mapping[str, list[str]]] = {
        "path": {name: [text] for name, text in path.items()},
        "query": query,
        "header": {name: [text] for name, text in ctx.headers.items()},
    }
    for parameter in ctx.operation.parameters:
        found = given[parameter.location]
        name = parameter.name.lower() if parameter.location == "header" else parameter.name
        texts = found.get(name) or found.get(f"{name}[]")
        if texts:
            values = [parameter.field.read(text) for text in texts]
            ctx.parameters[parameter.name] = values if parameter.field.is_array else values[-1]
        elif parameter.default is not None:
            ctx.parameters[parameter.name] = parameter.default


def _form(ctx: RequestContext, content: MediaType, body: Body) -> Decoded:
    """The members of a form: repeated parts make a list, and `files[]` is `files`."""
    decoded = Decoded(content, None)
    uploads = {}
    for sent_as, sent in body.parts:
        name, described = sent_as, content.fields.get(sent_as)
        if described is None and sent_as.endswith("[]"):
            name = sent_as[:-2]
            described = content.fields.get(name)
        value: Any = sent
        if isinstance(sent, Upload):
            uploads[sent] = name
            if described:
                decoded.files.append((described, sent))
        elif described:
            value = described.read(sent)
        _put(ctx.fields, name, value, described)
    ctx.uploads = ctx.entry.uploads = tuple(uploads)
    ctx.entry.fields = ctx.fields
    decoded.view = {**ctx.fields, **{name: _seen(ctx.fields[name]) for name in uploads.values()}}
    return decoded


def _put(members: dict[str, Any], name: str, value: Any, described: Field | None) -> None:
    if name in members:
        before = members[name]
        members[name] = [*before, value] if isinstance(before, list) else [before, value]
    else:
        members[name] = [value] if described and described.is_array else value


def _seen(value: Any) -> JSON:
    """A member as its schema sees it: something stands for each file."""
    if isinstance(value, Upload):
        return file_view(value.filename)
    return [_seen(each) for each in value] if isinstance(value, list) else value

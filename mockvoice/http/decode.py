"""Text to the types of the contract: parameters and the members of a body."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import parse_qsl, unquote

from starlette.types import Scope

from ..errors import Malformed, Violation, WrongMediaType
from ..openapi.document import FORMS, Content, Field
from ..openapi.lift import JSON
from ..openapi.wording import file_view
from ..provider import Call
from ..sandbox.uploads import Upload
from .body import Body

ENCODED = "mockvoice.encoded"  # where app.py says that the parameters of a path are still encoded


@dataclass(slots=True, eq=False)
class Decoded:
    """A body's description, its value as the schema sees it, and the files in it."""

    content: Content
    view: JSON
    files: list[tuple[Field, Upload]] = field(default_factory=list)


def decode(call: Call, body: Body, scope: Scope) -> Decoded | None:
    """Fill the call's parameters and fields; return what is to be checked of the body.

    Raises WrongMediaType or Malformed.
    """
    if call.operation.parameters:
        _parameters(call, scope)
    if not call.operation.bodies:
        return None
    if body.problem:
        raise body.problem
    content = call.operation.bodies.get(body.media_type)
    if content is None:
        if not body.size and not call.operation.body_required:
            return None
        raise _wrong_type([*call.operation.bodies], body.media_type)
    if content.media_type in FORMS:
        decoded = _form(call, content, body)
        for upload in call.uploads:
            call.sandbox.kept.keep(upload)
        return decoded
    if not body.size:
        raise Malformed("the body is empty")
    call.body = value = body.json()
    call.fields = call.told.fields = value if isinstance(value, dict) else {}
    return Decoded(content, value)


def _wrong_type(wanted: list[str], got: str) -> WrongMediaType:
    sent = f"of type {got}" if got else "of no stated type"
    sentence = f"the body is {sent}; expected is {' or '.join(wanted)}"
    return WrongMediaType(sentence, Violation("body", "", "media type", sentence, wanted, got))


def tell_unread(call: Call, body: Body) -> None:
    """Write down what was sent where no step came to decode it."""
    call.told.fields = body.members()
    call.told.uploads = tuple(sent for _, sent in body.parts if isinstance(sent, Upload))
    for upload in call.told.uploads:
        call.sandbox.kept.keep(upload)


def _parameters(call: Call, scope: Scope) -> None:
    query: dict[str, list[str]] = {}
    for name, text in parse_qsl(scope["query_string"].decode("latin-1"), keep_blank_values=True):
        query.setdefault(name, []).append(text)
    path = scope.get("path_params", {})
    if ENCODED in scope:
        path = {name: unquote(text) for name, text in path.items()}
    given: Mapping[str, Mapping[str, list[str]]] = {
        "path": {name: [text] for name, text in path.items()},
        "query": query,
        "header": {name: [text] for name, text in call.headers.items()},
    }
    for parameter in call.operation.parameters:
        found = given[parameter.place]
        name = parameter.name.lower() if parameter.place == "header" else parameter.name
        texts = found.get(name) or found.get(f"{name}[]")
        if texts:
            values = [parameter.field.read(text) for text in texts]
            call.parameters[parameter.name] = values if parameter.field.many else values[-1]
        elif parameter.default is not None:
            call.parameters[parameter.name] = parameter.default


def _form(call: Call, content: Content, body: Body) -> Decoded:
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
        _put(call.fields, name, value, described)
    call.uploads = call.told.uploads = tuple(uploads)
    call.told.fields = call.fields
    decoded.view = {**call.fields, **{name: _seen(call.fields[name]) for name in uploads.values()}}
    return decoded


def _put(members: dict[str, Any], name: str, value: Any, described: Field | None) -> None:
    if name in members:
        before = members[name]
        members[name] = [*before, value] if isinstance(before, list) else [before, value]
    else:
        members[name] = [value] if described and described.many else value


def _seen(value: Any) -> JSON:
    """A member as its schema sees it: something stands for each file."""
    if isinstance(value, Upload):
        return file_view(value.filename)
    return [_seen(each) for each in value] if isinstance(value, list) else value

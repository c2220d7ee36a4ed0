"""A contract as operations with parameters, bodies and responses."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from types import MappingProxyType
from typing import Any, Literal, NamedTuple
from urllib.parse import urlsplit

import yaml

from ..errors import RequestLocation
from .examples import example
from .normalize import JSON, METHODS, ContractError, Node
from .schema import Schema, SchemaStore, coerce, escape, kinds

_NONE: Mapping[Any, Any] = MappingProxyType({})
FORMS = ("multipart/form-data", "application/x-www-form-urlencoded")
_TEXT = frozenset({"string"})  # what comes without a filename is text, and never becomes a file


class FileConstraints(NamedTuple):
    """What a file must be beyond being one: `x-audio-formats` and `x-max-bytes` of its schema."""

    formats: tuple[str, ...] = ()
    max_bytes: int | None = None
    source: str = ""


class Field(NamedTuple):
    """One field of a form, or one parameter: how its text becomes JSON."""

    name: str
    kinds: frozenset[str]
    is_array: bool = False
    file: FileConstraints | None = None

    def read(self, text: str) -> JSON:
        """The text as what the schema wants, else unchanged."""
        return coerce(text, self.kinds)


class Parameter(NamedTuple):
    """A parameter in the path, the query or a header."""

    field: Field
    location: RequestLocation
    required: bool
    schema: Schema
    default: JSON

    @property
    def name(self) -> str:
        """What it is called, as the contract writes it."""
        return self.field.name


@dataclass(frozen=True, eq=False)
class MediaType:
    """A body of one media type."""

    media_type: str
    schema: Schema | None
    fields: Mapping[str, Field]
    configured: tuple[JSON, ...]
    defaults: Mapping[str, JSON]
    _schemas: SchemaStore = field(repr=False)

    @cached_property
    def example(self) -> JSON:
        """The example that the contract states, else one made from the schema."""
        if self.configured:
            return self.configured[0]
        return example(self._schemas, self.schema.node) if self.schema else None


class DocumentedResponse(NamedTuple):
    """What an operation may answer with one status."""

    status: int
    description: str
    content: Mapping[str, MediaType]
    headers: Mapping[str, Schema]

    def find(self, media_type: str) -> MediaType | None:
        """What is documented for a media type, with its parameters or without."""
        return self.content.get(media_type) or self.content.get(media_type.partition(";")[0])


class SecurityScheme(NamedTuple):
    """Where an operation wants its API key: a bearer token, or a header of its own."""

    kind: Literal["bearer", "header"]
    header: str

    @property
    def example(self) -> str:
        """The header as a person would write it."""
        return f"{self.header}: {'Bearer KEY' if self.kind == 'bearer' else 'KEY'}"


class Operation(NamedTuple):
    """One method at one path."""

    id: str
    method: str
    path: str
    summary: str = ""
    parameters: tuple[Parameter, ...] = ()
    body_required: bool = False
    empty_body_hint: str = ""
    bodies: Mapping[str, MediaType] = _NONE
    responses: Mapping[int, DocumentedResponse] = _NONE
    credential: SecurityScheme | None = None
    extensions: Mapping[str, Any] = _NONE

    @property
    def success(self) -> DocumentedResponse:
        """The first documented response that is no error."""
        return next(iter(self.responses.values()))

    def documented(self, status: int) -> JSON:
        """The JSON body that the contract shows for a status, or None."""
        response = self.responses.get(status)
        content = response.content.get("application/json") if response else None
        return content.example if content else None


class Document:
    """A contract that was read.

    Raises ContractError when the text is no OpenAPI 3.0 or 3.1 that mockvoice understands.
    """

    def __init__(self, name: str, text: str) -> None:
        self.name = name
        self.text = text
        try:
            loaded = yaml.load(text, Loader=_Loader)  # noqa: S506 - a safe loader, see there
        except yaml.YAMLError as error:
            raise ContractError(f"{name}: not YAML: {error}") from None
        if not isinstance(loaded, dict):
            raise ContractError(f"{name}: not an OpenAPI document")
        self.schemas = SchemaStore(name, loaded)
        self.title: str = loaded.get("info", {}).get("title", name)
        servers = loaded.get("servers") or [{"url": ""}]
        self.base_path = urlsplit(servers[0]["url"]).path.rstrip("/")
        self._security: list[Node] = loaded.get("security", [])
        self.operations: Mapping[str, Operation] = {each.id: each for each in self._read()}

    def _read(self) -> Iterator[Operation]:
        for path, item in self.schemas.document.get("paths", {}).items():
            at = f"#/paths/{escape(path)}"
            shared = list(self._list(item.get("parameters", ()), f"{at}/parameters"))
            for method in METHODS:
                if method in item:
                    yield self._operation(path, method, item[method], f"{at}/{method}", shared)

    def _operation(
        self, path: str, method: str, node: Node, at: str, shared: list[tuple[Node, str]]
    ) -> Operation:
        own = self._list(node.get("parameters", ()), f"{at}/parameters")
        parameters = {(p["in"], p["name"]): (p, where) for p, where in [*shared, *own]}
        body, body_at = self._at(node.get("requestBody", {}), f"{at}/requestBody")
        responses = {}
        for status, response in node.get("responses", {}).items():
            if str(status).isdigit():
                where = f"{at}/responses/{status}"
                responses[int(status)] = self._response(int(status), response, where)
        if not any(status < 400 for status in responses):
            raise ContractError(f"{self.name}: {method.upper()} {path} documents no success")
        responses = dict(sorted(responses.items()))
        return Operation(
            id=node.get("operationId") or f"{method.upper()} {path}",
            method=method.upper(),
            path=path,
            summary=node.get("summary") or node.get("description", ""),
            parameters=tuple(
                self._parameter(p, where)
                for (location, _), (p, where) in parameters.items()
                if location in ("path", "query", "header")
            ),
            body_required=bool(body.get("required")),
            empty_body_hint=body.get("x-empty-body-hint", ""),
            bodies=self._contents(body, body_at),
            responses=responses,
            credential=self._security_scheme(node.get("security", self._security)),
            extensions={k: v for k, v in node.items() if k.startswith("x-")},
        )

    def _at(self, node: Node, at: str) -> tuple[Node, str]:
        found, pointer = self.schemas.follow(node, at)
        return (found if isinstance(found, dict) else {}), pointer

    def _list(self, nodes: Any, at: str) -> Iterator[tuple[Node, str]]:
        for i, node in enumerate(nodes):
            yield self._at(node, f"{at}/{i}")

    def _parameter(self, node: Node, at: str) -> Parameter:
        schema = self.schemas.compile(f"{at}/schema")
        return Parameter(
            field=self._field(node["name"], schema.node, schema.pointer),
            location=node["in"],
            required=bool(node.get("required")),
            schema=schema,
            default=schema.node.get("default"),
        )

    def _response(self, status: int, node: Node, at: str) -> DocumentedResponse:
        node, at = self._at(node, at)
        headers = {}
        for name, header in node.get("headers", {}).items():
            found, where = self._at(header, f"{at}/headers/{escape(name)}")
            if "schema" in found:
                headers[name.lower()] = self.schemas.compile(f"{where}/schema")
        return DocumentedResponse(
            status, node.get("description", ""), self._contents(node, at), headers
        )

    def _contents(self, node: Node, at: str) -> Mapping[str, MediaType]:
        return {
            name: self._content(name, content, f"{at}/content/{escape(name)}")
            for name, content in node.get("content", {}).items()
        }

    def _content(self, media_type: str, node: Node, at: str) -> MediaType:
        configured = [node["example"]] if "example" in node else []
        configured += [each.get("value") for each in node.get("examples", {}).values()]
        schema = self.schemas.compile(f"{at}/schema") if "schema" in node else None
        members = {}
        if schema:  # from where it stands, so that rules are told to be where they are
            members = self._members(self.schemas.node(schema.pointer), schema.pointer)
        fields = {}
        if media_type in FORMS:
            fields = {n: self._field(n, sub, where) for n, (sub, where) in members.items()}
        defaults = {
            name: found["default"]
            for name, (member, where) in members.items()
            for found in (member, self._at(member, where)[0])
            if "default" in found
        }
        return MediaType(media_type, schema, fields, tuple(configured), defaults, self.schemas)

    def _members(self, node: Node, at: str) -> dict[str, tuple[Node, str]]:
        """All members that a form's schema names, through references and choices."""
        node, at = self._at(node, at)
        found = {
            name: (member, f"{at}/properties/{escape(name)}")
            for name, member in node.get("properties", {}).items()
        }
        for word in ("allOf", "anyOf", "oneOf"):
            for i, part in enumerate(node.get(word, ())):
                chosen, step = part.get("then"), f"{at}/{word}/{i}"
                more = (
                    self._members(chosen, f"{step}/then") if chosen else self._members(part, step)
                )
                found = {**more, **found}
        return found

    def _field(self, name: str, node: Node, at: str) -> Field:
        node, at = self._at(node, at)
        is_array = "array" in kinds(self.schemas, node)
        if is_array:
            node, at = self._at(node.get("items", {}), f"{at}/items")
        if node.get("x-binary"):
            formats = tuple(node.get("x-audio-formats", ()))
            rule = FileConstraints(formats, node.get("x-max-bytes"), f"{self.name}.yaml{at}")
            return Field(name, _TEXT, is_array, rule)
        return Field(name, kinds(self.schemas, node), is_array)

    def _security_scheme(self, security: list[Node]) -> SecurityScheme | None:
        for requirement in security:
            for name in requirement:
                scheme, _ = self._at(
                    self.schemas.node(f"#/components/securitySchemes/{escape(name)}"), ""
                )
                if scheme.get("type") == "http" and scheme.get("scheme", "").lower() == "bearer":
                    return SecurityScheme("bearer", "authorization")
                if scheme.get("type") == "apiKey" and scheme.get("in") == "header":
                    return SecurityScheme("header", scheme["name"].lower())
                raise ContractError(f"{self.name}: security scheme {name!r} is of unknown kind")
        return None


class _Loader(getattr(yaml, "CSafeLoader", yaml.SafeLoader)):  # type: ignore[misc]  # C, if there
    """The safe loader, in C where PyYAML has it, that leaves dates as the text they were."""


_Loader.yaml_implicit_resolvers = {
    first: [(tag, pattern) for tag, pattern in found if tag != "tag:yaml.org,2002:timestamp"]
    for first, found in yaml.SafeLoader.yaml_implicit_resolvers.items()
}

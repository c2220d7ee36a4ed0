"""Read a contract as operations with parameters, bodies and responses."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property, partial
from types import MappingProxyType
from typing import Any, Literal, NamedTuple
from urllib.parse import urlsplit

from ..config.yaml import YAMLDocument, read_mapping
from ..errors import RequestLocation
from ..text import escape
from ..types import JSON, Node
from .examples import example
from .normalize import METHODS, ContractError
from .paths import UnknownMember, unknown_member
from .schema import Schema, SchemaStore, coerce, kinds

_NONE: Mapping[Any, Any] = MappingProxyType({})
YAML = "application/yaml"
FORMS = ("multipart/form-data", "application/x-www-form-urlencoded")
_TEXT = frozenset({"string"})  # a part without a filename is text, never a file


class FileConstraints(NamedTuple):
    """The rules for a file, from its schema: `x-audio-formats` and `x-max-bytes`.

    `strict_formats`, from `x-strict-audio-formats`, replace the formats with `strict_fields`.
    """

    formats: tuple[str, ...] = ()
    max_bytes: int | None = None
    source: str = ""
    strict_formats: tuple[str, ...] = ()


@dataclass(slots=True, eq=False)
class Field:
    """A form field or a parameter, and the JSON types that its text may have."""

    name: str
    kinds: frozenset[str]
    is_array: bool = False
    file: FileConstraints | None = None
    format: str = ""

    def read(self, text: str) -> JSON:
        """Return the text as the type that the schema requires, or unchanged."""
        return coerce(text, self.kinds, self.format)


@dataclass(slots=True, eq=False)
class Parameter:
    """A parameter in the path, the query or a header."""

    field: Field
    location: RequestLocation
    required: bool
    schema: Schema
    default: JSON

    @property
    def name(self) -> str:
        """The name as the contract spells it."""
        return self.field.name


@dataclass(frozen=True, eq=False)
class MediaType:
    """The body of a request or response in one media type."""

    media_type: str
    schema: Schema | None
    fields: Mapping[str, Field]
    configured: tuple[JSON, ...]
    defaults: Mapping[str, JSON]
    _schemas: SchemaStore = field(repr=False)

    @cached_property
    def example(self) -> JSON:
        """The first example of the contract, or one made from the schema."""
        if self.configured:
            return self.configured[0]
        return example(self._schemas, self.schema.node) if self.schema else None

    def unknown_member(self, path: Sequence[str]) -> UnknownMember | None:
        """Return the first segment of a path that its values are not documented to have."""
        return unknown_member(self._schemas, self.schema.node, path) if self.schema else None


@dataclass(slots=True, eq=False)
class DocumentedResponse:
    """A documented response of an operation: one status."""

    status: int
    description: str
    content: Mapping[str, MediaType]
    headers: Mapping[str, Schema]

    def find(self, media_type: str) -> MediaType | None:
        """Return the content for a media type, with its parameters or without."""
        return self.content.get(media_type) or self.content.get(media_type.partition(";")[0])


class SecurityScheme(NamedTuple):
    """The location of the API key: a bearer token, a header of its own, or a query parameter.

    `header` is the name, also of a query parameter.
    """

    kind: Literal["bearer", "header", "query"]
    header: str

    @property
    def example(self) -> str:
        """The header, or the parameter, with a placeholder for the key."""
        if self.kind == "query":
            return f"?{self.header}=KEY"
        return f"{self.header}: {'Bearer KEY' if self.kind == 'bearer' else 'KEY'}"


class APIServer(NamedTuple):
    """A server of a contract: its host, "" for the one that serves the contract, and base path."""

    host: str
    path: str


class WebSocketFrames(NamedTuple):
    """The schemas of the frames that a client and the server send as JSON; None allows any."""

    client: Schema | None
    server: Schema | None


_NO_RESPONSE = DocumentedResponse(0, "", _NONE, _NONE)


@dataclass(slots=True, eq=False)
class Operation:
    """One method at one path. One that documents a 101 has `frames`: it is a WebSocket.

    `success` is the response of a request that succeeds. `security` is the first location of the
    API key, `other_keys` are further ones; a key that is not `requires_key` may be missing.
    """

    id: str
    method: str
    path: str
    summary: str = ""
    parameters: tuple[Parameter, ...] = ()
    body_required: bool = False
    empty_body_hint: str = ""
    bodies: Mapping[str, MediaType] = field(default_factory=dict)
    responses: Mapping[int, DocumentedResponse] = field(default_factory=dict)
    security: SecurityScheme | None = None
    extensions: Mapping[str, Any] = field(default_factory=dict)
    frames: WebSocketFrames | None = None
    success: DocumentedResponse = _NO_RESPONSE
    other_keys: tuple[SecurityScheme, ...] = ()
    requires_key: bool = True

    def documented(self, status: int) -> JSON:
        """Return the JSON body that the contract shows for a status, or None."""
        response = self.responses.get(status)
        content = response.content.get("application/json") if response else None
        return content.example if content else None


class Document:
    """A contract: its operations and its schemas.

    `file` is the name that messages show, `NAME.yaml` by default; `edition` is the `x-edition` of
    the document, else its version. Raises ContractError when the text is not an OpenAPI 3.0 or 3.1
    document that mockvoice supports.
    """

    def __init__(self, name: str, text: str, file: str = "") -> None:
        self.name = name
        self.text = text
        self.file = file or f"{name}.yaml"
        load, kind = partial(YAMLDocument, text), "an OpenAPI document"
        loaded = read_mapping(self.file, load, kind, ContractError)
        self.schemas = SchemaStore(name, loaded, self.file)
        info = loaded.get("info") or {}
        self.title: str = info.get("title", name)
        self.edition = str(info.get("x-edition") or info.get("version") or "")
        servers = [*map(_server, loaded.get("servers") or [{"url": ""}])]
        self.servers = [server for server in servers if server.host]
        self.base_path = servers[0].path
        self._security: list[Node] = loaded.get("security", [])
        self.operations: Mapping[str, Operation] = {
            operation.id: operation for operation in self._read()
        }

    @property
    def key_example(self) -> str:
        """The header, or the parameter, with a placeholder for the API key; "" if none has it."""
        operations = self.operations.values()
        schemes = [operation.security for operation in operations if operation.security]
        if not operations:
            schemes = self._security_schemes(self._security)
        return schemes[0].example if schemes else ""

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
        parameters = {(p["in"], p["name"]): (p, pointer) for p, pointer in [*shared, *own]}
        body, body_at = self._at(node.get("requestBody", {}), f"{at}/requestBody")
        responses = {}
        for status, response in node.get("responses", {}).items():
            if str(status).isdigit():
                pointer = f"{at}/responses/{status}"
                responses[int(status)] = self._response(int(status), response, pointer)
        if not any(status < 400 for status in responses):
            raise ContractError(f"{self.name}: {method.upper()} {path} documents no success")
        responses = dict(sorted(responses.items()))
        security = node.get("security", self._security)
        schemes = self._security_schemes(security)
        return Operation(
            id=node.get("operationId") or f"{method.upper()} {path}",
            method=method.upper(),
            path=path,
            summary=node.get("summary") or node.get("description", ""),
            parameters=tuple(
                self._parameter(p, pointer)
                for (location, _), (p, pointer) in parameters.items()
                if location in ("path", "query", "header")
            ),
            body_required=bool(body.get("required")),
            empty_body_hint=body.get("x-empty-body-hint", ""),
            bodies=self._contents(body, body_at),
            responses=responses,
            security=schemes[0] if schemes else None,
            other_keys=tuple(schemes[1:]),
            requires_key={} not in security,
            extensions={k: v for k, v in node.items() if k.startswith("x-")},
            frames=self._frames(node, at) if 101 in responses else None,
            success=_success([*responses.values()]),
        )

    def _frames(self, node: Node, at: str) -> WebSocketFrames:
        """Return the schemas in the extension `x-websocket` of an operation."""
        described = node.get("x-websocket", {})
        client, server = (
            self.schemas.compile(f"{at}/x-websocket/{side}") if side in described else None
            for side in ("client", "server")
        )
        return WebSocketFrames(client, server)

    def _at(self, node: Node, at: str) -> tuple[Node, str]:
        target, pointer = self.schemas.follow(node, at)
        return (target if isinstance(target, dict) else {}), pointer

    def _list(self, nodes: Any, at: str) -> Iterator[tuple[Node, str]]:
        for i, node in enumerate(nodes):
            yield self._at(node, f"{at}/{i}")

    def _parameter(self, node: Node, at: str) -> Parameter:
        schema = self.schemas.compile(f"{at}/schema")
        described = schema.node
        return Parameter(
            field=self._field(node["name"], described, schema.pointer),
            location=node["in"],
            required=bool(node.get("required")),
            schema=schema,
            default=described.get("default"),
        )

    def _response(self, status: int, node: Node, at: str) -> DocumentedResponse:
        node, at = self._at(node, at)
        headers = {}
        for name, described in node.get("headers", {}).items():
            header, pointer = self._at(described, f"{at}/headers/{escape(name)}")
            if "schema" in header:
                headers[name.lower()] = self.schemas.compile(f"{pointer}/schema")
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
        configured += [shown.get("value") for shown in node.get("examples", {}).values()]
        schema = self.schemas.compile(f"{at}/schema") if "schema" in node else None
        members = {}
        if schema:  # from its own pointer, so that violations name the source of each rule
            members = self._members(self.schemas.node(schema.pointer), schema.pointer)
        fields = {}
        if media_type in FORMS:
            fields = {n: self._field(n, sub, pointer) for n, (sub, pointer) in members.items()}
        defaults = {
            name: node["default"]
            for name, (member, pointer) in members.items()
            for node in (member, self._at(member, pointer)[0])
            if "default" in node
        }
        return MediaType(media_type, schema, fields, tuple(configured), defaults, self.schemas)

    def _members(self, node: Node, at: str) -> dict[str, tuple[Node, str]]:
        """Return the members of a form's schema, through references and choices."""
        node, at = self._at(node, at)
        members = {
            name: (member, f"{at}/properties/{escape(name)}")
            for name, member in node.get("properties", {}).items()
        }
        for keyword in ("allOf", "anyOf", "oneOf"):
            for i, part in enumerate(node.get(keyword, ())):
                step = f"{at}/{keyword}/{i}"
                inner, pointer = (part["then"], f"{step}/then") if "then" in part else (part, step)
                members = {**self._members(inner, pointer), **members}
        return members

    def _field(self, name: str, node: Node, at: str) -> Field:
        node, at = self._at(node, at)
        is_array = "array" in kinds(self.schemas, node)
        if is_array:
            node, at = self._at(node.get("items", {}), f"{at}/items")
        if node.get("x-binary"):
            formats = tuple(node.get("x-audio-formats", ()))
            strict_formats = tuple(node.get("x-strict-audio-formats", ()))
            rule = FileConstraints(
                formats, node.get("x-max-bytes"), f"{self.file}{at}", strict_formats
            )
            return Field(name, _TEXT, is_array, rule)
        return Field(name, kinds(self.schemas, node), is_array, format=node.get("format", ""))

    def _security_schemes(self, security: list[Node]) -> list[SecurityScheme]:
        """Return the locations of a key, one for each alternative; the first must be supported."""
        found: list[SecurityScheme] = []
        for requirement in security:
            for name in [*requirement][:1]:
                scheme = self._security_scheme(name)
                if scheme is None and not found:
                    raise ContractError(
                        f"{self.name}: security scheme {name!r} is of an unsupported type"
                    )
                found += [scheme] if scheme else []
        return found

    def _security_scheme(self, name: str) -> SecurityScheme | None:
        pointer = f"#/components/securitySchemes/{escape(name)}"
        scheme, _ = self._at(self.schemas.node(pointer), "")
        if scheme.get("type") == "http" and scheme.get("scheme", "").lower() == "bearer":
            return SecurityScheme("bearer", "authorization")
        if scheme.get("type") == "apiKey" and scheme.get("in") == "header":
            return SecurityScheme("header", scheme["name"].lower())
        if scheme.get("type") == "apiKey" and scheme.get("in") == "query":
            return SecurityScheme("query", scheme["name"])
        return None


def _success(responses: list[DocumentedResponse]) -> DocumentedResponse:
    """Return the response of a request that succeeds: 101, the first 2xx, or the first."""
    successes = (one for one in responses if one.status == 101 or 200 <= one.status < 300)
    return next(successes, responses[0])


def _server(node: Node) -> APIServer:
    """Return a server with the default values of its variables."""
    url: str = node["url"]
    for name, variable in node.get("variables", {}).items():
        url = url.replace(f"{{{name}}}", str(variable["default"]))
    parts = urlsplit(url)
    return APIServer(parts.hostname or "", parts.path.rstrip("/"))

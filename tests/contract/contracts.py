"""The contracts, read with libraries that mockvoice does not use."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import cache, cached_property
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import httpx
import yaml
from openapi_schema_validator import (
    OAS30Validator,
    OAS31Validator,
    oas30_format_checker,
    oas31_format_checker,
)

from ..clients import make_client

SPECS = Path(__file__).parents[2] / "specs"


class _Loader(getattr(yaml, "CSafeLoader", yaml.SafeLoader)):  # type: ignore[misc]  # in C if possible
    """The safe loader, without dates: JSON has none."""


_Loader.yaml_implicit_resolvers = {
    key: [(tag, regex) for tag, regex in resolvers if not tag.endswith(":timestamp")]
    for key, resolvers in yaml.SafeLoader.yaml_implicit_resolvers.items()
}


@cache
def _read(path: Path) -> Any:
    return yaml.load(path.read_text(), _Loader)


@dataclass(frozen=True)
class Contract:
    """One document of `specs/`; the control API has no editions."""

    name: str
    edition: str = ""

    def __str__(self) -> str:
        return f"{self.name}@{self.edition}" if self.edition else self.name

    @property
    def path(self) -> Path:
        if not self.edition:
            return SPECS / f"{self.name}.yaml"
        return SPECS / self.name / f"{self.edition}.yaml"

    @property
    def document(self) -> Any:
        return _read(self.path)

    @cached_property
    def base_path(self) -> str:
        prefix = "" if self.name == "mockvoice" else f"/{self.name}"
        url: str = self.document["servers"][0]["url"]
        return prefix + urlsplit(url).path.rstrip("/")

    def resolve(self, node: Any) -> Any:
        while isinstance(node, dict) and "$ref" in node:
            target = self.document
            for step in node["$ref"].removeprefix("#/").split("/"):
                target = target[step.replace("~1", "/").replace("~0", "~")]
            node = target
        return node

    def object_schema(self, node: Any) -> Any:
        """Return the schema of the objects that a schema accepts, by `if`, `then` and `else`."""
        while "properties" not in node and "else" in node:
            is_object = node["if"].get("type") == "object"
            node = self.resolve(node["then" if is_object else "else"])
        return node

    def errors(self, schema: Any, value: Any) -> list[str]:
        """Return the errors of a value against a schema."""
        old = self.document["openapi"].startswith("3.0")
        kind, formats = (
            (OAS30Validator, oas30_format_checker)
            if old
            else (OAS31Validator, oas31_format_checker)
        )
        whole = {**schema, "components": self.document.get("components", {})}  # for references
        validator = kind(whole, format_checker=formats)
        return [error.message for error in validator.iter_errors(value)]


@dataclass(frozen=True)
class Operation:
    """One operation of a contract."""

    contract: Contract
    path: str
    method: str

    def __str__(self) -> str:
        default = self.contract in CONTRACTS
        name = self.contract.name if default else str(self.contract)
        return f"{name} {self.method} {self.path}"

    @cached_property
    def pattern(self) -> re.Pattern[str]:
        """The paths of its requests."""
        template = self.contract.base_path + self.path
        return re.compile(re.sub(r"\\\{\w+\\\}", "[^/]+", re.escape(template)))

    @property
    def node(self) -> Any:
        return self.contract.document["paths"][self.path][self.method.lower()]

    @property
    def parameters(self) -> list[Any]:
        shared = self.contract.document["paths"][self.path].get("parameters", [])
        return [self.contract.resolve(p) for p in [*shared, *self.node.get("parameters", [])]]

    @property
    def body(self) -> tuple[str, Any] | None:
        """The media type and the schema of the body."""
        body = self.contract.resolve(self.node.get("requestBody"))
        if not body:
            return None
        media_type, content = next(iter(body["content"].items()))
        return media_type, self.contract.resolve(content["schema"])

    @property
    def closed(self) -> bool:
        """True if the body may have no members besides those of the schema."""
        schema = self.body[1] if self.body else {"additionalProperties": False}
        schema = self.contract.object_schema(schema)
        closed: bool = schema.get("additionalProperties") is False
        return closed

    @property
    def credential(self) -> Mapping[str, str]:
        """A header with a valid API key, if the operation requires one."""
        requirements = self.node.get("security", self.contract.document.get("security", []))
        for requirement in [] if {} in requirements else requirements:
            for name in requirement:
                scheme = self.contract.document["components"]["securitySchemes"][name]
                if scheme["type"] == "apiKey":
                    return {scheme["name"]: "KEY"}
                return {"Authorization": "Bearer KEY"}
        return {}

    @property
    def responses(self) -> Mapping[int, Any]:
        return {
            int(status): self.contract.resolve(response)
            for status, response in self.node["responses"].items()
        }


def editions(name: str) -> list[Contract]:
    """Return all editions of a provider's contract, oldest first."""
    return [Contract(name, path.stem) for path in sorted((SPECS / name).glob("*.yaml"))]


NAMES = sorted(path.name for path in SPECS.iterdir() if path.is_dir())
# Those that a server without settings uses, and the newer ones.
CONTRACTS = [*(editions(name)[0] for name in NAMES), Contract("mockvoice")]
NEWER = [contract for name in NAMES for contract in editions(name)[1:]]


def operations(contracts: Iterable[Contract]) -> Iterator[Operation]:
    for contract in contracts:
        for path, item in contract.document["paths"].items():
            for method in ("get", "put", "post", "delete", "patch"):
                if method in item:
                    yield Operation(contract, path, method.upper())


OPERATIONS = [*operations(CONTRACTS)]


def checked_client(url: str, contract: Contract, headers: Mapping[str, str]) -> httpx.Client:
    """Return a client with a base URL that checks every response against a contract."""
    among = [*operations([contract])]
    hooks = {"response": [lambda response: check(response, among)]}
    return make_client(url, headers=headers, event_hooks=hooks)


def find(request: httpx.Request, among: Iterable[Operation] = OPERATIONS) -> Operation | None:
    """Return the operation of a request; a literal path has precedence over a template."""
    path = request.url.raw_path.decode().partition("?")[0]
    path = re.sub(r"^/~[^/]+", "", path)
    matching = [
        operation
        for operation in among
        if operation.method == request.method and operation.pattern.fullmatch(path)
    ]
    return min(matching, key=lambda operation: operation.path.count("{"), default=None)


def check(response: httpx.Response, among: Iterable[Operation] = OPERATIONS) -> None:
    """Fail unless the contract documents the response."""
    response.read()
    operation = find(response.request, among)
    if operation is None:
        assert response.status_code in (404, 405), response.text
        return
    assert response.status_code in operation.responses, f"{operation}: {response.status_code}"
    described = operation.responses[response.status_code]
    for name, header in described.get("headers", {}).items():
        schema = operation.contract.resolve(header).get("schema")
        if schema and name in response.headers:
            value: Any = response.headers[name]
            value = float(value) if schema.get("type") == "number" else value
            assert not operation.contract.errors(schema, value)
    content = described.get("content")
    if not content:
        assert response.content == b"", f"{operation}: a body where none is documented"
        return
    media_type = response.headers["content-type"]
    described = content.get(media_type) or content.get(media_type.partition(";")[0])
    assert described is not None, f"{operation}: {media_type}"
    schema = described.get("schema")
    if media_type.endswith(("/json", "+json")) and schema:
        errors = operation.contract.errors(schema, response.json())
        assert not errors, f"{operation}: {errors}\n{response.text}"

"""Rewrite the schemas of a contract as JSON Schema 2020-12, the dialect of OpenAPI 3.1.

Only schemas are rewritten; references and the rest of the document stay as they are. All other
modules see this one dialect.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ..text import did_you_mean
from ..types import Node

METHODS = ("get", "put", "post", "delete", "options", "head", "patch", "trace")


class ContractError(ValueError):
    """A contract is not an OpenAPI document that mockvoice supports."""


# The kind of each member of a document: "x" is one x, "[x]" a list of x, "{x}" a map of names to x.
_GRAMMAR: Mapping[str, Mapping[str, str]] = {
    "document": {"paths": "{path item}", "components": "components"},
    "components": {
        "schemas": "{schema}",
        "parameters": "{parameter}",
        "headers": "{parameter}",
        "requestBodies": "{body}",
        "responses": "{response}",
    },
    "path item": {"parameters": "[parameter]", **dict.fromkeys(METHODS, "operation")},
    "operation": {
        "parameters": "[parameter]",
        "requestBody": "body",
        "responses": "{response}",
        "x-websocket": "{schema}",
    },
    "parameter": {"schema": "schema", "content": "{media type}"},
    "body": {"content": "{media type}"},
    "response": {"content": "{media type}", "headers": "{parameter}"},
    "media type": {"schema": "schema"},
    "schema": {
        **dict.fromkeys(
            ("items", "not", "additionalProperties", "propertyNames", "contains", "if", "then"),
            "schema",
        ),
        **dict.fromkeys(("else", "unevaluatedProperties", "unevaluatedItems"), "schema"),
        **dict.fromkeys(("allOf", "anyOf", "oneOf", "prefixItems"), "[schema]"),
        **dict.fromkeys(
            ("properties", "patternProperties", "dependentSchemas", "$defs"), "{schema}"
        ),
    },
}

_ASSERTIONS = frozenset(
    [
        "$ref",
        "type",
        "enum",
        "const",
        "format",
        "pattern",
        "minLength",
        "maxLength",
        "minimum",
        "maximum",
        "exclusiveMinimum",
        "exclusiveMaximum",
        "multipleOf",
        "minItems",
        "maxItems",
        "uniqueItems",
        "minContains",
        "maxContains",
        "required",
        "minProperties",
        "maxProperties",
        "dependentRequired",
    ]
)
_ANNOTATIONS = frozenset(
    [
        "$comment",
        "title",
        "description",
        "default",
        "example",
        "examples",
        "deprecated",
        "readOnly",
        "writeOnly",
        "externalDocs",
        "xml",
        "contentMediaType",
        "contentEncoding",
        "discriminator",
        "nullable",
    ]
)
_KEYWORDS = _ASSERTIONS | _ANNOTATIONS | _GRAMMAR["schema"].keys()


def normalize(document: Node) -> Node:
    """Return a copy of the document with every schema in the internal dialect.

    Raises ContractError for an unsupported OpenAPI version and for an unknown schema keyword.
    """
    version = str(document.get("openapi", ""))
    if not version.startswith(("3.0.", "3.1.")):
        received = f"got {version}" if version else "it is missing"
        raise ContractError(f"openapi must be 3.0.x or 3.1.x; {received}")
    normalized: Node = _rewrite(document, "document", "#", document)
    return normalized


def _rewrite(node: Any, kind: str, at: str, root: Node) -> Any:
    if not isinstance(node, dict):
        return node
    grammar = _GRAMMAR[kind]
    out: Node = {}
    for key, value in node.items():
        shape = grammar.get(key)
        if shape is None:
            out[key] = value
            continue
        inner, here = shape.strip("[]{}"), f"{at}/{key}"
        if shape.startswith("[") and isinstance(value, list):
            out[key] = [_rewrite(item, inner, f"{here}/{i}", root) for i, item in enumerate(value)]
        elif shape.startswith("{") and isinstance(value, dict):
            out[key] = {
                name: _rewrite(item, inner, f"{here}/{name}", root) for name, item in value.items()
            }
        else:
            out[key] = _rewrite(value, inner, here, root)
    return _normalize_schema(out, at, root) if kind == "schema" else out


def _normalize_schema(node: Node, at: str, root: Node) -> Node:
    for keyword in node:
        if keyword not in _KEYWORDS and not keyword.startswith("x-"):
            hint = did_you_mean(keyword, sorted(_KEYWORDS))
            message = f"{at}: unknown schema keyword {keyword!r}"
            raise ContractError(f"{message}; {hint}" if hint else message)
    if str(root["openapi"]).startswith("3.0."):
        node = _from_3_0(node)
    if node.get("x-ignore-case") and "enum" in node:
        node = _choices_to_pattern(node)
    if "discriminator" in node:
        node = _discriminator_to_conditions(node, at, root)
    if node.get("format") == "binary" or "contentMediaType" in node:
        node = _binary_to_object(node)
    return node


def _from_3_0(node: Node) -> Node:
    if "$ref" in node:  # OpenAPI 3.0 ignores the siblings of $ref
        return {"$ref": node["$ref"]}
    node = dict(node)
    if node.pop("nullable", False):
        if isinstance(node.get("type"), str):
            node["type"] = [node["type"], "null"]
        if "enum" in node and None not in node["enum"]:
            node["enum"] = [*node["enum"], None]
    for exclusive, bound in (("exclusiveMinimum", "minimum"), ("exclusiveMaximum", "maximum")):
        if isinstance(node.get(exclusive), bool) and node.pop(exclusive) and bound in node:
            node[exclusive] = node.pop(bound)
    if "example" in node:
        node["examples"] = [node.pop("example")]
    return node


def _discriminator_to_conditions(node: Node, at: str, root: Node) -> Node:
    """Replace a choice with a discriminator by `if` this value `then` that branch.

    JSON Schema ignores discriminators and would report violations of every branch. The conditions
    make it report those of the selected branch only. OpenAPI requires the discriminator; vendors
    make it optional in one branch, which then applies without it.
    """
    node = dict(node)
    discriminator = node.pop("discriminator")
    branches = node.pop("oneOf", None) or node.pop("anyOf", None)
    if not branches or not all("$ref" in branch for branch in branches):
        raise ContractError(f"{at}: a discriminator requires oneOf or anyOf with references")
    name = discriminator["propertyName"]
    by_value = discriminator.get("mapping") or {
        branch["$ref"].rpartition("/")[2]: branch["$ref"] for branch in branches
    }
    conditions = [
        {"if": {"properties": {name: {"const": value}}, "required": [name]}, "then": {"$ref": ref}}
        for value, ref in by_value.items()
    ]
    required = [name]
    default = next((ref for ref in by_value.values() if not _requires(root, ref, name)), None)
    if default:
        required = []
        conditions.append({"if": {"required": [name]}, "else": {"$ref": default}})
    return {
        **node,
        "type": "object",
        "required": [*node.get("required", ()), *required],
        "properties": {**node.get("properties", {}), name: {"enum": list(by_value)}},
        "allOf": [*node.get("allOf", ()), *conditions],
    }


def _choices_to_pattern(node: Node) -> Node:
    """Replace texts that may be in any case by a pattern; `x-choices` has them for messages."""
    lower = dict.fromkeys(choice.lower() for choice in node["enum"])
    texts = ["".join(f"[{c}{c.upper()}]" if c.isalpha() else f"[{c}]" for c in t) for t in lower]
    rest = {name: value for name, value in node.items() if name != "enum"}
    return {**rest, "pattern": f"^({'|'.join(texts)})$", "x-choices": [*lower]}


def _requires(root: Node, ref: str, name: str) -> bool:
    """Return False for a reference to an object whose schema says that a member is optional."""
    branch: Any = root
    for segment in ref.removeprefix("#/").split("/"):
        branch = branch.get(segment, {}) if isinstance(branch, dict) else {}
    member = branch.get("properties", {}).get(name, {})
    return name in branch.get("required", ()) or "default" not in member


def _binary_to_object(node: Node) -> Node:
    """Replace a schema for bytes by one for the object that stands for a file (`file_view`)."""
    extensions = {k: v for k, v in node.items() if k.startswith("x-") or k == "description"}
    return {"type": "object", "x-binary": True, **extensions}

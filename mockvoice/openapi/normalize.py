"""Lift a contract's schemas to one dialect: JSON Schema 2020-12 as OpenAPI 3.1 uses it.

Every schema of a document, and nothing else in it, is rewritten in place, references untouched, so
that what stands behind this module knows one dialect only.
"""

from __future__ import annotations

from collections.abc import Mapping
from difflib import get_close_matches
from typing import Any

JSON = Any
Node = dict[str, Any]

METHODS = ("get", "put", "post", "delete", "options", "head", "patch", "trace")


class ContractError(ValueError):
    """A contract says something that mockvoice does not understand."""


# What stands where in a document: "x" is one x, "[x]" a list of them, "{x}" a map to them.
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
    "operation": {"parameters": "[parameter]", "requestBody": "body", "responses": "{response}"},
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
    """The document with every schema in the dialect used inside; the original is not changed.

    Raises ContractError for an edition or a schema keyword that is not known.
    """
    edition = str(document.get("openapi", ""))
    if not edition.startswith(("3.0.", "3.1.")):
        raise ContractError(f"openapi: {edition or 'missing'}; 3.0 and 3.1 are understood")
    lifted: Node = _rewrite(document, "document", "#", old=edition.startswith("3.0."))
    return lifted


def _rewrite(node: Any, kind: str, at: str, *, old: bool) -> Any:
    if not isinstance(node, dict):
        return node
    grammar = _GRAMMAR[kind]
    out: Node = {}
    for key, value in node.items():
        shape, here = grammar.get(key, ""), f"{at}/{key}"
        inner = shape.strip("[]{}")
        if shape.startswith("[") and isinstance(value, list):
            out[key] = [
                _rewrite(each, inner, f"{here}/{i}", old=old) for i, each in enumerate(value)
            ]
        elif shape.startswith("{") and isinstance(value, dict):
            out[key] = {
                name: _rewrite(each, inner, f"{here}/{name}", old=old)
                for name, each in value.items()
            }
        elif shape:
            out[key] = _rewrite(value, inner, here, old=old)
        else:
            out[key] = value
    return _lift_schema(out, at, old=old) if kind == "schema" else out


def _lift_schema(node: Node, at: str, *, old: bool) -> Node:
    for keyword in node:
        if keyword not in _KEYWORDS and not keyword.startswith("x-"):
            close = get_close_matches(keyword, _KEYWORDS, 1)
            meant = f"; did you mean {close[0]}?" if close else ""
            raise ContractError(f"{at}: unknown schema keyword {keyword!r}{meant}")
    if old:
        node = _lift_from_3_0(node)
    if "discriminator" in node:
        node = _lift_discriminator(node, at)
    if node.get("format") == "binary" or "contentMediaType" in node:
        node = _lift_binary(node)
    return node


def _lift_from_3_0(node: Node) -> Node:
    if "$ref" in node:  # 3.0 ignores whatever stands beside a reference
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


def _lift_discriminator(node: Node, at: str) -> Node:
    """Replace a choice that names its branch by `if this value, then that branch`.

    JSON Schema alone would report every branch that does not fit; this reports only the chosen.
    """
    node = dict(node)
    discriminator = node.pop("discriminator")
    branches = node.pop("oneOf", None) or node.pop("anyOf", None)
    if not branches or not all("$ref" in branch for branch in branches):
        raise ContractError(f"{at}: a discriminator wants oneOf or anyOf with references")
    name = discriminator["propertyName"]
    by_value = discriminator.get("mapping") or {
        branch["$ref"].rpartition("/")[2]: branch["$ref"] for branch in branches
    }
    chosen = [
        {"if": {"properties": {name: {"const": value}}, "required": [name]}, "then": {"$ref": ref}}
        for value, ref in by_value.items()
    ]
    return {
        **node,
        "type": "object",
        "required": [*node.get("required", ()), name],
        "properties": {**node.get("properties", {}), name: {"enum": list(by_value)}},
        "allOf": [*node.get("allOf", ()), *chosen],
    }


def _lift_binary(node: Node) -> Node:
    """Bytes are no JSON: a file is checked as the object that stands for it (see `file_view`)."""
    kept = {k: v for k, v in node.items() if k.startswith("x-") or k == "description"}
    return {"type": "object", "x-binary": True, **kept}


def file_view(filename: str) -> Node:
    """What a schema sees where a file was sent."""
    return {"filename": filename}

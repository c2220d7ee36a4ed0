"""Normalizing schemas of OpenAPI 3.0 and 3.1; the rest of a document is unchanged."""

from __future__ import annotations

from typing import Any

import pytest

from mockvoice.openapi.normalize import ContractError, normalize


def document(schema: Any, version: str = "3.0.3") -> dict[str, Any]:
    return {"openapi": version, "components": {"schemas": {"X": schema}}}


def normalized(schema: Any, version: str = "3.0.3") -> Any:
    return normalize(document(schema, version))["components"]["schemas"]["X"]


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ({"type": "string", "nullable": True}, {"type": ["string", "null"]}),
        ({"type": "string", "nullable": False}, {"type": "string"}),
        (
            {"type": "string", "nullable": True, "enum": ["a"]},
            {"type": ["string", "null"], "enum": ["a", None]},
        ),
        ({"minimum": 1, "exclusiveMinimum": True}, {"exclusiveMinimum": 1}),
        ({"maximum": 1, "exclusiveMaximum": False}, {"maximum": 1}),
        ({"example": 1}, {"examples": [1]}),
        (
            {"$ref": "#/components/schemas/Y", "description": "d"},
            {"$ref": "#/components/schemas/Y"},
        ),
        (
            {"properties": {"nullable": {"type": "string", "nullable": True}}},
            {"properties": {"nullable": {"type": ["string", "null"]}}},
        ),
        (
            {"allOf": [{"type": "string", "nullable": True}]},
            {"allOf": [{"type": ["string", "null"]}]},
        ),
        ({"items": {"example": 1}}, {"items": {"examples": [1]}}),
        ({"example": {"nullable": True}}, {"examples": [{"nullable": True}]}),
    ],
)
def test_openapi_3_0_becomes_3_1(old: Any, new: Any) -> None:
    assert normalized(old) == new


def test_openapi_3_1_is_unchanged() -> None:
    schema = {"type": ["string", "null"], "$ref": "#/x", "exclusiveMinimum": 1, "examples": [1]}
    assert normalized(schema, "3.1.0") == schema


def test_normalize_does_not_modify_its_argument() -> None:
    original = document({"type": "string", "nullable": True})
    normalize(original)
    assert original == document({"type": "string", "nullable": True})


@pytest.mark.parametrize(
    "schema",
    [
        {"type": "string", "format": "binary", "description": "d", "x-max-bytes": 1},
        {"contentMediaType": "application/octet-stream", "description": "d", "x-max-bytes": 1},
    ],
)
def test_binary_schema_becomes_object_schema(schema: Any) -> None:
    assert normalized(schema, "3.1.0") == {
        "type": "object",
        "x-binary": True,
        "description": "d",
        "x-max-bytes": 1,
    }


def test_discriminator_becomes_conditions() -> None:
    branches = [{"$ref": "#/components/schemas/Cat"}, {"$ref": "#/components/schemas/Dog"}]
    assert normalized({"oneOf": branches, "discriminator": {"propertyName": "kind"}}) == {
        "type": "object",
        "required": ["kind"],
        "properties": {"kind": {"enum": ["Cat", "Dog"]}},
        "allOf": [
            {
                "if": {"properties": {"kind": {"const": name}}, "required": ["kind"]},
                "then": {"$ref": f"#/components/schemas/{name}"},
            }
            for name in ("Cat", "Dog")
        ],
    }


@pytest.mark.parametrize(
    ("schema", "message"),
    [
        ({"maxLenght": 3}, "#/components/schemas/X: unknown schema keyword 'maxLenght'; did you"),
        ({"properties": {"a": {"$dynamicRef": "#x"}}}, "#/components/schemas/X/properties/a"),
        ({"discriminator": {"propertyName": "kind"}}, "a discriminator requires oneOf or anyOf"),
    ],
)
def test_unsupported_schema_raises_with_pointer(schema: Any, message: str) -> None:
    with pytest.raises(ContractError, match=message.replace("$", r"\$")):
        normalized(schema)


@pytest.mark.parametrize("version", ["2.0", "3.2.0", "", "4"])
def test_unsupported_openapi_version_raises(version: str) -> None:
    with pytest.raises(ContractError, match=r"openapi must be 3\.0\.x or 3\.1\.x"):
        normalize({"openapi": version})

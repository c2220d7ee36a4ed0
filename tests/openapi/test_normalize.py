"""Schemas of both editions become one dialect, and nothing else of a document is touched."""

from __future__ import annotations

from typing import Any

import pytest

from mockvoice.openapi.normalize import ContractError, normalize


def document(schema: Any, edition: str = "3.0.3") -> dict[str, Any]:
    return {"openapi": edition, "components": {"schemas": {"X": schema}}}


def lifted(schema: Any, edition: str = "3.0.3") -> Any:
    return normalize(document(schema, edition))["components"]["schemas"]["X"]


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
def test_edition_3_0_becomes_3_1(old: Any, new: Any) -> None:
    assert lifted(old) == new


def test_edition_3_1_stays_as_it_is() -> None:
    schema = {"type": ["string", "null"], "$ref": "#/x", "exclusiveMinimum": 1, "examples": [1]}
    assert lifted(schema, "3.1.0") == schema


def test_the_original_is_not_changed() -> None:
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
def test_bytes_become_an_object_that_stands_for_them(schema: Any) -> None:
    assert lifted(schema, "3.1.0") == {
        "type": "object",
        "x-binary": True,
        "description": "d",
        "x-max-bytes": 1,
    }


def test_a_discriminator_becomes_a_choice_by_value() -> None:
    branches = [{"$ref": "#/components/schemas/Cat"}, {"$ref": "#/components/schemas/Dog"}]
    assert lifted({"oneOf": branches, "discriminator": {"propertyName": "kind"}}) == {
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
    ("schema", "told"),
    [
        ({"maxLenght": 3}, "#/components/schemas/X: unknown schema keyword 'maxLenght'; did you"),
        ({"properties": {"a": {"$dynamicRef": "#x"}}}, "#/components/schemas/X/properties/a"),
        ({"discriminator": {"propertyName": "kind"}}, "a discriminator requires oneOf or anyOf"),
    ],
)
def test_what_is_not_understood_is_refused_at_its_place(schema: Any, told: str) -> None:
    with pytest.raises(ContractError, match=told.replace("$", r"\$")):
        lifted(schema)


@pytest.mark.parametrize("edition", ["2.0", "3.2.0", "", "4"])
def test_other_editions_are_refused(edition: str) -> None:
    with pytest.raises(ContractError, match=r"openapi must be 3\.0\.x or 3\.1\.x"):
        normalize({"openapi": edition})

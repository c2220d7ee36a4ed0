"""Schema checks, the sentences of violations, and coercion."""

from __future__ import annotations

import math
import time
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mockvoice.errors import Violation
from mockvoice.openapi.messages import TO_FILE, file_view
from mockvoice.openapi.normalize import ContractError
from mockvoice.openapi.schema import (
    MAX_VALUES,
    MAX_VIOLATIONS,
    Schema,
    SchemaStore,
    coerce,
    kinds,
)


def schemas(node: Any, **others: Any) -> SchemaStore:
    components = {"schemas": {"X": node, **others}}
    return SchemaStore("acme", {"openapi": "3.1.0", "components": components})


def schema(node: Any, **others: Any) -> Schema:
    return schemas(node, **others).compile("#/components/schemas/X")


def only(node: Any, value: Any, **others: Any) -> Violation:
    violations = schema(node, **others).violations(value, "body")
    assert len(violations) == 1
    return violations[0]


@pytest.mark.parametrize(
    ("node", "value", "sentence"),
    [
        ({"type": "string"}, 5, "must be text; got 5"),
        ({"type": ["string", "null"]}, [], "must be text or null; got []"),
        ({"type": "string"}, file_view("a.wav"), "must be text, not a file"),
        ({"type": "string", "format": "binary"}, "x", 'must be a file; got "x"'),
        ({"type": "integer"}, 1.5, "must be a whole number; got 1.5"),
        ({"type": "number"}, "abc", 'must be a number; got "abc"'),
        ({"enum": ["a", "b", None]}, "c", 'must be one of a, b, null; got "c"'),
        ({"const": "a"}, "c", 'must be a; got "c"'),
        ({"minLength": 1}, "", "must not be empty"),
        ({"minLength": 3}, "ab", "must be at least 3 characters long; got 2"),
        ({"maxLength": 1}, "ab", "must be at most 1 character long; got 2"),
        ({"pattern": "^a$"}, "b", 'must match ^a$; got "b"'),
        ({"format": "uuid"}, "b", 'must be a UUID; got "b"'),
        ({"minimum": 0}, -1, "must be at least 0; got -1"),
        ({"maximum": 1}, 2, "must be at most 1; got 2"),
        ({"exclusiveMinimum": 0}, 0, "must be above 0; got 0"),
        ({"exclusiveMaximum": 1}, 1, "must be below 1; got 1"),
        ({"multipleOf": 2}, 3, "must be a multiple of 2; got 3"),
        ({"minItems": 2}, [1], "must have at least 2 items; got 1"),
        ({"maxItems": 1}, [1, 2], "must have at most 1 item; got 2"),
        ({"uniqueItems": True}, [1, 1], "must not contain duplicates"),
        ({"minProperties": 1}, {}, "must have at least 1 member; got 0"),
        ({"maxProperties": 0}, {"a": 1}, "must have at most 0 members; got 1"),
        ({"not": {}}, 1, "is not allowed; got 1"),
        ({"anyOf": [{"type": "null"}, {"type": "string"}]}, 1, "must be text or null; got 1"),
        ({"anyOf": [{"type": "null"}, {"const": 2}]}, 1, "matches none of the allowed forms"),
        ({"oneOf": [{}, {}]}, 1, "must match exactly one of the allowed forms"),
        ({"maxLength": 1}, "x" * 99, "must be at most 1 character long; got 99"),
        ({"enum": [1]}, "x" * 99, "must be one of 1; got"),
    ],
)
def test_sentence_of_each_rule(node: Any, value: Any, sentence: str) -> None:
    assert only(node, value).sentence.startswith(f"the body {sentence}")


def test_missing_member_is_reported_at_its_pointer() -> None:
    violation = only({"type": "object", "required": ["a/b"]}, {})
    assert (violation.pointer, violation.name) == ("/a~1b", "a/b")
    assert violation.sentence == "a/b is required"
    assert violation.source == "acme.yaml#/components/schemas/X/required"


def test_nested_violation_has_pointer_and_source() -> None:
    node = {"properties": {"a": {"items": {"$ref": "#/components/schemas/Y"}}}}
    violation = only(node, {"a": [1, "x"]}, Y={"type": "integer"})
    assert violation.pointer == "/a/1"
    assert violation.sentence == 'a.1 must be a whole number; got "x"'
    assert violation.source == "acme.yaml#/components/schemas/Y/type"


def test_unknown_members_are_reported_with_suggestions() -> None:
    node = {"properties": {"voice_name": {}}, "additionalProperties": False}
    violations = schema(node).violations({"voicename": 1, "zzz": 2}, "body")
    assert [(violation.pointer, violation.hint) for violation in violations] == [
        ("/voicename", "did you mean voice_name?"),
        ("/zzz", ""),
    ]


def test_invalid_choice_has_a_suggestion() -> None:
    node = {"enum": ["delay", "reset", None]}
    assert only(node, "resett").hint == "did you mean reset?"
    assert [only(node, value).hint for value in ("", "e", 5)] == ["", "", ""]


def test_missing_member_hint_names_similar_member_sent() -> None:
    node = {"properties": {"voice_name": {}}, "required": ["voice_name"]}
    assert only(node, {"name": "x"}).hint == "you sent name; the field is voice_name"


def test_text_instead_of_file_has_a_hint() -> None:
    hint = "the part has no filename, so it is text; "
    file = {"type": "string", "format": "binary"}
    assert only(file, "b'Example data'").hint == hint + "send it as a file part"
    assert only(file, '{"type":"Buffer","data":[82]}').hint == hint + TO_FILE


def test_file_sent_byte_by_byte_has_a_hint() -> None:
    node = {"properties": {"audio": {"format": "binary"}, "tags": {}}, "required": ["audio"]}
    assert only(node, {"audio[0]": "82"}).hint == f"you sent audio[0]; {TO_FILE}"
    node["required"] = ["tags"]
    assert only(node, {"tags[0]": "82"}).hint == "you sent tags[0]; the field is tags"


def test_closest_branch_of_any_of_is_reported() -> None:
    node = {
        "anyOf": [
            {"type": "object", "required": ["a"], "properties": {"a": {"type": "integer"}}},
            {"type": "null"},
        ]
    }
    assert only(node, {"a": "x"}).pointer == "/a"


def test_all_violations_of_the_chosen_branch_are_reported() -> None:
    properties = {"a": {"type": "integer"}, "b": {"enum": ["on", "off"]}}
    step = {"type": "object", "properties": properties, "additionalProperties": False}
    node = {"anyOf": [{"const": "ok"}, step]}
    violations = schema(node).violations({"a": "x", "b": "of", "c": 1}, "body")
    assert [violation.pointer for violation in violations] == ["/a", "/b", "/c"]
    assert only(node, "okay").rule == "anyOf"


VARIANTS = {
    "oneOf": [{"$ref": f"#/components/schemas/{name}"} for name in ("Small", "Large", "Other")]
}


def variant(service: str, models: list[str | None], *required: str) -> dict[str, Any]:
    """Return a schema that constants of two members tell from others."""
    members = {"service": {"enum": [service, service.title()]}, "model": {"enum": models}}
    members |= {"gender": {"enum": ["male", "female"]}, "name": {"type": "string"}}
    return {"type": "object", "required": ["name", "service", *required], "properties": members}


SCHEMAS = {
    "Small": variant("one", ["small", None], "gender"),
    "Large": variant("one", ["large"], "gender", "model"),
    "Other": variant("two", ["other", None]),
}


@pytest.mark.parametrize(
    ("value", "pointers", "name"),
    [
        ({"service": "one", "gender": "male"}, ["/name"], "Small"),
        ({"service": "One", "model": "large"}, ["/gender", "/name"], "Large"),
        ({"service": "two", "gender": "mail"}, ["/gender", "/name"], "Other"),
        ({"service": "one", "model": "huge", "name": "n"}, ["/gender", "/model"], "Small"),
        ({"service": "three", "name": "n"}, ["/service"], "Other"),
        ({}, ["/name", "/service"], "Other"),
        ({"model": "small"}, ["/gender", "/name", "/service"], "Small"),
    ],
)
def test_branch_with_the_same_constants_is_the_closest_and_named(
    value: Any, pointers: list[str], name: str
) -> None:
    violations = schema(VARIANTS, **SCHEMAS).violations(value, "body")
    assert [violation.pointer for violation in violations] == pointers
    (hint,) = [violation.hint for violation in violations if "checked as" in violation.hint]
    assert hint.endswith(f"checked as {name}, the closest of Small, Large, Other")
    assert f"/schemas/{name}/" in violations[0].source


def test_hint_that_names_the_branch_follows_the_hint_of_a_violation() -> None:
    (violation,) = schema(VARIANTS, **SCHEMAS).violations({"service": "two", "names": "n"}, "body")
    assert violation.hint.startswith("you sent names; the field is name; checked as Other")


def test_branches_without_names_have_numbers_or_titles() -> None:
    node = {"anyOf": [{"type": "object", "required": [name]} for name in "ab"]}
    assert only(node, {}).hint == "checked as form 1, the closest of form 1, form 2"
    node["anyOf"][0]["title"] = "Ann"
    assert only(node, {}).hint == "checked as Ann, the closest of Ann, form 2"


def test_discriminator_reports_the_chosen_branch_only() -> None:
    node = {
        "oneOf": [{"$ref": "#/components/schemas/Cat"}, {"$ref": "#/components/schemas/Dog"}],
        "discriminator": {"propertyName": "kind"},
    }
    animals = {"Cat": {"required": ["lives"]}, "Dog": {"required": ["tail"]}}
    assert only(node, {"kind": "Cat"}, **animals).pointer == "/lives"
    assert only(node, {"kind": "Cat"}, **animals).hint == "checked as Cat"
    assert only(node, {"kind": "Cow"}, **animals).message == 'must be one of Cat, Dog; got "Cow"'
    assert only(node, {}, **animals).pointer == "/kind"


def test_branch_with_a_default_applies_without_the_discriminator() -> None:
    node = {
        "oneOf": [{"$ref": "#/components/schemas/Cat"}, {"$ref": "#/components/schemas/Dog"}],
        "discriminator": {"propertyName": "kind"},
    }
    animals = {
        "Cat": {"required": ["lives", "kind"]},
        "Dog": {"required": ["tail"], "properties": {"kind": {"default": "Dog"}}},
    }
    assert only(node, {}, **animals).pointer == "/tail"
    assert schema(node, **animals).is_valid({"tail": 1})
    assert only(node, {"kind": "Cat"}, **animals).pointer == "/lives"


def test_pattern_has_the_syntax_of_javascript() -> None:
    assert not schema({"pattern": "^a$"}).is_valid("a\n")


@pytest.mark.parametrize(
    "pointer", ["#/components/schemas/Y", "#/paths/x", "#/components/schemas/X/1"]
)
def test_dangling_reference_raises(pointer: str) -> None:
    with pytest.raises(ContractError, match="nothing is defined at"):
        schemas({}).follow({"$ref": pointer}, "")


@pytest.mark.parametrize(
    ("pointer", "message"),
    [("other.yaml#/x", "outside the document"), ("#/components/schemas/X", "refers to itself")],
)
def test_external_or_circular_reference_raises(pointer: str, message: str) -> None:
    with pytest.raises(ContractError, match=message):
        _ = schema({"$ref": pointer}).node


@pytest.mark.parametrize(
    ("text", "allowed", "value"),
    [
        ("0.5", {"number"}, 0.5),
        ("10.0", {"integer"}, 10),
        ("-3", {"integer", "null"}, -3),
        ("1e3", {"number"}, 1000),
        (".5", {"number"}, 0.5),
        ("true", {"boolean"}, True),
        ("false", {"boolean", "string"}, False),
        ("null", {"string", "null"}, None),
        ('{"a": 1}', {"object"}, {"a": 1}),
        ("[1]", {"array"}, [1]),
        ("5", {"string"}, "5"),
        ("5", set(), "5"),
    ],
)
def test_text_is_coerced_to_the_type_of_the_schema(
    text: str, allowed: set[str], value: Any
) -> None:
    assert coerce(text, frozenset(allowed)) == value


@pytest.mark.parametrize(
    ("text", "allowed"),
    [
        ("abc", "number"),
        ("nan", "number"),
        ("inf", "number"),
        ("1_000", "integer"),
        ("٣", "integer"),
        ("0x10", "integer"),
        ("True", "boolean"),
        ("yes", "boolean"),
        ("{", "object"),
        ("", "number"),
    ],
)
def test_unreadable_text_stays_text(text: str, allowed: str) -> None:
    assert coerce(text, frozenset({allowed})) == text


@given(st.floats(allow_nan=False, allow_infinity=False))
def test_number_survives_a_round_trip_through_text(number: float) -> None:
    value = coerce(repr(number), frozenset({"number"}))
    assert math.isclose(value, number, rel_tol=1e-15, abs_tol=0.0) or value == number


@given(st.text(), st.sets(st.sampled_from(["number", "integer", "boolean", "null", "object"])))
def test_coerce_never_raises(text: str, allowed: set[str]) -> None:
    coerce(text, frozenset(allowed))


def test_kinds_of_a_choice_are_those_of_its_branches() -> None:
    node = {"anyOf": [{"type": "number"}, {"$ref": "#/components/schemas/Y"}]}
    assert kinds(schemas(node, Y={"type": ["string", "null"]}), node) == {
        "number",
        "string",
        "null",
    }


def test_integral_floats_become_integers_where_the_schema_allows_integers() -> None:
    node = {
        "properties": {
            "rate": {"type": "integer"},
            "speed": {"type": "number"},
            "limit": {"anyOf": [{"$ref": "#/components/schemas/Y"}, {"type": "null"}]},
            "sizes": {"items": {"type": ["integer", "null"]}},
        },
        "additionalProperties": {"properties": {"count": {"type": "integer"}}},
        "allOf": [{"if": {"required": ["rate"]}, "then": {"properties": {"x": Y}}}],
    }
    value = {
        "rate": 24000.0, "speed": 1.0, "limit": 1e18, "sizes": [1.0, None, 1.5, "2.0"],
        "other": {"count": 3.0, "free": 3.0}, "x": 2.0,
    }  # fmt: skip
    coerced = schema(node, Y=Y).coerce(value)
    assert repr(coerced) == repr({
        "rate": 24000, "speed": 1.0, "limit": 10**18, "sizes": [1, None, 1.5, "2.0"],
        "other": {"count": 3, "free": 3.0}, "x": 2,
    })  # fmt: skip
    assert value["rate"] == coerced["rate"]
    assert isinstance(value["rate"], float)


Y = {"type": "integer"}


@pytest.mark.parametrize("text", ["9223372036854775807", "1" * 25, "-9007199254740993"])
def test_integer_text_is_read_exactly(text: str) -> None:
    value = coerce(text, frozenset({"integer"}))
    assert (type(value), str(value)) == (int, text)


@pytest.mark.parametrize(
    ("text", "kind"),
    [
        ("1e400", "number"),
        ("-1e400", "integer"),
        ("9" * 5000, "integer"),
        ('{"a": 1e400}', "object"),
        ("[NaN]", "array"),
        ("[Infinity]", "array"),
        ('["\\ud800"]', "array"),
        ("[" * 65 + "]" * 65, "array"),
        ("[" * 100_000, "array"),
    ],
)
def test_text_that_json_cannot_represent_stays_text(text: str, kind: str) -> None:
    assert coerce(text, frozenset({kind})) == text


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("2016-12-31T23:59:59z", "2016-12-31T23:59:59Z"),
        ("2016-12-31t23:59:59.5+01:00", "2016-12-31T23:59:59.5+01:00"),
        ("2016-12-31T23:59:60Z", "2017-01-01T00:00:00+00:00"),
        ("2017-01-01t00:59:60+01:00", "2017-01-01T01:00:00+01:00"),
        ("2016-12-31", "2016-12-31"),
        ("today", "today"),
    ],
)
def test_date_time_is_read_in_every_spelling_of_rfc_3339(text: str, value: str) -> None:
    assert coerce(text, frozenset({"string"}), "date-time") == value


def test_schema_check_is_capped_at_100_violations() -> None:
    node = {"properties": {"only": {"items": {"enum": ["a"]}}}, "additionalProperties": False}
    for value in ({"only": [0] * 4000}, {f"x{i}": 0 for i in range(4000)}):
        started = time.process_time()
        violations = schema(node).violations(value, "body")
        assert time.process_time() - started < 2
        assert len(violations) == MAX_VIOLATIONS + 1
        assert violations[-1].rule == "omitted"
        assert violations[-1].sentence == (
            "the body may have more violations; only the first 100 are listed"
        )
    assert len(schema(node).violations({"only": [0] * MAX_VIOLATIONS}, "body")) == MAX_VIOLATIONS
    omitted = schema({"items": node}).violations([{"only": [0] * 4000}], "query", "/list")[-1]
    assert omitted.sentence == "list may have more violations; only the first 100 are listed"


def test_large_value_reports_only_the_first_violation() -> None:
    node = {"items": {"anyOf": [{"enum": ["a"]}, {"type": "object"}]}}
    assert schema(node).violations(["a"] * 1_000_000, "body") == []
    started = time.process_time()
    first, omitted = schema(node).violations([0] * 1_000_000, "body")
    assert time.process_time() - started < 2
    assert (first.pointer, omitted.rule) == ("/0", "omitted")
    assert len(schema(node).violations([0] * (MAX_VALUES - 1), "body")) == MAX_VIOLATIONS + 1


def test_suggestion_for_thousands_of_names_is_cheap() -> None:
    node = {"required": ["voice_name"], "properties": {"voice_name": {}}}
    value = {f"name{'x' * i}": 0 for i in range(4000)} | {"n" * 10**6: 0}
    started = time.process_time()
    assert schema(node).violations(value, "body")
    assert time.process_time() - started < 2

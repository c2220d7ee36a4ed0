"""What a broken rule is called: our sentence for each keyword of JSON Schema."""

from __future__ import annotations

import json
from collections.abc import Mapping
from difflib import get_close_matches
from typing import Any

from .normalize import JSON

_SENTENCES: Mapping[str, str] = {
    "required": "is required",
    "additionalProperties": "is not a field here; known are {choices}",
    "unevaluatedProperties": "is not a field here; known are {choices}",
    "type": "must be {kind}; got {got}",
    "enum": "must be one of {choices}; got {got}",
    "const": "must be {choices}; got {got}",
    "minLength": "must be at least {characters} long; got {length}",
    "maxLength": "must be at most {characters} long; got {length}",
    "pattern": "must match {expected}; got {got}",
    "format": "must be {kind}; got {got}",
    "minimum": "must be at least {expected}; got {got}",
    "maximum": "must be at most {expected}; got {got}",
    "exclusiveMinimum": "must be above {expected}; got {got}",
    "exclusiveMaximum": "must be below {expected}; got {got}",
    "multipleOf": "must be a multiple of {expected}; got {got}",
    "minItems": "must have at least {items}; got {length}",
    "maxItems": "must have at most {items}; got {length}",
    "uniqueItems": "must not name anything twice",
    "minProperties": "must have at least {members}; got {length}",
    "maxProperties": "must have at most {members}; got {length}",
    "anyOf": "fits none of the forms that are allowed here; got {got}",
    "oneOf": "must fit exactly one of the forms that are allowed here; got {got}",
    "propertyNames": "is not a name that is allowed here",
    "not": "is what must not be sent here; got {got}",
}

_KINDS = {
    "string": "text",
    "number": "a number",
    "integer": "a whole number",
    "boolean": "true or false",
    "array": "a list",
    "object": "an object",
    "null": "null",
    "uuid": "a UUID",
    "date-time": "a date and time such as 2024-01-31T12:00:00Z",
    "date": "a date such as 2024-01-31",
    "uri": "a URI",
    "email": "an email address",
}


# What the SDKs for Node make of a Buffer: a part for each byte, or JSON.
TO_FILE = "bytes must be sent as one file, in Node as toFile(bytes, 'a.wav')"


def sentence(rule: str, expected: Any, got: JSON) -> str:
    """What is wrong, without the name of the field: `must be at most 3 characters long; got 4`."""
    if rule == "minLength" and expected == 1:
        return "must not be empty"
    expected_kinds = expected if isinstance(expected, list) else [expected]
    if rule == "type" and is_file(got) and "object" not in expected_kinds:
        return "must be text, not a file"
    values = {
        "expected": expected,
        "got": brief(got),
        "length": len(got) if isinstance(got, str | list | dict) else "",
    }
    if rule in ("type", "format"):
        by_name = sorted(expected_kinds, key=lambda each: each == "null")
        values["kind"] = " or ".join(_KINDS.get(each, f"a {each}") for each in by_name)
    elif rule in ("enum", "const", "additionalProperties", "unevaluatedProperties"):
        values["choices"] = ", ".join(_choice(each) for each in expected_kinds) or "none"
    elif isinstance(expected, int):
        for noun in ("character", "item", "member"):
            values[f"{noun}s"] = f"{expected} {noun}{'s' * (expected != 1)}"
    return _SENTENCES.get(rule, f"breaks the rule {rule}").format(**values)


def _choice(value: JSON) -> str:
    return value if isinstance(value, str) else json.dumps(value)


def brief(value: JSON) -> str:
    """A value as JSON, short enough for a sentence."""
    if is_file(value):
        return "a file"
    text = json.dumps(value, ensure_ascii=False)
    return text if len(text) <= 60 else text[:57] + "..."


def file_view(filename: str) -> JSON:
    """What a schema sees where a file was sent: bytes are no JSON."""
    return {"filename": filename}


def is_file(value: JSON) -> bool:
    """Whether a value stands for a file."""
    return isinstance(value, dict) and value.keys() == {"filename"}


def closest_match(name: str, candidates: list[str]) -> str:
    """The candidate that a person may have meant by a name, or none."""
    low = name.lower().replace("-", "_")
    for each in candidates:
        other = each.lower().replace("-", "_")
        within = len(low) > 2 and (low in other or other in low)
        if within or low.rstrip("s") == other.rstrip("s"):
            return each
    return next(iter(get_close_matches(name, candidates, 1, cutoff=0.65)), "")


def did_you_mean(name: str, candidates: list[str]) -> str:
    """The hint that asks for the candidate that may have been meant, or none."""
    meant = closest_match(name, candidates)
    return f"did you mean {meant}?" if meant else ""

"""Sentences for broken rules: one template for each keyword of JSON Schema."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from ..text import brief
from ..types import JSON

_SENTENCES: Mapping[str, str] = {
    "required": "is required",
    "additionalProperties": "is not a known field; known fields: {choices}",
    "unevaluatedProperties": "is not a known field; known fields: {choices}",
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
    "uniqueItems": "must not contain duplicates",
    "minProperties": "must have at least {members}; got {length}",
    "maxProperties": "must have at most {members}; got {length}",
    "anyOf": "matches none of the allowed forms; got {got}",
    "oneOf": "must match exactly one of the allowed forms; got {got}",
    "propertyNames": "is not an allowed name",
    "not": "is not allowed; got {got}",
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
    "json-pointer": "a JSON Pointer such as /data/status",
    "email": "an email address",
}


# Node SDKs send a Buffer as one part per byte, or as JSON.
TO_FILE = "bytes must be sent as one file, in Node as toFile(bytes, 'a.wav')"


def sentence(rule: str, expected: Any, received: JSON) -> str:
    """Return a broken rule as a sentence without its subject.

    For example `must be at most 3 characters long; got 4`.
    """
    if rule == "minLength" and expected == 1:
        return "must not be empty"
    choices = expected if isinstance(expected, list) else [expected]
    if rule == "type" and is_file(received) and "object" not in choices:
        return "must be text, not a file"
    values = {
        "expected": expected,
        "got": "a file" if is_file(received) else brief(received),
        "length": len(received) if isinstance(received, str | list | dict) else "",
    }
    if rule in ("type", "format"):
        by_name = sorted(choices, key=lambda name: name == "null")
        values["kind"] = " or ".join(_KINDS.get(name, f"a {name}") for name in by_name)
    elif rule in ("enum", "const", "additionalProperties", "unevaluatedProperties"):
        values["choices"] = ", ".join(_choice(choice) for choice in choices) or "none"
    elif isinstance(expected, int):
        for noun in ("character", "item", "member"):
            values[f"{noun}s"] = f"{expected} {noun}{'s' * (expected != 1)}"
    return _SENTENCES.get(rule, f"breaks the rule {rule}").format(**values)


def _choice(value: JSON) -> str:
    return value if isinstance(value, str) else json.dumps(value)


def file_view(filename: str) -> JSON:
    """Return the object that stands for a file in a schema check, because JSON has no bytes."""
    return {"filename": filename}


def is_file(value: JSON) -> bool:
    """Return True for a value made by `file_view`."""
    return isinstance(value, dict) and value.keys() == {"filename"}

"""Check values against the schemas of a document, explain violations, and coerce values."""

from __future__ import annotations

import json
import math
import re
from collections.abc import Callable, Iterable, Iterator
from datetime import datetime, timedelta
from functools import cached_property
from itertools import islice
from typing import TYPE_CHECKING, Any
from urllib.parse import quote, unquote

from ..errors import RequestLocation, Violation
from ..redact import is_secret, mask, redact
from ..text import brief, closest_match, did_you_mean, escape, finite_float, unescape
from ..types import JSON, Node
from .choices import (
    Failures,
    branch_names,
    closest_branch,
    is_ambiguous,
    merged_choices,
    selected_hint,
)
from .messages import TO_FILE, sentence
from .normalize import ContractError, normalize

if TYPE_CHECKING:
    import jsonschema_rs

MAX_VIOLATIONS = 100  # of one check
MAX_VALUES = 5_000  # in a value of which every violation is looked for


class SchemaStore:
    """The normalized schemas of one document: looks up nodes, follows references, compiles."""

    def __init__(self, name: str, document: Node, file: str = "") -> None:
        self.name = name
        self._file = file or f"{name}.yaml"
        self.document = normalize(document)
        self._urn = f"urn:mockvoice:{name}"

    def node(self, pointer: str) -> Any:
        """Return the node at a pointer such as `#/components/schemas/Voice`.

        Raises ContractError if nothing is defined there.
        """
        node: Any = self.document
        for segment in pointer.removeprefix("#").split("/")[1:]:
            key = unescape(segment) if "~" in segment else segment
            try:
                node = node[int(key) if isinstance(node, list) else key]
            except (KeyError, IndexError, TypeError, ValueError):
                raise ContractError(f"{self.name}: nothing is defined at {pointer}") from None
        return node

    def follow(self, node: Any, pointer: str) -> tuple[Any, str]:
        """Return the node that a chain of references ends at, and its pointer."""
        for _ in range(32):
            if not (isinstance(node, dict) and "$ref" in node):
                return node, pointer
            pointer = node["$ref"]
            if not pointer.startswith("#"):
                raise ContractError(f"{self.name}: {pointer} is outside the document")
            node = self.node(pointer)
        raise ContractError(f"{self.name}: {pointer} refers to itself")

    def compile(self, pointer: str) -> Schema:
        """Return the schema at a pointer; its validator is compiled on first use."""
        self.node(pointer)
        return Schema(self, pointer)

    @cached_property
    def _registry(self) -> jsonschema_rs.Registry:
        import jsonschema_rs  # late: the import takes 20 ms, and many commands validate nothing

        return jsonschema_rs.Registry([(self._urn, self.document)])

    def validator(self, pointer: str) -> jsonschema_rs.Draft202012Validator:
        """Return a validator for the schema at a pointer."""
        import jsonschema_rs  # late, as above

        return jsonschema_rs.Draft202012Validator(
            {"$ref": self._urn + quote(pointer, safe="#/~")},
            registry=self._registry,
            validate_formats=True,
            offline=True,
        )

    def source(self, location: str) -> str:
        """Return a rule's location for people: `acme.yaml#/components/...`."""
        return unquote(location).replace(self._urn, self._file, 1)


class Schema:
    """One schema of a document."""

    def __init__(self, schemas: SchemaStore, pointer: str) -> None:
        self._schemas = schemas
        self.pointer = pointer

    @cached_property
    def is_valid(self) -> Callable[[JSON], bool]:
        """A function that returns True for a value that the schema accepts."""
        return self._validator.is_valid

    @cached_property
    def _validator(self) -> jsonschema_rs.Draft202012Validator:
        return self._schemas.validator(self.pointer)

    @property
    def node(self) -> Node:
        """The schema itself, after references."""
        node: Node = self._schemas.follow(self._schemas.node(self.pointer), self.pointer)[0]
        return node

    def coerce(self, value: JSON) -> JSON:
        """Return the value with integral floats as integers where the schema allows integers.

        JSON Schema accepts 24000.0 as an integer; Python code that counts with it does not.
        """
        return _with_integers(self._schemas, self.node, value)

    def violations(self, value: JSON, location: RequestLocation, at: str = "") -> list[Violation]:
        """Return the violations of a value in the order of their pointers.

        `at` is the pointer of the value itself inside the location. At most MAX_VIOLATIONS are
        returned, then one more that says so. Of a value with more than MAX_VALUES values in it,
        only the first violation is looked for, because collecting takes as long as there are
        violations.
        """
        large = _exceeds(value, MAX_VALUES)
        errors = self._first_error(value) if large else self._validator.iter_errors(value)
        explained = (
            violation for error in errors for violation in self._explain(error, location, at)
        )
        violations = sorted(
            islice(explained, MAX_VIOLATIONS), key=lambda violation: violation.pointer
        )
        if next(explained, None) or (large and violations):
            violations.append(_more(location, at, len(violations)))
        return violations

    def _first_error(self, value: JSON) -> Iterator[jsonschema_rs.ValidationError]:
        import jsonschema_rs  # late, as above

        try:
            self._validator.validate(value)
        except jsonschema_rs.ValidationError as error:
            yield error

    def _explain(
        self, error: jsonschema_rs.ValidationError, location: RequestLocation, at: str
    ) -> Iterator[Violation]:
        rule, expected = error.kind.name, error.kind.value
        parent = self._parent(error)
        if rule in ("anyOf", "oneOf") and rule in parent.get("x-messages", {}):
            expected = None
        elif rule in ("anyOf", "oneOf"):
            # The errors of the branch that the client meant say more than "matches none".
            branches = [self._schemas.follow(branch, "")[0] for branch in parent[rule]]
            closest = closest_branch(error, branches)
            if closest is not None:
                hint = _branch_hint(error, parent[rule], closest)
                yield from self._explain_branch(expected[closest], hint, location, at)
                return
            rule, expected = merged_choices(error)
        if rule == "pattern" and "x-choices" in parent:
            rule, expected = "enum", parent["x-choices"]
        elif rule == "propertyNames":
            expected = expected.kind.value
        elif rule in ("additionalProperties", "unevaluatedProperties"):
            expected = [*parent.get("properties", ())]
        for member, value in _offenders(error):
            path = [*error.instance_path] + ([] if member is None else [member])
            pointer = at + "".join(f"/{escape(str(step))}" for step in path)
            received = (mask if is_secret(pointer.rpartition("/")[2]) else redact)(value)
            shown = member if rule == "propertyNames" else received
            message = _message(rule, expected, shown, parent)
            yield Violation(
                location=location,
                pointer=pointer,
                rule=rule,
                message=message if pointer else f"the {location} {message}",
                expected=expected,
                received=received,
                source=self._schemas.source(error.absolute_keyword_location or ""),
                hint=_hint(rule, expected, member, error.instance, parent) or selected_hint(error),
            )

    def _explain_branch(
        self, failed: Failures, hint: str, location: RequestLocation, at: str
    ) -> Iterator[Violation]:
        """Yield the violations of a branch; one of them gets the hint that names the branch."""
        violations = [v for error in failed for v in self._explain(error, location, at)]
        named = next((i for i, violation in enumerate(violations) if violation.hint), 0)
        for i, violation in enumerate(violations):
            hints = (violation.hint, hint if i == named else "")
            yield violation._replace(hint="; ".join(filter(None, hints)))

    def _parent(self, error: jsonschema_rs.ValidationError) -> Node:
        """Return the schema that contains the broken rule."""
        pointer = unquote(error.absolute_keyword_location or "").partition("#")[2]
        node = self._schemas.node("#" + pointer.rpartition("/")[0])
        return node if isinstance(node, dict) else {}


def _exceeds(value: JSON, max_values: float = math.inf, max_depth: float = math.inf) -> bool:
    """Return True if JSON has more values, or is nested deeper, than that; stop counting there."""
    pending = [iter((value,))]
    while pending:
        for inner in pending[-1]:
            max_values -= 1
            if max_values < 0:
                return True
            if isinstance(inner, dict | list | tuple):
                pending.append(iter(inner.values() if isinstance(inner, dict) else inner))
                break
        else:
            pending.pop()
        if len(pending) > max_depth + 1:
            return True
    return False


def _more(location: RequestLocation, at: str, count: int) -> Violation:
    listed = f"only the first {count} are listed" if count > 1 else "only the first is listed"
    subject = "" if at else f"the {location} "
    return Violation(location, at, "omitted", f"{subject}may have more violations; {listed}")


def _branch_hint(error: jsonschema_rs.ValidationError, branches: list[Any], closest: int) -> str:
    """Return the name of the closest branch, and of the others that it was chosen from."""
    if not is_ambiguous(error):
        return ""
    names = branch_names(branches)
    return f"checked as {names[closest]}, the closest of {', '.join(names)}"


def _offenders(error: jsonschema_rs.ValidationError) -> Iterator[tuple[str | None, JSON]]:
    """Yield the members that break a rule with their values; None for the value as a whole."""
    rule, expected = error.kind.name, error.kind.value
    instance: Any = error.instance
    if rule == "required":
        yield expected, None
    elif rule in ("additionalProperties", "unevaluatedProperties"):
        for name in expected:
            yield name, instance[name]
    elif rule == "propertyNames":
        yield expected.instance, instance[expected.instance]
    else:
        yield None, instance


def _message(rule: str, expected: Any, received: JSON, parent: Node) -> str:
    if rule == "type" and parent.get("x-binary"):
        expected = "file"
    if rule in parent.get("x-messages", {}):  # a pattern alone tells a person little
        return f"{parent['x-messages'][rule]}; got {brief(received)}"
    return sentence(rule, expected, received)


def _hint(rule: str, expected: Any, member: Any, instance: JSON, parent: Node) -> str:
    if rule == "type" and parent.get("x-binary") and isinstance(instance, str):
        remedy = TO_FILE if '"type":"Buffer"' in instance else "send it as a file part"
        return f"the part has no filename, so it is text; {remedy}"
    if rule == "enum" and isinstance(instance, str) and len(instance) > 1:
        return did_you_mean(instance, [choice for choice in expected if isinstance(choice, str)])
    if member is None or not isinstance(instance, dict):
        return ""
    known = parent.get("properties", {})
    if rule == "required":
        sent = closest_match(member, (name for name in instance if name not in known))
        bytewise = sent.startswith(f"{member}[") and known.get(member, {}).get("x-binary")
        remedy = TO_FILE if bytewise else f"the field is {member}"
        return f"you sent {sent}; {remedy}" if sent else ""
    return did_you_mean(member, (name for name in known if name not in instance))


# --- coercion ------------------------------------------------------------------------------------

_INTEGER = re.compile(r"[+-]?\d{1,1000}", re.ASCII)
_NUMBER = re.compile(r"[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d{1,3})?", re.ASCII)
_DATE_TIME = re.compile(r"(\d{4}-\d\d-\d\d[tT]\d\d:\d\d):(\d\d)(.*)", re.ASCII)
_MAX_DEPTH = 64  # of JSON in a form field
_EXACT = 2**53  # up to here every integer has a float of its own


def kinds(schemas: SchemaStore, node: Any) -> frozenset[str]:
    """Return the JSON types that a schema accepts, through references and choices.

    Empty if it accepts any type.
    """
    node, _ = schemas.follow(node, "")
    if not isinstance(node, dict):
        return frozenset()
    if "type" in node:
        return frozenset([node["type"]] if isinstance(node["type"], str) else node["type"])
    return frozenset(
        kind for part in _parts(node, "anyOf", "oneOf", "allOf") for kind in kinds(schemas, part)
    )


def _parts(node: Node, *keywords: str) -> Iterable[Any]:
    return (part for keyword in keywords for part in node.get(keyword, ()))


def _with_integers(schemas: SchemaStore, node: Any, value: JSON) -> JSON:
    if not isinstance(value, float | list | dict):
        return value
    node, _ = schemas.follow(node, "")
    if not isinstance(node, dict):
        return value
    if isinstance(value, float):
        return int(value) if value.is_integer() and "integer" in kinds(schemas, node) else value
    for part in (*_parts(node, "allOf", "anyOf", "oneOf"), node.get("then"), node.get("else")):
        value = _with_integers(schemas, part, value)
    if isinstance(value, list):
        items = node.get("items")
        return [_with_integers(schemas, items, item) for item in value] if items else value
    properties, other = node.get("properties", {}), node.get("additionalProperties")
    return {
        name: _with_integers(schemas, properties.get(name, other), member)
        for name, member in value.items()
    }


def coerce(text: str, allowed: frozenset[str], format: str = "") -> JSON:
    """Return text of a form or a query as the first allowed JSON type that can read it.

    Text that cannot be read stays text, so that the schema check explains what is wrong with it.
    A date-time is returned as `datetime.fromisoformat` reads it.
    """
    if format == "date-time":
        return _date_time(text)
    if allowed and allowed != _TEXT:
        for kind, read in _READERS:
            if kind in allowed:
                try:
                    return read(text)
                except (ValueError, KeyError, RecursionError):
                    continue
    return text


def _integer(text: str) -> float:
    if _INTEGER.fullmatch(text):
        return int(text)  # exact, however many digits it has
    number = _number(text)
    return int(number) if float(number).is_integer() else number


def _number(text: str) -> float:
    if not _NUMBER.fullmatch(text):
        raise ValueError(text)
    number = finite_float(text)
    return int(number) if number.is_integer() and abs(number) < _EXACT else number


def _json(text: str) -> JSON:
    """Parse JSON that can be checked and sent back. Raises ValueError or RecursionError."""
    value = json.loads(text, parse_float=finite_float, parse_constant=finite_float)
    if _exceeds(value, max_depth=_MAX_DEPTH):
        raise ValueError("nested too deeply")
    if "\\u" in text:
        json.dumps(value, ensure_ascii=False).encode()  # fails for half of a surrogate pair
    return value


def _date_time(text: str) -> str:
    """Return a date-time of RFC 3339 in the subset that Python reads, other text unchanged.

    RFC 3339 allows `t` and `z` in lower case, and the second 60; a leap second becomes the second
    after it.
    """
    match = _DATE_TIME.fullmatch(text)
    if not match:
        return text
    before, second, after = match[1].upper(), match[2], match[3].upper()
    if second != "60":
        return f"{before}:{second}{after}"
    try:
        last = datetime.fromisoformat(f"{before}:59{after}")
        return (last + timedelta(seconds=1)).isoformat()
    except (ValueError, OverflowError):
        return text


_TEXT = frozenset({"string"})
_READERS: tuple[tuple[str, Callable[[str], JSON]], ...] = (
    ("integer", _integer),
    ("number", _number),
    ("boolean", {"true": True, "false": False}.__getitem__),
    ("null", {"null": None}.__getitem__),
    ("object", _json),
    ("array", _json),
)

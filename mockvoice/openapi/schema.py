"""Check values against a document's schemas, say what is wrong with them, coerce text to them."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator
from functools import cached_property
from typing import TYPE_CHECKING, Any
from urllib.parse import quote, unquote

from ..errors import RequestLocation, Violation
from ..redact import is_secret, mask, redact
from .messages import TO_FILE, brief, closest_match, did_you_mean, sentence
from .normalize import JSON, ContractError, Node, normalize

if TYPE_CHECKING:
    import jsonschema_rs


class SchemaStore:
    """The lifted schemas of one document: finds nodes by pointer, follows references, compiles."""

    def __init__(self, name: str, document: Node) -> None:
        self.name = name
        self.document = normalize(document)
        self._urn = f"urn:mockvoice:{name}"

    def node(self, pointer: str) -> Any:
        """What stands at a pointer such as `#/components/schemas/Voice`.

        Raises ContractError when nothing does.
        """
        found: Any = self.document
        for step in pointer.removeprefix("#").split("/")[1:]:
            key = unescape(step)
            try:
                found = found[int(key) if isinstance(found, list) else key]
            except (KeyError, IndexError, TypeError):
                raise ContractError(f"{self.name}: nothing stands at {pointer}") from None
        return found

    def follow(self, node: Any, pointer: str) -> tuple[Any, str]:
        """The node, and its pointer, after all references that it is made of."""
        for _ in range(32):
            if not (isinstance(node, dict) and "$ref" in node):
                return node, pointer
            pointer = node["$ref"]
            if not pointer.startswith("#"):
                raise ContractError(f"{self.name}: {pointer} is outside the document")
            node = self.node(pointer)
        raise ContractError(f"{self.name}: {pointer} refers to itself")

    def compile(self, pointer: str) -> Schema:
        """The schema at a pointer, ready to check values (compiled on first use)."""
        self.node(pointer)
        return Schema(self, pointer)

    @cached_property
    def _registry(self) -> jsonschema_rs.Registry:
        import jsonschema_rs  # on first use: it takes 20 ms, and a server may never be asked

        return jsonschema_rs.Registry([(self._urn, self.document)])

    def validator(self, pointer: str) -> jsonschema_rs.Draft202012Validator:
        """What checks values against the schema at a pointer."""
        import jsonschema_rs  # as above

        return jsonschema_rs.Draft202012Validator(
            {"$ref": self._urn + quote(pointer, safe="#/~")},
            registry=self._registry,
            validate_formats=True,
            offline=True,
        )

    def source(self, location: str) -> str:
        """A rule's location as a person finds it: `telnyx.yaml#/components/...`."""
        return unquote(location).replace(self._urn, f"{self.name}.yaml", 1)


class Schema:
    """One schema of a document."""

    def __init__(self, schemas: SchemaStore, pointer: str) -> None:
        self._schemas = schemas
        self.pointer = pointer

    @cached_property
    def is_valid(self) -> Callable[[JSON], bool]:
        """Whether a value keeps every rule."""
        return self._validator.is_valid

    @cached_property
    def _validator(self) -> jsonschema_rs.Draft202012Validator:
        return self._schemas.validator(self.pointer)

    @property
    def node(self) -> Node:
        """The schema itself, after references."""
        found: Node = self._schemas.follow(self._schemas.node(self.pointer), self.pointer)[0]
        return found

    def violations(self, value: JSON, location: RequestLocation, at: str = "") -> list[Violation]:
        """Every rule that the value breaks; `at` is where the value itself stands in `place`."""
        found = [
            violation
            for error in self._validator.iter_errors(value)
            for violation in self._explain(error, location, at)
        ]
        return sorted(found, key=lambda each: each.pointer)

    def _explain(
        self, error: jsonschema_rs.ValidationError, location: RequestLocation, at: str
    ) -> Iterator[Violation]:
        rule, expected = error.kind.name, error.kind.value
        if rule in ("anyOf", "oneOf"):
            # The branch that was meant tells more than "none of them fits".
            meant = [branch for branch in expected or () if _is_meant(error, branch)]
            if len(meant) == 1 and all(expected):
                for inner in meant[0]:
                    yield from self._explain(inner, location, at)
                return
            expected = None
        holder = self._holder(error)
        if rule == "propertyNames":
            expected = expected.kind.value
        elif rule in ("additionalProperties", "unevaluatedProperties"):
            expected = [*holder.get("properties", ())]
        for member, value in _culprits(error):
            path = [*error.instance_path] + ([] if member is None else [member])
            pointer = at + "".join(f"/{escape(str(step))}" for step in path)
            got = (mask if is_secret(pointer.rpartition("/")[2]) else redact)(value)
            message = _message(rule, expected, got, holder)
            yield Violation(
                location=location,
                pointer=pointer,
                rule=rule,
                message=message if pointer else f"the {location} {message}",
                expected=expected,
                received=got,
                source=self._schemas.source(error.absolute_keyword_location or ""),
                hint=_hint(rule, expected, member, error.instance, holder),
            )

    def _holder(self, error: jsonschema_rs.ValidationError) -> Node:
        """The schema that holds the broken rule."""
        pointer = unquote(error.absolute_keyword_location or "").partition("#")[2]
        node = self._schemas.node("#" + pointer.rpartition("/")[0])
        return node if isinstance(node, dict) else {}


def _is_meant(
    choice: jsonschema_rs.ValidationError, branch: list[jsonschema_rs.ValidationError]
) -> bool:
    """Whether a value is of the kind that a branch of a choice is for."""
    return not any(
        error.kind.name in ("type", "const", "enum") and error.instance_path == choice.instance_path
        for error in branch
    )


def _culprits(error: jsonschema_rs.ValidationError) -> Iterator[tuple[str | None, JSON]]:
    """The members that break a rule, with their values; None where it is no single one."""
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


def _message(rule: str, expected: Any, got: JSON, holder: Node) -> str:
    if rule == "type" and holder.get("x-binary"):
        expected = "file"
    if rule in holder.get("x-messages", {}):  # a sentence for a rule that says little to a person
        return f"{holder['x-messages'][rule]}; got {brief(got)}"
    return sentence(rule, expected, got)


def _hint(rule: str, expected: Any, member: Any, instance: JSON, holder: Node) -> str:
    if rule == "type" and holder.get("x-binary") and isinstance(instance, str):
        remedy = TO_FILE if '"type":"Buffer"' in instance else "send it as a file part"
        return f"the part has no filename, so it is text; {remedy}"
    if rule == "enum" and isinstance(instance, str) and len(instance) > 1:
        return did_you_mean(instance, [each for each in expected if isinstance(each, str)])
    if member is None or not isinstance(instance, dict):
        return ""
    known = holder.get("properties", {})
    if rule == "required":
        sent = closest_match(member, [name for name in instance if name not in known])
        bytewise = sent.startswith(f"{member}[") and known.get(member, {}).get("x-binary")
        remedy = TO_FILE if bytewise else f"the field is {member}"
        return f"you sent {sent}; {remedy}" if sent else ""
    return did_you_mean(member, [name for name in known if name not in instance])


def escape(step: str) -> str:
    """One step of a JSON Pointer, escaped as RFC 6901 wants it."""
    return step.replace("~", "~0").replace("/", "~1")


def unescape(step: str) -> str:
    """One step of a JSON Pointer as it was before `escape`."""
    return step.replace("~1", "/").replace("~0", "~")


# --- coercing text -----------------------------------------------------------------------------

_NUMBER = re.compile(r"[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d{1,3})?", re.ASCII)
_EXACT = 2**53  # whole numbers up to here lose nothing as floats


def kinds(schemas: SchemaStore, node: Any) -> frozenset[str]:
    """The JSON types that a schema takes, through references and choices; empty when any."""
    node, _ = schemas.follow(node, "")
    if not isinstance(node, dict):
        return frozenset()
    if "type" in node:
        return frozenset([node["type"]] if isinstance(node["type"], str) else node["type"])
    parts = [part for word in ("anyOf", "oneOf", "allOf") for part in node.get(word, ())]
    return frozenset(kind for part in parts for kind in kinds(schemas, part))


def coerce(text: str, wanted: frozenset[str]) -> JSON:
    """Text from a form or a query as the JSON type that is wanted, else unchanged.

    What cannot be read stays text, so that the schema says what is wrong with it.
    """
    if wanted and wanted != _TEXT:
        for kind, read in _READERS:
            if kind in wanted:
                try:
                    return read(text)
                except (ValueError, KeyError):
                    continue
    return text


def _number(text: str) -> float:
    if not _NUMBER.fullmatch(text):
        raise ValueError(text)
    number = float(text)
    return int(number) if number.is_integer() and abs(number) < _EXACT else number


_TEXT = frozenset({"string"})
_READERS: tuple[tuple[str, Callable[[str], JSON]], ...] = (
    ("integer", _number),
    ("number", _number),
    ("boolean", {"true": True, "false": False}.__getitem__),
    ("null", {"null": None}.__getitem__),
    ("object", json.loads),
    ("array", json.loads),
)

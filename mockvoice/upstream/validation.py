"""Check the responses of live services against the contract."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import islice
from typing import Any

from ..errors import Violation
from ..openapi.document import DocumentedResponse, MediaType, Operation
from ..openapi.messages import sentence
from ..text import did_you_mean, escape
from ..types import JSON

SOURCE = "upstream"  # of the violations in live responses
MAX_VIOLATIONS = 100  # of one response
_MAX_PATHS = 2_000  # of one response that are looked up in the contract
_ITEM = "-"  # in place of the position of an item, in a path


def response_violations(
    operation: Operation, status: int, media_type: str, body: JSON, error: str = ""
) -> list[Violation]:
    """Return the rules of the contract that a live response breaks.

    `body` is None for one that is not JSON or was not read; `error` is the reason if it should be
    JSON and cannot be parsed.
    """
    if not operation.responses:
        return []
    documented = operation.responses.get(status)
    if documented is None:
        known = [*operation.responses]
        message = f"the status {status} is not documented; documented: {', '.join(map(str, known))}"
        return [_violation("", "status", message, known, status)]
    if error:
        return [_violation("", "json", f"the response {error}", "JSON", None)]
    content = documented.find(media_type)
    if content is None:
        return _media_type_violations(documented, media_type)
    if body is None or content.schema is None:
        return []
    violations: Iterator[Violation] = iter(())
    if not content.schema.is_valid(body):
        violations = iter(content.schema.violations(body, "response"))
    found = [violation._replace(source=SOURCE) for violation in violations]
    known_pointers = {violation.pointer for violation in found}
    found += [one for one in _unknown_members(content, body) if one.pointer not in known_pointers]
    return found[:MAX_VIOLATIONS]


def _media_type_violations(documented: DocumentedResponse, media_type: str) -> list[Violation]:
    if not (documented.content or media_type):
        return []
    known = [*documented.content]
    shown = media_type or "no media type"
    message = f"the response has {shown}; documented: {', '.join(known) or 'no body'}"
    return [_violation("", "media type", message, known, media_type)]


def _unknown_members(content: MediaType, body: JSON) -> Iterator[Violation]:
    """Yield a violation for each member that the contract does not document.

    Items of a list are checked as one: a member that many of them have is reported once.
    """
    paths: dict[tuple[str, ...], tuple[str, Any]] = {}
    for path, pointer, value in islice(_members(body, (), ""), _MAX_PATHS):
        paths.setdefault(path, (pointer, value))
    unknown: set[tuple[str, ...]] = set()
    for path, (pointer, value) in paths.items():
        if path[:-1] in unknown:
            unknown.add(path)
        elif member := content.unknown_member(path):
            unknown.add(path)
            message = sentence("additionalProperties", member.known, value)
            hint = did_you_mean(member.name, member.known)
            yield _violation(pointer, "additionalProperties", message, member.known, None, hint)


def _members(
    value: JSON, path: tuple[str, ...], pointer: str
) -> Iterator[tuple[tuple[str, ...], str, JSON]]:
    """Yield the members in JSON, outer ones first: path, pointer and value."""
    if isinstance(value, dict):
        for name, member in value.items():
            at = f"{pointer}/{escape(name)}"
            yield (*path, name), at, member
            yield from _members(member, (*path, name), at)
    elif isinstance(value, list):
        for i, item in enumerate(value):
            yield from _members(item, (*path, _ITEM), f"{pointer}/{i}")


def _violation(
    pointer: str, rule: str, message: str, expected: Any, received: Any, hint: str = ""
) -> Violation:
    return Violation("response", pointer, rule, message, expected, received, SOURCE, hint)

"""Validation of faults: their JSON Schema, the names they refer to, and the headers they set."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from ..errors import RequestLocation, Violation
from ..openapi.document import Document
from ..provider import Provider
from ..seeding import unknown_name
from ..text import escape
from ..types import JSON

_FRAMING = ("content-length", "transfer-encoding")
_MAX_PATTERN = 1000  # characters of a text with wildcards: long ones take seconds to compile


def fault_violations(
    control: Document,
    providers: Mapping[str, Provider],
    data: JSON,
    location: RequestLocation,
    pointer: str = "",
) -> list[Violation]:
    """Return the violations of JSON that is not a fault, or a fault that can never fire.

    `control` is the contract of the control API.
    """
    compiled = control.schemas.compile("#/components/schemas/FaultOrSequence")
    violations = compiled.violations(data, location, pointer)
    if isinstance(data, dict):
        violations += target_violations(providers, data, location, pointer)
        violations += pattern_violations(_member(data, "match"), location, f"{pointer}/match")
    return violations + [
        _framing_violation(location, f"{at}/headers/{name}", name)
        for at, step in _steps(data, pointer)
        if isinstance(step, dict)
        for name in _member(step, "headers")
        if name.lower() in _FRAMING
    ]


def _member(value: Mapping[str, JSON], name: str) -> Mapping[str, Any]:
    """Return a member that is an object; of another type it is empty, and a violation."""
    member = value.get(name)
    return member if isinstance(member, dict) else {}


def _steps(fault: JSON, pointer: str) -> Iterator[tuple[str, JSON]]:
    """Yield the items of a sequence, or a single fault, with their pointers."""
    items, at = fault, pointer
    if isinstance(fault, dict) and "sequence" in fault:
        items, at = fault["sequence"], f"{pointer}/sequence"
    if not isinstance(items, list | tuple):
        yield pointer, fault
        return
    for i, item in enumerate(items):
        yield f"{at}/{i}", item


def target_violations(
    providers: Mapping[str, Provider],
    data: Mapping[str, JSON],
    location: RequestLocation,
    pointer: str = "",
) -> Iterator[Violation]:
    """Yield a violation for each unknown `provider` or `operation`."""
    name, operation = data.get("provider"), data.get("operation")
    if isinstance(name, str) and name not in providers:
        yield unknown_name(location, f"{pointer}/provider", [*providers], name)
    elif isinstance(operation, str):
        selected = [providers[name]] if isinstance(name, str) else [*providers.values()]
        ids = {
            key: served.id
            for provider in selected
            for served in provider.document.operations.values()
            for key in (served.id, f"{served.method} {served.path}")
        }
        if operation not in ids:
            known = [*dict.fromkeys(ids.values())]
            message = f"must be an operation; got {operation}; available: {', '.join(known)}"
            same_form = [key for key in ids if (" " in key) == (" " in operation)]
            yield unknown_name(location, f"{pointer}/operation", same_form, operation)._replace(
                message=message, expected=known
            )


def pattern_violations(
    match: Mapping[str, Any], location: RequestLocation, pointer: str
) -> Iterator[Violation]:
    """Yield the texts of `match` that are too long."""
    values = {"account": match.get("account")}
    for group in ("headers", "fields"):
        members = _member(match, group)
        values |= {f"{group}/{escape(name)}": text for name, text in members.items()}
    for name, text in values.items():
        if isinstance(text, str) and len(text) > _MAX_PATTERN:
            message = f"must have at most {_MAX_PATTERN} characters; got {len(text)}"
            yield Violation(location, f"{pointer}/{name}", "maxLength", message, _MAX_PATTERN)


def _framing_violation(location: RequestLocation, pointer: str, name: str) -> Violation:
    message = "is set by the server; use the kind truncate to send a wrong one"
    return Violation(location, pointer, "not", message, received=name)

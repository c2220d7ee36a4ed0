"""Validation of faults: their JSON Schema, the names they refer to, and the headers they set."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from ..errors import RequestLocation, Violation
from ..openapi.document import Document, Operation
from ..openapi.paths import UnknownMember
from ..provider import Provider
from ..seeding import unknown_name
from ..text import did_you_mean, escape
from ..types import JSON
from .kinds import needs_websocket
from .pointers import segments
from .shorthand import OK, expand_fault

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
    violations += _handshake_violations(data, location, pointer)
    if isinstance(data, dict):
        violations += target_violations(providers, data, location, pointer)
        if not violations:
            violations += _frame_violations(providers, data, location, pointer)
        violations += pattern_violations(_member(data, "match"), location, f"{pointer}/match")
        if not violations:
            for at, step in _steps(data, pointer):
                if isinstance(step, dict) and "frame" not in step:
                    violations += _edit_violations(providers, data, step, location, at)
    return violations + [
        _framing_violation(location, f"{at}/headers/{name}", name)
        for at, step in _steps(data, pointer)
        if isinstance(step, dict)
        for name in _member(step, "headers")
        if name.lower() in _FRAMING
    ]


def _handshake_violations(
    data: JSON, location: RequestLocation, pointer: str
) -> Iterator[Violation]:
    """Yield what a fault of TLS handshakes cannot have, since they precede all requests."""
    kinds = {
        at: step.get("kind") if isinstance(step, dict) else step
        for at, step in _steps(data, pointer)
    }
    if "tls" not in kinds.values():
        return
    reason = "because the TLS handshake precedes the request"
    if location == "header":
        yield Violation(location, pointer, "not", f"cannot be tls, {reason}")
    for name in ("operation", "match"):
        if isinstance(data, dict) and name in data:
            message = f"cannot be used with the kind tls, {reason}"
            hint = "select connections by provider"
            yield Violation(location, f"{pointer}/{name}", "not", message, hint=hint)
    for at, step in _steps(data, pointer):
        if isinstance(step, dict) and "frame" in step:
            yield Violation(location, f"{at}/frame", "not", f"cannot be used with tls, {reason}")
    for at, kind in kinds.items():
        if kind not in ("tls", OK):
            message = "must be tls or ok, because another item of the sequence is tls"
            yield Violation(location, at, "enum", message, ["tls", OK], kind)


def _frame_violations(
    providers: Mapping[str, Provider],
    data: Mapping[str, JSON],
    location: RequestLocation,
    pointer: str,
) -> Iterator[Violation]:
    """Yield a violation for a fault of frames whose operation is no WebSocket."""
    named = data.get("operation")
    if named is None or not needs_websocket(expand_fault(data)):
        return
    served = [operation for name, operation in _operations(providers, data) if name == named]
    if not any(operation.frames for operation in served):
        sockets = {operation.id for _, operation in _operations(providers, {}) if operation.frames}
        known = sorted(sockets)
        available = ", ".join(known) or "none"
        message = f"must be a WebSocket for a fault of frames; got {named}; available: {available}"
        yield Violation(location, f"{pointer}/operation", "enum", message, known, named)


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
        ids = {key: served.id for key, served in _operations(providers, data)}
        if operation not in ids:
            known = [*dict.fromkeys(ids.values())]
            message = f"must be an operation; got {operation}; available: {', '.join(known)}"
            same_form = [key for key in ids if (" " in key) == (" " in operation)]
            yield unknown_name(location, f"{pointer}/operation", same_form, operation)._replace(
                message=message, expected=known
            )


def _operations(
    providers: Mapping[str, Provider], data: Mapping[str, JSON]
) -> Iterator[tuple[str, Operation]]:
    """Yield the operations of the provider of a fault, or of all, each by its two names."""
    name = data.get("provider")
    for provider in [providers[name]] if isinstance(name, str) else providers.values():
        for operation in provider.document.operations.values():
            yield operation.id, operation
            yield f"{operation.method} {operation.path}", operation


def _edit_violations(
    providers: Mapping[str, Provider],
    fault: Mapping[str, JSON],
    step: Mapping[str, JSON],
    location: RequestLocation,
    at: str,
) -> Iterator[Violation]:
    """Yield the pointers of `set` and `remove` that no response of the operation can have.

    A fault for every operation is not checked: pointers without effect are recorded when it fires.
    """
    named = [op for name, op in _operations(providers, fault) if name == fault.get("operation")]
    edits = [
        *((f"set/{escape(name)}", name, segments(name)[:-1]) for name in step.get("set", ())),
        *((f"remove/{i}", name, segments(name)) for i, name in enumerate(step.get("remove", ()))),
    ]
    for member, pointer, path in edits if named else ():
        unknown = [_unknown_member(operation, path) for operation in named]
        if None not in unknown and unknown[0]:
            name, known = unknown[0]
            yield Violation(
                location,
                f"{at}/{member}",
                "pointer",
                f"matches nothing: responses of {named[0].id} have no {name}; got {pointer}",
                known,
                pointer,
                hint=did_you_mean(name, known),
            )


def _unknown_member(operation: Operation, path: Sequence[str]) -> UnknownMember | None:
    """Return the first segment of a path that no success of an operation is documented to have."""
    unknown = UnknownMember("JSON", [])
    for response in operation.responses.values():
        for content in response.content.values() if response.status < 400 else ():
            if content.media_type.endswith("json") and "ndjson" not in content.media_type:
                found = content.unknown_member(path)
                if found is None:
                    return None
                unknown = found
    return unknown


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

"""The documented errors of each operation, and what provokes them.

Declarations name what handlers and `admit` raise; everything else follows from the contract.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

from .errors import (
    InvalidAudio,
    InvalidPath,
    MalformedBody,
    PayloadTooLarge,
    Problem,
    RateLimited,
    Unauthenticated,
    UnsupportedMediaType,
    UpgradeRequired,
    ValidationFailed,
)
from .openapi.document import MediaType, Operation, Parameter
from .provider import Provider, RateLimit
from .types import JSON

_PROBES = ("x", "-1")  # invalid for every enum, pattern, number and minimum of the contracts

Cause = tuple[type[Problem], str]


class DocumentedError(NamedTuple):
    """A documented error of an operation.

    `example` is the body in the contract; `provoked_by` are the requests and accounts that cause
    the error, none where only a fault does.
    """

    status: int
    description: str
    example: JSON
    provoked_by: tuple[str, ...]


def documented_errors(provider: Provider, operation: Operation) -> list[DocumentedError]:
    """Return all documented errors of an operation, by status."""
    details: dict[type[Problem], dict[str, None]] = {}
    for problem, detail in _causes(provider, operation):
        details.setdefault(problem, {}).update({detail: None} if detail else {})
    provoked: dict[int, list[str]] = {}
    for problem, texts in details.items():
        cause = f"{problem.provoked_by} ({'; '.join(texts)})" if texts else problem.provoked_by
        provoked.setdefault(problem().status(operation.responses), []).append(cause)
    return [
        DocumentedError(
            status,
            response.description,
            next((content.example for content in response.content.values()), None),
            tuple(provoked.get(status, ())),
        )
        for status, response in operation.responses.items()
        if status >= 400
    ]


def _causes(provider: Provider, operation: Operation) -> Iterator[Cause]:
    """Yield the errors that a request to an operation may get, in the order of the pipeline."""
    if operation.security:
        yield Unauthenticated, operation.security.example
    if operation.frames:
        yield UpgradeRequired, ""
    yield RateLimited, "its limits"
    for limit in provider.limits.values():
        if limit.matches(operation.id):
            yield RateLimited, f"--limits documented: {_described(limit)}"
    declared = [(type(problem), problem.detail) for problem in provider.declared(operation.id)]
    yield from declared
    for parameter in operation.parameters:
        yield from _parameter_causes(parameter)
    for content in operation.bodies.values():
        for cause in _body_causes(content):
            # A handler that declares PayloadTooLarge has a limit below that of the contract.
            if cause[0] is not PayloadTooLarge or PayloadTooLarge not in dict(declared):
                yield cause
    if operation.bodies and 413 in operation.responses:
        setting = "max_body_mb" if "multipart/form-data" in operation.bodies else "max_json_mb"
        yield PayloadTooLarge, f"the whole body: over {setting}"


def _described(limit: RateLimit) -> str:
    tiers = {"": limit.max} if isinstance(limit.max, int) else limit.max
    max_count = ", ".join(f"{count} {tier}".rstrip() for tier, count in tiers.items())
    return f"{max_count} at once" if limit.per is None else f"{max_count} in {limit.per:g} s"


def _parameter_causes(parameter: Parameter) -> Iterator[Cause]:
    if parameter.location != "path" and parameter.required:
        yield ValidationFailed, f"without {parameter.name}"
    for probe in _PROBES:
        value = parameter.field.read(probe)
        if not parameter.schema.is_valid([value] if parameter.field.is_array else value):
            problem = InvalidPath if parameter.location == "path" else ValidationFailed
            yield problem, f"{parameter.name}={probe}"
            return


def _body_causes(content: MediaType) -> Iterator[Cause]:
    yield UnsupportedMediaType, f"not {content.media_type}"
    yield MalformedBody, f"broken {content.media_type}"
    if content.schema:
        violations = content.schema.violations({}, "body")
        missing = [violation.name for violation in violations if violation.rule == "required"]
        if missing:
            yield ValidationFailed, f"without {', '.join(missing)}"
        elif not content.schema.is_valid([]):
            yield ValidationFailed, "a body that is not an object"
    for field in content.fields.values():
        if field.file:
            if field.file.formats:
                yield InvalidAudio, f"{field.name}: not {', '.join(field.file.formats)}"
            if field.file.max_bytes:
                yield PayloadTooLarge, f"{field.name}: over {field.file.max_bytes} bytes"

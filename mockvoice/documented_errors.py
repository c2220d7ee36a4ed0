"""With which statuses each operation refuses, and what provokes them: by its contract and code."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Iterator
from types import CodeType, FunctionType
from typing import Any, NamedTuple

from .errors import (
    Forbidden,
    InvalidAudio,
    InvalidPath,
    MalformedBody,
    PayloadTooLarge,
    PaymentRequired,
    Problem,
    RateLimited,
    Unauthenticated,
    UnsupportedMediaType,
    ValidationFailed,
)
from .openapi.document import MediaType, Operation, Parameter
from .provider import Provider, RateLimit
from .state.accounts import STATE
from .types import JSON

_PROBES = ("x", "-1")  # texts that are no choice, no pattern, no number or one too small


class DocumentedError(NamedTuple):
    """A documented error of an operation.

    `example` is what the contract shows; `provoked_by` is what makes it come by itself, nothing
    where it has to be asked for.
    """

    status: int
    description: str
    example: JSON
    provoked_by: tuple[str, ...]


def documented_errors(provider: Provider, operation: Operation) -> list[DocumentedError]:
    """All documented errors of an operation, by status."""
    ways: dict[type[Problem], dict[str, None]] = {}
    for problem, detail in _ways(provider, operation):
        ways.setdefault(problem, {}).update({detail: None} if detail else {})
    provoked: dict[int, list[str]] = {}
    for problem, details in ways.items():
        told = f"{problem.provoked_by} ({'; '.join(details)})" if details else problem.provoked_by
        provoked.setdefault(problem().status(operation.responses), []).append(told)
    return [
        DocumentedError(
            status,
            response.description,
            next((each.example for each in response.content.values()), None),
            tuple(provoked.get(status, ())),
        )
        for status, response in operation.responses.items()
        if status >= 400
    ]


def _ways(provider: Provider, operation: Operation) -> Iterator[tuple[type[Problem], str]]:
    """The problems that a request to an operation may meet, in the order of the pipeline."""
    if operation.credential:
        yield Unauthenticated, operation.credential.example
    yield RateLimited, "its limits"
    for limit in provider.limits.values():
        if limit.matches(operation.id):
            yield RateLimited, f"--limits documented: {_max_count(limit)}"
    others = provider.document.operations.keys() - {operation.id}
    for function in (provider.admit, provider.handlers.get(operation.id)):
        yield from _named(function, operation.id, others)
    for parameter in operation.parameters:
        yield from _parameter(parameter)
    for content in operation.bodies.values():
        yield from _body(content)
    if operation.bodies and 413 in operation.responses:
        yield PayloadTooLarge, "the whole body: over max_body_mb"


def _max_count(limit: RateLimit) -> str:
    tiers = {"": limit.max} if isinstance(limit.max, int) else limit.max
    max_count = ", ".join(f"{count} {tier}".rstrip() for tier, count in tiers.items())
    return f"{max_count} at once" if limit.per is None else f"{max_count} in {limit.per:g} s"


def _parameter(parameter: Parameter) -> Iterator[tuple[type[Problem], str]]:
    if parameter.location != "path" and parameter.required:
        yield ValidationFailed, f"without {parameter.name}"
    for probe in _PROBES:
        value = parameter.field.read(probe)
        if not parameter.schema.is_valid([value] if parameter.field.is_array else value):
            problem = InvalidPath if parameter.location == "path" else ValidationFailed
            yield problem, f"{parameter.name}={probe}"
            return


def _body(content: MediaType) -> Iterator[tuple[type[Problem], str]]:
    yield UnsupportedMediaType, f"not {content.media_type}"
    yield MalformedBody, f"broken {content.media_type}"
    if content.schema:
        wrong = content.schema.violations({}, "body")
        missing = [each.name for each in wrong if each.rule == "required"]
        if missing:
            yield ValidationFailed, f"without {', '.join(missing)}"
        elif not content.schema.is_valid([]):
            yield ValidationFailed, "a body that is no object"
    for field in content.fields.values():
        if field.file:
            if field.file.formats:
                yield InvalidAudio, f"{field.name}: not {', '.join(field.file.formats)}"
            if field.file.max_bytes:
                yield PayloadTooLarge, f"{field.name}: over {field.file.max_bytes} bytes"


def _named(
    function: Callable[..., Any] | None, operation: str, others: Collection[str]
) -> Iterator[tuple[type[Problem], str]]:
    """The problems whose names stand in a function, or in those of its module that it calls.

    A function that names other operations, and not this one, is none for this one.
    """
    waiting = [function] if isinstance(function, FunctionType) else []
    for each in waiting:
        texts = {*_texts(each.__code__.co_consts)}
        if operation not in texts and not texts.isdisjoint(others):
            continue
        for name in _names(each.__code__):
            value = each.__globals__.get(name)
            if isinstance(value, type) and issubclass(value, Problem):
                yield value, _state(each) if value in (PaymentRequired, Forbidden) else ""
            if (
                isinstance(value, FunctionType)
                and value.__module__ == each.__module__
                and value not in waiting
            ):
                waiting.append(value)


def _texts(constants: Iterable[object]) -> Iterator[str]:
    for each in constants:
        if isinstance(each, str):
            yield each
        elif isinstance(each, tuple | frozenset):
            yield from _texts(each)


def _names(code: CodeType) -> Iterator[str]:
    yield from code.co_names
    for each in code.co_consts:
        if isinstance(each, CodeType):  # a function in a function
            yield from _names(each)


def _state(function: FunctionType) -> str:
    """What of an account's state a function looks at."""
    names = {*function.__code__.co_names}
    seen = [each for each in STATE if each in names or (each == "credit" and "spend" in names)]
    return f"its {' or '.join(seen)}" if seen else ""

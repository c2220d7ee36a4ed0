"""What happened in a mock, as text for people."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from typing import Any

from .models import RecordedFile, RecordedRequest

_LONG = 300  # characters of a value that are shown


def line(request: RecordedRequest) -> str:
    """A request in one line: what it was, and what came of it."""
    operation = f"{request.provider} {request.operation or '(no operation)'}"
    came = "no reply" if request.status is None else str(request.status)
    fault = f", {request.fault.kind} ({request.fault.id})" if request.fault else ""
    attempt = f", attempt {request.attempt}" if request.attempt else ""
    path = request.path if request.path.isprintable() else repr(request.path)
    return f"{request.id}  {operation}  {request.method} {path}  -> {came}{fault}{attempt}"


def lines(request: RecordedRequest) -> list[str]:
    """A request with all that helps to see what was wrong with it."""
    told = [line(request)]
    told += [f"    {name} = {_brief(value)}" for name, value in request.query.items()]
    told += [f"    {name} = {_brief(value)}" for name, value in request.fields.items()]
    told += [f"    {_file(each)}" for each in request.files]
    for each in request.violations:
        told.append(f"    wrong in the {each.location}: {each.message}")
        if each.source:
            told.append(f"        rule: {each.source}")
    hints = dict.fromkeys([*(each.hint for each in request.violations), request.hint])
    told += [f"    hint: {hint}" for hint in hints if hint]
    if request.response and (request.status or 0) >= 400:
        told.append(f"    reply: {_brief(request.response.body)}")
    if request.early:
        told.append(f"    came {request.early:.3g} s before it was told to by Retry-After")
    told += [f"    mockvoice failed: {each}" for each in request.internal_error.splitlines()]
    return told


def _file(file: RecordedFile) -> str:
    plays = f", {file.seconds:.3g} s" if file.seconds is not None else ""
    return f"{file.field} = file {file.filename!r}: {file.bytes} bytes, {file.format}{plays}"


def _brief(value: Any) -> str:
    text = json.dumps(value, ensure_ascii=False)
    return text if len(text) <= _LONG else f"{text[:_LONG]}..."


KEPT = ("id", "hits", "matched")  # what a fault tells besides what was asked for


def fault(data: Mapping[str, Any]) -> str:
    """A fault, with how often it fired."""
    asked = {name: value for name, value in data.items() if name not in KEPT}
    return f"{data['id']}  {_brief(asked)}  fired at {data['hits']} of {data['matched']} requests"


def waits(data: Mapping[str, Any]) -> str:
    """That a fault waits for requests, though all is over."""
    if "sequence" in data:
        turns = f"{data['matched']} of {len(data['sequence'])} turns"
        return f"a sequence is not finished ({turns}): {fault(data)}"
    return f"a fault never fired: {fault(data)}"


def failed(request: RecordedRequest) -> str:
    """That mockvoice itself failed at a request."""
    return (
        f"mockvoice itself failed: {line(request)}\n    {request.internal_error.splitlines()[-1]}"
    )


def short(requests: Iterable[RecordedRequest]) -> str:
    """Every request in a line."""
    return "\n".join(map(line, requests)) or "no request has come"


def report(requests: Iterable[RecordedRequest], faults: Iterable[Mapping[str, Any]] = ()) -> str:
    """Everything that happened, oldest first."""
    told = [text for each in requests for text in lines(each)] or ["no request has come"]
    return "\n".join([*told, *map(fault, faults)])

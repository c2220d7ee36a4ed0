"""Text reports of requests and faults, for terminals and failed tests."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any

from .text import request_line

if TYPE_CHECKING:
    from .models import (
        RecordedDifference,
        RecordedFile,
        RecordedRequest,
        RecordedRequests,
        UpstreamDifference,
    )

NO_REQUESTS = "no requests received"
_MAX_VALUE_LENGTH = 300  # characters
_MAX_FRAMES = 20
_COUNTERS = ("id", "hits", "matched")  # fields that the server adds to a fault


def request_details(request: RecordedRequest) -> list[str]:
    """Return the lines for a request: parameters, files, violations, hints, error response."""
    values = [*request.query.items(), *request.fields.items()]
    details = [
        *(f"{name} = {_brief(value)}" for name, value in values),
        *map(_file, request.files),
        *_frames(request),
        *_explanation(request),
    ]
    if request.response and (request.status or 0) >= 400:
        details.append(f"response: {_brief(request.response.body)}")
    details += [f"difference: {difference(one)}" for one in request.difference or ()]
    if request.early:
        details.append(f"sent {request.early:.3g} s before Retry-After elapsed")
    details += [f"internal error: {line}" for line in request.internal_error.splitlines()]
    return [_line(request), *(f"    {line}" for line in details)]


def difference(one: RecordedDifference | UpstreamDifference) -> str:
    """Return a difference in one line: kind, location, live value and that of the mock."""
    values = [_brief(value) for value in (one.live, one.mock)]
    live, mock = ["none", values[1]] if one.kind == "missing" else values
    subject = "status" if one.kind == "status" else f"{one.kind} {one.location}"
    return f"{subject}: live {live}, mock {'none' if one.kind == 'added' else mock}"


def _explanation(request: RecordedRequest) -> list[str]:
    """Return the lines for the violated rules of a request, and its hints."""
    lines = []
    for violation in request.violations:
        lines.append(f"violation in {violation.location}: {violation.message}")
        if violation.source:
            lines.append(f"    rule: {violation.source}")
    hints, rest = dict.fromkeys(v.hint for v in request.violations if v.hint), request.hint
    for hint in hints:  # that of the request begins with the first of them
        rest = rest.removeprefix(hint).removeprefix("; ")
    return [*lines, *(f"hint: {hint}" for hint in [*hints, rest] if hint)]


def _frames(request: RecordedRequest) -> list[str]:
    """Return the lines for the first frames of a WebSocket, and for its end."""
    shown = [f"{frame.sender}: {_brief(frame.data)}" for frame in request.frames[:_MAX_FRAMES]]
    more = len(request.frames) + request.omitted_frames - len(shown)
    if more:
        shown.append(f"({more} more frame{'s' * (more != 1)})")
    if request.closed:
        reason = f": {request.closed.reason}" if request.closed.reason else ""
        shown.append(f"closed with {request.closed.code}{reason}")
    return shown


def _line(request: RecordedRequest) -> str:
    fault = request.fault
    return request_line(
        id=request.id,
        provider=request.provider,
        operation=request.operation,
        method=request.method,
        path=request.path,
        status=request.status,
        fault=f"{fault.kind} ({fault.id})" if fault else "",
        attempt=request.attempt,
        client_closed=request.client_closed,
    )


def _file(file: RecordedFile) -> str:
    duration = f", {file.seconds:.3g} s" if file.seconds is not None else ""
    return f"{file.field} = file {file.filename!r}: {file.bytes} bytes, {file.format}{duration}"


def _brief(value: Any) -> str:
    text = json.dumps(value, ensure_ascii=False)
    return text if len(text) <= _MAX_VALUE_LENGTH else f"{text[:_MAX_VALUE_LENGTH]}..."


def fault_fields(data: Mapping[str, Any]) -> dict[str, Any]:
    """Return the fields with which a fault was created."""
    return {name: value for name, value in data.items() if name not in _COUNTERS}


def fault_line(data: Mapping[str, Any]) -> str:
    """Return a fault and its counters in one line."""
    counts = f"fired for {data['hits']} of {data['matched']} matching requests"
    return f"{data['id']}  {_brief(fault_fields(data))}  {counts}"


def unfired_fault(data: Mapping[str, Any]) -> str:
    """Return the message for a fault that never fired, or a sequence that is not finished."""
    if "sequence" in data:
        progress = f"{data['matched']} of {len(data['sequence'])} items used"
        return f"sequence not finished ({progress}): {fault_line(data)}"
    return f"fault never fired: {fault_line(data)}"


def internal_error(request: RecordedRequest) -> str:
    """Return the message for a request that failed because of a bug in the mock or a handler."""
    error = request.internal_error.splitlines()[-1]
    return f"mockvoice internal error: {_line(request)}\n    {error}"


def unexpected_violation(request: RecordedRequest) -> str:
    """Return the message for a request that violated the contract or matched no operation."""
    problem = "violated the contract" if request.violations else "matched no operation"
    return "\n    ".join([f"request {problem}: {_line(request)}", *_explanation(request)])


def summary(requests: RecordedRequests) -> str:
    """Return one line per request, and the hint for a path that no provider serves."""
    lines = _evicted(requests)
    for request in requests:
        lines.append(_line(request))
        if not request.provider:
            lines.append(f"    hint: {request.hint}")
    return "\n".join(lines) or NO_REQUESTS


def report(requests: RecordedRequests, faults: Iterable[Mapping[str, Any]] = ()) -> str:
    """Return all requests with details, followed by the faults; oldest first."""
    details = [line for request in requests for line in request_details(request)]
    lines = [*_evicted(requests), *details]
    return "\n".join([*(lines or [NO_REQUESTS]), *map(fault_line, faults)])


def _evicted(requests: RecordedRequests) -> list[str]:
    """Return the line for requests that are no longer in the journal, if there are any."""
    count = requests.evicted
    return [f"({count} older request{'s' * (count != 1)} evicted)"] if count else []

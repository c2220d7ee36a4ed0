"""Rendering: the result of a handler, or a problem, as a response that the contract documents."""

from __future__ import annotations

import json
from typing import Any

from ..audio.synth import Utterance, mp3, wav
from ..errors import InternalError, Problem, Violation
from ..openapi.document import DocumentedResponse
from ..provider import RequestContext, Response
from ..text import brief
from ..types import JSON
from .transport import RawResponse

encode = json.JSONEncoder(ensure_ascii=False, separators=(",", ":")).encode
_HEADER_LIMIT = 4096  # bytes of a diagnostic header: clients reject long header lines
_OMITTED_SIZE = 256  # bytes reserved in it for the element that counts what did not fit
_LONG = 256  # characters of a received value
_RATE = 24_000  # Hz


def render(ctx: RequestContext, result: Any) -> RawResponse:
    """Return the result of a handler with status and media type from the contract."""
    response = result if isinstance(result, Response) else Response(result)
    operation = ctx.operation
    status = response.status or operation.success.status
    documented = operation.responses.get(status)
    if documented is None:
        subject, message = f"{operation.id} returned {status},", "which its contract lacks"
        if not ctx.provider.is_replaced:
            raise InternalError(f"{subject} {message}")
        ctx.provider.warn(subject, message)
    media_type = response.media_type or _media_type(documented, response.body)
    rendered = _encoded(ctx, status, media_type, response.body, dict(response.headers))
    rendered.trailers = response.trailers
    return rendered


def _media_type(documented: DocumentedResponse | None, body: Any) -> str:
    """Return the first documented media type, or what a body without one most likely is."""
    if documented and documented.content:
        return next(iter(documented.content))
    if body is None:
        return ""
    return "application/octet-stream" if isinstance(body, bytes) else "application/json"


def render_example(ctx: RequestContext) -> RawResponse:
    """Return the success that the contract documents; nothing is executed."""
    response = ctx.operation.success
    content = next(iter(response.content.values()), None)
    body: Any = content.example if content else None
    if content and content.media_type.startswith("audio/"):
        utterance = Utterance(ctx.operation.id, ctx.provider.name)
        body = (mp3 if content.media_type == "audio/mpeg" else wav)(utterance, _RATE)
    return _encoded(ctx, response.status, content.media_type if content else "", body, {})


def render_problem(ctx: RequestContext, problem: Problem) -> RawResponse:
    """Return a problem as the provider's error, with the first of its documented statuses."""
    status = problem.status(ctx.operation.responses)
    headers = dict(problem.headers)
    own_type = headers.pop("content-type", "")
    if ctx.mock.settings.diagnostics:
        headers |= diagnostic_headers(problem)
    if isinstance(problem.body, str):  # of an injected error, sent as it is
        media_type = own_type or "text/plain; charset=utf-8"
        return RawResponse(status, media_type, problem.body.encode(), headers)
    media_type = own_type or ctx.provider.error_type
    if problem.body is not None:  # also injected, so it need not satisfy the contract
        return RawResponse(status, media_type, encode(problem.body).encode(), headers)
    body = ctx.provider.error(problem, status, ctx)
    response = _encoded(ctx, status, ctx.provider.error_type, body, headers)
    response.media_type = own_type or response.media_type
    return response


def diagnostic_headers(problem: Problem) -> dict[str, str]:
    """Return the headers that explain a rejection."""
    headers = {}
    if problem.violations:
        headers["x-mockvoice-violations"] = _explained(problem.violations)
    if problem.hint:
        # A hint may quote what was sent, and a header cannot hold most characters.
        headers["x-mockvoice-hint"] = problem.hint.encode("unicode_escape").decode()
    return headers


def _encoded(
    ctx: RequestContext, status: int, media_type: str, body: Any, headers: dict[str, str]
) -> RawResponse:
    """Return a body as bytes; one that violates the contract is sent, and is an internal error."""
    documented = ctx.operation.responses.get(status)
    content = documented.find(media_type) if documented else None
    if body is None and not content:
        return RawResponse(status, "", b"", headers)
    if isinstance(body, bytes) or hasattr(body, "__next__"):
        return RawResponse(status, media_type, body, headers)
    if content and content.schema and not content.schema.is_valid(body):
        violations = content.schema.violations(body, "body")
        sentences = "; ".join(violation.sentence for violation in violations)
        subject = f"the response {status} of {ctx.operation.id}"
        if ctx.provider.is_replaced:
            file = ctx.provider.document.file
            ctx.provider.warn(subject, f"is not as {file} documents it: {sentences}")
        else:
            ctx.record_internal_error(f"{subject}: {sentences}")
    return RawResponse(status, media_type, encode(body).encode(), headers)


def _short(value: JSON) -> JSON:
    return value if len(brief(value, _LONG)) < _LONG else brief(value)


def _explained(violations: tuple[Violation, ...]) -> str:
    """Return violations as a JSON array in the characters of a header.

    Each is encoded once. If not all of them fit, the last element says how many are missing.
    """
    described: list[str] = []
    size = 2
    for number, violation in enumerate(violations):
        text = json.dumps({**violation.described(), "received": _short(violation.received)})
        size += len(text) + 2
        if size > _HEADER_LIMIT - _OMITTED_SIZE:
            described.append(json.dumps(_omitted(len(violations) - number).described()))
            break
        described.append(text)
    return f"[{', '.join(described)}]"


def _omitted(count: int) -> Violation:
    subject = "1 violation is" if count == 1 else f"{count} violations are"
    message = f"{subject} omitted here; the journal entry lists all"
    return Violation("header", "", "omitted", message)

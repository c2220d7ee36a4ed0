"""From an answer or a problem to what is sent, checked against the contract."""

from __future__ import annotations

import json
from typing import Any

from ..audio.synth import Utterance, mp3, pcm, wav
from ..errors import InternalError, Problem, Violation
from ..openapi.messages import brief
from ..openapi.normalize import JSON
from ..provider import RequestContext, Response
from .transport import RawResponse

encode = json.JSONEncoder(ensure_ascii=False, separators=(",", ":")).encode
_HEADER_LIMIT = 4096  # bytes of a diagnostic header: clients refuse long header lines
_LONG = 256  # characters of what was got
_RATE = 24_000  # Hz


def answered(ctx: RequestContext, answer: Response) -> RawResponse:
    """What a handler returned, with status and media type from the contract."""
    operation = ctx.operation
    status = answer.status or operation.success.status
    response = operation.responses.get(status)
    if response is None:
        raise InternalError(
            f"{operation.id} answered {status}, which its contract does not document"
        )
    media_type = answer.media_type or next(iter(response.content), "")
    return _written(ctx, status, media_type, answer.body, dict(answer.headers))


def documented(ctx: RequestContext) -> RawResponse:
    """The success that the contract shows; nothing is done for it."""
    response = ctx.operation.success
    content = next(iter(response.content.values()), None)
    body: Any = content.example if content else None
    if content and content.media_type.startswith("audio/"):
        utterance = Utterance(ctx.operation.id, ctx.provider.name)
        if content.media_type == "audio/mpeg":
            body = mp3(utterance, _RATE)
        else:
            body = wav(pcm(utterance, _RATE), _RATE)
    return _written(ctx, response.status, content.media_type if content else "", body, {})


def refused(ctx: RequestContext, problem: Problem) -> RawResponse:
    """A problem in the provider's words, with the first of its statuses that is documented."""
    status = problem.status(ctx.operation.responses)
    headers = dict(problem.headers)
    if ctx.mock.settings.diagnostics:
        if problem.violations:
            headers["x-mockvoice-violations"] = _explained(problem.violations)
        if problem.hint:
            # A hint may name what was sent, and a header is no place for most characters.
            headers["x-mockvoice-hint"] = problem.hint.encode("unicode_escape").decode()
    body, media_type = problem.body, ctx.provider.error_type
    if isinstance(body, str):  # asked for as it is
        return RawResponse(status, "text/plain; charset=utf-8", body.encode(), headers)
    if body is not None:  # as well, so it need not fit the contract
        return RawResponse(status, media_type, encode(body).encode(), headers)
    body = ctx.provider.error(problem, status, ctx)
    return _written(ctx, status, media_type, body, headers)


def _written(
    ctx: RequestContext, status: int, media_type: str, body: Any, headers: dict[str, str]
) -> RawResponse:
    """The body as bytes; one that does not fit the contract is sent, and told as our mistake."""
    response = ctx.operation.responses.get(status)
    content = response.find(media_type) if response else None
    if body is None and not content:
        return RawResponse(status, "", b"", headers)
    if isinstance(body, bytes) or hasattr(body, "__next__"):
        return RawResponse(status, media_type, body, headers)
    if content and content.schema and not content.schema.is_valid(body):
        wrong = "; ".join(each.sentence for each in content.schema.violations(body, "body"))
        ctx.record_internal_error(f"the reply {status} of {ctx.operation.id}: {wrong}")
    return RawResponse(status, media_type, encode(body).encode(), headers)


def _short(value: JSON) -> JSON:
    return value if len(json.dumps(value)) < _LONG else brief(value)


def _explained(violations: tuple[Violation, ...]) -> str:
    """Violations as JSON in a header's characters, as many as fit."""
    entry = [{**each.described(), "received": _short(each.received)} for each in violations]
    while len(text := json.dumps(entry)) > _HEADER_LIMIT and entry:
        entry.pop()
    return text

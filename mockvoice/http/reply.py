"""From an answer or a problem to what is sent, checked against the contract."""

from __future__ import annotations

import json
from typing import Any

from ..errors import Failed, Problem, Violation
from ..openapi.lift import JSON
from ..openapi.wording import brief
from ..provider import Answer, Call
from ..speech import Utterance, mp3, pcm, wav
from .wire import Reply

encode = json.JSONEncoder(ensure_ascii=False, separators=(",", ":")).encode
_HEADER_LIMIT = 4096  # bytes of a diagnostic header: clients refuse long header lines
_LONG = 256  # characters of what was got
_RATE = 24_000  # Hz


def answered(call: Call, answer: Answer) -> Reply:
    """What a handler returned, with status and media type from the contract."""
    operation = call.operation
    status = answer.status or operation.success.status
    response = operation.responses.get(status)
    if response is None:
        raise Failed(f"{operation.id} answered {status}, which its contract does not document")
    media_type = answer.media_type or next(iter(response.content), "")
    return _written(call, status, media_type, answer.body, dict(answer.headers))


def documented(call: Call) -> Reply:
    """The success that the contract shows; nothing is done for it."""
    response = call.operation.success
    content = next(iter(response.content.values()), None)
    body: Any = content.example if content else None
    if content and content.media_type.startswith("audio/"):
        utterance = Utterance(call.operation.id, call.provider.name)
        if content.media_type == "audio/mpeg":
            body = mp3(utterance, _RATE)
        else:
            body = wav(pcm(utterance, _RATE), _RATE)
    return _written(call, response.status, content.media_type if content else "", body, {})


def refused(call: Call, problem: Problem) -> Reply:
    """A problem in the provider's words, with the first of its statuses that is documented."""
    status = problem.status(call.operation.responses)
    headers = dict(problem.headers)
    if call.mock.settings.diagnostics:
        if problem.violations:
            headers["x-mockvoice-violations"] = _explained(problem.violations)
        if problem.hint:
            # A hint may name what was sent, and a header is no place for most characters.
            headers["x-mockvoice-hint"] = problem.hint.encode("unicode_escape").decode()
    body, media_type = problem.body, call.provider.error_type
    if isinstance(body, str):  # asked for as it is
        return Reply(status, "text/plain; charset=utf-8", body.encode(), headers)
    if body is not None:  # as well, so it need not fit the contract
        return Reply(status, media_type, encode(body).encode(), headers)
    body = call.provider.error(problem, status, call)
    return _written(call, status, media_type, body, headers)


def _written(call: Call, status: int, media_type: str, body: Any, headers: dict[str, str]) -> Reply:
    """The body as bytes; one that does not fit the contract is sent, and told as our mistake."""
    response = call.operation.responses.get(status)
    content = response.find(media_type) if response else None
    if body is None and not content:
        return Reply(status, "", b"", headers)
    if isinstance(body, bytes) or hasattr(body, "__next__"):
        return Reply(status, media_type, body, headers)
    if content and content.schema and not content.schema.fits(body):
        wrong = "; ".join(each.sentence for each in content.schema.violations(body, "body"))
        call.mistaken(f"the reply {status} of {call.operation.id}: {wrong}")
    return Reply(status, media_type, encode(body).encode(), headers)


def _short(value: JSON) -> JSON:
    return value if len(json.dumps(value)) < _LONG else brief(value)


def _explained(violations: tuple[Violation, ...]) -> str:
    """Violations as JSON in a header's characters, as many as fit."""
    told = [{**each.described(), "got": _short(each.got)} for each in violations]
    while len(text := json.dumps(told)) > _HEADER_LIMIT and told:
        told.pop()
    return text

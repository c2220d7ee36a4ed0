"""Supertone: custom voices cloned from an audio file.

What the contract leaves unsaid:

- 400 and 415 carry a sentence up to edition 0.9.0 and an object from 0.9.6 on; the SDKs name their
  edition in the User-Agent (fact sheet "Supertone", section 3);
- cloning wants the Starter tier or a higher one, and 10 clones in 60 s are the limit (seed).
"""

from __future__ import annotations

import re
from http import HTTPStatus

from ..errors import BadAudio, Forbidden, Problem, RateLimited, WrongMediaType
from ..openapi.lift import JSON
from ..provider import Call, Provider
from ..sandbox.voices import Record

CUSTOM = "custom-voices"
CLONES, CLONES_PER = 10, 60.0  # seed, description of 429
OBJECTS_SINCE = (0, 9, 6)  # the edition in which 400 and 415 became objects
_EDITION = re.compile(r"speakeasy-sdk/\S+ \S+ \S+ (\d+)\.(\d+)\.(\d+)")


def error(problem: Problem, status: int, call: Call) -> JSON:
    """The documented message, or what is wrong where the client can mend it."""
    message = _message(problem, status, call)
    if status in (400, 415) and not _wants_object(call):
        return {"status": "error", "message": message}
    try:
        phrase = HTTPStatus(status).phrase
    except ValueError:
        phrase = "Error"
    phrase = {413: "Payload Too Large"}.get(status, phrase)  # seed; Python 3.13 words it anew
    return {
        "status": "error",
        "message": {
            "message": message,
            "error": phrase,
            "status_code": status,
            "statusCode": status,
        },
    }


def _message(problem: Problem, status: int, call: Call) -> str:
    if isinstance(problem, BadAudio | WrongMediaType) and status == 415:
        sent = problem.violations[0].got if problem.violations else _media_type(call)
        return f"Unsupported audio format. Supported formats: WAV, MP3. Received: {sent}"
    if status in (400, 404, 405, 413) and problem.sentences:
        return problem.sentences
    documented = call.operation.documented(status)
    message = documented["message"] if documented else problem.sentences
    return message["message"] if isinstance(message, dict) else message or f"status {status}"


def _media_type(call: Call) -> str:
    return call.headers.get("content-type").partition(";")[0] or "no media type"


def _wants_object(call: Call) -> bool:
    found = _EDITION.search(call.headers.get("user-agent"))
    return found is not None and tuple(map(int, found.groups())) >= OBJECTS_SINCE


async def admit(call: Call) -> None:
    if call.operation.id != "create_cloned_voice":
        return
    if call.account.tier == "free":
        raise Forbidden
    if call.sandbox.settings.limits == "documented":
        wait = await call.sandbox.accounts.hit(
            call.account, "clones", CLONES, CLONES_PER, call.sandbox.clock.now()
        )
        if wait:
            raise RateLimited


provider = Provider("supertone", "Supertone", error, admit, account={"tier": "starter"})


@provider.operation("create_cloned_voice")
async def create_cloned_voice(call: Call) -> JSON:
    voice_id = f"voice_{call.sandbox.ids.token('supertone voice', 20)}"
    data = {
        "voice_id": voice_id,
        "name": call.fields["name"],
        "description": call.fields.get("description", ""),
    }
    now = call.sandbox.clock.now()
    await call.sandbox.voices.add(
        Record("supertone", CUSTOM, call.account.key, voice_id, data, now, call.uploads)
    )
    return {"voice_id": voice_id}

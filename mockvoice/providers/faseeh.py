"""Faseeh (Munsit): voices cloned from a preview.

What the contract leaves unsaid:

- an empty wallet answers 402, a model that is not enabled 403, more requests at once than the
  account's plan has 429 (fact sheet "Faseeh / Munsit", section 3);
- lists come in as text with commas and go out as arrays (seed);
- what a new voice looks like (seed; ids are opaque, fact sheet, section 2).
"""

from __future__ import annotations

from ..errors import Forbidden, PaymentRequired, Problem, RateLimited
from ..openapi.lift import JSON
from ..provider import Call, Provider
from ..sandbox.voices import Record

VOICES = "voices"
AT_ONCE = {"basic": 2, "starter": 5, "growth": 10}  # requests by plan (fact sheet, section 3)

CODES = {400: 40001, 401: 40101, 402: 40201, 403: 40301, 404: 40401, 429: 42901, 500: 50001}


def error(problem: Problem, status: int, call: Call) -> JSON:
    """The code of the status and, where the client can mend something, what is wrong."""
    documented = call.operation.documented(status)
    message = documented["errorMessage"] if documented else ""
    if status != 401 and problem.sentences:
        message = problem.sentences
    message = message or {404: "Resource not found"}.get(status, f"Request failed: {status}")
    return {"errorCode": CODES.get(status, status * 100 + 1), "errorMessage": message}


async def admit(call: Call) -> None:
    account = call.account
    most = AT_ONCE.get(account.tier)
    if call.sandbox.settings.limits == "documented" and most and account.in_flight > most:
        raise RateLimited(
            f"Concurrency limit reached. Current: {account.in_flight}, Maximum: {most}"
        )
    if account.credit is not None and account.credit <= 0:
        raise PaymentRequired


provider = Provider("faseeh", "Faseeh (Munsit)", error, admit, account={"tier": "basic"})


@provider.operation("cloneVoice")
async def clone_voice(call: Call) -> JSON:
    fields, sandbox = call.fields, call.sandbox
    if call.account.models is not None and fields["model"] not in call.account.models:
        raise Forbidden(f"Model is not enabled for this account: {fields['model']}")
    voice_id = sandbox.ids.word("faseeh voice", 24)
    data = {
        "id": sandbox.ids.uuid("faseeh record"),
        "voice_id": voice_id,
        "name": fields["name"],
        "description": fields.get("description"),
        "gender": fields.get("gender"),
        "age": fields.get("age"),
        "languages": _list(fields.get("languages", "")),
        "dialect": _list(fields.get("dialects", "")),
        "type": None,
        "sample_url": f"{call.origin}/faseeh/samples/{voice_id}.wav",
        "avatar_url": fields.get("avatar_url"),
        "stability": fields["stability"],
    }
    now = sandbox.clock.now()
    await sandbox.voices.add(
        Record("faseeh", VOICES, call.account.key, voice_id, data, now, call.uploads)
    )
    return data


def _list(text: str) -> list[str]:
    return [part.strip() for part in text.split(",") if part.strip()]

"""Retell: voices cloned from audio files.

What the contract leaves unsaid:

- how many files each voice provider takes (seed, text of `files`);
- an account whose trial has ended answers 402 (seed, example of 402);
- what a new voice looks like (fact sheet "Retell", section 2: `custom_voice_...`, a gender though
  none was sent).
"""

from __future__ import annotations

from ..errors import Invalid, PaymentRequired, Problem, Violation
from ..openapi.lift import JSON
from ..provider import Call, Provider
from ..sandbox.voices import Record

VOICES = "voices"
MAX_FILES = {"cartesia": 1, "minimax": 1, "inworld": 3}  # seed; the others take 25

# Statuses that the contract of an operation may lack (fact sheet, section 3).
MESSAGES = {
    402: "Trial has ended, please add payment method.",
    403: "Forbidden",
    404: "The requested resource was not found.",
    409: "Resource update conflict.",
    412: "Precondition failed for conditional update.",
    422: "Cannot find requested asset under given api key.",
    429: "Account rate limited, please throttle your requests.",
    500: "An unexpected server error occurred.",
}


def error(problem: Problem, status: int, call: Call) -> JSON:
    """One flat envelope; what is wrong stands behind the documented sentence."""
    documented = call.operation.documented(status)
    message = documented["message"] if documented else MESSAGES.get(status, "")
    if status not in MESSAGES and status != 401 and problem.sentences:
        message = f"{message} {problem.sentences}".strip()
    return {"status": "error", "message": message or f"Request failed with status {status}."}


async def admit(call: Call) -> None:
    if call.operation.id == "cloneVoice" and call.account.trial_ended:
        raise PaymentRequired


provider = Provider("retell", "Retell", error, admit)


@provider.operation("cloneVoice")
async def clone_voice(call: Call) -> JSON:
    service, files = call.fields["voice_provider"], call.fields["files"]
    most = MAX_FILES.get(service)
    if most and len(files) > most:
        message = f"must have at most {most} item{'s' * (most > 1)} for {service}"
        raise Invalid(
            "", Violation("body", "/files", "maxItems", f"{message}; got {len(files)}", most)
        )
    number = call.sandbox.ids.token("retell voice", 24)
    data = {
        "voice_id": f"custom_voice_{number}",
        "voice_name": call.fields["voice_name"],
        "provider": service,
        "gender": "female" if int(number, 16) % 2 else "male",
        "voice_type": "custom",
    }
    now = call.sandbox.clock.now()
    await call.sandbox.voices.add(
        Record("retell", VOICES, call.account.key, data["voice_id"], data, now, call.uploads)
    )
    return data

"""Telnyx: voice clones from a design or a sample.

What the contract leaves unsaid:

- error codes, titles and texts (fact sheet "Telnyx", section 3);
- the size of a sample depends on the provider field: 5 MB, 20 MB for minimax (seed, field text);
- what a new clone looks like (seed, examples; fact sheet, "VoiceCloneData");
- every account has the design that the documented samples clone (seed, example of the request).
"""

from __future__ import annotations

from ..errors import NotFound, Problem, TooLarge, Violation
from ..openapi.lift import JSON
from ..provider import Call, Provider
from ..sandbox.clock import timestamp
from ..sandbox.sandbox import Sandbox
from ..sandbox.voices import Record

CLONES, DESIGNS = "voice_clones", "voice_designs"
DESIGN = "550e8400-e29b-41d4-a716-446655440000"  # seed: the design of the documented samples
MAX_BYTES = {"telnyx": 5 * 1024 * 1024, "minimax": 20 * 1024 * 1024}  # seed: audio_file
MODELS = {"telnyx": ["Qwen3TTS"], "minimax": ["speech-2.8-turbo"]}  # fact sheet, section 2
SAMPLE_RATE = 24_000

# Status: code, title, detail (fact sheet, section 3). Titles of 10027 and 10037 are not published.
ERRORS = {
    400: ("10015", "Bad Request", "The request cannot be processed."),
    401: (
        "10009",
        "Authentication failed",
        "The required authentication headers were either invalid or not included in the request.",
    ),
    403: ("10010", "Authorization failed", "You do not have permission to do this."),
    404: ("10005", "Resource not found", "The requested resource or URL could not be found."),
    405: ("10005", "Method not allowed", "The requested resource or URL could not be found."),
    408: ("10008", "Request timeout", "The request took too long."),
    409: ("10012", "Duplicate resource", "The resource exists already."),
    415: ("10014", "Unsupported Media Type", "The media type is not supported."),
    422: ("10027", "Unprocessable Entity", "A field of the request is missing or wrong."),
    429: (
        "10011",
        "Too many requests",
        "You have exceeded the maximum number of allowed requests.",
    ),
    500: ("10007", "Unexpected error", "An unexpected error occurred."),
    502: ("10037", "Bad Gateway", "Voice clone service unavailable"),
}


def error(problem: Problem, status: int, call: Call) -> JSON:
    """One error for each violation, with a pointer to its field."""
    code, title, detail = ERRORS.get(status) or ERRORS[400 if status < 500 else 500]
    if status == 401:
        return {"errors": [{"code": code, "title": title, "detail": detail}]}
    if not problem.violations:
        return {"errors": [{"code": code, "title": title, "detail": problem.detail or detail}]}
    return {
        "errors": [
            {
                "code": code,
                "title": title,
                "detail": f"Failed to process audio file: {violation.sentence}"
                if violation.rule == "x-audio-formats"
                else violation.sentence,
                "source": {"pointer": violation.pointer},
            }
            for violation in problem.violations
        ]
    }


def presets(sandbox: Sandbox, key: str) -> list[Record]:
    """The design of the documented samples, with the values of their examples."""
    created = "2024-01-01T00:00:00Z"
    data = {
        "record_type": "voice_design",
        "id": DESIGN,
        "name": "friendly-narrator",
        "provider": "Telnyx",
        "provider_supported_models": MODELS["telnyx"],
        "provider_voice_id": DESIGN,
        "prompt": "Speak in a warm, friendly tone",
        "text": "Hello, welcome to our service.",
        "version": 1,
        "version_created_at": created,
        "voice_sample_size": 48_000,
        "created_at": created,
        "updated_at": created,
    }
    return [Record("telnyx", DESIGNS, key, DESIGN, data, 1_704_067_200.0, preset=True)]


provider = Provider("telnyx", "Telnyx", error, presets=presets)


@provider.operation("createVoiceCloneFromUpload")
async def create_voice_clone_from_upload(call: Call) -> JSON:
    service = call.fields.get("provider", "telnyx").lower()
    sample = call.fields["audio_file"]
    most = call.max_bytes(MAX_BYTES[service])
    if most is not None and sample.size > most:
        message = f"must have at most {most} bytes for {service}; got {sample.size}"
        raise TooLarge(
            "",
            Violation("body", "/audio_file", "x-max-bytes", message, most, sample.size),
        )
    return await _add_clone(call, service, call.fields.get("label"))


@provider.operation("createVoiceClone")
async def create_voice_clone(call: Call) -> JSON:
    design_id = call.fields["voice_design_id"].lower()
    design = await call.sandbox.voices.get("telnyx", DESIGNS, call.account.key, design_id)
    if design is None:
        raise NotFound("Voice design not found")
    service = call.fields.get("provider", "telnyx").lower()
    return await _add_clone(call, service, design.data["prompt"], design)


async def _add_clone(
    call: Call, service: str, label: str | None, design: Record | None = None
) -> JSON:
    sandbox, fields = call.sandbox, call.fields
    clone_id, now = sandbox.ids.uuid("telnyx clone"), sandbox.clock.now()
    moment = timestamp(now)
    data = {
        "record_type": "voice_clone",
        "id": clone_id,
        "source_voice_design_id": design.id if design else None,
        "source_voice_design_version": design.data["version"] if design else None,
        "name": fields["name"],
        "language": fields["language"],
        "gender": fields.get("gender"),
        "label": label,
        "created_at": moment,
        "updated_at": moment,
        "provider": service.capitalize(),
        "provider_supported_models": MODELS[service],
        "provider_voice_id": clone_id
        if service == "telnyx"
        else sandbox.ids.word("minimax voice", 43),
    }
    record = Record("telnyx", CLONES, call.account.key, clone_id, data, now, call.uploads)
    await sandbox.voices.add(record)
    return {"data": data}

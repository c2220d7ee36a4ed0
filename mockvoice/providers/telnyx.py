"""Telnyx: voice clones, voice designs and speech.

What the contract leaves open; facts and sources are in docs/providers/telnyx.md:

- error codes, titles and details (#errors);
- a sample may have 5 MB for telnyx, and the 20 MB of the contract for minimax; since edition
  2026-07-16 the model decides, and the samples of some have a length (#samples-and-limits);
- since that edition an Ultra clone is pending at first (#what-the-documentation-leaves-open);
- values of new clones and designs, and the design that every account starts with
  (#what-the-documentation-leaves-open);
- a design is found by id or by name and has at most 50 versions (#operations, #samples-and-limits);
- the sample of a clone is the uploaded file if that was WAV, otherwise a synthesized WAV
  (#what-the-documentation-leaves-open);
- `Telnyx.Qwen3TTS.X` speaks if X is a clone of the account, as do voices of the other models for
  clones, a Minimax voice with an id of the form of a clone's if that clone exists, and every other
  voice of a known provider always (#what-the-documentation-leaves-open);
- the format of dictionary files (#operations).
"""

from __future__ import annotations

import re
from base64 import b64encode
from collections.abc import Iterator, Mapping, Sequence
from functools import cache, partial
from math import ceil
from time import perf_counter
from typing import TYPE_CHECKING, Any

from ..audio.synth import Utterance, grouped, mp3_pieces, mp3_rate, pcm_pieces, wav, wav_pieces
from ..errors import (
    Conflict,
    Forbidden,
    InternalError,
    NotFound,
    PayloadTooLarge,
    Problem,
    UnknownVoice,
    ValidationFailed,
    Violation,
)
from ..provider import (
    PRESET_CREATED,
    Collection,
    Conversation,
    Edition,
    Provider,
    RequestContext,
    Response,
    WebSocket,
    preset,
)
from ..state.clock import timestamp
from ..state.records import Condition, Data, Query, Record
from ..state.uploads import Upload
from ..text import brief, split_sentences
from ..types import JSON

if TYPE_CHECKING:
    from xml.etree.ElementTree import Element

CLONES, DESIGNS, VOICES = "voice_clones", "voice_designs", "voices"
VERSIONS, SPEECHES, DICTS = "design_versions", "speeches", "pronunciation_dicts"
VARIANTS = "2026-07-16"  # the first bundled edition whose requests depend on the model
TELNYX_MAX_BYTES = 5 * 1024 * 1024  # of a sample; minimax has the limit of the contract
MAX_VERSIONS = 50  # of a design
MAX_DICTS, MAX_ITEMS = 50, 100  # of an organization, of a dictionary
_LINE = re.compile(r"(?P<text>[^=:]+)(?:=(?P<alias>.+)|:\s*/(?P<phoneme>.+)/)")
DEFAULT_MODELS = {"telnyx": "Qwen3TTS", "minimax": "speech-2.8-turbo"}
CLONE_MODELS = {"telnyx": ("Qwen3TTS", "Ultra", "Bayan"), "minimax": ("speech-2.8-turbo",)}
MAX_MB = {"Qwen3TTS": 5, "Ultra": 5}  # of a sample since VARIANTS; 20 for other models
SECONDS = {"speech-2.8-turbo": (10, 300)}  # of a sample since VARIANTS
MINIMAX_ID_LENGTH = 45
MINIMAX_CLONE = re.compile(rf"[A-Za-z0-9]{{{MINIMAX_ID_LENGTH}}}")  # provider_voice_id of a clone
# That speak, also those of newer documents.
SERVICES = {"aws", "azure", "elevenlabs", "humain", "inworld", "minimax", "murfai", "resemble"}
SERVICES |= {"rime", "soniox", "telnyx", "xai"}
SAMPLE_RATE = 24_000  # Hz
SAMPLE_SECONDS = 5.0  # sample of an upload of unknown length
MAX_SAMPLE_SECONDS = 60.0  # sample of a longer upload
MEDIA_TYPES = {"mp3": "audio/mpeg", "wav": "audio/wav", "pcm": "audio/pcm"}

# The design that the documented samples clone, as their responses describe it.
PRESET_DESIGN = "550e8400-e29b-41d4-a716-446655440000"
PRESET_TEXT = "Hello, welcome to our service."
PRESET_PROMPT = "Speak in a warm, friendly tone"

# Speech over a WebSocket.
DEFAULT_VOICE = "NaturalHD.astra"
CONCATENATED = {"aws", "azure"}  # whose audio is in the frame with the text
FRAME_BYTES = 8192  # of audio
MIN_SPEED, MAX_SPEED = 0.5, 2.0
IDLE_SECONDS = 20  # without a frame of the client
NO_SESSION = 'text before the frame {"text": " "}, which opens the session, is not spoken'

# Speech settings that the mock applies, by speech provider: names of speed and sample rate.
SETTINGS = {
    "telnyx": ("voice_speed", "sampling_rate"),
    "rime": ("voice_speed", "sampling_rate"),
    "minimax": ("speed", None),
}

# Status: code, title, detail.
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
# Code and title that depend on the operation.
CODES = {
    ("generateSpeech", 400): ("90103", "Failed to produce text to speech"),
    ("listVoices", 400): ("90104", "Failed to list voices"),
}
DICT_CODES = {
    404: ("90201", "Pronunciation dictionary not found"),
    409: ("90200", "Pronunciation dictionary error"),
    422: ("90202", "Validation failed"),
}
CLONE_500 = ("10037", "Internal Server Error", "Voice clone service configuration error")
# Codes of violations that are not 10027, by rule.
RULE_CODES = {"x-seconds": ("10038", "Unprocessable Entity"), "limit": ("90203", "Limit exceeded")}

# Voices of every account: provider, voice_id, language, gender.
_VOICES = (
    ("telnyx", "Telnyx.NaturalHD.Alloy", "en-US", "female"),
    ("telnyx", "Telnyx.Natural.Armon", "en-US", "male"),
    ("aws", "aws.Polly.Generative.Lucia", "es-ES", "female"),
    ("azure", "azure.en-US-AvaMultilingualNeural", "en-US", "female"),
    ("minimax", "Minimax.speech-2.8-turbo.English_Trustworth_Man", "en-US", "male"),
)
PRESET_VOICES = tuple(
    {
        "voice_id": voice_id,
        "name": voice_id.rpartition(".")[2],
        "provider": service,
        "language": language,
        "gender": gender,
    }
    for service, voice_id, language, gender in _VOICES
)


def error(problem: Problem, status: int, ctx: RequestContext) -> JSON:
    """Return one error for each violation, or the errors by field for a 422 of speech."""
    if ctx.operation.id == "generateSpeech" and status == 422:
        messages: dict[str, list[str]] = {}
        for violation in problem.violations:
            messages.setdefault(violation.name or "body", []).append(violation.message)
        return {"errors": messages or {"body": [problem.detail or "is invalid"]}}
    documented = ctx.operation.documented(status)
    if documented and not problem.sentences:
        return documented
    code, title, detail = _words(ctx.operation.id, status)
    if status == 401 or not problem.violations or (problem.detail and not _has_own_words(problem)):
        detail = (status != 401 and problem.detail) or detail
        return {"errors": [{"code": code, "title": title, "detail": detail}]}
    return {
        "errors": [
            {
                **dict(
                    zip(("code", "title"), RULE_CODES.get(one.rule, (code, title)), strict=True)
                ),
                "detail": problem.detail or _detail(one),
                "source": {"pointer": one.pointer},
            }
            for one in problem.violations
        ]
    }


def _words(operation_id: str, status: int) -> tuple[str, str, str]:
    """Return code, title and detail of a status of an operation."""
    if status == 500 and "VoiceClone" in operation_id:
        return CLONE_500
    code, title, detail = ERRORS.get(status) or ERRORS[400 if status < 500 else 500]
    own = CODES.get((operation_id, status))
    if "PronunciationDict" in operation_id:
        own = DICT_CODES.get(status)
    return (*(own or (code, title)), detail)


def _has_own_words(problem: Problem) -> bool:
    """Return True for a problem with a published detail about a field."""
    return isinstance(problem, ValidationFailed)


def _detail(violation: Violation) -> str:
    if violation.rule == "x-audio-formats":
        return f"Failed to process audio file: {violation.sentence}"
    return violation.sentence


def presets(key: str) -> list[Record]:
    """Return the design that every account starts with, its version, and the voices for speech."""
    summary, version = _preset_design()
    return [
        preset("telnyx", DESIGNS, key, PRESET_DESIGN, summary),
        preset("telnyx", VERSIONS, key, _version_id(PRESET_DESIGN, 1), version),
        *(preset("telnyx", VOICES, key, voice["voice_id"], voice) for voice in PRESET_VOICES),
    ]


@cache
def _preset_design() -> tuple[Data, Data]:
    """Return the design and its version; its size takes as long as its synthesis."""
    created = timestamp(PRESET_CREATED)
    summary = _summary(PRESET_DESIGN, "friendly-narrator", "telnyx", created)
    return summary, _version(1, PRESET_DESIGN, PRESET_TEXT, PRESET_PROMPT, created)


def first_version(design: Record) -> list[Record]:
    """Return the version of a seeded design, without which requests would not find the design.

    The members `text` and `prompt` of the design move to the version.
    """
    text = str(design.data.pop("text", PRESET_TEXT))
    prompt = str(design.data.pop("prompt", PRESET_PROMPT))
    version = _version(1, design.id, text, prompt, timestamp(design.created_at))
    version_id = _version_id(design.id, 1)
    return [Record("telnyx", VERSIONS, design.account, version_id, version, design.created_at)]


def rate_headers(max_count: int, left: int, reset: float) -> dict[str, str]:
    """Return the headers of a response to which a rate limit applies; `reset` is in seconds."""
    return {
        "x-ratelimit-limit": str(max_count),
        "x-ratelimit-remaining": str(left),
        "x-ratelimit-reset": str(ceil(reset)),
    }


def error_frame(problem: Problem, ctx: RequestContext) -> JSON:
    """Return the frame that precedes the end of a WebSocket."""
    message = "Error in audio response"
    if problem.sentences and not isinstance(problem, InternalError):
        message = problem.sentences
    return {"type": "error", "error": message}


def _text(data: Data, member: str) -> str:
    """Return a member as text, "" for null and where the contract of a user has none."""
    return str(data.get(member) or "")


KEYS = {
    "name": lambda data: _text(data, "name"),
    "lower_name": lambda data: _text(data, "name").lower(),
    "created_at": lambda data: _text(data, "created_at"),
}
COLLECTIONS = {
    CLONES: Collection(
        "#/components/schemas/VoiceCloneData",
        "id",
        lambda ids: ids.uuid("telnyx seeded"),
        keys={
            **KEYS,
            "service": lambda data: _text(data, "provider").lower(),
            "voice": lambda data: _text(data, "provider_voice_id"),
        },
    ),
    DESIGNS: Collection(
        "#/components/schemas/VoiceDesignSummary",
        "id",
        lambda ids: ids.uuid("telnyx seeded"),
        related=first_version,
        extra=("text", "prompt"),
        keys=KEYS,
    ),
    VOICES: Collection(
        "#/components/schemas/SpeechVoice",
        "voice_id",
        lambda ids: f"Telnyx.Natural.{ids.word('telnyx seeded', 8)}",
    ),
}
DICTIONARIES = Collection(
    "#/components/schemas/PronunciationDictData", "id", lambda ids: ids.uuid("telnyx seeded")
)

provider = Provider(
    "telnyx",
    "Telnyx",
    error,
    error_frame=error_frame,
    editions={
        "2026-03-20": Edition(),
        VARIANTS: Edition(
            sdks={"python": "4.100.0", "js": "6.41.0"},
            account={"credit": None},
            collections={**COLLECTIONS, DICTS: DICTIONARIES},
            raises={
                "createVoiceCloneFromUpload": [
                    ValidationFailed("audio_file: over the size of the model; Minimax: its length"),
                    Forbidden("credit is 0: the organization may not have more clones"),
                ],
                "createVoiceClone": [
                    Forbidden("credit is 0: the organization may not have more clones")
                ],
            },
        ),
    },
    env={"TELNYX_BASE_URL": "base_url", "TELNYX_API_KEY": "api_key"},
    varying=("voice_sample_size", "base64_audio"),
    presets=presets,
    rate_headers=rate_headers,
    collections=COLLECTIONS,
)

NO_CLONE = NotFound("unknown id")
NO_DESIGN = NotFound("unknown id or name")
NO_VERSION = NotFound("unknown version")


# --- clones --------------------------------------------------------------------------------------


@provider.operation(
    "createVoiceCloneFromUpload",
    raises=[PayloadTooLarge("audio_file: over 5 MB, with provider minimax over 20 MB")],
)
def create_voice_clone_from_upload(ctx: RequestContext) -> JSON | Response:
    service, sample = ctx.fields["provider"].lower(), ctx.fields["audio_file"]
    if _has_variants(ctx):
        model = _model(ctx, service)
        _check_sample(ctx, model, sample)
        body = _add_clone(ctx, service, ctx.fields.get("label"))
        return Response(body, status=202 if model == "Ultra" else 201)
    max_bytes = ctx.max_bytes(TELNYX_MAX_BYTES)
    if service == "telnyx" and max_bytes is not None and sample.size > max_bytes:
        message = f"must have at most {max_bytes} bytes for telnyx; got {sample.size}"
        raise PayloadTooLarge(
            "", Violation("body", "/audio_file", "x-max-bytes", message, max_bytes, sample.size)
        )
    return _add_clone(ctx, service, ctx.fields.get("label"))


def _has_variants(ctx: RequestContext) -> bool:
    """Return True in an edition whose requests depend on the model."""
    return ctx.provider.edition >= VARIANTS


def _model(ctx: RequestContext, service: str) -> str:
    return str(ctx.fields.get("model_id") or DEFAULT_MODELS.get(service, service))


def _check_sample(ctx: RequestContext, model: str, sample: Upload) -> None:
    """Raise ValidationFailed for a sample that is too large for a model, too short or too long."""
    max_mb = MAX_MB.get(model, 20)
    max_bytes = ctx.max_bytes(max_mb * 1024 * 1024) or 0
    if sample.size > max_bytes:
        detail = f"File too large. Maximum allowed size is {round(max_bytes / 1024 / 1024, 3):g}MB"
        raise _rejected_sample(detail, "x-max-bytes", max_bytes, sample.size)
    shortest, longest = SECONDS.get(model, (0, 0))
    seconds = sample.seconds if ctx.begun.audio == "strict" else None
    if seconds and longest and not shortest <= seconds <= longest:
        detail = "Audio is too long"
        if seconds < shortest:
            detail = f"Audio is too short (min {shortest}s)"
        raise _rejected_sample(detail, "x-seconds", [shortest, longest], round(seconds, 3))


def _rejected_sample(detail: str, rule: str, expected: JSON, received: JSON) -> ValidationFailed:
    message = f"breaks the rule {rule}: expected {expected}; got {received}"
    violation = Violation("body", "/audio_file", rule, message, expected, received)
    return ValidationFailed(detail, violation)


@provider.operation("createVoiceClone", raises=[NotFound("unknown voice_design_id"), NO_VERSION])
async def create_voice_clone(ctx: RequestContext) -> JSON:
    design = await _find_design(ctx, ctx.fields["voice_design_id"])
    version = await _find_version(ctx, design, ctx.fields.get("version"))
    service = ctx.fields["provider"].lower()
    return _add_clone(ctx, service, version.data["prompt"], design, version)


def _add_clone(
    ctx: RequestContext,
    service: str,
    label: str | None,
    design: Record | None = None,
    version: Record | None = None,
) -> JSON:
    if not ctx.spend(1):
        raise Forbidden("The organization has reached its limit of voice clones")
    fields, model = ctx.fields, _model(ctx, service)
    clone_id = ctx.ids.uuid("telnyx clone")
    now = timestamp(ctx.now)
    is_pending = model == "Ultra" and _has_variants(ctx)
    data = {
        "record_type": "voice_clone",
        "id": clone_id,
        "source_voice_design_id": design.id if design else None,
        "source_voice_design_version": version.data["version"] if version else None,
        "name": fields["name"],
        "language": fields.get("language", "ar" if model == "Bayan" else None),
        "gender": fields.get("gender"),
        "label": label,
        "created_at": now,
        "updated_at": now,
        "provider": service.capitalize(),
        "provider_supported_models": [model if _has_variants(ctx) else _default_model(service)],
        "provider_voice_id": _provider_voice_id(ctx, service, clone_id, is_ultra=is_pending),
        "model_id": model,
        "status": "pending" if is_pending else "active",
    }
    ctx.add(CLONES, clone_id, data)
    return {"data": data}


def _default_model(service: str) -> str:
    return DEFAULT_MODELS.get(service, service)


def _provider_voice_id(ctx: RequestContext, service: str, clone_id: str, *, is_ultra: bool) -> str:
    if service == "minimax":
        return ctx.ids.word("minimax voice", MINIMAX_ID_LENGTH)
    return ctx.ids.uuid("ultra voice") if is_ultra else clone_id


def _shown(ctx: RequestContext, record: Record) -> Data:
    """Return a record as it is now: a clone that was pending is active after a while."""
    ready_at = record.created_at + ctx.mock.settings.pending_seconds
    if record.data.get("status") == "pending" and ctx.now >= ready_at:
        return {**record.data, "status": "active"}
    return record.data


@provider.operation("listVoiceClones")
async def list_voice_clones(ctx: RequestContext) -> JSON:
    service = ctx.parameters.get("filter[provider]", "").lower()
    tests = [Condition(["service"], "is", service)] if service else []
    return await _page(ctx, CLONES, tests)


async def _page(ctx: RequestContext, collection: str, tests: Sequence[Condition] = ()) -> JSON:
    """Return one page of the records that pass the tests and whose name matches the filter."""
    name, order = ctx.parameters.get("filter[name]", "").lower(), ctx.parameters["sort"]
    if name:
        tests = [*tests, Condition(["lower_name"], "contains", name)]
    query = Query(tests, order.removeprefix("-"), descending=order.startswith("-"))
    return await _numbered_page(ctx, collection, query)


async def _numbered_page(ctx: RequestContext, collection: str, query: Query) -> JSON:
    """Return one page of the records that a query finds."""
    number, size = ctx.parameters["page[number]"], ctx.parameters["page[size]"]
    page = await ctx.page(collection, query._replace(offset=(number - 1) * size, limit=size))
    return {
        "data": [_shown(ctx, record) for record in page.records],
        "meta": {
            "page_number": number,
            "page_size": size,
            "total_pages": -(-page.total // size),
            "total_results": page.total,
        },
    }


async def _find_clone(ctx: RequestContext) -> Record:
    clone = await ctx.find(CLONES, ctx.parameters["id"].lower())
    if clone is None:
        raise NotFound("Voice clone not found")
    return clone


@provider.operation("getVoiceClone", raises=[NO_CLONE])
async def get_voice_clone(ctx: RequestContext) -> JSON:
    return {"data": _shown(ctx, await _find_clone(ctx))}


@provider.operation("updateVoiceClone", raises=[NO_CLONE])
async def update_voice_clone(ctx: RequestContext) -> JSON:
    clone = await _find_clone(ctx)
    shown = clone._replace(data=_shown(ctx, clone))
    return {"data": _update(ctx, shown, ("name", "language", "gender"))}


def _update(ctx: RequestContext, record: Record, members: tuple[str, ...]) -> Data:
    changes = {name: ctx.fields[name] for name in members if name in ctx.fields}
    return ctx.update(record, **changes, updated_at=timestamp(ctx.now))


@provider.operation("deleteVoiceClone", raises=[NO_CLONE])
async def delete_voice_clone(ctx: RequestContext) -> None:
    ctx.remove(await _find_clone(ctx))
    ctx.spend(-1)


@provider.operation("getVoiceCloneSample", raises=[NO_CLONE])
async def get_voice_clone_sample(ctx: RequestContext) -> bytes:
    clone = await _find_clone(ctx)
    for upload in await ctx.files(clone):
        if upload.content is not None and upload.info.format == "wav":
            return upload.data
        seconds = min(upload.seconds or SAMPLE_SECONDS, MAX_SAMPLE_SECONDS)
        return _wav(Utterance(clone.data["name"], clone.id, seconds=seconds))
    return _wav(Utterance(clone.data["label"] or clone.data["name"], clone.id))


def _wav(utterance: Utterance) -> bytes:
    return wav(utterance, SAMPLE_RATE)


# --- designs -------------------------------------------------------------------------------------


@provider.operation(
    "createVoiceDesign",
    raises=[
        NotFound("unknown voice_design_id"),
        Conflict(f"voice_design_id of a design with {MAX_VERSIONS} versions"),
    ],
)
async def create_voice_design(ctx: RequestContext) -> JSON:
    fields, now = ctx.fields, timestamp(ctx.now)
    if "voice_design_id" in fields:
        design = await _find_design(ctx, fields["voice_design_id"])
        versions = await _versions(ctx, design)
        if len(versions) >= MAX_VERSIONS:
            raise Conflict(f"Voice design has reached the maximum of {MAX_VERSIONS} versions")
        ctx.require_unchanged(VERSIONS, _version_id(design.id, ""), versions)
        number = versions[-1].data["version"] + 1 if versions else 1
    else:
        design_id, number = ctx.ids.uuid("telnyx design"), 1
        summary = _summary(design_id, fields["name"], fields["provider"].lower(), now)
        design = ctx.add(DESIGNS, design_id, summary)
    voice_id = ctx.ids.uuid("telnyx design version")
    version = _version(number, voice_id, fields["text"], fields["prompt"], now)
    ctx.add(VERSIONS, _version_id(design.id, number), version)
    return {"data": {**version, **design.data}}


def _summary(design_id: str, name: str, service: str, created: str) -> Data:
    return {
        "record_type": "voice_design",
        "id": design_id,
        "name": name,
        "provider": service.capitalize(),
        "provider_supported_models": [_default_model(service)],
        "created_at": created,
        "updated_at": created,
    }


def _version(number: int, voice_id: str, text: str, prompt: str, created: str) -> Data:
    return {
        "version": number,
        "version_created_at": created,
        "provider_voice_id": voice_id,
        "prompt": prompt,
        "text": text,
        "voice_sample_size": len(_wav(Utterance(text, voice_id))),
    }


def _version_id(design_id: str, number: int | str) -> str:
    return f"{design_id}:{number}"


async def _find_design(ctx: RequestContext, id: str) -> Record:
    """Return the design with an id, otherwise the newest one with that name."""
    design = await ctx.find(DESIGNS, id.lower())
    if design is None:
        query = Query([Condition(["name"], "is", id)], descending=True, limit=1)
        for newest in (await ctx.page(DESIGNS, query)).records:
            return newest
        raise NotFound("Voice design not found")
    return design


async def _versions(ctx: RequestContext, design: Record) -> Sequence[Record]:
    test = Condition(["id"], "starts", _version_id(design.id, ""))
    return (await ctx.page(VERSIONS, Query([test]))).records


async def _find_version(ctx: RequestContext, design: Record, number: int | None) -> Record:
    """Return a version of a design; the newest one if the number is None."""
    for version in reversed(await _versions(ctx, design)):
        if number in (None, version.data["version"]):
            return version
    raise NotFound("Voice design version not found")


@provider.operation("listVoiceDesigns")
async def list_voice_designs(ctx: RequestContext) -> JSON:
    return await _page(ctx, DESIGNS)


@provider.operation("getVoiceDesign", raises=[NO_DESIGN, NO_VERSION])
async def get_voice_design(ctx: RequestContext) -> JSON:
    design = await _find_design(ctx, ctx.parameters["id"])
    version = await _find_version(ctx, design, ctx.parameters.get("version"))
    return {"data": {**version.data, **design.data}}


@provider.operation("updateVoiceDesign", raises=[NO_DESIGN])
async def update_voice_design(ctx: RequestContext) -> JSON:
    design = await _find_design(ctx, ctx.parameters["id"])
    return {"data": _update(ctx, design, ("name",))}


@provider.operation("deleteVoiceDesign", raises=[NO_DESIGN])
async def delete_voice_design(ctx: RequestContext) -> None:
    design = await _find_design(ctx, ctx.parameters["id"])
    for version in await _versions(ctx, design):
        ctx.remove(version)
    ctx.remove(design)


@provider.operation("deleteVoiceDesignVersion", raises=[NO_DESIGN, NO_VERSION])
async def delete_voice_design_version(ctx: RequestContext) -> None:
    design = await _find_design(ctx, ctx.parameters["id"])
    version = await _find_version(ctx, design, ctx.parameters["version"])
    ctx.remove(version)


@provider.operation("getVoiceDesignSample", raises=[NO_DESIGN, NO_VERSION])
async def get_voice_design_sample(ctx: RequestContext) -> bytes:
    design = await _find_design(ctx, ctx.parameters["id"])
    version = await _find_version(ctx, design, ctx.parameters.get("version"))
    return _wav(Utterance(version.data["text"], version.data["provider_voice_id"]))


# --- speech --------------------------------------------------------------------------------------


@provider.operation(
    "generateSpeech",
    raises=[
        UnknownVoice("voice: Telnyx, a model for clones, and no active clone"),
        UnknownVoice("voice: minimax and the id of an unknown clone"),
        UnknownVoice("voice: an unknown provider"),
    ],
)
async def generate_speech(ctx: RequestContext) -> Response:
    service, voice = await _voice(ctx, ctx.fields)
    speech = {"text": ctx.fields["text"], "voice": voice, **_settings(ctx, service)}
    if ctx.fields["output_type"] == "audio_id":
        audio_id = ctx.ids.uuid("telnyx speech")
        ctx.add(SPEECHES, audio_id, speech)
        url = f"{ctx.origin}{ctx.provider.base_path}/text-to-speech/speech/{audio_id}"
        body = {"audio_id": audio_id, "audio_url": url}
        return Response(body, media_type="application/json")
    if ctx.fields["output_type"] == "base64_output":
        return Response(_base64_json(_pieces(speech)), media_type="application/json")
    return _audio(speech)


def _settings(ctx: RequestContext, service: str) -> Data:
    """Return format, speed and sample rate of a speech.

    Providers without an entry in SETTINGS use the defaults. Values without documented bounds are
    brought into those of Telnyx's own voices.
    """
    speed, rate = SETTINGS.get(service, (None, None))
    settings = ctx.fields.get(service, {}) if service in SETTINGS else {}
    format = settings.get("response_format")
    return {
        "format": format if format in MEDIA_TYPES else "mp3",
        "speed": _clamp(settings.get(speed, 1.0), 0.5, 2),
        "rate": int(_clamp(settings.get(rate, SAMPLE_RATE), 8000, 48000)),  # 24000.0 is an integer
    }


def _clamp(value: float, low: float, high: float) -> float:
    return min(max(value, low), high)


def _base64_json(pieces: Iterator[bytes]) -> Iterator[bytes]:
    """Yield a JSON object with the audio in base64, in chunks: it may have 40 MB."""
    yield b'{"base64_audio":"'
    rest = b""
    for piece in pieces:
        rest += piece
        size = len(rest) - len(rest) % 3  # base64 encodes groups of three bytes
        yield b64encode(rest[:size])
        rest = rest[size:]
    yield b64encode(rest) + b'"}'


@provider.operation("getSpeech", raises=[NotFound("unknown audio_id")])
async def get_speech(ctx: RequestContext) -> Response:
    speech = await ctx.find(SPEECHES, ctx.parameters["audio_id"])
    if speech is None:
        raise NotFound("Audio not found")
    return _audio(speech.data)


def _audio(speech: Data) -> Response:
    return Response(_pieces(speech), media_type=MEDIA_TYPES[speech["format"]])


def _pieces(speech: Data) -> Iterator[bytes]:
    utterance = Utterance(speech["text"], speech["voice"], speech["speed"])
    rate = speech["rate"]
    if speech["format"] == "mp3":
        return mp3_pieces(utterance, mp3_rate(rate))
    return (wav_pieces if speech["format"] == "wav" else pcm_pieces)(utterance, rate)


async def _voice(ctx: RequestContext, members: Mapping[str, Any]) -> tuple[str, str]:
    """Return the speech provider and the id of the voice that members of a request select."""
    voice = members.get("voice")
    if voice is None or "." not in voice:
        service = members["provider"].lower()
        model, name = "", voice or service
    else:
        service, model, name = _parsed(voice)
    if service not in SERVICES:
        raise UnknownVoice(f"No provider is {service}")
    is_clone = service == "telnyx" and model in CLONE_MODELS["telnyx"]
    is_clone = is_clone or (service == "minimax" and bool(MINIMAX_CLONE.fullmatch(name)))
    query = Query([Condition(["id", "name", "voice"], "is", name)], descending=True)
    for clone in (await ctx.page(CLONES, query)).records:
        data = _shown(ctx, clone)
        if _is_voice(ctx, data, service, model, name):
            if data.get("status", "active") != "active":
                raise UnknownVoice(f"The clone {name} is {data['status']}")
            return service, data["id"]
    if is_clone:
        raise UnknownVoice(f"No clone is {name}")
    return service, name


def _is_voice(ctx: RequestContext, clone: Data, service: str, model: str, name: str) -> bool:
    """Return True if a clone is the voice with an id or a name."""
    if clone["provider"].lower() != service:
        return False
    if name not in (clone["id"], clone["name"], clone["provider_voice_id"]):
        return False
    if model == _default_model(service) and not _has_variants(ctx):
        return True  # that edition stores any `model_id`
    return model in ("", clone.get("model_id") or model)


def _parsed(voice: str) -> tuple[str, str, str]:
    """Split `Provider.Model.Name` or `Provider.Name` into provider, model ("" if none) and name."""
    service, _, rest = voice.partition(".")
    service = service.lower()
    for model in CLONE_MODELS.get(service, ()):  # the name of a model may contain a dot
        if rest.lower().startswith(f"{model.lower()}."):
            return service, model, rest[len(model) + 1 :]
    model, dot, name = rest.partition(".")
    return (service, model, name) if dot else (service, "", rest)


# --- speech over a WebSocket ---------------------------------------------------------------------


@provider.websocket(
    "TextToSpeechOverWs",
    stateful=False,
    raises=[
        Forbidden("voice: the model Ultra"),
        UnknownVoice("voice: without a provider"),
        UnknownVoice("voice: a clone that is unknown or not active"),
    ],
)
async def stream_speech(ctx: RequestContext) -> Conversation:
    voice = _requested_voice(ctx.parameters)
    if _parsed(voice)[1].lower() == "ultra":
        raise Forbidden("The Ultra model is not available over WebSockets; use the REST API")
    service, name = await _voice(ctx, {"voice": voice})
    return partial(_converse, ctx, service, name)


def _requested_voice(parameters: Mapping[str, Any]) -> str:
    """Return the voice of a request as `Provider.Model.VoiceId`. Raises UnknownVoice."""
    voice = parameters.get("voice")
    names = [parameters.get("provider") or "telnyx"]
    if voice is None:
        names += [parameters.get("model_id"), parameters.get("voice_id") or DEFAULT_VOICE]
        return ".".join(filter(None, names))
    if "." in voice:
        return str(voice)
    if "provider" not in parameters:
        raise UnknownVoice(
            f"voice must be Provider.Model.VoiceId or Provider.VoiceId; got {brief(voice)}"
        )
    return f"{names[0]}.{voice}"


async def _converse(ctx: RequestContext, service: str, voice: str, socket: WebSocket) -> None:
    """Speak the text of the client, sentence by sentence, until it sends an empty one.

    Text before the frame that opens the session is not spoken.
    """
    socket.idle_seconds = ctx.parameters.get("inactivity_timeout", IDLE_SECONDS)
    settings: Data = {}
    waiting = ""
    async for frame in socket:
        if not isinstance(frame, dict):  # a contract of the user may allow it
            raise _not_an_object(frame)
        if frame.get("force"):
            socket.interrupt()
            waiting = ""
        text = str(frame.get("text") or "")
        is_last = frame.get("text") == ""
        if settings or is_last:
            flush = is_last or frame.get("flush", False)
            spoken, waiting = split_sentences(waiting + text, flush=flush)
            if spoken or is_last:
                speech = {"text": spoken, "voice": voice, **settings}
                socket.play(_spoken(speech, perf_counter(), streams=service not in CONCATENATED))
            if is_last:
                return
        elif text and not text.strip():
            settings = _socket_settings(ctx, service, frame.get("voice_settings") or {})
        elif text:
            socket.add_hint(NO_SESSION)


def _not_an_object(frame: Any) -> ValidationFailed:
    shown = "a binary frame" if isinstance(frame, bytes) else brief(frame)
    message = f"the frame must be an object with text; got {shown}"
    return ValidationFailed("", Violation("frame", "", "type", message))


def _socket_settings(ctx: RequestContext, service: str, sent: Data) -> Data:
    """Return format, speed and sample rate of a session; unusable settings are ignored."""
    format = ctx.parameters.get("audio_format", "mp3")
    speed = sent.get(SETTINGS.get(service, ("", None))[0])
    is_usable = isinstance(speed, int | float) and MIN_SPEED <= speed <= MAX_SPEED
    return {
        "format": {"linear16": "pcm"}.get(format, format),
        "speed": speed if is_usable else 1.0,
        "rate": ctx.parameters.get("sample_rate", SAMPLE_RATE),
    }


def _spoken(speech: Data, started: float, *, streams: bool) -> Iterator[Data]:
    """Yield the frames for a text: its audio, and the text after or beside it; then the end."""
    first = {"timeToFirstAudioFrameMs": 0}
    if speech["text"]:
        pieces = grouped(_pieces(speech), FRAME_BYTES)
        for piece in pieces:
            text = None if streams or not first else speech["text"]
            if first:
                first["timeToFirstAudioFrameMs"] = round((perf_counter() - started) * 1000)
            yield {**_chunk(b64encode(piece).decode(), text), **first}
            first = {}
        if streams:
            yield _chunk(None, speech["text"])
    yield {"type": "final", "audio": None, "text": "", "isFinal": True}


def _chunk(audio: str | None, text: str | None) -> Data:
    chunk = {"type": "audio_chunk", "audio": audio, "text": text}
    return {**chunk, "isFinal": False, "cached": False}


@provider.operation("listVoices")
async def list_voices(ctx: RequestContext) -> JSON:
    voices: list[dict[str, Any]] = [voice.data for voice in await ctx.all(VOICES)]
    for clone in await ctx.all(CLONES):
        data = _shown(ctx, clone)  # of a seeded clone, models may be empty, other members null
        if data.get("status", "active") != "active":
            continue
        parts = (
            data["provider"],
            *data["provider_supported_models"][:1],
            data["provider_voice_id"],
        )
        voices.append({
            "voice_id": ".".join(part for part in parts if part),
            "name": data["name"],
            "provider": data["provider"].lower(),
            "language": data["language"] or "auto",
            "gender": data["gender"] or "neutral",
        })  # fmt: skip
    service = ctx.parameters.get("provider", "").lower()
    return {"voices": [voice for voice in voices if service in ("", voice["provider"])]}


# --- pronunciation dictionaries ------------------------------------------------------------------

NO_DICT = NotFound("unknown id")
TAKEN_NAME = ValidationFailed("name of another dictionary")
BAD_FILE = ValidationFailed("file: not a dictionary")


@provider.operation("ListPronunciationDicts")
async def list_pronunciation_dicts(ctx: RequestContext) -> JSON:
    return await _numbered_page(ctx, DICTS, Query())


@provider.operation(
    "CreatePronunciationDict",
    raises=[TAKEN_NAME, ValidationFailed(f"over {MAX_DICTS} dictionaries"), BAD_FILE],
)
async def create_pronunciation_dict(ctx: RequestContext) -> JSON:
    dicts = await ctx.all(DICTS)
    ctx.require_unchanged(DICTS, "", dicts)
    _check_name(ctx.fields["name"], dicts)
    if len(dicts) >= MAX_DICTS:
        detail = f"Maximum number of pronunciation dictionaries ({MAX_DICTS}) reached"
        raise ValidationFailed(detail, Violation("body", "/", "limit", detail, MAX_DICTS))
    items = ctx.fields["items"] if "items" in ctx.fields else read_items(ctx.fields["file"].data)
    id, now = ctx.ids.uuid("telnyx dictionary"), timestamp(ctx.now)
    data = {
        "record_type": "pronunciation_dict",
        "id": id,
        "name": ctx.fields["name"],
        "items": items,
        "version": 1,
        "created_at": now,
        "updated_at": now,
    }
    ctx.add(DICTS, id, data)
    return {"data": data}


def _check_name(name: str, others: Sequence[Record]) -> None:
    if name in [record.data["name"] for record in others]:
        detail = "organization_id, name a dictionary with this name already exists"
        raise ValidationFailed(
            detail, Violation("body", "/organization_id, name", "unique", detail, None, name)
        )


async def _find_dict(ctx: RequestContext) -> Record:
    record = await ctx.find(DICTS, ctx.parameters["id"].lower())
    if record is None:
        raise NotFound("The requested pronunciation dictionary does not exist")
    return record


@provider.operation("GetPronunciationDict", raises=[NO_DICT])
async def get_pronunciation_dict(ctx: RequestContext) -> JSON:
    return {"data": (await _find_dict(ctx)).data}


@provider.operation("UpdatePronunciationDict", raises=[NO_DICT, TAKEN_NAME])
async def update_pronunciation_dict(ctx: RequestContext) -> JSON:
    record = await _find_dict(ctx)
    if "name" in ctx.fields:
        others = [other for other in await ctx.all(DICTS) if other.id != record.id]
        _check_name(ctx.fields["name"], others)
    record = record._replace(data={**record.data, "version": record.data["version"] + 1})
    return {"data": _update(ctx, record, ("name", "items"))}


@provider.operation("DeletePronunciationDict", raises=[NO_DICT])
async def delete_pronunciation_dict(ctx: RequestContext) -> None:
    ctx.remove(await _find_dict(ctx))


def read_items(content: bytes) -> list[Data]:
    """Return the items of a dictionary file: XML (PLS), or a line for each item.

    Raises ValidationFailed, which names the line.
    """
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError:
        raise _bad_file("must be text in UTF-8") from None
    is_xml = text.lstrip().startswith("<")
    items = [*(_pls_items(text) if is_xml else _text_items(text))]
    if not 1 <= len(items) <= MAX_ITEMS:
        raise _bad_file(f"must have 1 to {MAX_ITEMS} items; got {len(items)}")
    for item in items:
        spoken = item.get("alias") or item.get("phoneme") or ""
        if not 1 <= len(item["text"]) <= 200 or not 1 <= len(spoken) <= 500:
            raise _bad_file(f"has an item that is empty or too long: {brief(item['text'])}")
    return items


def _bad_file(message: str) -> ValidationFailed:
    return ValidationFailed("", Violation("body", "/file", "items", message))


def _text_items(text: str) -> Iterator[Data]:
    for number, line in enumerate(text.splitlines(), 1):
        if not line.strip() or line.startswith("#"):
            continue
        match = _LINE.fullmatch(line.strip())
        if not match:
            expected = "word=alias or word:/phoneme/"
            raise _bad_file(f"must have {expected} in line {number}; got {brief(line)}")
        phoneme, alias = match["phoneme"], match["alias"]
        yield _item(match["text"].strip(), alias and alias.strip(), phoneme)


def _pls_items(text: str) -> Iterator[Data]:
    """Yield the lexemes of a lexicon: one item for each grapheme."""
    from xml.etree import ElementTree as ET  # here: few dictionaries are lexicons

    if "<!" in text.replace("<!--", ""):
        raise _bad_file("must not have a document type declaration")
    try:
        root = ET.fromstring(text)  # noqa: S314 - no declaration, so no entities
    except ET.ParseError as error:
        raise _bad_file(f"is not well-formed XML: {error}") from None
    for lexeme in root.iter():
        if _tag(lexeme) == "lexeme":
            parts = {_tag(part): (part.text or "").strip() for part in lexeme}
            for grapheme in [part for part in lexeme if _tag(part) == "grapheme"]:
                word = (grapheme.text or "").strip()
                yield _item(word, parts.get("alias"), parts.get("phoneme", ""))


def _tag(element: Element) -> str:
    return element.tag.rpartition("}")[2]


def _item(text: str, alias: str | None, phoneme: str | None) -> Data:
    if alias:
        return {"text": text, "type": "alias", "alias": alias}
    return {"text": text, "type": "phoneme", "phoneme": phoneme or "", "alphabet": "ipa"}

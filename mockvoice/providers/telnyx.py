"""Telnyx: voice clones, voice designs and speech.

What the contract leaves open; facts and sources are in docs/providers/telnyx.md:

- error codes, titles and details (#errors);
- a sample may have 5 MB for telnyx, and the 20 MB of the contract for minimax
  (#samples-and-limits);
- values of new clones and designs, and the design that every account starts with
  (#what-the-documentation-leaves-open);
- a design is found by id or by name and has at most 50 versions (#operations, #samples-and-limits);
- the sample of a clone is the uploaded file if that was WAV, otherwise a synthesized WAV
  (#what-the-documentation-leaves-open);
- `Telnyx.Qwen3TTS.X` speaks if X is the id or name of a clone or design of the account, a Minimax
  voice with an id of the form of a clone's if that clone exists, and every other voice always
  (#what-the-documentation-leaves-open).
"""

from __future__ import annotations

import re
from base64 import b64encode
from collections.abc import Iterator
from functools import cache
from math import ceil
from operator import itemgetter
from typing import Any

from ..audio.synth import Utterance, mp3_pieces, mp3_rate, pcm, pcm_pieces, wav, wav_header
from ..errors import Conflict, NotFound, PayloadTooLarge, Problem, UnknownVoice, Violation
from ..provider import (
    PRESET_CREATED,
    Collection,
    Edition,
    Provider,
    RequestContext,
    Response,
    preset,
)
from ..state.clock import timestamp
from ..state.records import Data, Record
from ..types import JSON

CLONES, DESIGNS, VOICES = "voice_clones", "voice_designs", "voices"
VERSIONS, SPEECHES = "design_versions", "speeches"
TELNYX_MAX_BYTES = 5 * 1024 * 1024  # of a sample; minimax has the limit of the contract
MAX_VERSIONS = 50  # of a design
MODELS = {"telnyx": ["Qwen3TTS"], "minimax": ["speech-2.8-turbo"]}
MINIMAX_CLONE = re.compile(r"[A-Za-z0-9]{43}")  # provider_voice_id of a clone
SAMPLE_RATE = 24_000  # Hz
SAMPLE_SECONDS = 5.0  # sample of an upload of unknown length
MAX_SAMPLE_SECONDS = 60.0  # sample of a longer upload
MEDIA_TYPES = {"mp3": "audio/mpeg", "wav": "audio/wav", "pcm": "audio/pcm"}

# The design that the documented samples clone, as their responses describe it.
PRESET_DESIGN = "550e8400-e29b-41d4-a716-446655440000"
PRESET_TEXT = "Hello, welcome to our service."
PRESET_PROMPT = "Speak in a warm, friendly tone"

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
# Codes that depend on the operation.
CODES = {("generateSpeech", 400): "90103", ("listVoices", 400): "90104"}

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
    code, title, detail = ERRORS.get(status) or ERRORS[400 if status < 500 else 500]
    error = {"code": CODES.get((ctx.operation.id, status), code), "title": title}
    if status == 401 or problem.detail or not problem.violations:
        return {"errors": [{**error, "detail": (status != 401 and problem.detail) or detail}]}
    return {
        "errors": [
            {**error, "detail": _detail(violation), "source": {"pointer": violation.pointer}}
            for violation in problem.violations
        ]
    }


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


provider = Provider(
    "telnyx",
    "Telnyx",
    error,
    editions={"2026-03-20": Edition()},
    env={"TELNYX_BASE_URL": "base_url", "TELNYX_API_KEY": "api_key"},
    presets=presets,
    rate_headers=rate_headers,
    collections={
        CLONES: Collection(
            "#/components/schemas/VoiceCloneData", "id", lambda ids: ids.uuid("telnyx seeded")
        ),
        DESIGNS: Collection(
            "#/components/schemas/VoiceDesignSummary",
            "id",
            lambda ids: ids.uuid("telnyx seeded"),
            related=first_version,
            extra=("text", "prompt"),
        ),
        VOICES: Collection(
            "#/components/schemas/SpeechVoice",
            "voice_id",
            lambda ids: f"Telnyx.Natural.{ids.word('telnyx seeded', 8)}",
        ),
    },
)

NO_CLONE = NotFound("unknown id")
NO_DESIGN = NotFound("unknown id or name")
NO_VERSION = NotFound("unknown version")


# --- clones --------------------------------------------------------------------------------------


@provider.operation(
    "createVoiceCloneFromUpload",
    raises=[PayloadTooLarge("audio_file: over 5 MB, with provider minimax over 20 MB")],
)
def create_voice_clone_from_upload(ctx: RequestContext) -> JSON:
    service, sample = ctx.fields["provider"].lower(), ctx.fields["audio_file"]
    max_bytes = ctx.max_bytes(TELNYX_MAX_BYTES)
    if service == "telnyx" and max_bytes is not None and sample.size > max_bytes:
        message = f"must have at most {max_bytes} bytes for telnyx; got {sample.size}"
        raise PayloadTooLarge(
            "", Violation("body", "/audio_file", "x-max-bytes", message, max_bytes, sample.size)
        )
    return _add_clone(ctx, service, ctx.fields.get("label"))


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
    ids, fields = ctx.ids, ctx.fields
    clone_id = ids.uuid("telnyx clone")
    now = timestamp(ctx.now)
    data = {
        "record_type": "voice_clone",
        "id": clone_id,
        "source_voice_design_id": design.id if design else None,
        "source_voice_design_version": version.data["version"] if version else None,
        "name": fields["name"],
        "language": fields["language"],
        "gender": fields.get("gender"),
        "label": label,
        "created_at": now,
        "updated_at": now,
        "provider": service.capitalize(),
        "provider_supported_models": MODELS[service],
        "provider_voice_id": clone_id if service == "telnyx" else ids.word("minimax voice", 43),
        "model_id": fields.get("model_id") or MODELS[service][0],
        "status": "active",
    }
    ctx.add(CLONES, clone_id, data)
    return {"data": data}


@provider.operation("listVoiceClones")
async def list_voice_clones(ctx: RequestContext) -> JSON:
    service = ctx.parameters.get("filter[provider]", "").lower()
    clones = [record.data for record in await ctx.all(CLONES)]
    return _page(ctx, [data for data in clones if service in ("", data["provider"].lower())])


def _page(ctx: RequestContext, records: list[Data]) -> JSON:
    """Return one page of the records whose name matches the filter; the records are oldest first.

    Sorting is stable: of two records of the same moment, the older one is first, or last.
    """
    name = ctx.parameters.get("filter[name]", "").lower()
    records = [data for data in records if name in data["name"].lower()]
    order = ctx.parameters["sort"]
    if order.startswith("-"):
        records.reverse()
    records.sort(key=itemgetter(order.removeprefix("-")), reverse=order.startswith("-"))
    number, size = ctx.parameters["page[number]"], ctx.parameters["page[size]"]
    return {
        "data": records[(number - 1) * size : number * size],
        "meta": {
            "page_number": number,
            "page_size": size,
            "total_pages": -(-len(records) // size),
            "total_results": len(records),
        },
    }


async def _find_clone(ctx: RequestContext) -> Record:
    clone = await ctx.find(CLONES, ctx.parameters["id"].lower())
    if clone is None:
        raise NotFound("Voice clone not found")
    return clone


@provider.operation("getVoiceClone", raises=[NO_CLONE])
async def get_voice_clone(ctx: RequestContext) -> JSON:
    return {"data": (await _find_clone(ctx)).data}


@provider.operation("updateVoiceClone", raises=[NO_CLONE])
async def update_voice_clone(ctx: RequestContext) -> JSON:
    clone = await _find_clone(ctx)
    return {"data": _update(ctx, clone, ("name", "language", "gender"))}


def _update(ctx: RequestContext, record: Record, members: tuple[str, ...]) -> Data:
    changes = {name: ctx.fields[name] for name in members if name in ctx.fields}
    return ctx.update(record, **changes, updated_at=timestamp(ctx.now))


@provider.operation("deleteVoiceClone", raises=[NO_CLONE])
async def delete_voice_clone(ctx: RequestContext) -> None:
    ctx.remove(await _find_clone(ctx))


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
    return wav(pcm(utterance, SAMPLE_RATE), SAMPLE_RATE)


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
        "provider_supported_models": MODELS[service],
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
        for record in reversed(await ctx.all(DESIGNS)):
            if record.data["name"] == id:
                return record
        raise NotFound("Voice design not found")
    return design


async def _versions(ctx: RequestContext, design: Record) -> list[Record]:
    versions = await ctx.all(VERSIONS)
    return [version for version in versions if version.id.startswith(f"{design.id}:")]


async def _find_version(ctx: RequestContext, design: Record, number: int | None) -> Record:
    """Return a version of a design; the newest one if the number is None."""
    for version in reversed(await _versions(ctx, design)):
        if number in (None, version.data["version"]):
            return version
    raise NotFound("Voice design version not found")


@provider.operation("listVoiceDesigns")
async def list_voice_designs(ctx: RequestContext) -> JSON:
    return _page(ctx, [design.data for design in await ctx.all(DESIGNS)])


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
        UnknownVoice("voice: Telnyx.Qwen3TTS and an unknown clone or design"),
        UnknownVoice("voice: minimax and the id of an unknown clone"),
    ],
)
async def generate_speech(ctx: RequestContext) -> Response:
    service, voice = await _voice(ctx)
    speech = {"text": ctx.fields["text"], "voice": voice, **_settings(ctx, service)}
    if ctx.fields["output_type"] == "audio_id":
        audio_id = ctx.ids.uuid("telnyx speech")
        ctx.add(SPEECHES, audio_id, speech)
        url = f"{ctx.origin}{provider.base_path}/text-to-speech/speech/{audio_id}"
        return Response({"audio_id": audio_id, "audio_url": url})
    if ctx.fields["output_type"] == "base64_output":
        return Response(_base64_json(_pieces(speech)), media_type="application/json")
    return _audio(speech)


def _settings(ctx: RequestContext, service: str) -> Data:
    """Return format, speed and sample rate of a speech.

    Only settings with bounds in the contract apply; providers without an entry in SETTINGS use the
    defaults.
    """
    speed, rate = SETTINGS.get(service, (None, None))
    settings = ctx.fields.get(service, {}) if service in SETTINGS else {}
    format = settings.get("response_format")
    return {
        "format": format if format in MEDIA_TYPES else "mp3",
        "speed": settings.get(speed, 1.0),
        "rate": int(settings.get(rate, SAMPLE_RATE)),  # 24000.0 is an integer in JSON Schema
    }


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
        yield from mp3_pieces(utterance, mp3_rate(rate))
        return
    if speech["format"] == "wav":
        yield wav_header(2 * round(utterance.length * rate), rate)
    yield from pcm_pieces(utterance, rate)


async def _voice(ctx: RequestContext) -> tuple[str, str]:
    """Return the speech provider and the id of the voice."""
    voice = ctx.fields.get("voice")
    if voice is None:
        return ctx.fields["provider"], ctx.fields["provider"]
    service, model, name = _parsed(voice)
    clones = [clone.data for clone in await ctx.all(CLONES)]
    if service == "telnyx" and model in MODELS["telnyx"]:
        designs = [design.data for design in await ctx.all(DESIGNS)]
        matches = [data for data in [*clones, *designs] if name in (data["id"], data["name"])]
        if not matches:
            raise UnknownVoice(f"Failed to produce text to speech: no clone or design is {name}")
        return service, matches[-1]["id"]
    is_clone = service == "minimax" and MINIMAX_CLONE.fullmatch(name)
    if is_clone and name not in [data["provider_voice_id"] for data in clones]:
        raise UnknownVoice(f"Failed to produce text to speech: no clone is {name}")
    return service, name


def _parsed(voice: str) -> tuple[str, str, str]:
    """Split `Provider.Model.Name` or `Provider.Name` into provider, model ("" if none) and name."""
    service, _, rest = voice.partition(".")
    service = service.lower()
    for model in MODELS.get(service, ()):  # the name of a model may contain a dot
        if rest.startswith(f"{model}."):
            return service, model, rest.removeprefix(f"{model}.")
    model, dot, name = rest.partition(".")
    return (service, model, name) if dot else (service, "", rest)


@provider.operation("listVoices")
async def list_voices(ctx: RequestContext) -> JSON:
    voices: list[dict[str, Any]] = [voice.data for voice in await ctx.all(VOICES)]
    for clone in await ctx.all(CLONES):
        data = clone.data  # of a seeded clone, models may be empty and other members null
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
    service = ctx.parameters.get("provider")
    return {"voices": [voice for voice in voices if service in (None, voice["provider"])]}

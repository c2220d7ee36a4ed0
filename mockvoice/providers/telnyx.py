"""Telnyx: voice designs, clones of them or of samples, and speech.

What the contract leaves unsaid:

- error codes, titles and texts (fact sheet "Telnyx", section 3);
- the size of a sample depends on the provider field: 5 MB, 20 MB for minimax (seed, field text);
- what new clones and designs look like (seed and fact sheet, examples);
- every account has the design that the documented samples clone (seed, example of the request);
- a design is found by id or name, has 50 versions at most, and its name is no UUID (section 2);
- a clone's sample is what was uploaded when that was WAV, else a WAV made for it;
- `Telnyx.Qwen3TTS.X` speaks when X is the id or the name of a clone or a design of the account, a
  Minimax voice whose id looks like that of a clone when it is one; what other voices there are is
  not known here, so they all speak (section 2, TTS).
"""

from __future__ import annotations

import re
from base64 import b64encode
from collections.abc import Iterator
from math import ceil
from operator import itemgetter
from typing import Any
from uuid import UUID

from ..audio.synth import Utterance, mp3_pieces, mp3_rate, pcm, pcm_pieces, wav, wav_header
from ..errors import (
    Conflict,
    NotFound,
    PayloadTooLarge,
    Problem,
    UnknownVoice,
    ValidationFailed,
    Violation,
)
from ..provider import Collection, Provider, RequestContext, Response
from ..state.clock import timestamp
from ..state.records import Data, Record
from ..types import JSON

CLONES, DESIGNS, VERSIONS, SPEECHES = "voice_clones", "voice_designs", "design_versions", "speeches"
DESIGN = "550e8400-e29b-41d4-a716-446655440000"  # seed: the design of the documented samples
MAX_BYTES = {"telnyx": 5 * 1024 * 1024, "minimax": 20 * 1024 * 1024}  # seed: audio_file
MAX_VERSIONS = 50  # fact sheet, section 2
MODELS = {"telnyx": ["Qwen3TTS"], "minimax": ["speech-2.8-turbo"]}  # fact sheet, section 2
SAMPLE_RATE = 24_000  # Hz, fact sheet, section 2: sampling_rate
SAMPLE_SECONDS = 5.0  # of a sample made for an upload whose length cannot be told
MEDIA_TYPES = {"mp3": "audio/mpeg", "wav": "audio/wav", "pcm": "audio/pcm"}
MINIMAX_CLONE = re.compile(r"[A-Za-z0-9]{43}")  # fact sheet, section 2: provider_voice_id

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
# Where the code depends on the operation (fact sheet, section 3).
CODES = {("generateSpeech", 400): "90103", ("listVoices", 400): "90104"}

# A few of the voices that are there for everybody: provider, voice_id, language, gender.
STOCK = (
    ("telnyx", "Telnyx.NaturalHD.Alloy", "en-US", "female"),
    ("telnyx", "Telnyx.Natural.Armon", "en-US", "male"),
    ("aws", "aws.Polly.Generative.Lucia", "es-ES", "female"),
    ("azure", "azure.en-US-AvaMultilingualNeural", "en-US", "female"),
    ("minimax", "Minimax.speech-2.8-turbo.English_Trustworth_Man", "en-US", "male"),
)


def error(problem: Problem, status: int, ctx: RequestContext) -> JSON:
    """One error for each violation, with a pointer to its field; a 422 of speech by field."""
    if ctx.operation.id == "generateSpeech" and status == 422:
        told: dict[str, list[str]] = {}
        for each in problem.violations:
            told.setdefault(each.name or "body", []).append(each.message)
        return {"errors": told or {"body": [problem.detail or "is invalid"]}}
    documented = ctx.operation.documented(status)
    if documented and not problem.sentences:
        return documented
    code, title, detail = ERRORS.get(status) or ERRORS[400 if status < 500 else 500]
    error = {"code": CODES.get((ctx.operation.id, status), code), "title": title}
    if status == 401 or problem.detail or not problem.violations:
        return {"errors": [{**error, "detail": (status != 401 and problem.detail) or detail}]}
    return {
        "errors": [
            {**error, "detail": _detail(each), "source": {"pointer": each.pointer}}
            for each in problem.violations
        ]
    }


def _detail(violation: Violation) -> str:
    if violation.rule == "x-audio-formats":
        return f"Failed to process audio file: {violation.sentence}"
    return violation.sentence


def presets(key: str) -> list[Record]:
    """The design of the documented samples, with the values of their examples."""
    created = 1_704_067_200.0  # 2024-01-01
    summary = _summary(DESIGN, "friendly-narrator", "telnyx", timestamp(created))
    text, prompt = "Hello, welcome to our service.", "Speak in a warm, friendly tone"
    version = _version(1, DESIGN, text, prompt, timestamp(created))
    return [
        Record("telnyx", DESIGNS, key, DESIGN, summary, created, preset=True, base=True),
        Record("telnyx", VERSIONS, key, f"{DESIGN}:1", version, created, preset=True, base=True),
    ]


def first_version(design: Record) -> list[Record]:
    """The version without which a planted design would not be found."""
    moment = timestamp(design.created_at)
    said = {"text": "Hello, welcome to our service.", "prompt": "Speak in a warm, friendly tone"}
    said |= {name: design.data.pop(name) for name in said if name in design.data}
    version = _version(1, design.id, said["text"], said["prompt"], moment)
    return [
        Record("telnyx", VERSIONS, design.account, f"{design.id}:1", version, design.created_at)
    ]


def rate_headers(max_count: int, left: int, reset: float) -> dict[str, str]:
    """What comes with a reply while a limit holds (fact sheet, section 3); the reset in seconds."""
    return {
        "x-ratelimit-limit": str(max_count),
        "x-ratelimit-remaining": str(left),
        "x-ratelimit-reset": str(ceil(reset)),
    }


provider = Provider(
    "telnyx",
    "Telnyx",
    error,
    env={"TELNYX_BASE_URL": "base_url", "TELNYX_API_KEY": "api_key"},
    presets=presets,
    rate_headers=rate_headers,
    collections={
        CLONES: Collection(
            "#/components/schemas/VoiceCloneData", "id", lambda ids: ids.uuid("telnyx planted")
        ),
        DESIGNS: Collection(
            "#/components/schemas/VoiceDesignSummary",
            "id",
            lambda ids: ids.uuid("telnyx planted"),
            beside=first_version,
        ),
    },
)


# --- clones --------------------------------------------------------------------------------------


@provider.operation("createVoiceCloneFromUpload")
async def create_voice_clone_from_upload(ctx: RequestContext) -> JSON:
    service = ctx.fields["provider"].lower()
    sample = ctx.fields["audio_file"]
    max_count = ctx.max_bytes(MAX_BYTES[service])
    if max_count is not None and sample.size > max_count:
        message = f"must have at most {max_count} bytes for {service}; got {sample.size}"
        raise PayloadTooLarge(
            "", Violation("body", "/audio_file", "x-max-bytes", message, max_count, sample.size)
        )
    return await _add_clone(ctx, service, ctx.fields.get("label"))


@provider.operation("createVoiceClone")
async def create_voice_clone(ctx: RequestContext) -> JSON:
    design = await _find_design(ctx, ctx.fields["voice_design_id"].lower())
    version = await _find_version(ctx, design, ctx.fields.get("version"))
    service = ctx.fields["provider"].lower()
    return await _add_clone(ctx, service, version.data["prompt"], design, version)


async def _add_clone(
    ctx: RequestContext,
    service: str,
    label: str | None,
    design: Record | None = None,
    version: Record | None = None,
) -> JSON:
    ids, fields = ctx.ids, ctx.fields
    clone_id = ids.uuid("telnyx clone")
    moment = timestamp(ctx.now)
    data = {
        "record_type": "voice_clone",
        "id": clone_id,
        "source_voice_design_id": design.id if design else None,
        "source_voice_design_version": version.data["version"] if version else None,
        "name": fields["name"],
        "language": fields["language"],
        "gender": fields.get("gender"),
        "label": label,
        "created_at": moment,
        "updated_at": moment,
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
    service = ctx.parameters.get("filter[provider]")
    clones = [
        each.data
        for each in await ctx.all(CLONES)
        if not service or each.data["provider"].lower() == service.lower()
    ]
    return _page(ctx, clones)


def _page(ctx: RequestContext, found: list[Data]) -> JSON:
    """One page of what was found, filtered by name and sorted."""
    name = ctx.parameters.get("filter[name]", "").lower()
    found = [each for each in found if name in each["name"].lower()]
    order = ctx.parameters["sort"]
    # Stable and oldest first before: of two made in one moment the older comes first, or last.
    if order.startswith("-"):
        found.reverse()
    found.sort(key=itemgetter(order.removeprefix("-")), reverse=order.startswith("-"))
    number, size = ctx.parameters["page[number]"], ctx.parameters["page[size]"]
    return {
        "data": found[(number - 1) * size : number * size],
        "meta": {
            "page_number": number,
            "page_size": size,
            "total_pages": -(-len(found) // size),
            "total_results": len(found),
        },
    }


async def _find_clone(ctx: RequestContext) -> Record:
    clone = await ctx.find(CLONES, ctx.parameters["id"].lower())
    if clone is None:
        raise NotFound("Voice clone not found")
    return clone


@provider.operation("getVoiceClone")
async def get_voice_clone(ctx: RequestContext) -> JSON:
    return {"data": (await _find_clone(ctx)).data}


@provider.operation("updateVoiceClone")
async def update_voice_clone(ctx: RequestContext) -> JSON:
    clone = await _find_clone(ctx)
    return {"data": _change(ctx, clone, ("name", "language", "gender"))}


def _change(ctx: RequestContext, record: Record, members: tuple[str, ...]) -> Data:
    changed = {name: ctx.fields[name] for name in members if name in ctx.fields}
    return ctx.update(record, **changed, updated_at=timestamp(ctx.now))


@provider.operation("deleteVoiceClone")
async def delete_voice_clone(ctx: RequestContext) -> None:
    ctx.remove(await _find_clone(ctx))


@provider.operation("getVoiceCloneSample")
async def get_voice_clone_sample(ctx: RequestContext) -> bytes:
    clone = await _find_clone(ctx)
    for upload in await ctx.files(clone):
        if upload.content is not None and upload.info.format == "wav":
            return upload.data
        length = upload.seconds or SAMPLE_SECONDS
        return _wav(Utterance(clone.data["name"], clone.id, seconds=min(length, 60.0)))
    return _wav(Utterance(clone.data["label"], clone.id))


def _wav(utterance: Utterance) -> bytes:
    return wav(pcm(utterance, SAMPLE_RATE), SAMPLE_RATE)


# --- designs -------------------------------------------------------------------------------------


@provider.operation("createVoiceDesign")
async def create_voice_design(ctx: RequestContext) -> JSON:
    fields, moment = ctx.fields, timestamp(ctx.now)
    if "voice_design_id" in fields:
        design = await _find_design(ctx, fields["voice_design_id"].lower())
        versions = await _versions(ctx, design)
        if len(versions) >= MAX_VERSIONS:
            raise Conflict(f"Voice design has reached the maximum of {MAX_VERSIONS} versions")
        ctx.require_unchanged(VERSIONS, f"{design.id}:", versions)
        number = versions[-1].data["version"] + 1 if versions else 1
    else:
        _check_name(fields)
        design_id, number = ctx.ids.uuid("telnyx design"), 1
        summary = _summary(design_id, fields["name"], fields["provider"].lower(), moment)
        design = ctx.add(DESIGNS, design_id, summary)
    version_id = ctx.ids.uuid("telnyx design version")
    version = _version(number, version_id, fields["text"], fields["prompt"], moment)
    ctx.add(VERSIONS, f"{design.id}:{number}", version)
    return {"data": {**version, **design.data}}


def _check_name(fields: Data) -> None:
    """A new design wants a name, and one that cannot be taken for an id."""
    if "name" not in fields:
        raise ValidationFailed("", Violation("body", "/name", "required", "is required"))
    if _is_uuid(fields["name"]):
        raise ValidationFailed(
            "", Violation("body", "/name", "not", "must not be a UUID", received=fields["name"])
        )


def _is_uuid(text: str) -> bool:
    try:
        UUID(text)
    except ValueError:
        return False
    return True


def _summary(design_id: str, name: str, service: str, moment: str) -> Data:
    return {
        "record_type": "voice_design",
        "id": design_id,
        "name": name,
        "provider": service.capitalize(),
        "provider_supported_models": MODELS[service],
        "created_at": moment,
        "updated_at": moment,
    }


def _version(number: int, version_id: str, text: str, prompt: str, moment: str) -> Data:
    sample = _wav(Utterance(text, version_id))
    return {
        "version": number,
        "version_created_at": moment,
        "provider_voice_id": version_id,
        "prompt": prompt,
        "text": text,
        "voice_sample_size": len(sample),
    }


async def _find_design(ctx: RequestContext, id: str) -> Record:
    """The design with an id, else the newest with that name."""
    design = await ctx.find(DESIGNS, id.lower())
    named = [each for each in await ctx.all(DESIGNS) if each.data["name"] == id]
    if design is None and not named:
        raise NotFound("Voice design not found")
    return design or named[-1]


async def _versions(ctx: RequestContext, design: Record) -> list[Record]:
    return [each for each in await ctx.all(VERSIONS) if each.id.startswith(f"{design.id}:")]


async def _find_version(ctx: RequestContext, design: Record, number: int | None) -> Record:
    """A version of a design, else its newest."""
    versions = await _versions(ctx, design)
    for version in reversed(versions):
        if number in (None, version.data["version"]):
            return version
    raise NotFound("Voice design version not found")


@provider.operation("listVoiceDesigns")
async def list_voice_designs(ctx: RequestContext) -> JSON:
    return _page(ctx, [each.data for each in await ctx.all(DESIGNS)])


@provider.operation("getVoiceDesign")
async def get_voice_design(ctx: RequestContext) -> JSON:
    design = await _find_design(ctx, ctx.parameters["id"])
    version = await _find_version(ctx, design, ctx.parameters.get("version"))
    return {"data": {**version.data, **design.data}}


@provider.operation("updateVoiceDesign")
async def update_voice_design(ctx: RequestContext) -> JSON:
    return {"data": _change(ctx, await _find_design(ctx, ctx.parameters["id"]), ("name",))}


@provider.operation("deleteVoiceDesign")
async def delete_voice_design(ctx: RequestContext) -> None:
    design = await _find_design(ctx, ctx.parameters["id"])
    for version in await _versions(ctx, design):
        ctx.remove(version)
    ctx.remove(design)


@provider.operation("deleteVoiceDesignVersion")
async def delete_voice_design_version(ctx: RequestContext) -> None:
    design = await _find_design(ctx, ctx.parameters["id"])
    version = await _find_version(ctx, design, ctx.parameters["version"])
    ctx.remove(version)


@provider.operation("getVoiceDesignSample")
async def get_voice_design_sample(ctx: RequestContext) -> bytes:
    design = await _find_design(ctx, ctx.parameters["id"])
    version = await _find_version(ctx, design, ctx.parameters.get("version"))
    return _wav(Utterance(version.data["text"], version.data["provider_voice_id"]))


# --- speech --------------------------------------------------------------------------------------


@provider.operation("generateSpeech")
async def generate_speech(ctx: RequestContext) -> Response:
    service, voice = await _voice(ctx)
    settings = ctx.fields.get(service, {})
    format = settings.get("response_format", "mp3")
    speech = {
        "text": ctx.fields["text"],
        "voice": voice,
        "speed": settings.get("voice_speed", settings.get("speed", 1.0)),
        "format": format if format in MEDIA_TYPES else "mp3",
        "rate": settings.get("sampling_rate", SAMPLE_RATE),
    }
    if ctx.fields["output_type"] == "audio_id":
        audio_id = ctx.ids.uuid("telnyx speech")
        ctx.add(SPEECHES, audio_id, speech)
        url = f"{ctx.origin}{provider.base_path}/text-to-speech/speech/{audio_id}"
        return Response({"audio_id": audio_id, "audio_url": url})
    if ctx.fields["output_type"] == "base64_output":
        return Response({"base64_audio": b64encode(b"".join(_pieces(speech))).decode()})
    return _sound(speech)


@provider.operation("getSpeech")
async def get_speech(ctx: RequestContext) -> Response:
    speech = await ctx.find(SPEECHES, ctx.parameters["audio_id"])
    if speech is None:
        raise NotFound("Audio not found")
    return _sound(speech.data)


def _sound(speech: Data) -> Response:
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
    """The provider that is to speak, and with which voice."""
    voice = ctx.fields.get("voice")
    if voice is None:
        if "provider" not in ctx.fields:
            message = "is required unless provider is given"
            raise ValidationFailed("", Violation("body", "/voice", "required", message))
        return ctx.fields["provider"], ctx.fields["provider"]
    service, model, name = _parsed(voice)
    clones = [each.data for each in await ctx.all(CLONES)]
    if service == "telnyx" and model in MODELS["telnyx"]:
        designs = [each.data for each in await ctx.all(DESIGNS)]
        known = [each for each in [*clones, *designs] if name in (each["id"], each["name"])]
        if not known:
            raise UnknownVoice(f"Failed to produce text to speech: no clone or design is {name}")
        return service, known[-1]["id"]
    cloned = service == "minimax" and MINIMAX_CLONE.fullmatch(name)
    if cloned and name not in [each["provider_voice_id"] for each in clones]:
        raise UnknownVoice(f"Failed to produce text to speech: no clone is {name}")
    return service, name


def _parsed(voice: str) -> tuple[str, str, str]:
    """Provider, model and name of `Provider.Model.Name` or `Provider.Name`."""
    service, _, rest = voice.partition(".")
    service = service.lower()
    for model in MODELS.get(service, ()):  # a model may have a dot in its name
        if rest.startswith(f"{model}."):
            return service, model, rest.removeprefix(f"{model}.")
    model, dot, name = rest.partition(".")
    return (service, model, name) if dot else (service, "", rest)


@provider.operation("listVoices")
async def list_voices(ctx: RequestContext) -> JSON:
    voices: list[dict[str, Any]] = [
        {
            "voice_id": voice_id,
            "name": voice_id.rpartition(".")[2],
            "provider": service,
            "language": language,
            "gender": gender,
        }
        for service, voice_id, language, gender in STOCK
    ]
    for clone in await ctx.all(CLONES):
        service = clone.data["provider"]
        model, voice = clone.data["provider_supported_models"][0], clone.data["provider_voice_id"]
        voices.append({
            "voice_id": f"{service}.{model}.{voice}",
            "name": clone.data["name"],
            "provider": service.lower(),
            "language": clone.data["language"],
            "gender": clone.data["gender"] or "neutral",
        })  # fmt: skip
    wanted = ctx.parameters.get("provider")
    return {"voices": [each for each in voices if wanted in (None, each["provider"])]}

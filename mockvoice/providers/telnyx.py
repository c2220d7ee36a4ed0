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

from ..errors import BadVoice, Conflict, Invalid, NotFound, Problem, TooLarge, Violation
from ..openapi.lift import JSON
from ..provider import Answer, Call, Collection, Provider
from ..sandbox.clock import timestamp
from ..sandbox.sandbox import Sandbox
from ..sandbox.voices import Data, Record
from ..speech import Utterance, mp3_pieces, mp3_rate, pcm, pcm_pieces, wav, wav_header

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


def error(problem: Problem, status: int, call: Call) -> JSON:
    """One error for each violation, with a pointer to its field; a 422 of speech by field."""
    if call.operation.id == "generateSpeech" and status == 422:
        told: dict[str, list[str]] = {}
        for each in problem.violations:
            told.setdefault(each.name or "body", []).append(each.message)
        return {"errors": told or {"body": [problem.detail or "is invalid"]}}
    documented = call.operation.documented(status)
    if documented and not problem.sentences:
        return documented
    code, title, detail = ERRORS.get(status) or ERRORS[400 if status < 500 else 500]
    error = {"code": CODES.get((call.operation.id, status), code), "title": title}
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


def presets(sandbox: Sandbox, key: str) -> list[Record]:
    """The design of the documented samples, with the values of their examples."""
    created = 1_704_067_200.0  # 2024-01-01
    summary = _summary(DESIGN, "friendly-narrator", "telnyx", timestamp(created))
    text, prompt = "Hello, welcome to our service.", "Speak in a warm, friendly tone"
    version = _version(1, DESIGN, text, prompt, timestamp(created))
    return [
        Record("telnyx", DESIGNS, key, DESIGN, summary, created, preset=True),
        Record("telnyx", VERSIONS, key, f"{DESIGN}:1", version, created, preset=True),
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


def rate_headers(most: int, left: int, reset: float) -> dict[str, str]:
    """What comes with a reply while a limit holds (fact sheet, section 3); the reset in seconds."""
    return {
        "x-ratelimit-limit": str(most),
        "x-ratelimit-remaining": str(left),
        "x-ratelimit-reset": str(ceil(reset)),
    }


provider = Provider(
    "telnyx",
    "Telnyx",
    error,
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
async def create_voice_clone_from_upload(call: Call) -> JSON:
    service = call.fields["provider"].lower()
    sample = call.fields["audio_file"]
    most = call.max_bytes(MAX_BYTES[service])
    if most is not None and sample.size > most:
        message = f"must have at most {most} bytes for {service}; got {sample.size}"
        raise TooLarge(
            "", Violation("body", "/audio_file", "x-max-bytes", message, most, sample.size)
        )
    return await _add_clone(call, service, call.fields.get("label"))


@provider.operation("createVoiceClone")
async def create_voice_clone(call: Call) -> JSON:
    design = await _find_design(call, call.fields["voice_design_id"].lower())
    version = await _find_version(call, design, call.fields.get("version"))
    service = call.fields["provider"].lower()
    return await _add_clone(call, service, version.data["prompt"], design, version)


async def _add_clone(
    call: Call,
    service: str,
    label: str | None,
    design: Record | None = None,
    version: Record | None = None,
) -> JSON:
    ids, fields = call.sandbox.ids, call.fields
    clone_id = ids.uuid("telnyx clone")
    moment = timestamp(call.sandbox.clock.now())
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
    await call.add(CLONES, clone_id, data)
    return {"data": data}


@provider.operation("listVoiceClones")
async def list_voice_clones(call: Call) -> JSON:
    service = call.parameters.get("filter[provider]")
    clones = [
        each.data
        for each in await call.all(CLONES)
        if not service or each.data["provider"].lower() == service.lower()
    ]
    return _page(call, clones)


def _page(call: Call, found: list[Data]) -> JSON:
    """One page of what was found, filtered by name and sorted."""
    name = call.parameters.get("filter[name]", "").lower()
    found = [each for each in found if name in each["name"].lower()]
    order = call.parameters["sort"]
    # Stable and oldest first before: of two made in one moment the older comes first, or last.
    if order.startswith("-"):
        found.reverse()
    found.sort(key=itemgetter(order.removeprefix("-")), reverse=order.startswith("-"))
    number, size = call.parameters["page[number]"], call.parameters["page[size]"]
    return {
        "data": found[(number - 1) * size : number * size],
        "meta": {
            "page_number": number,
            "page_size": size,
            "total_pages": -(-len(found) // size),
            "total_results": len(found),
        },
    }


async def _find_clone(call: Call) -> Record:
    clone = await call.find(CLONES, call.parameters["id"].lower())
    if clone is None:
        raise NotFound("Voice clone not found")
    return clone


@provider.operation("getVoiceClone")
async def get_voice_clone(call: Call) -> JSON:
    return {"data": (await _find_clone(call)).data}


@provider.operation("updateVoiceClone")
async def update_voice_clone(call: Call) -> JSON:
    clone = await _find_clone(call)
    return {"data": await _change(call, clone, ("name", "language", "gender"))}


async def _change(call: Call, record: Record, members: tuple[str, ...]) -> Data:
    changed = {name: call.fields[name] for name in members if name in call.fields}
    changed["updated_at"] = timestamp(call.sandbox.clock.now())
    await call.sandbox.voices.update(record, lambda data: {**data, **changed})
    return record.data


@provider.operation("deleteVoiceClone")
async def delete_voice_clone(call: Call) -> None:
    await call.sandbox.voices.remove(await _find_clone(call))


@provider.operation("getVoiceCloneSample")
async def get_voice_clone_sample(call: Call) -> bytes:
    clone = await _find_clone(call)
    for upload in clone.uploads:
        if upload.kept and upload.heard.format == "wav":
            return upload.data
        length = upload.seconds or SAMPLE_SECONDS
        return _wav(Utterance(clone.data["name"], clone.id, seconds=min(length, 60.0)))
    return _wav(Utterance(clone.data["label"], clone.id))


def _wav(utterance: Utterance) -> bytes:
    return wav(pcm(utterance, SAMPLE_RATE), SAMPLE_RATE)


# --- designs -------------------------------------------------------------------------------------


@provider.operation("createVoiceDesign")
async def create_voice_design(call: Call) -> JSON:
    fields, moment = call.fields, timestamp(call.sandbox.clock.now())
    if "voice_design_id" in fields:
        design = await _find_design(call, fields["voice_design_id"].lower())
        versions = await _versions(call, design)
        if len(versions) >= MAX_VERSIONS:
            raise Conflict(f"Voice design has reached the maximum of {MAX_VERSIONS} versions")
        number = versions[-1].data["version"] + 1 if versions else 1
    else:
        _check_name(fields)
        design_id, number = call.sandbox.ids.uuid("telnyx design"), 1
        summary = _summary(design_id, fields["name"], fields["provider"].lower(), moment)
        design = await call.add(DESIGNS, design_id, summary)
    version_id = call.sandbox.ids.uuid("telnyx design version")
    version = _version(number, version_id, fields["text"], fields["prompt"], moment)
    await call.add(VERSIONS, f"{design.id}:{number}", version)
    return {"data": {**version, **design.data}}


def _check_name(fields: Data) -> None:
    """A new design wants a name, and one that cannot be taken for an id."""
    if "name" not in fields:
        raise Invalid("", Violation("body", "/name", "required", "is required"))
    if _is_uuid(fields["name"]):
        raise Invalid(
            "", Violation("body", "/name", "not", "must not be a UUID", got=fields["name"])
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


async def _find_design(call: Call, id: str) -> Record:
    """The design with an id, else the newest with that name."""
    design = await call.find(DESIGNS, id.lower())
    named = [each for each in await call.all(DESIGNS) if each.data["name"] == id]
    if design is None and not named:
        raise NotFound("Voice design not found")
    return design or named[-1]


async def _versions(call: Call, design: Record) -> list[Record]:
    return [each for each in await call.all(VERSIONS) if each.id.startswith(f"{design.id}:")]


async def _find_version(call: Call, design: Record, number: int | None) -> Record:
    """A version of a design, else its newest."""
    versions = await _versions(call, design)
    for version in reversed(versions):
        if number in (None, version.data["version"]):
            return version
    raise NotFound("Voice design version not found")


@provider.operation("listVoiceDesigns")
async def list_voice_designs(call: Call) -> JSON:
    return _page(call, [each.data for each in await call.all(DESIGNS)])


@provider.operation("getVoiceDesign")
async def get_voice_design(call: Call) -> JSON:
    design = await _find_design(call, call.parameters["id"])
    version = await _find_version(call, design, call.parameters.get("version"))
    return {"data": {**version.data, **design.data}}


@provider.operation("updateVoiceDesign")
async def update_voice_design(call: Call) -> JSON:
    return {"data": await _change(call, await _find_design(call, call.parameters["id"]), ("name",))}


@provider.operation("deleteVoiceDesign")
async def delete_voice_design(call: Call) -> None:
    design = await _find_design(call, call.parameters["id"])
    for version in await _versions(call, design):
        await call.sandbox.voices.remove(version)
    await call.sandbox.voices.remove(design)


@provider.operation("deleteVoiceDesignVersion")
async def delete_voice_design_version(call: Call) -> None:
    design = await _find_design(call, call.parameters["id"])
    version = await _find_version(call, design, call.parameters["version"])
    await call.sandbox.voices.remove(version)


@provider.operation("getVoiceDesignSample")
async def get_voice_design_sample(call: Call) -> bytes:
    design = await _find_design(call, call.parameters["id"])
    version = await _find_version(call, design, call.parameters.get("version"))
    return _wav(Utterance(version.data["text"], version.data["provider_voice_id"]))


# --- speech --------------------------------------------------------------------------------------


@provider.operation("generateSpeech")
async def generate_speech(call: Call) -> Answer:
    service, voice = await _voice(call)
    settings = call.fields.get(service, {})
    format = settings.get("response_format", "mp3")
    speech = {
        "text": call.fields["text"],
        "voice": voice,
        "speed": settings.get("voice_speed", settings.get("speed", 1.0)),
        "format": format if format in MEDIA_TYPES else "mp3",
        "rate": settings.get("sampling_rate", SAMPLE_RATE),
    }
    if call.fields["output_type"] == "audio_id":
        audio_id = call.sandbox.ids.uuid("telnyx speech")
        await call.add(SPEECHES, audio_id, speech)
        url = f"{call.origin}{provider.base_path}/text-to-speech/speech/{audio_id}"
        return Answer({"audio_id": audio_id, "audio_url": url})
    if call.fields["output_type"] == "base64_output":
        return Answer({"base64_audio": b64encode(b"".join(_pieces(speech))).decode()})
    return _sound(speech)


@provider.operation("getSpeech")
async def get_speech(call: Call) -> Answer:
    speech = await call.find(SPEECHES, call.parameters["audio_id"])
    if speech is None:
        raise NotFound("Audio not found")
    return _sound(speech.data)


def _sound(speech: Data) -> Answer:
    return Answer(_pieces(speech), media_type=MEDIA_TYPES[speech["format"]])


def _pieces(speech: Data) -> Iterator[bytes]:
    utterance = Utterance(speech["text"], speech["voice"], speech["speed"])
    rate = speech["rate"]
    if speech["format"] == "mp3":
        yield from mp3_pieces(utterance, mp3_rate(rate))
        return
    if speech["format"] == "wav":
        yield wav_header(2 * round(utterance.length * rate), rate)
    yield from pcm_pieces(utterance, rate)


async def _voice(call: Call) -> tuple[str, str]:
    """The provider that is to speak, and with which voice."""
    voice = call.fields.get("voice")
    if voice is None:
        if "provider" not in call.fields:
            message = "is required unless provider is given"
            raise Invalid("", Violation("body", "/voice", "required", message))
        return call.fields["provider"], call.fields["provider"]
    service, model, name = _parsed(voice)
    clones = [each.data for each in await call.all(CLONES)]
    if service == "telnyx" and model in MODELS["telnyx"]:
        designs = [each.data for each in await call.all(DESIGNS)]
        known = [each for each in [*clones, *designs] if name in (each["id"], each["name"])]
        if not known:
            raise BadVoice(f"Failed to produce text to speech: no clone or design is {name}")
        return service, known[-1]["id"]
    cloned = service == "minimax" and MINIMAX_CLONE.fullmatch(name)
    if cloned and name not in [each["provider_voice_id"] for each in clones]:
        raise BadVoice(f"Failed to produce text to speech: no clone is {name}")
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
async def list_voices(call: Call) -> JSON:
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
    for clone in await call.all(CLONES):
        service = clone.data["provider"]
        model, voice = clone.data["provider_supported_models"][0], clone.data["provider_voice_id"]
        voices.append({
            "voice_id": f"{service}.{model}.{voice}",
            "name": clone.data["name"],
            "provider": service.lower(),
            "language": clone.data["language"],
            "gender": clone.data["gender"] or "neutral",
        })  # fmt: skip
    wanted = call.parameters.get("provider")
    return {"voices": [each for each in voices if wanted in (None, each["provider"])]}

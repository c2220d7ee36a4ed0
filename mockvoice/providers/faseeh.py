"""Faseeh (Munsit): voices previewed, cloned from a preview, and heard.

What the contract leaves unsaid:

- an empty wallet answers 402, a model that is not enabled 403, more requests at once than the
  account's plan has 429 (fact sheet "Faseeh / Munsit", section 3);
- speech and previews cost the characters of their text times the cost of the model (section 4);
  the models' costs are ours, in the size of the published example;
- an unknown model is 400 for speech (section 3) and, by analogy, for a preview; what a clone does
  with one is not told, so it is taken;
- lists come in as text with commas and go out as arrays (seed);
- what a new voice looks like (seed; ids are opaque, section 2).
"""

from __future__ import annotations

from ..audio.synth import Utterance, pcm, pcm_pieces, wav
from ..errors import (
    Forbidden,
    NotFound,
    PaymentRequired,
    Problem,
    UnknownVoice,
    ValidationFailed,
    Violation,
)
from ..provider import Collection, Provider, RateLimit, RequestContext, Response
from ..types import JSON

VOICES = "voices"
AT_ONCE = {"basic": 2, "starter": 5, "growth": 10}  # requests by plan (fact sheet, section 3)
PREVIEW_WORDS = 3  # at least (fact sheet, section 2)
PREVIEW_RATE = 24_000  # Hz (fact sheet, section 2)
SILENT = {"Cache-Control": "no-cache"}

# Status: code, text where the contract of an operation has none (fact sheet, section 3).
CODES = {
    400: (40001, "Invalid request"),
    401: (40101, "Invalid or missing API key"),
    402: (40201, "Insufficient wallet balance"),
    403: (40301, "Model is not enabled for this account"),
    404: (40401, "Resource not found"),
    429: (42901, "Too many requests"),
    500: (50001, "Internal server error"),
}

# model_id: id, model_name, cost of a character in dollars, description. The ids are those that were
# seen and those of the published examples (fact sheet, section 2).
MODELS = {
    "faseeh-v1-preview": ("8d7e6c1e-6d3f-4d35-9d0e-0f4a4b1c7a01", "Faseeh V1", 0.0001, None),
    "faseeh-mini-v1-preview": (
        "8d7e6c1e-6d3f-4d35-9d0e-0f4a4b1c7a02",
        "Faseeh Mini V1",
        0.00005,
        None,
    ),
    "faseeh-arabic-v1": ("8d7e6c1e-6d3f-4d35-9d0e-0f4a4b1c7a03", "Arabic V1", 0.0001, None),
    "faseeh-arabic-fast": ("8d7e6c1e-6d3f-4d35-9d0e-0f4a4b1c7a04", "Arabic Fast", 0.00005, None),
}
# voice_id: id, name, gender, age, languages, dialects. Ids as the published examples have them.
STOCK = {
    "ar-najdi-male-2": (
        "5f1c2b6a-1f0b-4c57-8a53-2d9f6a7b8c01",
        "Faisal",
        "male",
        "middle",
        ["ar"],
        ["najdi"],
    ),
    "ar-hijazi-female-2": (
        "5f1c2b6a-1f0b-4c57-8a53-2d9f6a7b8c02",
        "Layla",
        "female",
        "young",
        ["ar", "en"],
        ["hijazi"],
    ),
}


def error(problem: Problem, status: int, ctx: RequestContext) -> JSON:
    """The code of the status and, where the client can mend something, what is wrong."""
    documented = ctx.operation.documented(status) or {}
    code, usual = CODES.get(status, (status * 100 + 1, f"Request failed with status {status}"))
    message = documented.get("errorMessage", usual)
    if status != 401 and problem.sentences:
        message = problem.sentences
    return {"errorCode": documented.get("errorCode", code), "errorMessage": message}


async def admit(ctx: RequestContext) -> None:
    credit = ctx.account.credit
    if ctx.operation.method == "POST" and credit is not None and credit <= 0:
        raise PaymentRequired


provider = Provider(
    "faseeh",
    "Faseeh (Munsit)",
    error,
    admit,
    env={},  # first-party plugins read variables for the key, but not for the base URL
    account={"tier": "basic", "credit": 1000.0},
    limits={"concurrency": RateLimit(max=AT_ONCE)},
    collections={
        VOICES: Collection(
            "#/components/schemas/Voice",
            "voice_id",
            lambda ids: ids.word("faseeh planted", 24),
            sound="sample_url",
        )
    },
)


@provider.operation("cloneVoice")
async def clone_voice(ctx: RequestContext) -> JSON:
    fields, ids = ctx.fields, ctx.ids
    _enabled(ctx, fields["model"])
    voice_id = ids.word("faseeh voice", 24)
    data = {
        "id": ids.uuid("faseeh record"),
        "voice_id": voice_id,
        "name": fields["name"],
        "description": fields.get("description"),
        "gender": fields.get("gender"),
        "age": fields.get("age"),
        "languages": _list(fields.get("languages", "")),
        "dialect": _list(fields.get("dialects", "")),
        "type": None,
        "sample_url": ctx.sample_url(voice_id),
        "avatar_url": fields.get("avatar_url"),
        "stability": fields["stability"],
    }
    ctx.add(VOICES, voice_id, data)
    return data


def _list(text: str) -> list[str]:
    return [part.strip() for part in text.split(",") if part.strip()]


def _enabled(ctx: RequestContext, model: str) -> None:
    if ctx.account.models is not None and model not in ctx.account.models:
        raise Forbidden(f"Model is not enabled for this account: {model}")


async def _pay(ctx: RequestContext, model: str, text: str) -> None:
    """Take the cost of a text from the wallet; raise where the model or the money is missing."""
    if model not in MODELS:
        raise UnknownVoice(f"Model not found: {model}")
    _enabled(ctx, model)
    cost = len(text) * MODELS[model][2]
    if not ctx.spend(cost):
        raise PaymentRequired(
            "Insufficient wallet balance."
            f" Required: ${cost:.4g}, Available: ${ctx.account.credit:.4g}"
        )


@provider.operation("previewVoice")
async def preview_voice(ctx: RequestContext) -> Response:
    fields = ctx.fields
    words = len(fields["text"].split())
    if words < PREVIEW_WORDS:
        message = f"must have at least {PREVIEW_WORDS} words; got {words}"
        raise ValidationFailed(
            "", Violation("body", "/text", "minWords", message, PREVIEW_WORDS, words)
        )
    await _pay(ctx, fields["model_id"], fields["text"])
    voice = str(fields["file"].sha256)
    return _raw(Utterance(fields["text"], voice, fields["speed"]), PREVIEW_RATE)


def _raw(utterance: Utterance, rate: int) -> Response:
    media_type = f"audio/raw;codec=pcm16;rate={rate};channels=1"
    return Response(pcm_pieces(utterance, rate), media_type=media_type, headers=SILENT)


@provider.operation("listVoices")
async def list_voices(ctx: RequestContext) -> JSON:
    stock = [
        {
            "id": id,
            "voice_id": voice_id,
            "name": name,
            "description": None,
            "gender": gender,
            "age": age,
            "languages": languages,
            "dialect": dialects,
            "type": "neural",
            "sample_url": ctx.sample_url(voice_id),
            "avatar_url": None,
            "stability": 0.5,
        }
        for voice_id, (id, name, gender, age, languages, dialects) in STOCK.items()
    ]
    return stock + [record.data for record in await ctx.all(VOICES)]


@provider.operation("listModels", stateful=False)
async def list_models(ctx: RequestContext) -> JSON:
    return [
        {
            "id": id,
            "model_id": model_id,
            "model_name": name,
            "cost": cost,
            "description": description,
        }
        for model_id, (id, name, cost, description) in MODELS.items()
    ]


@provider.operation("textToSpeech")
async def text_to_speech(ctx: RequestContext) -> Response:
    fields, voice = ctx.fields, ctx.fields["voice_id"]
    if ctx.parameters["model_id"] not in MODELS:
        raise UnknownVoice(f"Model not found: {ctx.parameters['model_id']}")
    if voice not in STOCK and await ctx.find(VOICES, voice) is None:
        raise NotFound(f"Voice not found: {voice}")
    await _pay(ctx, ctx.parameters["model_id"], fields["text"])
    utterance = Utterance(fields["text"], voice, fields["speed"])
    rate = fields["sample_rate"]
    if fields["streaming"]:
        return _raw(utterance, rate)
    return Response(wav(pcm(utterance, rate), rate), media_type="audio/wav", headers=SILENT)

"""Faseeh (Munsit): voices previewed, cloned from a preview, and used for speech.

What the contract leaves open; facts and sources are in docs/providers/faseeh.md:

- an empty wallet is a 402, a model that is not enabled a 403, more concurrent requests than the
  plan allows a 429 (#errors, #samples-and-limits);
- speech and previews cost their characters times the cost of the model (#samples-and-limits);
- violations have the published texts, without the received value (#errors);
- an unknown model is a 400 for speech and previews, and accepted for clones; an unknown voice is a
  404 (#what-the-documentation-leaves-open);
- edition munsit.com clones a single file, and its error codes are text (#edition-and-sources);
- lists are comma-separated text in requests and arrays in responses (#operations);
- values of new voices, preset voices, models and their costs (#what-the-documentation-leaves-open).
"""

from __future__ import annotations

from base64 import b64encode
from collections.abc import Iterator
from functools import partial

from ..audio.synth import Utterance, grouped, pcm_pieces, wav
from ..errors import (
    Forbidden,
    InternalError,
    NotFound,
    PaymentRequired,
    Problem,
    Unauthenticated,
    UnknownVoice,
    ValidationFailed,
    Violation,
)
from ..provider import (
    Collection,
    Conversation,
    Edition,
    Provider,
    RateLimit,
    RequestContext,
    Response,
    WebSocket,
    preset,
)
from ..state.records import Data, Record
from ..text import split_sentences
from ..types import JSON

VOICES, MODELS = "voices", "models"
MAX_CONCURRENT = {"basic": 2, "starter": 5, "growth": 10}  # requests, by plan
PREVIEW_RATE = 24_000  # Hz
MUNSIT = "munsit.com"  # the edition in which one file is cloned
DEFAULT_STABILITY = 0.5
HEADERS = {"Cache-Control": "no-cache"}
DEFAULT_SOCKET_MODEL, DEFAULT_SOCKET_FORMAT = "faseeh-mini-v1-preview", "pcm_24000"
FRAME_BYTES = 8192  # of audio

# Status: code, message for operations whose contract has none.
CODES = {
    400: (40001, "Invalid request"),
    401: (40101, "Invalid or missing API key"),
    402: (40201, "Insufficient wallet balance"),
    403: (40301, "Model is not enabled for this account"),
    404: (40401, "Resource not found"),
    429: (42901, "Too many requests"),
    500: (50001, "Internal server error"),
}

# Published texts of a 400; those of stability and of a clone's files are by analogy.
RANGES = {"similarity": "0 and 1", "stability": "0 and 1", "speed": "0.7 and 1.2"}
FILES = ("file", "voice_file", "reference_audio_file")
AUDIO_RULES = ("required", "minLength", "type", "x-audio-formats")
SHORT_TEXT = "Text must have at least 3 words and 10 characters"

# model_id: id, model_name, cost per character in dollars.
_MODELS = {
    "faseeh-v1-preview": ("8d7e6c1e-6d3f-4d35-9d0e-0f4a4b1c7a01", "Faseeh V1", 0.0001),
    "faseeh-mini-v1-preview": ("8d7e6c1e-6d3f-4d35-9d0e-0f4a4b1c7a02", "Faseeh Mini V1", 0.00005),
    "faseeh-arabic-v1": ("8d7e6c1e-6d3f-4d35-9d0e-0f4a4b1c7a03", "Arabic V1", 0.0001),
    "faseeh-arabic-fast": ("8d7e6c1e-6d3f-4d35-9d0e-0f4a4b1c7a04", "Arabic Fast", 0.00005),
}
PRESET_MODELS = {
    model_id: {
        "id": id,
        "model_id": model_id,
        "model_name": name,
        "cost": cost,
        "description": None,
    }
    for model_id, (id, name, cost) in _MODELS.items()
}
# Voices of every account. voice_id: id, name, gender, age, languages, dialects.
_VOICES = {
    "ar-najdi-male-2": (
        "5f1c2b6a-1f0b-4c57-8a53-2d9f6a7b8c01",
        "Fahad",
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
    "ar-hijazi-female-1": (
        "5f1c2b6a-1f0b-4c57-8a53-2d9f6a7b8c04",
        "Lama",
        "female",
        "young",
        ["ar"],
        ["hijazi"],
    ),
    "ar-najdi-female-1": (
        "5f1c2b6a-1f0b-4c57-8a53-2d9f6a7b8c05",
        "Maha",
        "female",
        "young",
        ["ar"],
        ["najdi"],
    ),
    "ar-uae-male-1": (
        "5f1c2b6a-1f0b-4c57-8a53-2d9f6a7b8c06",
        "Saif",
        "male",
        "middle",
        ["ar"],
        ["emirati"],
    ),
}
PRESET_VOICES = {
    voice_id: {
        "id": id,
        "voice_id": voice_id,
        "name": name,
        "description": None,
        "gender": gender,
        "age": age,
        "languages": languages,
        "dialect": dialects,
        "type": "neural",
        "avatar_url": None,
        "stability": 0.5,
    }
    for voice_id, (id, name, gender, age, languages, dialects) in _VOICES.items()
}


def error(problem: Problem, status: int, ctx: RequestContext) -> JSON:
    """Return the code of the status, and the published texts or the documented message."""
    documented = ctx.operation.documented(status) or {}
    code, message = CODES.get(status, (status * 100 + 1, f"Request failed with status {status}"))
    code, message = documented.get("errorCode", code), documented.get("errorMessage", message)
    if status != 401 and problem.sentences:
        message = _message(problem)
    return {
        "errorCode": str(code) if ctx.provider.edition == MUNSIT else code,
        "errorMessage": message,
    }


def _message(problem: Problem) -> str:
    """Return the texts of the violations, each once, or the detail."""
    texts = dict.fromkeys(map(_text, problem.violations))
    return "; ".join(texts) or problem.detail


def _text(violation: Violation) -> str:
    """Return the published text for a violation, or its own."""
    name, rule = violation.name, violation.rule
    if violation.location != "body":
        return violation.sentence
    if name in RANGES:
        return f"{name} must be a number between {RANGES[name]}"
    if name in FILES and rule in AUDIO_RULES:
        return f"{name} is required and must be of audio type"
    if rule in ("minLength", "pattern") and not violation.received:
        return f"{name} is required"
    return SHORT_TEXT if name == "text" and rule in ("minLength", "pattern") else violation.sentence


def error_frame(problem: Problem, ctx: RequestContext) -> JSON:
    """Return the frame for an error of a WebSocket, with the members of all descriptions of it."""
    statuses = [status for status in problem.statuses if status in CODES]
    body: Data = error(problem, statuses[0] if statuses else 500, ctx)
    if isinstance(problem, InternalError):
        body["errorMessage"] = CODES[500][1]
    return {"type": "error", "message": body["errorMessage"], **body}


def admit(ctx: RequestContext) -> None:
    credit = ctx.account.credit
    if ctx.operation.method == "POST" and credit is not None and credit <= 0:
        raise PaymentRequired


def presets(key: str) -> list[Record]:
    """Return the voices and models of every account."""
    return [
        preset("faseeh", collection, key, id, data)
        for collection, records in ((VOICES, PRESET_VOICES), (MODELS, PRESET_MODELS))
        for id, data in records.items()
    ]


provider = Provider(
    "faseeh",
    "Faseeh (Munsit)",
    error,
    admit,
    error_frame=error_frame,
    editions={"faseeh.ai": Edition(), MUNSIT: Edition()},
    env={},  # first-party plugins read variables for the key, but not for the base URL
    account={"tier": "basic", "credit": 1000.0, "models": None},
    tiers=(*MAX_CONCURRENT,),
    presets=presets,
    limits={"concurrency": RateLimit(max=MAX_CONCURRENT)},
    collections={
        VOICES: Collection(
            "#/components/schemas/Voice",
            "voice_id",
            lambda ids: ids.word("faseeh seeded", 24),
            sample="sample_url",
        ),
        MODELS: Collection(
            "#/components/schemas/Model", "model_id", lambda ids: ids.word("faseeh seeded", 24)
        ),
    },
)

NO_CREDIT = PaymentRequired("credit is 0")
LOW_CREDIT = PaymentRequired("credit is less than the cost of the text")
NO_MODEL = UnknownVoice("unknown model_id")
DISABLED_MODEL = Forbidden("models does not list the model")


@provider.operation("cloneVoice", raises=[NO_CREDIT, DISABLED_MODEL])
def clone_voice(ctx: RequestContext) -> JSON:
    if ctx.provider.edition == MUNSIT:
        return _clone_sample(ctx)
    fields, ids = ctx.fields, ctx.ids
    _check_enabled(ctx, fields["model"])
    voice_id = ids.word("faseeh voice", 24)
    data = {
        "id": ids.uuid("faseeh record"),
        "voice_id": voice_id,
        "name": fields["name"],
        "description": fields.get("description"),
        "gender": fields.get("gender"),
        "age": fields.get("age"),
        "languages": _split(fields.get("languages", "")),
        "dialect": _split(fields.get("dialects", "")),
        "type": None,
        "sample_url": ctx.sample_url(voice_id),
        "avatar_url": fields.get("avatar_url"),
        "stability": fields["stability"],
    }
    ctx.add(VOICES, voice_id, data)
    return data


def _clone_sample(ctx: RequestContext) -> JSON:
    """Clone a single sample, of which only the name is known."""
    voice_id = f"cl-{ctx.ids.token('munsit voice', 12)}"
    data = {
        **dict.fromkeys(("description", "gender", "age", "dialect", "type", "avatar_url")),
        "id": ctx.ids.uuid("faseeh record"),
        "voice_id": voice_id,
        "name": ctx.fields["name"],
        "languages": [],
        "sample_url": ctx.sample_url(voice_id),
        "stability": DEFAULT_STABILITY,
    }
    ctx.add(VOICES, voice_id, data)
    return {"voice_id": voice_id, "status": "ready"}


def _split(text: str) -> list[str]:
    return [part.strip() for part in text.split(",") if part.strip()]


async def _find_model(ctx: RequestContext, model_id: str) -> Record:
    model = await ctx.find(MODELS, model_id)
    if model is None:
        raise UnknownVoice(f"Model not found: {model_id}")
    return model


def _check_enabled(ctx: RequestContext, model_id: str) -> None:
    if ctx.account.models is not None and model_id not in ctx.account.models:
        raise Forbidden(f"Model is not enabled for this account: {model_id}")


def _charge(ctx: RequestContext, model: Record, text: str) -> None:
    """Take the cost of a text from the wallet."""
    cost = len(text) * float(model.data["cost"])
    if not ctx.spend(cost):
        raise PaymentRequired(
            "Insufficient wallet balance."
            f" Required: ${cost:.4g}, Available: ${ctx.account.credit:.4g}"
        )


@provider.operation("previewVoice", raises=[NO_CREDIT, NO_MODEL, DISABLED_MODEL, LOW_CREDIT])
async def preview_voice(ctx: RequestContext) -> Response:
    fields = ctx.fields
    model = await _find_model(ctx, fields["model_id"])
    _check_enabled(ctx, model.id)
    _charge(ctx, model, fields["text"])
    voice = str(fields["file"].sha256)
    return _raw(Utterance(fields["text"], voice, fields["speed"]), PREVIEW_RATE)


def _raw(utterance: Utterance, rate: int) -> Response:
    media_type = f"audio/raw;codec=pcm16;rate={rate};channels=1"
    return Response(pcm_pieces(utterance, rate), media_type=media_type, headers=HEADERS)


@provider.operation("listVoices")
async def list_voices(ctx: RequestContext) -> JSON:
    return [voice.data for voice in await ctx.all(VOICES)]


@provider.operation("listModels")
async def list_models(ctx: RequestContext) -> JSON:
    return [model.data for model in await ctx.all(MODELS)]


@provider.operation(
    "textToSpeech",
    raises=[NO_CREDIT, NO_MODEL, NotFound("unknown voice_id"), DISABLED_MODEL, LOW_CREDIT],
)
async def text_to_speech(ctx: RequestContext) -> Response:
    fields, voice_id = ctx.fields, ctx.fields["voice_id"]
    model = await _find_model(ctx, ctx.parameters["model_id"])
    if await ctx.find(VOICES, voice_id) is None:
        raise NotFound(f"Voice not found: {voice_id}")
    _check_enabled(ctx, model.id)
    _charge(ctx, model, fields["text"])
    utterance = Utterance(fields["text"], voice_id, fields["speed"])
    rate = int(fields["sample_rate"])  # 24000.0 is an integer in JSON Schema
    if fields["streaming"]:
        return _raw(utterance, rate)
    return Response(wav(utterance, rate), media_type="audio/wav", headers=HEADERS)


# --- speech over a WebSocket ---------------------------------------------------------------------


@provider.websocket("textToSpeechWebSocketV0", stateful=False)
@provider.websocket("textToSpeechWebSocket", stateful=False)
def stream_speech(ctx: RequestContext) -> Conversation:
    return partial(_converse, ctx)


async def _converse(ctx: RequestContext, socket: WebSocket) -> None:
    """Speak the text of the client, sentence by sentence, until it closes the connection."""
    session: Data | None = None
    text = ""
    async for frame in socket:
        if frame["type"] == "initConnection":
            session = await _session(ctx, socket, frame)
            socket.play([{"type": "connectionInitialized"}])
            continue
        if session is None:
            message = f"must be initConnection in the first frame; got {frame['type']}"
            raise ValidationFailed("", Violation("frame", "/type", "const", message))
        closes = frame["type"] == "closeConnection"
        flush = closes or frame.get("flush", False) or frame.get("try_trigger_generation", False)
        spoken, text = split_sentences(text + frame.get("text", ""), flush=flush)
        if spoken:
            await socket.call(partial(_charge_frame, model_id=session["model"], text=spoken))
        if spoken or closes:
            socket.play(_spoken(spoken, session))
        if closes:
            return


async def _session(ctx: RequestContext, socket: WebSocket, frame: Data) -> Data:
    """Return model, voice, speed and sample rate. Raises a problem for one that is unknown."""
    if frame.get("x_api_key"):
        await socket.authenticate(frame["x_api_key"])
    if not ctx.account.key:
        raise Unauthenticated("no API key in the query, a header, or x_api_key")
    model = await _find_model(ctx, frame.get("model_id", DEFAULT_SOCKET_MODEL))
    _check_enabled(ctx, model.id)
    if await ctx.find(VOICES, frame["voice_id"]) is None:
        raise NotFound(f"Voice not found: {frame['voice_id']}")
    return {
        "model": model.id,
        "voice": frame["voice_id"],
        "speed": frame.get("voice_settings", {}).get("speed", 1.0),
        "rate": int(frame.get("output_format", DEFAULT_SOCKET_FORMAT).removeprefix("pcm_")),
    }


async def _charge_frame(ctx: RequestContext, model_id: str, text: str) -> None:
    _charge(ctx, await _find_model(ctx, model_id), text)


def _spoken(text: str, session: Data) -> Iterator[Data]:
    """Yield the frames for a text: its audio, and the end."""
    utterance = Utterance(text, session["voice"], session["speed"])
    for piece in grouped(pcm_pieces(utterance, session["rate"]), FRAME_BYTES) if text else ():
        audio = b64encode(piece).decode()
        yield {"audio": audio, "sampleRate": session["rate"], "isFinal": False}
    yield {"audio": "", "isFinal": True}

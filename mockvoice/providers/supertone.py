"""Supertone: custom voices cloned from an audio file, preset voices, speech and usage.

What the contract leaves open; facts and sources are in docs/providers/supertone.md:

- in edition 0.9.0, 400 and 415 have a plain string as message for clients of editions before
  0.9.6, which the User-Agent of the SDKs names (#errors);
- cloning requires the Starter tier; rates of cloning and speech (#samples-and-limits);
- speech with a custom voice of another account is a 403 (#errors);
- language, style and model must fit the voice, and the language the model; only sona_speech_1
  streams (#voices-and-models);
- `speed` applies after `duration`, and some models ignore `duration` (#voices-and-models);
- speech costs one credit per second (#what-the-documentation-leaves-open);
- preset voices: the published examples and invented ones (#voices-and-models).
"""

from __future__ import annotations

import re
from base64 import b64encode, urlsafe_b64encode
from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from http import HTTPStatus
from json import dumps
from typing import Any, NamedTuple

from ..audio.synth import Tone, Utterance, mp3_pieces, wav_pieces
from ..errors import (
    Forbidden,
    InvalidAudio,
    NotFound,
    PaymentRequired,
    Problem,
    UnsupportedMediaType,
    ValidationFailed,
    Violation,
)
from ..provider import (
    Collection,
    Edition,
    Provider,
    RateLimit,
    RequestContext,
    Response,
    preset,
)
from ..state.records import Condition, Data, Query, Record
from ..types import JSON

CUSTOM, VOICES = "custom-voices", "voices"
MAX_CLONES = 10  # per minute
TIERS = ("free", "starter", "creator", "pro", "enterprise")
MAX_SPEECHES = {"free": 20, "starter": 20, "creator": 30, "pro": 60}  # per minute, by tier
RATE = 24_000  # Hz; not documented
OBJECTS_SINCE = (0, 9, 6)  # edition in which the messages of 400 and 415 became objects
PHRASES = {413: "Payload Too Large"}  # differs from http.HTTPStatus in Python 3.13
_EDITION = re.compile(r"speakeasy-sdk/\S+ \S+ \S+ (\d+)\.(\d+)\.(\d+)")

LANGUAGES = ["ar", "bg", "cs", "da", "de", "el", "en", "es", "et", "fi", "fr", "hi", "hu", "id"]
LANGUAGES += ["it", "ja", "ko", "nl", "pl", "pt", "ro", "ru", "vi"]
ALL_LANGUAGES = [*LANGUAGES, "hr", "lt", "lv", "sk", "sl", "sv", "tr", "uk"]
# Languages by model. No page describes sona_speech_2t and sona_speech_3t.
MODEL_LANGUAGES = {
    "sona_speech_1": ["en", "ko", "ja"],
    "sona_speech_2": LANGUAGES,
    "sona_speech_2t": LANGUAGES,
    "sona_speech_2_flash": LANGUAGES,
    "sona_speech_3t": ALL_LANGUAGES,
    "supertonic_api_1": ["en", "ko", "ja", "es", "pt"],
    "supertonic_api_3": ALL_LANGUAGES,
}
ALL_MODELS = [*MODEL_LANGUAGES]
MODELS = ["sona_speech_1", "sona_speech_2", "supertonic_api_1"]
STREAMING_MODELS = ["sona_speech_1"]
SPEED_ONLY_MODELS = ("supertonic_api_1", "supertonic_api_3")  # ignore all other voice settings
PRESET_VOICES: tuple[Data, ...] = tuple(
    {
        "voice_id": voice_id,
        "name": name,
        "description": description,
        "age": age,
        "gender": gender,
        "use_case": uses[0],
        "use_cases": uses,
        "language": languages,
        "styles": styles,
        "models": models,
    }
    for voice_id, name, description, age, gender, uses, languages, styles, models in (
        # The example of the OpenAPI documents, that of the guides, the default voice of
        # supertone-mcp, then invented voices: more than fit on a page of 10.
        ("a4cf2a1b8e7d", "Agatha", "", "young-adult", "female", ["narration", "storytelling"],
         LANGUAGES, ["kind-default", "normal", "serene"], MODELS),
        ("20160a4c5ba38967330c84", "Adam", "", "young-adult", "male", ["meme"],
         ["ko", "en", "ja"], ["neutral"], ALL_MODELS),
        ("2d5a380030e78fcab0c82a", "Aiden", "", "young-adult", "male", ["narration"],
         ALL_LANGUAGES, ["neutral", "happy"], ALL_MODELS),
        ("b91e77d0c5f2", "Bruno", "Deep and steady", "middle-aged", "male", ["announcement"],
         ["en", "ko", "ja"], ["normal"], ["sona_speech_2_flash", "supertonic_api_3"]),
        *(
            (f"{number:012x}", name, "", "young-adult", gender, ["conversation"],
             ["en", "ko"], ["neutral"], ["sona_speech_1"])
            for number, (name, gender) in enumerate(
                [("Chloe", "female"), ("Dylan", "male"), ("Emma", "female"), ("Felix", "male"),
                 ("Grace", "female"), ("Henry", "male"), ("Iris", "female"), ("Jun", "male"),
                 ("Kara", "female"), ("Leo", "male")],
                start=0x5A7E01,
            )
        ),
    )
)  # fmt: skip


def error(problem: Problem, status: int, ctx: RequestContext) -> JSON:
    """Return the documented message, or the violations for statuses such as 400."""
    message = _message(problem, status, ctx)
    if status in (400, 415) and not _reads_objects(ctx, status):
        return {"status": "error", "message": message}
    try:
        phrase = HTTPStatus(status).phrase
    except ValueError:
        phrase = "Error"
    return {
        "status": "error",
        "message": {
            "message": message,
            "error": PHRASES.get(status, phrase),
            "status_code": status,
            "statusCode": status,
        },
    }


def _message(problem: Problem, status: int, ctx: RequestContext) -> str:
    if isinstance(problem, InvalidAudio | UnsupportedMediaType) and status == 415:
        (violation, *_) = problem.violations
        is_audio = isinstance(problem, InvalidAudio)
        formats = ", ".join(violation.expected if is_audio else ("wav", "mp3")).upper()
        received = violation.received or "no media type"
        return f"Unsupported audio format. Supported formats: {formats}. Received: {received}"
    if status in (400, 404, 405, 413) and problem.sentences:
        return problem.sentences
    documented = ctx.operation.documented(status)
    message = documented["message"] if documented else problem.sentences
    return message["message"] if isinstance(message, dict) else message or f"status {status}"


def _reads_objects(ctx: RequestContext, status: int) -> bool:
    """Return True if the contract or the client expects an object as the message of a status."""
    documented = ctx.operation.documented(status)
    if documented and isinstance(documented["message"], dict):
        return True
    edition = _EDITION.search(ctx.headers.get("user-agent"))
    return edition is not None and tuple(map(int, edition.groups())) >= OBJECTS_SINCE


def admit(ctx: RequestContext) -> None:
    if ctx.operation.id == "create_cloned_voice" and ctx.account.tier == "free":
        raise Forbidden


def presets(key: str) -> list[Record]:
    """Return the preset voices, which all accounts share."""
    return [preset("supertone", VOICES, key, voice["voice_id"], voice) for voice in PRESET_VOICES]


provider = Provider(
    "supertone",
    "Supertone",
    error,
    admit,
    editions={
        "0.9.0": Edition(),
        "0.9.6": Edition(sdks={"python": "0.2.3", "typescript": "0.2.3"}),
    },
    env={},  # the SDKs read no environment variables
    base_url_argument="server_url",
    account={"tier": "starter", "credit": 100_000.0},
    tiers=TIERS,
    varying=("duration", "audio_base64", "minutes_used", "total_minutes_used"),
    presets=presets,
    limits={
        "clones": RateLimit(("create_cloned_voice",), MAX_CLONES, 60.0),
        "speeches": RateLimit(("create_speech", "stream_speech"), MAX_SPEECHES, 60.0),
    },
    collections={
        CUSTOM: Collection(
            "#/components/schemas/CustomVoice",
            "voice_id",
            lambda ids: f"voice_{ids.token('supertone seeded', 20)}",
            keys={
                "lower_name": lambda data: str(data.get("name") or "").lower(),
                "lower_description": lambda data: str(data.get("description") or "").lower(),
            },
        ),
        VOICES: Collection(
            "#/components/schemas/Voice", "voice_id", lambda ids: ids.token("supertone seeded", 12)
        ),
    },
)

NO_VOICE = NotFound("unknown voice_id")
NO_CREDIT = PaymentRequired("credit is 0")
LOW_CREDIT = PaymentRequired("credit is less than the seconds of speech")
OTHER_ACCOUNT = Forbidden("voice_id of another account's custom voice")
UNSUPPORTED = [
    ValidationFailed("language: not one of the voice"),
    ValidationFailed("style: not one of the voice"),
    ValidationFailed("model: not one of the voice"),
    ValidationFailed("language: not one of the model"),
]


# --- custom voices -------------------------------------------------------------------------------


@provider.operation("create_cloned_voice", raises=[Forbidden("tier is free")])
def create_cloned_voice(ctx: RequestContext) -> JSON:
    voice_id = f"voice_{ctx.ids.token('supertone voice', 20)}"
    description = ctx.fields.get("description", "")
    data = {"voice_id": voice_id, "name": ctx.fields["name"], "description": description}
    ctx.add(CUSTOM, voice_id, data)
    return {"voice_id": voice_id}


@provider.operation("list_custom_voices")
async def list_custom_voices(ctx: RequestContext) -> JSON:
    return await _offset_page(ctx, [])


@provider.operation("search_custom_voices")
async def search_custom_voices(ctx: RequestContext) -> JSON:
    tests = [
        Condition([f"lower_{member}"], "contains", word)
        for member in ("name", "description")
        for word in ctx.parameters.get(member, "").lower().split()
    ]
    return await _offset_page(ctx, tests)


async def _offset_page(ctx: RequestContext, tests: Sequence[Condition]) -> JSON:
    """Return one page of the custom voices that pass the tests.

    The next page token is the offset of its first voice.
    """
    start = int(ctx.parameters.get("next_page_token", 0))
    end = start + int(ctx.parameters["page_size"])
    found = await ctx.page(CUSTOM, Query(tests, offset=start, limit=end - start))
    page: Data = {"items": [voice.data for voice in found.records], "total": found.total}
    return {**page, "next_page_token": str(end)} if end < found.total else page


def _contains_words(ctx: RequestContext, voice: Data) -> bool:
    """Return True if name and description contain all words of the parameters so named."""
    return all(
        word in voice[member].lower()
        for member in ("name", "description")
        for word in ctx.parameters.get(member, "").lower().split()
    )


async def _find(ctx: RequestContext) -> Record:
    voice = await ctx.find(CUSTOM, ctx.parameters["voice_id"])
    if voice is None:
        raise NotFound("Voice not found")
    return voice


@provider.operation("get_custom_voice", raises=[NO_VOICE])
async def get_custom_voice(ctx: RequestContext) -> JSON:
    return (await _find(ctx)).data


@provider.operation("edit_custom_voice", raises=[NO_VOICE])
async def edit_custom_voice(ctx: RequestContext) -> JSON:
    voice = await _find(ctx)
    changes: Data = {n: ctx.fields[n] for n in ("name", "description") if n in ctx.fields}
    return ctx.update(voice, **changes)


@provider.operation("delete_custom_voice", raises=[NO_VOICE])
async def delete_custom_voice(ctx: RequestContext) -> None:
    ctx.remove(await _find(ctx))


# --- preset voices -------------------------------------------------------------------------------


@provider.operation("list_voices")
async def list_voices(ctx: RequestContext) -> JSON:
    return _token_page(ctx, [voice.data for voice in await ctx.all(VOICES)])


@provider.operation("search_voices")
async def search_voices(ctx: RequestContext) -> JSON:
    all_voices = [voice.data for voice in await ctx.all(VOICES)]
    voices = [voice for voice in all_voices if _contains_words(ctx, voice)]
    return _token_page(ctx, [voice for voice in voices if _matches(ctx, voice)])


def _matches(ctx: RequestContext, voice: Data) -> bool:
    """Return True if a voice matches all filters: commas mean "any of", semicolons "all of"."""
    members = {"style": "styles", "model": "models"}
    for name in ("language", "gender", "age", "use_case", "use_cases", "style", "model"):
        text = ctx.parameters.get(name)
        if text is not None:
            value = voice[members.get(name, name)]
            values = set(value) if isinstance(value, list) else {value}
            requires_all = name == "style" and ";" in text
            choices = {part.strip() for part in text.split(";" if requires_all else ",")}
            if not (choices <= values if requires_all else choices & values):
                return False
    return True


def _token_page(ctx: RequestContext, voices: list[Data]) -> JSON:
    """Return one page of the voices; the token of the next page is made of the last id."""
    token, size = ctx.parameters.get("next_page_token"), int(ctx.parameters["page_size"])
    start = next((i + 1 for i, voice in enumerate(voices) if _token(voice) == token), 0)
    items = voices[start : start + size]
    page = {"items": [_with_samples(ctx, voice) for voice in items], "total": len(voices)}
    return page | ({"next_page_token": _token(items[-1])} if start + size < len(voices) else {})


def _token(voice: Data) -> str:
    return urlsafe_b64encode(voice["voice_id"].encode()).decode()


def _with_samples(ctx: RequestContext, voice: Data) -> Data:
    """Return a voice with a sample of each combination, unless it was seeded with samples."""
    url = ctx.sample_url(voice["voice_id"])
    samples = [
        {"language": language, "style": style, "model": model, "url": url}
        for model in voice["models"]
        for language in voice["language"]
        if language in MODEL_LANGUAGES.get(model, ALL_LANGUAGES)
        for style in voice["styles"]
    ]
    return {"samples": samples, **voice}


@provider.operation("get_voice", raises=[NO_VOICE])
async def get_voice(ctx: RequestContext) -> JSON:
    voice = await ctx.find(VOICES, ctx.parameters["voice_id"])
    if voice is None:
        raise NotFound("Voice not found")
    return _with_samples(ctx, voice.data)


# --- speech --------------------------------------------------------------------------------------


class Speech(NamedTuple):
    """A speech: the voice that speaks, its style, "" for the only one of a clone, and the sound."""

    voice: Data
    style: str
    utterance: Utterance


async def _find_speech(ctx: RequestContext) -> Speech:
    """Return the speech that a request describes, unless its voice does not fit the rest."""
    voice = await _find_speaker(ctx)
    style = ctx.fields.get("style") or next(iter(voice.get("styles", ())), "")
    _check_combination(ctx, voice, style)
    settings = ctx.fields.get("voice_settings", {})
    speed = settings.get("speed", 1.0)
    duration, shift = settings.get("duration", 0.0), settings.get("pitch_shift", 0.0)
    if ctx.fields["model"] in SPEED_ONLY_MODELS:
        duration = shift = 0.0
    speaker = f"{ctx.parameters['voice_id']} {style}"
    utterance = Utterance(ctx.fields["text"], speaker, speed, shift, duration / speed)
    return Speech(voice, style, utterance)


async def _find_speaker(ctx: RequestContext) -> Data:
    """Return the voice that speaks."""
    voice_id = ctx.parameters["voice_id"]
    for collection in (CUSTOM, VOICES):
        voice = await ctx.find(collection, voice_id)
        if voice:
            return voice.data
    if await ctx.exists(CUSTOM, voice_id):
        raise Forbidden
    raise NotFound("Voice not found")


def _check_combination(ctx: RequestContext, voice: Data, style: str) -> None:
    """Raise ValidationFailed for what the voice or the model does not have.

    A clone has every style, and every language of the model.
    """
    language, model = ctx.fields["language"], ctx.fields["model"]
    of_model = MODEL_LANGUAGES.get(model, ALL_LANGUAGES)
    violations = [
        *_unsupported("language", language, voice.get("language"), "this voice"),
        *_unsupported("style", style, voice.get("styles"), "this voice"),
        *_unsupported("model", model, voice.get("models"), "this voice"),
        *_unsupported("language", language, of_model, model),
    ]
    if violations:
        raise ValidationFailed("", *violations)


def _unsupported(
    name: str, value: str, choices: Sequence[str] | None, owner: str
) -> Iterator[Violation]:
    if choices and value not in choices:
        message = f"must be one of {', '.join(choices)} for {owner}; got {value}"
        yield Violation("body", f"/{name}", "enum", message, [*choices], value)


async def _speak(ctx: RequestContext) -> tuple[Utterance, dict[str, str]]:
    """Charge for a speech and record its usage; return it, and the header with its length."""
    voice, style, utterance = await _find_speech(ctx)
    if not ctx.spend(utterance.length):
        raise PaymentRequired
    usage = {
        "at": ctx.now,
        "voice_id": ctx.parameters["voice_id"],
        "voice_name": voice["name"],
        "api_key": ctx.account.key,
        "style": style,
        "language": ctx.fields["language"],
        "model": ctx.fields["model"],
        "minutes": utterance.length / 60,
    }
    ctx.add_usage(usage)
    return utterance, {"X-Audio-Length": f"{utterance.length:g}"}


def _pieces(utterance: Utterance, format: str) -> Iterator[bytes]:
    return (mp3_pieces if format == "mp3" else wav_pieces)(utterance, RATE)


def _phonemes(tones: list[Tone]) -> JSON:
    return {
        "symbols": [tone.symbol for tone in tones],
        "start_times_seconds": [tone.start for tone in tones],
        "durations_seconds": [tone.seconds for tone in tones],
    }


def _audio_type(ctx: RequestContext) -> str:
    return "audio/mpeg" if ctx.fields["output_format"] == "mp3" else "audio/wav"


@provider.operation("create_speech", raises=[NO_VOICE, OTHER_ACCOUNT, *UNSUPPORTED, LOW_CREDIT])
async def create_speech(ctx: RequestContext) -> Response:
    utterance, headers = await _speak(ctx)
    audio = b"".join(_pieces(utterance, ctx.fields["output_format"]))
    if not ctx.fields["include_phonemes"]:
        return Response(audio, media_type=_audio_type(ctx), headers=headers)
    body = {
        "audio_base64": b64encode(audio).decode(),
        "phonemes": _phonemes([*utterance.tones()]),
    }
    return Response(body, media_type="application/json", headers=headers)


@provider.operation(
    "stream_speech",
    raises=[
        ValidationFailed("model: not one that streams"),
        NO_VOICE,
        OTHER_ACCOUNT,
        *UNSUPPORTED,
        LOW_CREDIT,
    ],
)
async def stream_speech(ctx: RequestContext) -> Response:
    if ctx.fields["model"] not in STREAMING_MODELS:
        unsupported = _unsupported("model", ctx.fields["model"], STREAMING_MODELS, "a stream")
        raise ValidationFailed("", *unsupported)
    utterance, length = await _speak(ctx)
    headers = {"Cache-Control": "no-cache", "X-Content-Type-Options": "nosniff"}
    media_type = _audio_type(ctx)
    pieces = _pieces(utterance, ctx.fields["output_format"])
    if ctx.fields["include_phonemes"]:
        media_type = "application/x-ndjson"
        pieces = _lines(pieces, [*utterance.tones()])
    return Response(pieces, media_type=media_type, headers=headers, trailers=length)


def _lines(pieces: Iterator[bytes], tones: list[Tone]) -> Iterator[bytes]:
    """Yield audio and phonemes in turn, one line each; the other of the two is null."""
    for number, piece in enumerate(pieces):
        yield _line(audio_base64=b64encode(piece).decode(), phonemes=None)
        if number < len(tones):
            yield _line(audio_base64=None, phonemes=_phonemes([tones[number]]))
    remaining = tones[number + 1 :]
    if remaining:
        yield _line(audio_base64=None, phonemes=_phonemes(remaining))


def _line(**members: Any) -> bytes:
    return dumps(members, ensure_ascii=False).encode() + b"\n"


@provider.operation("predict_duration", raises=[NO_VOICE, OTHER_ACCOUNT, *UNSUPPORTED, NO_CREDIT])
async def predict_duration(ctx: RequestContext) -> JSON:
    speech = await _find_speech(ctx)
    if ctx.account.credit is not None and ctx.account.credit <= 0:
        raise PaymentRequired
    return {"duration": speech.utterance.length}


# --- usage ---------------------------------------------------------------------------------------


@provider.operation("get_credit_balance")
def get_credit_balance(ctx: RequestContext) -> JSON:
    return {"balance": ctx.account.credit}


@provider.operation("get_voice_usage")
async def get_voice_usage(ctx: RequestContext) -> JSON:
    first, last = ctx.parameters["start_date"], ctx.parameters["end_date"]
    rows: dict[tuple[str, ...], Data] = {}
    for usage in await ctx.usage():
        date = datetime.fromtimestamp(usage["at"], UTC).date().isoformat()
        if first <= date <= last:
            key = (date, *(usage[name] for name in ("voice_id", "style", "language", "model")))
            row = rows.setdefault(
                key,
                {
                    "date": date,
                    "voice_id": usage["voice_id"],
                    "name": usage["voice_name"],
                    "style": usage["style"],
                    "language": usage["language"],
                    "model": usage["model"],
                    "total_minutes_used": 0.0,
                },
            )
            row["total_minutes_used"] += usage["minutes"]
    return {"usages": [*rows.values()]}


@provider.operation(
    "get_usage",
    raises=[
        ValidationFailed("end_time before start_time"),
        ValidationFailed("start_time or end_time in the year 0000"),
    ],
)
async def get_usage(ctx: RequestContext) -> JSON:
    first, last = _datetime(ctx, "start_time"), _datetime(ctx, "end_time")
    if last < first:
        message = "must not be before start_time"
        received = ctx.parameters["end_time"]
        raise ValidationFailed(
            "", Violation("query", "/end_time", "minimum", message, received=received)
        )
    width = timedelta(hours=1) if ctx.parameters["bucket_width"] == "hour" else timedelta(days=1)
    names = ctx.parameters.get("breakdown_type", [])
    total = max(-(-(last - first) // width), 1)
    start = int(ctx.parameters.get("next_page_token", 0))
    end = min(start + int(ctx.parameters["page_size"]), total)
    usages = await ctx.usage()
    buckets = []
    for number in range(start, end):
        starting = first + number * width
        ending = last if number == total - 1 else starting + width
        buckets.append({
            "starting_at": starting.isoformat(),
            "ending_at": ending.isoformat(),
            "results": _results(usages, starting.timestamp(), ending.timestamp(), names),
        })  # fmt: skip
    page: Data = {"data": buckets, "total": total}
    return {**page, "next_page_token": str(end)} if end < total else page


def _datetime(ctx: RequestContext, name: str) -> datetime:
    """Return a date-time parameter.

    RFC 3339 allows two times that `datetime` does not: the year 0, and the leap second at the end
    of the year 9999, which is taken as the second before it.
    """
    text = ctx.parameters[name]
    try:
        return datetime.fromisoformat(text.upper().replace(":60", ":59"))
    except ValueError:
        message = f"must be in the years 1 to 9999; got {text}"
        raise ValidationFailed(
            "", Violation("query", f"/{name}", "minimum", message, received=text)
        ) from None


def _results(
    usages: Sequence[Mapping[str, Any]], starting: float, ending: float, names: list[str]
) -> list[Data]:
    """Return the minutes used from one time to another (seconds since the epoch), by names."""
    rows: dict[tuple[str, ...], Data] = {}
    for usage in usages:
        if starting <= usage["at"] < ending:
            group = {name: usage[name] for name in names}
            row = rows.setdefault(tuple(group.values()), {**group, "minutes_used": 0.0})
            row["minutes_used"] += usage["minutes"]
    return [*rows.values()]

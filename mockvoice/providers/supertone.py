"""Supertone: custom voices cloned from an audio file, preset voices, speech and what it costs.

What the contract leaves unsaid:

- 400 and 415 carry a sentence up to edition 0.9.0 and an object from 0.9.6 on; the SDKs name their
  edition in the User-Agent (fact sheet "Supertone", section 3);
- cloning wants the Starter tier or a higher one, and 10 clones in 60 s are the limit (seed); so
  many texts a minute may be said by each tier (section 4);
- a voice of another account answers 403 (section 2);
- speech costs one credit a second: what a credit is worth is not published;
- which preset voices there are: some of ours, in the form of the published example.
"""

from __future__ import annotations

import re
from base64 import b64encode, urlsafe_b64encode
from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from http import HTTPStatus
from json import dumps
from typing import Any

from ..audio.synth import Tone, Utterance, mp3_pieces, pcm_pieces, wav_header
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
from ..provider import Collection, Provider, RateLimit, RequestContext, Response
from ..state.records import Data, Record
from ..types import JSON

CUSTOM = "custom-voices"
CLONES, CLONES_PER = 10, 60.0  # seed, description of 429
SPEECHES, SPEECHES_PER = {"free": 20, "starter": 20, "creator": 30, "pro": 60}, 60.0  # section 4
RATE = 24_000  # Hz: not published
OBJECTS_SINCE = (0, 9, 6)  # the edition in which 400 and 415 became objects
_EDITION = re.compile(r"speakeasy-sdk/\S+ \S+ \S+ (\d+)\.(\d+)\.(\d+)")

LANGUAGES = ["ar", "bg", "cs", "da", "de", "el", "en", "es", "et", "fi", "fr", "hi", "hu", "id"]
LANGUAGES += ["it", "ja", "ko", "nl", "pl", "pt", "ro", "ru", "vi"]
MODELS = ["sona_speech_1", "sona_speech_2", "supertonic_api_1"]
STOCK: tuple[Data, ...] = tuple(
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
        # The published example, then voices like it; more than a page of them.
        ("a4cf2a1b8e7d", "Agatha", "", "young-adult", "female", ["narration", "storytelling"],
         LANGUAGES, ["kind-default", "normal", "serene"], MODELS),
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
    """The documented message, or what is wrong where the client can mend it."""
    message = _message(problem, status, ctx)
    if status in (400, 415) and not _wants_object(ctx):
        return {"status": "error", "message": message}
    try:
        phrase = HTTPStatus(status).phrase
    except ValueError:
        phrase = "Error"
    phrase = {413: "Payload Too Large"}.get(status, phrase)  # seed; Python 3.13 words it anew
    return {
        "status": "error",
        "message": {
            "message": message,
            "error": phrase,
            "status_code": status,
            "statusCode": status,
        },
    }


def _message(problem: Problem, status: int, ctx: RequestContext) -> str:
    if isinstance(problem, InvalidAudio | UnsupportedMediaType) and status == 415:
        sent = problem.violations[0].received or "no media type"
        return f"Unsupported audio format. Supported formats: WAV, MP3. Received: {sent}"
    if status in (400, 404, 405, 413) and problem.sentences:
        return problem.sentences
    documented = ctx.operation.documented(status)
    message = documented["message"] if documented else problem.sentences
    return message["message"] if isinstance(message, dict) else message or f"status {status}"


def _wants_object(ctx: RequestContext) -> bool:
    found = _EDITION.search(ctx.headers.get("user-agent"))
    return found is not None and tuple(map(int, found.groups())) >= OBJECTS_SINCE


async def admit(ctx: RequestContext) -> None:
    if ctx.operation.id == "create_cloned_voice" and ctx.account.tier == "free":
        raise Forbidden


provider = Provider(
    "supertone",
    "Supertone",
    error,
    admit,
    env={},  # the SDKs read no environment variables
    base_url_argument="server_url",
    account={"tier": "starter", "credit": 100_000.0},
    limits={
        "clones": RateLimit(("create_cloned_voice",), CLONES, CLONES_PER),
        "speeches": RateLimit(("create_speech", "stream_speech"), SPEECHES, SPEECHES_PER),
    },
    collections={
        CUSTOM: Collection(
            "#/components/schemas/CustomVoice",
            "voice_id",
            lambda ids: f"voice_{ids.token('supertone planted', 20)}",
        )
    },
)


# --- custom voices -------------------------------------------------------------------------------


@provider.operation("create_cloned_voice")
async def create_cloned_voice(ctx: RequestContext) -> JSON:
    voice_id = f"voice_{ctx.ids.token('supertone voice', 20)}"
    description = ctx.fields.get("description", "")
    data = {"voice_id": voice_id, "name": ctx.fields["name"], "description": description}
    ctx.add(CUSTOM, voice_id, data)
    return {"voice_id": voice_id}


@provider.operation("list_custom_voices")
async def list_custom_voices(ctx: RequestContext) -> JSON:
    return _offset_page(ctx, "items", [each.data for each in await ctx.all(CUSTOM)])


@provider.operation("search_custom_voices")
async def search_custom_voices(ctx: RequestContext) -> JSON:
    found = [each.data for each in await ctx.all(CUSTOM) if _says(ctx, each.data)]
    return _offset_page(ctx, "items", found)


def _offset_page(ctx: RequestContext, name: str, found: list[Data]) -> JSON:
    """One page; the token of the next is the number of what comes before it."""
    begin = int(ctx.parameters.get("next_page_token", 0))
    end = begin + int(ctx.parameters["page_size"])
    page: Data = {name: found[begin:end], "total": len(found)}
    return {**page, "next_page_token": str(end)} if end < len(found) else page


def _says(ctx: RequestContext, data: Data) -> bool:
    """Whether name and description hold all the words that are searched for."""
    return all(
        word in data[member].lower()
        for member in ("name", "description")
        for word in ctx.parameters.get(member, "").lower().split()
    )


async def _find(ctx: RequestContext) -> Record:
    voice = await ctx.find(CUSTOM, ctx.parameters["voice_id"])
    if voice is None:
        raise NotFound("Voice not found")
    return voice


@provider.operation("get_custom_voice")
async def get_custom_voice(ctx: RequestContext) -> JSON:
    return (await _find(ctx)).data


@provider.operation("edit_custom_voice")
async def edit_custom_voice(ctx: RequestContext) -> JSON:
    voice = await _find(ctx)
    changed = {k: v for k, v in ctx.fields.items() if k in ("name", "description")}
    return ctx.update(voice, **changed)


@provider.operation("delete_custom_voice")
async def delete_custom_voice(ctx: RequestContext) -> None:
    ctx.remove(await _find(ctx))


# --- preset voices -------------------------------------------------------------------------------


@provider.operation("list_voices", stateful=False)
async def list_voices(ctx: RequestContext) -> JSON:
    return _token_page(ctx, [*STOCK])


@provider.operation("search_voices", stateful=False)
async def search_voices(ctx: RequestContext) -> JSON:
    return _token_page(ctx, [each for each in STOCK if _says(ctx, each) and _matches(ctx, each)])


def _matches(ctx: RequestContext, voice: Data) -> bool:
    """Whether a voice has what is filtered for: with commas any of it, with semicolons all."""
    members = {"style": "styles", "model": "models"}
    for name in ("language", "gender", "age", "use_case", "use_cases", "style", "model"):
        wanted = ctx.parameters.get(name)
        if wanted is not None:
            has = voice[members.get(name, name)]
            has = set(has) if isinstance(has, list) else {has}
            every = name == "style" and ";" in wanted
            asked = {part.strip() for part in wanted.split(";" if every else ",")}
            if not (asked <= has if every else asked & has):
                return False
    return True


def _token_page(ctx: RequestContext, found: list[Data]) -> JSON:
    """One page; the token of the next is opaque, and made of the last id."""
    token, size = ctx.parameters.get("next_page_token"), int(ctx.parameters["page_size"])
    begin = next((i + 1 for i, each in enumerate(found) if _token(each) == token), 0)
    items = found[begin : begin + size]
    page = {"items": [_with_samples(ctx, each) for each in items], "total": len(found)}
    return page | ({"next_page_token": _token(items[-1])} if begin + size < len(found) else {})


def _token(voice: Data) -> str:
    return urlsafe_b64encode(voice["voice_id"].encode()).decode()


def _with_samples(ctx: RequestContext, voice: Data) -> Data:
    url = ctx.sample_url(voice["voice_id"])
    samples = [
        {"language": voice["language"][0], "style": style, "model": voice["models"][0], "url": url}
        for style in voice["styles"]
    ]
    return {**voice, "samples": samples}


@provider.operation("get_voice", stateful=False)
async def get_voice(ctx: RequestContext) -> JSON:
    for voice in STOCK:
        if voice["voice_id"] == ctx.parameters["voice_id"]:
            return _with_samples(ctx, voice)
    raise NotFound("Voice not found")


# --- speech --------------------------------------------------------------------------------------


async def _speaker(ctx: RequestContext) -> str:
    """The name of the voice that is to speak; another account's is forbidden, others unknown."""
    voice_id = ctx.parameters["voice_id"]
    for voice in STOCK:
        if voice["voice_id"] == voice_id:
            return str(voice["name"])
    custom = await ctx.find(CUSTOM, voice_id)
    if custom:
        return str(custom.data["name"])
    if await ctx.exists(CUSTOM, voice_id):
        raise Forbidden
    raise NotFound("Voice not found")


def _utterance(ctx: RequestContext) -> Utterance:
    settings = ctx.fields.get("voice_settings", {})
    return Utterance(
        ctx.fields["text"],
        f"{ctx.parameters['voice_id']} {ctx.fields.get('style', '')}",
        settings.get("speed", 1.0),
        settings.get("pitch_shift", 0.0),
        settings.get("duration", 0.0),
    )


async def _say(ctx: RequestContext) -> tuple[Utterance, dict[str, str]]:
    """What is said, paid for and written down, and the headers that come with it."""
    name, utterance = await _speaker(ctx), _utterance(ctx)
    if not ctx.spend(utterance.length):
        raise PaymentRequired
    used = {
        "at": ctx.now,
        "voice_id": ctx.parameters["voice_id"],
        "voice_name": name,
        "api_key": ctx.account.key,
        "style": ctx.fields.get("style", ""),
        "language": ctx.fields["language"],
        "model": ctx.fields["model"],
        "minutes": utterance.length / 60,
    }
    ctx.add_usage(used)
    return utterance, {"X-Audio-Length": f"{utterance.length:g}"}


def _pieces(utterance: Utterance, format: str) -> Iterator[bytes]:
    if format == "mp3":
        yield from mp3_pieces(utterance, RATE)
        return
    yield wav_header(2 * round(utterance.length * RATE), RATE)
    yield from pcm_pieces(utterance, RATE)


def _phonemes(tones: list[Tone]) -> JSON:
    return {
        "symbols": [tone.symbol for tone in tones],
        "start_times_seconds": [tone.start for tone in tones],
        "durations_seconds": [tone.seconds for tone in tones],
    }


def _audio_type(ctx: RequestContext) -> str:
    return "audio/mpeg" if ctx.fields["output_format"] == "mp3" else "audio/wav"


@provider.operation("create_speech")
async def create_speech(ctx: RequestContext) -> Response:
    utterance, headers = await _say(ctx)
    sound = b"".join(_pieces(utterance, ctx.fields["output_format"]))
    if not ctx.fields["include_phonemes"]:
        return Response(sound, media_type=_audio_type(ctx), headers=headers)
    body = {
        "audio_base64": b64encode(sound).decode(),
        "phonemes": _phonemes([*utterance.tones()]),
    }
    return Response(body, media_type="application/json", headers=headers)


@provider.operation("stream_speech")
async def stream_speech(ctx: RequestContext) -> Response:
    utterance, headers = await _say(ctx)
    headers |= {"Cache-Control": "no-cache", "X-Content-Type-Options": "nosniff"}
    pieces = _pieces(utterance, ctx.fields["output_format"])
    if not ctx.fields["include_phonemes"]:
        return Response(pieces, media_type=_audio_type(ctx), headers=headers)
    lines = _lines(pieces, [*utterance.tones()])
    return Response(lines, media_type="application/x-ndjson", headers=headers)


def _lines(pieces: Iterator[bytes], tones: list[Tone]) -> Iterator[bytes]:
    """Sound and phonemes in turn, a line each: one of the two is null."""
    for number, piece in enumerate(pieces):
        yield _line(audio_base64=b64encode(piece).decode(), phonemes=None)
        if number < len(tones):
            yield _line(audio_base64=None, phonemes=_phonemes([tones[number]]))
    rest = tones[number + 1 :]
    if rest:
        yield _line(audio_base64=None, phonemes=_phonemes(rest))


def _line(**members: Any) -> bytes:
    return dumps(members, ensure_ascii=False).encode() + b"\n"


@provider.operation("predict_duration")
async def predict_duration(ctx: RequestContext) -> JSON:
    await _speaker(ctx)
    if ctx.account.credit is not None and ctx.account.credit <= 0:
        raise PaymentRequired
    return {"duration": _utterance(ctx).length}


# --- usage ---------------------------------------------------------------------------------------


@provider.operation("get_credit_balance")
async def get_credit_balance(ctx: RequestContext) -> JSON:
    return {"balance": ctx.account.credit}


@provider.operation("get_voice_usage")
async def get_voice_usage(ctx: RequestContext) -> JSON:
    first, last = ctx.parameters["start_date"], ctx.parameters["end_date"]
    days: dict[tuple[str, ...], Data] = {}
    for used in await ctx.usage():
        date = datetime.fromtimestamp(used["at"], UTC).date().isoformat()
        if first <= date <= last:
            key = (date, *(used[name] for name in ("voice_id", "style", "language", "model")))
            row = days.setdefault(
                key,
                {
                    "date": date,
                    "voice_id": used["voice_id"],
                    "name": used["voice_name"],
                    "style": used["style"],
                    "language": used["language"],
                    "model": used["model"],
                    "total_minutes_used": 0.0,
                },
            )
            row["total_minutes_used"] += used["minutes"]
    return {"usages": [*days.values()]}


@provider.operation("get_usage")
async def get_usage(ctx: RequestContext) -> JSON:
    first, last = (datetime.fromisoformat(ctx.parameters[n]) for n in ("start_time", "end_time"))
    if last < first:
        message = "must not be before start_time"
        raise ValidationFailed("", Violation("query", "/end_time", "minimum", message))
    width = timedelta(hours=1) if ctx.parameters["bucket_width"] == "hour" else timedelta(days=1)
    names = ctx.parameters.get("breakdown_type", [])
    total = max(-(-(last - first) // width), 1)
    begin = int(ctx.parameters.get("next_page_token", 0))
    end = min(begin + int(ctx.parameters["page_size"]), total)
    usage = await ctx.usage()
    buckets = []
    for number in range(begin, end):
        starting = first + number * width
        ending = min(starting + width, last) if number == total - 1 else starting + width
        buckets.append({
            "starting_at": starting.isoformat(),
            "ending_at": ending.isoformat(),
            "results": _results(usage, starting, ending, names),
        })  # fmt: skip
    page: Data = {"data": buckets, "total": total}
    return {**page, "next_page_token": str(end)} if end < total else page


def _results(
    usage: Sequence[Mapping[str, Any]], starting: datetime, ending: datetime, names: list[str]
) -> list[Data]:
    rows: dict[tuple[str, ...], Data] = {}
    for used in usage:
        if starting.timestamp() <= used["at"] < ending.timestamp():
            what = {name: used[name] for name in names}
            row = rows.setdefault(tuple(what.values()), {**what, "minutes_used": 0.0})
            row["minutes_used"] += used["minutes"]
    return [*rows.values()]

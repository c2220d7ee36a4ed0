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
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from http import HTTPStatus
from json import dumps
from typing import Any

from ..errors import (
    BadAudio,
    Forbidden,
    Invalid,
    NotFound,
    PaymentRequired,
    Problem,
    Violation,
    WrongMediaType,
)
from ..openapi.lift import JSON
from ..provider import Answer, Call, Collection, Limit, Provider
from ..sandbox.voices import Data, Record
from ..speech import Tone, Utterance, mp3_pieces, pcm_pieces, wav_header

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


def error(problem: Problem, status: int, call: Call) -> JSON:
    """The documented message, or what is wrong where the client can mend it."""
    message = _message(problem, status, call)
    if status in (400, 415) and not _wants_object(call):
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


def _message(problem: Problem, status: int, call: Call) -> str:
    if isinstance(problem, BadAudio | WrongMediaType) and status == 415:
        sent = problem.violations[0].got or "no media type"
        return f"Unsupported audio format. Supported formats: WAV, MP3. Received: {sent}"
    if status in (400, 404, 405, 413) and problem.sentences:
        return problem.sentences
    documented = call.operation.documented(status)
    message = documented["message"] if documented else problem.sentences
    return message["message"] if isinstance(message, dict) else message or f"status {status}"


def _wants_object(call: Call) -> bool:
    found = _EDITION.search(call.headers.get("user-agent"))
    return found is not None and tuple(map(int, found.groups())) >= OBJECTS_SINCE


async def admit(call: Call) -> None:
    if call.operation.id == "create_cloned_voice" and call.account.tier == "free":
        raise Forbidden


provider = Provider(
    "supertone",
    "Supertone",
    error,
    admit,
    account={"tier": "starter", "credit": 100_000.0},
    limits={
        "clones": Limit(("create_cloned_voice",), CLONES, CLONES_PER),
        "speeches": Limit(("create_speech", "stream_speech"), SPEECHES, SPEECHES_PER),
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
async def create_cloned_voice(call: Call) -> JSON:
    voice_id = f"voice_{call.sandbox.ids.token('supertone voice', 20)}"
    description = call.fields.get("description", "")
    data = {"voice_id": voice_id, "name": call.fields["name"], "description": description}
    await call.add(CUSTOM, voice_id, data)
    return {"voice_id": voice_id}


@provider.operation("list_custom_voices")
async def list_custom_voices(call: Call) -> JSON:
    return _offset_page(call, "items", [each.data for each in await call.all(CUSTOM)])


@provider.operation("search_custom_voices")
async def search_custom_voices(call: Call) -> JSON:
    found = [each.data for each in await call.all(CUSTOM) if _says(call, each.data)]
    return _offset_page(call, "items", found)


def _offset_page(call: Call, name: str, found: list[Data]) -> JSON:
    """One page; the token of the next is the number of what comes before it."""
    begin = int(call.parameters.get("next_page_token", 0))
    end = begin + int(call.parameters["page_size"])
    page: Data = {name: found[begin:end], "total": len(found)}
    return {**page, "next_page_token": str(end)} if end < len(found) else page


def _says(call: Call, data: Data) -> bool:
    """Whether name and description hold all the words that are searched for."""
    return all(
        word in data[member].lower()
        for member in ("name", "description")
        for word in call.parameters.get(member, "").lower().split()
    )


async def _find(call: Call) -> Record:
    voice = await call.find(CUSTOM, call.parameters["voice_id"])
    if voice is None:
        raise NotFound("Voice not found")
    return voice


@provider.operation("get_custom_voice")
async def get_custom_voice(call: Call) -> JSON:
    return (await _find(call)).data


@provider.operation("edit_custom_voice")
async def edit_custom_voice(call: Call) -> JSON:
    voice = await _find(call)
    changed = {k: v for k, v in call.fields.items() if k in ("name", "description")}
    await call.sandbox.voices.update(voice, lambda data: {**data, **changed})
    return voice.data


@provider.operation("delete_custom_voice")
async def delete_custom_voice(call: Call) -> None:
    await call.sandbox.voices.remove(await _find(call))


# --- preset voices -------------------------------------------------------------------------------


@provider.operation("list_voices", remembers=False)
async def list_voices(call: Call) -> JSON:
    return _token_page(call, [*STOCK])


@provider.operation("search_voices", remembers=False)
async def search_voices(call: Call) -> JSON:
    return _token_page(call, [each for each in STOCK if _says(call, each) and _matches(call, each)])


def _matches(call: Call, voice: Data) -> bool:
    """Whether a voice has what is filtered for: with commas any of it, with semicolons all."""
    members = {"style": "styles", "model": "models"}
    for name in ("language", "gender", "age", "use_case", "use_cases", "style", "model"):
        wanted = call.parameters.get(name)
        if wanted is not None:
            has = voice[members.get(name, name)]
            has = set(has) if isinstance(has, list) else {has}
            every = name == "style" and ";" in wanted
            asked = {part.strip() for part in wanted.split(";" if every else ",")}
            if not (asked <= has if every else asked & has):
                return False
    return True


def _token_page(call: Call, found: list[Data]) -> JSON:
    """One page; the token of the next is opaque, and made of the last id."""
    token, size = call.parameters.get("next_page_token"), int(call.parameters["page_size"])
    begin = next((i + 1 for i, each in enumerate(found) if _token(each) == token), 0)
    items = found[begin : begin + size]
    page = {"items": [_with_samples(call, each) for each in items], "total": len(found)}
    return page | ({"next_page_token": _token(items[-1])} if begin + size < len(found) else {})


def _token(voice: Data) -> str:
    return urlsafe_b64encode(voice["voice_id"].encode()).decode()


def _with_samples(call: Call, voice: Data) -> Data:
    url = call.sound_url(voice["voice_id"])
    samples = [
        {"language": voice["language"][0], "style": style, "model": voice["models"][0], "url": url}
        for style in voice["styles"]
    ]
    return {**voice, "samples": samples}


@provider.operation("get_voice", remembers=False)
async def get_voice(call: Call) -> JSON:
    for voice in STOCK:
        if voice["voice_id"] == call.parameters["voice_id"]:
            return _with_samples(call, voice)
    raise NotFound("Voice not found")


# --- speech --------------------------------------------------------------------------------------


async def _speaker(call: Call) -> str:
    """The name of the voice that is to speak; another account's is forbidden, others unknown."""
    voice_id = call.parameters["voice_id"]
    for voice in STOCK:
        if voice["voice_id"] == voice_id:
            return str(voice["name"])
    custom = await call.find(CUSTOM, voice_id)
    if custom:
        return str(custom.data["name"])
    if any(each.id == voice_id and each.collection == CUSTOM for each in call.sandbox.voices):
        raise Forbidden
    raise NotFound("Voice not found")


def _utterance(call: Call) -> Utterance:
    settings = call.fields.get("voice_settings", {})
    return Utterance(
        call.fields["text"],
        f"{call.parameters['voice_id']} {call.fields.get('style', '')}",
        settings.get("speed", 1.0),
        settings.get("pitch_shift", 0.0),
        settings.get("duration", 0.0),
    )


async def _say(call: Call) -> tuple[Utterance, dict[str, str]]:
    """What is said, paid for and written down, and the headers that come with it."""
    name, utterance = await _speaker(call), _utterance(call)
    if not await call.sandbox.accounts.spend(call.account, utterance.length):
        raise PaymentRequired
    used = {
        "at": call.sandbox.clock.now(),
        "voice_id": call.parameters["voice_id"],
        "voice_name": name,
        "api_key": call.account.key,
        "style": call.fields.get("style", ""),
        "language": call.fields["language"],
        "model": call.fields["model"],
        "minutes": utterance.length / 60,
    }
    await call.sandbox.accounts.note(call.account, used)
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


def _audio_type(call: Call) -> str:
    return "audio/mpeg" if call.fields["output_format"] == "mp3" else "audio/wav"


@provider.operation("create_speech")
async def create_speech(call: Call) -> Answer:
    utterance, headers = await _say(call)
    sound = b"".join(_pieces(utterance, call.fields["output_format"]))
    if not call.fields["include_phonemes"]:
        return Answer(sound, media_type=_audio_type(call), headers=headers)
    body = {
        "audio_base64": b64encode(sound).decode(),
        "phonemes": _phonemes([*utterance.tones()]),
    }
    return Answer(body, media_type="application/json", headers=headers)


@provider.operation("stream_speech")
async def stream_speech(call: Call) -> Answer:
    utterance, headers = await _say(call)
    headers |= {"Cache-Control": "no-cache", "X-Content-Type-Options": "nosniff"}
    pieces = _pieces(utterance, call.fields["output_format"])
    if not call.fields["include_phonemes"]:
        return Answer(pieces, media_type=_audio_type(call), headers=headers)
    lines = _lines(pieces, [*utterance.tones()])
    return Answer(lines, media_type="application/x-ndjson", headers=headers)


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
async def predict_duration(call: Call) -> JSON:
    await _speaker(call)
    if call.account.credit is not None and call.account.credit <= 0:
        raise PaymentRequired
    return {"duration": _utterance(call).length}


# --- usage ---------------------------------------------------------------------------------------


@provider.operation("get_credit_balance")
async def get_credit_balance(call: Call) -> JSON:
    return {"balance": call.account.credit}


@provider.operation("get_voice_usage")
async def get_voice_usage(call: Call) -> JSON:
    first, last = call.parameters["start_date"], call.parameters["end_date"]
    days: dict[tuple[str, ...], Data] = {}
    for used in call.account.notes:
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
async def get_usage(call: Call) -> JSON:
    first, last = (datetime.fromisoformat(call.parameters[n]) for n in ("start_time", "end_time"))
    if last < first:
        message = "must not be before start_time"
        raise Invalid("", Violation("query", "/end_time", "minimum", message))
    width = timedelta(hours=1) if call.parameters["bucket_width"] == "hour" else timedelta(days=1)
    names = call.parameters.get("breakdown_type", [])
    total = max(-(-(last - first) // width), 1)
    begin = int(call.parameters.get("next_page_token", 0))
    end = min(begin + int(call.parameters["page_size"]), total)
    buckets = []
    for number in range(begin, end):
        starting = first + number * width
        ending = min(starting + width, last) if number == total - 1 else starting + width
        buckets.append({
            "starting_at": starting.isoformat(),
            "ending_at": ending.isoformat(),
            "results": _results(call, starting, ending, names),
        })  # fmt: skip
    page: Data = {"data": buckets, "total": total}
    return {**page, "next_page_token": str(end)} if end < total else page


def _results(call: Call, starting: datetime, ending: datetime, names: list[str]) -> list[Data]:
    rows: dict[tuple[str, ...], Data] = {}
    for used in call.account.notes:
        if starting.timestamp() <= used["at"] < ending.timestamp():
            what = {name: used[name] for name in names}
            row = rows.setdefault(tuple(what.values()), {**what, "minutes_used": 0.0})
            row["minutes_used"] += used["minutes"]
    return [*rows.values()]

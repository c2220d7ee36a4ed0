"""Supertone: custom and preset voices, speech, credit and usage."""

from __future__ import annotations

import io
import json
import wave
from base64 import b64decode
from collections.abc import Iterator
from email.utils import parsedate_to_datetime
from typing import Any

import httpx
import pytest

from mockvoice.audio.detect import sniff
from mockvoice.http.server import Server

from ..conftest import Serve, advance_clock, freeze_clock
from ..contract.contracts import checked_client, editions

KEY = {"x-sup-api-key": "sk_test"}
HELLO = {"text": "Hello there", "language": "en"}
ADAM = "20160a4c5ba38967330c84"  # speaks English, Korean and Japanese with every model


@pytest.fixture
def own(serve: Serve) -> Server:
    """Server with limits and two accounts with little credit."""
    accounts = {"supertone": {"poor": {"credit": 1.0}, "empty": {"credit": 0}}}
    return serve(limits="documented", accounts=accounts)


@pytest.fixture
def http(own: Server) -> Iterator[httpx.Client]:
    with checked_client(f"{own.url}/supertone/v1", editions("supertone")[0], KEY) as client:
        yield client


def clone(http: httpx.Client, wav: bytes, name: str = "n", description: str = "") -> str:
    form = {"name": name, "description": description}
    made = http.post("/custom-voices/cloned-voice", data=form, files={"files": wav})
    return str(made.json()["voice_id"])


def names(response: httpx.Response) -> list[str]:
    return [voice["name"] for voice in response.json()["items"]]


def agatha(http: httpx.Client) -> str:
    return str(http.get("/voices").json()["items"][0]["voice_id"])


# --- custom voices


def test_custom_voice_is_listed_retrieved_edited_and_deleted(
    http: httpx.Client, wav: bytes
) -> None:
    voice_id = clone(http, wav, "before", "warm")
    path = f"/custom-voices/{voice_id}"
    voice = {"voice_id": voice_id, "name": "before", "description": "warm"}
    assert http.get("/custom-voices").json() == {"items": [voice], "total": 1}
    assert http.get(path).json() == voice
    assert http.patch(path, json={"name": "after"}).json() == {**voice, "name": "after"}
    assert http.patch(path, json={"description": ""}).json()["description"] == ""
    assert http.patch(path, json={"voice_id": "x"}).json()["voice_id"] == voice_id
    assert http.patch(path, json={"name": 5}).status_code == 400
    deleted = http.delete(path)
    assert (deleted.status_code, deleted.content) == (204, b"")
    for method in ("GET", "DELETE"):
        assert http.request(method, path).status_code == 404
    assert http.patch(path, json={}).status_code == 404


def test_custom_voices_are_paged_by_offset(serve: Serve, wav: bytes) -> None:
    with httpx.Client(base_url=f"{serve().url}/supertone/v1", headers=KEY) as http:
        for number in range(12):
            clone(http, wav, f"n{number}")
        first = http.get("/custom-voices", params={"page_size": "10.0"})
        assert names(first) == [f"n{number}" for number in range(10)]
        assert first.json()["total"] == 12
        assert first.json()["next_page_token"] == "10"
        query = {"page_size": "10", "next_page_token": "10"}
        second = http.get("/custom-voices", params=query)
        assert names(second) == ["n10", "n11"]
        assert "next_page_token" not in second.json()


@pytest.mark.parametrize(
    "query",
    [{"page_size": "9"}, {"page_size": "101"}, {"page_size": "x"}, {"next_page_token": "-1"}],
)
def test_invalid_page_parameter_returns_400(http: httpx.Client, query: dict[str, str]) -> None:
    assert http.get("/custom-voices", params=query).status_code == 400


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ({"name": "nar"}, ["Narrator", "another Narrator"]),
        ({"name": "nar another"}, ["another Narrator"]),
        ({"name": "nar", "description": "warm"}, ["Narrator"]),
        ({"description": "cold"}, ["x"]),
        ({"name": "nobody"}, []),
        ({}, ["Narrator", "another Narrator", "x"]),
    ],
)
def test_custom_voice_search_matches_all_words(
    http: httpx.Client, wav: bytes, query: dict[str, str], expected: list[str]
) -> None:
    clone(http, wav, "Narrator", "warm and kind")
    clone(http, wav, "another Narrator")
    clone(http, wav, "x", "Cold")
    assert names(http.get("/custom-voices/search", params=query)) == expected


# --- preset voices


def test_preset_voices_have_all_required_fields(http: httpx.Client) -> None:
    page = http.get("/voices").json()
    assert page["total"] == len(page["items"]) > 10
    voice = page["items"][0]
    assert http.get(f"/voices/{voice['voice_id']}").json() == voice
    assert sniff(httpx.get(voice["samples"][0]["url"]).content).format == "wav"
    assert http.get("/voices/nobody").status_code == 404


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ({"gender": "male", "age": "middle-aged"}, ["Bruno"]),
        ({"gender": "male,female", "use_case": "meme,announcement"}, ["Adam", "Bruno"]),
        ({"language": "fr"}, ["Agatha", "Aiden"]),
        ({"style": "normal"}, ["Agatha", "Bruno"]),
        ({"style": "normal;serene"}, ["Agatha"]),
        ({"style": "serene,normal"}, ["Agatha", "Bruno"]),
        ({"model": "sona_speech_2t, sona_speech_3t"}, ["Adam", "Aiden"]),
        ({"model": "supertonic_api_1"}, ["Agatha", "Adam", "Aiden"]),
        ({"use_case": "narration"}, ["Agatha", "Aiden"]),
        ({"use_cases": "announcement"}, ["Bruno"]),
        ({"age": "child"}, []),
        ({"name": "aga"}, ["Agatha"]),
        ({"description": "steady"}, ["Bruno"]),
    ],
)
def test_preset_voice_search_filters(
    http: httpx.Client, query: dict[str, str], expected: list[str]
) -> None:
    assert names(http.get("/voices/search", params=query)) == expected


def test_style_with_commas_and_semicolons_returns_400(http: httpx.Client) -> None:
    assert http.get("/voices/search", params={"style": "a,b;c"}).status_code == 400


def test_preset_voices_are_paged_by_opaque_token(http: httpx.Client) -> None:
    first = http.get("/voices", params={"page_size": 10})
    token = first.json()["next_page_token"]
    second = http.get("/voices", params={"page_size": 10, "next_page_token": token})
    assert len(names(first)) == 10
    assert names(first) + names(second) == names(http.get("/voices"))
    assert "next_page_token" not in second.json()


# --- speech


@pytest.mark.parametrize(("format", "media_type"), [("wav", "audio/wav"), ("mp3", "audio/mpeg")])
@pytest.mark.parametrize("stream", ["", "/stream"])
def test_speech_has_requested_content_type_and_audio_length(
    http: httpx.Client, format: str, media_type: str, stream: str
) -> None:
    response = http.post(
        f"/text-to-speech/{agatha(http)}{stream}",
        json={**HELLO, "output_format": format},
        headers={"Accept": "application/json;q=1, audio/mpeg;q=0.7, audio/wav;q=0"},
    )
    assert response.status_code == 200
    assert response.headers["content-type"] == media_type
    if stream:  # see tests/http/test_trailers.py
        assert response.headers["trailer"] == "X-Audio-Length"
        assert "x-audio-length" not in response.headers
    else:
        assert float(response.headers["x-audio-length"]) == pytest.approx(0.66)
    assert sniff(response.content).format == format
    assert ("transfer-encoding" in response.headers) == bool(stream)


def test_speed_and_duration_set_the_predicted_audio_length(http: httpx.Client) -> None:
    voice = agatha(http)
    for settings, expected in (
        ({}, 0.66),
        ({"speed": 2}, 0.33),
        ({"duration": 5.5}, 5.5),
        ({"duration": 5.5, "speed": 2}, 2.75),
        ({"duration": 5.5, "speed": 0.5}, 11),
    ):
        body = {**HELLO, "voice_settings": settings}
        predicted = http.post(f"/predict-duration/{voice}", json=body).json()["duration"]
        sound = http.post(f"/text-to-speech/{voice}", json=body).content
        with wave.open(io.BytesIO(sound)) as info:
            assert info.getnframes() / info.getframerate() == pytest.approx(expected, abs=0.001)
        assert predicted == pytest.approx(expected)


@pytest.mark.parametrize("model", ["supertonic_api_1", "supertonic_api_3"])
def test_models_with_speed_only_ignore_duration(http: httpx.Client, model: str) -> None:
    settings = {"duration": 5.5, "speed": 2, "pitch_shift": 12}
    body = {**HELLO, "model": model, "voice_settings": settings}
    predicted = http.post(f"/predict-duration/{ADAM}", json=body).json()["duration"]
    assert predicted == pytest.approx(0.33)


@pytest.mark.parametrize(
    ("voice", "fields"),
    [
        (ADAM, {}),  # the guides
        (ADAM, {"model": "supertonic_api_3"}),  # the guide to voice agents
        ("2d5a380030e78fcab0c82a", {"language": "ko", "model": "sona_speech_2_flash"}),
    ],
)
def test_published_examples_speak(http: httpx.Client, voice: str, fields: dict[str, str]) -> None:
    response = http.post(f"/text-to-speech/{voice}", json={**HELLO, **fields})
    assert (response.status_code, sniff(response.content).format) == (200, "wav")


def test_samples_list_the_combinations_that_speak(http: httpx.Client) -> None:
    voices = http.get("/voices").json()["items"]
    combinations = {
        voice["voice_id"]: {(s["language"], s["style"], s["model"]) for s in voice["samples"]}
        for voice in voices
    }
    assert combinations["0000005a7e01"] == {
        ("en", "neutral", "sona_speech_1"),
        ("ko", "neutral", "sona_speech_1"),
    }
    assert ("fr", "serene", "sona_speech_2") in combinations["a4cf2a1b8e7d"]
    for language, style, model, expected in (
        ("fr", "serene", "sona_speech_2", 200),
        ("fr", "serene", "sona_speech_1", 400),
        ("fr", "happy", "sona_speech_2", 400),
        ("hr", "serene", "sona_speech_2", 400),
        ("en", "serene", "supertonic_api_3", 400),
    ):
        body = {"text": "Hello", "language": language, "style": style, "model": model}
        response = http.post("/text-to-speech/a4cf2a1b8e7d", json=body)
        assert response.status_code == expected
        is_listed = (language, style, model) in combinations["a4cf2a1b8e7d"]
        assert is_listed == (expected == 200)


def test_clone_speaks_every_language_of_the_model(http: httpx.Client, wav: bytes) -> None:
    path = f"/text-to-speech/{clone(http, wav)}"
    for model, language, expected in (
        ("sona_speech_1", "ja", 200),
        ("sona_speech_1", "fr", 400),
        ("sona_speech_2", "fr", 200),
        ("sona_speech_2", "uk", 400),
        ("supertonic_api_3", "uk", 200),
    ):
        body = {"text": "Hello", "language": language, "model": model, "style": "any"}
        assert http.post(path, json=body).status_code == expected


def test_omitted_style_is_the_first_of_the_voice(http: httpx.Client) -> None:
    path = "/text-to-speech/a4cf2a1b8e7d"
    first = http.post(path, json={**HELLO, "style": "kind-default"}).content
    assert http.post(path, json=HELLO).content == first
    assert http.post(path, json={**HELLO, "style": "serene"}).content != first
    today = http.get("/credits").headers["date"]
    date = parsedate_to_datetime(today).date().isoformat()
    usages = http.get("/voice-usage", params={"start_date": date, "end_date": date}).json()
    assert {usage["style"] for usage in usages["usages"]} == {"kind-default", "serene"}


def test_speech_with_phonemes_returns_json(http: httpx.Client) -> None:
    body = {**HELLO, "include_phonemes": True}
    response = http.post(f"/text-to-speech/{agatha(http)}", json=body)
    assert response.headers["content-type"] == "application/json"
    answer = response.json()
    assert sniff(b64decode(answer["audio_base64"])).problem == ""
    phonemes = answer["phonemes"]
    assert phonemes["symbols"] == [*"Hello there"]
    assert sum(phonemes["durations_seconds"]) == pytest.approx(0.66)
    assert phonemes["start_times_seconds"] == sorted(phonemes["start_times_seconds"])


def test_stream_with_phonemes_returns_lines_with_one_null_member(http: httpx.Client) -> None:
    for format in ("wav", "mp3"):
        body = {**HELLO, "include_phonemes": True, "output_format": format}
        response = http.post(f"/text-to-speech/{agatha(http)}/stream", json=body)
        assert response.headers["content-type"] == "application/x-ndjson"
        lines = [json.loads(line) for line in response.text.splitlines()]
        assert all((line["audio_base64"] is None) != (line["phonemes"] is None) for line in lines)
        audio = b"".join(b64decode(line["audio_base64"]) for line in lines if line["audio_base64"])
        assert sniff(audio).format == format
        symbols = [s for line in lines if line["phonemes"] for s in line["phonemes"]["symbols"]]
        assert symbols == [*"Hello there"]


def test_speech_with_clone_of_other_account_returns_403_and_deleted_clone_404(
    http: httpx.Client, wav: bytes
) -> None:
    voice_id = clone(http, wav)
    path = f"/text-to-speech/{voice_id}"
    assert http.post(path, json=HELLO).status_code == 200
    other = {"x-sup-api-key": "other"}
    assert http.post(path, json=HELLO, headers=other).status_code == 403
    http.delete(f"/custom-voices/{voice_id}")
    assert http.post(path, json=HELLO).status_code == 404


def test_speech_with_configured_clone_of_other_account_returns_403(serve: Serve) -> None:
    server = serve(voices=[{"provider": "supertone", "account": "other"}])
    owner, stranger = ({"x-sup-api-key": key} for key in ("other", "K"))
    with httpx.Client(base_url=f"{server.url}/supertone/v1") as http:
        (voice,) = http.get("/custom-voices", headers=owner).json()["items"]
        path, clone_path = (
            f"/{p}/{voice['voice_id']}" for p in ("text-to-speech", "custom-voices")
        )
        assert http.post(path, json=HELLO, headers=owner).status_code == 200
        assert http.post(path, json=HELLO, headers=stranger).status_code == 403
        assert http.patch(clone_path, json={"name": "n"}, headers=owner).status_code == 200
        assert http.post(path, json=HELLO, headers=stranger).status_code == 403
        assert http.delete(clone_path, headers=owner).status_code == 204
        assert http.post(path, json=HELLO, headers=stranger).status_code == 404


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        ({"text": "x" * 301}, "text must be at most 300 characters long; got 301"),
        ({"text": ""}, "text must not be empty"),
        ({"text": "# Title"}, "text must not contain #; got "),
        ({"language": "xx"}, "language must be one of en, ko"),
        ({"model": "x"}, "model must be one of sona_speech_1"),
        ({"voice_settings": {"speed": 3}}, "voice_settings.speed must be at most 2; got 3"),
    ],
)
def test_invalid_speech_request_returns_400(
    http: httpx.Client, changed: dict[str, Any], message: str
) -> None:
    response = http.post(f"/text-to-speech/{agatha(http)}", json={**HELLO, **changed})
    assert response.status_code == 400
    assert response.json()["message"].startswith(message)


# --- credit and usage


def test_speech_spends_credit_until_402(http: httpx.Client) -> None:
    poor, voice = {"x-sup-api-key": "poor"}, agatha(http)
    assert http.get("/credits", headers=poor).json() == {"balance": 1.0}
    path = f"/text-to-speech/{voice}"
    assert http.post(path, json=HELLO, headers=poor).status_code == 200
    assert http.get("/credits", headers=poor).json()["balance"] == pytest.approx(0.34)
    for stream in ("", "/stream"):
        refused = http.post(path + stream, json=HELLO, headers=poor)
        assert refused.status_code == 402
        assert refused.json()["message"]["message"] == "Not enough credits"
    empty = {"x-sup-api-key": "empty"}
    assert http.post(f"/predict-duration/{voice}", json=HELLO, headers=empty).status_code == 402
    assert http.get("/credits").json() == {"balance": 100_000.0}


def test_speech_over_rate_of_tier_returns_429(http: httpx.Client, own: Server) -> None:
    path = f"/text-to-speech/{agatha(http)}"
    statuses = [http.post(path, json=HELLO).status_code for _ in range(21)]
    assert statuses == [200] * 20 + [429]
    advance_clock(own, 60)
    assert http.post(path, json=HELLO).status_code == 200


def test_usage_is_grouped_by_voice_and_by_time(http: httpx.Client, own: Server) -> None:
    freeze_clock(own, 1_704_067_200.0 + 3600)  # 2024-01-01 01:00 UTC
    voice = agatha(http)
    for _ in range(2):
        http.post(f"/text-to-speech/{voice}", json=HELLO)
    advance_clock(own, 86_400)
    http.post(f"/text-to-speech/{voice}", json={**HELLO, "model": "sona_speech_2"})
    dates = {"start_date": "2024-01-01", "end_date": "2024-01-01"}
    (usage,) = http.get("/voice-usage", params=dates).json()["usages"]
    assert usage["name"] == "Agatha"
    assert usage["total_minutes_used"] == pytest.approx(2 * 0.66 / 60)
    times = {"start_time": "2024-01-01T00:00:00+00:00", "end_time": "2024-01-03T00:00:00+00:00"}
    query = {**times, "breakdown_type": ["model", "voice_name"]}
    days = http.get("/usage", params=query).json()
    assert days["total"] == 2
    assert [[row["model"] for row in day["results"]] for day in days["data"]] == [
        ["sona_speech_1"],
        ["sona_speech_2"],
    ]
    assert days["data"][0]["results"][0]["minutes_used"] == pytest.approx(2 * 0.66 / 60)
    hours = http.get("/usage", params={**times, "bucket_width": "hour", "page_size": 3.0}).json()
    assert hours["total"] == 48
    assert [len(hour["results"]) for hour in hours["data"]] == [0, 1, 0]
    assert hours["data"][1]["starting_at"] == "2024-01-01T01:00:00+00:00"
    assert hours["next_page_token"] == "3"
    last = {**times, "bucket_width": "hour", "next_page_token": "40"}
    assert "next_page_token" not in http.get("/usage", params=last).json()


@pytest.mark.parametrize(
    ("path", "query"),
    [
        ("/usage", {"start_time": "yesterday", "end_time": "2024-01-01T00:00:00Z"}),
        ("/usage", {"start_time": "2024-01-02T00:00:00Z", "end_time": "2024-01-01T00:00:00Z"}),
        ("/usage", {"start_time": "2024-01-02T00:00:00Z"}),
        ("/voice-usage", {"start_date": "2024-13-01", "end_date": "2024-01-01"}),
    ],
)
def test_invalid_usage_time_returns_400(
    http: httpx.Client, path: str, query: dict[str, str]
) -> None:
    assert http.get(path, params=query).status_code == 400


@pytest.mark.parametrize(
    ("start", "end", "total", "first", "last"),
    [
        (
            "2016-12-31T00:00:00Z",
            "2016-12-31T23:59:60Z",
            1,
            "2016-12-31T00:00:00+00:00",
            "2017-01-01T00:00:00+00:00",
        ),
        (
            "2016-12-31T15:59:60-08:00",
            "2017-01-01T15:59:59.5-08:00",
            1,
            "2016-12-31T16:00:00-08:00",
            "2017-01-01T15:59:59.500000-08:00",
        ),
        (
            "2024-01-01t00:00:00z",
            "2024-01-02t12:00:00z",
            2,
            "2024-01-01T00:00:00+00:00",
            "2024-01-02T12:00:00+00:00",
        ),
        (
            "9999-12-31T12:00:00Z",
            "9999-12-31T23:59:60Z",
            1,
            "9999-12-31T12:00:00+00:00",
            "9999-12-31T23:59:59+00:00",
        ),
        (
            "0001-01-01T00:00:00+23:59",
            "0001-01-01T00:00:00+23:59",
            1,
            "0001-01-01T00:00:00+23:59",
            "0001-01-01T00:00:00+23:59",
        ),
    ],
)
def test_usage_accepts_every_rfc_3339_time(
    http: httpx.Client, start: str, end: str, total: int, first: str, last: str
) -> None:
    response = http.get("/usage", params={"start_time": start, "end_time": end})
    assert response.status_code == 200
    usage = response.json()
    assert usage["total"] == len(usage["data"]) == total
    assert usage["data"][0]["starting_at"] == first
    assert usage["data"][-1]["ending_at"] == last


def test_last_page_of_all_hours_until_the_year_9999(http: httpx.Client) -> None:
    times = {"start_time": "0001-01-01T00:00:00Z", "end_time": "9999-12-31T23:59:59Z"}
    query = {**times, "bucket_width": "hour", "next_page_token": "87649415"}
    (bucket,) = http.get("/usage", params=query).json()["data"]
    assert bucket["starting_at"] == "9999-12-31T23:00:00+00:00"
    assert bucket["ending_at"] == "9999-12-31T23:59:59+00:00"

"""Faseeh: previews, clones, speech and the wallet."""

from __future__ import annotations

import io
import wave
from collections.abc import Iterator
from typing import Any

import httpx
import pytest

from mockvoice.audio.detect import sniff

from ..conftest import Serve
from ..contract.contracts import checked_client, editions

PREVIEW = {
    "text": "مرحبا بك في فصيح",
    "similarity": "0.8",
    "model_id": "faseeh-v1-preview",
}
CLONE = {"text": "مرحبا بك في فصيح", "stability": "0.5", "name": "n", "model": "faseeh-v1-preview"}
SPEAK = "/text-to-speech/faseeh-v1-preview"


@pytest.fixture
def http(serve: Serve) -> Iterator[httpx.Client]:
    accounts = {
        "faseeh": {
            "poor": {"credit": 0.002},
            "empty": {"credit": 0},
            "mini": {"models": ["faseeh-mini-v1-preview"]},
        }
    }
    url = f"{serve(accounts=accounts).url}/faseeh/api/v1"
    with checked_client(url, editions("faseeh")[0], {"x-api-key": "K"}) as client:
        yield client


def preview(http: httpx.Client, wav: bytes, **fields: str) -> httpx.Response:
    return http.post("/voices/preview", data={**PREVIEW, **fields}, files={"file": wav})


def test_preview_is_cloned_and_speaks(http: httpx.Client, wav: bytes) -> None:
    previewed = preview(http, wav)
    assert previewed.status_code == 200
    assert previewed.headers["content-type"] == "audio/raw;codec=pcm16;rate=24000;channels=1"
    assert previewed.headers["cache-control"] == "no-cache"
    assert previewed.headers["transfer-encoding"] == "chunked"
    assert len(previewed.content) == 2 * round(16 * 0.06 * 24000)
    files = {"voice_file": previewed.content, "reference_audio_file": wav}
    voice = http.post("/voices/clone", data=CLONE, files=files).json()
    assert voice in http.get("/voices").json()
    assert sniff(httpx.get(voice["sample_url"]).content).format == "wav"
    body = {"voice_id": voice["voice_id"], "text": "Hello there"}
    speech = http.post(SPEAK, json={**body, "stability": 0.5, "streaming": False})
    assert speech.headers["content-type"] == "audio/wav"
    assert int(speech.headers["content-length"]) == len(speech.content)
    with wave.open(io.BytesIO(speech.content)) as sound:
        assert (sound.getframerate(), sound.getnframes()) == (24000, round(0.66 * 24000))
    streamed = http.post(SPEAK, json={**body, "streaming": True})
    assert streamed.headers["content-type"] == "audio/raw;codec=pcm16;rate=24000;channels=1"
    assert streamed.content == speech.content[44:]


def test_previews_of_different_samples_differ(
    http: httpx.Client, samples: dict[str, bytes]
) -> None:
    previewed = {preview(http, samples[format]).content for format in ("wav", "mp3", "wav")}
    assert len(previewed) == 2
    assert len(preview(http, samples["wav"], speed="1.2").content) == 2 * round(0.8 * 24000)


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"text": "one two-three"}, "Text must have at least 3 words and 10 characters"),
        ({"text": "a b c"}, "Text must have at least 3 words and 10 characters"),
        ({"text": "a"}, "Text must have at least 3 words and 10 characters"),
        ({"text": ""}, "text is required"),
        ({"similarity": "1.1"}, "similarity must be a number between 0 and 1"),
        ({"similarity": "high"}, "similarity must be a number between 0 and 1"),
        ({"speed": "0.6"}, "speed must be a number between 0.7 and 1.2"),
        ({"model_id": ""}, "model_id is required"),
        (
            {"text": "", "speed": "9"},
            "speed must be a number between 0.7 and 1.2; text is required",
        ),
        ({"model_id": "invalid_model_id"}, "Model not found: invalid_model_id"),
    ],
)
def test_invalid_preview_returns_400(
    http: httpx.Client, wav: bytes, fields: dict[str, str], message: str
) -> None:
    response = preview(http, wav, **fields)
    assert response.status_code == 400
    assert response.json() == {"errorCode": 40001, "errorMessage": message}


def test_preview_of_file_that_is_not_audio_returns_400(http: httpx.Client) -> None:
    response = preview(http, b"Example data")
    assert response.status_code == 400
    assert response.json()["errorMessage"] == "file is required and must be of audio type"


def test_file_over_a_configured_size_is_not_reported_as_another_type(
    serve: Serve, wav: bytes
) -> None:
    url = f"{serve(max_file_mb={'faseeh': 0.001}).url}/faseeh/api/v1"
    with httpx.Client(base_url=url, headers={"x-api-key": "K"}) as http:
        response = preview(http, wav)
    assert response.status_code == 400
    assert response.json()["errorMessage"].startswith("file must have at most 1048 bytes")


@pytest.mark.parametrize("rate", [8000, 22050, 48000])
def test_speech_has_requested_sample_rate(http: httpx.Client, rate: int) -> None:
    body = {"voice_id": "ar-najdi-male-2", "text": "مرحبا", "sample_rate": rate, "speed": 0.7}
    with wave.open(io.BytesIO(http.post(SPEAK, json=body).content)) as sound:
        assert sound.getframerate() == rate
    streamed = http.post(SPEAK, json={**body, "streaming": True})
    assert f"rate={rate};" in streamed.headers["content-type"]


def test_speech_accepts_an_integral_float_as_sample_rate(http: httpx.Client) -> None:
    body = {"voice_id": "ar-najdi-male-2", "text": "Hello", "sample_rate": 16000}
    plain = http.post(SPEAK, json=body)
    speech = http.post(SPEAK, json={**body, "sample_rate": 16000.0})
    assert speech.content == plain.content
    streamed = http.post(SPEAK, json={**body, "sample_rate": 16000.0, "streaming": True})
    assert streamed.headers["content-type"] == "audio/raw;codec=pcm16;rate=16000;channels=1"
    assert streamed.content == plain.content[44:]


@pytest.mark.parametrize("streaming", [False, True])
def test_speech_lasts_at_most_300_seconds(http: httpx.Client, *, streaming: bool) -> None:
    body = {"voice_id": "ar-najdi-male-2", "text": "x" * 6000, "speed": 0.7, "sample_rate": 8000}
    speech = http.post(SPEAK, json={**body, "streaming": streaming})
    assert len(speech.content) == 300 * 2 * 8000 + (0 if streaming else 44)


@pytest.mark.parametrize(
    ("path", "body", "status", "message"),
    [
        ("/text-to-speech/x", {"voice_id": "v", "text": "t"}, 400, "Model not found: x"),
        (SPEAK, {"voice_id": "nobody", "text": "t"}, 404, "Voice not found: nobody"),
        (SPEAK, {"voice_id": "ar-najdi-male-2"}, 400, "text is required"),
        (SPEAK, {"text": "t"}, 400, "voice_id is required"),
        (
            SPEAK,
            {"voice_id": "v", "text": "t", "speed": 2},
            400,
            "speed must be a number between 0.7 and 1.2",
        ),
        (SPEAK, {"voice_id": "v", "text": "t", "dialect": "x"}, 400, "dialect must be one of"),
    ],
)
def test_invalid_speech_request_is_rejected(
    http: httpx.Client, path: str, body: dict[str, Any], status: int, message: str
) -> None:
    response = http.post(path, json=body)
    assert response.status_code == status
    assert response.json()["errorMessage"].startswith(message)


def test_speech_costs_characters_times_cost_of_model(http: httpx.Client, wav: bytes) -> None:
    models = {model["model_id"]: model["cost"] for model in http.get("/models").json()}
    assert models["faseeh-mini-v1-preview"] < models["faseeh-v1-preview"]
    poor = {"x-api-key": "poor"}
    body = {"voice_id": "ar-najdi-male-2", "text": "x" * 15}
    assert http.post(SPEAK, json=body, headers=poor).status_code == 200
    refused = http.post(SPEAK, json=body, headers=poor)
    assert refused.status_code == 402
    assert refused.json() == {
        "errorCode": 40201,
        "errorMessage": "Insufficient wallet balance. Required: $0.0015, Available: $0.0005",
    }
    mini = "/text-to-speech/faseeh-mini-v1-preview"
    assert http.post(mini, json={**body, "text": "x" * 10}, headers=poor).status_code == 200
    empty = {"x-api-key": "empty"}
    assert http.post(SPEAK, json=body, headers=empty).status_code == 402
    assert http.get("/voices", headers=empty).status_code == 200


def test_disabled_model_returns_403(http: httpx.Client) -> None:
    body = {"voice_id": "ar-najdi-male-2", "text": "x"}
    response = http.post(SPEAK, json=body, headers={"x-api-key": "mini"})
    assert response.status_code == 403
    assert response.json()["errorCode"] == 40301


def test_voices_are_separate_by_account(http: httpx.Client, wav: bytes) -> None:
    files = {"voice_file": wav, "reference_audio_file": wav}
    voice = http.post("/voices/clone", data=CLONE, files=files).json()
    other = {"x-api-key": "other"}
    assert voice not in http.get("/voices", headers=other).json()
    body = {"voice_id": voice["voice_id"], "text": "x"}
    assert http.post(SPEAK, json=body, headers=other).status_code == 404

"""Telnyx: clones, designs and speech."""

from __future__ import annotations

import io
import wave
from base64 import b64decode
from collections.abc import Iterator
from typing import Any

import httpx
import pytest

from mockvoice.audio.detect import sniff

from ..conftest import Serve
from ..contract.contracts import check, checked_client, editions
from .test_telnyx import FRIENDLY, only_error, upload

KEY = {"Authorization": "Bearer KEY_test"}
BASE = "/telnyx/v2"
UNKNOWN_ID = "00000000-0000-4000-8000-000000000000"


@pytest.fixture
def http(serve: Serve) -> Iterator[httpx.Client]:
    """Client of a server of this test."""
    with checked_client(f"{serve().url}{BASE}", editions("telnyx")[0], KEY) as client:
        yield client


def clone(http: httpx.Client, name: str, **more: str) -> dict[str, Any]:
    body = {"name": name, "voice_design_id": FRIENDLY, "language": "en", "gender": "male", **more}
    data: dict[str, Any] = http.post("/voice_clones", json=body).json()["data"]
    return data


def design(http: httpx.Client, **fields: Any) -> dict[str, Any]:
    body = {"text": "Hello.", "prompt": "calm", "name": "d", **fields}
    response = http.post("/voice_designs", json=body)
    assert response.status_code == 201
    data: dict[str, Any] = response.json()["data"]
    return data


def names(response: httpx.Response) -> list[str]:
    return [record["name"] for record in response.json()["data"]]


def seconds(data: bytes) -> float:
    with wave.open(io.BytesIO(data)) as sound:
        return float(sound.getnframes() / sound.getframerate())


# --- clones


def test_clones_are_listed_newest_first_in_pages_with_meta(http: httpx.Client) -> None:
    for number in range(5):
        clone(http, f"n{number}")
    page = http.get("/voice_clones", params={"page[size]": 2, "page[number]": 2})
    assert names(page) == ["n2", "n1"]
    assert page.json()["meta"] == {
        "page_number": 2,
        "page_size": 2,
        "total_pages": 3,
        "total_results": 5,
    }
    assert names(http.get("/voice_clones")) == ["n4", "n3", "n2", "n1", "n0"]
    beyond = http.get("/voice_clones", params={"page[number]": 9})
    assert names(beyond) == []
    assert beyond.json()["meta"]["total_pages"] == 1


@pytest.mark.parametrize("sort", ["name", "-name", "created_at", "-created_at"])
def test_pages_merge_configured_shared_and_own_clones_in_any_order(serve: Serve, sort: str) -> None:
    seeds = [{"provider": "telnyx", "data": {"name": name}} for name in "gbxd"]
    server = serve(voices=seeds, clock={"freeze": "2026-01-01T00:00:00Z"})
    with httpx.Client(verify=False, base_url=f"{server.url}{BASE}", headers=KEY) as http:
        configured = http.get("/voice_clones", params={"sort": "name"}).json()["data"]
        http.delete(f"/voice_clones/{configured[2]['id']}")
        http.patch(f"/voice_clones/{configured[3]['id']}", json={"name": "a"})
        for number, name in enumerate("cghafe"):
            clone(http, name)
            at = {"created_at": f"2026-01-0{number % 3 + 1}T00:00:00Z"}
            shared = {"provider": "telnyx", "data": {"name": f"{name}2", **at}, **at}
            httpx.post(f"{server.url}/__mockvoice/voices", json=shared)
        everything = http.get("/voice_clones", params={"sort": sort, "page[size]": 250}).json()
        values = [record[sort.removeprefix("-")] for record in everything["data"]]
        assert len(values) == everything["meta"]["total_results"] == 15
        assert values == sorted(values, reverse=sort.startswith("-"))
        for size in (1, 2, 4, 7):
            query = {"sort": sort, "page[size]": size}
            pages = [
                http.get("/voice_clones", params={**query, "page[number]": number}).json()
                for number in range(1, 15 // size + 3)
            ]
            assert [r for page in pages for r in page["data"]] == everything["data"]
            assert {page["meta"]["total_results"] for page in pages} == {15}


def test_empty_list_has_meta(http: httpx.Client) -> None:
    assert http.get("/voice_clones").json() == {
        "data": [],
        "meta": {"page_number": 1, "page_size": 20, "total_pages": 0, "total_results": 0},
    }


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ({"filter[name]": "B"}, ["ab", "Ba"]),
        ({"filter[provider]": "minimax"}, ["Ba"]),
        ({"filter[provider]": "Telnyx"}, ["c", "ab"]),
        ({"sort": "name"}, ["Ba", "ab", "c"]),
        ({"sort": "-name"}, ["c", "ab", "Ba"]),
        ({"sort": "created_at"}, ["ab", "Ba", "c"]),
        ({"sort": "-created_at"}, ["c", "Ba", "ab"]),
    ],
)
def test_clones_are_filtered_and_sorted(
    http: httpx.Client, query: dict[str, str], expected: list[str]
) -> None:
    clone(http, "ab")
    clone(http, "Ba", provider="Minimax")
    clone(http, "c")
    listed = names(http.get("/voice_clones", params=query))
    assert (listed if "sort" in query else sorted(listed)) == (
        expected if "sort" in query else sorted(expected)
    )


@pytest.mark.parametrize(
    ("query", "pointer"),
    [
        ({"page[size]": "251"}, "/page[size]"),
        ({"page[number]": "0"}, "/page[number]"),
        ({"page[number]": "x"}, "/page[number]"),
        ({"sort": "age"}, "/sort"),
        ({"filter[provider]": "acme"}, "/filter[provider]"),
    ],
)
def test_invalid_list_parameter_returns_422(
    http: httpx.Client, query: dict[str, str], pointer: str
) -> None:
    response = http.get("/voice_clones", params=query)
    assert response.status_code == 422
    assert only_error(response)["source"] == {"pointer": pointer}


@pytest.mark.parametrize("path", ["/voice_clones", "/voice_designs"])
@pytest.mark.parametrize("number", ["9007199254740993", "9223372036854775807", "1e300"])
def test_list_with_huge_page_number_returns_empty_page(
    http: httpx.Client, path: str, number: str
) -> None:
    response = http.get(path, params={"page[number]": number})
    assert response.status_code == 200
    assert response.json()["data"] == []
    assert response.json()["meta"]["page_number"] == pytest.approx(float(number))


def test_clone_is_retrieved_renamed_and_deleted(http: httpx.Client) -> None:
    made = clone(http, "before")
    path = f"/voice_clones/{made['id']}"
    assert http.get(path).json() == {"data": made}
    assert http.get(f"/voice_clones/{made['id'].upper()}").status_code == 200
    changed = http.patch(path, json={"name": "after", "gender": "female"}).json()["data"]
    assert (changed["name"], changed["gender"], changed["language"]) == ("after", "female", "en")
    assert changed["updated_at"] >= made["updated_at"]
    assert http.get(path).json() == {"data": changed}
    assert http.patch(path, json={"gender": "male"}).status_code == 422  # name is required
    assert http.delete(path).status_code == 204
    for method in ("GET", "DELETE"):
        assert http.request(method, path).status_code == 404
    assert http.patch(path, json={"name": "x"}).status_code == 404


@pytest.mark.parametrize("id", [UNKNOWN_ID, "abc", "x" * 300])
@pytest.mark.parametrize("path", ["/voice_clones/{}", "/voice_clones/{}/sample"])
def test_unknown_or_malformed_clone_id_returns_404(http: httpx.Client, path: str, id: str) -> None:
    response = http.get(path.format(id))
    assert response.status_code == 404
    assert only_error(response)["code"] == "10005"


def test_sample_of_uploaded_wav_is_that_wav(http: httpx.Client, wav: bytes) -> None:
    with httpx.Client(base_url=str(http.base_url).removesuffix(f"{BASE}/")) as root:
        made = upload(root, wav).json()["data"]
    response = http.get(f"/voice_clones/{made['id']}/sample")
    assert response.headers["content-type"] == "audio/wav"
    assert response.content == wav


@pytest.mark.parametrize("format", ["mp3", "flac", "ogg", "m4a"])
def test_sample_of_other_upload_is_a_wav_of_the_same_length(
    http: httpx.Client, samples: dict[str, bytes], format: str
) -> None:
    with httpx.Client(base_url=str(http.base_url).removesuffix(f"{BASE}/")) as root:
        made = upload(root, samples[format]).json()["data"]
    sample = http.get(f"/voice_clones/{made['id']}/sample").content
    assert seconds(sample) == pytest.approx(1.0, abs=0.15)


def test_sample_of_clone_of_design_is_a_wav(http: httpx.Client) -> None:
    sample = http.get(f"/voice_clones/{clone(http, 'n')['id']}/sample").content
    assert sniff(sample).problem == ""


def test_clones_are_separate_by_account(http: httpx.Client) -> None:
    made = clone(http, "mine")
    other = {"Authorization": "Bearer other"}
    assert http.get("/voice_clones", headers=other).json()["data"] == []
    for method in ("GET", "DELETE"):
        path = f"/voice_clones/{made['id']}"
        assert http.request(method, path, headers=other).status_code == 404
    assert http.get(f"/voice_clones/{made['id']}").status_code == 200


def test_seeded_clone_without_optional_values_has_a_sample_and_is_listed(
    serve: Serve,
) -> None:
    data = {"label": None, "language": None, "gender": None, "provider_voice_id": None}
    voice = {"provider": "telnyx", "data": {**data, "provider_supported_models": []}}
    with httpx.Client(base_url=serve().url, headers=KEY) as http:
        made = http.post("/__mockvoice/voices", json=voice)
        assert made.status_code == 201
        sample = http.get(f"{BASE}/voice_clones/{made.json()['id']}/sample")
        assert sniff(sample.content).format == "wav"
        voices = http.get(f"{BASE}/text-to-speech/voices")
        check(voices)
        assert voices.json()["voices"][-1]["voice_id"] == "Telnyx"


def test_seeded_design_with_text_that_is_no_string_has_a_sample(serve: Serve) -> None:
    voice = {"provider": "telnyx", "collection": "voice_designs", "data": {"text": 5}}
    with httpx.Client(base_url=serve().url, headers=KEY) as http:
        made = http.post("/__mockvoice/voices", json=voice).json()
        sample = http.get(f"{BASE}/voice_designs/{made['id']}/sample")
        assert sniff(sample.content).format == "wav"


# --- designs


def test_design_is_created_retrieved_by_id_and_name_renamed_and_deleted(http: httpx.Client) -> None:
    made = design(http, name="friendly", text="Hello there.", provider="Minimax")
    assert made["version"] == 1
    assert made["provider"] == "Minimax"
    assert made["prompt"] == "calm"
    for id in (made["id"], made["id"].upper(), "friendly"):
        assert http.get(f"/voice_designs/{id}").json() == {"data": made}
    renamed = http.patch("/voice_designs/friendly", json={"name": "kind"}).json()["data"]
    assert renamed["name"] == "kind"
    assert "version" not in renamed
    assert http.get("/voice_designs/friendly").status_code == 404
    assert http.get("/voice_designs/kind").json()["data"]["text"] == "Hello there."
    assert http.delete("/voice_designs/kind").status_code == 204
    assert http.get(f"/voice_designs/{made['id']}").status_code == 404
    assert http.delete("/voice_designs/kind").status_code == 404


def test_designs_are_listed_as_summaries(http: httpx.Client) -> None:
    made = design(http, name="mine")
    page = http.get("/voice_designs", params={"sort": "-created_at"})
    assert names(page) == ["mine", "friendly-narrator"]
    assert page.json()["data"][0].keys() == {
        "record_type",
        "id",
        "name",
        "provider",
        "provider_supported_models",
        "created_at",
        "updated_at",
    }
    assert page.json()["data"][0]["id"] == made["id"]
    assert names(http.get("/voice_designs", params={"filter[name]": "FRIEND"})) == [
        "friendly-narrator"
    ]


def test_versions_are_added_retrieved_cloned_and_deleted(http: httpx.Client) -> None:
    first = design(http, name="d", prompt="calm")
    second = design(http, voice_design_id=first["id"], prompt="loud", name="ignored")
    assert (second["id"], second["version"], second["name"]) == (first["id"], 2, "d")
    path = f"/voice_designs/{first['id']}"
    assert http.get(path).json()["data"]["prompt"] == "loud"
    assert http.get(path, params={"version": 1}).json()["data"]["prompt"] == "calm"
    assert http.get(path, params={"version": 3}).status_code == 404
    assert http.get(path, params={"version": 0}).status_code == 422
    assert clone(http, "n", voice_design_id=first["id"])["label"] == "loud"
    body = {"voice_design_id": first["id"], "version": 1}
    cloned = clone(http, "n", **body)
    assert (cloned["label"], cloned["source_voice_design_version"]) == ("calm", 1)
    assert http.delete(f"{path}/versions/2").status_code == 204
    assert http.get(path).json()["data"]["version"] == 1
    assert http.delete(f"{path}/versions/2").status_code == 404
    for wrong in ("0", "-1", "x"):
        assert http.delete(f"{path}/versions/{wrong}").status_code == 400
    assert http.delete(f"{path}/versions/1").status_code == 204
    assert http.get(path).status_code == 404
    again = design(http, voice_design_id=first["id"], prompt="new")
    assert again["version"] == 1


def test_fifty_first_version_returns_409(http: httpx.Client) -> None:
    made = design(http)
    for number in range(2, 51):
        assert design(http, voice_design_id=made["id"])["version"] == number
    body = {"text": "x", "prompt": "x", "voice_design_id": made["id"]}
    response = http.post("/voice_designs", json=body)
    assert response.status_code == 409
    assert only_error(response)["code"] == "10012"


@pytest.mark.parametrize(
    ("body", "status", "pointer"),
    [
        ({"text": "x", "prompt": "x"}, 422, "/name"),
        ({"text": "x", "prompt": "x", "name": UNKNOWN_ID}, 422, "/name"),
        ({"prompt": "x", "name": "n"}, 422, "/text"),
        ({"text": "x", "prompt": "x", "name": "n", "temperature": 3}, 422, "/temperature"),
        ({"text": "x", "prompt": "x", "name": "n", "top_k": 0}, 422, "/top_k"),
    ],
)
def test_invalid_design_returns_422(
    http: httpx.Client, body: dict[str, Any], status: int, pointer: str
) -> None:
    response = http.post("/voice_designs", json=body)
    assert response.status_code == status
    assert only_error(response)["source"] == {"pointer": pointer}


def test_version_of_unknown_design_returns_404(http: httpx.Client) -> None:
    body = {"text": "x", "prompt": "x", "voice_design_id": UNKNOWN_ID}
    assert http.post("/voice_designs", json=body).status_code == 404


def test_sample_of_design_has_the_size_in_voice_sample_size(http: httpx.Client) -> None:
    made = design(http, text="Hello, this is a longer text.")
    design(http, voice_design_id=made["id"], text="Short.")
    path = f"/voice_designs/{made['id']}/sample"
    newest, first = http.get(path), http.get(path, params={"version": 1})
    assert len(first.content) == made["voice_sample_size"]
    assert len(newest.content) < len(first.content)
    assert http.get("/voice_designs/nobody/sample").status_code == 404


# --- speech


def say(http: httpx.Client, **body: Any) -> httpx.Response:
    return http.post("/text-to-speech/speech", json={"text": "Hello there", **body})


def test_clone_speaks_by_id_and_name_but_design_does_not(http: httpx.Client) -> None:
    made = clone(http, "my narrator v1.2")
    by_id = say(http, voice=f"Telnyx.Qwen3TTS.{made['id']}")
    assert by_id.status_code == 200
    assert by_id.headers["content-type"] == "audio/mpeg"
    assert by_id.headers["transfer-encoding"] == "chunked"
    assert sniff(by_id.content).format == "mp3"
    assert say(http, voice="telnyx.Qwen3TTS.my narrator v1.2").content == by_id.content
    for design in (FRIENDLY, "friendly-narrator"):
        response = say(http, voice=f"Telnyx.Qwen3TTS.{design}")
        assert response.status_code == 400
        assert only_error(response)["detail"] == f"No clone is {design}"


def test_minimax_clone_speaks_by_provider_voice_id(http: httpx.Client) -> None:
    made = clone(http, "n", provider="minimax")
    voice = f"Minimax.speech-2.8-turbo.{made['provider_voice_id']}"
    assert say(http, voice=voice).status_code == 200
    http.delete(f"/voice_clones/{made['id']}")
    assert say(http, voice=voice).status_code == 400
    assert say(http, voice="Minimax.speech-2.8-turbo.English_Man").status_code == 200


def test_speech_with_deleted_clone_or_clone_of_other_account_returns_400(
    http: httpx.Client,
) -> None:
    made = clone(http, "n")
    voice = f"Telnyx.Qwen3TTS.{made['id']}"
    other = http.post(
        "/text-to-speech/speech",
        json={"text": "x", "voice": voice},
        headers={"Authorization": "Bearer other"},
    )
    assert other.status_code == 400
    http.delete(f"/voice_clones/{made['id']}")
    response = say(http, voice=voice)
    assert response.status_code == 400
    error = only_error(response)
    assert error == {
        "code": "90103",
        "title": "Failed to produce text to speech",
        "detail": f"No clone is {made['id']}",
    }


@pytest.mark.parametrize(
    ("format", "media_type"), [("mp3", "audio/mpeg"), ("wav", "audio/wav"), ("pcm", "audio/pcm")]
)
def test_speech_has_requested_format_and_sampling_rate(
    http: httpx.Client, format: str, media_type: str
) -> None:
    settings = {"response_format": format, "sampling_rate": 16000, "voice_speed": 2}
    response = say(http, provider="telnyx", telnyx=settings)
    assert response.headers["content-type"] == media_type
    if format == "wav":
        with wave.open(io.BytesIO(response.content)) as sound:
            assert sound.getframerate() == 16000
            assert sound.getnframes() / 16000 == pytest.approx(11 * 0.06 / 2, abs=0.001)
    if format == "pcm":
        assert len(response.content) == 2 * round(11 * 0.03 * 16000)


@pytest.mark.parametrize(
    ("voice", "detail"),
    [
        ("Nobody.Model.Voice", "No provider is nobody"),
        ("output_type.x", "No provider is output_type"),
        ("Telnyx.Ultra.00a77add-48d5-4ef6-8157-71e5437b282d", "No clone is 00a77add"),
        ("Telnyx.Bayan.x", "No clone is x"),
        (f"Minimax.speech-2.8-turbo.{'a' * 45}", f"No clone is {'a' * 45}"),
    ],
)
def test_speech_with_unknown_voice_returns_400(http: httpx.Client, voice: str, detail: str) -> None:
    response = say(http, voice=voice)
    assert response.status_code == 400
    error = only_error(response)
    assert error["code"] == "90103"
    assert error["detail"].startswith(detail)


def test_voice_without_a_dot_needs_a_provider(http: httpx.Client) -> None:
    assert say(http, voice="English_Man", provider="Minimax").status_code == 200
    made = clone(http, "my narrator")
    assert say(http, voice=made["id"], provider="telnyx").status_code == 200
    response = say(http, voice="English_Man")
    assert response.status_code == 422
    assert response.json()["errors"] == {
        "voice": ['must be Provider.Voice or Provider.Model.Voice; got "English_Man"']
    }


@pytest.mark.parametrize("provider", ["TELNYX", "Telnyx", "tElNyX"])
def test_provider_is_accepted_in_any_case(http: httpx.Client, provider: str) -> None:
    made = clone(http, "any case", provider=provider)
    assert made["provider"] == "Telnyx"
    listed = http.get("/voice_clones", params={"filter[provider]": provider}).json()["data"]
    assert made in listed
    assert say(http, provider=provider).status_code == 200
    voices = http.get("/text-to-speech/voices", params={"provider": provider}).json()["voices"]
    assert {voice["provider"] for voice in voices} == {"telnyx"}


@pytest.mark.parametrize("output_type", ["base64_output", "audio_id"])
def test_json_output_has_the_media_type_of_json(http: httpx.Client, output_type: str) -> None:
    response = say(http, provider="telnyx", output_type=output_type)
    assert response.headers["content-type"] == "application/json"
    assert response.json()


@pytest.mark.parametrize(
    ("method", "path", "status", "code", "detail"),
    [
        ("POST", "/voice_clones", 422, "10027", "voice_design_id is required"),
        ("POST", "/voice_clones/from_upload", 422, "10027", "audio_file is required"),
        ("PATCH", f"/voice_clones/{FRIENDLY}", 422, "10027", "name is required"),
        ("POST", "/voice_designs", 422, "10027", "text is required"),
        ("POST", "/voice_designs", 502, "10037", "Voice design service unavailable"),
        ("POST", "/voice_clones", 500, "10037", "Voice clone service configuration error"),
        ("GET", "/voice_clones", 500, "10037", "Voice clone service configuration error"),
        ("GET", "/voice_designs", 500, "10007", "An unexpected error occurred."),
        ("POST", "/text-to-speech/speech", 400, "90103", "The voice does not exist"),
    ],
)
def test_injected_error_is_that_of_the_operation(
    http: httpx.Client, method: str, path: str, status: int, code: str, detail: str
) -> None:
    http.event_hooks = {"response": []}
    response = http.request(method, path, headers={"Prefer": f"code={status}"})
    assert response.status_code == status
    error = only_error(response)
    assert (error["code"], error["detail"]) == (code, detail)


@pytest.mark.parametrize(
    "settings",
    [
        {"aws": {"speed": 0}},
        {"aws": {"speed": 1e-320}},
        {"aws": {"speed": 1e-5}},
        {"aws": {"speed": "fast", "sampling_rate": 10**9, "response_format": []}},
        {"telnyx": {"speed": 1e-5}},
        {"minimax": {"voice_speed": 1e-5, "sampling_rate": 10**9}},
    ],
)
def test_speech_ignores_settings_that_the_contract_does_not_bound(
    http: httpx.Client, settings: dict[str, Any]
) -> None:
    (provider,) = settings
    plain = say(http, provider=provider)
    response = say(http, provider=provider, **settings)
    assert response.status_code == 200
    assert response.content == plain.content


@pytest.mark.parametrize(
    ("provider", "unbounded", "bounded"),
    [
        ("rime", {"voice_speed": 1e-5}, {"voice_speed": 0.5}),
        ("rime", {"voice_speed": 1e300}, {"voice_speed": 2}),
        ("rime", {"sampling_rate": 10**9}, {"sampling_rate": 48000}),
        ("minimax", {"speed": 0}, {"speed": 0.5}),
    ],
)
def test_speech_setting_without_documented_bounds_is_accepted(
    http: httpx.Client, provider: str, unbounded: dict[str, Any], bounded: dict[str, Any]
) -> None:
    speech = say(http, provider=provider, **{provider: unbounded})
    assert speech.status_code == 200
    assert speech.content == say(http, provider=provider, **{provider: bounded}).content


@pytest.mark.parametrize(
    "settings",
    [
        {"telnyx": {"voice_speed": 0}},
        {"telnyx": {"volume": 3}},
        {"telnyx": {"sampling_rate": 10**9}},
    ],
)
def test_speech_setting_out_of_range_returns_422(
    http: httpx.Client, settings: dict[str, Any]
) -> None:
    assert say(http, provider="telnyx", **settings).status_code == 422


def test_speech_accepts_an_integral_float_as_sampling_rate(http: httpx.Client) -> None:
    for format in ("wav", "pcm", "mp3"):
        settings = {"response_format": format, "sampling_rate": 16000.0}
        speech = say(http, provider="telnyx", telnyx=settings)
        plain = say(http, provider="telnyx", telnyx={**settings, "sampling_rate": 16000})
        assert speech.content == plain.content


@pytest.mark.parametrize("format", ["mp3", "wav", "pcm"])
def test_speech_lasts_at_most_300_seconds(http: httpx.Client, format: str) -> None:
    settings = {"response_format": format, "sampling_rate": 8000, "voice_speed": 0.5}
    response = say(http, provider="telnyx", text="x" * 20_000, telnyx=settings)
    bytes_per_second = {"mp3": 8000, "wav": 16_000, "pcm": 16_000}[format]
    assert len(response.content) == pytest.approx(300 * bytes_per_second, abs=1000)
    assert sniff(response.content).problem == ""


def test_speech_as_base64_and_by_audio_id(http: httpx.Client) -> None:
    voice = "telnyx.NaturalHD.Alloy"
    now = say(http, voice=voice).content
    assert (
        b64decode(say(http, voice=voice, output_type="base64_output").json()["base64_audio"]) == now
    )
    later = say(http, voice=voice, output_type="audio_id").json()
    assert http.get(f"/text-to-speech/speech/{later['audio_id']}").content == now
    assert http.get(later["audio_url"]).content == now
    assert http.get("/text-to-speech/speech/nothing").status_code == 404


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({}, "voice"),
        ({"voice": "x", "text": ""}, "text"),
        ({"voice": "nodot"}, "voice"),
        ({"provider": "acme"}, "provider"),
        ({"provider": "telnyx", "telnyx": {"voice_speed": 9}}, "telnyx.voice_speed"),
        ({"provider": "aws", "output_type": "tape"}, "output_type"),
    ],
)
def test_invalid_speech_request_returns_422_with_messages_by_field(
    http: httpx.Client, body: dict[str, Any], field: str
) -> None:
    response = say(http, **body)
    assert response.status_code == 422
    assert field in response.json()["errors"]
    assert isinstance(response.json()["errors"][field], list)


def test_voices_include_clones_of_the_account(http: httpx.Client) -> None:
    made = clone(http, "mine", provider="minimax")
    voices = http.get("/text-to-speech/voices").json()["voices"]
    assert {voice["provider"] for voice in voices} >= {"telnyx", "aws", "azure", "minimax"}
    of_minimax = http.get("/text-to-speech/voices", params={"provider": "minimax"}).json()["voices"]
    assert {voice["provider"] for voice in of_minimax} == {"minimax"}
    (own,) = [voice for voice in of_minimax if voice["name"] == "mine"]
    assert own["voice_id"] == f"Minimax.speech-2.8-turbo.{made['provider_voice_id']}"
    assert say(http, voice=own["voice_id"]).status_code == 200
    wrong = http.get("/text-to-speech/voices", params={"provider": "acme"})
    assert wrong.status_code == 400
    assert only_error(wrong)["code"] == "90104"

"""Retell: voices of the account and of the community."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import httpx
import pytest

from mockvoice.audio.detect import sniff

from ..conftest import Serve
from ..contract.contracts import checked_client, editions

KEY = {"Authorization": "Bearer key_test"}


@pytest.fixture
def http(serve: Serve) -> Iterator[httpx.Client]:
    with checked_client(f"{serve().url}/retell", editions("retell")[0], KEY) as client:
        yield client


def clone(http: httpx.Client, wav: bytes, name: str = "n") -> dict[str, Any]:
    fields = {"voice_name": name, "voice_provider": "elevenlabs"}
    voice: dict[str, Any] = http.post("/clone-voice", data=fields, files={"files": wav}).json()
    return voice


def test_clone_is_retrieved_and_listed_after_preset_voices(http: httpx.Client, wav: bytes) -> None:
    presets = http.get("/list-voices").json()
    assert isinstance(presets, list)
    assert presets[0]["voice_id"] == "retell-Cimo"
    made = clone(http, wav)
    assert (made["accent"], made["age"]) == ("American", "Young")
    assert httpx.get(made["avatar_url"]).headers["content-type"] == "image/svg+xml"
    assert http.get(f"/get-voice/{made['voice_id']}").json() == made
    assert http.get("/list-voices").json() == [*presets, made]


def test_preset_voice_is_retrieved(http: httpx.Client) -> None:
    voice = http.get("/get-voice/retell-Cimo").json()
    assert voice["voice_name"] == "Cimo"
    assert sniff(httpx.get(voice["preview_audio_url"]).content).format == "wav"


def test_unknown_voice_and_voice_of_other_account_return_422(
    http: httpx.Client, wav: bytes
) -> None:
    made = clone(http, wav)
    for id, key in (("nobody", "key_test"), (made["voice_id"], "other")):
        response = http.get(f"/get-voice/{id}", headers={"Authorization": f"Bearer {key}"})
        assert response.status_code == 422
        assert response.json() == {
            "status": "error",
            "message": "Cannot find requested asset under given api key.",
        }


def test_community_voice_is_searched_and_added(http: httpx.Client) -> None:
    matches = http.post("/search-community-voice", json={"search_query": "rachel"}).json()["voices"]
    assert [voice["name"] for voice in matches] == ["Rachel"]
    body = {
        "provider_voice_id": matches[0]["provider_voice_id"],
        "public_user_id": matches[0]["public_user_id"],
        "voice_name": "mine",
        "voice_provider": "elevenlabs",
    }
    response = http.post("/add-community-voice", json=body)
    assert response.status_code == 200
    voice = response.json()
    assert (voice["voice_name"], voice["provider"]) == ("mine", "elevenlabs")
    assert http.get(f"/get-voice/{voice['voice_id']}").json() == voice


def test_community_search_by_provider(http: httpx.Client) -> None:
    body = {"search_query": "", "voice_provider": "cartesia"}
    matches = http.post("/search-community-voice", json=body).json()["voices"]
    assert [voice["name"] for voice in matches] == ["British Lady"]
    assert "public_user_id" not in matches[0]
    nothing = http.post("/search-community-voice", json={"search_query": "no such voice"})
    assert nothing.json() == {"voices": []}


@pytest.mark.parametrize(
    ("body", "message"),
    [
        (
            {"provider_voice_id": "x", "voice_name": "n"},
            "public_user_id is required",
        ),
        (
            {"provider_voice_id": "x", "voice_name": "n", "voice_provider": "elevenlabs"},
            "public_user_id is required",
        ),
        (
            {"provider_voice_id": "x", "voice_name": "n", "public_user_id": ""},
            "public_user_id must not be empty",
        ),
        ({"voice_name": "n"}, "provider_voice_id is required"),
        ({"provider_voice_id": "x", "voice_name": ""}, "voice_name must not be empty"),
    ],
)
def test_invalid_community_voice_returns_400(
    http: httpx.Client, body: dict[str, Any], message: str
) -> None:
    response = http.post("/add-community-voice", json=body)
    assert response.status_code == 400
    assert message in response.json()["message"]


def test_unknown_community_voice_is_added(
    http: httpx.Client,
) -> None:
    body = {"provider_voice_id": "xyz", "voice_name": "n", "voice_provider": "cartesia"}
    assert http.post("/add-community-voice", json=body).json()["provider"] == "cartesia"


def test_concurrency_counts_no_calls(http: httpx.Client) -> None:
    counters = http.get("/get-concurrency").json()
    assert counters["current_concurrency"] == 0
    total = counters["base_concurrency"] + counters["purchased_concurrency"]
    assert counters["concurrency_limit"] == total
    assert counters["reserved_inbound_concurrency"] == 0

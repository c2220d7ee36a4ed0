"""Retell: finding voices, and adding some of a community."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import httpx
import pytest

from mockvoice.audio.detect import sniff

from ..conftest import Serve
from ..contract.contracts import check

KEY = {"Authorization": "Bearer key_test"}


@pytest.fixture
def http(serve: Serve) -> Iterator[httpx.Client]:
    hooks = {"response": [check]}
    url = f"{serve().url}/retell"
    with httpx.Client(base_url=url, headers=KEY, event_hooks=hooks) as client:
        yield client


def clone(http: httpx.Client, wav: bytes, name: str = "n") -> dict[str, Any]:
    fields = {"voice_name": name, "voice_provider": "elevenlabs"}
    voice: dict[str, Any] = http.post("/clone-voice", data=fields, files={"files": wav}).json()
    return voice


def test_a_clone_is_found_and_listed_behind_the_stock_voices(
    http: httpx.Client, wav: bytes
) -> None:
    stock = http.get("/list-voices").json()
    assert isinstance(stock, list)
    assert stock[0]["voice_id"] == "retell-Cimo"
    made = clone(http, wav)
    assert http.get(f"/get-voice/{made['voice_id']}").json() == made
    assert http.get("/list-voices").json() == [*stock, made]


def test_a_stock_voice_is_found(http: httpx.Client) -> None:
    voice = http.get("/get-voice/retell-Cimo").json()
    assert voice["voice_name"] == "Cimo"
    assert sniff(httpx.get(voice["preview_audio_url"]).content).format == "wav"


def test_an_unknown_voice_is_422_and_so_is_that_of_another_account(
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


def test_a_community_voice_is_searched_and_added(http: httpx.Client) -> None:
    found = http.post("/search-community-voice", json={"search_query": "rachel"}).json()["voices"]
    assert [each["name"] for each in found] == ["Rachel"]
    body = {
        "provider_voice_id": found[0]["provider_voice_id"],
        "public_user_id": found[0]["public_user_id"],
        "voice_name": "mine",
        "voice_provider": "elevenlabs",
    }
    response = http.post("/add-community-voice", json=body)
    assert response.status_code == 200
    voice = response.json()
    assert (voice["voice_name"], voice["provider"]) == ("mine", "elevenlabs")
    assert http.get(f"/get-voice/{voice['voice_id']}").json() == voice


def test_a_community_is_searched_by_provider(http: httpx.Client) -> None:
    body = {"search_query": "", "voice_provider": "cartesia"}
    found = http.post("/search-community-voice", json=body).json()["voices"]
    assert [each["name"] for each in found] == ["British Lady"]
    assert "public_user_id" not in found[0]
    nothing = http.post("/search-community-voice", json={"search_query": "no such voice"})
    assert nothing.json() == {"voices": []}


@pytest.mark.parametrize(
    ("body", "told"),
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
def test_a_wrong_addition_is_400(http: httpx.Client, body: dict[str, Any], told: str) -> None:
    response = http.post("/add-community-voice", json=body)
    assert response.status_code == 400
    assert told in response.json()["message"]


def test_a_voice_that_the_community_does_not_know_here_is_added_all_the_same(
    http: httpx.Client,
) -> None:
    body = {"provider_voice_id": "xyz", "voice_name": "n", "voice_provider": "cartesia"}
    assert http.post("/add-community-voice", json=body).json()["provider"] == "cartesia"


def test_nobody_is_calling(http: httpx.Client) -> None:
    counters = http.get("/get-concurrency").json()
    assert counters["current_concurrency"] == 0
    total = counters["base_concurrency"] + counters["purchased_concurrency"]
    assert counters["concurrency_limit"] == total

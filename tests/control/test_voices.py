"""Records: add, list and delete."""

from __future__ import annotations

import asyncio
import re
from typing import Any

import pytest

from mockvoice.providers import built_in

from ..conftest import Box, Serve, encoded
from ..state.serializing import memory_of

WAV = encoded("wav", 0.1)
BEARER = {"Authorization": "Bearer K"}
SUPERTONE = {"x-sup-api-key": "K"}
FASEEH = {"x-api-key": "K"}
LIST = "/retell/list-voices"
DESIGNS = "/telnyx/v2/voice_designs"
UUID = re.compile(r"[0-9a-f]{8}-([0-9a-f]{4}-){3}[0-9a-f]{12}")


def test_added_telnyx_clone_matches_uploaded_clone(box: Box) -> None:
    box.clock(freeze="2024-06-01T12:00:00Z")
    upload = {"name": "n", "language": "en", "provider": "telnyx"}
    cloned = box.http.post(
        "/telnyx/v2/voice_clones/from_upload",
        headers=BEARER,
        data=upload,
        files={"audio_file": WAV},
    ).json()["data"]
    record = box.control.post("/voices", json={"provider": "telnyx"}).json()
    data = record["data"]
    assert data.keys() == cloned.keys()
    assert UUID.fullmatch(record["id"])
    assert data["id"] == data["provider_voice_id"] == record["id"]
    for name in ("record_type", "provider", "provider_supported_models", "model_id", "status"):
        assert data[name] == cloned[name]
    for name in ("created_at", "updated_at", "source_voice_design_id"):
        assert data[name] == cloned[name]
    assert (data["name"], data["language"], data["gender"]) == ("clone-narrator", "en", "male")
    listed = box.http.get("/telnyx/v2/voice_clones", headers=BEARER).json()["data"]
    assert {clone["id"] for clone in listed} == {cloned["id"], record["id"]}


def test_added_voices_match_cloned_voices(box: Box) -> None:
    retell = {"voice_name": "n", "voice_provider": "platform"}
    faseeh = {"text": "t", "stability": "0.5", "name": "n", "model": "faseeh-v1-preview"}
    responses = [
        box.http.post("/retell/clone-voice", headers=BEARER, data=retell, files={"files": WAV}),
        box.http.post(
            "/supertone/v1/custom-voices/cloned-voice",
            headers=SUPERTONE,
            data={"name": "n"},
            files={"files": WAV},
        ),
        box.http.post(
            "/faseeh/api/v1/voices/clone",
            headers=FASEEH,
            data=faseeh,
            files={"voice_file": WAV, "reference_audio_file": WAV},
        ),
    ]
    assert {response.status_code for response in responses} == {200, 201}
    for provider in ("retell", "supertone", "faseeh"):
        (cloned,) = box.voices(provider=provider)
        added, other = [
            box.control.post("/voices", json={"provider": provider}).json() for _ in range(2)
        ]
        assert added["data"]["voice_id"] == added["id"] != other["id"]
        assert cloned["data"].keys() <= added["data"].keys()
        id_format = re.sub(r"[0-9a-f]{20,}", "#", cloned["id"])
        assert re.sub(r"[0-9a-f]{20,}", "#", added["id"]) == id_format or provider == "faseeh"
        assert len(added["id"]) == len(cloned["id"])
        for name, value in added["data"].items():
            if name.endswith("_url") and value:
                assert value.startswith(f"{box.url}/__mockvoice/samples/wav")
                assert box.http.get(value).content != box.http.get(f"{value}x").content
            if name == "id":
                assert value != other["data"]["id"]


def test_added_voices_can_be_read_spoken_changed_and_deleted(box: Box) -> None:
    """Covers every collection of every provider."""
    ids = {
        ("telnyx", "voice_clones"): "11111111-2222-4333-8444-555555555555",
        ("telnyx", "voice_designs"): "11111111-2222-4333-8444-666666666666",
        ("retell", "voices"): "my-retell-voice",
        ("supertone", "custom-voices"): "my-supertone-voice",
        ("faseeh", "voices"): "my-faseeh-voice",
    }
    for (provider, collection), id in ids.items():
        record = {"provider": provider, "collection": collection, "id": id, "account": "K"}
        response = box.control.post("/voices", json=record)
        assert response.status_code == 201, response.text
        assert response.json()["id"] == id
    clone, design, retell, supertone, faseeh = ids.values()
    responses = [
        box.http.get(f"/telnyx/v2/voice_clones/{clone}", headers=BEARER),
        box.http.get(f"/telnyx/v2/voice_clones/{clone}/sample", headers=BEARER),
        box.http.get(f"/telnyx/v2/voice_designs/{design}", headers=BEARER),
        box.http.get(f"/telnyx/v2/voice_designs/{design}/sample", headers=BEARER),
        box.http.post(
            "/telnyx/v2/text-to-speech/speech",
            headers=BEARER,
            json={"text": "t", "voice": f"Telnyx.Qwen3TTS.{clone}"},
        ),
        box.http.post(
            "/telnyx/v2/voice_clones",
            headers=BEARER,
            json={"name": "n", "voice_design_id": design, "language": "en", "gender": "male"},
        ),
        box.http.patch(f"/telnyx/v2/voice_clones/{clone}", headers=BEARER, json={"name": "x"}),
        box.http.get(f"/retell/get-voice/{retell}", headers=BEARER),
        box.http.get(f"/supertone/v1/custom-voices/{supertone}", headers=SUPERTONE),
        box.http.post(
            f"/supertone/v1/text-to-speech/{supertone}",
            headers=SUPERTONE,
            json={"text": "t", "language": "en"},
        ),
        box.http.post(
            "/faseeh/api/v1/text-to-speech/faseeh-v1-preview",
            headers=FASEEH,
            json={"voice_id": faseeh, "text": "t"},
        ),
    ]
    assert [response.status_code for response in responses if not response.is_success] == []
    other = {"Authorization": "Bearer other"}
    assert box.http.get(f"/telnyx/v2/voice_clones/{clone}", headers=other).status_code == 404
    deleted = [
        box.http.delete(f"/telnyx/v2/voice_clones/{clone}", headers=BEARER),
        box.http.delete(f"/telnyx/v2/voice_designs/{design}", headers=BEARER),
        box.http.delete(f"/supertone/v1/custom-voices/{supertone}", headers=SUPERTONE),
    ]
    assert [response.status_code for response in deleted] == [204] * 3
    assert {record["provider"] for record in box.voices()} == {"telnyx", "retell", "faseeh"}


PRESETS = {  # provider, collection: path of the list, id of a preset, member for its name
    ("telnyx", "voice_designs"): (DESIGNS, "550e8400-e29b-41d4-a716-446655440000", "name"),
    ("telnyx", "voices"): (
        "/telnyx/v2/text-to-speech/voices",
        "aws.Polly.Generative.Lucia",
        "name",
    ),
    ("retell", "voices"): (LIST, "retell-Cimo", "voice_name"),
    ("retell", "community_voices"): (
        "/retell/search-community-voice",
        "ErXwobaYiN019PkySvjV",
        "name",
    ),
    ("supertone", "voices"): ("/supertone/v1/voices", "b91e77d0c5f2", "name"),
    ("faseeh", "voices"): ("/faseeh/api/v1/voices", "ar-najdi-male-2", "name"),
    ("faseeh", "models"): ("/faseeh/api/v1/models", "faseeh-arabic-v1", "model_name"),
}


def listed_names(box: Box, path: str, member: str, key: str = "K") -> list[str]:
    """Return the names in the list of an operation."""
    headers = {"authorization": f"Bearer {key}", "x-api-key": key, "x-sup-api-key": key}
    if "search" in path:
        response = box.http.post(path, headers=headers, json={"search_query": ""})
    else:
        response = box.http.get(path, headers=headers)
    assert response.is_success, response.text
    body = response.json()
    if isinstance(body, dict):
        (body,) = (body[name] for name in ("data", "items", "voices") if name in body)
    return [item[member] for item in body]


@pytest.mark.parametrize(("provider", "collection"), PRESETS)
def test_record_with_the_id_of_a_preset_replaces_it(
    box: Box, provider: str, collection: str
) -> None:
    path, id, member = PRESETS[provider, collection]
    before = listed_names(box, path, member)
    record = {"provider": provider, "collection": collection, "id": id, "data": {member: "New"}}
    assert box.control.post("/voices", json=record).status_code == 201
    listed = listed_names(box, path, member)
    assert (len(listed), listed.count("New")) == (len(before), 1)
    assert len({*before} - {*listed}) == 1
    ids = [record["id"] for record in box.voices(presets=True, provider=provider)]
    assert ids.count(id) == 1
    assert box.control.delete("/voices").status_code == 204
    assert listed_names(box, path, member) == before


def test_record_of_one_account_replaces_the_preset_for_that_account(box: Box) -> None:
    path, id, member = PRESETS["retell", "voices"]
    record = {"provider": "retell", "id": id, "account": "A", "data": {member: "New"}}
    assert box.control.post("/voices", json=record).status_code == 201
    assert "New" in listed_names(box, path, member, "A")
    assert "New" not in listed_names(box, path, member, "B")


@pytest.mark.parametrize("account", ["*", "K"])
def test_deleted_replacement_does_not_bring_the_preset_back(box: Box, account: str) -> None:
    path, id, _ = PRESETS["telnyx", "voice_designs"]
    record = {"provider": "telnyx", "collection": "voice_designs", "id": id, "account": account}
    assert box.control.post("/voices", json=record).status_code == 201
    assert box.http.delete(f"{path}/{id}", headers=BEARER).status_code == 204
    assert box.http.get(f"{path}/{id}", headers=BEARER).status_code == 404
    assert listed_names(box, path, "name") == []
    again = {**record, "account": "*", "data": {"name": "again"}}
    assert box.control.post("/voices", json=again).status_code == 201
    assert listed_names(box, path, "name") == ["again"]
    assert box.http.get(f"{path}/{id}", headers=BEARER).json()["data"]["name"] == "again"


def test_replaced_presets_are_read_and_spoken(box: Box) -> None:
    def add(provider: str, collection: str, id: str, **data: Any) -> None:
        record = {"provider": provider, "collection": collection, "id": id, "data": data}
        assert box.control.post("/voices", json=record).status_code == 201

    add("retell", "voices", "retell-Cimo", voice_name="New", gender="male")
    voice = box.http.get("/retell/get-voice/retell-Cimo", headers=BEARER).json()
    assert (voice["voice_name"], voice["gender"]) == ("New", "male")

    add("supertone", "voices", "b91e77d0c5f2", name="New", styles=["calm"])
    voice = box.http.get("/supertone/v1/voices/b91e77d0c5f2", headers=SUPERTONE).json()
    assert (voice["name"], {sample["style"] for sample in voice["samples"]}) == ("New", {"calm"})

    add("supertone", "custom-voices", "a4cf2a1b8e7d", name="Mine")
    speech = {"text": "t", "language": "en"}
    path = "/supertone/v1/text-to-speech/a4cf2a1b8e7d"
    assert box.http.post(path, headers=SUPERTONE, json=speech).status_code == 200
    day = box.control.get("/clock").json()["now"][:10]
    usages = box.http.get(
        f"/supertone/v1/voice-usage?start_date={day}&end_date={day}", headers=SUPERTONE
    ).json()["usages"]
    assert [usage["name"] for usage in usages] == ["Mine"]

    add("faseeh", "models", "faseeh-v1-preview", cost=1000)
    speech = {"voice_id": "ar-najdi-male-2", "text": "two words"}
    path = "/faseeh/api/v1/text-to-speech/faseeh-v1-preview"
    assert box.http.post(path, headers=FASEEH, json=speech).status_code == 402

    add("retell", "community_voices", "mine", voice_provider="cartesia")
    added = {"provider_voice_id": "mine", "voice_name": "n", "public_user_id": "u"}
    voice = box.http.post("/retell/add-community-voice", headers=BEARER, json=added).json()
    assert voice["provider"] == "cartesia"


def test_configured_record_replaces_a_preset(serve: Serve) -> None:
    voice = {"provider": "faseeh", "id": "ar-najdi-male-2", "data": {"name": "New"}}
    with Box(serve(voices=[voice]), "configured") as box:
        path, _, member = PRESETS["faseeh", "voices"]
        assert sorted(listed_names(box, path, member)) == ["Lama", "Layla", "Maha", "New", "Saif"]
        headers = {"x-api-key": "K"}
        urls = [voice["sample_url"] for voice in box.http.get(path, headers=headers).json()]
        assert {box.http.get(url).status_code for url in urls} == {200}
        voices = box.voices(provider="faseeh", collection="voices", presets=True)
        names = sorted(voice["data"]["name"] for voice in voices)
        assert names == ["Lama", "Layla", "Maha", "New", "Saif"]


def test_every_collection_can_be_seeded(box: Box) -> None:
    for provider in built_in():
        for collection in provider.collections:
            record = {"provider": provider.name, "collection": collection}
            response = box.control.post("/voices", json=record)
            assert response.status_code == 201, response.text
            if (provider.name, collection) in PRESETS:
                path, _, member = PRESETS[provider.name, collection]
                name = response.json()["data"][member]
                assert name in listed_names(box, path, member)


@pytest.mark.parametrize(("provider", "collection"), PRESETS)
def test_deleted_preset_is_gone_until_a_reset(box: Box, provider: str, collection: str) -> None:
    path, id, member = PRESETS[provider, collection]
    before = listed_names(box, path, member)
    target = {"provider": provider, "collection": collection}
    assert box.control.delete(f"/voices/{id}", params=target).status_code == 204
    assert len(listed_names(box, path, member)) == len(before) - 1
    assert id not in [record["id"] for record in box.voices(presets=True, **target)]
    assert box.control.delete(f"/voices/{id}", params=target).status_code == 404
    box.control.post("/reset")
    assert listed_names(box, path, member) == before


def test_voice_is_deleted_with_its_files_from_every_account(box: Box) -> None:
    for key in ("A", "B"):
        seed = {"provider": "retell", "id": "x/y", "account": key}
        assert box.control.post("/voices", json=seed).status_code == 201
    other = box.control.post("/voices", json={"provider": "faseeh", "id": "x/y"}).json()
    params = {"provider": "retell"}
    assert box.control.delete("/voices/x%2Fy", params=params).status_code == 204
    assert box.voices() == [other]
    assert box.control.delete("/voices/x%2Fy").status_code == 204
    assert box.voices() == []


@pytest.mark.parametrize(
    ("query", "status", "message"),
    [
        ("", 404, "no record has the id narator (did you mean narrator?); `GET /voices` lists"),
        ("?provider=x", 400, "provider must be one of"),
    ],
)
def test_unknown_voice_is_not_deleted(box: Box, query: str, status: int, message: str) -> None:
    box.control.post("/voices", json={"provider": "retell", "id": "narrator"})
    refused = box.control.delete(f"/voices/narator{query}")
    assert (refused.status_code, len(box.voices())) == (status, 1)
    assert refused.json()["detail"].startswith(message)


def test_voice_added_without_account_is_visible_to_every_key(box: Box) -> None:
    record = box.control.post("/voices", json={"provider": "retell"}).json()
    assert record["account"] == "*"
    for key in ("one", "two"):
        listed = box.http.get(LIST, headers={"Authorization": f"Bearer {key}"}).json()
        assert listed[-1]["voice_id"] == record["id"]


def test_added_uuid_is_found_in_either_case(box: Box) -> None:
    id = "11111111-2222-4333-8444-AAAAAAAAAAAA"
    record = box.control.post("/voices", json={"provider": "telnyx", "id": id}).json()
    assert record["id"] == record["data"]["id"] == id.lower()
    for clone_id in (id, id.lower()):
        clone = box.http.get(f"/telnyx/v2/voice_clones/{clone_id}", headers=BEARER).json()
        assert clone["data"] == record["data"]


def test_data_of_an_added_voice_overrides_defaults(box: Box) -> None:
    data = {
        "voice_id": "mine",
        "voice_name": "Ada",
        "preview_audio_url": "https://x/y",
        "age": "Old",
    }
    record = box.control.post("/voices", json={"provider": "retell", "data": data}).json()
    assert record["id"] == "mine"
    assert data.items() <= record["data"].items()
    other = {"provider": "retell", "id": "yours", "data": data}
    assert box.control.post("/voices", json=other).json()["data"]["voice_id"] == "yours"
    replacement = {"provider": "retell", "id": "mine", "data": {"voice_name": "Bob"}}
    box.control.post("/voices", json=replacement)
    names = {record["id"]: record["data"]["voice_name"] for record in box.voices()}
    assert names == {"yours": "Ada", "mine": "Bob"}


@pytest.mark.parametrize(
    ("record", "pointer", "message"),
    [
        ({}, "/provider", "provider is required"),
        ({"provider": "telnix"}, "/provider", "provider must be one of faseeh, retell, supertone"),
        ({"provider": "mockvoice"}, "/provider", "got mockvoice"),
        (
            {"provider": "retell", "collection": "voice"},
            "/collection",
            "collection must be one of voices, community_voices; got voice",
        ),
        ({"provider": "telnyx", "id": "my-clone"}, "/id", 'must be a UUID; got "my-clone"'),
        ({"provider": "retell", "data": {"gender": "robot"}}, "/data/gender", "male, female"),
        ({"provider": "retell", "data": {"voice_id": 5}}, "/data/voice_id", "must be text; got 5"),
        (
            {"provider": "retell", "data": {"voice_nme": "x"}},
            "/data/voice_nme",
            "voice_nme is not a known field; known fields: voice_id, voice_name, provider",
        ),
        (
            {"provider": "retell", "collection": "community_voices", "data": {"voice_name": "x"}},
            "/data/voice_name",
            "known fields: provider_voice_id, name, description, public_user_id, voice_provider",
        ),
        ({"provider": "retell", "data": []}, "/data", "data must be an object; got []"),
        ({"provider": "retell", "id": ""}, "/id", "id must not be empty"),
        ({"provider": "retell", "name": "x"}, "/name", "name is not a known field"),
    ],
)
def test_invalid_voice_returns_400_and_adds_nothing(
    box: Box, record: dict[str, Any], pointer: str, message: str
) -> None:
    response = box.control.post("/voices", json=record)
    assert response.status_code == 400
    (violation,) = response.json()["violations"]
    assert violation["pointer"] == pointer
    assert message in violation["message"]
    assert box.voices() == []


def test_presets_are_listed_on_request_only(box: Box) -> None:
    box.http.get(DESIGNS, headers=BEARER)
    assert box.voices() == []
    presets = box.voices(provider="telnyx", presets=True)
    assert {record["collection"] for record in presets} == {
        "voice_designs",
        "design_versions",
        "voices",
    }
    before = box.voices(provider="faseeh", presets=True)
    added = box.control.post("/voices", json={"provider": "faseeh"}).json()
    assert box.voices(provider="faseeh", presets=True) == [*before, added]
    assert box.voices() == [added]
    for preset in before:
        if preset["collection"] == "voices":
            assert preset["data"]["sample_url"].startswith(f"{box.url}/__mockvoice/samples/wav")
    assert box.voices(collection="voice_designs") == []


def test_presets_return_after_voices_are_cleared(box: Box) -> None:
    box.control.post("/voices", json={"provider": "telnyx", "collection": "voice_designs"})
    assert len(box.http.get(DESIGNS, headers=BEARER).json()["data"]) == 2
    assert box.control.delete("/voices").status_code == 204
    assert box.voices() == []
    assert len(box.voices(collection="voice_designs", presets=True)) == 1
    assert len(box.http.get(DESIGNS, headers=BEARER).json()["data"]) == 1


def test_voices_over_max_voices_evict_the_oldest(serve: Serve) -> None:
    with Box(serve(max_voices=3), "few") as box:
        ids = [
            box.control.post("/voices", json={"provider": "retell"}).json()["id"] for _ in "12345"
        ]
        listed = box.control.get("/voices").json()
        assert [record["id"] for record in listed["voices"]] == ids[2:]
        assert listed["evicted"] == 2


@pytest.mark.memory
def test_hundreds_of_clones_stay_within_configured_limits(serve: Serve) -> None:
    server = serve(upload_cache_mb=1, max_voices=20, max_requests=10, max_accounts=5, journal_mb=1)
    store = memory_of(server.mock)
    with Box(server, "small") as box:
        sample = box.control.get("/samples/wav?seconds=1").content
        form = {"voice_name": "n", "voice_provider": "elevenlabs"}
        for number in range(300):
            headers = {"Authorization": f"Bearer key-{number % 50}"}
            cloned = box.http.post(
                "/retell/clone-voice", headers=headers, data=form, files={"files": sample}
            )
            assert cloned.status_code == 201
        listed = box.control.get("/requests").json()  # also waits until the last clone is recorded
        assert (len(listed["requests"]), listed["evicted"]) == (10, 290)
        records, evicted = asyncio.run(store.all_records("small"))
        assert (len(records), evicted) == (20, 280)
        entries, _ = asyncio.run(store.list_entries("small"))
        ids = {id for record in records for id in record.uploads}
        ids |= {id for entry in entries for id in entry.uploads}
        uploads = asyncio.run(store.get_uploads("small", [*ids]))
        assert len(uploads) == len(ids)
        in_memory = [upload.size for upload in uploads if upload.content is not None]
        assert store.upload_bytes == sum(in_memory) <= 1 << 20
        listed = box.control.get("/voices").json()
        assert len(listed["voices"]) == 20
        assert listed["evicted"] == 280
    # Uploads of requests that failed early are bounded, too.
    with Box(server, "failing") as box:
        box.inject(status=500)
        large = box.control.get("/samples/wav?seconds=9").content
        for _ in range(30):
            box.http.post("/retell/clone-voice", headers=BEARER, data=form, files={"files": large})
        assert store.upload_bytes <= 1 << 20
        digests = [entry["files"][0]["sha256"] for entry in box.requests()]
        assert digests == [None] * 8 + digests[-2:]
        assert all(digests[-2:])


def test_presets_of_many_keys_take_no_place_in_the_store(serve: Serve) -> None:
    """A preset is stored only when it is modified."""
    with Box(serve(max_voices=3, max_accounts=5), "many") as box:
        for number in range(100):
            headers = {"Authorization": f"Bearer key{number}"}
            listed = box.http.get("/telnyx/v2/voice_designs", headers=headers).json()["data"]
            assert len(listed) == 1
        assert box.control.get("/voices").json() == {"voices": [], "evicted": 0}
        headers = {"Authorization": "Bearer new"}
        created = box.http.post(
            "/telnyx/v2/voice_designs",
            headers=headers,
            json={"name": "narrator", "text": "Hello", "prompt": "Calm."},
        ).json()["data"]
        read = box.http.get(f"/telnyx/v2/voice_designs/{created['id']}", headers=headers)
        assert read.status_code == 200
        (preset,) = listed
        renamed = box.http.patch(
            f"/telnyx/v2/voice_designs/{preset['id']}", headers=headers, json={"name": "other"}
        )
        assert renamed.status_code == 200
        assert box.control.get("/voices").json()["evicted"] == 0

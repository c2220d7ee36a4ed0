"""Telnyx, edition 2026-07-16: variants of clones, pending clones, pronunciation dictionaries."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import httpx
import pytest
import yaml

from ..conftest import Box, encoded
from ..contract.contracts import Contract, checked_client

KEY = {"Authorization": "Bearer KEY"}
FIELDS = {"name": "n", "language": "en", "gender": "male"}
IPA = "\u02c8t\u025bl.n\u026aks"
ITEM = {"text": "Telnyx", "type": "alias", "alias": "tel-nicks"}
PHONEME = {"text": "Telnyx", "type": "phoneme", "phoneme": IPA, "alphabet": "ipa"}


@pytest.fixture
def http(box: Box) -> Iterator[httpx.Client]:
    """Client of a sandbox with the edition; checks every response against its contract."""
    box.control.post("/reset", json={"edition": {"telnyx": "2026-07-16"}})
    with checked_client(f"{box.url}/telnyx/v2", Contract("telnyx", "2026-07-16"), KEY) as client:
        yield client


def upload(http: httpx.Client, data: bytes, *without: str, **fields: str) -> httpx.Response:
    form = {k: v for k, v in {**FIELDS, **fields}.items() if k not in without}
    return http.post("/voice_clones/from_upload", data=form, files={"audio_file": data})


def clone(http: httpx.Client, data: bytes, **fields: str) -> Any:
    response = upload(http, data, **fields)
    assert response.status_code in (201, 202), response.text
    return response.json()["data"]


def error(response: httpx.Response) -> Any:
    assert response.status_code >= 400, response.text
    return response.json()["errors"][0]


def say(http: httpx.Client, voice: str) -> int:
    body = {"text": "Hello", "voice": voice}
    return http.post("/text-to-speech/speech", json=body).status_code


# --- variants ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("fields", "model", "status"),
    [
        ({}, "Qwen3TTS", 201),
        ({"provider": "Telnyx", "model_id": "Qwen3TTS"}, "Qwen3TTS", 201),
        ({"provider": "telnyx", "model_id": "null"}, "Qwen3TTS", 201),
        ({"provider": "telnyx", "model_id": "Ultra"}, "Ultra", 202),
        ({"model_id": "Bayan", "ref_text": "مرحبا"}, "Bayan", 201),
    ],
)
def test_provider_and_model_select_the_variant(
    http: httpx.Client, wav: bytes, fields: dict[str, str], model: str, status: int
) -> None:
    fields |= {"language": "ar"} if model == "Bayan" else {}
    response = upload(http, wav, **fields)
    assert response.status_code == status
    data = response.json()["data"]
    assert (data["model_id"], data["provider_supported_models"]) == (model, [model])
    assert data["status"] == ("pending" if model == "Ultra" else "active")
    assert (data["provider_voice_id"] == data["id"]) == (model != "Ultra")
    assert data["provider"] == "Telnyx"


def test_minimax_clone_has_an_id_of_its_own_and_checks_the_length(http: httpx.Client) -> None:
    sample = encoded("mp3", 11)
    data = clone(http, sample, provider="minimax")
    assert (data["provider"], data["model_id"]) == ("Minimax", "speech-2.8-turbo")
    assert len(data["provider_voice_id"]) == 45
    short = error(upload(http, encoded("mp3", 3), provider="MINIMAX"))
    assert (short["code"], short["detail"]) == ("10038", "Audio is too short (min 10s)")
    assert short["source"] == {"pointer": "/audio_file"}
    long = error(upload(http, encoded("wav", 301), provider="minimax"))
    assert (long["code"], long["detail"]) == ("10038", "Audio is too long")


def test_length_is_not_checked_where_every_file_is_accepted(box: Box, http: httpx.Client) -> None:
    box.control.post("/reset", json={"audio": "any"})
    assert upload(http, encoded("mp3", 1), provider="minimax").status_code == 201


@pytest.mark.parametrize(
    ("fields", "pointer"),
    [
        ({"provider": "minimax", "model_id": "Ultra"}, "/provider"),
        ({"provider": "minimax", "model_id": "Qwen3TTS"}, "/provider"),
        ({"provider": "telnyx", "model_id": "speech-2.8-turbo"}, "/model_id"),
        ({"provider": "telnyx", "model_id": "ultra"}, "/model_id"),
        ({"model_id": "Bayan", "language": "fr", "ref_text": "x"}, "/language"),
        ({"model_id": "Bayan"}, "/ref_text"),
        ({"model_id": "Bayan", "ref_text": "  "}, "/ref_text"),
        ({"model_id": "Ultra", "gender": "other"}, "/gender"),
    ],
)
def test_invalid_combination_returns_422_with_the_field(
    http: httpx.Client, wav: bytes, fields: dict[str, str], pointer: str
) -> None:
    response = upload(http, wav, **fields)
    assert response.status_code == 422
    (found,) = response.json()["errors"]
    assert (found["code"], found["source"]) == ("10027", {"pointer": pointer})
    assert "checked as" in response.headers["x-mockvoice-hint"]


def test_bayan_language_defaults_to_arabic(http: httpx.Client, wav: bytes) -> None:
    response = upload(http, wav, "language", model_id="Bayan", ref_text="مرحبا")
    assert response.json()["data"]["language"] == "ar"


def test_missing_gender_is_named(http: httpx.Client, wav: bytes) -> None:
    assert error(upload(http, wav, "gender"))["source"] == {"pointer": "/gender"}


@pytest.mark.parametrize(
    ("fields", "max_mb"),
    [({}, 5), ({"model_id": "Ultra"}, 5), ({"model_id": "Bayan", "ref_text": "x"}, 20)],
)
def test_upload_over_the_size_of_the_model_returns_422(
    http: httpx.Client, wav: bytes, fields: dict[str, str], max_mb: int
) -> None:
    fields = {**fields, "language": "en"}
    found = error(upload(http, wav + bytes(max_mb << 20), **fields))
    assert found["code"] == "10027"
    assert found["detail"] == f"File too large. Maximum allowed size is {max_mb}MB"
    fitting = wav + bytes((max_mb << 20) - len(wav))
    assert upload(http, fitting, **fields).is_success


def test_organization_limit_returns_403_until_a_clone_is_deleted(
    box: Box, http: httpx.Client, wav: bytes
) -> None:
    box.put("telnyx", "KEY", credit=1)
    made = clone(http, wav)
    response = upload(http, wav)
    assert response.status_code == 403
    assert error(response)["code"] == "10010"
    assert http.delete(f"/voice_clones/{made['id']}").status_code == 204
    assert upload(http, wav).status_code == 201


# --- pending clones ------------------------------------------------------------------------------


def test_ultra_clone_is_active_after_two_seconds_of_the_sandbox(
    box: Box, http: httpx.Client, wav: bytes
) -> None:
    box.clock(freeze=True)
    made = clone(http, wav, model_id="Ultra")
    path = f"/voice_clones/{made['id']}"
    voice = f"Telnyx.Ultra.{made['provider_voice_id']}"

    def statuses() -> list[str]:
        listed = http.get("/voice_clones").json()["data"]
        return [http.get(path).json()["data"]["status"], listed[0]["status"]]

    def is_listed() -> bool:
        voices = http.get("/text-to-speech/voices").json()["voices"]
        return voice in [item["voice_id"] for item in voices]

    assert statuses() == ["pending", "pending"]
    assert (say(http, voice), is_listed()) == (400, False)
    box.clock(advance=1.9)
    assert statuses() == ["pending", "pending"]
    box.clock(advance=0.1)
    assert statuses() == ["active", "active"]
    assert (say(http, voice), is_listed()) == (200, True)
    changed = http.patch(path, json={"name": "renamed"}).json()["data"]
    assert (changed["status"], changed["name"]) == ("active", "renamed")


def test_time_until_a_clone_is_active_is_a_setting(serve: Any, wav: bytes) -> None:
    server = serve(edition={"telnyx": "latest"}, pending_seconds=0)
    with httpx.Client(base_url=f"{server.url}/telnyx/v2", headers=KEY) as http:
        made = clone(http, wav, model_id="Ultra")
        assert made["status"] == "pending"
        assert http.get(f"/voice_clones/{made['id']}").json()["data"]["status"] == "active"


@pytest.mark.parametrize("status", ["failed", "expired"])
def test_seeded_clone_keeps_its_status_and_does_not_speak(
    box: Box, http: httpx.Client, status: str
) -> None:
    data = {"model_id": "Ultra", "status": status, "provider": "Telnyx"}
    seeded = box.control.post("/voices", json={"provider": "telnyx", "data": data}).json()
    assert http.get(f"/voice_clones/{seeded['id']}").json()["data"]["status"] == status
    assert say(http, f"Telnyx.Ultra.{seeded['id']}") == 400
    box.clock(advance=100)
    assert http.get(f"/voice_clones/{seeded['id']}").json()["data"]["status"] == status


def test_clone_speaks_with_its_own_model_only(http: httpx.Client, wav: bytes) -> None:
    made = clone(http, wav, model_id="Bayan", ref_text="x", language="ar")
    assert say(http, f"Telnyx.Bayan.{made['id']}") == 200
    assert say(http, f"Telnyx.Qwen3TTS.{made['id']}") == 400


def test_default_edition_has_no_variants(box: Box, wav: bytes) -> None:
    form = {**FIELDS, "model_id": "Ultra"}
    url = "/telnyx/v2/voice_clones/from_upload"
    made = box.http.post(url, headers=KEY, data=form, files={"audio_file": wav})
    assert made.status_code == 201
    assert made.json()["data"]["status"] == "active"


# --- the SDK -------------------------------------------------------------------------------------


def test_newest_sdk_sees_pending_clones_and_typed_errors(
    box: Box, http: httpx.Client, wav: bytes
) -> None:
    from telnyx import Telnyx, UnprocessableEntityError

    with Telnyx(api_key="KEY", base_url=f"{box.url}/telnyx/v2") as client:
        request: Any = {**FIELDS, "audio_file": wav, "provider": "telnyx", "model_id": "Ultra"}
        made = client.voice_clones.create_from_upload(voice_clone_upload_request=request)
        assert made.data
        assert (made.data.status, made.data.api_model_id) == ("pending", "Ultra")
        box.clock(advance=2)
        assert [voice.status for voice in client.voice_clones.list()] == ["active"]
        request["model_id"] = "Bayan"
        with pytest.raises(UnprocessableEntityError) as caught:
            client.voice_clones.create_from_upload(voice_clone_upload_request=request)
        assert "ref_text is required" in str(caught.value)


def test_hint_for_an_empty_form_precedes_that_of_the_closest_variant(http: httpx.Client) -> None:
    headers = {"Content-Type": "multipart/form-data; boundary=x"}  # as telnyx-go 4 sends it
    response = http.post("/voice_clones/from_upload", headers=headers, content=b"--x--\r\n")
    assert response.status_code == 422
    assert response.headers["X-Mockvoice-Hint"].startswith("the body has no parts: telnyx-node 7")


# --- pronunciation dictionaries ------------------------------------------------------------------


def test_dictionary_is_created_listed_changed_and_deleted(http: httpx.Client) -> None:
    body = {"name": "Brand Names", "items": [ITEM, PHONEME]}
    response = http.post("/pronunciation_dicts", json=body)
    assert response.status_code == 201
    made = response.json()["data"]
    assert (made["items"], made["version"]) == ([ITEM, PHONEME], 1)
    path = f"/pronunciation_dicts/{made['id']}"
    assert http.get(path).json()["data"] == made
    changed = http.patch(path, json={"items": [ITEM]}).json()["data"]
    assert (changed["items"], changed["version"], changed["name"]) == ([ITEM], 2, "Brand Names")
    assert http.patch(path, json={"name": "Brand Names"}).status_code == 200
    listed = http.get("/pronunciation_dicts").json()
    assert [item["version"] for item in listed["data"]] == [3]
    assert listed["meta"]["total_results"] == 1
    assert http.delete(path).status_code == 204
    assert error(http.get(path)) == {
        "code": "90201",
        "title": "Pronunciation dictionary not found",
        "detail": "The requested pronunciation dictionary does not exist",
    }


def test_seeded_dictionary_is_listed_changed_and_exported(box: Box, http: httpx.Client) -> None:
    seed = {"provider": "telnyx", "collection": "pronunciation_dicts", "data": {"name": "Brands"}}
    seeded = box.control.post("/voices", json=seed).json()
    path = f"/pronunciation_dicts/{seeded['id']}"
    assert http.get("/pronunciation_dicts").json()["data"] == [seeded["data"]]
    assert http.patch(path, json={"items": [ITEM]}).json()["data"]["items"] == [ITEM]
    (exported,) = yaml.safe_load(box.control.get("/export").text)["voices"]
    assert (exported["collection"], exported["id"]) == ("pronunciation_dicts", seeded["id"])


def test_duplicate_name_and_too_many_dictionaries_return_422(http: httpx.Client) -> None:
    for number in range(50):
        body = {"name": f"n{number}", "items": [ITEM]}
        assert http.post("/pronunciation_dicts", json=body).status_code == 201
    taken = error(http.post("/pronunciation_dicts", json={"name": "n7", "items": [ITEM]}))
    assert (taken["code"], taken["title"]) == ("90202", "Validation failed")
    assert taken["source"] == {"pointer": "/organization_id, name"}
    limit = error(http.post("/pronunciation_dicts", json={"name": "more", "items": [ITEM]}))
    assert (limit["code"], limit["title"]) == ("90203", "Limit exceeded")
    assert limit["detail"] == "Maximum number of pronunciation dictionaries (50) reached"


@pytest.mark.parametrize(
    ("body", "pointer"),
    [
        ({"name": "n"}, "/items"),
        ({"name": "n", "items": []}, "/items"),
        ({"items": [ITEM]}, "/name"),
        ({"name": "n", "items": [{**ITEM, "type": "sound"}]}, "/items/0/type"),
        ({"name": "n", "items": [{"text": "a", "type": "alias"}]}, "/items/0/alias"),
        ({"name": "n", "items": [{**ITEM, "phoneme": "x"}]}, "/items/0/phoneme"),
    ],
)
def test_invalid_dictionary_returns_422(http: httpx.Client, body: Any, pointer: str) -> None:
    response = http.post("/pronunciation_dicts", json=body)
    assert response.status_code == 422
    assert error(response)["code"] == "90202"
    assert pointer in [found["source"]["pointer"] for found in response.json()["errors"]]


PLS = f"""<?xml version="1.0" encoding="UTF-8"?>
<lexicon version="1.0" xmlns="http://www.w3.org/2005/01/pronunciation-lexicon" alphabet="ipa">
  <!-- brands -->
  <lexeme><grapheme>Telnyx</grapheme><alias>tel-nicks</alias></lexeme>
  <lexeme><grapheme>Telnyx</grapheme><phoneme>{IPA}</phoneme></lexeme>
</lexicon>
"""


@pytest.mark.parametrize("text", [f"Telnyx=tel-nicks\n\n# c\nTelnyx:/{IPA}/\n", PLS])
def test_dictionary_is_created_from_a_file(http: httpx.Client, text: str) -> None:
    file = {"file": ("names.txt", text.encode())}
    response = http.post("/pronunciation_dicts", data={"name": "n"}, files=file)
    assert response.status_code == 201
    assert response.json()["data"]["items"] == [ITEM, PHONEME]


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"a=b\nno separator", 'file must have word=alias or word:/phoneme/ in line 2; got "no'),
        (b"\xff\xfe", "file must be text in UTF-8"),
        (b"# only a comment", "file must have 1 to 100 items; got 0"),
        (b"a=b\n" * 101, "file must have 1 to 100 items; got 101"),
        (b"a=" + b"b" * 501, 'file has an item that is empty or too long: "a"'),
        (b"<lexicon>", "file is not well-formed XML: no element found"),
        (b"<!DOCTYPE x [<!ENTITY a 'b'>]><lexicon/>", "file must not have a document type decl"),
        (bytes(1048577), "file must have at most 1048576 bytes; got 1048577"),
    ],
)
def test_invalid_dictionary_file_returns_422(
    http: httpx.Client, content: bytes, message: str
) -> None:
    response = http.post("/pronunciation_dicts", data={"name": "n"}, files={"file": content})
    assert response.status_code == 422
    assert error(response)["detail"].startswith(message)

"""Export and import of sandboxes."""

from __future__ import annotations

import base64
import hashlib
import json
from pathlib import Path
from typing import Any

import httpx
import pytest
import yaml
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from mockvoice.config.yaml import YAMLDocument
from mockvoice.http.server import Server
from mockvoice.redact import mask_key

from ..cli.processes import serving
from ..conftest import Box, Serve, encoded
from ..contract.contracts import Contract
from ..contract.strategies import values

BEARER = {"Authorization": "Bearer key_real_secret"}
SUPERTONE = {"x-sup-api-key": "key_real_secret"}
WAV = encoded("wav", 4.0)
YAML = {"content-type": "application/yaml"}


def exported(box: Box, *, keys: bool = True) -> str:
    response = box.control.get("/export", params={"keys": keys})
    assert response.status_code == 200, response.text
    assert response.headers["content-type"] == "application/yaml"
    return response.text


def content(text: str) -> Any:
    """Return the content of an exported file, as it would be read."""
    document = YAMLDocument(text, {})
    assert not document.diagnostics
    return document.value


def imported(box: Box, text: str) -> Any:
    response = box.control.post("/import", content=text.encode(), headers=YAML)
    assert response.status_code == 200, response.text
    return response.json()


def fill(box: Box) -> None:
    """Give a sandbox state of every kind."""
    box.clock(freeze="2024-05-06T07:08:09.123Z")
    form = {"voice_name": "costs $5 or ${X}", "voice_provider": "elevenlabs"}
    box.http.post("/retell/clone-voice", headers=BEARER, data=form, files={"files": WAV})
    design = {"name": "designed", "text": "Hello", "prompt": "Calm."}
    box.http.post("/telnyx/v2/voice_designs", headers=BEARER, json=design)
    upload = {"name": "uploaded", "language": "en"}
    box.http.post("/telnyx/v2/voice_clones/from_upload", headers=BEARER, data=upload,
                  files={"audio_file": WAV})  # fmt: skip
    box.http.post("/supertone/v1/custom-voices/cloned-voice", headers=SUPERTONE,
                  data={"name": "n"}, files={"files": WAV})  # fmt: skip
    box.control.post("/voices", json={"provider": "faseeh", "data": {"name": "seeded"}})
    box.put("supertone", "key_real_secret", tier="free", credit=1.5)
    box.put("supertone", "*", limits={"clones": {"max": 1, "per": 60}})
    box.put("faseeh", "*", models=["faseeh-mini-v1-preview"])
    box.inject("ok", 502, {"kind": "reset"}, provider="telnyx", match={"account": "key_fault_1"})
    box.inject(status=503, times=2, headers={"x-note": "a: 'b' #c"})
    box.control.post("/reset", json={"only": [], "audio": "any", "limits": "documented"})


def test_export_has_the_state_of_the_sandbox(box: Box) -> None:
    fill(box)
    file = content(exported(box))
    assert (file["audio"], file["limits"]) == ("any", "documented")
    assert file["clock"] == {"freeze": "2024-05-06T07:08:09.123Z"}
    assert file["accounts"] == {
        "supertone": {
            "*": {"limits": {"clones": {"max": 1, "per": 60}}},
            "key_real_secret": {"tier": "free", "credit": 1.5},
        },
        "faseeh": {"*": {"models": ["faseeh-mini-v1-preview"]}},
    }
    assert [(voice["provider"], voice["collection"]) for voice in file["voices"]] == [
        ("retell", "voices"),
        ("telnyx", "voice_designs"),
        ("telnyx", "design_versions"),
        ("telnyx", "voice_clones"),
        ("supertone", "custom-voices"),
        ("faseeh", "voices"),
    ]
    assert file["voices"][0]["data"]["voice_name"] == "costs $5 or ${X}"
    assert [fault.get("times") for fault in file["faults"]] == [None, 2]
    assert file["faults"][0]["sequence"] == ["ok", {"status": 502}, {"kind": "reset"}]


def test_new_sandbox_exports_only_its_settings(box: Box) -> None:
    assert content(exported(box)) == {
        "seed": 0,
        "audio": "strict",
        "limits": "off",
        "keys": "any",
        "retry_after": "documented",
        "strict_fields": False,
    }


def test_import_restores_the_sandbox_on_another_server(serve: Serve) -> None:
    with Box(serve(), "first") as first, Box(serve(), "second") as second:
        fill(first)
        text = exported(first)
        second.inject(status=500)
        second.control.post("/voices", json={"provider": "retell"})
        result = imported(second, text)
        assert result == {"accounts": 3, "voices": 6, "faults": 2}
        assert exported(second).replace("second", "first") == text
        for box in (first, second):
            box.control.delete("/faults")
        paths = ["/retell/list-voices", "/telnyx/v2/voice_clones", "/telnyx/v2/voice_designs"]
        for path in paths:
            listed = [box.http.get(path, headers=BEARER) for box in (first, second)]
            before, after = (
                json.loads(response.text.replace(box.url, ""))
                for box, response in zip((first, second), listed, strict=True)
            )
            assert before == after
        custom = "/supertone/v1/custom-voices"
        assert second.http.get(custom, headers=SUPERTONE).json()["items"]
        assert second.control.get("/clock").json() == first.control.get("/clock").json()


def test_listed_keys_are_exported_if_only_those_are_valid(box: Box) -> None:
    box.put("retell", "key_real_secret")
    assert "accounts" not in content(exported(box))
    box.control.post("/reset", json={"only": [], "keys": "listed"})
    text = exported(box)
    assert content(text)["accounts"] == {"retell": {"key_real_secret": {}}}
    imported(box, text)
    assert exported(box) == text
    assert box.http.get("/retell/list-voices", headers=BEARER).status_code == 200
    other = {"Authorization": "Bearer key_other"}
    assert box.http.get("/retell/list-voices", headers=other).status_code == 401


def test_running_clock_continues_where_it_was(serve: Serve) -> None:
    with Box(serve(), "first") as first, Box(serve(), "second") as second:
        first.clock(freeze="2031-01-01T00:00:00Z")
        first.clock(freeze=None)
        file = content(exported(first))
        assert file["clock"]["start"].startswith("2031-01-01T00:00:0")
        imported(second, exported(first))
        clock = second.control.get("/clock").json()
        assert clock["now"].startswith("2031-01-01T00:0")
        assert clock["frozen"] is False


def test_secrets_are_masked_by_default(box: Box) -> None:
    fill(box)
    text = exported(box, keys=False)
    assert "key_real_secret" not in text
    assert "key_fault_1" not in text
    assert "# API keys and other secrets are masked." in text
    file = content(text)
    masked = mask_key("key_real_secret")
    assert file["accounts"]["supertone"][masked] == {"tier": "free", "credit": 1.5}
    assert file["voices"][0]["account"] == masked
    assert file["faults"][0]["match"]["account"] == mask_key("key_fault_1")
    assert imported(box, text)["voices"] == 6


def sample_of(box: Box, id: str, key: dict[str, str] = BEARER) -> bytes:
    response = box.http.get(f"/telnyx/v2/voice_clones/{id}/sample", headers=key)
    assert response.status_code == 200, response.text
    return response.content


def test_samples_are_exported_and_imported(serve: Serve, tmp_path: Path) -> None:
    with Box(serve(), "first") as first, Box(serve(), "second") as second:
        fill(first)
        first.control.delete("/faults")
        (clone,) = first.voices(collection="voice_clones")
        assert [file["sha256"] for file in clone["uploads"]] == [hashlib.sha256(WAV).hexdigest()]
        text = first.control.get("/export", params={"keys": True, "samples": True}).text
        imported(second, text)
        assert sample_of(second, clone["id"]) == WAV
        for voices in (first.voices(), second.voices()):
            assert [len(voice["uploads"]) for voice in voices] == [1, 0, 0, 1, 1, 0]
        again = second.control.get("/export", params={"keys": True, "samples": True}).text
        assert again.replace("second", "first") == text
        assert "samples:" not in exported(second)
    (tmp_path / "mockvoice.yaml").write_text(text, encoding="utf-8")
    with serving("--config", str(tmp_path / "mockvoice.yaml")) as (_, url):
        served = httpx.get(f"{url}/telnyx/v2/voice_clones/{clone['id']}/sample", headers=BEARER)
        assert served.content == WAV
        assert content(httpx.get(f"{url}/__mockvoice/export?keys=1&samples=true").text)


def test_evicted_samples_are_counted_in_the_export(serve: Serve) -> None:
    with Box(serve(upload_cache_mb=1), "box") as box:
        for _ in range(3):
            form = {"name": "large", "language": "en"}
            box.http.post("/telnyx/v2/voice_clones/from_upload", headers=BEARER, data=form,
                          files={"audio_file": encoded("wav", 9.0)})  # fmt: skip
        text = box.control.get("/export", params={"samples": True}).text
        present = [voice for voice in content(text)["voices"] if "samples" in voice]
        assert 0 < len(present) < 3
        assert f"# {3 - len(present)} samples are missing" in text


def test_seeded_record_has_samples_until_it_is_deleted(box: Box) -> None:
    sample = {"filename": "me.wav", "content": base64.b64encode(WAV).decode()}
    seed = {"provider": "telnyx", "data": {"name": "n"}, "samples": [sample]}
    voice = box.control.post("/voices", json=seed).json()
    assert [(file["filename"], file["format"]) for file in voice["uploads"]] == [("me.wav", "wav")]
    assert sample_of(box, voice["id"]) == WAV
    renamed = box.http.patch(f"/telnyx/v2/voice_clones/{voice['id']}", headers=BEARER,
                             json={"name": "renamed"})  # fmt: skip
    assert renamed.status_code == 200
    assert sample_of(box, voice["id"]) == WAV
    assert box.control.delete("/voices").status_code == 204
    again = box.control.post("/voices", json=seed).json()
    assert sample_of(box, again["id"]) == WAV


def test_changed_record_of_the_settings_keeps_its_samples(serve: Serve) -> None:
    sample = {"content": base64.encodebytes(WAV).decode()}
    voice = {"provider": "telnyx", "data": {"name": "n"}, "samples": [sample]}
    with Box(serve(voices=[voice]), "box") as box:
        (clone,) = box.voices(collection="voice_clones")
        path = f"/telnyx/v2/voice_clones/{clone['id']}"
        renamed = box.http.patch(path, headers=BEARER, json={"name": "renamed"})
        assert renamed.json()["data"]["name"] == "renamed"
        assert sample_of(box, clone["id"]) == WAV


def test_sample_that_is_not_base64_is_rejected(box: Box) -> None:
    seed = {"provider": "retell", "samples": [{"content": "YWJj"}, {"content": "<wav>"}]}
    response = box.control.post("/voices", json=seed)
    assert response.status_code == 400
    assert "samples.1.content must be base64 (RFC 4648)" in response.json()["detail"]
    response = box.control.post("/import", json={"voices": [seed]})
    assert "voices.0.samples.1.content must be base64" in response.json()["detail"]


def test_counts_of_faults_are_not_exported(box: Box) -> None:
    box.inject(status=503, times=1)
    box.http.get("/retell/list-voices", headers=BEARER)
    imported(box, exported(box))
    (fault,) = box.control.get("/faults").json()["faults"]
    assert (fault["hits"], fault["matched"]) == (0, 0)
    assert box.http.get("/retell/list-voices", headers=BEARER).status_code == 503


def test_deleted_records_of_the_settings_stay_deleted(serve: Serve) -> None:
    voices = [{"provider": "retell", "id": "custom_a"}, {"provider": "retell", "id": "custom_b"}]
    with Box(serve(voices=voices), "box") as box, Box(serve(voices=voices), "box") as other:
        assert len(content(exported(box))["voices"]) == 2
        box.control.delete("/voices")
        imported(other, exported(box))
        assert other.voices() == []


def test_json_is_accepted(box: Box) -> None:
    response = box.control.post("/import", json={"seed": 7.0, "voices": [{"provider": "retell"}]})
    assert response.json() == {"accounts": 0, "voices": 1, "faults": 0}
    assert content(exported(box))["seed"] == 7


def test_related_record_does_not_replace_an_exported_one(box: Box) -> None:
    id = "550e8400-e29b-41d4-a716-446655440000"
    design = {"provider": "telnyx", "collection": "voice_designs", "id": id,
              "data": {"name": "mine"}}  # fmt: skip
    clone = {"provider": "telnyx", "data": {"source_voice_design_id": id}}
    for voices in ([design, clone], [clone, design]):
        box.control.post("/import", json={"voices": voices})
        named = [v["data"]["name"] for v in box.voices(collection="voice_designs")]
        assert named == ["mine"]


@pytest.mark.parametrize(
    ("text", "detail"),
    [
        ("seed: x", "seed must be a whole number"),
        ("sede: 1", "sede is not a property of a sandbox"),
        ("port: 1", "port is not a property of a sandbox"),
        ("faults: [{status: 99}]", "faults.0.status must be"),
        ("voices: [{provider: retel}]", "voices.0.provider must be one of"),
        ("voices: [{provider: retell, data: {voice_nam: x}}]", "voices.0.data.voice_nam is not"),
        ("accounts: {retell: {k: {tier: x}}}", "accounts.retell.k.tier has no effect at"),
        ("clock: {freeze: 1969-01-01T00:00:00Z}", "clock.freeze must be a time from 1970"),
        ("clock: {freeze: x}", "clock.freeze must be a date and time"),
        ("edition: {telnyx: x}", "edition.telnyx must be one of"),
        ("seed: [", "the body has a defect in line 2:1: the file must be YAML"),
        ("seed: ${HOME}", "the body has a defect in line 1: seed refers to the environment"),
        ("a: 1\na: 2", "the body has a defect in line 2: a is defined twice"),
        ("[]", "must be an object"),
    ],
)
def test_invalid_file_is_rejected_and_changes_nothing(box: Box, text: str, detail: str) -> None:
    box.inject(status=503)
    response = box.control.post("/import", content=text, headers=YAML)
    assert response.status_code == 400
    assert detail in response.json()["detail"]
    assert len(box.control.get("/faults").json()["faults"]) == 1


def test_server_serves_an_exported_file(serve: Serve, tmp_path: Path) -> None:
    with Box(serve(), "box") as box:
        fill(box)
        text = exported(box)
        listed = box.control.get("/voices").json()["voices"]
    file = tmp_path / "mockvoice.yaml"
    file.write_text(text, encoding="utf-8")
    with serving("--config", str(file)) as (_, url):
        again = httpx.get(f"{url}/__mockvoice/export", params={"keys": True}).text
        assert content(again) == content(text)
        assert httpx.get(f"{url}/__mockvoice/clock").json()["frozen"] is True
        served = httpx.get(f"{url}/__mockvoice/voices").json()["voices"]
    assert [voice["id"] for voice in served] == [voice["id"] for voice in listed]


def test_export_is_plain_yaml_for_other_readers(box: Box) -> None:
    fill(box)
    text = exported(box)
    assert yaml.safe_load(text) == YAMLDocument(text).value


# --- any state -----------------------------------------------------------------------------------

CONTROL = Contract("mockvoice")
SCHEMAS = CONTROL.document["components"]["schemas"]
TEXTS = st.text(st.characters(exclude_categories=["Cs", "Cc"]), min_size=1, max_size=20)
KEYS = st.text(st.characters(min_codepoint=33, max_codepoint=126), min_size=1, max_size=20)
FAULTS = st.fixed_dictionaries(
    {"status": st.integers(400, 599)},
    optional={
        "times": st.integers(1, 9),
        "body": values(CONTROL, {}) | TEXTS,
        "headers": st.dictionaries(st.sampled_from(["x-a", "X-B"]), KEYS),
        "match": st.fixed_dictionaries({"account": TEXTS, "fields": st.dictionaries(TEXTS, TEXTS)}),
        "probability": st.floats(0, 1),
        "expires_in": st.floats(0, 1e9),
    },
)
VOICES = st.fixed_dictionaries(
    {"provider": st.just("retell"), "data": st.fixed_dictionaries({"voice_name": TEXTS})},
    optional={"account": KEYS},
)
STATES = st.fixed_dictionaries(
    {
        "seed": st.integers(-(2**53), 2**53),
        "audio": st.sampled_from(["strict", "any"]),
        "limits": st.sampled_from(["off", "documented"]),
        "keys": st.sampled_from(["any", "listed"]),
        "retry_after": st.sampled_from(["documented", "always"]),
        "strict_fields": st.booleans(),
        "clock": st.datetimes().map(
            lambda t: {"freeze": f"{t.replace(year=2024, microsecond=0).isoformat()}.5Z"}
        ),
        "accounts": st.fixed_dictionaries(
            {},
            optional={
                "retell": st.dictionaries(
                    KEYS, st.fixed_dictionaries({"trial_ended": st.booleans()})
                ),
                "supertone": st.dictionaries(
                    KEYS | st.just("*"),
                    st.fixed_dictionaries(
                        {},
                        optional={"credit": st.none() | st.floats(0, 1e9), "tier": st.just("free")},
                    ),
                ),
            },
        ),
        "voices": st.lists(VOICES, max_size=4),
        "faults": st.lists(FAULTS, max_size=4),
    }
)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(state=STATES)
def test_export_of_an_import_is_the_same_file(server: Server, box: Box, state: Any) -> None:
    response = box.control.post("/import", json=state)
    assert response.status_code == 200, response.text
    text = exported(box)
    file = content(text)
    assert file["seed"] == state["seed"]
    assert file.get("faults", []) == state["faults"]
    assert len(file.get("voices", [])) == len(state["voices"])
    with Box(server, f"{box.name}-copy") as copy:
        imported(copy, text)
        assert exported(copy).replace(copy.name, box.name) == text

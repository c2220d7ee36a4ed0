"""Contents of a journal entry."""

from __future__ import annotations

import json
from hashlib import sha256
from typing import Any

import pytest

from mockvoice.http.server import Server, bind

from ..conftest import Box, encoded
from ..state.serializing import make_mock

WAV = encoded("wav", 0.25)
BEARER = {"Authorization": "Bearer K"}
LIST = "/retell/list-voices"
UPLOAD = "/telnyx/v2/voice_clones/from_upload"
DESIGNS = "/telnyx/v2/voice_designs"
DESIGN = {"name": "narrator", "text": "Hello", "prompt": "Calm."}
UPLOADED = {"name": "narrator", "language": "en", "gender": "male", "provider": "telnyx"}


def test_entry_contains_request_and_response(box: Box) -> None:
    box.clock(freeze="2024-01-01T00:00:00.250Z")
    sample = ("my voice.mp3", WAV, "audio/mpeg")
    headers = {**BEARER, "X-Stainless-Retry-Count": "1"}
    response = box.http.post(
        f"{UPLOAD}?dry=1&tag=a&tag=b", headers=headers, data=UPLOADED, files={"audio_file": sample}
    )
    (entry,) = box.requests()
    assert response.headers["x-mockvoice-request"] == entry["id"] == "request_1"
    assert entry["headers"]["content-type"].startswith("multipart/form-data")
    assert entry["milliseconds"] > 0
    assert entry["bytes"] > len(WAV)
    assert entry["response"]["headers"] == {
        name: value for name, value in response.headers.items() if name != "content-length"
    }
    assert entry["response"]["body"] == response.json()
    account = entry["account"]
    for name in ("headers", "milliseconds", "bytes", "response", "account"):
        del entry[name]
    assert entry == {
        "id": "request_1",
        "sandbox": box.name,
        "at": "2024-01-01T00:00:00.250Z",
        "provider": "telnyx",
        "operation": "createVoiceCloneFromUpload",
        "method": "POST",
        "path": UPLOAD,
        "query": {"dry": "1", "tag": ["a", "b"]},
        "fields": UPLOADED,
        "files": [
            {
                "field": "audio_file",
                "filename": "my voice.mp3",
                "content_type": "audio/mpeg",
                "bytes": len(WAV),
                "sha256": sha256(WAV).hexdigest(),
                "format": "wav",
                "seconds": 0.25,
            }
        ],
        "violations": [],
        "hint": "",
        "fault": None,
        "status": 201,
        "attempt": 2,
        "early": None,
        "client_closed": None,
        "internal_error": "",
        "custom": False,
        "upstream": "",
        "difference": None,
        "frames": [],
        "omitted_frames": 0,
        "closed": None,
    }
    assert account
    assert account != "K"
    assert box.control.get("/requests/request_1").json() == box.last()


def test_entry_contains_decoded_fields_and_files(box: Box) -> None:
    form = {"text": "t", "stability": "0.5", "name": "n", "model": "faseeh-v1-preview", "x": "1"}
    files: dict[str, Any] = {
        "voice_file": WAV,
        "reference_audio_file": ("", WAV, "audio/wav"),
        "other": b"text",
    }
    path, key = "/faseeh/api/v1/voices/clone", {"x-api-key": "K"}
    assert box.http.post(path, headers=key, data=form, files=files).status_code == 200
    entry = box.last()
    assert entry["fields"] == {**form, "stability": 0.5}
    assert [(file["field"], file["filename"], file["format"]) for file in entry["files"]] == [
        ("voice_file", "upload", "wav"),
        ("reference_audio_file", "", "wav"),
        ("other", "upload", "text"),
    ]


def test_entry_of_early_failure_contains_fields_and_files(box: Box) -> None:
    """Tests of retries compare the attempts that failed with those that succeeded."""
    box.inject(status=502, times=2)
    box.http.post(UPLOAD, headers=BEARER, data=UPLOADED, files={"audio_file": WAV})
    box.http.post(DESIGNS, headers=BEARER, json=DESIGN)
    box.http.post(UPLOAD, data=UPLOADED, files={"audio_file": WAV})  # no key
    box.http.post("/telnyx/nowhere", headers=BEARER, json=DESIGN)
    upload, design, no_key, unknown_path = box.requests()
    for entry in (upload, no_key):
        assert entry["fields"] == UPLOADED
        assert entry["files"][0]["sha256"] == sha256(WAV).hexdigest()
    for entry in (design, unknown_path):
        assert (entry["fields"], entry["files"]) == (DESIGN, [])
    assert [entry["status"] for entry in box.requests()] == [502, 502, 401, 404]
    assert (unknown_path["operation"], no_key["account"]) == ("", "")


@pytest.mark.parametrize("fault", [{}, {"status": 502}])
def test_request_to_path_without_provider_is_recorded(box: Box, fault: dict[str, Any]) -> None:
    """A base URL without the provider's base path must not end in a report without requests."""
    if fault:
        box.inject(**fault)  # a fault must not hide the hint
    response = box.http.post("/voice_designs?a=1", headers=BEARER, json=DESIGN)
    assert response.status_code == 404
    assert response.headers["content-type"] == "application/problem+json"
    hint = response.json().pop("hint")
    assert f"the base URL of Telnyx here is {box.url}/telnyx/v2; " in hint
    assert "; did you mean POST /telnyx/v2/voice_designs?; the control API is " in hint
    assert response.json()["detail"] == "no operation has the path /voice_designs"
    entry = box.last()
    assert response.headers["x-mockvoice-request"] == entry["id"]
    assert (entry["provider"], entry["operation"], entry["account"]) == ("", "", "")
    assert (entry["path"], entry["query"], entry["fields"]) == (
        "/voice_designs",
        {"a": "1"},
        DESIGN,
    )
    assert (entry["status"], entry["hint"], entry["fault"]) == (404, hint, None)
    assert box.requests(operation="POST /voice_designs") == [entry]
    assert box.requests(provider="telnyx") == []


def test_request_to_path_without_provider_is_logged(capsys: pytest.CaptureFixture[str]) -> None:
    with Server(make_mock(log="text"), bind("127.0.0.1", 0)) as server:
        with Box(server, "logged") as box:
            box.http.get("/voice_clones")
    assert "request_1  (no provider) (no operation)  GET /voice_clones  -> 404" in (
        capsys.readouterr().out
    )


def test_entry_of_unreadable_body_contains_its_size(box: Box) -> None:
    for content in (b"{", b"[1]", b"\xff"):
        box.http.post(DESIGNS, headers=BEARER, content=content)
        entry = box.last()
        assert (entry["fields"], entry["files"], entry["bytes"]) == ({}, [], len(content))


def test_entry_does_not_contain_response_audio(box: Box) -> None:
    body = {"text": "hello", "voice": "aws.Polly.Generative.Lucia"}
    box.http.post("/telnyx/v2/text-to-speech/speech", headers=BEARER, json=body)
    response = box.last()["response"]
    assert response["body"] is None
    assert response["headers"]["content-type"] == "audio/mpeg"


def test_rejection_explains_violations_in_entry_and_headers(box: Box) -> None:
    form = {"name": "narrator", "voice_provider": "eleven"}
    response = box.http.post(
        "/retell/clone-voice", headers=BEARER, data=form, files={"files": b"Example data"}
    )
    assert response.headers["x-mockvoice-hint"] == "you sent name; the field is voice_name"
    entry = box.last()
    assert entry["hint"] == "you sent name; the field is voice_name"
    assert entry["violations"] == json.loads(response.headers["x-mockvoice-violations"])
    name, provider = entry["violations"]
    assert name == {
        "location": "body",
        "pointer": "/voice_name",
        "rule": "required",
        "message": "voice_name is required",
        "expected": "voice_name",
        "received": None,
        "source": "retell/2026-08.yaml#/components/schemas/CloneVoiceRequest/required",
        "hint": "you sent name; the field is voice_name",
    }
    assert (provider["rule"], provider["received"]) == ("enum", "eleven")
    assert "elevenlabs" in provider["expected"]
    assert provider["hint"] == "did you mean elevenlabs?"


def test_violation_source_points_to_the_rule_in_the_contract(box: Box) -> None:
    providers = make_mock().providers
    box.http.post(DESIGNS, headers=BEARER, json={"name": "", "prompt": 5, "top_k": 0})
    box.http.get("/telnyx/v2/voice_clones?page[size]=0", headers=BEARER)
    box.http.post("/retell/clone-voice", headers=BEARER, files={"files": b"Example data"})
    form = {"voice_name": "n", "voice_provider": "platform"}
    box.http.post("/retell/clone-voice", headers=BEARER, data=form, files={"files": b"Example"})
    supertone, large = "/supertone/v1/custom-voices/cloned-voice", {"files": WAV + bytes(3 << 20)}
    box.http.post(supertone, headers={"x-sup-api-key": "K"}, data={"name": "n"}, files=large)
    violations = [violation for entry in box.requests() for violation in entry["violations"]]
    rules = {"required", "minLength", "type", "minimum", "x-audio-formats", "x-max-bytes"}
    assert rules <= {violation["rule"] for violation in violations}
    for violation in violations:
        name, _, pointer = violation["source"].partition("#")
        schemas = providers[name.partition("/")[0]].document.schemas
        node = schemas.node("#" + pointer)
        if violation["rule"] != "required":  # there `expected` is one member of the list
            assert violation["expected"] in (node, [node]), violation


def test_hint_with_special_characters_is_escaped_in_header(box: Box) -> None:
    """Headers allow few characters; the journal contains the hint unchanged."""
    for name in ("prompt☃", "prompt\r\nX-Evil: 1", "prompt\\é"):
        body = {"name": "n", "text": "t", name: "x"}
        response = box.http.post(DESIGNS, headers=BEARER, json=body)
        assert response.status_code == 422
        assert "x-evil" not in response.headers
        hint = f"you sent {name}; the field is prompt"
        assert response.headers["x-mockvoice-hint"].encode().decode("unicode_escape") == hint
        assert box.last()["hint"] == hint


def test_long_value_is_shortened_in_violations_header(box: Box) -> None:
    body = {**DESIGN, "name": "n" * 9000}
    response = box.http.post(DESIGNS, headers=BEARER, json=body)
    (violation,) = json.loads(response.headers["x-mockvoice-violations"])
    assert violation["message"] == "name must be at most 255 characters long; got 9000"
    assert box.last()["violations"][0]["received"] == "n" * 9000


@pytest.mark.parametrize(
    ("count", "attempt"),
    [("0", 1), ("2", 3), ("", None), ("x", None), ("-1", None), ("²", None), ("9" * 5000, None)],
)
def test_attempt_is_read_from_stainless_retry_count(
    box: Box, count: str, attempt: int | None
) -> None:
    headers = {b"Authorization": b"Bearer K", b"X-Stainless-Retry-Count": count.encode("latin-1")}
    assert box.http.get(LIST, headers=headers).status_code == 200
    assert box.last()["attempt"] == attempt

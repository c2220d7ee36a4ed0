"""Telnyx: what clones, what is refused, and with which words."""

from __future__ import annotations

from hashlib import sha256
from typing import Any

import httpx
import pytest

from ..conftest import Serve

UPLOAD, DESIGN = "/telnyx/v2/voice_clones/from_upload", "/telnyx/v2/voice_clones"
KEY = {"Authorization": "Bearer KEY_test"}
FIELDS = {"name": "narrator", "language": "en"}
FRIENDLY = "550e8400-e29b-41d4-a716-446655440000"
ASKED = {"name": "clone-narrator", "voice_design_id": FRIENDLY, "language": "en", "gender": "male"}


def upload(http: httpx.Client, data: bytes, **fields: str) -> httpx.Response:
    return http.post(
        UPLOAD, headers=KEY, data={**FIELDS, **fields}, files={"audio_file": ("upload", data)}
    )


def only_error(response: httpx.Response) -> dict[str, Any]:
    (error,) = response.json()["errors"]
    assert isinstance(error, dict)
    return error


def test_a_clone_from_an_upload_has_all_fields_of_the_contract(
    http: httpx.Client, wav: bytes
) -> None:
    response = upload(http, wav, gender="female", label="calm", ref_text="hello", model_id="null")
    assert response.status_code == 201
    data = response.json()["data"]
    assert data == {
        "record_type": "voice_clone",
        "id": data["id"],
        "source_voice_design_id": None,
        "source_voice_design_version": None,
        "name": "narrator",
        "language": "en",
        "gender": "female",
        "label": "calm",
        "created_at": data["created_at"],
        "updated_at": data["created_at"],
        "provider": "Telnyx",
        "provider_supported_models": ["Qwen3TTS"],
        "provider_voice_id": data["id"],
        "model_id": "Qwen3TTS",
        "status": "active",
    }


@pytest.mark.parametrize("format", ["wav", "mp3", "flac", "ogg", "m4a"])
def test_every_documented_format_is_taken(
    http: httpx.Client, samples: dict[str, bytes], format: str
) -> None:
    assert upload(http, samples[format]).status_code == 201


@pytest.mark.parametrize("provider", ["minimax", "Minimax"])
def test_a_minimax_clone_speaks_by_an_id_of_its_own(
    http: httpx.Client, wav: bytes, provider: str
) -> None:
    data = upload(http, wav, provider=provider).json()["data"]
    assert data["provider"] == "Minimax"
    assert data["provider_supported_models"] == ["speech-2.8-turbo"]
    assert len(data["provider_voice_id"]) == 43


@pytest.mark.parametrize(
    "language", ["auto", "Auto", "en", "pt-BR", "lkf-Lz1vLbBu-9uDh-9AHaOS2D-Cbf"]
)
def test_every_language_that_fits_the_pattern_is_taken(
    http: httpx.Client, wav: bytes, language: str
) -> None:
    assert upload(http, wav, language=language).json()["data"]["language"] == language


@pytest.mark.parametrize(
    ("field", "value", "detail"),
    [
        ("name", "", "name must not be empty"),
        ("name", "x" * 256, "name must be at most 255 characters long; got 256"),
        ("language", "", "language must match"),
        ("language", "EN", "language must match"),
        ("language", "english", "language must match"),
        ("gender", "robot", "gender must be one of male, female, neutral"),
        ("provider", "acme", "provider must be one of telnyx, minimax, Telnyx, Minimax"),
    ],
)
def test_a_wrong_field_is_422_with_a_pointer_to_it(
    http: httpx.Client, wav: bytes, field: str, value: str, detail: str
) -> None:
    response = upload(http, wav, **{field: value})
    assert response.status_code == 422
    error = only_error(response)
    assert error["code"] == "10027"
    assert error["source"] == {"pointer": f"/{field}"}
    assert error["detail"].startswith(detail)


def test_every_missing_field_is_reported_concurrency(http: httpx.Client) -> None:
    response = http.post(UPLOAD, headers=KEY, files={"other": b"x"})
    assert response.status_code == 422
    assert [(each["source"]["pointer"], each["detail"]) for each in response.json()["errors"]] == [
        ("/audio_file", "audio_file is required"),
        ("/language", "language is required"),
        ("/name", "name is required"),
    ]


def test_an_empty_file_is_422(http: httpx.Client) -> None:
    response = upload(http, b"")
    assert response.status_code == 422
    assert only_error(response)["detail"] == "audio_file must not be empty"


def test_a_file_sent_as_text_is_422(http: httpx.Client) -> None:
    """telnyx 4.105.1 sends the text `b'Example data'` and no filename."""
    response = http.post(
        UPLOAD,
        headers=KEY,
        files={name: (None, value) for name, value in FIELDS.items()}
        | {"audio_file": (None, "b'Example data'")},
    )
    assert response.status_code == 422
    assert only_error(response)["detail"].startswith("audio_file must be a file")


@pytest.mark.parametrize("data", [b"Example data", b"RIFF$   WAVEfmt ", b"\x89PNG\r\n", bytes(99)])
def test_what_is_no_readable_audio_is_400(http: httpx.Client, data: bytes) -> None:
    response = upload(http, data)
    assert response.status_code == 400
    error = only_error(response)
    assert error["code"] == "10015"
    assert error["detail"].startswith("Failed to process audio file: audio_file must be audio")


@pytest.mark.parametrize(
    ("provider", "size", "status"),
    [
        ("telnyx", 5 * 2**20, 201),
        ("telnyx", 5 * 2**20 + 1, 400),
        ("minimax", 20 * 2**20, 201),
        ("minimax", 20 * 2**20 + 1, 400),
    ],
)
def test_the_size_of_a_sample_is_limited_by_provider(
    http: httpx.Client, wav: bytes, provider: str, size: int, status: int
) -> None:
    response = upload(http, wav + bytes(size - len(wav)), provider=provider)
    assert response.status_code == status


def test_the_limit_of_a_sample_is_a_setting(serve: Serve, wav: bytes) -> None:
    server = serve(max_file_mb={"telnyx": 2})
    with httpx.Client(base_url=server.url) as http:
        assert upload(http, wav + bytes(2 * 2**20 - len(wav))).status_code == 201
        assert upload(http, wav + bytes(2 * 2**20)).status_code == 400
        assert upload(http, wav + bytes(2 * 2**20), provider="minimax").status_code == 400


def test_broken_multipart_is_400(http: httpx.Client) -> None:
    response = http.post(
        UPLOAD,
        headers={**KEY, "Content-Type": "multipart/form-data; boundary=x"},
        content=b"--x\r\nContent-Disposition: form-data; name=",
    )
    assert response.status_code == 400
    error = only_error(response)
    assert error["code"] == "10015"
    assert error["detail"] == "the multipart body ends before its closing boundary"


@pytest.mark.parametrize(
    "headers",
    [
        {},
        {"Authorization": ""},
        {"Authorization": "Bearer"},
        {"Authorization": "Basic a2V5OnNlY3JldA=="},
        {"Authorization": "KEY_test"},
        {"x-api-key": "KEY_test"},
    ],
)
@pytest.mark.parametrize("path", [UPLOAD, DESIGN])
def test_missing_empty_and_other_credentials_are_401(
    http: httpx.Client, path: str, headers: dict[str, str]
) -> None:
    response = http.post(path, headers=headers)
    assert response.status_code == 401
    error = only_error(response)
    assert error["code"] == "10009"
    assert error["title"] == "Authentication failed"


def test_a_clone_of_the_documented_design_takes_its_prompt_as_label(http: httpx.Client) -> None:
    response = http.post(DESIGN, headers=KEY, json=ASKED)
    assert response.status_code == 201
    data = response.json()["data"]
    assert data["source_voice_design_id"] == FRIENDLY
    assert data["source_voice_design_version"] == 1
    assert data["label"] == "Speak in a warm, friendly tone"
    assert (data["name"], data["language"], data["gender"]) == ("clone-narrator", "en", "male")


def test_an_unknown_design_is_404(http: httpx.Client) -> None:
    wanted = {**ASKED, "voice_design_id": "00000000-0000-4000-8000-000000000000"}
    response = http.post(DESIGN, headers=KEY, json=wanted)
    assert response.status_code == 404
    assert only_error(response) == {
        "code": "10005",
        "title": "Resource not found",
        "detail": "Voice design not found",
    }


@pytest.mark.parametrize("field", ASKED)
def test_each_field_of_a_clone_from_a_design_is_required(http: httpx.Client, field: str) -> None:
    body = {name: value for name, value in ASKED.items() if name != field}
    response = http.post(DESIGN, headers=KEY, json=body)
    assert response.status_code == 422
    assert only_error(response)["source"] == {"pointer": f"/{field}"}


@pytest.mark.parametrize(
    ("content", "media_type", "detail"),
    [
        (b"{", "application/json", "the body is not valid JSON"),
        (b"", "application/json", "the body is empty"),  # telnyx-node 7, called as version 6
        (b"[]", "application/json", "the body must be an object; got []"),
        (b"{}", "text/plain", "the body has the media type text/plain; expected application/json"),
        (b"x", "", "the body has no media type; expected application/json"),
    ],
)
def test_what_is_no_json_is_422(
    http: httpx.Client, content: bytes, media_type: str, detail: str
) -> None:
    headers = {**KEY, "Content-Type": media_type} if media_type else KEY
    response = http.post(DESIGN, headers=headers, content=content)
    assert response.status_code == 422
    assert only_error(response)["detail"].startswith(detail)


@pytest.mark.parametrize(
    ("path", "media_type", "content", "told", "hint"),
    [
        (
            UPLOAD,
            "multipart/form-data; boundary=x",
            b"--x--\r\n",
            ["audio_file is required", "language is required", "name is required"],
            "the body has no parts: telnyx-node 7 takes the fields in voice_clone_upload_request",
        ),
        (
            DESIGN,
            "application/json",
            b"",
            ["the body is empty"],
            "the body is empty: telnyx-node 7 takes the fields in voice_clone_request",
        ),
    ],
)
def test_the_empty_bodies_of_telnyx_node_are_told_what_they_want(
    http: httpx.Client, path: str, media_type: str, content: bytes, told: list[str], hint: str
) -> None:
    headers = {**KEY, "Content-Type": media_type}
    response = http.post(path, headers=headers, content=content)
    assert response.status_code == 422
    assert [each["detail"] for each in response.json()["errors"]] == told
    assert response.headers["X-Mockvoice-Hint"] == hint
    journal = http.get("/__mockvoice/requests", params={"limit": 1}).json()
    (exchange,) = journal["requests"]
    assert exchange["hint"] == hint
    assert [each["message"] for each in exchange["violations"]] == told


def test_an_unknown_path_is_404_and_names_the_right_one(http: httpx.Client) -> None:
    response = http.post("/telnyx/voice_clones/from_upload", headers=KEY)
    assert response.status_code == 404
    assert only_error(response)["code"] == "10005"
    hint = response.headers["X-Mockvoice-Hint"]
    assert f"the base URL of Telnyx here is {http.base_url.join('/telnyx/v2')}; " in hint
    assert "did you mean POST /telnyx/v2/voice_clones/from_upload?" in hint


def test_a_wrong_method_is_405_and_names_the_right_one(http: httpx.Client) -> None:
    response = http.put(UPLOAD, headers=KEY)
    assert response.status_code == 405
    assert response.headers["Allow"] == "POST"
    assert only_error(response)["detail"] == "PUT is not allowed here; allowed: POST"


def test_what_was_cloned_is_there(serve: Serve, wav: bytes) -> None:
    with httpx.Client(base_url=serve().url) as http:
        clone = upload(http, wav).json()["data"]
        (made,) = http.get("/__mockvoice/voices").json()["voices"]
        everything = http.get("/__mockvoice/voices", params={"presets": "true"}).json()["voices"]
    assert (made["provider"], made["collection"]) == ("telnyx", "voice_clones")
    assert made["id"] == clone["id"]
    assert made["data"] == clone
    assert made["uploads"] == [
        {
            "field": "audio_file",
            "filename": "upload",
            "content_type": "application/octet-stream",
            "bytes": len(wav),
            "sha256": sha256(wav).hexdigest(),
            "format": "wav",
            "seconds": 1.0,
        }
    ]
    assert "KEY_test" not in str(made)
    assert [each["collection"] for each in everything] == [
        "voice_designs",
        "design_versions",
        "voice_clones",
    ]

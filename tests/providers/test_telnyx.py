"""Telnyx: cloning and its errors."""

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
CLONE_REQUEST = {
    "name": "clone-narrator",
    "voice_design_id": FRIENDLY,
    "language": "en",
    "gender": "male",
}


def upload(http: httpx.Client, data: bytes, **fields: str) -> httpx.Response:
    return http.post(
        UPLOAD, headers=KEY, data={**FIELDS, **fields}, files={"audio_file": ("upload", data)}
    )


def only_error(response: httpx.Response) -> dict[str, Any]:
    (error,) = response.json()["errors"]
    assert isinstance(error, dict)
    return error


def test_clone_from_upload_has_all_fields(http: httpx.Client, wav: bytes) -> None:
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
def test_documented_format_is_accepted(
    http: httpx.Client, samples: dict[str, bytes], format: str
) -> None:
    assert upload(http, samples[format]).status_code == 201


@pytest.mark.parametrize("provider", ["minimax", "Minimax"])
def test_minimax_clone_has_its_own_provider_voice_id(
    http: httpx.Client, wav: bytes, provider: str
) -> None:
    data = upload(http, wav, provider=provider).json()["data"]
    assert data["provider"] == "Minimax"
    assert data["provider_supported_models"] == ["speech-2.8-turbo"]
    assert len(data["provider_voice_id"]) == 45


@pytest.mark.parametrize(
    "language", ["auto", "Auto", "en", "pt-BR", "lkf-Lz1vLbBu-9uDh-9AHaOS2D-Cbf"]
)
def test_language_that_matches_the_pattern_is_accepted(
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
        ("provider", "acme", "provider must be one of telnyx, minimax; got"),
    ],
)
def test_invalid_field_returns_422_with_pointer(
    http: httpx.Client, wav: bytes, field: str, value: str, detail: str
) -> None:
    response = upload(http, wav, **{field: value})
    assert response.status_code == 422
    error = only_error(response)
    assert error["code"] == "10027"
    assert error["source"] == {"pointer": f"/{field}"}
    assert error["detail"].startswith(detail)


def test_all_missing_fields_are_reported_at_once(http: httpx.Client) -> None:
    response = http.post(UPLOAD, headers=KEY, files={"other": b"x"})
    assert response.status_code == 422
    assert [
        (error["source"]["pointer"], error["detail"]) for error in response.json()["errors"]
    ] == [
        ("/audio_file", "audio_file is required"),
        ("/language", "language is required"),
        ("/name", "name is required"),
    ]


def test_empty_file_returns_422(http: httpx.Client) -> None:
    response = upload(http, b"")
    assert response.status_code == 422
    assert only_error(response)["detail"] == "audio_file must not be empty"


def test_file_sent_as_text_returns_422(http: httpx.Client) -> None:
    """telnyx 4.105.1 sends the text `b'Example data'` without a file name."""
    response = http.post(
        UPLOAD,
        headers=KEY,
        files={name: (None, value) for name, value in FIELDS.items()}
        | {"audio_file": (None, "b'Example data'")},
    )
    assert response.status_code == 422
    assert only_error(response)["detail"].startswith("audio_file must be a file")


@pytest.mark.parametrize("data", [b"Example data", b"RIFF$   WAVEfmt ", b"\x89PNG\r\n", bytes(99)])
def test_file_that_is_not_audio_returns_400(http: httpx.Client, data: bytes) -> None:
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
def test_upload_over_size_limit_of_provider_returns_400(
    http: httpx.Client, wav: bytes, provider: str, size: int, status: int
) -> None:
    response = upload(http, wav + bytes(size - len(wav)), provider=provider)
    assert response.status_code == status


def test_max_file_mb_replaces_documented_size_limits(serve: Serve, wav: bytes) -> None:
    server = serve(max_file_mb={"telnyx": 2})
    with httpx.Client(base_url=server.url) as http:
        assert upload(http, wav + bytes(2 * 2**20 - len(wav))).status_code == 201
        assert upload(http, wav + bytes(2 * 2**20)).status_code == 400
        assert upload(http, wav + bytes(2 * 2**20), provider="minimax").status_code == 400


def test_unreadable_multipart_returns_400(http: httpx.Client) -> None:
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
def test_missing_or_invalid_credentials_return_401(
    http: httpx.Client, path: str, headers: dict[str, str]
) -> None:
    response = http.post(path, headers=headers)
    assert response.status_code == 401
    error = only_error(response)
    assert error["code"] == "10009"
    assert error["title"] == "Authentication failed"


def test_clone_of_documented_design_has_its_prompt_as_label(http: httpx.Client) -> None:
    response = http.post(DESIGN, headers=KEY, json=CLONE_REQUEST)
    assert response.status_code == 201
    data = response.json()["data"]
    assert data["source_voice_design_id"] == FRIENDLY
    assert data["source_voice_design_version"] == 1
    assert data["label"] == "Speak in a warm, friendly tone"
    assert (data["name"], data["language"], data["gender"]) == ("clone-narrator", "en", "male")


def test_unknown_design_returns_404(http: httpx.Client) -> None:
    request = {**CLONE_REQUEST, "voice_design_id": "00000000-0000-4000-8000-000000000000"}
    response = http.post(DESIGN, headers=KEY, json=request)
    assert response.status_code == 404
    assert only_error(response) == {
        "code": "10005",
        "title": "Resource not found",
        "detail": "Voice design not found",
    }


@pytest.mark.parametrize("field", CLONE_REQUEST)
def test_missing_field_of_clone_from_design_returns_422(http: httpx.Client, field: str) -> None:
    body = {name: value for name, value in CLONE_REQUEST.items() if name != field}
    response = http.post(DESIGN, headers=KEY, json=body)
    assert response.status_code == 422
    assert only_error(response)["source"] == {"pointer": f"/{field}"}


@pytest.mark.parametrize(
    ("content", "media_type", "detail"),
    [
        (b"{", "application/json", "the body is not valid JSON"),
        (
            b"",
            "application/json",
            "the body is empty",
        ),  # telnyx-node 7 with the arguments of version 6
        (b"[]", "application/json", "the body must be an object; got []"),
        (b"{}", "text/plain", "the body has the media type text/plain; expected application/json"),
        (b"x", "", "the body has no media type; expected application/json"),
    ],
)
def test_unreadable_json_returns_422(
    http: httpx.Client, content: bytes, media_type: str, detail: str
) -> None:
    headers = {**KEY, "Content-Type": media_type} if media_type else KEY
    response = http.post(DESIGN, headers=headers, content=content)
    assert response.status_code == 422
    assert only_error(response)["detail"].startswith(detail)


@pytest.mark.parametrize(
    ("path", "media_type", "content", "message", "hint"),
    [
        (
            UPLOAD,
            "multipart/form-data; boundary=x",
            b"--x--\r\n",
            ["audio_file is required", "language is required", "name is required"],
            (
                "the body has no parts: telnyx-node 7 takes the fields in"
                " voice_clone_upload_request; telnyx-go 4 drops them, so pass the body"
                " with option.WithRequestBody"
            ),
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
def test_empty_bodies_of_telnyx_node_get_a_hint(
    http: httpx.Client, path: str, media_type: str, content: bytes, message: list[str], hint: str
) -> None:
    headers = {**KEY, "Content-Type": media_type}
    response = http.post(path, headers=headers, content=content)
    assert response.status_code == 422
    assert [error["detail"] for error in response.json()["errors"]] == message
    assert response.headers["X-Mockvoice-Hint"] == hint
    journal = http.get("/__mockvoice/requests", params={"limit": 1}).json()
    (entry,) = journal["requests"]
    assert entry["hint"] == hint
    assert [violation["message"] for violation in entry["violations"]] == message


def test_unknown_path_returns_404_with_hint(http: httpx.Client) -> None:
    response = http.post("/telnyx/voice_clones/from_upload", headers=KEY)
    assert response.status_code == 404
    assert only_error(response)["code"] == "10005"
    hint = response.headers["X-Mockvoice-Hint"]
    assert f"the base URL of Telnyx here is {http.base_url.join('/telnyx/v2')}; " in hint
    assert "did you mean POST /telnyx/v2/voice_clones/from_upload?" in hint


def test_unsupported_method_returns_405_with_allow(http: httpx.Client) -> None:
    response = http.put(UPLOAD, headers=KEY)
    assert response.status_code == 405
    assert response.headers["Allow"] == "POST"
    assert only_error(response)["detail"] == "PUT is not allowed here; allowed: POST"


def test_clone_is_listed_by_the_control_api(serve: Serve, wav: bytes) -> None:
    with httpx.Client(base_url=serve().url) as http:
        clone = upload(http, wav).json()["data"]
        (made,) = http.get("/__mockvoice/voices").json()["voices"]
        everything = http.get("/__mockvoice/voices?provider=telnyx&presets=true").json()["voices"]
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
    collections = [record["collection"] for record in everything]
    assert [*dict.fromkeys(collections)] == [
        "voice_designs",
        "design_versions",
        "voices",
        "voice_clones",
    ]

"""Retell: cloning and its errors."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import httpx
import pytest

from mockvoice.http.server import Server

from ..conftest import Box, Serve, newest_files

CLONE = "/retell/clone-voice"
KEY = {"Authorization": "Bearer key_test"}


def clone(http: httpx.Client, *files: bytes, name: str = "files", **fields: str) -> httpx.Response:
    return http.post(
        CLONE,
        headers=KEY,
        data={"voice_name": "narrator", "voice_provider": "elevenlabs", **fields},
        files=[(name, ("upload", data)) for data in files] or {"none": b"x"},
    )


def message(response: httpx.Response) -> str:
    body: dict[str, Any] = response.json()
    assert body.keys() == {"status", "message"}
    assert body["status"] == "error"
    return str(body["message"])


def test_clone_returns_voice_with_gender(http: httpx.Client, wav: bytes) -> None:
    response = clone(http, wav)
    assert response.status_code == 201
    voice = response.json()
    assert voice["voice_id"].startswith("custom_voice_")
    assert voice["voice_name"] == "narrator"
    assert voice["provider"] == "elevenlabs"
    assert voice["gender"] in ("male", "female")


@pytest.mark.parametrize("name", ["files", "files[]"])
def test_files_field_name_may_end_with_brackets(
    http: httpx.Client, samples: dict[str, bytes], name: str
) -> None:
    response = clone(http, samples["wav"], samples["mp3"], name=name)
    assert response.status_code == 201


@pytest.fixture
def strict(server: Server) -> Iterator[httpx.Client]:
    """Client of a sandbox with strict fields."""
    with Box(server, "strict-fields") as box:
        box.control.post("/reset", json={"strict_fields": True})
        yield box.http


def test_strict_fields_reject_a_part_with_brackets(
    strict: httpx.Client, samples: dict[str, bytes]
) -> None:
    refused = clone(strict, samples["wav"], name="files[]")
    assert refused.status_code == 400
    assert "files is required" in message(refused)
    assert refused.headers["x-mockvoice-hint"] == "you sent files[]; the field is files"
    assert clone(strict, samples["wav"], samples["mp3"]).status_code == 201


def test_strict_fields_accept_the_formats_that_the_live_api_is_reported_to_accept(
    http: httpx.Client, strict: httpx.Client, samples: dict[str, bytes]
) -> None:
    formats = {name: clone(strict, data).status_code for name, data in samples.items()}
    assert {name for name, status in formats.items() if status == 201} == {"wav", "mp3", "m4a"}
    refused = clone(strict, samples["flac"])
    assert refused.status_code == 400
    assert "must be audio in one of the formats WAV, MP3, M4A; its bytes are FLAC" in message(
        refused
    )
    assert clone(http, samples["flac"]).status_code == 201


def test_strict_fields_apply_to_a_server_and_to_a_sandbox(serve: Serve, wav: bytes) -> None:
    server = serve(strict_fields=True)
    with Box(server, "strict") as strict, Box(server, "tolerant") as tolerant:
        tolerant.control.post("/reset", json={"strict_fields": False})
        assert clone(strict.http, wav, name="files[]").status_code == 400
        assert clone(tolerant.http, wav, name="files[]").status_code == 201
        strict.control.post("/reset", json={"audio": "any"})  # other settings stay as they are
        assert clone(strict.http, wav, name="files[]").status_code == 400


def test_parts_are_accepted_in_any_order(server: Server, http: httpx.Client, wav: bytes) -> None:
    """The Node SDK appends parts as its promises resolve, so text fields may be between files."""
    parts: list[tuple[str, Any]] = [
        ("files", ("b.wav", wav, "application/octet-stream")),
        ("voice_name", (None, "x")),
        ("voice_provider", (None, "elevenlabs")),
        ("files", ("s.wav", wav, "application/octet-stream")),
    ]
    response = http.post(CLONE, headers=KEY, files=parts)
    assert response.status_code == 201
    assert [upload.filename for upload in newest_files(server)] == ["b.wav", "s.wav"]


@pytest.mark.parametrize(
    ("provider", "max_files"),
    [
        ("elevenlabs", 25),
        ("fish_audio", 25),
        ("platform", 25),
        ("inworld", 3),
        ("cartesia", 1),
        ("minimax", 1),
    ],
)
def test_files_over_limit_of_voice_provider_return_400(
    http: httpx.Client, wav: bytes, provider: str, max_files: int
) -> None:
    assert clone(http, *[wav] * max_files, voice_provider=provider).status_code == 201
    refused = clone(http, *[wav] * (max_files + 1), voice_provider=provider)
    assert refused.status_code == 400
    assert f"files must have at most {max_files} item" in message(refused)


@pytest.mark.parametrize(
    ("fields", "text"),
    [
        ({"voice_name": ""}, "voice_name must not be empty"),
        ({"voice_name": "x" * 201}, "voice_name must be at most 200 characters long; got 201"),
        ({"voice_provider": "acme"}, "voice_provider must be one of elevenlabs, cartesia"),
        ({"voice_provider": ""}, "voice_provider must be one of"),
    ],
)
def test_invalid_field_returns_400(
    http: httpx.Client, wav: bytes, fields: dict[str, str], text: str
) -> None:
    response = clone(http, wav, **fields)
    assert response.status_code == 400
    assert message(response).startswith("Invalid request format, please check API reference.")
    assert text in message(response)


def test_missing_fields_return_400(http: httpx.Client) -> None:
    response = http.post(CLONE, headers=KEY, files={"name": (None, "x")})
    assert response.status_code == 400
    for field in ("files", "voice_name", "voice_provider"):
        assert f"{field} is required" in message(response)
    assert "you sent name; the field is voice_name" in response.headers["X-Mockvoice-Violations"]


@pytest.mark.parametrize("text", ['{"type":"Buffer","data":[82]}', '{"a":1}', "[1]", "RIFF"])
def test_file_sent_as_text_returns_400(http: httpx.Client, wav: bytes, text: str) -> None:
    response = clone(http, wav, files=text)
    assert response.status_code == 400
    assert "files.0 must be a file; got " in message(response)


@pytest.mark.parametrize("data", [b"", b"Example data", b"\x1a\x45\xdf\xa3webm"])
def test_file_that_is_not_audio_returns_400(http: httpx.Client, wav: bytes, data: bytes) -> None:
    response = clone(http, wav, data)
    assert response.status_code == 400
    assert "files.1 must" in message(response)


def test_missing_api_key_returns_401(http: httpx.Client) -> None:
    response = http.post(CLONE)
    assert response.status_code == 401
    assert message(response) == "API key is missing or invalid."


def test_clone_of_account_with_ended_trial_returns_402(serve: Serve, wav: bytes) -> None:
    server = serve(accounts={"retell": {"key_test": {"trial_ended": True}}})
    with httpx.Client(base_url=server.url) as http:
        response = clone(http, wav)
        assert response.status_code == 402
        assert message(response) == "Trial has ended, please add payment method."
        other = http.post(CLONE, headers={"Authorization": "Bearer other"})
        assert other.status_code == 400


@pytest.mark.parametrize(("method", "path"), [("POST", "/retell/clone"), ("GET", CLONE)])
def test_unknown_path_or_method_returns_error_in_retell_format(
    http: httpx.Client, method: str, path: str
) -> None:
    response = http.request(method, path, headers=KEY)
    assert response.status_code == (404 if path != CLONE else 405)
    assert message(response)

"""Retell: what clones, what is refused, and with which words."""

from __future__ import annotations

from typing import Any

import httpx
import pytest

from mockvoice.http.server import Server

from ..conftest import Serve, newest_files

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


def test_a_clone_is_a_voice_with_a_gender(http: httpx.Client, wav: bytes) -> None:
    response = clone(http, wav)
    assert response.status_code == 201
    voice = response.json()
    assert voice["voice_id"].startswith("custom_voice_")
    assert voice["voice_name"] == "narrator"
    assert voice["provider"] == "elevenlabs"
    assert voice["gender"] in ("male", "female")


@pytest.mark.parametrize("name", ["files", "files[]"])
def test_files_come_by_either_name(
    http: httpx.Client, samples: dict[str, bytes], name: str
) -> None:
    response = clone(http, samples["wav"], samples["mp3"], name=name)
    assert response.status_code == 201


def test_parts_may_come_in_any_order(server: Server, http: httpx.Client, wav: bytes) -> None:
    """The Node SDK appends parts as its promises resolve: text fields stand between the files."""
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
    ("provider", "most"),
    [
        ("elevenlabs", 25),
        ("fish_audio", 25),
        ("platform", 25),
        ("inworld", 3),
        ("cartesia", 1),
        ("minimax", 1),
    ],
)
def test_each_voice_provider_takes_so_many_files(
    http: httpx.Client, wav: bytes, provider: str, most: int
) -> None:
    assert clone(http, *[wav] * most, voice_provider=provider).status_code == 201
    refused = clone(http, *[wav] * (most + 1), voice_provider=provider)
    assert refused.status_code == 400
    assert f"files must have at most {most} item" in message(refused)


@pytest.mark.parametrize(
    ("fields", "told"),
    [
        ({"voice_name": ""}, "voice_name must not be empty"),
        ({"voice_name": "x" * 201}, "voice_name must be at most 200 characters long; got 201"),
        ({"voice_provider": "acme"}, "voice_provider must be one of elevenlabs, cartesia"),
        ({"voice_provider": ""}, "voice_provider must be one of"),
    ],
)
def test_a_wrong_field_is_400(
    http: httpx.Client, wav: bytes, fields: dict[str, str], told: str
) -> None:
    response = clone(http, wav, **fields)
    assert response.status_code == 400
    assert message(response).startswith("Invalid request format, please check API reference.")
    assert told in message(response)


def test_missing_fields_are_400(http: httpx.Client) -> None:
    response = http.post(CLONE, headers=KEY, files={"name": (None, "x")})
    assert response.status_code == 400
    for field in ("files", "voice_name", "voice_provider"):
        assert f"{field} is required" in message(response)
    assert "you sent name; the field is voice_name" in response.headers["X-Mockvoice-Violations"]


@pytest.mark.parametrize("text", ['{"type":"Buffer","data":[82]}', '{"a":1}', "[1]", "RIFF"])
def test_text_is_no_file_whatever_it_looks_like(http: httpx.Client, wav: bytes, text: str) -> None:
    response = clone(http, wav, files=text)
    assert response.status_code == 400
    assert "files.0 must be a file; got " in message(response)


@pytest.mark.parametrize("data", [b"", b"Example data", b"\x1a\x45\xdf\xa3webm"])
def test_what_is_no_audio_is_400(http: httpx.Client, wav: bytes, data: bytes) -> None:
    response = clone(http, wav, data)
    assert response.status_code == 400
    assert "files.1 must" in message(response)


def test_without_a_key_it_is_401(http: httpx.Client) -> None:
    response = http.post(CLONE)
    assert response.status_code == 401
    assert message(response) == "API key is missing or invalid."


def test_an_account_whose_trial_has_ended_is_402(serve: Serve, wav: bytes) -> None:
    server = serve(accounts={"retell": {"key_test": {"trial_ended": True}}})
    with httpx.Client(base_url=server.url) as http:
        response = clone(http, wav)
        assert response.status_code == 402
        assert message(response) == "Trial has ended, please add payment method."
        other = http.post(CLONE, headers={"Authorization": "Bearer other"})
        assert other.status_code == 400


@pytest.mark.parametrize(("method", "path"), [("POST", "/retell/clone"), ("GET", CLONE)])
def test_unknown_paths_and_methods_are_told_in_retells_words(
    http: httpx.Client, method: str, path: str
) -> None:
    response = http.request(method, path, headers=KEY)
    assert response.status_code == (404 if path != CLONE else 405)
    assert message(response)

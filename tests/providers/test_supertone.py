"""Supertone: cloning and its errors."""

from __future__ import annotations

from typing import Any

import httpx
import pytest

from mockvoice.http.server import Server

from ..conftest import Box, Serve, advance_clock, newest

CLONE = "/supertone/v1/custom-voices/cloned-voice"
KEY = {"x-sup-api-key": "sk_test"}
NEW = {"User-Agent": "speakeasy-sdk/python 0.2.3 2.686.7 0.9.6 supertone"}
OLD = {"User-Agent": "speakeasy-sdk/python 0.1.2 2.686.7 0.8.69 supertone"}


def clone(
    http: httpx.Client,
    data: bytes | None,
    fields: dict[str, str] | None = None,
    headers: dict[str, str] = KEY,
) -> httpx.Response:
    files = {"files": ("blob", data)} if data is not None else {"none": ("x", b"x")}
    form = {"name": "narrator", **(fields or {})}
    return http.post(CLONE, headers=headers, data=form, files=files)


def details(response: httpx.Response) -> dict[str, Any]:
    body = response.json()
    assert body["status"] == "error"
    message = body["message"]
    assert isinstance(message, dict)
    assert message["status_code"] == message["statusCode"] == response.status_code
    assert isinstance(message["message"], str)
    return message


@pytest.mark.parametrize("format", ["wav", "mp3"])
def test_clone_returns_200_and_only_the_id(
    server: Server, http: httpx.Client, samples: dict[str, bytes], format: str
) -> None:
    response = clone(http, samples[format], {"description": "warm"})
    assert response.status_code == 200
    assert response.json().keys() == {"voice_id"}
    assert newest(server).data == {
        "voice_id": response.json()["voice_id"],
        "name": "narrator",
        "description": "warm",
    }


@pytest.mark.parametrize(
    ("data", "fields", "text"),
    [
        (None, {}, "files is required"),
        (b"", {}, "files must not be empty"),
        (b"RIFF", {"name": ""}, "name must not be empty"),
        (b"RIFF", {"name": "x" * 101}, "name must be at most 100 characters long; got 101"),
    ],
)
def test_invalid_field_returns_400(
    http: httpx.Client, data: bytes | None, fields: dict[str, str], text: str
) -> None:
    response = clone(http, data, fields)
    assert response.status_code == 400
    assert response.json() == {"status": "error", "message": text}
    response = clone(http, data, fields, KEY | NEW)
    assert details(response) == {
        "message": text,
        "error": "Bad Request",
        "status_code": 400,
        "statusCode": 400,
    }


def test_clone_with_two_files_returns_400(http: httpx.Client, wav: bytes) -> None:
    files = [("files", ("a.wav", wav)), ("files", ("b.wav", wav))]
    response = http.post(CLONE, headers=KEY, data={"name": "x"}, files=files)
    assert response.status_code == 400
    assert response.json()["message"].startswith("files must be a file")


@pytest.mark.parametrize("headers", [{}, {"x-sup-api-key": ""}, {"Authorization": "Bearer x"}])
def test_missing_api_key_header_returns_401(http: httpx.Client, headers: dict[str, str]) -> None:
    response = clone(http, b"x", headers=headers)
    assert response.status_code == 401
    assert details(response)["message"] == "Invalid API Key"
    assert details(response)["error"] == "Unauthorized"


def test_clone_on_free_tier_returns_403(serve: Serve, wav: bytes) -> None:
    server = serve(accounts={"supertone": {"sk_test": {"tier": "free"}}})
    with httpx.Client(base_url=server.url) as http:
        response = clone(http, wav)
    assert response.status_code == 403
    assert details(response)["message"] == "Permission denied"


def test_file_over_3_mb_returns_413(http: httpx.Client, wav: bytes) -> None:
    assert clone(http, wav + bytes(3 * 2**20 - len(wav))).status_code == 200
    response = clone(http, wav + bytes(3 * 2**20))
    assert response.status_code == 413
    assert details(response)["error"] == "Payload Too Large"
    assert "files must have at most 3145728 bytes" in details(response)["message"]


@pytest.mark.parametrize(
    ("format", "received"), [("flac", "flac"), ("ogg", "ogg"), ("m4a", "m4a"), ("text", "text")]
)
def test_file_that_is_neither_wav_nor_mp3_returns_415(
    http: httpx.Client, samples: dict[str, bytes], format: str, received: str
) -> None:
    data = samples.get(format, b"Example data")
    sentence = f"Unsupported audio format. Supported formats: WAV, MP3. Received: {received}"
    response = clone(http, data)
    assert response.status_code == 415
    assert response.json() == {"status": "error", "message": sentence}
    assert details(clone(http, data, headers=KEY | NEW))["message"] == sentence


def test_edition_0_9_6_accepts_all_common_formats(
    server: Server, samples: dict[str, bytes]
) -> None:
    with Box(server, "supertone-0-9-6") as box:
        box.control.post("/reset", json={"edition": {"supertone": "0.9.6"}})
        statuses = {format: clone(box.http, data).status_code for format, data in samples.items()}
        assert statuses == dict.fromkeys(("wav", "mp3", "flac", "ogg", "m4a"), 200)
        refused = clone(box.http, b"Example data")
    assert refused.status_code == 415
    assert details(refused)["message"] == (
        "Unsupported audio format. Supported formats: WAV, MP3, FLAC, OGG, M4A. Received: text"
    )


def test_json_body_returns_415_with_documented_message(http: httpx.Client) -> None:
    response = http.post(CLONE, headers=KEY, json={"name": "x"})
    assert response.status_code == 415
    assert response.json()["message"] == (
        "Unsupported audio format. Supported formats: WAV, MP3. Received: application/json"
    )


@pytest.mark.parametrize("agent", [OLD, {"User-Agent": "curl/8"}])
def test_client_of_older_edition_gets_plain_string_message(
    http: httpx.Client, agent: dict[str, str]
) -> None:
    assert isinstance(clone(http, None, headers=KEY | agent).json()["message"], str)


def test_eleventh_clone_within_a_minute_returns_429(serve: Serve, wav: bytes) -> None:
    server = serve(limits="documented")
    with httpx.Client(base_url=server.url) as http:
        statuses = [clone(http, wav).status_code for _ in range(11)]
        assert statuses == [200] * 10 + [429]
        refused = clone(http, wav)
        assert details(refused)["message"] == "rate limit exceeded"
        assert clone(http, wav, headers={"x-sup-api-key": "other"}).status_code == 200
        advance_clock(server, 60)
        assert clone(http, wav).status_code == 200


def test_unknown_path_returns_404_in_supertone_format(http: httpx.Client) -> None:
    response = http.get("/supertone/v2/voices", headers=KEY)
    assert response.status_code == 404
    assert details(response)["error"] == "Not Found"


def test_500_has_the_text_of_the_operation(server: Server) -> None:
    texts = {
        "create_cloned_voice": "Failed to get custom voices",
        "search_custom_voices": "Failed to search custom voices",
        "get_custom_voice": "Failed to get cloned voice",
        "edit_custom_voice": "Failed to update cloned voice",
        "delete_custom_voice": "Failed to delete cloned voice",
        "list_voices": "Failed to get voices",
        "create_speech": "Failed to convert text to speech",
        "stream_speech": "Failed to process streaming TTS",
        "get_usage": "Failed to get usages",
        "get_credit_balance": "Failed with credit system.",
    }
    operations = server.mock.providers["supertone"].document.operations
    with Box(server, "supertone-500") as box:
        for name, text in texts.items():
            operation = operations[name]
            path = operation.path.replace("{voice_id}", "x")
            headers = KEY | {"X-Mockvoice-Fault": '{"status": 500}'}
            response = box.http.request(operation.method, f"/supertone{path}", headers=headers)
            assert response.status_code == 500
            assert details(response)["message"] == text

"""Faseeh: cloning and its errors."""

from __future__ import annotations

import socket
from contextlib import ExitStack
from typing import Any
from urllib.parse import urlsplit
from uuid import UUID

import httpx
import pytest

from ..conftest import Serve

CLONE = "/faseeh/api/v1/voices/clone"
VOICES = "/faseeh/api/v1/voices"
KEY = {"x-api-key": "K"}
FIELDS = {
    "text": "مرحبا بك في فصيح",
    "stability": "0.5",
    "name": "narrator",
    "model": "faseeh-v1-preview",
}


def clone(
    http: httpx.Client,
    voice: bytes,
    reference: bytes,
    key: str = "K",
    without: str = "",
    **fields: str,
) -> httpx.Response:
    data = {name: value for name, value in {**FIELDS, **fields}.items() if name != without}
    files = {"voice_file": ("a.wav", voice), "reference_audio_file": ("ref", reference)}
    return http.post(CLONE, headers={"x-api-key": key}, data=data, files=files)


def error(response: httpx.Response) -> tuple[int, str]:
    body: dict[str, Any] = response.json()
    assert body.keys() == {"errorCode", "errorMessage"}
    return body["errorCode"], body["errorMessage"]


def test_clone_has_all_twelve_fields(http: httpx.Client, wav: bytes) -> None:
    response = clone(http, wav, wav, languages="ar, en", dialects="najdi,hijazi", gender="male")
    assert response.status_code == 200
    voice = response.json()
    assert str(UUID(voice["id"])) == voice["id"]
    assert voice == {
        "id": voice["id"],
        "voice_id": voice["voice_id"],
        "name": "narrator",
        "description": None,
        "gender": "male",
        "age": None,
        "languages": ["ar", "en"],
        "dialect": ["najdi", "hijazi"],
        "type": None,
        "sample_url": voice["sample_url"],
        "avatar_url": None,
        "stability": 0.5,
    }


@pytest.mark.parametrize("stability", ["0", "1", "0.25", "1.0"])
def test_stability_is_returned_as_a_number(http: httpx.Client, wav: bytes, stability: str) -> None:
    assert clone(http, wav, wav, stability=stability).json()["stability"] == float(stability)


def test_voice_file_may_be_headerless_pcm(http: httpx.Client, wav: bytes) -> None:
    assert clone(http, wav[44:], wav).status_code == 200
    assert clone(http, bytes(48_000), wav).status_code == 200


@pytest.mark.parametrize("field", FIELDS)
def test_missing_field_returns_400(http: httpx.Client, wav: bytes, field: str) -> None:
    response = clone(http, wav, wav, without=field)
    assert response.status_code == 400
    assert error(response)[0] == 40001
    rule = "must be a number between 0 and 1" if field == "stability" else "is required"
    assert error(response)[1] == f"{field} {rule}"


@pytest.mark.parametrize(
    ("stability", "reason"),
    [
        ("1.01", "stability must be at most 1; got 1.01"),
        ("-0.1", "stability must be at least 0; got -0.1"),
        ("high", 'stability must be a number; got \\"high\\"'),
        ("nan", 'stability must be a number; got \\"nan\\"'),
        ("", 'stability must be a number; got \\"\\"'),
    ],
)
def test_stability_out_of_range_returns_400_with_the_published_text(
    http: httpx.Client, wav: bytes, stability: str, reason: str
) -> None:
    response = clone(http, wav, wav, stability=stability)
    assert error(response) == (40001, "stability must be a number between 0 and 1")
    assert reason in response.headers["x-mockvoice-violations"]


@pytest.mark.parametrize(
    ("voice", "reference", "field"),
    [
        (b"Example data", None, "voice_file"),
        (b"odd", None, "voice_file"),
        (b"\x89PNG\r\n\x1a\n", None, "voice_file"),
        (None, b"Example data", "reference_audio_file"),
        (None, bytes(48_000), "reference_audio_file"),
        (b"", None, "voice_file"),
    ],
)
def test_file_that_is_not_audio_returns_400(
    http: httpx.Client, wav: bytes, voice: bytes | None, reference: bytes | None, field: str
) -> None:
    response = clone(http, wav if voice is None else voice, wav if reference is None else reference)
    assert response.status_code == 400
    assert error(response)[1] == f"{field} is required and must be of audio type"


def test_missing_api_key_returns_401(http: httpx.Client) -> None:
    response = http.post(CLONE)
    assert response.status_code == 401
    assert error(response) == (40101, "Invalid or missing API key")


def test_empty_wallet_returns_402_and_disabled_model_403(serve: Serve, wav: bytes) -> None:
    accounts = {"faseeh": {"broke": {"credit": 0}, "mini": {"models": ["faseeh-mini-v1-preview"]}}}
    with httpx.Client(base_url=serve(accounts=accounts).url) as http:
        broke = clone(http, wav, wav, key="broke")
        assert broke.status_code == 402
        assert error(broke) == (40201, "Insufficient wallet balance")
        mini = clone(http, wav, wav, key="mini")
        assert mini.status_code == 403
        assert error(mini)[0] == 40301
        assert clone(http, wav, wav, key="mini", model="faseeh-mini-v1-preview").status_code == 200


def test_concurrent_requests_over_the_limit_of_the_plan_return_429(
    serve: Serve, wav: bytes
) -> None:
    """Two delayed requests are in progress; the Basic plan rejects the third."""
    server = serve(limits="documented")
    host, port = urlsplit(server.url).hostname, urlsplit(server.url).port
    request = f"GET {VOICES} HTTP/1.1\r\nHost: x\r\nx-api-key: K\r\n\r\n"
    with ExitStack() as stack, httpx.Client(base_url=server.url) as http:
        delay = {"kind": "delay", "seconds": 60, "operation": "GET /voices", "provider": "faseeh"}
        assert http.post("/__mockvoice/faults", json={**delay, "times": 2}).status_code == 201
        for _ in range(2):
            connection = stack.enter_context(socket.create_connection((host, port)))
            connection.sendall(request.encode())
        while (response := clone(http, wav, wav)).status_code == 200:
            pass  # until the server has begun both
        assert response.status_code == 429
        assert error(response) == (42901, "Concurrency limit reached. Current: 3, Maximum: 2")
        assert clone(http, wav, wav, key="other").status_code == 200


def test_parts_of_curl_and_requests_are_accepted(http: httpx.Client, wav: bytes) -> None:
    """requests sends no content type for a part, curl sends application/octet-stream."""
    boundary = "94db8dc28dfc430484bdce547eb75fdc"
    parts = [f'name="{name}"\r\n\r\n{value}'.encode() for name, value in FIELDS.items()]
    parts.append(b'name="voice_file"; filename="a.wav"\r\n\r\n' + wav)
    parts.append(
        b'name="reference_audio_file"; filename="b"\r\nContent-Type: application/octet-stream'
        b"\r\n\r\n" + wav
    )
    body = b"".join(
        f"--{boundary}\r\nContent-Disposition: form-data; ".encode() + part + b"\r\n"
        for part in parts
    )
    response = http.post(
        CLONE,
        headers={**KEY, "Content-Type": f"multipart/form-data; boundary={boundary}"},
        content=body + f"--{boundary}--\r\n".encode(),
    )
    assert response.status_code == 200


def test_unknown_path_returns_404_in_faseeh_format(http: httpx.Client) -> None:
    response = http.post("/faseeh/voices/clone", headers=KEY)
    assert response.status_code == 404
    assert error(response)[0] == 40401
    assert "/faseeh/api/v1" in response.headers["X-Mockvoice-Hint"]

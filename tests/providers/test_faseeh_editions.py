"""Faseeh, edition munsit.com: the clone of a single file."""

from __future__ import annotations

from collections.abc import Iterator

import httpx
import pytest

from ..conftest import Box
from ..contract.contracts import Contract, checked_client

KEY = {"x-api-key": "KEY"}


@pytest.fixture
def http(box: Box) -> Iterator[httpx.Client]:
    """Client of a sandbox with the edition; checks every response against its contract."""
    box.control.post("/reset", json={"edition": {"faseeh": "munsit.com"}})
    with checked_client(
        f"{box.url}/faseeh/api/v1", Contract("faseeh", "munsit.com"), KEY
    ) as client:
        yield client


def test_single_file_is_cloned_listed_and_speaks(http: httpx.Client, wav: bytes) -> None:
    response = http.post("/voices/clone", data={"name": "narrator"}, files={"file": wav})
    assert response.status_code == 200
    made = response.json()
    assert made == {"voice_id": made["voice_id"], "status": "ready"}
    assert made["voice_id"].startswith("cl-")
    (listed,) = [v for v in http.get("/voices").json() if v["voice_id"] == made["voice_id"]]
    assert (listed["name"], listed["gender"], listed["dialect"]) == ("narrator", None, None)
    body = {"voice_id": made["voice_id"], "text": "hello"}
    speech = http.post("/text-to-speech/faseeh-v1-preview", json=body)
    assert speech.headers["content-type"] == "audio/wav"
    assert int.from_bytes(speech.content[24:28], "little") == 48_000


def test_missing_file_returns_400(http: httpx.Client) -> None:
    response = http.post("/voices/clone", data={"name": "n"}, files={"voice_file": b"x"})
    assert response.status_code == 400
    assert response.json()["errorMessage"].startswith("file is required")


@pytest.mark.parametrize(("path", "code"), [("/voices/clone", "40001"), ("/nothing", "40401")])
def test_error_code_is_text(http: httpx.Client, path: str, code: str) -> None:
    response = http.post(path, data={"name": "n"})
    assert response.json()["errorCode"] == code
    assert http.get("/voices", headers={"x-api-key": ""}).json()["errorCode"] == "40101"


def test_default_edition_needs_a_preview(box: Box, wav: bytes) -> None:
    url = f"{box.url}/faseeh/api/v1/voices/clone"
    response = httpx.post(url, headers=KEY, data={"name": "n"}, files={"file": wav})
    assert response.status_code == 400
    assert "voice_file" in response.json()["errorMessage"]

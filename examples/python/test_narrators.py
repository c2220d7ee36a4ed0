"""Tests of the application against mockvoice; the fixture `mockvoice` comes from its plugin."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from fastapi.testclient import TestClient
from httpx import Response
from narrators import app

from mockvoice import Control


@pytest.fixture
def client(mockvoice: Control, monkeypatch: pytest.MonkeyPatch) -> Iterator[TestClient]:
    mockvoice.env(monkeypatch)  # sets TELNYX_API_KEY and TELNYX_BASE_URL
    with TestClient(app) as client:
        yield client


def create(client: TestClient, recording: bytes, name: str = "Ada") -> Response:
    files = {"recording": ("ada.wav", recording)}
    response: Response = client.post("/narrators", data={"name": name}, files=files)
    return response


def statuses(mockvoice: Control) -> list[int | None]:
    return [request.status for request in mockvoice.telnyx.requests]


def test_narrator_gets_a_voice(mockvoice: Control, client: TestClient) -> None:
    response = create(client, mockvoice.sample("wav"))

    assert response.status_code == 201
    assert mockvoice.telnyx.voices[response.json()["voice_id"]].data["name"] == "Ada"
    (request,) = mockvoice.telnyx.assert_called(
        "createVoiceCloneFromUpload", fields={"name": "Ada"}
    )
    assert request.files["audio_file"].filename == "ada.wav"


def test_two_bad_gateways_are_retried(mockvoice: Control, client: TestClient) -> None:
    mockvoice.telnyx.fail(502, times=2, retry_after=0.001)

    assert create(client, mockvoice.sample("wav")).status_code == 201
    assert statuses(mockvoice) == [502, 502, 201]


def test_third_bad_gateway_is_reported(mockvoice: Control, client: TestClient) -> None:
    mockvoice.telnyx.fail(502, times=3, retry_after=0.001)

    response = create(client, mockvoice.sample("wav"))

    assert (response.status_code, response.json()["detail"]) == (502, "The voice provider failed.")
    assert list(mockvoice.telnyx.voices) == []


def test_connection_resets_are_reported(mockvoice: Control, client: TestClient) -> None:
    mockvoice.telnyx.sequence(["reset", "reset", "reset"])

    assert create(client, mockvoice.sample("wav")).status_code == 504


def test_retry_after_a_lost_response_clones_twice(mockvoice: Control, client: TestClient) -> None:
    mockvoice.telnyx.fail(502, when="after", times=1, retry_after=0.001)

    assert create(client, mockvoice.sample("wav")).status_code == 201
    assert len(mockvoice.telnyx.voices) == 2  # Telnyx documents no idempotency key


def test_text_file_is_rejected(mockvoice: Control, client: TestClient) -> None:
    assert create(client, b"not a recording").status_code == 422
    assert statuses(mockvoice) == [400]  # and not retried

"""Hints: the reason of a rejection where people look, in X-Mockvoice-Hint and in the log."""

from __future__ import annotations

import json
import re

import httpx
import pytest

from ..cli.processes import start_server
from ..conftest import Box, encoded

WAV = encoded("wav", 0.1)
BEARER = {"Authorization": "Bearer K"}
CLONE = "/retell/clone-voice"
LIST = "/retell/list-voices"


@pytest.mark.parametrize(
    ("path", "headers", "hint"),
    [
        (
            "/telnyx/v2/voice_clones",
            {"x-sup-api-key": "K"},
            "send the API key as `authorization: Bearer KEY`; you sent x-sup-api-key",
        ),
        (
            "/supertone/v1/custom-voices",
            BEARER,
            "send the API key as `x-sup-api-key: KEY`; you sent authorization",
        ),
        (
            "/faseeh/api/v1/voices",
            {"X-Sup-Api-Key": "K", "Cookie": "a=b"},
            "send the API key as `x-api-key: KEY`; you sent x-sup-api-key",
        ),
        ("/faseeh/api/v1/voices", {}, "send the API key as `x-api-key: KEY`"),
        (
            LIST,
            {"Authorization": "key_secret"},
            (
                "send the API key as `authorization: Bearer KEY`; you sent authorization without"
                " `Bearer` and a key"
            ),
        ),
    ],
)
def test_401_names_the_right_header(
    box: Box, path: str, headers: dict[str, str], hint: str
) -> None:
    response = box.http.get(path, headers=headers)
    assert response.status_code == 401
    assert response.headers["x-mockvoice-hint"] == hint
    assert box.last()["hint"] == hint
    assert "key_secret" not in str(box.last())


def test_record_of_another_account_is_explained(box: Box) -> None:
    """It looks as if the voice were missing, while another key has made it."""
    for provider, path, headers in (
        ("telnyx", "/telnyx/v2/voice_clones/{}", BEARER),
        ("retell", "/retell/get-voice/{}", BEARER),
        ("supertone", "/supertone/v1/custom-voices/{}", {"x-sup-api-key": "K"}),
    ):
        record = {"provider": provider, "account": "other"}
        added = box.control.post("/voices", json=record).json()
        response = box.http.get(path.format(added["id"]), headers=headers)
        assert response.status_code in (404, 422)
        assert response.headers["x-mockvoice-hint"] == (
            f"{added['id']} in {added['collection']} belongs to another API key; a key sees only"
            " its own records and those of every key"
        )
        missing = box.http.get(path.format(added["id"][::-1]), headers=headers)
        assert "x-mockvoice-hint" not in missing.headers
    speech = {"voice_id": "mine", "text": "t"}
    record = {"provider": "faseeh", "account": "other", "id": "mine"}
    assert box.control.post("/voices", json=record).status_code == 201
    path = "/faseeh/api/v1/text-to-speech/faseeh-v1-preview"
    response = box.http.post(path, headers={"x-api-key": "K"}, json=speech)
    assert response.headers["x-mockvoice-hint"].startswith("mine in voices belongs to another")


@pytest.mark.parametrize(
    ("request_line", "suggestion"),
    [
        ("GET /retell/clone-voices", "did you mean GET /retell/list-voices?"),
        ("POST /retell/clone-voices", "did you mean POST /retell/clone-voice?"),
        ("HEAD /retell/list-voice", "did you mean GET /retell/list-voices?"),
        ("GET /retell/get-concurency", "did you mean GET /retell/get-concurrency?"),
        ("POST /retell/list-voice", "did you mean GET /retell/list-voices?"),
        ("GET /retell/search", ""),
        ("POST /retell/delete-voice/x", "Retell documents no operation to delete a record"),
        ("DELETE /retell/delete-voice", "Retell documents no operation to delete a record"),
        ("DELETE /retell/voices/x", "Retell documents no operation to delete a record"),
        ("DELETE /telnyx/v2/voice_clone/x", "did you mean DELETE /telnyx/v2/voice_clones/{id}?"),
        ("PATCH /retell/update-voice/x", "Retell documents no operation to update a record"),
        (
            "POST /telnyx/v2/delete-voice-clone/x",
            "did you mean DELETE /telnyx/v2/voice_clones/{id}?",
        ),
        (
            "POST /supertone/v1/custom-voices/x/update",
            "did you mean PATCH /supertone/v1/custom-voices/{voice_id}?",
        ),
    ],
)
def test_unknown_path_hint_knows_the_method(box: Box, request_line: str, suggestion: str) -> None:
    method, _, path = request_line.partition(" ")
    response = box.http.request(method, path, headers=BEARER)
    assert response.status_code == 404
    _, _, hint = response.headers["x-mockvoice-hint"].partition("; ")
    assert hint == suggestion


def rejected_requests(form: str) -> list[str]:
    """Return the log of two requests: one with a wrong field, one with the wrong header."""
    fields, files = {"voice_name": "n", "voice_provider": "elevenlab"}, {"files": WAV}
    with start_server("--log", form) as server:
        httpx.post(f"{server.url}{CLONE}", headers=BEARER, data=fields, files=files)
        httpx.get(f"{server.url}/supertone/v1/custom-voices", headers=BEARER)
        _, output, _ = server.stop()
    return output.splitlines()


def test_text_log_has_the_reason_of_a_rejection() -> None:
    clone, voices = rejected_requests("text")
    assert re.search(
        r"-> 400  \d+\.\d ms  voice_provider must be one of elevenlabs, .*;"
        r" hint: did you mean elevenlabs\?$",
        clone,
    )
    assert voices.endswith(
        " ms  hint: send the API key as `x-sup-api-key: KEY`; you sent authorization"
    )


def test_json_log_has_the_reason_of_a_rejection() -> None:
    clone, voices = map(json.loads, rejected_requests("json"))
    assert clone["reason"].startswith("voice_provider must be one of elevenlabs")
    assert (clone["hint"], voices["reason"]) == ("did you mean elevenlabs?", "")
    assert voices["hint"].startswith("send the API key as `x-sup-api-key: KEY`")

"""Commands `requests` and `reset`."""

from __future__ import annotations

import json

import httpx
import pytest

from mockvoice import Control

from .processes import check_output, run, start_server

KEY = {"authorization": "Bearer KEY"}


def clone(mock: Control, name: str) -> None:
    httpx.post(
        f"{mock.retell.base_url}/clone-voice",
        headers=KEY,
        data={"voice_name": name, "voice_provider": "elevenlabs"},
        files={"files": ("s.wav", mock.sample(seconds=1))},
    )


def test_requests_shows_fields_and_violations(mock: Control) -> None:
    assert check_output("requests", "--url", mock.url) == "no requests received\n"
    clone(mock, "narrator")
    httpx.post(f"{mock.telnyx.base_url}/voice_clones", headers=KEY, json={"name": "n"})
    output = check_output("requests", "--url", mock.url)
    assert output == f"{mock.report()}\n"
    assert 'voice_name = "narrator"' in output
    assert "violation in body: voice_design_id is required" in output
    assert check_output("requests", "--short", "--url", mock.url).splitlines() == [
        "request_1  retell cloneVoice  POST /retell/clone-voice  -> 201",
        "request_2  telnyx createVoiceClone  POST /telnyx/v2/voice_clones  -> 422",
    ]


@pytest.mark.parametrize(
    ("arguments", "numbers"),
    [
        ([], [1, 2, 3]),
        (["--provider", "retell"], [1, 3]),
        (["--operation", "cloneVoice"], [1, 3]),
        (["--operation", "GET /voice_clones"], [2]),
        (["--status", "401"], [2]),
        (["--since", "request_1"], [2, 3]),
        (["--since", "2024-01-01T00:00:00Z"], [1, 2, 3]),
        (["--limit", "1"], [3]),
        (["--limit", "1", "--provider", "telnyx"], [2]),
        (["--internal-errors"], []),
    ],
)
def test_requests_filters(mock: Control, arguments: list[str], numbers: list[int]) -> None:
    clone(mock, "a")
    httpx.get(f"{mock.telnyx.base_url}/voice_clones")
    clone(mock, "b")
    journal = json.loads(check_output("requests", "--json", *arguments, MOCKVOICE_URL=mock.url))
    assert [entry["id"] for entry in journal["requests"]] == [f"request_{n}" for n in numbers]
    assert journal["evicted"] == 0


def test_clear_deletes_all_requests_and_rejects_filters(mock: Control) -> None:
    clone(mock, "a")
    result = run("requests", "--clear", "--status", "201", MOCKVOICE_URL=mock.url)
    assert result.returncode == 2
    assert result.stderr == (
        "mockvoice: --clear deletes all requests; it cannot be combined with --status\n"
    )
    assert len(mock.requests) == 1
    assert check_output("requests", "--clear", MOCKVOICE_URL=mock.url) == ""
    assert mock.requests == []


def test_requests_reports_evicted_entries() -> None:
    with start_server("--max-requests", "2") as server:
        for _ in range(5):
            httpx.get(f"{server.url}/retell/list-voices")
        first, *lines = check_output("requests", "--short", "--url", server.url).splitlines()
    assert first == "(3 older requests evicted)"
    assert [line.split()[0] for line in lines] == ["request_4", "request_5"]


def test_reset_restores_a_sandbox_or_parts_of_it(mock: Control) -> None:
    other = mock.sandbox("other")
    for sandbox in (mock, other):
        sandbox.reset()
        clone(sandbox, "a")
        sandbox.telnyx.fail(502)
    assert check_output("reset", "--only", "faults", "requests", MOCKVOICE_URL=mock.url) == ""
    assert (mock.requests, mock.faults, len(mock.voices)) == ([], [], 1)
    check_output("reset", MOCKVOICE_URL=other.url)
    assert (len(mock.voices), len(other.voices), other.faults) == (1, 0, [])
    check_output("reset", "--sandbox", "", MOCKVOICE_URL=other.url)
    assert len(mock.voices) == 0

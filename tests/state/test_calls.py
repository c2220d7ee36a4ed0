"""The calls of the store that a request makes: each may be a round trip to another process."""

from __future__ import annotations

from collections import Counter

import httpx
import pytest

from ..conftest import Box
from .serializing import calls_of

FORM = {"voice_name": "n", "voice_provider": "elevenlabs"}
KEY = {"Authorization": "Bearer K"}


def clone(box: Box, wav: bytes) -> str:
    response = box.http.post("/retell/clone-voice", headers=KEY, data=FORM, files={"files": wav})
    return str(response.json().get("voice_id"))


def test_clone_makes_two_calls(box: Box, wav: bytes) -> None:
    calls = calls_of(box.server.mock)
    calls.clear()
    clone(box, wav)
    assert calls == Counter(begin=1, commit=1)


def test_reading_a_record_makes_a_third_call(box: Box) -> None:
    voice = box.control.post("/voices", json={"provider": "supertone", "account": "K"}).json()
    calls = calls_of(box.server.mock)
    calls.clear()
    path = f"/supertone/v1/custom-voices/{voice['id']}"
    assert box.http.get(path, headers={"x-sup-api-key": "K"}).is_success
    assert calls == Counter(begin=1, get_record=1, commit=1)


def test_fault_makes_a_third_call_once_its_rule_is_known(box: Box, wav: bytes) -> None:
    box.inject(status=502)
    clone(box, wav)
    calls = calls_of(box.server.mock)
    calls.clear()
    clone(box, wav)
    assert calls == Counter(begin=1, take_faults=1, commit=1)


def test_rules_that_do_not_match_make_no_call(box: Box, wav: bytes) -> None:
    box.inject(status=502, provider="telnyx")
    clone(box, wav)
    calls = calls_of(box.server.mock)
    calls.clear()
    clone(box, wav)
    assert calls == Counter(begin=1, commit=1)


@pytest.mark.parametrize("kind", ["drip", "timeout"])
def test_slow_responses_make_a_call_at_their_end(box: Box, wav: bytes, kind: str) -> None:
    box.inject(kind=kind, seconds=0.01)
    calls = calls_of(box.server.mock)
    calls.clear()
    if kind == "drip":
        clone(box, wav)
    else:
        with pytest.raises(httpx.RemoteProtocolError):
            clone(box, wav)
    box.requests()
    assert calls["begin"] == calls["commit"] == calls["finish"] == 1


def test_page_of_records_is_one_call(box: Box) -> None:
    for _ in range(3):
        box.control.post("/voices", json={"provider": "telnyx", "account": "K"})
    calls = calls_of(box.server.mock)
    calls.clear()
    page = box.http.get("/telnyx/v2/voice_clones", headers=KEY, params={"page[size]": 2})
    assert page.json()["meta"]["total_results"] == 3
    assert calls == Counter(begin=1, find_records=1, commit=1)


@pytest.mark.parametrize("path", ["/requests", "/voices", "/report", "/events?after=0&timeout=0"])
def test_files_of_a_page_are_one_call(box: Box, wav: bytes, path: str) -> None:
    for _ in range(3):
        clone(box, wav)
    calls = calls_of(box.server.mock)
    calls.clear()
    assert box.control.get(path).is_success
    assert calls["get_uploads"] == 1


def test_export_reads_the_files_of_one_voice_at_a_time(box: Box, wav: bytes) -> None:
    for _ in range(3):
        clone(box, wav)
    calls = calls_of(box.server.mock)
    calls.clear()
    assert box.control.get("/export?samples=true").is_success
    assert calls["get_uploads"] == 3
    calls.clear()
    assert box.control.get("/export").is_success
    assert calls["get_uploads"] == 0

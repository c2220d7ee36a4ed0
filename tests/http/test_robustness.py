"""Requests that once blocked the server or made it fail, over HTTP."""

from __future__ import annotations

import io
import json
import time
import wave
from pathlib import Path
from typing import Any

import httpx
import pytest

from mockvoice.config.file import read
from mockvoice.config.settings import SettingsError
from mockvoice.openapi.schema import MAX_VIOLATIONS
from mockvoice.providers import built_in

from ..conftest import Box

SUPERTONE = {"x-sup-api-key": "K"}
DAY = "start_time=2024-01-01T00:00:00Z&end_time=2024-01-02T00:00:00Z"


@pytest.mark.parametrize(
    ("method", "path", "body"),
    [
        ("POST", "/__mockvoice/reset", {"only": [0] * 4000}),
        ("POST", "/__mockvoice/reset", {"only": [0] * 99_000}),
        ("POST", "/__mockvoice/faults", {f"x{i}": 0 for i in range(4000)}),
        ("GET", f"/supertone/v1/usage?{DAY}&{'breakdown_type=x&' * 3000}", None),
    ],
    ids=["items", "many items", "members", "parameters"],
)
def test_request_with_thousands_of_violations_is_rejected_quickly(
    box: Box, method: str, path: str, body: Any
) -> None:
    content = None if body is None else json.dumps(body)
    headers = SUPERTONE | ({} if body is None else {"content-type": "application/json"})
    with httpx.Client(base_url=box.url) as http:
        started = time.process_time()
        response = http.request(method, path, content=content, headers=headers)
        assert time.process_time() - started < 2  # of client and server; it was 8 to 31 seconds
    assert response.status_code == 400
    *listed, last = json.loads(response.headers["x-mockvoice-violations"])
    assert len(response.headers["x-mockvoice-violations"]) <= 4096
    assert listed
    assert last["rule"] == "omitted"
    if len(body or ()) != 1 or len(body["only"]) < 5000:
        omitted = MAX_VIOLATIONS + 1 - len(listed)
        assert last["message"] == (
            f"{omitted} violations are omitted here; the journal entry lists all"
        )


def test_violation_too_large_for_the_header_is_counted(box: Box) -> None:
    response = box.control.post("/faults", json={"x" * 5000: 1})
    (last,) = json.loads(response.headers["x-mockvoice-violations"])
    assert response.status_code == 400
    assert last["message"] == "1 violation is omitted here; the journal entry lists all"


def test_integral_float_is_an_integer_where_the_contract_wants_one(box: Box) -> None:
    fault = {"kind": "truncate", "bytes": 5.0, "times": 2.0, "provider": "retell"}
    made = box.control.post("/faults", json=fault).text
    assert '"bytes":5,' in made
    assert '"times":2,' in made
    key = {"Authorization": "Bearer K"}
    header = {"X-Mockvoice-Fault": json.dumps({"kind": "truncate", "bytes": 5.0})}
    for headers in (key, key | header):
        with pytest.raises(httpx.RemoteProtocolError, match="received 5 bytes"):
            box.http.get("/retell/list-voices", headers=headers)


@pytest.mark.parametrize(
    ("path", "body"),
    [
        (
            "/faseeh/api/v1/text-to-speech/faseeh-v1-preview",
            {"voice_id": "ar-najdi-male-2", "text": "hello", "sample_rate": 24000.0},
        ),
        (
            "/telnyx/v2/text-to-speech/speech",
            {"text": "hello", "provider": "telnyx", "telnyx": {
                "response_format": "wav", "sampling_rate": 24000.0}},
        ),
    ],
    ids=["faseeh", "telnyx"],
)  # fmt: skip
def test_speech_at_an_integral_float_rate_is_sent(
    box: Box, path: str, body: dict[str, Any]
) -> None:
    headers = {"Authorization": "Bearer K", "x-api-key": "K"}
    response = box.http.post(path, headers=headers, json=body)
    assert response.status_code == 200, response.text
    with wave.open(io.BytesIO(response.content)) as sound:
        assert sound.getframerate() == 24000


@pytest.mark.parametrize("start", ["2023-12-31T23:59:60Z", "2024-01-01t00:00:00z"])
def test_date_time_is_read_in_every_spelling_of_rfc_3339(box: Box, start: str) -> None:
    query = {"start_time": start, "end_time": "2024-01-02T00:00:00Z"}
    response = box.http.get("/supertone/v1/usage", headers=SUPERTONE, params=query)
    assert response.status_code == 200
    assert response.json()["data"][0]["starting_at"] == "2024-01-01T00:00:00+00:00"


NOT_FINITE = {
    "1e400": "the number 1e400 is out of range",
    "-1e400": "the number -1e400 is out of range",
    "NaN": "NaN is not a JSON number",
    "-Infinity": "-Infinity is not a JSON number",
}
every_infinity = pytest.mark.parametrize("number", NOT_FINITE)


@every_infinity
def test_body_with_number_that_json_cannot_represent_is_rejected(box: Box, number: str) -> None:
    headers = {"content-type": "application/json"}
    for path, content in (
        ("/faults", f'{{"body": {{"x": {number}}}}}'),
        ("/voices", f'{{"provider": "telnyx", "data": {{"x": [{number}]}}}}'),
    ):
        response = box.control.post(path, headers=headers, content=content)
        assert response.status_code == 400
        assert NOT_FINITE[number] in response.text
    content = f'{{"name": "n", "text": "a b c", "prompt": {number}}}'
    headers |= {"authorization": "Bearer K"}
    response = box.http.post("/telnyx/v2/voice_designs", headers=headers, content=content)
    assert response.status_code in (400, 422)
    assert NOT_FINITE[number] in response.text
    assert box.control.get("/requests").json()["requests"]  # is valid JSON


@every_infinity
def test_fault_header_with_number_that_json_cannot_represent_is_rejected(
    box: Box, number: str
) -> None:
    fault = f'{{"kind": "delay", "seconds": {number}}}'
    headers = {"authorization": "Bearer K", "x-mockvoice-fault": fault}
    response = box.http.get("/retell/list-voices", headers=headers)
    assert response.status_code == 400
    assert NOT_FINITE[number] in response.headers["x-mockvoice-violations"]


@pytest.mark.parametrize("number", ["1e400", "-1e400"])
def test_file_with_number_that_json_cannot_represent_is_rejected(
    tmp_path: Path, number: str
) -> None:
    file = tmp_path / "mockvoice.yaml"
    file.write_text(f"faults:\n  - status: 500\n    body: {{x: {number}}}\n")
    with pytest.raises(
        SettingsError, match=f'faults.0..body.x cannot be read as float; got "{number}"'
    ):
        read(str(file), built_in())


PATTERNS = {"stars": "*a" * 499 + "*b", "question marks": "*?" * 499 + "*b"}


@pytest.mark.parametrize("pattern", PATTERNS.values(), ids=PATTERNS)
def test_wildcards_of_a_fault_do_not_backtrack(box: Box, pattern: str) -> None:
    """`*a*a*a*b` against 1,000 `a` took 19 seconds."""
    match = {"headers": {"x-text": pattern}, "fields": {"text": pattern}}
    box.inject(status=503, match=match)
    headers = {"authorization": "Bearer K", "x-text": "a" * 4000}
    body = {"name": "n", "text": "a" * 100_000, "prompt": "p"}
    started = time.process_time()
    for part in ("headers", "fields"):
        own = {"x-mockvoice-fault": json.dumps({"status": 502, "match": {part: match[part]}})}
        box.http.post("/telnyx/v2/voice_designs", headers=headers | own, json=body)
    assert time.process_time() - started < 2  # of client and server
    headers["x-mockvoice-fault"] = json.dumps({"status": 502, "match": {"fields": match["fields"]}})
    matched = box.http.post(
        "/telnyx/v2/voice_designs", headers=headers, json={**body, "text": "a" * 1000 + "b"}
    )
    assert matched.status_code == 502


def test_bracket_in_a_fault_is_literal(box: Box) -> None:
    box.inject(status=503, match={"headers": {"x-text": "[a]*"}})
    statuses = [
        box.http.get(
            "/retell/list-voices", headers={"authorization": "Bearer K", "x-text": text}
        ).status_code
        for text in ("a", "[a]", "[a]b")
    ]
    assert statuses == [200, 503, 503]


def test_pattern_of_more_than_1000_characters_is_rejected(box: Box) -> None:
    """One of 100,000 characters takes a second to compile."""
    match = {"headers": {"x": "*a" * 501}, "fields": {"a/b": "*a" * 501, "c": 1}}
    response = box.control.post("/faults", json={"status": 503, "match": match})
    assert response.status_code == 400
    assert [violation["pointer"] for violation in response.json()["violations"]] == [
        "/match/headers/x",
        "/match/fields/a~1b",
    ]
    assert "must have at most 1000 characters; got 1002" in response.text

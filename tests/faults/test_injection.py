"""Fault injection: by header and by rule, invalid faults, responses, precedence and matching."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

import httpx
import pytest

from ..conftest import Box
from ..contract.contracts import CONTRACTS, OPERATIONS, Operation

BEARER = {"Authorization": "Bearer K"}
DESIGNS = "/telnyx/v2/voice_designs"
DESIGN = {"name": "narrator", "text": "Hello", "prompt": "Calm."}
LIST = "/retell/list-voices"
STATUSES = [400, 401, 402, 404, 405, 408, 409, 413, 415, 418, 422, 429, 451, 500, 502, 503, 599]
# One operation of each provider: method, path, credential, and the schema of its errors.
ONE_OF_EACH = [
    ("telnyx", "GET", "/telnyx/v2/voice_clones", BEARER, "ErrorResponse"),
    ("telnyx", "POST", "/telnyx/v2/text-to-speech/speech", BEARER, "ErrorResponse"),
    ("retell", "GET", LIST, BEARER, "Error"),
    ("supertone", "GET", "/supertone/v1/voices", {"x-sup-api-key": "K"}, "PlainOrDetailedError"),
    ("faseeh", "GET", "/faseeh/api/v1/models", {"x-api-key": "K"}, "Error"),
]


def is_valid(provider: str, schema: str, value: Any) -> bool:
    """Return True if a schema of a provider's contract accepts a value."""
    (contract,) = [contract for contract in CONTRACTS if contract.name == provider]
    return not contract.errors({"$ref": f"#/components/schemas/{schema}"}, value)


def encoded(headers: Mapping[str, str], charset: str = "latin-1") -> dict[bytes, bytes]:
    """Encode headers: httpx accepts text only if it is ASCII."""
    return {name.encode(): value.encode(charset) for name, value in headers.items()}


# --- for one request --------------------------------------------------------------------------


@pytest.mark.parametrize(
    "prefer", ["code=502", 'code="502"', "respond-async, code=502", "wait=10; CODE=502"]
)
def test_prefer_code_returns_the_documented_error(box: Box, prefer: str) -> None:
    refused = box.http.post(DESIGNS, headers={**BEARER, "Prefer": prefer}, json=DESIGN)
    assert refused.status_code == 502
    assert refused.json()["errors"][0]["code"] == "10037"
    assert refused.headers["x-mockvoice-fault"] == "header"
    assert box.voices() == []


@pytest.mark.parametrize("prefer", ["code=200", "code=99", "code=600", "code=²", "code=abc", "x"])
def test_other_preferences_are_ignored(box: Box, prefer: str) -> None:
    headers = encoded({**BEARER, "Prefer": prefer})
    assert box.http.get(LIST, headers=headers).status_code == 200


def test_header_fault_acts_on_its_request_only(box: Box) -> None:
    fault = json.dumps({"status": 429, "retry_after": 7, "when": "after"})
    headers = {**BEARER, "X-Mockvoice-Fault": fault}
    refused = box.http.post(DESIGNS, headers=headers, json=DESIGN)
    assert (refused.status_code, refused.headers["retry-after"]) == (429, "7")
    designs = box.voices(collection="voice_designs")
    assert [design["data"]["name"] for design in designs] == ["narrator"]
    assert box.control.get("/faults").json() == {"faults": []}
    assert box.http.get(DESIGNS, headers=BEARER).status_code == 200


def test_header_fault_precedes_rules(box: Box) -> None:
    id = box.inject(status=500)
    headers = {**BEARER, "X-Mockvoice-Fault": '{"status": 503}'}
    assert box.http.get(LIST, headers=headers).status_code == 503
    assert box.fault(id)["matched"] == 0
    slow = {**BEARER, "X-Mockvoice-Fault": '{"kind": "delay", "seconds": 0}', "Prefer": "code=418"}
    assert box.http.get(LIST, headers=slow).status_code == 418
    del slow["Prefer"]
    assert box.http.get(LIST, headers=slow).status_code == 500
    assert box.last()["fault"] == {"id": f"header, {id}", "kind": "delay, status"}


def test_header_fault_fires_only_if_it_matches(box: Box) -> None:
    """A client sends its default headers with every request."""
    fault = {"operation": "POST /voice_designs", "match": {"fields": {"name": "bad*"}}}
    box.http.headers["X-Mockvoice-Fault"] = json.dumps({**fault, "status": 503})
    named = [
        box.http.post(DESIGNS, headers=BEARER, json={**DESIGN, "name": name}).status_code
        for name in ("good", "bad idea")
    ]
    assert named == [201, 503]
    assert box.http.get(DESIGNS, headers=BEARER).status_code == 200


def test_header_fault_can_be_utf_8(box: Box) -> None:
    fault = json.dumps({"status": 500, "body": {"said": "مرحبا"}}, ensure_ascii=False)
    headers = encoded({**BEARER, "X-Mockvoice-Fault": fault}, "utf-8")
    assert box.http.get(LIST, headers=headers).json() == {"said": "مرحبا"}


@pytest.mark.parametrize(
    ("text", "pointer", "message"),
    [
        ("{bad", "", "is not valid JSON: Expecting property name"),
        ('{"seconds": NaN}', "", "is not usable JSON: NaN is not a JSON number"),
        ('{"body": "\\ud800"}', "", "has text with half of a surrogate pair"),
        ("[" * 5000, "", "JSON"),  # too deep for some versions of Python, incomplete for others
        ('{"body": ' + "[" * 100 + "]" * 100 + "}", "", "is nested more than 64 deep"),
        ("rest", "", 'got "rest"'),
        ('["rest"]', "/0", "must be one of ok, status, delay"),
        ("200", "", "must be at least 400; got 200"),
        ("true", "", "must be one of ok, status, delay"),
        ("[true]", "/0", "must be a status such as 502, a kind such as reset, ok, or an object"),
        ('{"kind": "rest"}', "/kind", 'got "rest"'),
        ('{"status": 200}', "/status", "must be at least 400, unless the kind is reply; got 200"),
        ('{"sttus": 502}', "/sttus", "is not a known field"),
        ('{"sequence": ["ok"], "times": 1}', "/times", "is not a known field"),
        ('{"operation": "cloneVoise"}', "/operation", "must be an operation; got cloneVoise"),
        ('{"headers": {"a b": "x"}}', "/headers/a b", "is not an allowed name"),
        ('{"headers": {"a": "x\\ny"}}', "/headers/a", "must match"),
        ('{"headers": {"a": " x"}}', "/headers/a", "must match"),
        ('{"headers": {"Content-Length": "1"}}', "/headers/Content-Length", "is set by the"),
        ('{"match": {"headers": {"€": "x"}}}', "/match/headers/€", "is not an allowed name"),
    ],
)
@pytest.mark.parametrize(("provider", "method", "path", "key", "schema"), ONE_OF_EACH)
def test_invalid_header_fault_returns_400_in_the_providers_error_format(
    box: Box,
    provider: str,
    method: str,
    path: str,
    key: dict[str, str],
    schema: str,
    text: str,
    pointer: str,
    message: str,
) -> None:
    headers = encoded({**key, "X-Mockvoice-Fault": text}, "utf-8")
    response = box.http.request(method, path, headers=headers)
    assert response.status_code == 400
    assert is_valid(provider, schema, response.json())
    assert message in json.dumps(response.json(), ensure_ascii=False).replace('\\"', '"')
    (violation,) = box.last()["violations"]
    assert violation["location"] == "header"
    assert violation["pointer"] == f"/x-mockvoice-fault{pointer}"
    assert message in violation["message"]
    (sent,) = json.loads(response.headers["x-mockvoice-violations"])
    assert sent["message"] == violation["message"]


# --- invalid faults ---------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("fault", "pointer", "hint"),
    [
        ({"provider": "telnix"}, "/provider", "did you mean telnyx?"),
        ({"provider": "mockvoice"}, "/provider", ""),
        ({"operation": "cloneVoise"}, "/operation", "did you mean cloneVoice?"),
        ({"operation": "post /clone-voice"}, "/operation", "did you mean POST /clone-voice?"),
        ({"operation": "POST /retell/clone-voice"}, "/operation", "did you mean POST /clone-voice"),
        (
            {"provider": "supertone", "operation": "cloneVoice"},
            "/operation",
            "",
        ),
        ({"kind": "Reset"}, "/kind", "did you mean reset?"),
        ({"kind": "disconect"}, "/kind", "did you mean disconnect?"),
        ({"when": "aftr"}, "/when", "did you mean after?"),
        ({"sttus": 502}, "/sttus", "did you mean status?"),
        ({"retry-after": 1}, "/retry-after", "did you mean retry_after?"),
        ({"match": {"field": {}}}, "/match/field", "did you mean fields?"),
        ({"sequence": [{"sttus": 502}]}, "/sequence/0/sttus", "did you mean status?"),
        ({"sequence": ["ok", "okay"]}, "/sequence/1", "did you mean ok?"),
        (["ok", "resett"], "/1", "did you mean reset?"),
        (["ok", ["reset"]], "/1", ""),
        ("rset", "", "did you mean reset?"),
        (399, "", ""),
        ([600], "/0", ""),
        (450.5, "", ""),
        ([], "", ""),
        ([{"headers": {"content-length": "1"}}], "/0/headers/content-length", ""),
        ({"sequence": [{"times": 1}]}, "/sequence/0/times", ""),
        ({"sequence": ["ok"], "times": 1}, "/times", ""),
        ({"sequence": []}, "/sequence", ""),
        ({"times": 0}, "/times", ""),
        ({"status": 302}, "/status", ""),
        ({"seconds": -1}, "/seconds", ""),
        ({"probability": 2}, "/probability", ""),
        ({"headers": {"Transfer-Encoding": "chunked"}}, "/headers/Transfer-Encoding", ""),
        (
            {"sequence": ["ok", {"headers": {"content-length": "1"}}]},
            "/sequence/1/headers/content-length",
            "",
        ),
    ],
)
def test_invalid_fault_returns_400_with_a_suggestion(
    box: Box, fault: Any, pointer: str, hint: str
) -> None:
    response = box.control.post("/faults", json=fault)
    assert response.status_code == 400
    assert response.headers["content-type"] == "application/problem+json"
    (violation,) = response.json()["violations"]
    assert violation["pointer"] == pointer
    assert hint in violation["hint"]
    assert bool(hint) == bool(violation["hint"])
    assert box.control.get("/faults").json() == {"faults": []}


def test_unknown_operation_is_rejected_with_all_known_ones(box: Box) -> None:
    response = box.control.post("/faults", json={"provider": "faseeh", "operation": "clone"})
    expected = [op.node["operationId"] for op in OPERATIONS if op.contract.name == "faseeh"]
    (violation,) = response.json()["violations"]
    assert sorted(violation["expected"]) == sorted(expected)
    assert all(operation in violation["message"] for operation in expected)


def test_unknown_fault_returns_404(box: Box) -> None:
    for method in ("GET", "DELETE"):
        response = box.control.request(method, "/faults/fault_9")
        assert response.status_code == 404
        assert response.json()["detail"] == "there is no fault fault_9"


# --- responses --------------------------------------------------------------------------------


@pytest.mark.parametrize(("provider", "method", "path", "key", "schema"), ONE_OF_EACH)
def test_every_status_has_the_error_format_of_the_provider(
    box: Box, provider: str, method: str, path: str, key: dict[str, str], schema: str
) -> None:
    for status in STATUSES:
        response = box.http.request(method, path, headers={**key, "Prefer": f"code={status}"})
        assert response.status_code == status
        assert response.headers["content-type"] == "application/json"
        documented = is_valid(provider, schema, response.json())
        by_field = path.endswith("/speech") and status == 422  # Telnyx has another format for these
        assert documented or by_field, response.text


PROVIDER_OPERATIONS = [op for op in OPERATIONS if op.contract.name != "mockvoice"]


# The success of a WebSocket, 101, has no body.
@pytest.mark.parametrize(
    "operation", [op for op in PROVIDER_OPERATIONS if 101 not in op.responses], ids=str
)
def test_kinds_that_corrupt_act_on_every_operation(box: Box, operation: Operation) -> None:
    """They act on the documented success; the request is empty and the operation not executed."""
    path = operation.contract.base_path + operation.path
    success = min(operation.responses)
    for kind in ("malformed", "empty", "wrong_type", "truncate"):
        headers = {"X-Mockvoice-Fault": json.dumps({"kind": kind, "fraction": 1})}
        try:
            response = box.http.request(operation.method, path, headers=headers)
        except httpx.RemoteProtocolError:
            assert kind == "truncate"
            assert success != 204
        else:
            has_new_body = kind in ("malformed", "wrong_type") and success == 204
            assert response.status_code == (200 if has_new_body else success)
            assert bool(response.content) == (kind in ("malformed", "wrong_type"))
    assert box.voices() == []


@pytest.mark.parametrize("operation", PROVIDER_OPERATIONS, ids=str)
def test_every_documented_error_can_be_injected(box: Box, operation: Operation) -> None:
    path = operation.contract.base_path + operation.path
    for status, described in operation.responses.items():
        if status >= 400:
            headers = {**operation.credential, "Prefer": f"code={status}"}
            response = box.http.request(operation.method, path, headers=headers)
            assert response.status_code == status
            schema = described["content"]["application/json"]["schema"]
            assert not operation.contract.errors(schema, response.json())


def test_fault_without_status_is_the_highest_documented_error(box: Box) -> None:
    box.inject()
    assert box.http.post(DESIGNS, headers=BEARER, json=DESIGN).status_code == 502
    assert box.http.get(LIST, headers=BEARER).status_code == 500
    clone = "/supertone/v1/custom-voices/cloned-voice"
    assert box.http.post(clone, headers={"x-sup-api-key": "K"}).status_code == 500


@pytest.mark.parametrize(("status", "like"), [(418, 400), (599, 500)])
def test_undocumented_status_has_the_words_of_its_class(box: Box, status: int, like: int) -> None:
    codes = []
    for injected in (status, like):
        response = box.http.get(DESIGNS, headers={**BEARER, "Prefer": f"code={injected}"})
        assert response.status_code == injected
        codes.append([error["code"] for error in response.json()["errors"]])
    assert codes[0] == codes[1]


@pytest.mark.parametrize("status", [502, 418])
def test_json_body_of_a_fault_is_sent(box: Box, status: int) -> None:
    """It replaces the documented one."""
    for body in ({"x": 1}, [1, 2], 5, False, 0, {"errors": "none"}):
        box.inject(status=status, body=body, times=1)
        response = box.http.post(DESIGNS, headers=BEARER, json=DESIGN)
        assert (response.status_code, response.json()) == (status, body)
        assert response.headers["content-type"] == "application/json"
        assert box.last()["response"]["body"] == body


@pytest.mark.parametrize("text", ["", "NaN", "Bad Gateway", "مرحبا"])
def test_text_body_of_a_fault_is_sent_as_text(box: Box, text: str) -> None:
    box.inject(status=502, body=text)
    response = box.http.post(DESIGNS, headers=BEARER, json=DESIGN)
    assert response.headers.get_list("content-type") == ["text/plain; charset=utf-8"]
    assert response.text == text
    assert box.last()["response"]["body"] == (text or None)


def test_headers_of_a_fault_take_precedence(box: Box) -> None:
    html = "<html><h1>502 Bad Gateway</h1></html>"
    date = "Tue, 21 Jul 2026 07:28:00 GMT"
    headers = {
        "Content-Type": "text/html",
        "Server": "nginx",
        "Retry-After": date,
        "X-RateLimit-Remaining": "0",
        "Date": date,
        "Empty": "",
    }
    box.put("telnyx", "K", limits={"requests": {"max": 9, "per": 60}})
    box.inject(status=502, body=html, headers=headers, when="after")
    response = box.http.get("/telnyx/v2/voice_clones", headers=BEARER)
    assert response.text == html
    for name, value in headers.items():
        assert response.headers.get_list(name) == [value]
    assert response.headers["x-ratelimit-limit"] == "9"
    assert box.last()["response"]["headers"]["content-type"] == "text/html"


# --- precedence -------------------------------------------------------------------------------


def test_fault_precedes_every_other_error(box: Box) -> None:
    box.inject(status=503, times=6)
    unknown_path = box.http.get("/retell/nowhere", headers=BEARER)
    wrong_method = box.http.put(LIST, headers=BEARER)
    no_key = box.http.get(LIST)
    invalid = box.http.post(DESIGNS, headers=BEARER, json={})
    broken = box.http.post(DESIGNS, headers=BEARER, content=b"{")
    unknown = box.http.get("/telnyx/v2/voice_clones/x", headers=BEARER)
    for response in (unknown_path, wrong_method, no_key, invalid, broken, unknown):
        assert response.status_code == 503
        assert "x-mockvoice-violations" not in response.headers
    statuses = [box.http.get("/retell/nowhere").status_code, box.http.get(LIST).status_code]
    assert statuses == [404, 401]


def test_fault_after_the_operation_replaces_its_response(box: Box) -> None:
    box.inject(status=503, when="after")
    assert box.http.get(LIST).status_code == 503
    assert box.http.post(DESIGNS, headers=BEARER, json={}).status_code == 503
    assert [violation["message"] for violation in box.last()["violations"]] == [
        "name is required",
        "prompt is required",
        "text is required",
    ]


def test_invalid_sandbox_name_returns_400(box: Box) -> None:
    response = box.http.get(LIST, headers={**BEARER, "X-Mockvoice-Sandbox": "ok"})
    assert response.status_code == 200  # the name in the path takes precedence
    for name in ("a b", "x" * 65, "ü"):
        headers = encoded({**BEARER, "X-Mockvoice-Sandbox": name})
        response = box.http.get(f"{box.server.url}{LIST}", headers=headers)
        assert response.status_code == 400
        assert "must be up to 64 letters" in response.json()["message"]


# --- matching ---------------------------------------------------------------------------------


def matches(box: Box, fault: dict[str, Any], **request: Any) -> bool:
    """Return True if a fault fires for a request that creates a design."""
    box.control.delete("/faults")
    box.inject(**fault, status=418)
    headers = {**BEARER, **request.pop("headers", {})}
    response = box.http.post(DESIGNS, **{"json": DESIGN, "headers": headers, **request})
    return response.status_code == 418


@pytest.mark.parametrize(
    ("fault", "expected"),
    [
        ({}, True),
        ({"provider": "telnyx"}, True),
        ({"provider": "retell"}, False),
        ({"operation": "createVoiceDesign"}, True),
        ({"operation": "POST /voice_designs"}, True),
        ({"operation": "GET /voice_designs"}, False),
        ({"provider": "telnyx", "operation": "createVoiceDesign"}, True),
        ({"match": {}}, True),
        ({"match": {"account": "K"}}, True),
        ({"match": {"account": "k"}}, False),
        ({"match": {"account": ""}}, False),
        ({"match": {"account": "?"}}, True),
        ({"match": {"headers": {"x-run": "7"}}}, True),
        ({"match": {"headers": {"X-RUN": "7"}}}, True),
        ({"match": {"headers": {"X-Run": "8"}}}, False),
        ({"match": {"headers": {"X-Run": "*"}}}, True),
        ({"match": {"headers": {"X-Walk": "*"}}}, False),
        ({"match": {"headers": {"X-Walk": ""}}}, False),
        ({"match": {"headers": {"x-run": "7"}, "account": "other"}}, False),
    ],
)
def test_fault_matches_provider_operation_account_and_headers(
    box: Box, fault: dict[str, Any], *, expected: bool
) -> None:
    assert matches(box, fault, headers={"X-Run": "7"}) == expected


FIELDS = [
    ({"name": "narrator"}, True),
    ({"name": "Narrator"}, False),
    ({"name": "narrat"}, False),
    ({"name": "*"}, True),
    ({"name": "n*r"}, True),
    ({"name": "????ator"}, True),
    ({"text": "one\ntwo [3]"}, True),
    ({"text": "one*[3]"}, True),
    ({"text": "one*[123]"}, False),
    ({"label": "*"}, False),
    ({"label": None}, True),
    ({"name": None}, False),
    ({"name": "narrator", "top_k": 8}, False),
    ({"top_k": 7}, True),
    ({"top_k": 7.0}, True),
]


@pytest.mark.parametrize(("fields", "expected"), FIELDS)
def test_fault_matches_json_fields(box: Box, fields: dict[str, Any], *, expected: bool) -> None:
    body = {**DESIGN, "text": "one\ntwo [3]", "top_k": 7, "extra": {"a": [True]}}
    assert matches(box, {"match": {"fields": fields}}, json=body) == expected


def test_fields_other_than_text_match_as_a_whole(box: Box) -> None:
    body = {**DESIGN, "extra": {"a": [True]}, "nothing": None}
    for fields, expected in [
        ({"extra": {"a": [True]}}, True),
        ({"extra": {"a": [False]}}, False),
        ({"extra": "*"}, False),
        ({"nothing": None}, True),
    ]:
        assert matches(box, {"match": {"fields": fields}}, json=body) == expected


@pytest.mark.parametrize(
    ("fields", "expected"),
    [
        *FIELDS[:-1],  # forms send 7 as text, which 7.0 does not match
        ({"top_k": "7"}, True),
        ({"on": True}, True),
        ({"on": "true"}, True),
        ({"twice": "last"}, True),
        ({"twice": "first"}, False),
        ({"file": "*"}, False),
    ],
)
@pytest.mark.parametrize("form", ["multipart", "urlencoded"])
def test_fault_matches_form_fields(
    box: Box, form: str, fields: dict[str, Any], *, expected: bool
) -> None:
    members = {**DESIGN, "text": "one\ntwo [3]", "top_k": "7", "on": "true"}
    data = {**members, "twice": ["first", "last"]}
    files = {"file": b"x"} if form == "multipart" else {}
    fault = {"match": {"fields": fields}}
    assert matches(box, fault, json=None, data=data, files=files) == expected


def test_unreadable_body_matches_no_field(box: Box) -> None:
    fault = {"match": {"fields": {"name": "*"}}}
    for content in (b"", b"{", b"[]", b"\xff", b'"name"'):
        assert not matches(box, fault, json=None, content=content)
    assert matches(box, {"match": {"fields": {"name": None}}}, json=None, content=b"{")


def test_oldest_matching_fault_fires_and_others_do_not_count(box: Box) -> None:
    first = box.inject(status=501, skip=1, times=1)
    second = box.inject(status=502, operation="listVoices")
    third = box.inject(status=503)
    assert [box.http.get(LIST, headers=BEARER).status_code for _ in range(3)] == [502, 501, 502]
    counts = [(box.fault(id)["hits"], box.fault(id)["matched"]) for id in (first, second, third)]
    assert counts == [(1, 2), (2, 2), (0, 0)]


def test_faults_do_not_act_on_the_control_api(box: Box) -> None:
    box.inject(status=500)
    for fault in ({"X-Mockvoice-Fault": '{"kind": "reset"}'}, {"Prefer": "code=500"}, {}):
        assert box.control.get("/health", headers=fault).status_code == 200
        assert len(box.control.get("/faults", headers=fault).json()["faults"]) == 1
    assert box.requests() == []


def test_faults_over_capacity_are_evicted_oldest_first(serve: Any) -> None:
    with Box(serve(max_faults=2), "few") as box:
        ids = [box.inject(status=status) for status in (501, 502, 503)]
        listed = box.control.get("/faults").json()["faults"]
        assert [fault["id"] for fault in listed] == ids[1:]
        assert box.http.get(LIST, headers=BEARER).status_code == 502

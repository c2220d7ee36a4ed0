"""Errors of the control API, and diagnostic headers."""

from __future__ import annotations

import json

import pytest

from ..conftest import Box, Serve

BEARER = {"Authorization": "Bearer K"}
TYPE = {"Content-Type": "application/json"}
LIST = "/retell/list-voices"
DESIGNS = "/telnyx/v2/voice_designs"


def test_errors_are_problem_documents(box: Box) -> None:
    responses = [
        (404, box.control.get("/nowhere")),
        (405, box.control.put("/faults")),
        (404, box.control.get("/faults/x")),
        (400, box.control.post("/faults", json={"kind": "x"})),
        (400, box.control.post("/faults", json=[])),
        (400, box.control.post("/clock", content=b"{", headers=TYPE)),
        (400, box.control.post("/clock", json={})),
        (415, box.control.post("/voices", content=b"x", headers={"content-type": "text/css"})),
        (403, box.control.get("/voices", headers={"Origin": "null"})),
    ]  # fmt: skip
    for status, response in responses:
        assert response.status_code == status
        assert response.headers["content-type"] == "application/problem+json"
        problem = response.json()
        assert problem["status"] == status
        assert problem["title"]
        assert problem["detail"]
        assert "x-mockvoice-request" not in response.headers
    assert [entry["status"] for entry in box.requests()] == []


READ_ONLY = (
    "GET /health, GET /providers, GET /faults, GET /requests, GET /requests/counts,"
    " GET /report, GET /events, GET /verification, GET /coverage, GET /differences, GET /voices,"
    " GET /accounts, GET /clock, GET /ca.pem, GET /ca.p12, GET /sandboxes, GET /export"
)


@pytest.mark.parametrize(
    ("path", "suggestion"),
    [
        ("", ""),
        ("/", ""),
        ("/nothing/like/it", ""),
        ("/request", "; did you mean GET /__mockvoice/requests?"),
        ("/fault/x", "; did you mean GET /__mockvoice/faults?"),
        ("/rese", ""),  # POST /reset would change state
        ("/samples", "; did you mean GET /__mockvoice/samples/{format}?"),
        ("POST /rese", "; did you mean POST /__mockvoice/reset?"),
        ("POST /clock/x", "; did you mean POST /__mockvoice/clock?"),
        ("DELETE /fault", "; did you mean DELETE /__mockvoice/faults?"),
    ],
)
def test_unknown_control_path_hint_lists_read_only_entry_points(
    box: Box, path: str, suggestion: str
) -> None:
    method, _, path = path.rpartition(" ")
    response = box.http.request(method or "GET", f"/__mockvoice{path}")
    assert response.status_code == 404
    assert response.headers["x-mockvoice-hint"] == (
        f"read-only entry points below {box.url}/__mockvoice: {READ_ONLY}{suggestion}"
    )


def test_control_requests_are_neither_limited_nor_recorded(box: Box) -> None:
    box.control.post("/reset", json={"limits": "documented"})
    for _ in range(70):
        assert box.control.get("/clock").status_code == 200
    assert box.requests() == []
    assert box.control.get("/requests").headers.get("x-mockvoice-request") is None


def test_diagnostics_off_sends_no_mockvoice_headers(serve: Serve) -> None:
    with Box(serve(diagnostics=False), "plain") as box:
        box.inject(kind="delay", seconds=0)
        responses = [
            box.http.get(LIST, headers=BEARER),
            box.http.get(LIST),
            box.http.post(DESIGNS, headers=BEARER, json={"name": "", "promt": "x"}),
            box.http.get("/telnyx/voice_clones"),
            box.http.get("/nowhere"),
            box.http.get(LIST, headers={**BEARER, "Prefer": "code=500"}),
            box.http.get(LIST, headers={**BEARER, "X-Mockvoice-Fault": "{"}),
            box.http.get(f"{box.server.url}{LIST}", headers={"X-Mockvoice-Sandbox": "a b"}),
            box.control.post("/faults", json={"sttus": 1}),
        ]
        for response in responses:
            assert [name for name in response.headers if name.startswith("x-mockvoice")] == []
        # The journal still explains.
        (entry,) = box.requests(operation="createVoiceDesign")
        pointers = [violation["pointer"] for violation in entry["violations"]]
        assert pointers == ["/name", "/prompt", "/text"]
        assert entry["hint"] == "you sent promt; the field is prompt"
        assert json.dumps(box.requests()).count('"kind": "delay"') == 4

"""Recorded requests: filters, ids, order."""

from __future__ import annotations

from typing import Any

import httpx
import pytest

from ..conftest import Box, Serve
from ..faults.raw import Raw

BEARER = {"Authorization": "Bearer K"}
LIST = "/retell/list-voices"
DESIGNS = "/telnyx/v2/voice_designs"
DESIGN = {"name": "narrator", "text": "Hello", "prompt": "Calm."}


def test_list_filters_by_provider_operation_status_since_and_limit(box: Box) -> None:
    box.clock(freeze="2024-01-01T00:00:00Z")
    box.http.get(LIST, headers=BEARER)
    box.http.get(LIST)
    box.clock(advance=1)
    box.http.post(DESIGNS, headers=BEARER, json=DESIGN)
    box.http.get("/faseeh/api/v1/voices", headers={"x-api-key": "K"})
    box.clock(advance=1)
    box.http.get("/retell/get-voice/nobody", headers=BEARER)
    box.http.get("/retell/nowhere")

    def numbers(**filters: Any) -> list[int]:
        return [int(entry["id"].removeprefix("request_")) for entry in box.requests(**filters)]

    assert numbers() == [1, 2, 3, 4, 5, 6]
    assert numbers(provider="retell") == [1, 2, 5, 6]
    assert numbers(operation="listVoices") == [1, 2, 4]
    assert numbers(operation="listVoices", provider="faseeh") == [4]
    assert numbers(operation="GET /list-voices") == [1, 2]
    assert numbers(operation="GET /get-voice/{voice_id}") == [5]
    assert numbers(operation="GET /retell/nowhere") == [6]
    assert numbers(status=200) == [1, 4]
    assert numbers(status=401, provider="retell") == [2]
    assert numbers(status="4xx") == numbers(status="4XX") == [2, 5, 6]
    assert numbers(since="request_4") == [5, 6]
    assert numbers(since="request_999") == []
    assert numbers(since="2024-01-01T00:00:00Z") == [3, 4, 5, 6]
    assert numbers(since="2024-01-01T00:00:01") == [5, 6]  # UTC
    assert numbers(since="2024-01-01T02:00:01+02:00") == [5, 6]
    assert numbers(since="2023-12-31") == [1, 2, 3, 4, 5, 6]
    assert numbers(since="0001-01-01") == [1, 2, 3, 4, 5, 6]
    assert numbers(since="9999-12-31T23:59:59-14:00") == []
    assert numbers(limit=2) == [5, 6]
    assert numbers(provider="retell", limit=1) == [6]


@pytest.mark.parametrize("limit", ["3", "9007199254740993", "9" * 25, "1e300"])
def test_limit_over_number_of_requests_returns_all(box: Box, limit: str) -> None:
    for _ in range(2):
        box.http.get(LIST, headers=BEARER)
    assert [entry["id"] for entry in box.requests(limit=limit)] == ["request_1", "request_2"]


@pytest.mark.parametrize(
    ("query", "message"),
    [
        ("since=yesterday", "since must be the id of a request, or a time; got yesterday"),
        ("since=request_x", "since must be the id of a request, or a time; got request_x"),
        ("limit=0", "limit must be at least 1; got 0"),
        ("limit=all", 'limit must be a whole number; got "all"'),
        (
            "provider=retel",
            "provider must be one of faseeh, retell, supertone, telnyx; got retel",
        ),
        (
            "provider=retell&operation=getVoices",
            (
                "operation must be an operation; got getVoices; available: cloneVoice, getVoice,"
                " listVoices, addCommunityVoice, searchCommunityVoice, getConcurrency"
            ),
        ),
        ("status=ok", 'status must be a status such as 404, or a class such as 4xx; got "ok"'),
    ],
)
def test_invalid_filter_returns_400(box: Box, query: str, message: str) -> None:
    response = box.control.get(f"/requests?{query}")
    assert (response.status_code, response.json()["detail"]) == (400, message)


def test_unknown_request_returns_404(box: Box) -> None:
    for id in ("request_1", "request_0", "x", "request_99999999999999999999"):
        response = box.control.get(f"/requests/{id}")
        assert response.status_code == 404
        assert response.json()["detail"] == f"the journal has no {id}"


def test_clear_keeps_the_id_counter_and_reset_restarts_it(box: Box) -> None:
    for _ in range(2):
        box.http.get(LIST, headers=BEARER)
    assert box.control.delete("/requests").status_code == 204
    assert box.requests() == []
    box.http.get(LIST, headers=BEARER)
    assert [entry["id"] for entry in box.requests(since="request_2")] == ["request_3"]
    box.control.post("/reset", json={"only": ["requests"]})
    box.http.get(LIST, headers=BEARER)
    assert box.last()["id"] == "request_1"


def test_counts_include_evicted_requests(serve: Serve) -> None:
    with Box(serve(max_requests=2), "counted") as box:
        for _ in range(5):
            box.http.get(LIST, headers=BEARER)
        box.http.get(LIST)
        box.http.get("/retell/nowhere")
        counted = box.control.get("/requests/counts").json()
        assert counted == {
            "counts": [
                {"provider": "retell", "operation": operation, "status": status, "count": count}
                for operation, status, count in [
                    ("listVoices", 200, 5),
                    ("listVoices", 401, 1),
                    ("", 404, 1),
                ]
            ],
            "evicted": 5,
        }


def test_request_without_response_is_counted_with_status_null(box: Box) -> None:
    box.inject(kind="reset")
    with pytest.raises(httpx.TransportError):
        box.http.get(LIST, headers=BEARER)
    (count,) = box.control.get("/requests/counts").json()["counts"]
    assert (count["status"], count["count"]) == (None, 1)


def test_slow_response_is_counted_once(box: Box) -> None:
    box.inject(kind="drip", seconds=0.01)
    box.http.get(LIST, headers=BEARER)
    assert [count["count"] for count in box.control.get("/requests/counts").json()["counts"]] == [1]


@pytest.mark.parametrize("reset", [("DELETE", "/requests"), ("POST", "/reset")])
def test_deleting_the_journal_resets_its_counts(box: Box, reset: tuple[str, str]) -> None:
    box.http.get(LIST, headers=BEARER)
    box.control.request(*reset)
    assert box.control.get("/requests/counts").json() == {"counts": [], "evicted": 0}


def begin_slow(box: Box, slow: Raw) -> None:
    """Send a clone that a fault delays, and wait until it has begun."""
    fault = box.inject(kind="delay", seconds=0.5, provider="retell")
    slow.begin("/retell/clone-voice")
    slow.end()
    while not box.fault(fault)["hits"]:
        continue


def test_requests_are_listed_in_the_order_in_which_they_were_received(box: Box) -> None:
    with Raw(box.url) as slow:
        begin_slow(box, slow)
        box.http.get("/faseeh/api/v1/voices", headers={"x-api-key": "K"})
        assert [entry["provider"] for entry in box.requests()] == ["faseeh"]
        slow.receive()
    assert [entry["provider"] for entry in box.requests()] == ["retell", "faseeh"]


def test_request_that_began_before_a_reset_is_not_recorded(box: Box) -> None:
    with Raw(box.url) as slow:
        begin_slow(box, slow)
        box.control.post("/reset")
        box.http.get("/faseeh/api/v1/voices", headers={"x-api-key": "K"})
        assert slow.receive().status == 400
    (entry,) = box.requests()
    assert (entry["id"], entry["provider"]) == ("request_1", "faseeh")

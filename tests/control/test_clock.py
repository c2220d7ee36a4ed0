"""The clock: freeze, advance, resume."""

from __future__ import annotations

from typing import Any

import pytest

from ..conftest import Box
from ..contract.contracts import Contract

BEARER = {"Authorization": "Bearer K"}
SUPERTONE = {"x-sup-api-key": "K"}
LIST = "/retell/list-voices"
DESIGNS = "/telnyx/v2/voice_designs"
DESIGN = {"name": "narrator", "text": "Hello", "prompt": "Calm."}


def now(box: Box) -> str:
    time = box.control.get("/clock").json()["now"]
    assert isinstance(time, str)
    return time


def test_frozen_clock_moves_only_when_advanced(box: Box) -> None:
    response = box.control.post("/clock", json={"freeze": "2024-02-29T23:59:59.5Z"})
    assert response.json() == {"now": "2024-02-29T23:59:59.500Z", "frozen": True}
    assert now(box) == "2024-02-29T23:59:59.500Z"
    box.clock(advance=0.5)
    assert now(box) == "2024-03-01T00:00:00Z"
    date = box.http.get(LIST, headers=BEARER).headers["date"]
    assert date == "Fri, 01 Mar 2024 00:00:00 GMT"
    box.clock(freeze="2024-01-01T02:00:00+02:00", advance=60)
    assert now(box) == "2024-01-01T00:01:00Z"


def test_clock_can_be_frozen_and_resumed(box: Box) -> None:
    box.clock(freeze=True)
    stopped = now(box)
    assert now(box) == stopped
    box.clock(freeze=None, advance=3600)
    clock = box.control.get("/clock").json()
    assert not clock["frozen"]
    assert clock["now"] > stopped
    resumed = now(box)
    while now(box) == resumed:  # times have a resolution of one millisecond
        continue
    box.clock(freeze="1970-01-01T00:00:00Z")
    box.clock(freeze=False)
    assert now(box).startswith("1970-01-01T00:00:0")


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({"freeze": "9999-01-01T00:00:00.5Z"}, "freeze"),
        ({"freeze": "9999-12-31T23:59:59-14:00"}, "freeze"),
        ({"freeze": "1970-01-01T00:00:00+00:01"}, "freeze"),
        ({"freeze": "2016-12-31T23:59:60Z"}, "freeze"),  # leap seconds are not supported
        ({"freeze": "9990-01-01T00:00:00Z", "advance": 315_360_000}, "advance"),
    ],
)
def test_time_out_of_range_returns_400_and_changes_nothing(
    box: Box, body: dict[str, Any], field: str
) -> None:
    box.clock(freeze="2024-01-01T00:00:00Z")
    response = box.control.post("/clock", json=body)
    assert response.status_code == 400
    assert response.json()["detail"].startswith(
        f"{field} must result in a time from 1970-01-01T00:00:00Z to 9999-01-01T00:00:00Z; got "
    )
    assert now(box) == "2024-01-01T00:00:00Z"


@pytest.mark.parametrize("time", ["0000-01-01T00:00:00Z", "1969-12-31T23:59:59Z"])
def test_contract_excludes_years_before_1970(box: Box, time: str) -> None:
    contract = Contract("mockvoice")
    body = contract.document["paths"]["/clock"]["post"]["requestBody"]
    schema = body["content"]["application/json"]["schema"]
    assert contract.errors(schema, {"freeze": time})
    assert not contract.errors(schema, {"freeze": "1970-01-01T00:00:00Z"})
    box.clock(freeze="2024-01-01T00:00:00Z")
    response = box.control.post("/clock", json={"freeze": time})
    assert response.status_code == 400
    (violation,) = response.json()["violations"]
    assert (violation["pointer"], violation["received"]) == ("/freeze", time)
    assert now(box) == "2024-01-01T00:00:00Z"


@pytest.mark.parametrize("frozen", [True, False])
def test_repeated_advance_stops_at_the_end_of_the_range(box: Box, *, frozen: bool) -> None:
    box.clock(freeze="9970-01-01T00:00:00Z")
    if not frozen:
        box.clock(freeze=None)
    responses = [box.control.post("/clock", json={"advance": 315_360_000}) for _ in range(4)]
    assert [response.status_code for response in responses] == [200, 200, 400, 400]
    assert now(box).startswith("9989-12-")
    assert box.http.post(DESIGNS, headers=BEARER, json=DESIGN).status_code == 201
    assert box.last()["at"].startswith("9989-12-")


@pytest.mark.parametrize("time", ["1970-01-01T00:00:00Z", "9999-01-01T00:00:00Z"])
def test_requests_work_at_both_ends_of_the_range(box: Box, time: str) -> None:
    box.clock(freeze=time)
    assert now(box) == time
    box.inject(status=500, retry_after=5, expires_in=10, times=1)
    statuses = [box.http.post(DESIGNS, headers=BEARER, json=DESIGN).status_code for _ in range(2)]
    assert statuses == [500, 201]
    body = {"text": "t", "language": "en"}
    speech = box.http.post(
        "/supertone/v1/text-to-speech/a4cf2a1b8e7d", headers=SUPERTONE, json=body
    )
    assert speech.status_code == 200
    assert {entry["at"] for entry in box.requests()} == {time}
    added = box.control.post("/voices", json={"provider": "telnyx"}).json()
    assert added["created_at"] == added["data"]["created_at"] == time


@pytest.mark.parametrize(
    ("body", "message"),
    [
        ({"freeze": "now"}, "freeze must be a date and time such as 2024-01-31T12:00:00Z; got"),
        ({"freeze": "2024-01-01"}, "freeze must be a date and time such as"),
        ({"freeze": 5}, "freeze must be true or false or text or null; got 5"),
        ({"advance": -1}, "advance must be at least 0; got -1"),
        ({"advance": 1e300}, "advance must be at most 315360000; got"),
        ({"advance": "1"}, 'advance must be a number; got "1"'),
        ({}, "the body must have at least 1 member; got 0"),
        ({"freez": True}, "freez is not a known field"),
    ],
)  # fmt: skip
def test_invalid_clock_change_is_explained(box: Box, body: dict[str, Any], message: str) -> None:
    response = box.control.post("/clock", json=body)
    assert response.status_code == 400
    assert response.json()["detail"].startswith(message)

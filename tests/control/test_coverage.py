"""Contract coverage over HTTP."""

from __future__ import annotations

from typing import Any

import httpx
import pytest

import mockvoice

from ..conftest import Box, Serve

BEARER = {"Authorization": "Bearer K"}
LIST = "/retell/list-voices"


def covered(box: Box, operation: str = "listVoices", **parameters: Any) -> Any:
    """Return the coverage of an operation of Retell."""
    coverage = box.control.get("/coverage", params=parameters).json()
    (found,) = [
        item
        for item in coverage["operations"]
        if (item["provider"], item["operation"]) == ("retell", operation)
    ]
    return found


def totals(box: Box, **parameters: Any) -> tuple[Any, ...]:
    coverage = box.control.get("/coverage", params=parameters).json()
    return tuple(coverage[name] for name in ("percent", "seen", "total", "called"))


def test_status_counts_as_covered_whatever_caused_it(box: Box) -> None:
    assert totals(box) == (0, 0, 0, 0)
    box.http.get(LIST, headers=BEARER)
    assert totals(box) == (33.3, 1, 3, 1)
    box.http.get(LIST)
    box.inject(status=500, times=1)
    box.http.get(LIST, headers=BEARER)
    assert totals(box) == (100, 3, 3, 1)
    operation = covered(box)
    assert [(s["status"], s["requests"]) for s in operation["statuses"]] == [
        (200, 1),
        (401, 1),
        (500, 1),
    ]
    assert operation["requests"] == 3
    assert operation["path"] == LIST


def test_missing_status_names_its_causes_and_a_fault_that_provokes_it(box: Box) -> None:
    box.http.get(LIST, headers=BEARER)
    ok, unauthorized, error = covered(box)["statuses"]
    assert (ok["provoked_by"], ok["inject"]) == (["a valid request"], None)
    assert unauthorized["provoked_by"][0].startswith("a missing, empty or unlisted key")
    assert error["provoked_by"] == []
    for status in (unauthorized, error):
        box.control.post("/faults", json={**status["inject"], "times": 1})
        assert box.http.get(LIST, headers=BEARER).status_code == status["status"]
    assert totals(box)[0] == 100


def test_undocumented_statuses_missing_responses_and_fault_kinds_are_listed(box: Box) -> None:
    box.inject({"status": 429}, {"kind": "reset"}, {"kind": "malformed"}, provider="retell")
    assert box.http.get(LIST, headers=BEARER).status_code == 429
    with pytest.raises(httpx.TransportError):
        box.http.get(LIST, headers=BEARER)
    box.http.get(LIST, headers=BEARER)
    operation = covered(box)
    assert operation["undocumented"] == {"429": 1}
    assert operation["no_response"] == 1
    assert operation["faults"] == {"malformed": 1, "reset": 1, "status": 1}


def test_operations_that_were_not_called_count_only_with_all(box: Box) -> None:
    box.http.get(LIST, headers=BEARER)
    listed = box.control.get("/coverage").json()["operations"]
    assert {item["provider"] for item in listed} == {"retell"}
    assert covered(box, "cloneVoice")["requests"] == 0
    everything = box.control.get("/coverage?all=true").json()
    assert {item["provider"] for item in everything["operations"]} == {
        *box.control.get("/health").json()["providers"]
    }
    assert everything["total"] == sum(len(item["statuses"]) for item in everything["operations"])
    assert (everything["seen"], everything["called"]) == (1, 1)


@pytest.mark.parametrize("reset", [("DELETE", "/requests"), ("POST", "/reset")])
def test_coverage_survives_reset(box: Box, reset: tuple[str, str]) -> None:
    box.http.get(LIST, headers=BEARER)
    box.control.request(*reset)
    assert totals(box) == (33.3, 1, 3, 1)


def test_server_counts_all_sandboxes_and_each_sandbox_its_own(serve: Serve) -> None:
    server = serve(max_requests=1, max_sandboxes=1)
    with Box(server, "one") as one, Box(server, "two") as two:
        one.http.get(LIST, headers=BEARER)
        one.http.get(LIST)
        two.http.get(LIST, headers=BEARER)  # evicts the other sandbox
        mock = mockvoice.connect(server.url)
        assert mock.coverage().seen == 2
        assert mock.retell.coverage().called[0].requests == 3
        assert mock.telnyx.coverage().operations == ()
        assert mock.sandbox("two").coverage().percent == 33.3


def test_editions_of_a_contract_are_counted_apart(serve: Serve) -> None:
    server = serve()
    with Box(server, "old") as old, Box(server, "new") as new:
        new.control.post("/reset", json={"edition": {"supertone": "latest"}})
        for box in (old, new, new):
            box.http.get("/supertone/v1/voices")
        new.control.post("/reset")
        coverage = mockvoice.connect(server.url).coverage()
        assert [(op.edition, op.operation, op.requests) for op in coverage.called] == [
            ("0.9.0", "list_voices", 1),
            ("0.9.6", "list_voices", 2),
        ]
        sandbox = mockvoice.connect(new.url).coverage()
        assert {op.edition for op in sandbox.operations} == {"0.9.6"}
        # Operations that were never called count in the edition that the sandbox selects.
        everything = mockvoice.connect(new.url).supertone.coverage(all=True)
        assert {op.edition for op in everything.operations} == {"0.9.6"}


def test_delete_begins_coverage_anew(serve: Serve) -> None:
    server = serve()
    with Box(server, "one") as one, Box(server, "two") as two:
        one.http.get(LIST, headers=BEARER)
        two.http.get(LIST)
        assert two.control.delete("/coverage").status_code == 204
        mock = mockvoice.connect(server.url)
        assert two.control.get("/coverage").json()["operations"] == []
        assert (totals(one)[1], mock.coverage().seen) == (1, 2)
        mock.request("DELETE", "/coverage")
        assert mock.coverage().percent == 0
        assert totals(one) == (0, 0, 0, 0)


def test_unknown_paths_do_not_count(box: Box) -> None:
    box.http.get("/retell/nowhere")
    box.http.put(LIST)
    box.http.get("/nowhere")
    assert box.control.get("/coverage").json()["operations"] == []

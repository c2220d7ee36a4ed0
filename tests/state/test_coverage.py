"""The coverage counters of a store, which outlive the journal."""

from __future__ import annotations

from dataclasses import replace

import pytest

from mockvoice.config.settings import Settings
from mockvoice.state.journal import CoverageCount
from mockvoice.state.memory import MemoryStore
from mockvoice.state.store import PARTS, Commit, SandboxSettings, Store

from .requests import begin, make_entry, make_store, run

CREATED = CoverageCount("acme", "", "clone", 201, (), 1)


def counted(store: Store, sandbox: str | None = None) -> list[CoverageCount]:
    return [*run(store.count_coverage(sandbox))]


def test_requests_are_counted_by_status_and_kinds_of_faults() -> None:
    store = make_store()
    for _ in range(2):
        begin(store).commit(status=201)
    begin(store).commit(status=502, kind="status")
    begin(store).commit(status=502, kind="delay, delay, status")
    begin(store).commit(status=None, kind="reset")
    assert counted(store) == [
        CREATED._replace(total=2),
        CoverageCount("acme", "", "clone", 502, ("status",), 1),
        CoverageCount("acme", "", "clone", 502, ("delay", "status"), 1),
        CoverageCount("acme", "", "clone", None, ("reset",), 1),
    ]


def test_editions_of_a_contract_are_counted_apart() -> None:
    store = make_store()
    for edition in ("2026-03-20", "2026-07-16", "2026-07-16"):
        begin(store).commit(status=201, edition=edition)
    assert counted(store) == [
        CREATED._replace(edition="2026-03-20"),
        CREATED._replace(edition="2026-07-16", total=2),
    ]


def test_slow_response_is_counted_once() -> None:
    store = make_store()
    slow = begin(store)
    slow.commit(finished=False, status=200, kind="drip")
    slow.finish(status=200, kind="drip")
    assert counted(store) == [CoverageCount("acme", "", "clone", 200, ("drip",), 1)]


def test_internal_errors_and_unknown_operations_are_not_counted() -> None:
    store = make_store()
    begin(store).commit(status=500, internal_error="a bug")
    begin(store, operation="").commit(status=404)
    assert counted(store) == []


def test_counts_survive_reset_and_eviction_from_the_journal() -> None:
    store = make_store(max_requests=1)
    unfinished = begin(store, sandbox="a")
    begin(store, sandbox="a").commit(status=201)
    run(store.reset("a", PARTS, SandboxSettings()))
    run(store.clear_entries("a"))
    unfinished.commit(status=201)
    assert counted(store, "a") == counted(store) == [CREATED._replace(total=2)]


def test_sandboxes_are_counted_apart_and_together() -> None:
    store = make_store()
    begin(store, sandbox="a").commit(status=201)
    begin(store, sandbox="b").commit(status=201)
    begin(store).commit(status=201)
    assert counted(store, "a") == counted(store, "b") == counted(store, "") == [CREATED]
    assert counted(store) == [CREATED._replace(total=3)]


def test_evicted_sandbox_stays_counted_in_the_whole() -> None:
    store = make_store(max_sandboxes=1)
    unfinished = begin(store, sandbox="a")
    begin(store, sandbox="a").commit(status=201)
    begin(store, sandbox="b").commit(status=201)
    unfinished.commit(status=201)
    assert counted(store) == [CREATED._replace(total=3)]
    assert counted(store, "a") == []


@pytest.mark.parametrize(("cleared", "left"), [("a", [CREATED]), (None, [])])
def test_clear_coverage_of_one_or_all_sandboxes(
    cleared: str | None, left: list[CoverageCount]
) -> None:
    store = make_store()
    begin(store, sandbox="a").commit(status=201)
    begin(store, sandbox="b").commit(status=201)
    run(store.clear_coverage(cleared))
    assert counted(store, "a") == []
    assert counted(store, "b") == left
    assert bool(counted(store)) == bool(left)


def test_number_of_counters_is_bounded() -> None:
    store = MemoryStore(Settings())
    request = begin(store)
    commit = Commit("", request.begun.epochs, "acme", "clone", "K", make_entry(1))

    async def commit_all() -> None:
        for status in [*range(10_010), 0]:
            await store.commit(replace(commit, entry=make_entry(1, status=status)))

    run(commit_all())
    counts = counted(store)
    assert len(counts) == 10_000
    assert counts[0].total == 2

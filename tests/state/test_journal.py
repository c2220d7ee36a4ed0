"""The journal of a store: limits, internal errors, and replacement of entries."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mockvoice.config.settings import BYTES_PER_MB
from mockvoice.state.journal import Journal, JournalEntry
from mockvoice.state.store import Store

from .requests import begin, make_entry, make_store, run


def entries(store: Store, sandbox: str = "") -> list[JournalEntry]:
    return [*run(store.list_entries(sandbox))[0]]


def numbers(store: Store) -> list[int]:
    return [entry.number for entry in entries(store)]


def test_entries_over_capacity_are_evicted_oldest_first_and_counted() -> None:
    store = make_store(max_requests=3)
    for _ in range(5):
        begin(store).commit()
    listed, evicted = run(store.list_entries(""))
    assert [entry.number for entry in listed] == [3, 4, 5]
    assert evicted == 2
    assert run(store.get_entry("", 2)) is None
    assert run(store.get_entry("", 3)) == listed[0]


def test_capacity_of_zero_keeps_no_entry() -> None:
    store = make_store(max_requests=0)
    begin(store).commit()
    assert run(store.list_entries("")) == ([], 1)


def test_entries_are_listed_in_the_order_in_which_requests_began() -> None:
    store = make_store()
    first, second = begin(store), begin(store)
    second.commit()
    assert numbers(store) == [2]
    first.commit()
    assert numbers(store) == [1, 2]
    assert [entry.id for entry in entries(store)] == ["request_1", "request_2"]


def test_entries_over_the_size_limit_are_evicted() -> None:
    store = make_store(journal_mb=1)
    for _ in range(4):
        begin(store).commit(response=bytes(BYTES_PER_MB // 3))
    assert numbers(store) == [3, 4]


def test_entry_larger_than_the_size_limit_is_kept_alone() -> None:
    store = make_store(journal_mb=1)
    begin(store).commit()
    begin(store).commit(response=bytes(2 * BYTES_PER_MB))
    assert numbers(store) == [2]
    begin(store).commit()
    assert numbers(store) == [3]


def test_weight_of_an_entry_excludes_its_files() -> None:
    small = make_entry(1)
    assert make_entry(1, size=1000, file_size=1000).weight == small.weight
    assert make_entry(1, fields={"x": "y" * 1000}).weight > small.weight + 1000
    assert make_entry(1, response=b"12345").weight == small.weight + 5


def test_finish_replaces_the_entry_in_place() -> None:
    store = make_store()
    slow = begin(store)
    slow.commit(finished=False, status=200)
    begin(store).commit(status=201)
    slow.finish(status=200, milliseconds=500.0)
    assert [(entry.number, entry.milliseconds) for entry in entries(store)] == [
        (1, 500.0),
        (2, None),
    ]


def test_counts_follow_the_status_of_a_finished_request() -> None:
    store = make_store()
    slow = begin(store)
    slow.commit(finished=False, status=200)
    assert [(count.status, count.total) for count in run(store.count_entries(""))[0]] == [(200, 1)]
    slow.finish(status=None)
    assert [(count.status, count.total) for count in run(store.count_entries(""))[0]] == [(None, 1)]
    for sandbox in ("", None):
        counts = run(store.count_coverage(sandbox))
        assert [(count.status, count.total) for count in counts] == [(None, 1)]


def test_finish_does_not_restore_an_evicted_or_deleted_entry() -> None:
    store = make_store(max_requests=1)
    slow = begin(store)
    slow.commit(finished=False)
    begin(store).commit()
    slow.finish()
    assert numbers(store) == [2]
    deleted = begin(store)
    deleted.commit(finished=False)
    run(store.clear_entries(""))
    deleted.finish()
    assert numbers(store) == []


def test_internal_errors_outlast_eviction() -> None:
    store = make_store(max_requests=2)
    begin(store).commit(internal_error="first")
    for _ in range(3):
        begin(store).commit()
    begin(store).commit(internal_error="second")
    assert numbers(store) == [4, 5]
    errors = run(store.list_internal_errors(""))
    assert [entry.internal_error for entry in errors] == ["first", "second"]


def test_internal_error_of_a_response_in_progress_outlasts_eviction() -> None:
    store = make_store(max_requests=1)
    slow = begin(store)
    slow.commit(finished=False)
    begin(store).commit()
    slow.finish(internal_error="broken stream")
    errors = run(store.list_internal_errors(""))
    assert [entry.internal_error for entry in errors] == ["broken stream"]
    assert numbers(store) == [2]


def test_finished_entry_replaces_its_internal_error() -> None:
    store = make_store()
    begin(store).commit(internal_error="other")
    slow = begin(store)
    slow.commit(finished=False, internal_error="first")
    slow.finish(internal_error="second")
    errors = run(store.list_internal_errors(""))
    assert [entry.internal_error for entry in errors] == ["other", "second"]


def test_internal_errors_are_limited_to_the_newest_100() -> None:
    store = make_store(max_requests=1)
    for number in range(105):
        begin(store).commit(internal_error=str(number))
    errors = run(store.list_internal_errors(""))
    assert [entry.internal_error for entry in errors] == [str(number) for number in range(5, 105)]


def test_cleared_journal_continues_its_numbers() -> None:
    store = make_store(max_requests=1)
    for _ in range(2):
        begin(store).commit(internal_error="error")
    run(store.clear_entries(""))
    assert run(store.list_entries("")) == ([], 0)
    assert run(store.list_internal_errors("")) == []
    begin(store).commit()
    assert numbers(store) == [3]


def test_sandboxes_have_journals_of_their_own() -> None:
    store = make_store()
    begin(store, sandbox="one").commit()
    assert [entry.number for entry in entries(store, "one")] == [1]
    assert entries(store) == []


@given(st.lists(st.tuples(st.integers(1, 8), st.integers(0, 5000)), max_size=30))
def test_journal_stays_within_its_capacity(puts: list[tuple[int, int]]) -> None:
    journal = Journal(5)
    dropped = 0
    for number, size in puts:
        removed = journal.put(make_entry(number, response=bytes(size)))
        dropped += sum(entry.number != number for entry in removed)  # the rest is replaced
        assert len(journal) <= 5
        assert journal.bytes == sum(entry.weight for entry in journal)
        assert journal.evicted == dropped
        listed = [entry.number for entry in journal]
        assert listed == sorted({*listed})


@pytest.mark.memory  # elsewhere each sandbox has a limit of its own
@given(
    st.lists(st.tuples(st.sampled_from("abc"), st.integers(0, 400_000)), min_size=1, max_size=20)
)
def test_journals_of_all_sandboxes_stay_within_one_limit(puts: list[tuple[str, int]]) -> None:
    store = make_store(journal_mb=1)
    for sandbox, size in puts:
        begin(store, sandbox=sandbox).commit(response=bytes(size))
        held = {name: sum(entry.weight for entry in entries(store, name)) for name in "abc"}
        assert sum(held.values()) <= BYTES_PER_MB
        assert entries(store, sandbox)[-1].response == bytes(size)
    assert sum(count.total for name in "abc" for count in run(store.count_entries(name))[0]) == len(
        puts
    )

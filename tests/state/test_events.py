"""Waiting for journal entries in the store."""

from __future__ import annotations

import asyncio

from mockvoice.state.journal import JournalEvents
from mockvoice.state.store import PARTS, SandboxSettings, Store

from .requests import begin, make_store, run

MINUTE = 60.0


def newest(store: Store, sandbox: str | None = "") -> int:
    return run(store.wait_for_entries(sandbox, None, 0)).last


def after(store: Store, number: int, sandbox: str | None = "") -> JournalEvents:
    return run(store.wait_for_entries(sandbox, number, 0))


def numbers(events: JournalEvents) -> list[int]:
    """Return the numbers of the journal entries."""
    return [event.entry.number for event in events.events if event.entry]


def cleared(events: JournalEvents) -> list[str]:
    """Return the sandboxes whose journals were deleted."""
    return [event.sandbox for event in events.events if event.entry is None]


def test_wait_ends_with_the_next_entry() -> None:
    store = make_store()
    request = begin(store, sandbox="box")

    async def wait_and_commit(sandbox: str | None, last: int) -> JournalEvents:
        waiting = asyncio.ensure_future(store.wait_for_entries(sandbox, last, MINUTE))
        await asyncio.sleep(0)
        await asyncio.to_thread(request.commit, status=200)  # in another event loop
        return await waiting

    for sandbox in ("box", None):
        (event,) = run(wait_and_commit(sandbox, newest(store, sandbox))).events
        assert event.entry
        assert (event.sandbox, event.entry.number, event.entry.status) == ("box", 1, 200)


def test_wait_ends_without_entry_after_the_time() -> None:
    store = make_store()
    before = newest(store)
    assert run(store.wait_for_entries("", before, 0.01)) == JournalEvents(before, [])


def test_entry_is_returned_when_its_request_has_finished() -> None:
    store = make_store()
    before = newest(store)
    slow, fast = begin(store), begin(store)
    slow.commit(finished=False)
    assert after(store, before) == JournalEvents(before, [])
    fast.commit()
    assert numbers(after(store, before)) == [2]
    slow.finish(milliseconds=5.0)
    assert numbers(after(store, before)) == [2, 1]


def test_entry_of_a_request_that_failed_later_is_returned_again() -> None:
    store = make_store()
    request = begin(store)
    request.commit()
    first = newest(store)
    request.finish(internal_error="x")
    (event,) = after(store, first).events
    assert event.entry
    assert event.entry.internal_error == "x"


def test_large_entries_are_returned_in_several_parts() -> None:
    store = make_store()
    before = newest(store)
    for _ in range(5):
        begin(store).commit(fields={"text": "x" * 400_000})
    position, parts = before, []
    while part := numbers(events := after(store, position)):
        assert events.missed == 0
        parts.append(part)
        position = events.last
    assert parts == [[1, 2], [3, 4], [5]]


def test_evicted_and_deleted_entries_are_missed() -> None:
    store = make_store(max_requests=2)
    before = {sandbox: newest(store, sandbox) for sandbox in ("", None)}
    for _ in range(3):
        begin(store).commit()
    for sandbox, number in before.items():
        events = after(store, number, sandbox)
        assert (numbers(events), events.missed) == ([2, 3], 1)
    run(store.reset("", PARTS, SandboxSettings()))
    for sandbox, number in before.items():
        assert after(store, number, sandbox).missed == 3


def test_waiting_does_not_create_a_sandbox() -> None:
    store = make_store()
    before = newest(store, "box")
    begin(store, sandbox="other").commit()
    assert after(store, before, "box") == JournalEvents(before, [])
    assert run(store.list_sandboxes()) == ["", "other"]
    begin(store, sandbox="box").commit()
    assert numbers(after(store, before, "box")) == [1]


def test_numbers_of_an_evicted_sandbox_are_not_used_again() -> None:
    store = make_store(max_sandboxes=1)
    for _ in range(3):
        begin(store, sandbox="box").commit()
    last = newest(store, "box")
    begin(store, sandbox="other").commit()
    begin(store, sandbox="box").commit()
    events = after(store, last, "box")
    assert (numbers(events), cleared(events), events.missed) == ([1], ["box"], 0)


def test_deletion_of_a_journal_is_an_event() -> None:
    store = make_store(max_sandboxes=1)
    before = {sandbox: newest(store, sandbox) for sandbox in ("", None)}
    for _ in range(2):
        begin(store).commit()
        run(store.clear_entries(""))
    begin(store).commit()
    for sandbox, number in before.items():
        events = after(store, number, sandbox)
        assert (numbers(events), cleared(events), events.missed) == ([3], ["", ""], 2)
        assert after(store, events.last, sandbox) == JournalEvents(events.last, [])
    last = newest(store, None)
    for name in ("evicted", "deleted"):
        begin(store, sandbox=name).commit()
    assert run(store.delete_sandbox("deleted"))
    assert cleared(after(store, last, None)) == ["evicted", "deleted"]


def test_number_of_an_earlier_store_stands_for_the_deletion_of_all_journals() -> None:
    store = make_store()
    begin(store).commit()
    for sandbox, name in (("", ""), (None, "*")):
        events = after(store, 1, sandbox)
        assert (numbers(events), cleared(events), events.missed) == ([1], [name], 0)
        assert cleared(after(store, 0, sandbox)) == []
        assert numbers(after(store, events.events[0].number, sandbox)) == [1]

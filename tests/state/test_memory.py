"""Stores: commits, conflicts, resets, sandboxes and fault rules."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mockvoice.state.ids import draw
from mockvoice.state.store import (
    PARTS,
    AddUsage,
    AtMost,
    Change,
    Commit,
    CommitConflict,
    PutRecord,
    RemoveRecord,
    SandboxSettings,
    Spend,
    Store,
)
from mockvoice.state.uploads import Upload

from .requests import begin, ids_of, make_record, make_store, records_of, run

START = 1_704_067_200.0


def change_account(store: Store, **state: Any) -> None:
    run(store.change_account("", "acme", "K", {}, state))


def credit(store: Store) -> float | None:
    return run(store.get_account("", "acme", "K", {})).credit


def reset(store: Store, *parts: str, sandbox: str = "", **settings: Any) -> None:
    run(store.reset(sandbox, parts or PARTS, SandboxSettings(**settings)))


def upload_bytes(store: Store, files: list[Upload], sandbox: str = "") -> int:
    ids = [file.id for file in files]
    return sum(len(upload.data) for upload in run(store.get_uploads(sandbox, ids)))


def requests_of(store: Store, sandbox: str = "") -> list[int]:
    return [entry.number for entry in run(store.list_entries(sandbox))[0]]


# --- commit --------------------------------------------------------------------------------------


def test_commit_applies_all_changes() -> None:
    store = make_store()
    change_account(store, credit=5.0)
    (old,) = run(store.put_records("", [make_record("old")]))
    request = begin(store)
    upload = request.upload(b"RIFF")
    changes: list[Change] = [
        PutRecord(make_record("new", uploads=(upload.id,))),
        RemoveRecord(old),
        Spend(2.0),
        AddUsage({"text": "x"}),
        AtMost("voices", "", 1),
    ]
    assert request.commit(*changes, uploads=[upload], retry_at=START, status=201) is None
    assert ids_of(store) == ["new"]
    assert credit(store) == 3.0
    assert run(store.get_usage("", "acme", "K")) == [{"text": "x"}]
    assert [entry.status for entry in run(store.list_entries(""))[0]] == [201]
    assert [stored.data for stored in run(store.get_uploads("", [upload.id]))] == [b"RIFF"]
    assert begin(store).begun.retry_at == START


@pytest.mark.parametrize(
    "unmet",
    [
        Spend(6.0),
        AtMost("voices", "ol", 0),
        PutRecord(make_record("old", number=1, revision=1), revision=1),
        PutRecord(make_record("unknown"), revision=0),
    ],
)
def test_unmet_precondition_applies_nothing(unmet: Change) -> None:
    store = make_store()
    change_account(store, credit=5.0)
    (old,) = run(store.put_records("", [make_record("old")]))
    request = begin(store)
    upload = request.upload(b"RIFF")
    added = PutRecord(make_record("new", uploads=(upload.id,)))
    usage = AddUsage({"text": "x"})
    changes: list[Change] = [added, Spend(2.0), usage, unmet, RemoveRecord(old)]
    conflict = request.commit(*changes, uploads=[upload], retry_at=START)
    assert isinstance(conflict, CommitConflict)
    assert conflict.account.credit == 5.0
    assert records_of(store) == [old]
    assert credit(store) == 5.0
    assert run(store.get_usage("", "acme", "K")) == []
    assert requests_of(store) == []
    assert run(store.get_uploads("", [upload.id])) == []
    assert request.commit() is None  # the request runs again, and now changes nothing
    assert begin(store).begun.retry_at is None
    assert requests_of(store) == [1]


def test_update_of_a_changed_record_conflicts() -> None:
    store = make_store()
    (record,) = run(store.put_records("", [make_record("a")]))
    update = PutRecord(record._replace(data={"name": "n"}), record.revision)
    assert begin(store).commit(update) is None
    assert isinstance(begin(store).commit(update), CommitConflict)
    (changed,) = records_of(store)
    assert begin(store).commit(PutRecord(changed, changed.revision)) is None


def test_update_of_a_replaced_record_with_the_same_revision_conflicts() -> None:
    store = make_store()
    (record,) = run(store.put_records("", [make_record("a")]))
    run(store.put_records("", [make_record("a")]))
    assert isinstance(begin(store).commit(PutRecord(record, record.revision)), CommitConflict)


def test_first_update_of_a_base_record_conflicts_with_a_parallel_one() -> None:
    store = make_store()
    preset = make_record("preset", base=True)
    first, second = begin(store), begin(store)
    assert first.commit(PutRecord(preset, preset.revision)) is None
    assert isinstance(second.commit(PutRecord(preset, preset.revision)), CommitConflict)


def test_update_of_a_removed_base_record_conflicts() -> None:
    store = make_store()
    preset = make_record("preset", base=True)
    assert begin(store).commit(RemoveRecord(preset)) is None
    assert isinstance(begin(store).commit(PutRecord(preset, preset.revision)), CommitConflict)


def test_at_most_counts_visible_records_with_the_prefix() -> None:
    store = make_store()
    ids = [("a:1", "K"), ("a:2", "*"), ("a:3", "other"), ("b:1", "K")]
    run(store.put_records("", [make_record(id, account) for id, account in ids]))
    begin(store).commit(RemoveRecord(make_record("a:4", base=True)))
    assert isinstance(begin(store).commit(AtMost("voices", "a:", 1)), CommitConflict)
    assert begin(store).commit(AtMost("voices", "a:", 2)) is None
    assert begin(store).commit(AtMost("designs", "a:", 0)) is None


def test_conflict_without_an_account_has_an_empty_one() -> None:
    conflict = begin(make_store(), "").commit(AtMost("voices", "", -1))
    assert isinstance(conflict, CommitConflict)
    assert (conflict.account.provider, conflict.account.key) == ("acme", "")


# --- reset ---------------------------------------------------------------------------------------


def test_commit_from_before_a_reset_changes_nothing() -> None:
    store = make_store()
    change_account(store, credit=5.0)
    request = begin(store)
    upload = request.upload(b"RIFF")
    reset(store)
    change_account(store, credit=5.0)
    added = PutRecord(make_record("a", uploads=(upload.id,)))
    changes: list[Change] = [added, Spend(2.0), AddUsage({"text": "x"})]
    assert request.commit(*changes, uploads=[upload], retry_at=START, finished=False) is None
    request.finish(uploads=[upload], internal_error="error")
    assert records_of(store) == []
    assert credit(store) == 5.0
    assert run(store.get_account("", "acme", "K", {})).concurrency == 0
    assert run(store.get_usage("", "acme", "K")) == []
    assert requests_of(store) == []
    assert run(store.list_internal_errors("")) == []
    assert run(store.get_uploads("", [upload.id])) == []
    assert begin(store).begun.retry_at is None


def test_precondition_of_a_request_from_before_a_reset_is_not_checked() -> None:
    store = make_store()
    (record,) = run(store.put_records("", [make_record("a")]))
    request = begin(store)
    reset(store)
    assert request.commit(PutRecord(record, record.revision)) is None
    assert records_of(store) == []


def test_reset_of_records_keeps_the_journal_entry_of_a_request_in_progress() -> None:
    store = make_store()
    run(store.put_records("", [make_record("old")]))
    request = begin(store)
    reset(store, "voices")
    assert request.commit(PutRecord(make_record("a"))) is None
    assert records_of(store) == []
    assert requests_of(store) == [1]


def test_clearing_records_ignores_records_of_requests_in_progress() -> None:
    store = make_store()
    request = begin(store)
    run(store.clear_records(""))
    assert request.commit(PutRecord(make_record("a"))) is None
    assert records_of(store) == []
    assert requests_of(store) == [1]


def test_reset_of_requests_keeps_the_record_of_a_request_in_progress() -> None:
    store = make_store()
    begin(store).commit(internal_error="error")
    request = begin(store)
    upload = request.upload(b"RIFF")
    reset(store, "requests")
    assert run(store.list_internal_errors("")) == []
    added = PutRecord(make_record("a", uploads=(upload.id,)))
    assert request.commit(added, uploads=[upload]) is None
    assert ids_of(store) == ["a"]
    assert requests_of(store) == []
    assert [stored.data for stored in run(store.get_uploads("", [upload.id]))] == [b"RIFF"]
    assert begin(store).begun.number == 1


def test_reset_of_accounts_ignores_credit_spent_by_requests_in_progress() -> None:
    store = make_store()
    change_account(store, credit=5.0)
    request = begin(store)
    reset(store, "accounts")
    assert credit(store) is None
    change_account(store, credit=1.0)
    assert request.commit(PutRecord(make_record("a")), Spend(3.0)) is None
    assert credit(store) == 1.0
    assert ids_of(store) == ["a"]


def test_reset_of_faults_restores_configured_rules() -> None:
    store = make_store(faults=[{"status": 500}])
    (configured,) = run(store.list_rules(""))[1]
    run(store.add_rule("", {"status": 502}))
    assert begin(store).take_faults("fault_1")
    reset(store, "faults")
    assert [(rule.id, rule.hits) for rule in run(store.list_rules(""))[1]] == [("fault_1", 0)]
    assert configured.configured
    assert not run(store.add_rule("", {"status": 502})).configured


def test_reset_of_the_clock_shows_real_time() -> None:
    store = make_store()
    run(store.set_clock("", at=START, frozen=True, advance=0.0))
    reset(store, "voices")
    assert begin(store).begun.started_at == START
    reset(store, "clock")
    assert not run(store.get_clock("")).frozen


def test_reset_of_ids_restarts_the_counts() -> None:
    store = make_store()
    assert [begin(store).begun.ordinal for _ in range(2)] == [1, 2]
    assert begin(store, operation="other").begun.ordinal == 1
    assert [run(store.next_count("", "voice")) for _ in range(2)] == [1, 2]
    reset(store, *(part for part in PARTS if part != "ids"))
    assert begin(store).begun.ordinal == 3
    reset(store, "ids")
    assert begin(store).begun.ordinal == 1
    assert run(store.next_count("", "voice")) == 1


def test_reset_changes_settings_of_one_sandbox() -> None:
    store = make_store(seed=3)
    reset(store, "ids", seed=7, audio="any", limits="documented")
    begun = begin(store).begun
    assert (begun.seed, begun.audio) == ("7/", "any")
    reset(store)
    assert (begin(store).begun.seed, begin(store).begun.audio) == ("7/", "any")
    assert begin(store, sandbox="other").begun.seed == "3/other"
    assert begin(store, sandbox="other").begun.audio == "strict"


EPOCHS = {"faults": (), "requests": (0,), "voices": (1,), "accounts": (2,), "clock": (), "ids": ()}


@given(st.sets(st.sampled_from(PARTS)))
def test_reset_starts_new_epochs_of_its_parts_only(parts: set[str]) -> None:
    store = make_store()
    before = begin(store).begun.epochs
    run(store.reset("", [*parts], SandboxSettings()))
    after = begin(store).begun.epochs
    changed = {i for i in range(3) if before[i] != after[i]}
    assert changed == {i for part in parts for i in EPOCHS[part]}


def test_epochs_are_never_reused() -> None:
    store = make_store(max_sandboxes=1)
    seen: set[int] = set()
    for number in range(5):
        sandbox = str(number % 2)  # evicts the other one
        for _ in range(2):
            epochs = {*begin(store, sandbox=sandbox).begun.epochs}
            assert not epochs & seen
            seen |= epochs
            reset(store, sandbox=sandbox)


# --- sandboxes -----------------------------------------------------------------------------------


def test_sandboxes_over_capacity_are_evicted_oldest_first_but_never_the_default() -> None:
    store = make_store(max_sandboxes=2)
    for name in ("one", "two", "three"):
        begin(store, sandbox=name).commit(PutRecord(make_record(name)))
    assert run(store.list_sandboxes()) == ["", "two", "three"]
    assert ids_of(store, "three") == ["three"]
    assert ids_of(store, "one") == []
    assert run(store.list_sandboxes()) == ["", "three", "one"]


def test_sandboxes_of_a_store_at_its_capacity_stay() -> None:
    store = make_store(max_sandboxes=3)
    for name in ("one", "two", "three", "one"):
        begin(store, sandbox=name).commit()
    assert run(store.list_sandboxes()) == ["", "one", "two", "three"]


def test_evicted_sandbox_releases_its_uploads() -> None:
    store = make_store(max_sandboxes=1)
    requests = [begin(store, sandbox="one") for _ in range(2)]
    files = [request.upload(b"RIFF") for request in requests]
    requests[0].commit(uploads=[files[0]])
    requests[1].commit(PutRecord(make_record("a", uploads=(files[1].id,))), uploads=[files[1]])
    assert upload_bytes(store, files, "one") == 8
    begin(store, sandbox="two")
    assert upload_bytes(store, files, "one") == 0


@pytest.mark.parametrize(
    ("parts", "left"), [(["requests", "voices"], [4, 0]), (["voices", "requests"], [8, 0])]
)
def test_reset_releases_uploads_that_neither_entries_nor_records_use(
    parts: list[str], left: list[int]
) -> None:
    store = make_store()
    requests = [begin(store) for _ in range(2)]
    files = [request.upload(b"RIFF") for request in requests]
    requests[0].commit(uploads=[files[0]])
    requests[1].commit(PutRecord(make_record("a", uploads=(files[1].id,))), uploads=[files[1]])
    for part, expected in zip(parts, left, strict=True):
        reset(store, part)
        assert upload_bytes(store, files) == expected


def test_requests_of_an_evicted_sandbox_end_without_restoring_it() -> None:
    store = make_store(max_sandboxes=1)
    first, second = begin(store, sandbox="one"), begin(store, sandbox="one")
    second.commit(finished=False)
    begin(store, sandbox="two")
    assert first.commit(PutRecord(make_record("a"))) is None
    second.finish()
    assert run(store.list_sandboxes()) == ["", "two"]


def test_sandboxes_have_different_seeds() -> None:
    store = make_store(seed=3)
    assert run(store.get_sandbox(""))[0] == "3/"
    assert begin(store, sandbox="one").begun.seed == "3/one"


# --- fault rules ---------------------------------------------------------------------------------


def test_version_of_rules_changes_with_every_change_and_is_0_without_rules() -> None:
    store = make_store()
    versions = [begin(store).begun.rules_version]
    actions: list[Callable[[], Any]] = [
        lambda: run(store.add_rule("", {"status": 500})),
        lambda: run(store.add_rule("", {"status": 501})),
        lambda: run(store.remove_rule("", "fault_1")),
        lambda: run(store.clear_rules("")),
        lambda: run(store.add_rule("", {"status": 502})),
    ]
    for action in actions:
        action()
        versions.append(begin(store).begun.rules_version)
        assert run(store.list_rules(""))[0] == versions[-1]
    assert versions[0] == versions[4] == 0
    assert len({*versions}) == 5


def test_unknown_rule_is_not_removed() -> None:
    store = make_store()
    run(store.add_rule("", {"status": 500}))
    assert [run(store.remove_rule("", "fault_1")) for _ in range(2)] == [True, False]


def test_rules_over_capacity_are_evicted_oldest_first() -> None:
    store = make_store(max_faults=2)
    for status in (500, 501, 502):
        run(store.add_rule("", {"status": status}))
    assert [rule.id for rule in run(store.list_rules(""))[1]] == ["fault_2", "fault_3"]
    assert begin(store).take_faults("fault_1") == []


def fired(store: Store, rule: dict[str, Any], requests: int) -> list[int | None]:
    """Return the step of a rule that fires for each of some requests."""
    id = run(store.add_rule("", rule)).id
    taken = [begin(store).take_faults(id) for _ in range(requests)]
    return [faults[0].step if faults else None for faults in taken]


@pytest.mark.parametrize(
    ("rule", "expected"),
    [
        ({}, [0, 0, 0, 0]),
        ({"times": 2}, [0, 0, None, None]),
        ({"skip": 2}, [None, None, 0, 0]),
        ({"every": 2}, [0, None, 0, None]),
        ({"skip": 1, "every": 2, "times": 1}, [None, 0, None, None]),
        ({"sequence": [{"status": 500}, "ok", {"status": 502}]}, [0, None, 2, None]),
        ({"probability": 0.0}, [None, None, None, None]),
        ({"probability": 1.0}, [0, 0, 0, 0]),
    ],
)
def test_rule_fires_for_the_requests_that_it_selects(
    rule: dict[str, Any], expected: list[int | None]
) -> None:
    store = make_store()
    assert fired(store, rule, 4) == expected
    (counted,) = run(store.list_rules(""))[1]
    assert counted.hits == sum(step is not None for step in expected)


def test_probability_is_drawn_from_seed_rule_and_match() -> None:
    store = make_store(seed=5)
    expected = [0 if draw("5/", "fault_1", matched) < 0.5 else None for matched in range(1, 51)]
    assert fired(store, {"probability": 0.5}, 50) == expected
    assert 10 < expected.count(0) < 40


def test_first_rule_that_fires_ends_the_search_unless_it_continues() -> None:
    store = make_store()
    rules: list[dict[str, Any]] = [
        {"status": 500, "skip": 1},
        {"kind": "delay"},
        {"sequence": ["ok", {"status": 501}]},
        {"status": 502, "times": 1},
        {"status": 503},
    ]
    ids = [run(store.add_rule("", rule)).id for rule in rules]
    taken = [[fault.id for fault in begin(store).take_faults(*ids)] for _ in range(2)]
    assert taken == [["fault_2", "fault_4"], ["fault_1"]]
    counts = [(rule.matched, rule.hits) for rule in run(store.list_rules(""))[1]]
    assert counts == [(2, 1), (1, 1), (1, 0), (1, 1), (0, 0)]


def test_no_fault_is_taken_from_rules_that_have_changed() -> None:
    store = make_store(faults=[{"status": 500}])
    request = begin(store)
    for change in (
        store.add_rule("", {"status": 502}),
        store.remove_rule("", "fault_2"),
        store.reset("", ["faults"], SandboxSettings()),
        store.clear_rules(""),
        store.add_rule("", {"status": 503}),
    ):
        version, _ = run(store.list_rules(""))
        run(change)
        taken = run(store.take_faults(request.begin, request.begun, version, ["fault_1"]))
        assert taken is None
    assert [rule.hits for rule in run(store.list_rules(""))[1]] == [0]


def test_taken_faults_have_the_number_of_their_match() -> None:
    store = make_store()
    id = run(store.add_rule("", {"every": 2})).id
    taken = [fault for _ in range(4) for fault in begin(store).take_faults(id)]
    assert [(fault.id, fault.step, fault.matched) for fault in taken] == [(id, 0, 1), (id, 0, 3)]


def test_expired_rule_neither_fires_nor_counts() -> None:
    store = make_store()
    run(store.set_clock("", at=START, frozen=True, advance=0.0))
    id = run(store.add_rule("", {"expires_in": 5})).id
    assert begin(store).take_faults(id)
    run(store.set_clock("", at=None, frozen=None, advance=5.0))
    assert begin(store).take_faults(id) == []
    (rule,) = run(store.list_rules(""))[1]
    assert (rule.matched, rule.hits) == (1, 1)


@pytest.mark.parametrize(
    ("rule", "requests", "waiting"),
    [
        ({}, 0, True),
        ({}, 1, False),
        ({"skip": 1}, 1, True),
        ({"probability": 0.0}, 0, True),
        ({"probability": 0.0}, 1, False),
        ({"sequence": ["ok", {}]}, 1, True),
        ({"sequence": [{}, "ok"]}, 2, False),
    ],
)
def test_rule_is_waiting_until_it_fired_or_its_sequence_ended(
    rule: dict[str, Any], requests: int, *, waiting: bool
) -> None:
    store = make_store()
    fired(store, rule, requests)
    (counted,) = run(store.list_rules(""))[1]
    assert counted.is_waiting == waiting


def test_configured_rule_is_never_waiting() -> None:
    (rule,) = run(make_store(faults=[{"status": 500}]).list_rules(""))[1]
    assert not rule.is_waiting


def test_counts_of_faults_in_headers_are_bounded() -> None:
    """The oldest of 1,001 different faults is forgotten, and counts from the start again."""
    request = begin(make_store())

    def matched(seconds: int) -> int:
        fault = {"kind": "delay", "seconds": seconds}
        (taken,) = request.take_faults(header=fault)
        return taken.matched

    assert [matched(0), matched(0)] == [1, 2]
    assert {matched(seconds) for seconds in range(1, 1001)} == {1}
    assert [matched(1000), matched(0)] == [2, 1]


# --- the interface -------------------------------------------------------------------------------


def test_store_implements_the_whole_interface() -> None:
    store: Any = make_store()
    methods = [name for name in vars(Store) if not name.startswith("_")]
    assert len(methods) > 20
    assert all(callable(getattr(store.behind, name, None)) for name in methods)


def test_finish_of_a_finished_request_keeps_concurrency() -> None:
    store = make_store()
    request, _ = begin(store), begin(store)
    request.commit()
    commit = Commit("", request.begun.epochs, "acme", "clone", "K", run(store.get_entry("", 1)))  # type: ignore[arg-type]
    run(store.finish(commit, commit.entry))
    assert run(store.get_account("", "acme", "K", {})).concurrency == 1

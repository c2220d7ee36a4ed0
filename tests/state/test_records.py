"""Records in a store: capacity, replacement, updates in place, and removed base records."""

from __future__ import annotations

from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from mockvoice.state.records import EVERY_ACCOUNT, Condition, Query, Record, RecordPage, key_of
from mockvoice.state.store import PutRecord, RemoveRecord, Store

from .requests import begin, ids_of, make_record, make_store, records_of, run


def put(store: Store, *records: Record) -> list[Record]:
    return [*run(store.put_records("", records))]


def find(store: Store, id: str, account: str = "K") -> Record | None:
    return run(store.get_record("", "acme", "voices", account, id))


def listed(store: Store, account: str = "K") -> list[str]:
    return [record.id for record in query(store, account).records]


def query(store: Store, account: str = "K", **members: Any) -> RecordPage:
    return run(store.find_records("", "acme", "voices", account, Query(**members)))


def test_records_over_capacity_are_evicted_oldest_first_and_counted() -> None:
    store = make_store(max_voices=3)
    put(store, *(make_record(str(number)) for number in range(5)))
    records, evicted = run(store.all_records(""))
    assert [record.id for record in records] == ["2", "3", "4"]
    assert evicted == 2
    assert find(store, "1") is None
    assert listed(store) == ["2", "3", "4"]


def test_capacity_of_zero_stores_no_record() -> None:
    store = make_store(max_voices=0)
    put(store, make_record("a"))
    assert run(store.all_records("")) == ([], 1)
    assert find(store, "a") is None


def test_capacity_is_shared_by_accounts_and_collections() -> None:
    store = make_store(max_voices=2)
    put(store, make_record("a", "one"), make_record("b", "two"))
    put(store, make_record("c", "two")._replace(collection="designs"))
    assert ids_of(store) == ["b", "c"]
    assert listed(store, "one") == []


def test_record_with_the_same_id_is_replaced_and_moves_to_the_end() -> None:
    store = make_store()
    first, *_ = put(store, *(make_record(id) for id in ("a", "b", "a")))
    assert ids_of(store) == listed(store) == ["b", "a"]
    replacement = find(store, "a")
    assert replacement
    assert replacement.number > first.number
    assert run(store.all_records(""))[1] == 0  # a replaced record is not evicted


def test_same_id_in_another_account_or_collection_is_another_record() -> None:
    store = make_store()
    put(store, make_record("a", "one"), make_record("a", "two"))
    put(store, make_record("a", "one")._replace(collection="designs"))
    assert ids_of(store) == ["a", "a", "a"]
    assert listed(store, "one") == listed(store, "two") == ["a"]


def test_update_keeps_order_and_increments_the_revision() -> None:
    store = make_store(max_voices=2)
    first, _ = put(store, make_record("a"), make_record("b"))
    (updated,) = put(store, first._replace(data={"name": "n"}))
    assert (updated.number, updated.revision) == (first.number, first.revision + 1)
    assert updated.data == {"name": "n"}
    assert find(store, "a") == updated
    assert ids_of(store) == listed(store) == ["a", "b"]


def test_own_record_precedes_a_shared_one_with_the_same_id() -> None:
    store = make_store()
    own, shared = put(store, make_record("a"), make_record("a", EVERY_ACCOUNT))
    assert find(store, "a") == own
    assert find(store, "a", "other") == shared
    assert run(store.has_record("", "acme", "voices", "a"))
    assert not run(store.has_record("", "acme", "voices", "b"))
    assert not run(store.has_record("", "acme", "designs", "a"))


def test_removed_base_record_is_stored_as_a_marker() -> None:
    """A preset exists without being stored, so its deletion is what the store has to keep."""
    store = make_store()
    preset = make_record("preset", EVERY_ACCOUNT, preset=True, base=True)
    assert begin(store).commit(RemoveRecord(preset)) is None
    marker = find(store, "preset")
    assert marker
    assert (marker.removed, marker.base, marker.uploads) == (True, True, ())
    assert not run(store.has_record("", "acme", "voices", "preset"))
    assert listed(store) == []
    assert query(store, base=["preset", "other"]).hidden == ["preset"]


def test_shared_record_is_found_by_an_account_that_removed_the_preset() -> None:
    store = make_store()
    preset = make_record("a", base=True)
    begin(store).commit(RemoveRecord(preset))
    marker = run(store.get_record("", "acme", "voices", "K", "a"))
    assert marker
    assert marker.removed
    run(store.put_records("", [make_record("a", EVERY_ACCOUNT)]))
    found = run(store.get_record("", "acme", "voices", "K", "a"))
    assert found
    assert (found.account, found.removed) == (EVERY_ACCOUNT, False)


def test_changed_base_record_is_stored_and_leaves_a_marker_when_removed() -> None:
    store = make_store()
    configured = make_record("a", base=True)
    change = PutRecord(configured._replace(data={"name": "n"}), configured.revision)
    assert begin(store).commit(change) is None
    (stored,) = records_of(store)
    assert (stored.data, stored.removed) == ({"name": "n"}, False)
    assert begin(store).commit(RemoveRecord(stored)) is None
    assert [record.removed for record in records_of(store)] == [True]


def test_clearing_records_restores_presets_and_forgets_configured_records() -> None:
    store = make_store()
    begin(store).commit(RemoveRecord(make_record("preset", EVERY_ACCOUNT, base=True)))
    assert run(store.get_sandbox(""))[1] is not None
    run(store.clear_records(""))
    assert run(store.all_records("")) == ([], 0)
    assert run(store.get_sandbox(""))[1] is None
    assert begin(store).begun.started_at is None


NAMES = st.sampled_from(["", "a", "ab", "Ab", "b a", "é", "\ud800", "\U0001f600", "zz"])
TESTS = st.builds(
    Condition,
    st.lists(st.sampled_from(["id", "name", "other"]), min_size=1, max_size=2, unique=True),
    st.sampled_from(["is", "starts", "contains"]),
    st.one_of(NAMES, st.sampled_from(["1", "2"])),
)
QUERIES = st.builds(
    Query,
    st.lists(TESTS, max_size=2),
    st.sampled_from(["", "id", "name"]),
    st.booleans(),
    st.one_of(st.integers(0, 12), st.just(10**30)),
    st.one_of(st.none(), st.integers(0, 12)),
)


@given(
    st.lists(st.tuples(st.sampled_from(["K", "other", EVERY_ACCOUNT]), NAMES, NAMES), max_size=16),
    st.lists(QUERIES, min_size=1, max_size=4),
    st.sets(st.integers(0, 15)),
)
def test_queries_return_pages_of_what_a_list_has(
    values: list[tuple[str, str, str]], queries: list[Query], deleted: set[int]
) -> None:
    store = make_store()
    records = [
        make_record(str(i), account, keys={"name": name, "other": other})
        for i, (account, name, other) in enumerate(values)
    ]
    stored = put(store, *records)
    numbers = {record.id: record.number for record in stored}
    shown = []
    for i, record in enumerate(records):
        if i in deleted:
            begin(store, record.account).commit(RemoveRecord(record))
        elif record.account != "other":
            shown.append(record._replace(number=numbers[record.id]))
    for query in queries:
        found = run(store.find_records("", "acme", "voices", "K", query))
        expected = [r for r in shown if all(test.matches(r) for test in query.where)]
        expected.sort(key=lambda record: key_of(record, query.order), reverse=query.descending)
        assert found.total == len(expected)
        begins = min(query.offset, len(expected))
        ends = None if query.limit is None else begins + query.limit
        assert [r.id for r in found.records] == [r.id for r in expected[begins:ends]]


STEPS = st.tuples(
    st.sampled_from(["put", "update", "remove"]),
    st.sampled_from("abcde"),
    st.sampled_from(["one", "two", EVERY_ACCOUNT]),
)


@given(st.lists(STEPS, max_size=30), st.integers(1, 8))
def test_records_behave_like_a_dict_of_limited_size(
    steps: list[tuple[str, str, str]], capacity: int
) -> None:
    store = make_store(max_voices=capacity)
    model: dict[tuple[str, str], int] = {}  # the step of the last change, in the order of records
    evicted = 0
    for number, (step, id, account) in enumerate(steps):
        stored = run(store.get_record("", "acme", "voices", account, id))
        if stored and stored.account != account:
            stored = None
        data = {"step": number}
        assert (stored is not None) == ((account, id) in model)
        if step == "put":
            put(store, make_record(id, account)._replace(data=data))
            model.pop((account, id), None)
            model[account, id] = number
            if len(model) > capacity:
                del model[next(iter(model))]
                evicted += 1
        elif step == "update" and stored:
            put(store, stored._replace(data=data))
            model[account, id] = number
        elif step == "remove":
            begin(store, account).commit(RemoveRecord(stored or make_record(id, account)))
            model.pop((account, id), None)
    records, count = run(store.all_records(""))
    assert count == evicted
    assert [(record.account, record.id) for record in records] == [*model]
    assert [record.data["step"] for record in records] == [*model.values()]
    for account in ("one", "two"):
        visible = [id for owner, id in model if owner in (account, EVERY_ACCOUNT)]
        assert listed(store, account) == visible

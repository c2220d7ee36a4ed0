"""What a sandbox remembers, and what it does not: every room is bounded."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from typing import Any, TypeVar

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mockvoice.redact import mask_key
from mockvoice.state.accounts import Accounts
from mockvoice.state.clock import Clock, Ids, timestamp
from mockvoice.state.records import Record, RecordStore
from mockvoice.state.uploads import Upload, UploadCache

Result = TypeVar("Result")


def run(coroutine: Coroutine[Any, Any, Result]) -> Result:
    return asyncio.run(coroutine)


def record(id: str, account: str = "a") -> Record:
    return Record("acme", "voices", account, id, {"id": id}, 0.0)


def test_voices_beyond_the_bound_are_dropped_oldest_first_and_counted() -> None:
    voices = RecordStore(3)
    for number in range(5):
        run(voices.add(record(str(number))))
    assert [each.id for each in voices] == ["2", "3", "4"]
    assert voices.evicted == 2
    assert len(voices) == 3


def test_presets_outlast_what_was_made() -> None:
    voices = RecordStore(3)
    run(voices.add(Record("acme", "voices", "a", "preset", {}, 0.0, preset=True)))
    for number in range(5):
        run(voices.add(record(str(number))))
    assert {each.id for each in voices} == {"preset", "3", "4"}
    assert voices.evicted == 3
    for number in range(3):
        run(voices.add(Record("acme", "voices", "b", str(number), {}, 0.0, preset=True)))
    assert [each.preset for each in voices] == [True] * 3


def test_a_voice_with_the_same_id_gives_way() -> None:
    voices = RecordStore(10)
    for name in ("a", "b", "a"):
        run(voices.add(record(name)))
    assert [each.id for each in voices] == ["b", "a"]


@given(
    st.lists(
        st.tuples(st.sampled_from(["add", "remove"]), st.integers(0, 4), st.sampled_from("xy"))
    )
)
def test_the_store_holds_what_a_dict_would_hold(steps: list[tuple[str, int, str]]) -> None:
    voices, model = RecordStore(100), dict[tuple[str, str], None]()
    for step, number, account in steps:
        id = str(number)
        if step == "add":
            run(voices.add(record(id, account)))
            model.pop((account, id), None)
            model[account, id] = None
        elif found := run(voices.get("acme", "voices", account, id)):
            run(voices.remove(found))
            run(voices.remove(found))  # a second time does no harm
            del model[account, id]
        else:
            assert (account, id) not in model
    assert [(each.account, each.id) for each in voices] == [*model]
    for account in "xy":
        listed = run(voices.list("acme", "voices", account))
        assert {each.id for each in listed} == {id for owner, id in model if owner == account}


def test_an_update_replaces_the_data() -> None:
    voices = RecordStore(1)
    made = run(voices.add(record("a")))
    run(voices.update(made, lambda data: {**data, "name": "n"}))
    assert run(voices.get("acme", "voices", "a", "a")) is made
    assert made.data == {"id": "a", "name": "n"}


def test_bytes_beyond_the_bound_are_given_up_oldest_first_and_counted() -> None:
    kept = UploadCache(10)
    uploads = [Upload("f", "a.wav", "", bytes([n]) * 4) for n in range(4)]
    for upload in uploads:
        kept.keep(upload)
    assert [len(upload.data) for upload in uploads] == [0, 0, 4, 4]
    assert (kept.bytes, kept.evicted) == (8, 2)
    told = uploads[0].described()
    assert (told["bytes"], told["sha256"], told["seconds"]) == (4, None, None)
    assert told["format"] == "unknown"
    assert uploads[3].described()["sha256"]


def test_one_file_larger_than_the_bound_is_kept_alone() -> None:
    kept = UploadCache(10)
    small, large = Upload("f", "", "", bytes(5)), Upload("f", "", "", bytes(50))
    kept.keep(small)
    kept.keep(large)
    assert not small.kept
    assert large.kept


def test_a_file_that_nobody_holds_makes_room() -> None:
    kept = UploadCache(10)
    first, second = Upload("f", "", "", bytes(5)), Upload("f", "", "", bytes(5))
    kept.keep(first)
    kept.keep(second)
    del first
    assert kept.bytes == 5
    assert second.kept


def test_accounts_beyond_the_bound_are_dropped_oldest_first() -> None:
    accounts = Accounts({}, 2)
    for key in ("a", "b", "c"):
        run(accounts.open("acme", key, {"tier": "pro"}))
    assert run(accounts.open("acme", "b", {})).tier == "pro"
    assert run(accounts.open("acme", "a", {"tier": "free"})).tier == "free"


def test_a_stated_account_is_as_stated() -> None:
    accounts = Accounts({"acme": {"a": {"tier": "free"}}}, 9)
    assert run(accounts.open("acme", "a", {"tier": "pro", "credit": 5.0})).tier == "free"
    assert run(accounts.open("other", "a", {"tier": "pro"})).tier == "pro"


@given(st.lists(st.integers(0, 30), min_size=1, max_size=30).map(sorted), st.integers(1, 5))
def test_at_most_so_many_hits_pass_in_any_period(moments: list[int], most: int) -> None:
    accounts = Accounts({}, 9)
    account = run(accounts.open("acme", "a", {}))
    passed: list[int] = []
    for moment in moments:
        wait, left, reset = run(accounts.hit(account, "clones", most, 10.0, float(moment)))
        within = [each for each in passed if each > moment - 10]
        assert (wait == 0) == (len(within) < most)
        if wait:
            assert wait == within[0] + 10 - moment
        else:
            passed.append(moment)
        within = [each for each in passed if each > moment - 10]
        assert left == most - len(within)
        assert reset == within[0] + 10 - moment


def test_credit_runs_out_and_no_more_is_taken_than_there_is() -> None:
    accounts = Accounts({}, 9)
    account = run(accounts.open("acme", "a", {"credit": 5.0}))
    assert [run(accounts.spend(account, 2.0)) for _ in range(3)] == [True, True, False]
    assert account.credit == 1.0
    endless = run(accounts.open("acme", "b", {}))
    assert run(accounts.spend(endless, 1e9))


def test_a_frozen_clock_moves_only_when_it_is_told() -> None:
    clock = Clock()
    clock.freeze(1_704_067_200.0)
    assert timestamp(clock.now()) == "2024-01-01T00:00:00Z"
    clock.advance(0.5)
    assert timestamp(clock.now()) == "2024-01-01T00:00:00.500Z"
    assert clock.frozen


def test_a_running_clock_can_be_advanced() -> None:
    clock, other = Clock(), Clock()
    clock.advance(60)
    assert clock.now() - other.now() == pytest.approx(60, abs=1)
    clock.freeze()
    assert clock.now() == clock.now()


def test_ids_repeat_with_their_seed_and_do_not_shift_when_others_are_made() -> None:
    one, two = Ids("0/"), Ids("0/")
    two.uuid("other kind")
    assert one.uuid("voice") == two.uuid("voice")
    assert one.uuid("voice") == two.uuid("voice") != Ids("1/").uuid("voice")
    assert len(one.token("t", 24)) == 24
    assert len(one.word("w", 43)) == 43


@given(st.text(min_size=1))
def test_a_redacted_key_tells_keys_apart_and_opens_none(key: str) -> None:
    assert mask_key(key) != mask_key(key + "x")
    assert key not in mask_key(key) or len(key) < 3

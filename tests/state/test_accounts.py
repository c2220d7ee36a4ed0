"""Accounts in a store: defaults, configuration, limits and credit."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mockvoice.state.accounts import EVERY_KEY, Account, LimitResult, LimitRule
from mockvoice.state.store import AddUsage, CommitConflict, Spend, Store

from .requests import Request, begin, make_store, run

START = 1_704_067_200.0
CLONES = LimitRule("clones", 2, 10.0)
CONCURRENCY = LimitRule("concurrency", 1, None)


def account(store: Store, key: str, provider: str = "acme", **defaults: Any) -> Account:
    return run(store.get_account("", provider, key, defaults))


def change(store: Store, key: str, **state: Any) -> Account:
    return run(store.change_account("", "acme", key, {}, state))


def limited(store: Store, now: float, *rules: LimitRule, **options: Any) -> Request:
    """Begin a request at a time in seconds since the start."""
    run(store.set_clock("", at=START + now, frozen=True, advance=0.0))
    return begin(store, limits=rules, **options)


# --- state ---------------------------------------------------------------------------------------


def test_accounts_over_capacity_are_evicted_oldest_first() -> None:
    store = make_store(max_accounts=2)
    for key in ("a", "b", "c"):
        account(store, key, tier="pro")
    assert account(store, "b", tier="free").tier == "pro"
    assert account(store, "a", tier="free").tier == "free"


def test_request_of_an_evicted_account_still_ends() -> None:
    store = make_store(max_accounts=1)
    first = begin(store, "a")
    begin(store, "b")
    assert first.commit(Spend(5.0), AddUsage({"text": "x"}), retry_at=1.0) is None
    assert account(store, "a").concurrency == 0
    assert run(store.get_usage("", "acme", "a")) == []


def test_configured_account_overrides_defaults() -> None:
    store = make_store(accounts={"acme": {"a": {"tier": "free"}}})
    assert account(store, "a", tier="pro", credit=5.0).tier == "free"
    assert account(store, "a").credit == 5.0
    assert account(store, "b", tier="pro").tier == "pro"
    assert account(store, "a", "other", tier="pro").tier == "pro"


def test_configured_account_may_have_a_list_of_models() -> None:
    store = make_store(accounts={"acme": {"a": {"models": ["one"]}}})
    for _ in range(2):
        assert list(account(store, "a").models or ()) == ["one"]


def test_configured_state_of_every_key_is_overridden_by_that_of_one() -> None:
    configured = {EVERY_KEY: {"tier": "free", "credit": 1.0}, "a": {"tier": "pro"}}
    store = make_store(accounts={"acme": configured})
    assert (account(store, "a").tier, account(store, "a").credit) == ("pro", 1.0)
    assert (account(store, "b").tier, account(store, "b").credit) == ("free", 1.0)


def test_change_of_every_key_changes_known_and_new_keys_of_the_provider() -> None:
    store = make_store()
    account(store, "known", tier="pro")
    account(store, "known", "other", tier="pro")
    assert change(store, EVERY_KEY, tier="free", credit=3.0).tier == "free"
    for key in ("known", "new"):
        changed = account(store, key, tier="pro")
        assert (changed.tier, changed.credit) == ("free", 3.0)
    assert account(store, "known", "other").tier == "pro"
    assert change(store, "new", tier="pro").credit == 3.0
    assert account(store, "known").tier == "free"


@pytest.mark.parametrize("known", [True, False])
def test_change_of_every_key_changes_a_configured_key_before_and_after_its_first_use(
    *, known: bool
) -> None:
    store = make_store(accounts={"acme": {"a": {"tier": "pro"}}})
    if known:
        account(store, "a")
    change(store, EVERY_KEY, tier="free")
    assert account(store, "a").tier == "free"


def test_account_is_described_without_its_key_and_counters() -> None:
    store = make_store()
    begin(store)
    assert change(store, "K", tier="pro", models=("m",)).described() == {
        "tier": "pro",
        "credit": None,
        "trial_ended": False,
        "models": ("m",),
        "listed": False,
        "limits": {},
    }


def test_requests_without_a_key_have_no_account() -> None:
    store = make_store()
    request = begin(store, "", defaults={"credit": 1.0})
    assert request.begun.account.credit == 1.0
    assert request.commit(Spend(5.0), AddUsage({"text": "x"})) is None
    assert account(store, "").concurrency == 0
    assert run(store.get_usage("", "acme", "")) == []


# --- limits --------------------------------------------------------------------------------------


@given(st.lists(st.integers(0, 30), min_size=1, max_size=30).map(sorted), st.integers(0, 5))
def test_no_period_has_more_requests_than_the_limit(moments: list[int], maximum: int) -> None:
    store = make_store(limits="documented")
    rule = LimitRule("clones", maximum, 10.0)
    admitted: list[int] = []
    for moment in moments:
        (result,) = limited(store, moment, rule).begun.limits
        within = [other for other in admitted if other > moment - 10]
        assert result.exceeded == (len(within) >= maximum)
        assert result.used == len(within) + 1
        assert result.remaining == max(maximum - result.used, 0)
        if result.exceeded:
            assert result.wait == (within[0] + 10 - moment if within else 10)
        else:
            assert result.wait == 0
            admitted.append(moment)
            within.append(moment)
        assert result.reset == (within[0] + 10 - moment if within else 10)
        assert len(within) <= maximum


def test_documented_limits_are_off_by_default() -> None:
    assert limited(make_store(), 0, CLONES, CONCURRENCY).begun.limits == ()


def test_limits_of_the_account_apply_without_documented_ones() -> None:
    store = make_store()
    change(store, "K", limits={"clones": {"max": 1}, "speech": {"max": 0, "per": 5}})
    results = [limited(store, 0, CLONES, other_limits=["speech"]).begun.limits for _ in range(2)]
    assert [(result.max, result.per, result.exceeded) for (result,) in results] == [
        (1, 10.0, False),
        (1, 10.0, True),
    ]


def test_limits_of_the_account_replace_documented_ones_of_the_same_name() -> None:
    store = make_store(limits="documented")
    change(store, "K", limits={"clones": {"max": 5, "per": 60}})
    results = limited(store, 0, CLONES, LimitRule("requests", 9, 1.0)).begun.limits
    assert [(result.name, result.max, result.per) for result in results] == [
        ("clones", 5, 60),
        ("requests", 9, 1.0),
    ]


def test_limit_by_tier_applies_to_accounts_of_that_tier() -> None:
    store = make_store(limits="documented")
    rule = LimitRule("clones", {"pro": 3}, 10.0)
    assert limited(store, 0, rule).begun.limits == []
    change(store, "K", tier="pro")
    assert [result.max for result in limited(store, 0, rule).begun.limits] == [3]


def test_requests_to_unknown_paths_are_not_limited() -> None:
    store = make_store(limits="documented")
    assert limited(store, 0, LimitRule("clones", 0, 10.0), operation="").begun.limits == ()


def test_limits_after_an_exceeded_one_are_not_counted() -> None:
    store = make_store(limits="documented")
    rejecting, counting = LimitRule("first", 0, 10.0), LimitRule("second", 1, 10.0)
    (rejected,) = limited(store, 0, rejecting, counting).begun.limits
    assert (rejected.name, rejected.exceeded) == ("first", True)
    (counted,) = limited(store, 0, counting).begun.limits
    assert (counted.used, counted.exceeded) == (1, False)


def test_concurrency_counts_requests_until_they_are_committed_or_finished() -> None:
    store = make_store(limits="documented")
    first = limited(store, 0, CONCURRENCY)
    second = limited(store, 0, CONCURRENCY)
    assert first.begun.limits == [LimitResult("concurrency", 1, None, 1)]
    assert [result.exceeded for result in second.begun.limits] == [True]
    second.commit()
    first.commit(finished=False)  # its response takes a while
    assert [result.used for result in limited(store, 0, CONCURRENCY).begun.limits] == [2]
    first.finish()
    assert account(store, "K").concurrency == 1


def test_fault_that_replaces_the_operation_gives_back_limits() -> None:
    store = make_store(limits="documented")
    rule = run(store.add_rule("", {"status": 500}))
    for _ in range(5):
        request = limited(store, 0, CLONES, CONCURRENCY)
        assert [result.used for result in request.begun.limits] == [1, 1]
        assert [taken.id for taken in request.take_faults(rule.id)] == [rule.id]
        request.commit()


def test_fault_that_runs_the_operation_gives_nothing_back() -> None:
    store = make_store(limits="documented")
    rule = run(store.add_rule("", {"kind": "drip"}))
    limited(store, 0, CLONES).take_faults(rule.id)
    assert [result.used for result in limited(store, 0, CLONES).begun.limits] == [2]


def test_fault_of_a_header_gives_back_limits_if_it_replaces_the_operation() -> None:
    store = make_store(limits="documented")
    limited(store, 0, CLONES).take_faults(header=500)
    exceeded = [limited(store, 0, CLONES).begun.limits[-1].exceeded for _ in range(3)]
    assert exceeded == [False, False, True]
    # A rejected request used nothing, so there is nothing to give back.
    limited(store, 0, CLONES).take_faults(header=500)
    assert limited(store, 0, CLONES).begun.limits[0].exceeded


def test_retry_after_is_kept_for_the_next_request_to_the_operation() -> None:
    store = make_store()
    begin(store).commit(retry_at=START)
    assert begin(store, operation="other").begun.retry_at is None
    assert begin(store).begun.retry_at == START
    assert begin(store).begun.retry_at is None


# --- credit and usage ----------------------------------------------------------------------------


def test_credit_is_never_overspent() -> None:
    store = make_store()
    change(store, "K", credit=5.0)
    results = [begin(store).commit(Spend(2.0)) for _ in range(3)]
    assert results[:2] == [None, None]
    conflict = results[2]
    assert isinstance(conflict, CommitConflict)
    assert conflict.account.credit == 1.0
    assert account(store, "K").credit == 1.0


def test_amounts_of_one_request_are_spent_together() -> None:
    store = make_store()
    change(store, "K", credit=5.0)
    assert begin(store).commit(Spend(3.0), Spend(3.0)) is not None
    assert account(store, "K").credit == 5.0
    assert begin(store).commit(Spend(3.0), Spend(2.0)) is None
    assert account(store, "K").credit == 0.0


@given(st.integers(0, 20), st.lists(st.integers(0, 8), max_size=12))
def test_credit_is_the_initial_amount_less_what_was_spent(initial: int, amounts: list[int]) -> None:
    store = make_store()
    change(store, "K", credit=float(initial))
    left = initial
    for amount in amounts:
        spent = begin(store).commit(Spend(float(amount))) is None
        assert spent == (amount <= left)
        left -= amount * spent
        assert account(store, "K").credit == left >= 0


def test_unlimited_credit_is_not_counted() -> None:
    store = make_store()
    assert begin(store).commit(Spend(1e9)) is None
    assert account(store, "K").credit is None


def test_usage_is_listed_oldest_first() -> None:
    store = make_store()
    usage: list[Mapping[str, Any]] = [{"text": text} for text in ("a", "b", "c")]
    begin(store).commit(AddUsage(usage[0]), AddUsage(usage[1]))
    begin(store).commit(AddUsage(usage[2]))
    assert run(store.get_usage("", "acme", "K")) == usage
    assert run(store.get_usage("", "acme", "other")) == []

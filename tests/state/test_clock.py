"""The time of a sandbox, and the formats of times."""

from __future__ import annotations

from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from time import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mockvoice.state.clock import EARLIEST, LATEST, http_date, timestamp
from mockvoice.state.store import ClockState, Store

from .requests import begin, make_store, run

START = 1_704_067_200.0  # 2024-01-01


def set_clock(
    store: Store,
    sandbox: str = "",
    *,
    at: float | None = None,
    frozen: bool | None = None,
    advance: float = 0.0,
) -> ClockState:
    return run(store.set_clock(sandbox, at=at, frozen=frozen, advance=advance))


def test_clock_shows_real_time_unless_changed() -> None:
    store = make_store()
    before = time()
    clock = run(store.get_clock(""))
    assert before <= clock.now <= time()
    assert not clock.frozen


def test_frozen_clock_moves_only_when_advanced() -> None:
    store = make_store()
    assert set_clock(store, at=START, frozen=True) == ClockState(START, frozen=True)
    assert run(store.get_clock("")) == ClockState(START, frozen=True)
    assert set_clock(store, advance=0.5) == ClockState(START + 0.5, frozen=True)
    assert begin(store).begun.now == START + 0.5


def test_clock_freezes_at_its_present_time() -> None:
    store = make_store()
    clock = set_clock(store, frozen=True)
    assert clock.now == pytest.approx(time(), abs=5)
    assert run(store.get_clock("")) == clock


def test_running_clock_can_be_advanced() -> None:
    store = make_store()
    clock = set_clock(store, advance=3600)
    assert clock.now == pytest.approx(time() + 3600, abs=5)
    assert not clock.frozen


def test_clock_runs_on_from_the_time_at_which_it_was_frozen() -> None:
    store = make_store()
    set_clock(store, at=START, frozen=True)
    clock = set_clock(store, frozen=False)
    assert not clock.frozen
    assert clock.now == pytest.approx(START, abs=5)
    assert run(store.get_clock("")).now >= clock.now
    assert set_clock(store, frozen=False, advance=60).now == pytest.approx(START + 60, abs=5)


def test_sandboxes_have_clocks_of_their_own() -> None:
    store = make_store()
    set_clock(store, "one", at=START, frozen=True)
    assert run(store.get_clock("one")).frozen
    assert not run(store.get_clock("two")).frozen


@given(st.integers(int(EARLIEST), int(LATEST)), st.integers(0, 999))
def test_timestamp_is_rfc_3339_with_milliseconds_if_there_are_any(
    second: int, milliseconds: int
) -> None:
    moment = second + milliseconds / 1000
    text = timestamp(moment)
    parsed = datetime.fromisoformat(text)
    assert text.endswith("Z")
    assert abs(parsed.timestamp() - moment) < 0.0011
    assert ("." in text) == bool(moment % 1)


def test_timestamp_examples() -> None:
    assert timestamp(START) == "2024-01-01T00:00:00Z"
    assert timestamp(START + 0.5) == "2024-01-01T00:00:00.500Z"
    assert timestamp(EARLIEST) == "1970-01-01T00:00:00Z"
    assert timestamp(LATEST) == "9999-01-01T00:00:00Z"


@given(st.integers(0, int(LATEST)))
def test_http_date_is_an_rfc_9110_date(second: int) -> None:
    text = http_date(second)
    assert text.endswith(" GMT")
    assert parsedate_to_datetime(text) == datetime.fromtimestamp(second, UTC)

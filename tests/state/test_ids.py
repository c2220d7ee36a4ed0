"""Ids and random draws: repeatable, and independent of each other."""

from __future__ import annotations

import re
from collections import Counter
from itertools import pairwise
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mockvoice.state.ids import Ids, draw


def sequence(ids: Ids) -> list[str]:
    return [ids.uuid("voice"), ids.token("t", 24), ids.word("w", 20), ids.uuid("voice")]


@given(st.text(max_size=5), st.text(max_size=5), st.integers(0, 100))
def test_ids_repeat_with_seed_scope_and_count(seed: str, scope: str, count: int) -> None:
    assert sequence(Ids(seed, scope, count)) == sequence(Ids(seed, scope, count))


@pytest.mark.parametrize(
    "other", [Ids("1/", "acme/clone", 1), Ids("0/", "acme/design", 1), Ids("0/", "acme/clone", 2)]
)
def test_ids_depend_on_seed_scope_and_count(other: Ids) -> None:
    assert not {*sequence(Ids("0/", "acme/clone", 1))} & {*sequence(other)}


def test_ids_of_one_kind_do_not_depend_on_other_kinds() -> None:
    one, two = Ids("0/", "acme/clone", 1), Ids("0/", "acme/clone", 1)
    two.uuid("other")
    two.token("another", 8)
    assert one.uuid("voice") == two.uuid("voice")
    assert one.uuid("voice") == two.uuid("voice")


def test_ids_are_unique() -> None:
    made = [Ids("0/", "acme/clone", count) for count in range(200)]
    uuids = [ids.uuid("voice") for ids in made for _ in range(5)]
    assert len({*uuids}) == 1000


@given(st.integers(0, 10_000))
def test_uuids_are_valid_version_4(count: int) -> None:
    text = Ids("0/", "acme/clone", count).uuid("voice")
    parsed = UUID(text)
    assert str(parsed) == text
    assert (parsed.version, parsed.variant) == (4, "specified in RFC 4122")


@given(st.integers(0, 64), st.integers(0, 43))
def test_tokens_and_words_have_the_given_length(token: int, word: int) -> None:
    ids = Ids("0/", "acme/clone", 1)
    assert re.fullmatch(rf"[0-9a-f]{{{token}}}", ids.token("t", token))
    assert re.fullmatch(rf"[A-Za-z0-9]{{{word}}}", ids.word("w", word))


def test_words_use_every_letter_and_digit() -> None:
    words = "".join(Ids("0/", "acme/clone", count).word("w", 43) for count in range(100))
    assert len({*words}) == 62


@given(st.lists(st.text() | st.integers() | st.floats(), max_size=4))
def test_draws_repeat_and_are_from_0_up_to_1(parts: list[object]) -> None:
    assert draw(*parts) == draw(*parts)
    assert 0.0 <= draw(*parts) < 1.0


def test_draws_are_uniform() -> None:
    draws = [draw("0/", "fault_1", matched) for matched in range(10_000)]
    deciles = Counter(int(value * 10) for value in draws)
    assert sorted(deciles) == [*range(10)]
    # The 99.9th percentile of chi-squared with 9 degrees of freedom.
    assert sum((count - 1000) ** 2 / 1000 for count in deciles.values()) < 27.9
    # Neighbors are independent: their correlation is within 4 standard deviations of 0.
    assert abs(sum((a - 0.5) * (b - 0.5) for a, b in pairwise(draws)) / 10_000) < 4 / 12 / 100


def test_draws_differ_by_seed_rule_and_name() -> None:
    assert len({draw("0/", "fault_1", 1), draw("1/", "fault_1", 1), draw("0/", "fault_2", 1)}) == 3
    assert draw("0/", "fault_1", 1, "seconds") != draw("0/", "fault_1", 1)

"""Message helpers."""

from __future__ import annotations

import json
import time
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mockvoice.text import brief, closest_match, did_you_mean, escape, unescape


@given(
    st.recursive(
        st.none() | st.integers() | st.text(),
        lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    )
)
def test_brief_is_the_beginning_of_the_json(value: Any) -> None:
    whole = json.dumps(value, ensure_ascii=False)
    assert brief(value) == (whole if len(whole) <= 60 else whole[:57] + "...")
    assert len(brief(value, 10)) <= 10 or len(whole) <= 10


def test_brief_stops_encoding_at_its_length() -> None:
    value = [*range(1_000_000)]
    started = time.process_time()
    for _ in range(100):
        brief(value)
    assert time.process_time() - started < 2


@pytest.mark.parametrize(
    ("name", "match"),
    [
        ("voicename", "voice_name"),
        ("voice-name", "voice_name"),
        ("file", "files"),
        ("retry_afer", "retry_after"),
        ("voice", "voice_id"),
        ("zzz", ""),
        ("voice_name" + "x" * 1000, ""),
    ],
)
def test_closest_match(name: str, match: str) -> None:
    candidates = ["voice_name", "voice_id", "files", "retry_after", "x" * 10**6]
    assert closest_match(name, candidates) == match
    assert did_you_mean(name, candidates) == (f"did you mean {match}?" if match else "")


@given(st.text("~/01a"))
def test_unescape_undoes_escape(segment: str) -> None:
    assert "/" not in escape(segment)
    assert unescape(escape(segment)) == segment

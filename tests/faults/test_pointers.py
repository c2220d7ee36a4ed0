"""JSON Pointers (RFC 6901): what they set and remove, and what they miss."""

from __future__ import annotations

from copy import deepcopy
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mockvoice.faults.pointers import PointerError, remove_value, segments, set_value
from mockvoice.text import escape

DOCUMENT = {"foo": ["bar", "baz"], "": 0, "a/b": 1, "m~n": 8, " ": 7, "in": {"ner": None}}


@pytest.mark.parametrize(
    ("pointer", "changed"),
    [
        ("/foo/0", {"foo": ["x", "baz"]}),
        ("/foo/-", {"foo": ["bar", "baz", "x"]}),
        ("/", {"": "x"}),
        ("/a~1b", {"a/b": "x"}),
        ("/m~0n", {"m~n": "x"}),
        ("/ ", {" ": "x"}),
        ("/in/ner", {"in": {"ner": "x"}}),
        ("/in/-", {"in": {"ner": None, "-": "x"}}),
        ("/new", {"new": "x"}),
    ],
)
def test_set_replaces_and_adds(pointer: str, changed: dict[str, Any]) -> None:
    assert set_value(deepcopy(DOCUMENT), pointer, "x") == {**DOCUMENT, **changed}
    assert set_value(deepcopy(DOCUMENT), "", "x") == "x"


@pytest.mark.parametrize("pointer", ["/foo/1", "/a~1b", "/in/ner", "/"])
def test_remove_undoes_an_addition(pointer: str) -> None:
    document = deepcopy(DOCUMENT)
    remove_value(document, pointer)
    assert document != DOCUMENT
    with pytest.raises(PointerError):
        remove_value(document, pointer)


@pytest.mark.parametrize(
    ("pointer", "message"),
    [
        ("/foo/2", "/foo/2 matches nothing: /foo is a list with 2 items"),
        ("/foo/00", "/foo/00 matches nothing"),
        ("/foo/²", "/foo/² matches nothing"),
        ("/foo/" + "9" * 5000, "matches nothing"),
        ("/in/ner/x", "/in/ner/x matches nothing: /in/ner is null"),
        ("/inn/x", "/inn matches nothing: the body has foo, , a/b, m~n,  , in; did you mean in?"),
    ],
)
def test_pointer_that_matches_nothing_says_what_is_there(pointer: str, message: str) -> None:
    with pytest.raises(PointerError) as caught:
        set_value(deepcopy(DOCUMENT), pointer, "x")
    assert message in str(caught.value)


@given(st.dictionaries(st.text(max_size=4), st.integers(), min_size=1), st.data())
def test_every_member_can_be_set_and_removed(members: dict[str, int], data: st.DataObject) -> None:
    name = data.draw(st.sampled_from([*members]))
    pointer = f"/{escape(name)}"
    assert segments(pointer) == [name]
    changed = set_value({**members}, pointer, "x")
    assert changed == {**members, name: "x"}
    remove_value(changed, pointer)
    assert changed == {key: value for key, value in members.items() if key != name}

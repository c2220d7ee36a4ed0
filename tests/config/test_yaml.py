"""The YAML loader: YAML 1.2 as JSON, with lines."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import example, given
from hypothesis import strategies as st

from mockvoice.config.emitter import to_yaml
from mockvoice.config.yaml import UnreadableFile, YAMLDocument

from ..contract.contracts import SPECS

# Characters that a YAML stream may hold as they are (YAML 1.2.2, 5.1), the line breaks of YAML 1.1
# and a private-use character among them.
PRINTABLE = st.characters(
    min_codepoint=0x20, exclude_categories=["Cs", "Cc"], exclude_characters="\ufeff\ufffe\uffff"
) | st.sampled_from("\x85\u2028\u2029\ue000")
TEXT = st.text(PRINTABLE, max_size=8)
JSON_VALUES: st.SearchStrategy[Any] = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False)
    | TEXT,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(TEXT, inner, max_size=4),
    max_leaves=12,
)  # fmt: skip


@pytest.mark.parametrize("character", ["\x85", "\u2028", "\u2029"])
@pytest.mark.parametrize("form", ["a{}b", "'a{}b'", '"a{}b"', "|-\n  a{}b", "[a{}b]"])
def test_line_breaks_of_yaml_1_1_are_ordinary_characters(character: str, form: str) -> None:
    text = "key: " + form.replace("{}", character) + f"\n{character}: 1\n"
    document = YAMLDocument(text)
    expected = f"a{character}b"
    assert document.value == {"key": [expected] if "[" in form else expected, character: 1}
    assert not document.diagnostics
    assert document.location(f"/{character}").line == text.count("\n")


def test_private_use_characters_survive_beside_line_breaks_of_yaml_1_1() -> None:
    private = "".join(map(chr, range(0xE000, 0xE010)))
    assert YAMLDocument(f"a: {private}\x85\u2028\n").value == {"a": f"{private}\x85\u2028"}


@given(JSON_VALUES)
@example({"\x85": 0})
def test_json_is_read_as_json(value: Any) -> None:
    document = YAMLDocument(json.dumps(value, ensure_ascii=False))
    assert document.value == ({} if value is None else value)
    assert not document.diagnostics


@given(JSON_VALUES)
@example({"match": {"fields": {"\x85": 0}}})
def test_emitted_yaml_is_read_as_it_was(value: Any) -> None:
    assert YAMLDocument(to_yaml({"value": value})).value == {"value": value}


def test_plain_scalars_have_the_types_of_the_core_schema() -> None:
    text = """
    [null, ~, True, FALSE, 12, -0o17, 0o17, 0xFF, 1e3, .5, 1.0, off, yes, 2024-01-01, 1_000, 0777,
     !!str 5, "5", !!float 1, ! 5, =, 12:30, .inf]
    """
    assert YAMLDocument(text).value == [
        None, None, True, False, 12, "-0o17", 15, 255, 1000.0, 0.5, 1.0, "off", "yes",
        "2024-01-01", "1_000", 777, "5", "5", 1.0, "5", "=", "12:30", ".inf",
    ]  # fmt: skip


def test_an_alias_is_the_value_of_its_anchor_and_has_its_lines() -> None:
    document = YAMLDocument("a: &it\n  b: [1]\nc:\n- *it\n*it : 1\n? &key d\n: *key\n")
    assert document.value == {"a": {"b": [1]}, "c": [{"b": [1]}], "d": "d"}
    assert document.location("/c/0/b/0") == ("c[0].b[0]", 2)
    assert document.location("/c/0/none") == ("c[0].none", 4)
    assert [str(diagnostic) for diagnostic in document.diagnostics] == [
        "5: the file has a key that is not text"
    ]


def test_a_value_that_cannot_be_read_is_none_and_reported() -> None:
    document = YAMLDocument("a: &a 1e999\nb: !!set {x: 1}\nc: *a\nd: null")
    assert document.value == dict.fromkeys("abcd")
    assert [document.is_unread(f"/{name}") for name in "abcd"] == [True, True, True, False]
    assert [diagnostic.location.line for diagnostic in document.diagnostics] == [1, 2]


@pytest.mark.parametrize("depth", [2, 99, 100])
def test_aliases_count_for_the_depth(depth: int) -> None:
    text = f"- &a {'[' * 49}{']' * 49}\n- {'[' * (depth - 50)}*a{']' * (depth - 50)}\n"
    if depth == 100:
        text = text.replace("*a", "[*a]")
        with pytest.raises(UnreadableFile, match="2: the file must be at most 100 levels deep"):
            YAMLDocument(text)
    else:
        YAMLDocument(text)


@pytest.mark.parametrize("path", sorted(SPECS.rglob("*.yaml")), ids=lambda path: path.stem)
def test_contracts_mean_the_same_in_yaml_1_1(path: Path) -> None:
    """So they are read alike by tools that implement either version."""

    class Loader(yaml.SafeLoader):
        """Leaves dates as text."""

    Loader.yaml_implicit_resolvers = {
        first: [(tag, pattern) for tag, pattern in resolvers if not tag.endswith(":timestamp")]
        for first, resolvers in yaml.SafeLoader.yaml_implicit_resolvers.items()
    }
    text = path.read_text(encoding="utf-8")
    expected = yaml.load(text, Loader)
    assert json.dumps(YAMLDocument(text).value) == json.dumps(expected)  # types and order too

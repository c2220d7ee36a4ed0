"""Definitions of fault kinds, and the changes that a new kind needs."""

from __future__ import annotations

import json
import re
from typing import Any, get_args

import pytest

from mockvoice.faults.kinds import KINDS, InjectedFault, Kind, make_fault

from ..contract.contracts import CONTRACTS
from ..markdown import page

(CONTROL,) = [contract for contract in CONTRACTS if contract.name == "mockvoice"]
SCHEMAS = CONTROL.document["components"]["schemas"]
EXAMPLES = [
    json.loads(block.text) for block in page("docs/faults.md").blocks if block.title == "Fault"
]
COMMON_FIELDS = {
    "provider",
    "operation",
    "match",
    "kind",
    "when",
    "times",
    "skip",
    "every",
    "probability",
    "expires_in",
    "frame",
}


def changes(walkthrough: str) -> dict[str, list[str]]:
    """Return the changed lines of a walkthrough in CONTRIBUTING.md by path."""
    changed: dict[str, list[str]] = {}
    for block in page("CONTRIBUTING.md").blocks:
        if block.title == walkthrough and block.language == "diff":
            (path,) = re.findall(r"^\+\+\+ b/(\S+)$", block.text, re.MULTILINE)
            lines = re.findall(r"^[+-](?!\+\+ |-- ).*$", block.text, re.MULTILINE)
            changed.setdefault(path, []).extend(lines)
    return changed


def test_new_kind_changes_one_module_and_one_line_of_the_contract() -> None:
    """tests/test_contributing.py applies these changes, and runs the test that they add."""
    changed = changes("fault kind")
    tests = [path for path in changed if path.startswith("tests/")]
    assert tests
    assert {*changed} - {*tests} == {"mockvoice/faults/kinds.py", "specs/mockvoice.yaml"}
    assert changed["specs/mockvoice.yaml"] == ["+        - bom"]


def test_kinds_have_the_same_names_in_code_types_and_contract() -> None:
    assert [*KINDS] == [*get_args(Kind)] == SCHEMAS["Kind"]["enum"]
    assert len({*KINDS.values()}) == len(KINDS)


@pytest.mark.parametrize(("name", "kind"), KINDS.items())
def test_kind_is_described_by_its_class(name: str, kind: type[InjectedFault]) -> None:
    assert issubclass(kind, InjectedFault)
    assert kind.__doc__
    assert kind.summary
    assert "|" not in kind.summary
    assert f"| `{name}` | {kind.summary} |" in page("docs/faults.md").text


@pytest.mark.parametrize(("name", "kind"), KINDS.items())
def test_fields_of_a_kind_are_in_the_contract(name: str, kind: type[InjectedFault]) -> None:
    assert {*kind.fields} <= SCHEMAS["Fault"]["properties"].keys()
    assert {*kind.fields} <= SCHEMAS["SequenceItem"]["properties"].keys()
    assert not {*kind.fields} & COMMON_FIELDS
    assert bool(kind.default_seconds) == ("seconds" in kind.fields)
    used = {field for fault in EXAMPLES if fault.get("kind", "status") == name for field in fault}
    assert used <= COMMON_FIELDS | {*kind.fields}


def test_every_field_of_the_contract_belongs_to_all_kinds_or_to_some() -> None:
    fields = {field for kind in KINDS.values() for field in kind.fields}
    assert COMMON_FIELDS | fields == SCHEMAS["Fault"]["properties"].keys()


@pytest.mark.parametrize(("name", "kind"), KINDS.items())
@pytest.mark.parametrize("when", ["before", "after"])
def test_fault_replaces_the_operation_only_before_it(
    name: str, kind: type[InjectedFault], when: str
) -> None:
    data: dict[str, Any] = {"kind": name, "when": when}
    fault = make_fault("fault_1", data, lambda _: 0.5)
    assert type(fault) is kind
    assert fault.kind == name
    assert fault.replaces == (when == "before" and not kind.runs_operation)

"""Commands `faults`, `faults add`, `faults remove` and `faults clear`."""

from __future__ import annotations

import json
from typing import Any, get_type_hints

import httpx
import pytest

from mockvoice import Control
from mockvoice.cli.faults import FIELDS
from mockvoice.fields import FaultFields

from .processes import check_output, run

KEY = {"authorization": "Bearer KEY"}


def test_add_list_fire_and_remove_faults(mock: Control) -> None:
    assert check_output("faults", "--url", mock.url) == "no faults\n"
    line = 'fault_1  {"status": 502, "provider": "retell", "times": 1}  fired for'
    added = check_output(
        "faults", "add", "502", "--provider", "retell", "--times", "1", "--url", mock.url
    )
    assert added == f"{line} 0 of 0 matching requests\n"
    url = f"{mock.retell.base_url}/list-voices"
    assert [httpx.get(url, headers=KEY).status_code for _ in range(2)] == [502, 200]
    assert check_output("faults", "--url", mock.url) == f"{line} 1 of 1 matching requests\n"
    check_output("faults", "add", "reset", "--url", mock.url)
    check_output("faults", "remove", "fault_1", "--url", mock.url)
    assert [fault.data for fault in mock.faults] == [{"kind": "reset"}]
    check_output("faults", "add", "503", "--url", mock.url)
    check_output("faults", "clear", "--url", mock.url)
    assert mock.faults == []


@pytest.mark.parametrize(
    ("arguments", "fault"),
    [
        (["--provider", "retell"], {"provider": "retell"}),
        (["{}"], {}),
        (["reset"], {"kind": "reset"}),
        (["--kind", "truncate", "--fraction", "0.25"], {"kind": "truncate", "fraction": 0.25}),
        (["delay", "--seconds", "2"], {"kind": "delay", "seconds": 2.0}),
        (['{"status": 500, "times": 1}', "--times", "2"], {"status": 500, "times": 2}),
        (
            ['[502, "ok", "reset", {"status": 503}]', "--operation", "cloneVoice"],
            {
                "sequence": [{"status": 502}, "ok", {"kind": "reset"}, {"status": 503}],
                "operation": "cloneVoice",
            },
        ),
        (
            ["429", "--retry-after", "0.5", "--when", "after", "--headers", '{"x-a": "b"}'],
            {"status": 429, "retry_after": 0.5, "when": "after", "headers": {"x-a": "b"}},
        ),
        (
            ["400", "--body", '{"error": 1}', "--match", '{"fields": {"voice_name": "x"}}'],
            {"status": 400, "body": {"error": 1}, "match": {"fields": {"voice_name": "x"}}},
        ),
        (["500", "--body", "oh no"], {"status": 500, "body": "oh no"}),
    ],
)
def test_faults_add_accepts_shorthand_json_and_flags(
    mock: Control, arguments: list[str], fault: dict[str, Any]
) -> None:
    added = json.loads(check_output("faults", "add", "--json", *arguments, MOCKVOICE_URL=mock.url))
    assert added == {"id": "fault_1", "hits": 0, "matched": 0, **fault}
    assert json.loads(check_output("faults", "--json", MOCKVOICE_URL=mock.url)) == {
        "faults": [added]
    }


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ([], "FAULT or at least one field is required, such as 502 or --kind reset"),
        (["--json"], "FAULT or at least one field is required"),
        (['{"status": 502'], "argument FAULT: invalid JSON '{\"status\": 502': Expecting ','"),
        (["[502, reset]"], "argument FAULT: invalid JSON '[502, reset]': Expecting value"),
        (["502", "--headers", "x-a: b"], "argument --headers: invalid JSON 'x-a: b'"),
        (["502", "--match", '{"account": KEY}'], "argument --match: invalid JSON"),
    ],
)
def test_faults_add_rejects_missing_fault_and_invalid_json(
    mock: Control, arguments: list[str], message: str
) -> None:
    result = run("faults", "add", *arguments, MOCKVOICE_URL=mock.url)
    assert result.returncode == 2
    assert result.stderr.startswith("usage: mockvoice faults add [-h]")
    assert f"mockvoice faults add: error: {message}" in result.stderr
    assert mock.faults == []


def test_every_fault_field_has_a_flag() -> None:
    assert FIELDS.keys() == {"provider", *get_type_hints(FaultFields)}


def test_server_flags_before_or_after_the_subcommand(mock: Control) -> None:
    other = mock.sandbox("other")
    check_output("faults", "--url", mock.url, "--sandbox", "other", "add", "502")
    check_output("faults", "add", "503", "--url", mock.url, "--sandbox", "other")
    assert [fault.data["status"] for fault in other.faults] == [502, 503]
    assert mock.faults == []
    other.reset()


def test_remove_unknown_fault_exits_with_1(mock: Control) -> None:
    mock.fail(502)
    result = run("faults", "remove", "fault_1", "fault_9", MOCKVOICE_URL=mock.url)
    assert (result.returncode, result.stderr) == (1, "mockvoice: there is no fault fault_9\n")
    assert mock.faults == []

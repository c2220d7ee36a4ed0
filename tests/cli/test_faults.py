"""`mockvoice faults`, and what is done to them."""

from __future__ import annotations

import json
from typing import Any, get_type_hints

import httpx
import pytest

from mockvoice import Control
from mockvoice.cli.faults import FIELDS
from mockvoice.client.models import FaultFields

from .processes import run, told

KEY = {"authorization": "Bearer KEY"}


def test_a_fault_is_added_listed_fired_and_removed(mock: Control) -> None:
    assert told("faults", "--url", mock.url) == "no fault is set\n"
    line = 'fault_1  {"status": 502, "provider": "retell", "times": 1}  fired at'
    added = told("faults", "add", "502", "--provider", "retell", "--times", "1", "--url", mock.url)
    assert added == f"{line} 0 of 0 requests\n"
    url = f"{mock.retell.base_url}/list-voices"
    assert [httpx.get(url, headers=KEY).status_code for _ in range(2)] == [502, 200]
    assert told("faults", "--url", mock.url) == f"{line} 1 of 1 requests\n"
    told("faults", "add", "reset", "--url", mock.url)
    told("faults", "remove", "fault_1", "--url", mock.url)
    assert [each.data for each in mock.faults] == [{"kind": "reset"}]
    told("faults", "add", "503", "--url", mock.url)
    told("faults", "clear", "--url", mock.url)
    assert mock.faults == []


@pytest.mark.parametrize(
    ("arguments", "fault"),
    [
        ([], {}),
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
def test_a_fault_is_said_in_short_or_field_by_field(
    mock: Control, arguments: list[str], fault: dict[str, Any]
) -> None:
    added = json.loads(told("faults", "add", "--json", *arguments, MOCKVOICE_URL=mock.url))
    assert added == {"id": "fault_1", "hits": 0, "matched": 0, **fault}
    assert json.loads(told("faults", "--json", MOCKVOICE_URL=mock.url)) == {"faults": [added]}


def test_every_field_of_a_fault_has_a_flag() -> None:
    assert FIELDS.keys() == {"provider", *get_type_hints(FaultFields)}


def test_the_server_may_be_named_before_or_after_what_is_done(mock: Control) -> None:
    other = mock.sandbox("other")
    told("faults", "--url", mock.url, "--sandbox", "other", "add", "502")
    told("faults", "add", "503", "--url", mock.url, "--sandbox", "other")
    assert [each.data["status"] for each in other.faults] == [502, 503]
    assert mock.faults == []
    other.reset()


def test_what_is_not_there_cannot_be_removed(mock: Control) -> None:
    mock.fail(502)
    done = run("faults", "remove", "fault_1", "fault_9", MOCKVOICE_URL=mock.url)
    assert (done.returncode, done.stderr) == (1, "mockvoice: there is no fault fault_9\n")
    assert mock.faults == []

"""Command `report`."""

from __future__ import annotations

import json
from collections.abc import Iterator
from xml.etree import ElementTree as ET

import httpx
import pytest

import mockvoice
from mockvoice import Control

from .processes import check_output, run


@pytest.fixture(scope="module")
def covered() -> Iterator[Control]:
    """A server whose sandbox `half` has seen half of the documented statuses of one operation."""
    with mockvoice.serve() as control:
        sandbox = control.sandbox("half")
        url = f"{sandbox.telnyx.base_url}/voice_clones/x"
        httpx.get(url)
        httpx.get(url, headers={"authorization": "Bearer KEY"})
        sandbox.reset()
        control.sandbox("other").reset()
        yield control


def test_report_counts_all_sandboxes_or_one(covered: Control) -> None:
    first = "mockvoice coverage: 66.6% (2 of 3 documented statuses of 1 called operation)\n"
    assert check_output("report", "--url", covered.url).startswith(first)
    assert check_output("report", "--sandbox", "half", "--url", covered.url).startswith(first)
    other = check_output("report", "--sandbox", "other", "--url", covered.url)
    assert other == "mockvoice coverage: no requests received\n"


def test_report_formats(covered: Control) -> None:
    def report(format: str) -> str:
        return check_output("report", "--format", format, MOCKVOICE_URL=covered.url)

    assert json.loads(report("json")) == covered.request("GET", "/coverage")
    assert "| `getVoiceClone` | 401 (1), 404 (1) | 200 |\n" in report("markdown")
    assert ET.fromstring(report("junit")).attrib["skipped"] == "1"


def test_minimum_decides_the_exit_code(covered: Control) -> None:
    assert run("report", "--min", "66.6", "--url", covered.url).returncode == 0
    failed = run("report", "--min", "80", "--url", covered.url)
    assert failed.returncode == 1
    assert failed.stderr == "mockvoice: the coverage of 66.6% is below the minimum of 80%\n"
    assert failed.stdout == check_output("report", "--url", covered.url)
    assert run("report", "--all", "--min", "1.5", "--url", covered.url).returncode == 1


@pytest.mark.parametrize("value", ["x", "101", "-1", "nan"])
def test_invalid_minimum_is_a_usage_error(value: str) -> None:
    failed = run("report", f"--min={value}")
    assert failed.returncode == 2
    assert f"--min: must be a number from 0 to 100; got '{value}'" in failed.stderr


def test_clear_begins_anew() -> None:
    with mockvoice.serve() as control:
        httpx.get(f"{control.telnyx.base_url}/voice_clones")
        assert check_output("report", "--clear", "--url", control.url) == ""
        assert control.coverage().operations == ()
        failed = run("report", "--clear", "--min", "1", "--url", control.url)
        assert failed.returncode == 2
        assert "cannot be combined with --min" in failed.stderr


def test_missing_server_exits_1() -> None:
    failed = run("report", "--url", "http://127.0.0.1:1")
    assert failed.returncode == 1
    assert "no mockvoice server at http://127.0.0.1:1" in failed.stderr

"""The pytest plugin's report of the contract coverage of a test run."""

from __future__ import annotations

import json
from xml.etree import ElementTree as ET

import pytest

from .cli.processes import serving
from .test_pytest_plugin import _clean_environment

pytestmark = pytest.mark.slow  # each test runs pytest

__all__ = ["_clean_environment"]  # a fixture

# Two tests that xdist gives to different workers; together they see 2 of 3 documented statuses.
TESTS = """
import httpx
import pytest

def list_clones(mock, **headers):
    return httpx.get(f"{mock.telnyx.base_url}/voice_clones", headers=headers)

@pytest.mark.parametrize("time", range(4))
def test_unauthorized(mockvoice, time):
    assert list_clones(mockvoice).status_code == 401

@pytest.mark.parametrize("time", range(4))
def test_invalid(mockvoice, monkeypatch, time):
    mockvoice.env(monkeypatch)
    mockvoice.telnyx.fail(422, times=1)
    assert list_clones(mockvoice, authorization="Bearer KEY").status_code == 422
    mockvoice.reset()
"""
HEADLINE = "mockvoice coverage: 66.6% (2 of 3 documented statuses of 1 called operation)"
SEEN = "    seen 2 of 3: 401 (4), 422 (4)"


def test_report_is_printed_only_on_request(pytester: pytest.Pytester) -> None:
    pytester.makepyfile(TESTS)
    assert "mockvoice coverage" not in pytester.runpytest("-q").stdout.str()
    result = pytester.runpytest("-q", "--mockvoice-report")
    result.assert_outcomes(passed=8)
    result.stdout.fnmatch_lines(["=* mockvoice coverage *=", HEADLINE, SEEN])
    pytester.makeini("[pytest]\nmockvoice_report = true\n")
    result = pytester.runpytest("-q")
    result.stdout.fnmatch_lines(
        [HEADLINE, "    never 200  A page of clones.", "*- a valid request"]
    )
    assert "mockvoice coverage" not in pytester.runpytest("-q", "--collect-only").stdout.str()


@pytest.mark.slow
def test_xdist_workers_with_own_or_shared_server_are_added_up(
    pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch
) -> None:
    pytester.makepyfile(TESTS)
    arguments = "--mockvoice-report", "-n", "2"
    own = pytester.runpytest_subprocess(*arguments)
    with serving() as (_, url):
        monkeypatch.setenv("MOCKVOICE_URL", url)
        before = pytester.runpytest_subprocess("-q")  # of no interest to the next run
        shared = pytester.runpytest_subprocess(*arguments)
    before.assert_outcomes(passed=8)
    for result in (own, shared):
        result.assert_outcomes(passed=8)
        result.stdout.fnmatch_lines([HEADLINE, SEEN])


@pytest.mark.parametrize(
    ("file", "start"),
    [
        ("new/coverage.md", f"### {HEADLINE}\n"),
        ("coverage.json", '{\n  "percent": 66.6,\n'),
        ("coverage.xml", "<?xml "),
        ("coverage.txt", f"{HEADLINE}\n"),
    ],
)
def test_report_is_written_to_a_file(pytester: pytest.Pytester, file: str, start: str) -> None:
    pytester.makepyfile(TESTS)
    pytester.runpytest(f"--mockvoice-report-file={file}", "--mockvoice-min=80")
    text = (pytester.path / file).read_text()
    assert text.startswith(start)
    if file.endswith(".json"):
        assert json.loads(text)["seen"] == 2
    if file.endswith(".xml"):
        assert ET.fromstring(text).attrib["failures"] == "1"


def test_coverage_below_the_minimum_fails_the_run(pytester: pytest.Pytester) -> None:
    pytester.makepyfile(TESTS)
    result = pytester.runpytest("--mockvoice-min=80")
    assert result.ret == pytest.ExitCode.TESTS_FAILED
    result.stdout.fnmatch_lines(["FAILED: the coverage of 66.6% is below the minimum of 80%"])
    pytester.makeini("[pytest]\nmockvoice_min = 66\n")
    assert pytester.runpytest().ret == pytest.ExitCode.OK
    assert pytester.runpytest("--mockvoice-min=67").ret == pytest.ExitCode.TESTS_FAILED


def test_failed_tests_and_usage_errors_keep_their_exit_code(pytester: pytest.Pytester) -> None:
    pytester.makepyfile("def test_it(mockvoice):\n    pass\n")
    nothing = pytester.runpytest("--mockvoice-min=1", "-k", "no_such_test")
    assert nothing.ret == pytest.ExitCode.NO_TESTS_COLLECTED
    result = pytester.runpytest("--mockvoice-min=most")
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    result.stderr.fnmatch_lines(["*mockvoice_min must be a number from 0 to 100; got 'most'"])


def test_run_without_requests_has_no_coverage(pytester: pytest.Pytester) -> None:
    pytester.makepyfile("def test_it(mockvoice):\n    pass\n")
    result = pytester.runpytest("--mockvoice-min=1")
    assert result.ret == pytest.ExitCode.TESTS_FAILED
    result.stdout.fnmatch_lines(["mockvoice coverage: no requests received"])


def test_sandboxes_of_the_server_fixture_count(
    pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen = "    seen 1 of 3: 401 (1)"
    pytester.makepyfile(
        """
        import httpx

        def test_it(mockvoice_server):
            httpx.get(f"{mockvoice_server.sandbox('mine').telnyx.base_url}/voice_clones")
        """
    )
    pytester.runpytest("--mockvoice-report").stdout.fnmatch_lines([seen])
    with serving() as (_, url):
        monkeypatch.setenv("MOCKVOICE_URL", url)
        pytester.runpytest("--mockvoice-report").stdout.fnmatch_lines([seen])

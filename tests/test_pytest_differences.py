"""The pytest option `--mockvoice-upstream`."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from .test_pytest_plugin import _clean_environment
from .upstream.stand_in import StandIn, as_json, stand_in

pytestmark = pytest.mark.slow  # each test runs pytest

__all__ = ["_clean_environment"]  # a fixture

# As users write them; nothing in them knows of a live service.
TESTS = """
import httpx
import pytest

@pytest.mark.parametrize("time", range(4))
def test_voice(mockvoice, time):
    url = f"{mockvoice.retell.base_url}/list-voices"
    assert httpx.get(url, headers={"authorization": "Bearer sk_live_4711_secret"}).is_success
    assert mockvoice.retell.requests.last.status == 200
"""
DIFFERENCE = "  listVoices 200: retyped /: live {}, mock *  (4 requests, first test_voice-*"


@pytest.fixture
def live() -> Iterator[StandIn]:
    with stand_in() as service:
        yield service


def test_tests_run_through_the_live_service_and_differences_are_printed(
    pytester: pytest.Pytester, live: StandIn
) -> None:
    pytester.makepyfile(TESTS)
    result = pytester.runpytest("-q", "--mockvoice-upstream", f"retell={live.url}")
    result.assert_outcomes(passed=4)
    assert len(live.received) == 4
    result.stdout.fnmatch_lines(
        ["=* mockvoice differences *=", "1 difference in 4 requests", DIFFERENCE]
    )
    assert "sk_live_4711_secret" not in result.stdout.str()


def test_agreement_is_printed(pytester: pytest.Pytester, live: StandIn) -> None:
    live.reply = lambda request: as_json([])
    pytester.makepyfile(TESTS)
    result = pytester.runpytest("-q", "--mockvoice-upstream", f"retell={live.url}")
    result.stdout.fnmatch_lines(["no differences in 4 requests"])


def test_xdist_workers_are_added_up(pytester: pytest.Pytester, live: StandIn) -> None:
    pytester.makepyfile(TESTS)
    arguments = "--mockvoice-upstream", f"retell={live.url}", "-n", "2"
    result = pytester.runpytest_subprocess(*arguments)
    result.assert_outcomes(passed=4)
    result.stdout.fnmatch_lines(["1 difference in 4 requests", DIFFERENCE])


@pytest.mark.parametrize(
    ("value", "message"),
    [("retell", "must be NAME=URL"), ("retel=http://x", "retell"), ("retell=x", "must be a URL")],
)
def test_unusable_upstream_is_an_error(pytester: pytest.Pytester, value: str, message: str) -> None:
    pytester.makepyfile(TESTS)
    result = pytester.runpytest("-q", "--mockvoice-upstream", value)
    assert result.ret != pytest.ExitCode.OK
    assert message in result.stdout.str() + result.stderr.str()


def test_server_of_its_own_is_required(
    pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MOCKVOICE_URL", "http://127.0.0.1:4010")
    result = pytester.runpytest("-q", "--mockvoice-upstream", "retell=http://127.0.0.1:1")
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    assert "MOCKVOICE_URL is set" in result.stderr.str()

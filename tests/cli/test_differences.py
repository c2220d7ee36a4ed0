"""Command `report --differences`."""

from __future__ import annotations

import json
from collections.abc import Iterator

import httpx
import pytest

import mockvoice
from mockvoice import Control

from ..upstream.stand_in import StandIn, as_json, stand_in
from .processes import check_output, run

VOICE = {
    "voice_id": "custom_voice_0123",
    "voice_name": "narrator",
    "provider": "elevenlabs",
    "gender": "female",
    "voice_type": "custom",
    "avatar_url": "https://live.example.com/a.png",
    "preview_audio_url": "https://live.example.com/a.mp3",
}
MISSING = {"status": "error", "message": "Nothing | here."}


@pytest.fixture(scope="module")
def live() -> Iterator[StandIn]:
    with stand_in() as service:
        yield service


@pytest.fixture(scope="module")
def compared(live: StandIn) -> Iterator[Control]:
    """A server that has compared requests in three sandboxes: equal, other values, other status."""
    with mockvoice.serve(upstream={"retell": live.url}) as control:

        def get(sandbox: str, voice_id: str) -> None:
            url = f"{control.sandbox(sandbox).retell.base_url}/get-voice/{voice_id}"
            httpx.get(url, headers={"authorization": "Bearer KEY"})

        live.reply = lambda request: as_json(MISSING, 422)
        for number in range(2):
            get("equal", str(number))
        live.reply = lambda request: as_json({**MISSING, "status": "failed"}, 422)
        get("codes", "3")
        live.reply = lambda request: as_json({**VOICE, "quality": "a|b"}, 200)
        for sandbox in ("codes", "added"):
            get(sandbox, VOICE["voice_id"])
        live.reply = lambda request: as_json(MISSING, 410)
        get("status", "4")
        yield control


def test_agreement_is_one_line(compared: Control) -> None:
    output = check_output("report", "--differences", "--sandbox", "equal", "--url", compared.url)
    assert output == "no differences in 2 requests\n"


def test_each_difference_is_one_line_with_operation_location_and_values(
    compared: Control, live: StandIn
) -> None:
    output = check_output("report", "--differences", "--url", compared.url)
    assert output.splitlines() == [
        "3 differences in 6 requests",
        "",
        f"retell, edition 2026-08, and {live.url}",
        (
            '  getVoice 422: code /status: live "failed", mock "error"  (1 request, first'
            " codes/request_1)"
        ),
        (
            '  getVoice 200: added /quality: live "a|b", mock none  (2 requests, first'
            " codes/request_2)"
        ),
        "  getVoice 410: status: live 410, mock 422  (1 request, first status/request_1)",
    ]


def test_markdown_is_a_table(compared: Control, live: StandIn) -> None:
    output = check_output(
        "report", "--differences", "--format", "markdown", MOCKVOICE_URL=compared.url
    )
    assert output.startswith("### 3 differences in 6 requests\n\nmockvoice ")
    assert f"#### retell, edition 2026-08, and {live.url}\n" in output
    assert '| `getVoice` 200 | added | `/quality` | `"a\\|b"` | none | 2 |\n' in output


def test_json_is_that_of_the_control_api(compared: Control) -> None:
    output = check_output("report", "--differences", "--format", "json", MOCKVOICE_URL=compared.url)
    assert json.loads(output) == compared.request("GET", "/differences")


@pytest.mark.parametrize(
    ("sandbox", "level", "code"),
    [
        ("equal", "shape", 0),
        ("codes", "status", 0),
        ("codes", "shape", 1),
        ("added", "shape", 1),
        ("status", "status", 1),
    ],
)
def test_fail_on_decides_the_exit_code(
    compared: Control, sandbox: str, level: str, code: int
) -> None:
    arguments = ["report", "--differences", "--fail-on", level, "--sandbox", sandbox]
    done = run(*arguments, "--url", compared.url)
    assert done.returncode == code, done.stderr
    assert bool(done.stderr) == bool(code)


def test_nothing_compared_fails_and_says_why(compared: Control) -> None:
    compared.sandbox("idle").reset()
    done = run(
        "report", "--differences", "--fail-on", "status", "--sandbox", "idle", "--url", compared.url
    )
    assert done.returncode == 1
    assert "start mockvoice with --upstream" in done.stderr


@pytest.mark.parametrize(
    "arguments",
    [
        ("--fail-on", "status"),
        ("--differences", "--min", "5"),
        ("--differences", "--format", "junit"),
        ("--differences", "--clear"),
    ],
)
def test_contradicting_options_are_usage_errors(
    compared: Control, arguments: tuple[str, ...]
) -> None:
    done = run("report", *arguments, "--url", compared.url)
    assert (done.returncode, "--differences" in done.stderr) == (2, True)

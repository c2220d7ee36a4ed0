"""The command line, as a process of its own."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx
import pytest

from mockvoice import __version__

from .contract.contracts import OPERATIONS


def run(*arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "mockvoice", *arguments],
        capture_output=True,
        text=True,
        timeout=30,
        check=False,
        env={**os.environ, **environment},
    )


@contextmanager
def serving(*arguments: str, **environment: str) -> Iterator[tuple[list[str], str]]:
    """`mockvoice serve` on a free port: its first lines, and the URL."""
    with subprocess.Popen(
        [sys.executable, "-m", "mockvoice", "serve", "--port", "0", *arguments],
        stdout=subprocess.PIPE,
        text=True,
        env={**os.environ, **environment},
    ) as process:
        assert process.stdout
        try:
            lines = [process.stdout.readline() for _ in range(5)]
            yield lines, lines[-1].split()[1].removesuffix("/__mockvoice")
        finally:
            process.send_signal(signal.SIGTERM)
            assert process.wait(5) in (0, -signal.SIGTERM)


def test_serve_prints_a_line_for_each_provider_and_answers() -> None:
    with serving() as (lines, url):
        assert [line.split()[0] for line in lines] == [
            "faseeh",
            "retell",
            "supertone",
            "telnyx",
            "mockvoice",
        ]
        assert lines[3].split()[1:] == [f"{url}/telnyx/v2", "authorization:", "Bearer", "KEY"]
        health = httpx.get(f"{url}/__mockvoice/health").json()
        assert health == {
            "status": "ok",
            "version": __version__,
            "providers": ["faseeh", "retell", "supertone", "telnyx"],
        }


def test_a_flag_wins_over_the_environment_and_that_over_a_file(tmp_path: Path) -> None:
    file = tmp_path / "mockvoice.yaml"
    file.write_text("audio: any\nlimits: documented\naccounts: {supertone: {k: {tier: free}}}\n")
    key = {"x-sup-api-key": "k"}
    sample = {"files": b"Example data"}
    with serving("--config", str(file), "--audio", "strict", MOCKVOICE_AUDIO="any") as (_, url):
        path = f"{url}/supertone/v1/custom-voices/cloned-voice"
        assert httpx.post(path, headers=key, files=sample).status_code == 403
        other = {"x-sup-api-key": "other"}
        refused = httpx.post(path, headers=other, files=sample, data={"name": "n"})
        assert refused.status_code == 415
    with serving(MOCKVOICE_AUDIO="any") as (_, url):
        path = f"{url}/supertone/v1/custom-voices/cloned-voice"
        assert httpx.post(path, headers=key, files=sample, data={"name": "n"}).status_code == 200


def test_a_port_that_is_taken_is_told_with_what_to_do() -> None:
    with serving() as (_, url):
        port = url.rpartition(":")[2]
        done = run("serve", "--port", port)
        assert done.returncode == 2
        assert done.stderr == (
            f"mockvoice: cannot listen on 127.0.0.1 port {port}: Address already in use;"
            " stop what listens there, or choose another --port (0 takes a free one)\n"
        )


@pytest.mark.parametrize(
    ("arguments", "environment", "told"),
    [
        (["--audio", "loud"], {}, "invalid choice: 'loud'"),
        (["--port", "x"], {}, "invalid int value: 'x'"),
        (["--speed", "1"], {}, "unrecognized arguments"),
        ([], {"MOCKVOICE_PORT": "x"}, "MOCKVOICE_PORT must be a whole number; got 'x'"),
        ([], {"MOCKVOICE_AUDIO": "x"}, "audio must be strict or any; got 'x'"),
        ([], {"MOCKVOICE_DIAGNOSTICS": "x"}, "MOCKVOICE_DIAGNOSTICS must be true or false"),
        (["--config", "no-such-file"], {}, "no-such-file"),
    ],
)
def test_a_setting_that_cannot_be_is_told_by_its_name(
    arguments: list[str], environment: dict[str, str], told: str
) -> None:
    done = run("serve", *arguments, **environment)
    assert done.returncode == 2
    assert told in done.stderr
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("speed: 1", "unknown setting 'speed'; settings are accounts, audio"),
        ("- a", "not a mapping"),
        ("a: [", "while parsing"),
        ("port: '1'", "port must be a whole number; got '1'"),
        ("port: true", "port must be a whole number; got True"),
        ("diagnostics: 1", "diagnostics must be true or false; got 1"),
        ("accounts: []", "accounts must be a mapping; got []"),
        ("accounts: {retell: }", "accounts.retell must be a mapping; got None"),
        ("accounts: {retell: {5: {}}}", "accounts.retell: the key 5 must be text; quote it"),
        ("accounts: {retell: {k: 5}}", "accounts.retell.k must be an object; got 5"),
        (
            "accounts: {retell: {k: {trial: true}}}",
            "accounts.retell.k.trial is not known here; did you mean trial_ended?",
        ),
        ("accounts: {faseeh: {k: {credit: no}}}", "credit must be a number or null; got false"),
        (
            "accounts: {faseeh: {k: {limits: {at_onse: {most: 1}}}}}",
            "limits.at_onse must be one of at_once, requests; got at_onse; did you mean at_once?",
        ),
        (
            "accounts: {faseeh: {k: {limits: {at_once: 1}}}}",
            "limits.at_once must be an object; got 1",
        ),
        ("accounts: {telnix: {}}", "accounts must name one of faseeh, retell, supertone, telnyx;"),
    ],
)
def test_a_file_that_cannot_be_read_is_told(tmp_path: Path, text: str, told: str) -> None:
    file = tmp_path / "mockvoice.yaml"
    file.write_text(text)
    done = run("serve", "--config", str(file))
    assert done.returncode == 2
    assert told in done.stderr


def test_the_version_is_printed() -> None:
    assert run("--version").stdout == f"mockvoice {__version__}\n"


def test_routes_lists_every_operation_and_whether_it_remembers() -> None:
    lines = run("routes").stdout.splitlines()
    listed = {tuple(line.split()[:3]): line.split(maxsplit=3)[3] for line in lines}
    assert len(lines) == len(OPERATIONS)
    for operation in OPERATIONS:
        path = operation.contract.base_path + operation.path
        told = listed[operation.method, path, operation.node["operationId"]]
        assert told in ("remembers", "always the same")
    assert listed["GET", "/telnyx/v2/voice_clones", "listVoiceClones"] == "remembers"
    assert listed["GET", "/faseeh/api/v1/models", "listModels"] == "always the same"

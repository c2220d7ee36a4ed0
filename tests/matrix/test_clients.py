"""The matrix of clients: its data, and stories with SDKs that the tests have anyway."""

from __future__ import annotations

import re
import sys
from pathlib import Path

import pytest

from mockvoice import Control
from mockvoice.providers import built_in

from ..markdown import ROOT
from .run import COLUMNS, COMMANDS, STORIES, Client, Outcome, main, read_clients, table, tell

CLIENTS = read_clients()


def client_of(package: str, version: str) -> Client:
    (client,) = [
        client
        for client in CLIENTS
        if (client.package, client.version, client.language) == (package, version, "python")
    ]
    return client


def test_clients_name_programs_and_steps_that_exist() -> None:
    for client in CLIENTS:
        assert (STORIES / client.program).is_file(), client
        assert client.language in COMMANDS
        assert {*client.story.steps} <= {*COLUMNS}


def test_each_edition_has_a_client() -> None:
    for provider in built_in():
        editions = {client.edition for client in CLIENTS if client.story.provider == provider.name}
        assert editions == {*provider.editions}


def test_page_of_each_provider_lists_its_clients() -> None:
    for client in CLIENTS:
        page = (ROOT / f"docs/providers/{client.story.provider}.md").read_text(encoding="utf-8")
        _, _, section = page.partition("## Verified clients")
        rows = [row for row in section.splitlines() if f"`{client.package}`" in row]
        assert any(client.version in row for row in rows), client


def test_newest_sdks_are_those_of_the_other_tests() -> None:
    locked = (ROOT / "dev.lock").read_text(encoding="utf-8")
    for package in ("telnyx", "retell-sdk", "supertone"):
        versions = [client.version for client in CLIENTS if client.package == package]
        newest = re.findall(rf"^{package}==([\d.]+)", locked, re.MULTILINE)
        assert {*newest} <= {*versions}


@pytest.mark.slow
@pytest.mark.parametrize(
    ("package", "version"),
    [("telnyx", "4.189.0"), ("retell-sdk", "6.2.13"), ("supertone", "0.2.3")],
)
def test_story_is_told_with_the_installed_sdk(
    mockvoice: Control, wav: bytes, tmp_path: Path, package: str, version: str
) -> None:
    (tmp_path / "sample.wav").write_bytes(wav)
    client = client_of(package, version)
    outcome = tell(client, [sys.executable, "-P", STORIES / client.program], mockvoice, tmp_path)
    assert outcome == Outcome(client, client.story.steps)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("program", "problem"),
    [
        ("print('clone')", "expected the requests\n  cloneVoice 201 1"),
        ("print('clone'); raise SystemExit('no sample')", "exit code 1\nclone\nno sample"),
    ],
)
def test_story_that_is_not_told_to_the_end_is_a_problem(
    mockvoice: Control, tmp_path: Path, program: str, problem: str
) -> None:
    client = client_of("retell-sdk", "6.2.13")
    outcome = tell(client, [sys.executable, "-c", program], mockvoice, tmp_path)
    assert outcome.problem.startswith(problem)
    *_, row = table([outcome]).splitlines()
    assert row.startswith("| retell | 2026-08 | python | retell-sdk | 6.2.13 | ok | **no** | - |")
    assert row.endswith("see below")


def test_unknown_client_lists_the_words_that_select_clients(
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert main(["ruby"]) == 2
    assert "no client matches ruby: 0.9.0, 0.9.6, 2026-03-20" in capsys.readouterr().err

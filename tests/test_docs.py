"""What the documents say is so."""

from __future__ import annotations

import json
import os
import re
import shlex
import subprocess
import sys
from pathlib import Path

import httpx
import pytest
import yaml

import mockvoice
from mockvoice import __version__
from mockvoice.cli import COMMANDS
from mockvoice.config.settings import Settings, is_flag, table, variable
from mockvoice.redact import mask_key

from .cli.processes import MOCKVOICE, free_port, serving
from .cli.processes import clean_environ as surroundings
from .contract.contracts import OPERATIONS, Contract
from .sdk.test_node import node

ROOT = Path(__file__).parents[1]
README = (ROOT / "README.md").read_text()


def blocks(language: str, text: str = README) -> list[str]:
    return re.findall(rf"```{language}\n(.*?)```", text, re.DOTALL)


def section(title: str) -> str:
    return README.partition(f"\n## {title}\n")[2].partition("\n## ")[0]


def test_the_two_commands_stand_first() -> None:
    first = re.search(r"```console\n(.*?)```", README, re.DOTALL)
    assert first
    assert [line.split("#")[0].split() for line in first[1].splitlines()] == [
        ["$", "make", "run"],
        ["$", "make", "test"],
    ]


@pytest.mark.parametrize("script", blocks("bash"))
def test_the_curl_lines_succeed(script: str, tmp_path: Path) -> None:
    with serving() as (_, url):
        script = "set -e\n" + script.replace("http://127.0.0.1:4010", url)
        done = subprocess.run(
            ["bash", "-c", script], cwd=tmp_path, capture_output=True, text=True, check=False
        )
        assert done.returncode == 0, done.stderr
        assert done.stdout
        assert done.stdout.count("narrator") >= script.count("=narrator")


def test_the_python_blocks_are_well_typed(tmp_path: Path) -> None:
    for number, block in enumerate(blocks("python")):
        (tmp_path / f"block_{number}.py").write_text(block)
    done = run_mypy(tmp_path)
    assert done.returncode == 0, done.stdout


def run_mypy(folder: Path) -> subprocess.CompletedProcess[str]:
    """Check all files of a folder as strictly as our own."""
    return subprocess.run(
        [sys.executable, "-m", "mypy", "--strict", "--cache-dir", ROOT / ".mypy_cache", folder],
        env=surroundings(),
        capture_output=True,
        text=True,
        check=False,
    )


def test_wrong_names_are_errors_to_a_type_checker(tmp_path: Path) -> None:
    wrong = [
        "mock.telnix",
        "mock.telnyx.fail('resett')",
        "mock.telnyx.fail(502, retry_afer=1)",
        "mock.telnyx.sequence([502], operatoin='x')",
        "mock.telnyx.account('key', teir='free')",
        "mock.requests.last.stauts",
        "mock.sample('aiff')",
    ]
    lines = ["import mockvoice", "mock = mockvoice.connect('x')", *wrong]
    (tmp_path / "wrong.py").write_text("\n".join(lines))
    told = run_mypy(tmp_path).stdout
    found = {int(number) for number in re.findall(r"wrong\.py:(\d+): error", told)}
    assert found == {*range(3, 3 + len(wrong))}, told


def test_the_python_blocks_do_what_they_say(tmp_path: Path) -> None:
    tests, script = blocks("python", section("In your tests"))
    (tmp_path / "test_readme.py").write_text(tests)
    (tmp_path / "readme.py").write_text(script)
    for command in (["-m", "pytest", "-q", "-p", "no:asyncio"], ["readme.py"]):
        done = subprocess.run(
            [sys.executable, *command],
            cwd=tmp_path,
            env=surroundings(),
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, done.stdout + done.stderr


def test_the_provider_of_your_own_is_served(tmp_path: Path) -> None:
    text = section("A provider of your own")
    for block in (*blocks("yaml", text), *blocks("python", text)):
        name = block.partition("\n")[0].removeprefix("# ")
        (tmp_path / name).write_text(block)
    (given,) = {*re.findall(r"acme=[\w.:]+", text)}
    with serving("--provider", given, cwd=tmp_path) as (_, url):
        acme = mockvoice.connect(url).provider("acme")
        assert acme.base_url == f"{url}/acme/v9"
        assert httpx.post(f"{acme.base_url}/songs", json={"name": "x"}).status_code == 201
        (song,) = httpx.get(f"{acme.base_url}/songs").json()["songs"]
        assert acme.voices[song["id"]].data == song
        assert httpx.post(f"{acme.base_url}/songs", json={}).json() == {"error": "wrong"}


def test_the_control_object_has_what_its_table_names() -> None:
    rows = section("In your tests").partition("| on `mockvoice`")[2]
    with mockvoice.serve() as mock:
        for name in re.findall(r"`(?:mockvoice\.)?(\w+)", rows):
            assert any(hasattr(each, name) for each in (mock, mock.telnyx)) or name in NOT_ON_IT


NOT_ON_IT = {"mockvoice", "telnyx", "hits", "with", "await"}


def test_the_tables_of_faults_are_those_of_the_contract() -> None:
    schemas = Contract("mockvoice").document["components"]["schemas"]
    fields, kinds = section("Failures").split("\n| kind |")
    told = [name for row in rows(fields) for name in re.findall(r"`(\w+)`", row.split("|")[1])]
    assert {*told} == {*schemas["Fault"]["properties"], *schemas["Sequence"]["properties"]}
    assert len({*told}) == len(told)
    assert [row.split("`")[1] for row in rows(kinds)] == schemas["Kind"]["enum"]
    defaults = {k: v.get("default") for k, v in schemas["Fault"]["properties"].items()}
    for name in ("skip", "every", "probability"):
        assert re.search(rf"`{name}`[^|]*\|[^|]*\b{defaults[name]}\b", fields)


def rows(text: str) -> list[str]:
    return [line for line in text.splitlines() if line.startswith("| `")]


def test_the_table_of_the_control_api_is_that_of_its_contract() -> None:
    rows = [
        f"| `{each.method} {each.path}` | {each.node['summary']} |"
        for each in OPERATIONS
        if each.contract.name == "mockvoice"
    ]
    expected = "\n".join(["<!-- control -->", "| | |", "|---|---|", *rows, "<!-- end -->"])
    assert expected in README, f"write into README.md:\n{expected}"


def test_the_lines_for_node_print_what_they_say() -> None:
    (script,) = blocks("js")
    with serving() as (_, url):
        printed = node(
            "--input-type=module", "-", script=script.replace("http://127.0.0.1:4010", url)
        )
    told = re.findall(r"^console\.log.*; // (.*)$", script, re.MULTILINE)
    assert told
    assert printed.splitlines() == told


def test_the_configuration_file_does_what_it_says(tmp_path: Path) -> None:
    (text,) = blocks("yaml", section("Configuration file"))
    file, said = tmp_path / "mockvoice.yaml", yaml.safe_load(text)
    file.write_text(text)
    schema = re.match(r"# yaml-language-server: \$schema=(\S+)\n", text)
    assert schema
    assert (ROOT / schema[1]).is_file()
    with serving("--config", str(file)) as (_, url):
        mock = mockvoice.connect(f"{url}/~reader")
        for fault, wanted in zip(mock.faults, said["faults"], strict=True):
            account = wanted.get("match", {}).get("account")
            shown = {"match": {"account": mask_key(account)}} if account else {}
            assert fault.data == {**wanted, **shown}
        for voice, wanted in zip(mock.voices, said["voices"], strict=True):
            assert voice.provider == wanted["provider"]
            assert voice.data == {**voice.data, **wanted["data"]}
            assert voice.id == wanted.get("id", voice.id)
        for provider, keys in said["accounts"].items():
            for key, state in keys.items():
                account = mock.provider(provider).account(key)
                assert {name: getattr(account, name) for name in state} == state
        mock.clear_faults()
        clone = mock.retell.base_url + "/clone-voice"
        trial = {"authorization": "Bearer key_trial"}
        form = {"voice_name": "n", "voice_provider": "elevenlabs"}
        refused = httpx.post(clone, headers=trial, data=form, files={"files": b"Example data"})
        assert refused.status_code == 402


def test_every_clone_operation_is_in_the_table_with_documented_statuses_only() -> None:
    rows = [row for row in section("What is refused, and with what").splitlines() if "| " in row]
    clones = [each for each in OPERATIONS if "clone" in each.path and each.method == "POST"]
    assert len(clones) == 5
    for operation in clones:
        name = f"{operation.contract.name.capitalize()} `{operation.method} {operation.path}`"
        (row,) = [row for row in rows if name in row]
        told = {int(status) for status in re.findall(r"\b[2-5]\d\d\b", row)}
        assert 401 in told
        assert told <= set(operation.responses)


def test_the_table_of_settings_is_that_of_the_code() -> None:
    rows = ["| setting | environment | default | |", "|---|---|---|---|"]
    for setting in table():
        name = f"`{variable(setting)}`" if is_flag(setting) else "file only"
        value = getattr(Settings(), setting.name)
        default = str(value).lower() if is_flag(setting) else json.dumps(value)
        rows.append(f"| `{setting.name}` | {name} | `{default}` | {setting.metadata['help']} |")
    expected = "<!-- settings -->\n" + "\n".join(rows) + "\n<!-- end -->"
    assert expected in README, f"write into README.md:\n{expected}"


def test_the_table_of_verbs_is_that_of_the_code() -> None:
    rows = ["| verb | what it does | example |", "|---|---|---|"]
    rows += [f"| `{verb.name}` | {verb.help} | `{verb.example}` |" for verb in COMMANDS]
    expected = "\n".join(["<!-- verbs -->", *rows, "<!-- end -->"])
    assert expected in README, f"write into README.md:\n{expected}"


def test_the_job_of_the_command_line_runs(tmp_path: Path) -> None:
    (script,) = blocks("sh", section("Command line"))
    command = tmp_path / "bin/mockvoice"
    command.parent.mkdir()
    command.write_text(f'#!/bin/sh\nexec {shlex.join(MOCKVOICE)} "$@"\n')
    command.chmod(0o755)
    path = f"{command.parent}:{os.environ['PATH']}"
    done = subprocess.run(
        ["sh", "-e", "-c", script],
        cwd=tmp_path,
        env=surroundings(PATH=path, MOCKVOICE_PORT=str(free_port())),
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert "retell cloneVoice  POST /retell/clone-voice  -> 503, status (fault_1)" in done.stdout
    logged = (tmp_path / "requests.jsonl").read_text().splitlines()
    assert [json.loads(line)["status"] for line in logged] == [503, 201]


def test_the_changelog_knows_this_version() -> None:
    headings = re.findall(r"^## \[(.+?)\]", (ROOT / "CHANGELOG.md").read_text(), re.MULTILINE)
    assert headings[0] == "Unreleased"
    assert __version__ in headings or headings == ["Unreleased"]


def test_every_dependency_has_its_reason() -> None:
    pyproject = (ROOT / "pyproject.toml").read_text()
    listed = re.search(r"^dependencies = \[(.*?)\]", pyproject, re.DOTALL | re.MULTILINE)
    assert listed
    rows = section("What it is made of")
    for name in re.findall(r'"([\w-]+)', listed[1]):
        assert re.search(rf"^\|[^|]*\b{name}\b", rows, re.MULTILINE), name


def test_every_room_is_in_the_picture() -> None:
    picture = section("What it is made of")
    for path in (ROOT / "mockvoice").iterdir():
        if path.suffix == ".py" and not path.name.startswith("__"):
            assert f"  {path.name}" in picture, path.name
        elif path.is_dir() and (path / "__init__.py").exists():
            assert f"  {path.name}/" in picture, path.name

"""What the documents say is so."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path

from mockvoice import __version__
from mockvoice.settings import is_flag, table, variable

from .contract.contracts import OPERATIONS
from .sdk.test_node import node
from .test_cli import serving

ROOT = Path(__file__).parents[1]
README = (ROOT / "README.md").read_text()


def blocks(language: str) -> list[str]:
    return re.findall(rf"```{language}\n(.*?)```", README, re.DOTALL)


def section(title: str) -> str:
    return README.partition(f"\n## {title}\n")[2].partition("\n## ")[0]


def test_the_two_commands_stand_first() -> None:
    first = re.search(r"```console\n(.*?)```", README, re.DOTALL)
    assert first
    assert [line.split("#")[0].split() for line in first[1].splitlines()] == [
        ["$", "make", "run"],
        ["$", "make", "test"],
    ]


def test_the_curl_lines_succeed(tmp_path: Path) -> None:
    (script,) = blocks("bash")
    with serving() as (_, url):
        script = "set -e\n" + script.replace("http://127.0.0.1:4010", url)
        done = subprocess.run(
            ["bash", "-c", script], cwd=tmp_path, capture_output=True, text=True, check=False
        )
        assert done.returncode == 0, done.stderr
        assert done.stdout.count("narrator") >= 4


def test_the_lines_for_node_print_what_they_say() -> None:
    (script,) = blocks("js")
    with serving() as (_, url):
        printed = node(
            "--input-type=module", "-", script=script.replace("http://127.0.0.1:4010", url)
        )
    told = re.findall(r"^console\.log.*; // (.*)$", script, re.MULTILINE)
    assert told
    assert printed.splitlines() == told


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
        default = "{}" if not is_flag(setting) else str(setting.default).lower()
        rows.append(f"| `{setting.name}` | {name} | `{default}` | {setting.metadata['help']} |")
    expected = "<!-- settings -->\n" + "\n".join(rows) + "\n<!-- end -->"
    assert expected in README, f"write into README.md:\n{expected}"


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

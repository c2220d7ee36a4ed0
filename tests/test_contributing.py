"""The walkthroughs of CONTRIBUTING.md: their diffs apply to the code, and their tests pass."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from .cli.processes import clean_environ
from .markdown import ROOT, page

pytestmark = pytest.mark.slow

CONTRIBUTING = page("CONTRIBUTING.md")
# The walkthroughs, each with a word in the names of all tests of its change.
WALKTHROUGHS = {"operation": "folder", "fault kind": "bom", "provider": "globex"}
COPIED = ["mockvoice", "specs", "tests", "pyproject.toml"]
IGNORED = shutil.ignore_patterns("node_modules", "__pycache__")


@pytest.mark.parametrize("name", WALKTHROUGHS)
def test_walkthrough_works(name: str, tmp_path: Path) -> None:
    for entry in COPIED:
        if (ROOT / entry).is_dir():
            shutil.copytree(ROOT / entry, tmp_path / entry, ignore=IGNORED)
        else:
            shutil.copy(ROOT / entry, tmp_path)
    diffs = [block.text for block in CONTRIBUTING.blocks if block.title == name]
    for diff in diffs:
        applied = subprocess.run(
            ["git", "apply", "--recount", "-"],
            cwd=tmp_path,
            input=diff,
            capture_output=True,
            text=True,
            check=False,
        )
        assert applied.returncode == 0, f"{applied.stderr}\n{diff}"
    changed = re.findall(r"^\+\+\+ b/(\S+)", "\n".join(diffs), re.MULTILINE)
    tests = [path for path in changed if path.startswith("tests/")]
    assert tests
    pytest_command = ["-m", "pytest", "-q", "-p", "no:cacheprovider"]
    for command in (
        [*pytest_command, *tests, "-k", WALKTHROUGHS[name]],
        [*pytest_command, "tests/test_architecture.py"],
        ["-m", "ruff", "check", *(path for path in changed if path.endswith(".py"))],
        ["-m", "ruff", "format", "--check", *(path for path in changed if path.endswith(".py"))],
    ):
        done = subprocess.run(
            [sys.executable, *command],
            cwd=tmp_path,
            env=clean_environ(PYTHONPATH=str(tmp_path)),
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, done.stdout + done.stderr


def test_walkthroughs_add_an_operation_a_fault_kind_and_a_provider() -> None:
    found = {block.title for block in CONTRIBUTING.blocks if block.language == "diff"}
    assert found == {*WALKTHROUGHS}

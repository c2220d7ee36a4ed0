"""The environment that the Makefile makes: its Python, and one that has become useless."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

import pytest

from .markdown import ROOT

# Stand-ins for interpreters: a real environment would take minutes and the network.
OLD = """#!/bin/sh
case "$1" in
-c) exit 1 ;;
--version) echo Python 3.10.14 ;;
-m) mkdir -p .venv/bin && cp "$0" .venv/bin/python ;;
esac
"""
NEW = """#!/bin/sh
[ "$1" = -c ] || echo "$*" >> calls
case "$*" in
"-m venv --clear .venv") rm -rf .venv && mkdir -p .venv/bin && cp "$0" .venv/bin/python ;;
esac
"""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A checkout with an old and a new Python."""
    for name in ("Makefile", "pyproject.toml", "build.lock", "image.lock"):
        shutil.copy(ROOT / name, tmp_path)
    for name, script in (("old", OLD), ("new", NEW)):
        (tmp_path / name).write_text(script)
        (tmp_path / name).chmod(0o755)
    return tmp_path


def make_run(folder: Path, python: str) -> subprocess.CompletedProcess[str]:
    environ = {k: v for k, v in os.environ.items() if k not in ("MAKEFLAGS", "MAKELEVEL")}
    return subprocess.run(
        ["make", "run", f"PYTHON={python}"],
        cwd=folder,
        env=environ,
        capture_output=True,
        text=True,
        check=False,
    )


def calls(folder: Path) -> list[str]:
    """Return the commands that the new Python has got since the last call."""
    lines = (folder / "calls").read_text().splitlines()
    (folder / "calls").unlink()
    return lines


def test_unsupported_python_is_refused_before_an_environment_is_made(folder: Path) -> None:
    for python, found in (("./old", "Python 3.10.14"), ("./missing", "not found")):
        done = make_run(folder, python)
        assert done.returncode == 2
        assert "mockvoice needs Python 3.11 or newer" in done.stderr
        assert found in done.stderr
        assert "make run PYTHON=python3.12" in done.stderr
        assert not (folder / ".venv").exists()
    assert make_run(folder, "./new").returncode == 0
    assert calls(folder)[-1] == "-m mockvoice serve"


@pytest.mark.parametrize("reason", ["too old", "gone"])
def test_environment_of_a_useless_python_is_made_anew(folder: Path, reason: str) -> None:
    (folder / ".venv/bin").mkdir(parents=True)
    if reason == "too old":
        shutil.copy(folder / "old", folder / ".venv/bin/python")
    (folder / ".venv/run").touch()  # as if everything were installed
    assert make_run(folder, "./new").returncode == 0
    made = calls(folder)
    assert made[0] == "-m venv --clear .venv"
    assert "install" in made[1]
    assert make_run(folder, "./new").returncode == 0
    assert calls(folder) == ["-m mockvoice serve"]

"""Environments for packages of others, in `.sdks/`: made once, and anew when their list changes."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from .markdown import ROOT

SDKS = ROOT / ".sdks"
_BIN = "Scripts" if os.name == "nt" else "bin"


class Unavailable(Exception):
    """A program or a package cannot be had on this machine."""


def program(name: str, install: str) -> str:
    """Return the path of a program. Raises Unavailable with what to install."""
    found = shutil.which(name)
    if found is None:
        raise Unavailable(f"{name} is missing: install {install}")
    return found


def make_once(folder: Path, content: str, make: Callable[[], None]) -> Path:
    """Return a folder that was made for this content; otherwise empty it and make it."""
    stamp = folder / "made-from"
    if not stamp.exists() or stamp.read_text(encoding="utf-8") != content:
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir(parents=True)
        make()
        stamp.write_text(content, encoding="utf-8")
    return folder


def python_environment(name: str, *installs: Sequence[str]) -> Path:
    """Return a Python for which pip was called with these arguments, one call after another."""
    folder = SDKS / "python" / name
    python = folder / _BIN / ("python.exe" if os.name == "nt" else "python")

    def make() -> None:
        install([sys.executable, "-m", "venv", "--without-pip", str(folder)])
        for arguments in installs:
            pip_install(python, arguments)

    make_once(folder, "\n".join([sys.version, *map(" ".join, installs)]), make)
    return python


def pip_install(python: Path, arguments: Sequence[str]) -> None:
    """Install packages for a Python that has no pip of its own."""
    pip = [sys.executable, "-m", "pip", "--python", str(python), "--quiet"]
    install([*pip, "--disable-pip-version-check", "install", *arguments])


def node_environment(name: str, packages: Mapping[str, str]) -> Path:
    """Return a folder with these npm packages in its `node_modules`."""
    folder = SDKS / "node" / name
    names = [f"{package}@{version}" for package, version in packages.items()]

    def make() -> None:
        npm = program("npm", "Node.js 20 or newer")
        (folder / "package.json").write_text('{"private": true}\n', encoding="utf-8")
        flags = ["--no-audit", "--no-fund", "--loglevel=error", "--save-exact"]
        install([npm, "install", *flags, *names], folder)

    return make_once(folder, "\n".join(names), make)


def install(command: Sequence[str], cwd: Path = ROOT) -> None:
    """Run a command that installs something. Raises Unavailable with the end of its output."""
    done = subprocess.run(command, cwd=cwd, capture_output=True, text=True, check=False)
    if done.returncode:
        lines = (done.stdout + done.stderr).strip().splitlines()
        raise Unavailable("\n".join([f"{' '.join(command)} failed:", *lines[-8:]]))

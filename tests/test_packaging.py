"""The wheel works in an environment without the checkout."""

from __future__ import annotations

import os
import subprocess
import sys
import tomllib
import zipfile
from pathlib import Path

import pytest

from .markdown import page

pytestmark = [pytest.mark.slow, pytest.mark.network]

ROOT = Path(__file__).parents[1]
PIP = ["-m", "pip", "--disable-pip-version-check", "--quiet"]


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("wheel")
    subprocess.run(
        [sys.executable, *PIP, "wheel", "--no-deps", "--wheel-dir", folder, ROOT], check=True
    )
    (built,) = folder.glob("mockvoice-*.whl")
    return built


def create_environment(folder: Path, *packages: str | Path) -> Path:
    """Create an environment with packages and return its Python."""
    subprocess.run([sys.executable, "-m", "venv", folder], check=True)
    python = folder / "bin/python"
    subprocess.run([python, *PIP, "install", *packages], check=True)
    return python


def test_wheel_contains_contracts_and_serves_them(wheel: Path, tmp_path: Path) -> None:
    with zipfile.ZipFile(wheel) as archive:
        names = set(archive.namelist())
    specs = {f"mockvoice/{path.relative_to(ROOT)}" for path in (ROOT / "specs").rglob("*.*")}
    assert specs | {"mockvoice/py.typed"} <= names
    assert not [name for name in names if name.startswith("tests")]
    script = """
import mockvoice
from mockvoice.provider import SPECS
assert "site-packages" in str(SPECS), SPECS
with mockvoice.serve() as mock:
    print(mock.telnyx.add_voice().provider)
"""
    python = create_environment(tmp_path / "fresh", wheel)
    result = subprocess.run(
        [python, "-I", "-c", script], cwd=tmp_path, capture_output=True, text=True, check=True
    )
    assert result.stdout == "telnyx\n"


@pytest.mark.parametrize("versions", ["newest", "oldest"])
def test_documented_tests_pass_in_another_project(
    wheel: Path, tmp_path: Path, versions: str
) -> None:
    pyproject = tomllib.loads((ROOT / "pyproject.toml").read_text())
    # The oldest pytest that docs/testing.md names.
    requirements = ["pytest>=7.4", *pyproject["project"]["dependencies"]]
    if versions == "oldest":
        requirements = [item.replace(">=", "==") for item in requirements]
    sdks = [
        e for e in pyproject["dependency-groups"]["dev"] if e.startswith(("telnyx", "retell-sdk"))
    ]
    python = create_environment(tmp_path / "fresh", wheel, *requirements, *sdks)
    project = tmp_path / "project"
    project.mkdir()
    (project / "test_voices.py").write_text(page("docs/testing.md").block("test_voices.py").text)
    environment = {k: v for k, v in os.environ.items() if not k.startswith(("MOCKVOICE", "PY"))}
    result = subprocess.run(
        [python, "-m", "pytest"],
        cwd=project,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )
    assert result.returncode == 0, result.stdout + result.stderr
    assert "4 passed" in result.stdout

"""The wheel serves by itself, in an environment with nothing of the checkout."""

from __future__ import annotations

import subprocess
import sys
import zipfile
from pathlib import Path

ROOT = Path(__file__).parents[1]


def test_the_wheel_holds_the_contracts_and_serves_from_them(tmp_path: Path) -> None:
    pip = [sys.executable, "-m", "pip", "--disable-pip-version-check", "--quiet"]
    subprocess.run([*pip, "wheel", "--no-deps", "--wheel-dir", tmp_path, ROOT], check=True)
    (wheel,) = tmp_path.glob("mockvoice-*.whl")
    with zipfile.ZipFile(wheel) as archive:
        names = set(archive.namelist())
    specs = {f"mockvoice/specs/{path.name}" for path in (ROOT / "specs").iterdir()}
    assert specs | {"mockvoice/py.typed"} <= names
    assert not [name for name in names if name.startswith("tests")]
    subprocess.run([sys.executable, "-m", "venv", tmp_path / "fresh"], check=True)
    python = tmp_path / "fresh/bin/python"
    subprocess.run([python, *pip[1:], "install", wheel], check=True)
    script = """
import urllib.request
from mockvoice.http.server import Server, bind
from mockvoice.provider import Mock, SPECS
from mockvoice.providers import built_in
from mockvoice.settings import Settings
assert "site-packages" in str(SPECS), SPECS
with Server(Mock(Settings(), built_in()), bind("127.0.0.1", 0)) as server:
    print(urllib.request.urlopen(server.url + "/__mockvoice/health").read().decode())
"""
    done = subprocess.run(
        [python, "-I", "-c", script], cwd=tmp_path, capture_output=True, text=True, check=True
    )
    assert '"status":"ok"' in done.stdout

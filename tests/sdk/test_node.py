"""The official Node SDKs against `mockvoice serve`: runs the tests in `tests/node`."""

from __future__ import annotations

import re
import shutil
import subprocess
from pathlib import Path

from ..cli.processes import clean_environ, serving

FOLDER = Path(__file__).parents[1] / "node"


def node(*arguments: str, script: str = "", **environment: str) -> str:
    """Run Node in `tests/node` and return its output; `script` is its standard input."""
    program = shutil.which("node")
    assert program, "node is missing: install Node.js 20 or newer with npm, then `make node`"
    assert (FOLDER / "node_modules").is_dir(), "the SDKs for Node are missing: `make node`"
    result = subprocess.run(
        [program, *arguments],
        cwd=FOLDER,
        input=script,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
        env=clean_environ(**environment),
    )
    assert result.returncode == 0, result.stdout + result.stderr
    return result.stdout


def test_node_tests_pass() -> None:
    with serving() as (_, url):
        output = node("--test", "--test-reporter=tap", MOCKVOICE_URL=url)
    counts = dict(re.findall(r"^# (\w+) (\d+)$", output, re.MULTILINE))
    total = sum(file.read_text().count("\ntest(") for file in FOLDER.glob("*.test.mjs"))
    assert counts["pass"] == counts["tests"] == str(total), output

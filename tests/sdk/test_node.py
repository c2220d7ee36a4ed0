"""The official SDKs for Node against `mockvoice serve`: the stories of `tests/node`."""

from __future__ import annotations

import re
import shutil
import subprocess
from pathlib import Path

from ..cli.processes import clean_environ, serving

FOLDER = Path(__file__).parents[1] / "node"


def node(*arguments: str, script: str = "", **environment: str) -> str:
    """What Node prints, run where the SDKs are; a script is its standard input."""
    program = shutil.which("node")
    assert program, "node is missing: install Node.js 20 or newer with npm, then `make node`"
    assert (FOLDER / "node_modules").is_dir(), "the SDKs for Node are missing: `make node`"
    done = subprocess.run(
        [program, *arguments],
        cwd=FOLDER,
        input=script,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
        env=clean_environ(**environment),
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def test_the_stories_of_node_come_true() -> None:
    with serving() as (_, url):
        told = node("--test", "--test-reporter=tap", MOCKVOICE_URL=url)
    counts = dict(re.findall(r"^# (\w+) (\d+)$", told, re.MULTILINE))
    stories = (FOLDER / "voices.test.mjs").read_text().count("\ntest(")
    assert counts["pass"] == counts["tests"] == str(stories), told

"""The test helper of docs/other-languages.md for Node.js; `tests/languages.py` has the others."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest

from .languages import check_helper
from .sdk.test_node import FOLDER

pytestmark = pytest.mark.slow

CALL = "  await telnyx.voiceClones.list();\n"
UNFIRED = CALL, f"  await mock.fail({{ provider: 'retell', status: 500 }});\n{CALL}"
FAILING = "[502, 200]", "[502, 299]"


def test_node_helper_with_node_test(tmp_path: Path) -> None:
    (tmp_path / "node_modules").symlink_to(FOLDER / "node_modules")
    check_helper(tmp_path, ".mjs", "node", "--test", unfired=UNFIRED, failing=FAILING)


@pytest.mark.network
def test_node_helper_with_vitest(tmp_path: Path) -> None:
    shutil.copytree(FOLDER / "vitest", tmp_path, dirs_exist_ok=True)
    install = ["npm", "install", "--no-package-lock", "--loglevel=error", "--no-audit", "--no-fund"]
    subprocess.run(install, cwd=tmp_path, check=True)
    (tmp_path / "node_modules/telnyx").symlink_to(FOLDER / "node_modules/telnyx")
    check_helper(
        tmp_path,
        ".mjs",
        "npx",
        "vitest",
        "run",
        always=("'node:test'", "'vitest'"),
        unfired=UNFIRED,
        failing=FAILING,
    )

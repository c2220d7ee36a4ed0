"""Programs that a machine may lack: their tests skip, or fail where they are required.

MOCKVOICE_REQUIRE lists the required ones: `MOCKVOICE_REQUIRE=redis-server,chromium`.
"""

from __future__ import annotations

import os
import shutil

import pytest


def program(name: str) -> str:
    """Return the path of a program, or skip the test."""
    path = shutil.which(name)
    if path:
        return path
    if name in os.environ.get("MOCKVOICE_REQUIRE", "").split(","):
        pytest.fail(f"{name} is not installed, and MOCKVOICE_REQUIRE names it")
    pytest.skip(f"{name} is not installed")

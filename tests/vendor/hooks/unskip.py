"""Pytest plugin: runs tests although they are marked as skipped, each with a fresh sandbox."""

from __future__ import annotations

import os
from collections.abc import Sequence
from urllib.request import Request, urlopen

import pytest


# First: what a conftest.py skips afterwards cannot run.
@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items: Sequence[pytest.Item]) -> None:
    for item in items:
        for node in item.listchain():
            node.own_markers = [mark for mark in node.own_markers if mark.name != "skip"]


@pytest.hookimpl(tryfirst=True)
def pytest_runtest_setup() -> None:
    with urlopen(Request(os.environ["MOCKVOICE_RESET"], method="POST"), timeout=10):
        pass

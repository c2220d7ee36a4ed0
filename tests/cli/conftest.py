"""Server fixtures for the command line tests."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

import mockvoice
from mockvoice import Control


def pytest_itemcollected(item: pytest.Item) -> None:
    """Mark all tests of the command line as slow: each starts other processes."""
    item.add_marker(pytest.mark.slow)


@pytest.fixture(scope="module")
def _control() -> Iterator[Control]:
    with mockvoice.serve() as control:
        yield control


@pytest.fixture
def mock(_control: Control) -> Control:
    """A server in its initial state."""
    _control.reset()
    return _control


@pytest.fixture
def server(mock: Control) -> str:
    """Its URL."""
    return mock.url

"""Server fixtures for the command line tests."""

from __future__ import annotations

import pytest

from mockvoice import Control


def pytest_itemcollected(item: pytest.Item) -> None:
    """Mark all tests of the command line as slow: each starts other processes."""
    item.add_marker(pytest.mark.slow)


@pytest.fixture
def mock(control: Control) -> Control:
    """The default sandbox, which commands use, in its initial state."""
    control.reset()
    return control


@pytest.fixture
def server(mock: Control) -> str:
    """Its URL."""
    return mock.url

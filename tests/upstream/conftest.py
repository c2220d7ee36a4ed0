"""Fixtures: a stand-in for a live service."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from .stand_in import StandIn, stand_in


@pytest.fixture
def live() -> Iterator[StandIn]:
    """A stand-in without TLS."""
    with stand_in() as service:
        yield service

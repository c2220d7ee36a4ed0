"""Mutated requests to all operations and the control API of a server process."""

from __future__ import annotations

import pytest

from .fuzzer import fuzz

pytestmark = pytest.mark.slow


@pytest.mark.slow
def test_mutated_requests_cause_no_internal_error_no_hang_and_little_memory() -> None:
    result = fuzz(5000)
    assert not result.problems
    assert result.requests == 5000
    assert {200, 201, 204, 400, 401, 404, 405, 413, 415, 422} <= result.statuses.keys()

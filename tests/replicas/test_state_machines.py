"""The state machines of the providers, against three processes that share a store."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from ..providers.test_state_machines import MACHINES, Machine, run_machine
from ..redis_server import RedisServer
from .processes import replicas

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module", autouse=True)
def three_servers(redis_server: RedisServer) -> Iterator[None]:
    with replicas(redis_server) as Machine.urls:
        yield


@pytest.mark.parametrize("machine", MACHINES)
def test_records_of_three_servers_are_those_of_the_model(machine: type[Machine]) -> None:
    run_machine(machine, steps=30)

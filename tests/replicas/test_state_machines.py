"""The state machines of the providers, against three processes that share a store."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from hypothesis import settings

from ..providers import test_state_machines as machines
from ..redis_server import RedisServer
from .processes import replicas

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module", autouse=True)
def three_servers(redis_server: RedisServer) -> Iterator[None]:
    with replicas(redis_server) as machines.Machine.urls:
        yield


class Telnyx(machines.Telnyx):
    """Clones of Telnyx."""


class TelnyxDesigns(machines.TelnyxDesigns):
    """Designs of Telnyx."""


class Retell(machines.Retell):
    """Voices of Retell."""


class Supertone(machines.Supertone):
    """Custom voices of Supertone."""


class Faseeh(machines.Faseeh):
    """Voices of Faseeh."""


TestTelnyx = Telnyx.TestCase
TestTelnyxDesigns = TelnyxDesigns.TestCase
TestRetell = Retell.TestCase
TestSupertone = Supertone.TestCase
TestFaseeh = Faseeh.TestCase
for _case in (TestTelnyx, TestTelnyxDesigns, TestRetell, TestSupertone, TestFaseeh):
    _case.settings = settings(max_examples=15, stateful_step_count=30)
del _case

"""The round trips of a request to the server of a shared store."""

from __future__ import annotations

from collections.abc import Iterator

import httpx
import pytest

import mockvoice
from mockvoice import Control
from mockvoice.state import redis as redis_store

from ..conftest import encoded
from ..redis_server import RedisServer

BEARER = {"Authorization": "Bearer K"}
FORM = {"voice_name": "n", "voice_provider": "elevenlabs"}
WAV = encoded("wav", 0.05)


@pytest.fixture
def engine() -> Iterator[RedisServer]:
    with RedisServer() as server:
        yield server


@pytest.fixture
def mock(engine: RedisServer, monkeypatch: pytest.MonkeyPatch) -> Iterator[Control]:
    monkeypatch.setattr(redis_store, "HEARTBEAT_SECONDS", 3600)
    with mockvoice.serve(store=engine.url) as mock:
        yield mock


def clone(mock: Control) -> str:
    path = f"{mock.url}/retell/clone-voice"
    response = httpx.post(path, headers=BEARER, data=FORM, files={"files": WAV})
    return str(response.json().get("voice_id"))


def commands(engine: RedisServer) -> int:
    """Return the number of round trips since the last reset; scripts run other commands inside."""
    stats = engine.client().info("commandstats")
    return sum(
        stats.get(f"cmdstat_{name}", {"calls": 0})["calls"]
        for name in ("eval", "evalsha", "script|load", "ping")
    )


def test_clone_is_two_round_trips(engine: RedisServer, mock: Control) -> None:
    clone(mock)  # which opens connections, and sends the scripts
    engine.client().config_resetstat()
    clone(mock)
    assert commands(engine) == 2


def test_reading_a_record_is_a_third_round_trip(engine: RedisServer, mock: Control) -> None:
    voice = mock.add_voice("supertone", account="K")
    path = f"{mock.url}/supertone/v1/custom-voices/{voice.id}"
    for _ in range(2):
        engine.client().config_resetstat()
        assert httpx.get(path, headers={"x-sup-api-key": "K"}).status_code == 200
    assert commands(engine) == 3


def test_fault_is_a_third_round_trip(engine: RedisServer, mock: Control) -> None:
    mock.fail(operation="cloneVoice", status=502)
    for _ in range(2):
        engine.client().config_resetstat()
        clone(mock)
    assert commands(engine) == 3

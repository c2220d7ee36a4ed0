"""`serve --workers`: several processes on one port, and their supervisor."""

from __future__ import annotations

import os
import signal
import time
from pathlib import Path

import httpx
import pytest

from ..cli.processes import ServeProcess, run, start_server
from ..redis_server import RedisServer

pytestmark = pytest.mark.slow

SECONDS = 20.0


def children(process: int) -> set[int]:
    """Return the ids of the child processes of a process."""
    text = Path(f"/proc/{process}/task/{process}/children").read_text()
    return {int(child) for child in text.split()}


def is_running(process: int) -> bool:
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    return True


def wait_for_children(process: int, number: int, without: int = 0) -> set[int]:
    end = time.monotonic() + SECONDS
    while len(found := children(process) - {without}) != number:
        assert time.monotonic() < end, found
        time.sleep(0.02)
    return found


def list_voices(server: ServeProcess) -> int:
    headers = {"Authorization": "Bearer K"}
    return httpx.get(f"{server.url}/retell/list-voices", headers=headers).status_code


def arguments(engine: RedisServer, request: pytest.FixtureRequest) -> tuple[str, ...]:
    return ("--store", engine.url, "--store-prefix", request.node.name, "--workers", "3")


def test_workers_are_one_mock(redis_server: RedisServer, request: pytest.FixtureRequest) -> None:
    with start_server(*arguments(redis_server, request)) as server:
        assert len(wait_for_children(server.id, 3)) == 3
        fault = {"status": 503, "times": 5}
        assert httpx.post(f"{server.url}/__mockvoice/faults", json=fault).status_code == 201
        # Each request has a connection of its own, which the kernel gives to one of the workers.
        statuses = [list_voices(server) for _ in range(40)]
        assert statuses.count(503) == 5
        counts = httpx.get(f"{server.url}/__mockvoice/requests").json()["requests"]
        assert len(counts) == 40
        assert server.stop() == (0, "", "")


@pytest.mark.parametrize("signum", [signal.SIGTERM, signal.SIGINT])
def test_supervisor_stops_its_workers_within_a_second(
    redis_server: RedisServer, request: pytest.FixtureRequest, signum: signal.Signals
) -> None:
    name = request.node.name.translate({ord(bracket): "-" for bracket in "[]"})
    with start_server(
        "--store", redis_server.url, "--store-prefix", name, "--workers", "3"
    ) as server:
        workers = wait_for_children(server.id, 3)
        assert list_voices(server) == 200
        begin = time.monotonic()
        code, _, stderr = server.stop(signum)
        assert time.monotonic() - begin < 1.5  # 1 s, and what a loaded machine adds
        assert (code, stderr) == (0, "")
        assert not any(map(is_running, workers))


def test_dead_worker_is_started_again(
    redis_server: RedisServer, request: pytest.FixtureRequest
) -> None:
    with start_server(*arguments(redis_server, request)) as server:
        dead, *others = wait_for_children(server.id, 3)
        os.kill(dead, signal.SIGKILL)
        assert {*others} < wait_for_children(server.id, 3, without=dead)
        assert [list_voices(server) for _ in range(20)] == [200] * 20
        code, _, stderr = server.stop()
        assert code == 0
        assert f"(process {dead}) was killed by SIGKILL; starting it again" in stderr


def test_workers_stop_when_their_supervisor_is_killed(
    redis_server: RedisServer, request: pytest.FixtureRequest
) -> None:
    with start_server(*arguments(redis_server, request)) as server:
        workers = wait_for_children(server.id, 3)
        server.kill()
        end = time.monotonic() + SECONDS
        while any(map(is_running, workers)):
            assert time.monotonic() < end
            time.sleep(0.02)


def test_workers_need_a_shared_store() -> None:
    result = run("serve", "--port", "0", "--workers", "2")
    assert result.returncode == 2
    assert result.stderr == (
        "mockvoice: workers must be 1 with --store memory, which is the memory of one process;"
        " got 2: add --store redis://HOST:6379/0, or remove --workers\n"
    )


def test_port_in_use_is_reported_with_workers(
    redis_server: RedisServer, request: pytest.FixtureRequest
) -> None:
    with start_server(*arguments(redis_server, request)) as server:
        port = server.url.rpartition(":")[2]
        result = run("serve", *arguments(redis_server, request), "--port", port)
        assert result.returncode == 2
        assert "Address already in use" in result.stderr

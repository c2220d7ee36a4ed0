"""Connections to a shared store: opened by event loops, and closed before these end."""

from __future__ import annotations

import asyncio
import gc
import threading
from collections.abc import Awaitable, Callable, Iterator
from typing import Any

import httpx
import pytest

import mockvoice
from mockvoice.config.settings import Settings
from mockvoice.state.redis import RedisStore

from ..redis_server import RedisServer

pytestmark = pytest.mark.slow

STEPS = 60  # of an event loop, in which a call is cancelled in turn


@pytest.fixture
def engine(redis_server: RedisServer) -> Iterator[RedisServer]:
    """Redis server without connections."""
    yield redis_server
    gc.collect()  # of connections that are open, which is a warning and so an error
    assert connections(redis_server) == 0


def connections(engine: RedisServer) -> int:
    """Return the number of connections to a server, besides the one that asks."""
    with engine.client() as client:
        return len(client.client_list()) - 1


async def list_voices(app: Any) -> int:
    transport = httpx.ASGITransport(app=app)
    async with httpx.AsyncClient(transport=transport, base_url="http://mock") as http:
        response = await http.get("/retell/list-voices", headers={"Authorization": "Bearer K"})
    return response.status_code


def test_event_loops_close_their_connections_at_their_end(engine: RedisServer) -> None:
    app = mockvoice.create_app(store=engine.url, store_prefix="loops")
    for _ in range(3):
        assert asyncio.run(list_voices(app)) == 200
        assert connections(engine) == 0


def test_event_loops_at_the_same_time_have_connections_of_their_own(engine: RedisServer) -> None:
    app = mockvoice.create_app(store=engine.url, store_prefix="threads")
    statuses = list[int]()
    together = threading.Barrier(2, timeout=30)

    async def run() -> None:
        for _ in range(5):
            together.wait()
            statuses.append(await list_voices(app))

    threads = [threading.Thread(target=lambda: asyncio.run(run())) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert statuses == [200] * 10


def test_lifespan_of_the_application_closes_connections(engine: RedisServer) -> None:
    app = mockvoice.create_app(store=engine.url, store_prefix="lifespan")

    async def run() -> None:
        events = asyncio.Queue[dict[str, str]]()
        sent = asyncio.Queue[Any]()
        serving = asyncio.create_task(app({"type": "lifespan"}, events.get, sent.put))
        await events.put({"type": "lifespan.startup"})
        assert (await sent.get())["type"] == "lifespan.startup.complete"
        assert await list_voices(app) == 200
        assert connections(engine) > 0
        await events.put({"type": "lifespan.shutdown"})
        assert (await sent.get())["type"] == "lifespan.shutdown.complete"
        await serving
        assert connections(engine) == 0

    asyncio.run(run())


@pytest.mark.parametrize("is_open", [False, True])
@pytest.mark.parametrize(
    "call",
    [
        lambda store: store.list_sandboxes(),
        lambda store: store.wait_for_entries(None, -1, 0),
        lambda store: store.wait_for_entries("", 0, 3600),
    ],
)
def test_call_that_is_cancelled_in_any_step_ends(
    engine: RedisServer, call: Callable[[RedisStore], Awaitable[Any]], *, is_open: bool
) -> None:
    settings = Settings(store=engine.url, store_prefix="cancelled")

    async def cancel(step: int) -> None:
        store = RedisStore(settings)
        if is_open:
            await store.list_sandboxes()
        task = asyncio.ensure_future(call(store))
        for _ in range(step):
            await asyncio.sleep(0)
        if not task.done():
            task.cancel()
            await asyncio.wait({task})
            assert task.cancelled(), task
        await store.close()

    for step in range(STEPS):
        asyncio.run(cancel(step))

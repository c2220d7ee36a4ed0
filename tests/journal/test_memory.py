"""The memory that journals occupy, compared with what is accounted for."""

from __future__ import annotations

import asyncio
import gc
import json
import tracemalloc
from collections.abc import Iterable
from typing import Any, cast

import pytest

from mockvoice.config.settings import BYTES_PER_MB, Settings
from mockvoice.http.app import App
from mockvoice.mock import Mock
from mockvoice.providers import built_in
from mockvoice.state.memory import MemoryStore

pytestmark = pytest.mark.slow

DESIGNS = "/telnyx/v2/voice_designs"
DESIGN = {"name": "narrator", "text": "Hello", "prompt": "Calm."}
Sent = tuple[str, dict[str, str], bytes]


def make_app(**settings: Any) -> App:
    return App(Mock(Settings(**settings), built_in()))


def store_of(app: App) -> MemoryStore:
    return cast("MemoryStore", app.mock.store)


async def post(app: App, path: str, headers: dict[str, str], body: bytes) -> None:
    pairs = [(name.lower().encode(), text.encode()) for name, text in headers.items()]
    scope = {
        "type": "http",
        "method": "POST",
        "scheme": "http",
        "path": path.encode().decode(),  # a copy that is measured
        "raw_path": path.encode(),
        "query_string": b"",
        "headers": [(b"host", b"x"), (b"content-type", b"application/json"), *pairs],
    }

    async def receive() -> dict[str, Any]:
        return {"type": "http.request", "body": body, "more_body": False}

    async def send(message: Any) -> None:
        pass

    await app(scope, receive, send)


def send_all(app: App, requests: Iterable[Sent]) -> None:
    async def run() -> None:
        for request in requests:
            await post(app, *request)

    asyncio.run(run())


def json_body(number: int) -> bytes:
    """14 KB of JSON that hold many small values."""
    return json.dumps({**DESIGN, "x": [{f"k{i}": i + number * 1000} for i in range(800)]}).encode()


def request(kind: str, number: int) -> Sent:
    headers = {"authorization": f"Bearer key{number}"}
    if kind == "nested JSON":
        return DESIGNS, headers, json_body(number)
    if kind == "long text":
        return DESIGNS, headers, json.dumps({**DESIGN, "x": f"{number}" * 4000}).encode()
    if kind == "headers":
        many = {f"x-header-{i}": f"{number}-{i}" for i in range(60)}
        return DESIGNS, {**headers, **many}, b"{}"
    if kind == "long keys":
        return DESIGNS, {"authorization": f"Bearer {number}{'k' * 7000}"}, b"{}"
    if kind == "long paths":
        return f"/telnyx/v2/{number}{'p' * 7000}", headers, b"{}"
    return DESIGNS, headers, b"{}"


KINDS = ["small", "nested JSON", "long text", "headers", "long keys", "long paths"]


@pytest.mark.parametrize("kind", KINDS)
def test_accounting_is_within_a_factor_of_1_5_of_measured_memory(kind: str) -> None:
    app = make_app(journal_mb=100, max_accounts=50, max_voices=1)
    send_all(app, [request(kind, number) for number in range(100)])  # caches are filled
    requests = [request(kind, number) for number in range(100, 300)]
    accounted = store_of(app).journal_bytes
    gc.collect()
    tracemalloc.start()
    try:
        before, _ = tracemalloc.get_traced_memory()
        send_all(app, requests)
        gc.collect()
        measured = tracemalloc.get_traced_memory()[0] - before
    finally:
        tracemalloc.stop()
    ratio = (store_of(app).journal_bytes - accounted) / measured
    assert 1 / 1.5 <= ratio <= 1.5, (ratio, measured)


def test_limit_applies_to_all_sandboxes_together() -> None:
    app = make_app(journal_mb=1, max_sandboxes=100)
    path, headers, body = request("nested JSON", 1)
    for number in range(100):
        send_all(app, [(f"/~s{number}{path}", headers, body)])
        assert store_of(app).journal_bytes <= BYTES_PER_MB
    entries = [
        entry
        for name in asyncio.run(store_of(app).list_sandboxes())
        for entry in asyncio.run(store_of(app).list_entries(name))[0]
    ]
    assert sum(entry.weight for entry in entries) == store_of(app).journal_bytes
    assert asyncio.run(store_of(app).list_entries("s99"))[1] == 0


def test_sandbox_that_holds_most_is_evicted_from_first() -> None:
    app = make_app(journal_mb=1)
    path, headers, body = request("long text", 1)
    send_all(app, [(f"/~victim{path}", headers, b"{}")] * 20)
    send_all(app, [(f"/~greedy{path}", headers, body)] * 500)
    store = store_of(app)
    entries, evicted = asyncio.run(store.list_entries("victim"))
    assert (len(entries), evicted) == (20, 0)
    _, evicted = asyncio.run(store.list_entries("greedy"))
    assert evicted > 0


@pytest.mark.parametrize("deleted", ["clear_entries", "reset"])
def test_deleted_journal_no_longer_counts(deleted: str) -> None:
    app = make_app()
    send_all(app, [request("small", 1)] * 3)
    store = store_of(app)
    assert store.journal_bytes > 0
    if deleted == "reset":
        send_all(app, [("/__mockvoice/reset", {}, b"{}")])
    else:
        asyncio.run(store.clear_entries(""))
    assert store.journal_bytes == 0


def test_long_keys_are_bounded() -> None:
    app = make_app(journal_mb=1)
    tracemalloc.start()
    try:
        before, _ = tracemalloc.get_traced_memory()
        send_all(app, (request("long keys", number) for number in range(2000)))
        gc.collect()
        measured = tracemalloc.get_traced_memory()[0] - before
    finally:
        tracemalloc.stop()
    assert measured < 8 * BYTES_PER_MB

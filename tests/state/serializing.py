"""A store that lets nothing but plain data pass: everything is serialized on its way in and out."""

from __future__ import annotations

import asyncio
import json
import threading
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from concurrent.futures import Future
from contextlib import contextmanager
from dataclasses import fields, is_dataclass, replace
from functools import cache
from itertools import count
from typing import Any, cast
from weakref import finalize

from mockvoice.audio.detect import AudioInfo
from mockvoice.config.settings import Settings
from mockvoice.errors import Violation
from mockvoice.faults.rules import FaultRule
from mockvoice.mock import Mock
from mockvoice.provider import Provider
from mockvoice.providers import built_in
from mockvoice.state import accounts, journal, records, store, uploads
from mockvoice.state.memory import MemoryStore
from mockvoice.state.redis import RedisStore
from mockvoice.state.store import Store

PLAIN: dict[str, Any] = {
    kind.__name__: kind
    for module in (accounts, journal, records, store, uploads)
    for kind in vars(module).values()
    if isinstance(kind, type) and (is_dataclass(kind) or hasattr(kind, "_fields"))
}
PLAIN |= {"AudioInfo": AudioInfo, "Violation": Violation, "FaultRule": FaultRule}


def copied(value: Any) -> Any:
    """Return what arrives when a value is sent as JSON with its bytes beside it.

    Raises TypeError for anything that is not plain data.
    """
    blobs: list[bytes] = []
    return _unpack(json.loads(json.dumps(_pack(value, blobs))), blobs)


def _pack(value: Any, blobs: list[bytes]) -> Any:
    if value is None or isinstance(value, str | bool | int | float):
        return value
    if isinstance(value, bytes | memoryview):
        blobs.append(bytes(value))
        return {"bytes": len(blobs) - 1}
    if type(value).__name__ in PLAIN:
        return {"type": type(value).__name__, "data": _pack(_members(value), blobs)}
    if isinstance(value, Mapping):
        assert all(isinstance(key, str) for key in value), value
        return {"dict": {key: _pack(member, blobs) for key, member in value.items()}}
    if isinstance(value, tuple | list | set | frozenset):
        kind = "tuple" if isinstance(value, tuple) else "list"
        return {kind: [_pack(item, blobs) for item in value]}
    raise TypeError(f"{type(value).__name__} is not plain data: {value!r}")


def _members(value: Any) -> dict[str, Any]:
    if is_dataclass(value):
        return {field.name: getattr(value, field.name) for field in fields(value)}
    return cast("dict[str, Any]", value._asdict())


def _unpack(value: Any, blobs: list[bytes]) -> Any:
    if not isinstance(value, dict):
        return value
    ((kind, content), *rest) = value.items()
    if kind == "bytes":
        return blobs[content]
    if kind == "type":
        return PLAIN[content](**_unpack(rest[0][1], blobs))
    if kind == "dict":
        return {key: _unpack(member, blobs) for key, member in content.items()}
    items = [_unpack(item, blobs) for item in content]
    return tuple(items) if kind == "tuple" else items


class SerializingStore:
    """A store in front of another one that copies arguments and results, and counts calls."""

    def __init__(self, behind: Store) -> None:
        self.behind = behind
        self.calls: Counter[str] = Counter()

    def __getattr__(self, name: str) -> Any:
        method = getattr(self.behind, name)

        async def call(*args: Any, **kwargs: Any) -> Any:
            self.calls[name] += 1
            return copied(await method(*copied(args), **copied(kwargs)))

        return call


class LoopStore:
    """A store in front of another one whose calls all run in one event loop of a thread.

    Tests call the store of a server from other loops, and connections belong to one of them.
    """

    def __init__(self, behind: Store) -> None:
        self.behind = behind
        self.loop = _loop()
        _open.append(finalize(self, _close, behind))

    def __getattr__(self, name: str) -> Any:
        method = getattr(self.behind, name)

        async def call(*args: Any, **kwargs: Any) -> Any:
            future = asyncio.run_coroutine_threadsafe(method(*args, **kwargs), self.loop)
            return await asyncio.wrap_future(future)

        return call


def _close(behind: Store) -> None:
    _closing.append(asyncio.run_coroutine_threadsafe(behind.close(), _loop()))


_open: list[finalize[Any, Any]] = []
_closing: list[Future[None]] = []


@cache
def _loop() -> asyncio.AbstractEventLoop:
    loop = asyncio.new_event_loop()
    threading.Thread(target=loop.run_forever, name="stores", daemon=True).start()
    return loop


_urls: list[str] = []  # of the Redis server that new stores use; none for memory
_prefixes = count(1)


@contextmanager
def redis_stores(url: str) -> Iterator[None]:
    """Let all stores made within a block use a Redis server, each with a prefix of its own."""
    _urls.append(url)
    yield
    _urls.pop()
    for close in _open:  # those that are still in use, and do nothing for the others
        close()
    for future in _closing:
        future.result()


def open_test_store(settings: Settings) -> Store:
    """Return a store in memory, or within `redis_stores` one of a Redis server."""
    if not _urls:
        return MemoryStore(settings)
    prefix = f"test{next(_prefixes)}"
    shared = RedisStore(replace(settings, store=_urls[-1], store_prefix=prefix))
    return cast("Store", LoopStore(shared))


def make_mock(providers: Iterable[Provider] | None = None, **settings: Any) -> Mock:
    """Return a mock whose state is behind a serializing store."""
    providers = built_in() if providers is None else providers
    values = Settings(**settings)
    return Mock(values, providers, cast("Store", SerializingStore(open_test_store(values))))


def memory_of(mock: Mock) -> MemoryStore:
    """Return the store behind the serializing one."""
    behind = cast("SerializingStore", mock.store).behind
    assert isinstance(behind, MemoryStore)
    return behind


def calls_of(mock: Mock) -> Counter[str]:
    """Return the calls of the store until now, by name."""
    return cast("SerializingStore", mock.store).calls

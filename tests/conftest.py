"""Fixtures: servers on real sockets, sandboxes, and encoded audio."""

from __future__ import annotations

import asyncio
import gc
import io
import math
from collections.abc import Callable, Generator, Iterator, Sequence
from contextlib import ExitStack
from functools import cache
from hashlib import blake2b
from struct import pack
from typing import Any, Self

import av
import httpx
import pytest
import trustme
from av.audio.stream import AudioStream
from hypothesis import settings

import mockvoice
from mockvoice import Control
from mockvoice.http.server import Server, bind
from mockvoice.state.records import Record
from mockvoice.state.uploads import Upload

from .clients import make_client
from .contract.contracts import check
from .redis_server import RedisServer
from .state.serializing import make_mock, redis_stores

# Every run uses the same examples; `--hypothesis-profile=search` looks for new ones, and
# `make test-fast` uses fewer.
settings.register_profile("repeatable", derandomize=True, deadline=None)
settings.register_profile("search", deadline=None)
settings.register_profile("fast", settings.get_profile("repeatable"), max_examples=20)
settings.load_profile("repeatable")

Serve = Callable[..., Server]


# The tests of these folders run once with the store in memory and once with a real Redis server.
_BOTH_STORES = ("state", "control", "faults", "http", "journal", "providers", "upstream")


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    folder = metafunc.definition.path.parent.name
    if folder in _BOTH_STORES and not metafunc.definition.get_closest_marker("memory"):
        kinds = ["memory", pytest.param("redis", marks=pytest.mark.redis)]
        metafunc.parametrize("store_kind", kinds, indirect=True, scope="session")


@pytest.hookimpl(wrapper=True)
def pytest_collection() -> Generator[None, object, object]:
    """Let the garbage collector skip what is imported: half a million objects, again and again."""
    gc.disable()
    try:
        return (yield)
    finally:
        gc.freeze()
        gc.enable()


@pytest.fixture(scope="session")
def redis_server() -> Iterator[RedisServer]:
    """Redis server that all tests share."""
    with RedisServer() as server:
        yield server


@pytest.fixture(scope="session", autouse=True)
def store_kind(request: pytest.FixtureRequest) -> Iterator[str]:
    """Kind of the stores that tests make: `memory` or `redis`."""
    kind: str = getattr(request, "param", "memory")
    with ExitStack() as stack:
        if kind == "redis":
            stack.enter_context(redis_stores(request.getfixturevalue("redis_server").url))
        yield kind


@pytest.fixture(scope="session")
def _ca_file(tmp_path_factory: pytest.TempPathFactory) -> str:
    file = tmp_path_factory.mktemp("tls") / "ca.pem"
    trustme.CA().cert_pem.write_to_path(str(file))
    return str(file)


@pytest.fixture(autouse=True)
def _one_ca(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch, _ca_file: str) -> None:
    """Let HTTP clients load one CA: loading those of the system takes 20 ms per client."""
    if not request.node.get_closest_marker("network"):
        monkeypatch.setenv("SSL_CERT_FILE", _ca_file)


@pytest.fixture(scope="session")
def servers() -> Iterator[ExitStack]:
    """Stack that stops the shared servers after the last test."""
    with ExitStack() as stack:
        yield stack


def internal_errors(server: Server) -> list[str]:
    """Return the internal errors of all sandboxes of a server, and delete the sandboxes.

    Otherwise those of all earlier tests would have to be read after each test.
    """

    async def collect() -> list[str]:
        store = server.mock.store
        errors = []
        for name in await store.list_sandboxes():
            entries = await store.list_internal_errors(name)
            errors += [entry.internal_error for entry in entries]
            if name:
                await store.delete_sandbox(name)
            elif entries:
                await store.clear_entries(name)
        return errors

    return asyncio.run(collect())


@pytest.fixture
def serve() -> Iterator[Serve]:
    """Function that starts a server with given settings; it stops after the test."""
    with ExitStack() as stack:
        started = []

        def start(**settings: Any) -> Server:
            mock = make_mock(**settings)
            started.append(stack.enter_context(Server(mock, bind("127.0.0.1", 0))))
            return started[-1]

        yield start
        assert not [error for server in started for error in internal_errors(server)]


@pytest.fixture(scope="session")
def _strict(servers: ExitStack, store_kind: str) -> Server:
    return servers.enter_context(Server(make_mock(), bind("127.0.0.1", 0)))


@pytest.fixture
def server(_strict: Server) -> Iterator[Server]:
    """Server with default settings, shared by all tests."""
    yield _strict
    assert not internal_errors(_strict)


@pytest.fixture
def http(server: Server) -> Iterator[httpx.Client]:
    """Client of the shared server; checks every response against the contract."""
    with make_client(server.url, event_hooks={"response": [check]}) as client:
        yield client


@pytest.fixture(scope="module")
def control() -> Iterator[Control]:
    """Server as users start it, for all tests of a module; its default sandbox."""
    with mockvoice.serve() as control:
        yield control


@pytest.fixture
def mock(control: Control) -> Control:
    """Another sandbox of that server, in its initial state."""
    sandbox = control.sandbox("test")
    sandbox.reset()
    return sandbox


class Box:
    """One sandbox with a client for provider requests and one for the control API."""

    def __init__(self, server: Server, name: str) -> None:
        self.server = server
        self.name = name
        self.url = f"{server.url}/~{name}"
        # Injected responses may be undocumented, so no contract check here.
        self.http = make_client(self.url)
        self.control = make_client(f"{self.url}/__mockvoice", event_hooks={"response": [check]})

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.http.close()
        self.control.close()

    def inject(self, *sequence: Any, **fault: Any) -> str:
        """Add a fault, or a sequence of faults, and return its id."""
        body = {**fault, "sequence": sequence} if sequence else fault
        response = self.control.post("/faults", json=body)
        assert response.status_code == 201, response.text
        return str(response.json()["id"])

    def fault(self, id: str) -> Any:
        """Return a fault with its counters."""
        return self.control.get(f"/faults/{id}").json()

    def put(self, provider: str, key: str, **state: Any) -> None:
        """Change the state of an API key."""
        response = self.control.put(f"/accounts/{provider}/{key}", json=state)
        assert response.status_code == 200, response.text

    def requests(self, **filters: Any) -> list[Any]:
        """Return the recorded requests that match the filters."""
        listed: list[Any] = self.control.get("/requests", params=filters).json()["requests"]
        return listed

    def last(self) -> Any:
        """Return the newest recorded request."""
        return self.requests(limit=1)[0]

    def voices(self, **filters: Any) -> list[Any]:
        """Return the records that match the filters."""
        listed: list[Any] = self.control.get("/voices", params=filters).json()["voices"]
        return listed

    def clock(self, **change: Any) -> None:
        """Freeze, advance or resume the clock."""
        assert self.control.post("/clock", json=change).status_code == 200


@pytest.fixture
def box(server: Server, request: pytest.FixtureRequest) -> Iterator[Box]:
    """Sandbox of the shared server, used by this test only."""
    name = blake2b(request.node.nodeid.encode(), digest_size=8).hexdigest()
    with Box(server, name) as box:
        yield box


def stored_records(server: Server, sandbox: str = "") -> Sequence[Record]:
    """Return all records of a sandbox."""
    records, _ = asyncio.run(server.mock.store.all_records(sandbox))
    return records


def newest(server: Server) -> Record:
    """Return the newest record of the default sandbox."""
    return stored_records(server)[-1]


def newest_files(server: Server) -> Sequence[Upload]:
    """Return the files of the newest record of the default sandbox."""
    return asyncio.run(server.mock.store.get_uploads("", newest(server).uploads))


def advance_clock(server: Server, seconds: float) -> None:
    """Advance the clock of the default sandbox."""
    asyncio.run(server.mock.store.set_clock("", at=None, frozen=None, advance=seconds))


def freeze_clock(server: Server, at: float) -> None:
    """Stop the clock of the default sandbox at a time in seconds since 1970."""
    asyncio.run(server.mock.store.set_clock("", at=at, frozen=True, advance=0))


CODECS = {"wav": "pcm_s16le", "mp3": "mp3", "flac": "flac", "ogg": "libopus", "m4a": "aac"}


@cache
def _second(rate: int) -> bytes:
    return b"".join(pack("<h", int(9000 * math.sin(i * 0.06))) for i in range(rate))


def encoded(format: str, seconds: float = 1.0, codec: str = "") -> bytes:
    """Return a tone, encoded by FFmpeg."""
    codec = codec or CODECS[format]
    rate = 48_000 if codec == "libopus" else 24_000
    buffer = io.BytesIO()
    name = {"m4a": "ipod"}.get(format, format)
    with av.open(buffer, "w", format=name) as container:
        stream = container.add_stream(codec, rate=rate)
        assert isinstance(stream, AudioStream)
        stream.layout = "stereo" if codec == "vorbis" else "mono"
        stream.options = {"strict": "experimental"}  # FFmpeg's Vorbis encoder is experimental
        count = int(rate * seconds)
        frame = av.AudioFrame("s16", "mono", count)
        frame.planes[0].update((_second(rate) * math.ceil(seconds))[: 2 * count])
        frame.sample_rate = rate
        fifo = av.AudioResampler(stream.format, stream.layout, rate, stream.frame_size or None)
        for resampled in [*fifo.resample(frame), *fifo.resample(None)]:
            container.mux(stream.encode(resampled))
        container.mux(stream.encode(None))
    return buffer.getvalue()


@pytest.fixture(scope="session")
def samples() -> dict[str, bytes]:
    """One second of audio in each supported format."""
    return {format: encoded(format) for format in CODECS}


@pytest.fixture(scope="session")
def wav(samples: dict[str, bytes]) -> bytes:
    return samples["wav"]

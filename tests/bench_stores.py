"""Benchmark of the stores: `make bench`.

Uploads per second and CPU time per upload, with the store in memory, on Redis with one worker, and
on Redis with two; then the CPU time of list, find and clone with few and with many voices of one
account.
All processes share this machine with the client, so the CPU times say more than the rates.
"""

from __future__ import annotations

import asyncio
import os
import shutil
import statistics
import sys
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from http.client import HTTPConnection

from mockvoice.config.settings import Settings
from mockvoice.http.server import Server, bind
from mockvoice.mock import Mock
from mockvoice.provider import with_keys
from mockvoice.providers import built_in
from mockvoice.seeding import make_records
from mockvoice.state.ids import Ids

from .bench import SECONDS, TELNYX, Subject, cpu_ms, load, sample, start_server
from .redis_server import RedisServer

SIZES = (1_000, 100_000)
ROUNDS = 5
VOICES = (1_000, 100_000)
CLONES = "/telnyx/v2/voice_clones"
REQUESTS = 500
BATCH = 500
HEALTH = "/__mockvoice/health"
KEY = "KEY_7"  # of the account with voices


@contextmanager
def subject(name: str, redis: RedisServer | None, workers: int = 1) -> Iterator[Subject]:
    serve = ["-m", "mockvoice", "serve", "--port", "PORT", "--max-voices", "200000"]
    if redis:
        serve += ["--store", redis.url, "--workers", str(workers)]
    with start_server(name, serve, TELNYX, HEALTH) as started:
        yield started


def uploads(redis: RedisServer) -> None:
    """Measure uploads, in alternating rounds."""
    print(f"\nuploads by store, {os.cpu_count()} cores")
    print(f"{'bytes':>9} {'store':<18} {'uploads/s':>9} {'CPU ms':>7} {'in Redis':>9}")
    with (
        subject("memory", None) as memory,
        subject("Redis, 1 worker", redis) as one,
        subject("Redis, 2 workers", redis, workers=2) as two,
    ):
        for size in SIZES:
            rounds = [
                [measure(each, redis, size) for each in (memory, one, two)]
                for _ in range(ROUNDS + 1)
            ][1:]  # the first one fills the caches
            for i, each in enumerate((memory, one, two)):
                rate, cpu, engine = (
                    statistics.median(results[i][value] for results in rounds) for value in range(3)
                )
                engine_text = f"{engine:.3f}" if each is not memory else "-"
                print(f"{size:>9} {each.name:<18} {rate:>9.0f} {cpu:>7.3f} {engine_text:>9}")


def measure(subject: Subject, redis: RedisServer, size: int) -> tuple[float, float, float]:
    """Return uploads per second, and the CPU time per upload of the mock and of Redis in ms."""
    assert redis.process
    before = cpu_ms(subject.process.pid), cpu_ms(redis.process.pid)
    rate, _ = load(subject, size)
    total = rate * SECONDS
    after = cpu_ms(subject.process.pid), cpu_ms(redis.process.pid)
    return rate, (after[0] - before[0]) / total, (after[1] - before[1]) / total


def stored_voices(redis: RedisServer) -> None:
    """Measure operations of an account with few and with many voices, in alternating rounds."""
    print("\nCPU ms per request by voices of the account, of the mock and Redis together")
    few, many = (f"{number:,} voices" for number in VOICES)
    print(f"{'store':<8} {'operation':<8} {few:>14} {many:>14} {'ratio':>6}")
    id = Ids("", "bench", 0).uuid("voice")
    for name, url in (("memory", "memory"), ("Redis", redis.url)):
        with ExitStack() as stack:
            subjects = [
                stack.enter_context(start_server(name, seeded(url, number), "", HEALTH))
                for number in VOICES
            ]
            for operation, *request in (
                ("list", "GET", CLONES, {}),
                ("find", "GET", f"{CLONES}/{id}", {}),
                ("clone", "POST", TELNYX, *upload()),
            ):
                rounds = [
                    [per_request(subject, redis, *request) for subject in subjects]
                    for _ in range(ROUNDS + 1)
                ][1:]
                times = [statistics.median(pair[i] for pair in rounds) for i in (0, 1)]
                ratio = statistics.median(pair[1] / pair[0] for pair in rounds)
                print(f"{name:<8} {operation:<8} {times[0]:>14.3f} {times[1]:>14.3f} {ratio:>6.2f}")


def seeded(url: str, number: int) -> list[str]:
    """Return the arguments of Python for a server with voices of one account."""
    return ["-m", "tests.bench_stores", "PORT", url, str(number)]


def serve_seeded(port: int, url: str, number: int) -> None:
    """Store voices of one account, then serve."""
    settings = Settings(store=url, store_prefix=f"voices{number}", max_voices=200_000)
    mock = Mock(settings, built_in())
    asyncio.run(store_voices(mock, number))
    Server(mock, bind("127.0.0.1", port)).serve_forever()


async def store_voices(mock: Mock, number: int) -> None:
    (template,) = make_records(mock.providers, {"provider": "telnyx"}, Ids("", "bench", 0), 0.0)
    for first in range(0, number, BATCH):
        records = []
        for i in range(first, min(first + BATCH, number)):
            id = Ids("", "bench", i).uuid("voice")
            data = {**template.data, "id": id, "name": f"Voice {id}"}
            record = template._replace(account=KEY, id=id, data=data)
            records.append(with_keys(mock.providers["telnyx"], record))
        await mock.store.put_records("", records)


def upload() -> tuple[dict[str, str], bytes]:
    """Return headers and body of a clone request."""
    parts = "".join(
        f'--b\r\nContent-Disposition: form-data; name="{name}"\r\n\r\n{value}\r\n'
        for name, value in {"name": "n", "language": "en", "gender": "male"}.items()
    )
    head = '--b\r\nContent-Disposition: form-data; name="audio_file"; filename="f"\r\n\r\n'
    body = parts.encode() + head.encode() + sample(1_000) + b"\r\n--b--\r\n"
    return {"content-type": "multipart/form-data; boundary=b"}, body


def per_request(
    mock: Subject,
    redis: RedisServer,
    method: str,
    path: str,
    headers: dict[str, str],
    body: bytes | None = None,
) -> float:
    """Return the CPU time of a request in ms."""
    assert redis.process
    connection = HTTPConnection("127.0.0.1", mock.port)
    before = cpu_ms(mock.process.pid) + cpu_ms(redis.process.pid)
    for _ in range(REQUESTS):
        connection.request(method, path, body, {"Authorization": f"Bearer {KEY}", **headers})
        response = connection.getresponse()
        content = response.read()
        assert response.status in (200, 201), content
    connection.close()
    return (cpu_ms(mock.process.pid) + cpu_ms(redis.process.pid) - before) / REQUESTS


if __name__ == "__main__":
    if sys.argv[1:]:
        serve_seeded(int(sys.argv[1]), sys.argv[2], int(sys.argv[3]))
        sys.exit()
    if not shutil.which("redis-server"):
        sys.exit("redis-server is not installed")
    with RedisServer("--maxmemory", "2gb") as server:
        uploads(server)
        stored_voices(server)

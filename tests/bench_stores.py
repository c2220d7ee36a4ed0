"""Benchmark of the stores: `make bench`.

Uploads per second and CPU time per upload, with the store in memory, on Redis with one worker, and
on Redis with two; then the CPU time of list, find and clone with few and with many stored voices.
All processes share this machine with the client, so the CPU times say more than the rates.
"""

from __future__ import annotations

import asyncio
import os
import shutil
import statistics
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from http.client import HTTPConnection
from pathlib import Path

from mockvoice.config.settings import Settings
from mockvoice.providers import built_in
from mockvoice.seeding import make_records
from mockvoice.state.ids import Ids
from mockvoice.state.redis import RedisStore

from .bench import SECONDS, TELNYX, Subject, load, sample, start_server
from .redis_server import RedisServer

SIZES = (1_000, 100_000)
ROUNDS = 5
VOICES = (1_000, 100_000)
ACCOUNT_VOICES = 20
CLONES = "/telnyx/v2/voice_clones"
REQUESTS = 300
BATCH = 500
HEALTH = "/__mockvoice/health"
TICK = 1000 / os.sysconf("SC_CLK_TCK")  # ms
KEY = "KEY_7"  # of an account with voices


def cpu_ms(process: int) -> float:
    """Return the CPU time of a process and of its children in ms."""
    stat = Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()
    children = Path(f"/proc/{process}/task/{process}/children").read_text().split()
    own = (int(stat[11]) + int(stat[12])) * TICK
    return own + sum(cpu_ms(int(child)) for child in children)


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
    print(f"{'bytes':>9} {'store':<18} {'uploads/s':>9} {'CPU ms':>7} {'of Redis':>9}")
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
    """Measure operations of one account while others have few or many voices."""
    print(f"\nCPU ms per request with Redis, of the mock and Redis together, {ACCOUNT_VOICES}")
    print(f"voices in the account\n{'voices':>9} {'list':>7} {'find':>7} {'clone':>7}")
    for number in VOICES:
        redis.client().flushall()
        with subject("Redis", redis) as mock:
            id = asyncio.run(store_voices(redis.url, number))
            times = [
                per_request(mock, redis, "GET", CLONES, {}),
                per_request(mock, redis, "GET", f"{CLONES}/{id}", {}),
                per_request(mock, redis, "POST", TELNYX, *upload()),
            ]
            print(f"{number:>9} " + " ".join(f"{value:>7.2f}" for value in times))


async def store_voices(url: str, number: int) -> str:
    """Store voices of many accounts; return the id of one of them, of the account KEY."""
    providers = {provider.name: provider for provider in built_in()}
    store = RedisStore(Settings(store=url, max_voices=200_000))
    (template,) = make_records(providers, {"provider": "telnyx"}, Ids("", "bench", 0), 0.0)
    ids = [Ids("", "bench", i).uuid("voice") for i in range(number)]
    records = [
        template._replace(
            account=f"KEY_{i // ACCOUNT_VOICES}", id=id, data={**template.data, "id": id}
        )
        for i, id in enumerate(ids)
    ]
    for i in range(0, number, BATCH):
        await store.put_records("", records[i : i + BATCH])
    await store.close()
    return next(record.id for record in records if record.account == KEY)


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
    times = []
    for _ in range(ROUNDS):
        before = cpu_ms(mock.process.pid) + cpu_ms(redis.process.pid)
        for _ in range(REQUESTS):
            connection.request(method, path, body, {"Authorization": f"Bearer {KEY}", **headers})
            response = connection.getresponse()
            content = response.read()
            assert response.status in (200, 201), content
        times.append((cpu_ms(mock.process.pid) + cpu_ms(redis.process.pid) - before) / REQUESTS)
    return statistics.median(times)


if __name__ == "__main__":
    if not shutil.which("redis-server"):
        sys.exit("redis-server is not installed")
    with RedisServer("--maxmemory", "2gb") as server:
        uploads(server)
        stored_voices(server)

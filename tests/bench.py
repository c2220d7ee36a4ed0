"""Benchmark of mockvoice against plain Starlette: `make bench`.

Plain Starlette only calls `request.form()` and responds. Both run under uvicorn with the same
settings, each in its own process, in alternating rounds. A ratio is the median of the ratios of
adjacent rounds, because the load of the machine may change during the run. That of CPU times
changes less with the load; both are larger than 1 if mockvoice is faster.
"""

from __future__ import annotations

import os
import socket
import statistics
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from http.client import HTTPConnection, HTTPException
from pathlib import Path
from typing import NamedTuple
from urllib.request import urlopen

PLAIN = """
import sys, uvicorn
from starlette.applications import Starlette
from starlette.responses import JSONResponse
from starlette.routing import Route
async def clone(request):
    form = await request.form()
    return JSONResponse({"data": {"id": "x", "size": form["audio_file"].size}}, status_code=201)
async def health(request):
    return JSONResponse({"status": "ok"})
routes = [Route("/clone", clone, methods=["POST"]), Route("/health", health)]
uvicorn.run(Starlette(routes=routes), port=int(sys.argv[1]), http=sys.argv[2], lifespan="off",
    ws="none", log_config=None, log_level="warning", access_log=False, server_header=False)
"""
MOCKVOICE = """
import sys
from mockvoice.http.server import Server, bind
from mockvoice.mock import Mock
from mockvoice.providers import built_in
from mockvoice.config.settings import Settings
listener = bind("127.0.0.1", int(sys.argv[1]))
Server(Mock(Settings(), built_in()), listener, http=sys.argv[2]).serve_forever()
"""
TELNYX = "/telnyx/v2/voice_clones/from_upload"
SIZES = (1_000, 100_000, 2_000_000)
ROUNDS, SECONDS, CONNECTIONS, STARTS = 5, 1.5, 4, 9
GOALS = {1_000: 1.05, 100_000: 1.2}  # ratios to plain Starlette, with httptools
START_GOAL, IDLE_GOAL, PEAK_GOAL = 1.6, 40, 120  # a ratio, and MB
TICK = 1000 / os.sysconf("SC_CLK_TCK")  # ms


@dataclass
class Subject:
    """A server under load."""

    name: str
    port: int
    path: str
    process: subprocess.Popen[bytes]

    def memory(self, field: str) -> float:
        """Return VmRSS (current) or VmHWM (peak) in MB."""
        status = Path(f"/proc/{self.process.pid}/status").read_text()
        return int(status.partition(f"{field}:")[2].split()[0]) / 1024


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def cpu_ms(process: int) -> float:
    """Return the CPU time of a process and of its children in ms."""
    stat = Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()
    children = Path(f"/proc/{process}/task/{process}/children").read_text().split()
    own = (int(stat[11]) + int(stat[12])) * TICK
    return own + sum(cpu_ms(int(child)) for child in children)


def main_thread_ms(process: int) -> float:
    """Return the CPU time of the main thread of a process in ms, in finer steps than `cpu_ms`."""
    return int(Path(f"/proc/{process}/schedstat").read_text().split()[0]) / 1e6


@contextmanager
def start_server(name: str, code: list[str], path: str, health: str) -> Iterator[Subject]:
    port = free_port()
    command = [sys.executable, *(argument.replace("PORT", str(port)) for argument in code)]
    # With compiled modules, as in an installation.
    environment = {k: v for k, v in os.environ.items() if k != "PYTHONDONTWRITEBYTECODE"}
    with subprocess.Popen(command, stdout=subprocess.DEVNULL, env=environment) as process:
        try:
            wait_until_ready(port, health)
            yield Subject(name, port, path, process)
        finally:
            process.terminate()


def wait_until_ready(port: int, path: str) -> None:
    """Poll until the server responds."""
    while True:
        try:
            urlopen(f"http://127.0.0.1:{port}{path}").read()
        except OSError:
            time.sleep(0.001)
        else:
            return


def sample(size: int) -> bytes:
    """Return a WAV file of `size` bytes."""
    data = size - 44
    head = b"RIFF" + (36 + data).to_bytes(4, "little") + b"WAVEfmt " + (16).to_bytes(4, "little")
    format = bytes([1, 0, 1, 0]) + (24000).to_bytes(4, "little") + (48000).to_bytes(4, "little")
    return head + format + bytes([2, 0, 16, 0]) + b"data" + data.to_bytes(4, "little") + bytes(data)


def request(path: str, size: int) -> bytes:
    """Return a request as the Telnyx SDK sends it."""
    boundary = "84cfc0449416e58f6e49bc0378ef5e8b"
    fields = {"gender": "male", "language": "en", "name": "n", "provider": "telnyx"}
    parts = [
        f'--{boundary}\r\nContent-Disposition: form-data; name="{name}"\r\n\r\n{value}\r\n'
        for name, value in fields.items()
    ]
    file = 'name="audio_file"; filename="upload"\r\nContent-Type: application/octet-stream'
    head = f"--{boundary}\r\nContent-Disposition: form-data; {file}\r\n\r\n"
    body = (
        "".join(parts).encode() + head.encode() + sample(size) + f"\r\n--{boundary}--\r\n".encode()
    )
    headers = [
        f"POST {path} HTTP/1.1",
        "Host: 127.0.0.1",
        "Accept-Encoding: gzip, deflate",
        "Connection: keep-alive",
        "Accept: application/json",
        "User-Agent: Telnyx/Python 4.189.0",
        "X-Stainless-Lang: python",
        "X-Stainless-Package-Version: 4.189.0",
        "X-Stainless-OS: Linux",
        "X-Stainless-Arch: x64",
        "X-Stainless-Runtime: CPython",
        "X-Stainless-Runtime-Version: 3.11.7",
        "Authorization: Bearer KEY_test",
        "X-Stainless-Async: false",
        "x-stainless-retry-count: 0",
        "x-stainless-read-timeout: 60",
        f"Content-Type: multipart/form-data; boundary={boundary}",
        f"Content-Length: {len(body)}",
    ]
    return "\r\n".join(headers).encode() + b"\r\n\r\n" + body


def load(subject: Subject, size: int) -> tuple[float, float]:
    """Return requests per second and the 99th percentile of their latency in ms."""
    payload, times = request(subject.path, size), list[float]()
    end = time.perf_counter() + SECONDS

    def client() -> None:
        with socket.create_connection(("127.0.0.1", subject.port)) as connection:
            connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            while (begin := time.perf_counter()) < end:
                connection.sendall(payload)
                response = b""
                while b"}}" not in response:
                    response += connection.recv(65536)
                assert response.startswith(b"HTTP/1.1 201"), response
                times.append(time.perf_counter() - begin)

    threads = [threading.Thread(target=client) for _ in range(CONNECTIONS)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    times.sort()
    return len(times) / SECONDS, times[int(len(times) * 0.99)] * 1000


class Round(NamedTuple):
    """One load: requests per second, 99th percentile of their latency, CPU time of a request."""

    rate: float
    tail_ms: float
    cpu_ms: float


def measured(subject: Subject, size: int) -> Round:
    before = cpu_ms(subject.process.pid)
    rate, tail = load(subject, size)
    return Round(rate, tail, (cpu_ms(subject.process.pid) - before) / (rate * SECONDS))


def uploads(http: str) -> None:
    print(f"\nuploads, {http}, {CONNECTIONS} connections")
    print(
        f"{'bytes':>9} {'plain/s':>8} {'mock/s':>8} {'ratio':>6} {'plain CPU':>10} {'mock CPU':>9}"
        f" {'ratio':>6} {'plain p99':>10} {'mock p99':>9}"
    )
    for size in SIZES:
        with (
            start_server("plain", ["-c", PLAIN, "PORT", http], "/clone", "/health") as plain,
            start_server(
                "mockvoice", ["-c", MOCKVOICE, "PORT", http], TELNYX, "/__mockvoice/health"
            ) as mock,
        ):
            load(plain, size)
            load(mock, size)  # warm-up: fill the caches
            rounds = [(measured(plain, size), measured(mock, size)) for _ in range(ROUNDS)]
            rates, tails, cpus = (
                [statistics.median(pair[i][column] for pair in rounds) for i in (0, 1)]
                for column in range(3)
            )
            ratio = statistics.median(b.rate / a.rate for a, b in rounds)
            cpu_ratio = statistics.median(a.cpu_ms / b.cpu_ms for a, b in rounds)
            goal = f" goal {GOALS[size]}" if http == "httptools" and size in GOALS else ""
            peak_goal = f" (goal {PEAK_GOAL})" if size == SIZES[-1] else ""
            print(
                f"{size:>9} {rates[0]:>8.0f} {rates[1]:>8.0f} {ratio:>6.2f}"
                f" {cpus[0]:>7.3f} ms {cpus[1]:>6.3f} ms {cpu_ratio:>6.2f}"
                f" {tails[0]:>7.2f} ms {tails[1]:>6.2f} ms{goal}"
                f"   peak {plain.memory('VmHWM'):.0f} and {mock.memory('VmHWM'):.0f} MB{peak_goal}"
            )


def multipart(sample: bytes) -> tuple[str, bytes]:
    """Return content type and body of a clone request with this sample."""
    head = b'--b\r\ncontent-disposition: form-data; name="audio_file"; filename="f"\r\n\r\n'
    return "multipart/form-data; boundary=b", b"".join([head, sample, b"\r\n--b--\r\n"])


def large_requests() -> Iterator[tuple[str, str, bytes]]:
    """Yield requests that take the most work, as a name, a content type and a body."""
    size = 60_000_000
    boxes = b"\0\0\0\x14ftypM4A \0\0\0\0M4A " + b"\0\0\0\x08free" * (size // 8)
    flac = b"fLaC\0\0\0\x22" + bytes(34) + b"\x01\0\0\0" * (size // 4)
    for name, content in (
        ("WAV, 60 MB", sample(size)),
        ("0xFF as MP3, 60 MB", b"\xff" * size),
        ("empty boxes as M4A, 60 MB", boxes),
        ("empty blocks as FLAC, 60 MB", flac),
    ):
        yield name, *multipart(content)
    yield "JSON, 60 MB", "application/json", b"[" + b"0," * (size // 2) + b"0]"
    yield "JSON of 1,000 levels, 4 MB", "application/json", b"[" * 1_000 + b" " * 4_000_000
    yield "JSON, 4 MB", "application/json", b"[" + b"0," * 2_000_000 + b"0]"
    form = "application/x-www-form-urlencoded"
    yield "form, 4 MB", form, b"a=" + b"%41" * 1_300_000
    yield "form of empty fields, 4 MB", form, b"a&" * 2_000_000


def latency() -> None:
    """Measure how long `/health` takes while a large request is received and rejected."""
    print("\nslowest /health during a request")
    command = ["-c", MOCKVOICE, "PORT", "auto"]
    with start_server("mockvoice", command, TELNYX, "/health") as mock:
        for name, content_type, body in large_requests():
            stop, times = threading.Event(), list[float]()
            watcher = threading.Thread(target=watch, args=(mock.port, stop, times))
            watcher.start()
            connection = HTTPConnection("127.0.0.1", mock.port)
            headers = {"authorization": "Bearer KEY_test", "content-type": content_type}
            with suppress(ConnectionError):  # rejected before its end
                connection.request("POST", TELNYX, body, headers)
                connection.getresponse().read()
            connection.close()
            stop.set()
            watcher.join()
            print(f"{name:<28} {max(times):>6.1f} ms of {len(times)} requests")


def watch(port: int, stop: threading.Event, times: list[float]) -> None:
    """Request `/health` one time after another, and record the milliseconds of each."""
    connection = HTTPConnection("127.0.0.1", port)
    while not (stop.is_set() and times):
        begin = time.perf_counter()
        connection.request("GET", "/health")
        connection.getresponse().read()
        times.append((time.perf_counter() - begin) * 1000)
    connection.close()


def start() -> None:
    """Measure the time and CPU time from process start to first response, and memory after it."""
    serve = ["-m", "mockvoice", "serve", "--port", "PORT"]
    times: dict[str, list[float]] = {"plain": [], "mockvoice": []}
    cpus: dict[str, list[float]] = {"plain": [], "mockvoice": []}
    memory = 0.0
    for _ in range(STARTS):
        for name, code, health in (
            ("plain", ["-c", PLAIN, "PORT", "auto"], "/health"),
            ("mockvoice", serve, "/__mockvoice/health"),
        ):
            begin = time.perf_counter()
            with start_server(name, code, "", health) as subject:
                times[name].append(time.perf_counter() - begin)
                cpus[name].append(main_thread_ms(subject.process.pid))
                if name == "mockvoice":
                    subject.path = TELNYX
                    memory = subject.memory("VmRSS")
    plain, mock = (statistics.median(times[name]) * 1000 for name in ("plain", "mockvoice"))
    print(
        f"\nstart to first response: plain {plain:.0f} ms, mockvoice {mock:.0f} ms,"
        f" ratio {mock / plain:.2f} (goal {START_GOAL})"
    )
    plain, mock = (statistics.median(cpus[name]) for name in ("plain", "mockvoice"))
    ratio = statistics.median(b / a for a, b in zip(*cpus.values(), strict=True))
    print(f"CPU time of a start: plain {plain:.0f} ms, mockvoice {mock:.0f} ms, ratio {ratio:.2f}")
    print(f"memory at rest: {memory:.0f} MB (goal {IDLE_GOAL})")


@contextmanager
def watching(mock: Subject) -> Iterator[list[int]]:
    """Read the events of a server as the inspector does; yields the number of bytes so far."""
    connection = HTTPConnection("127.0.0.1", mock.port)
    connection.request("GET", "/__mockvoice/events?sandbox=*")
    response, received = connection.getresponse(), [0]

    def read() -> None:
        with suppress(OSError, HTTPException):
            while data := response.read1():
                received[0] += len(data)

    reader = threading.Thread(target=read)
    reader.start()
    try:
        yield received
    finally:
        if connection.sock:
            connection.sock.shutdown(socket.SHUT_RDWR)
        reader.join()
        connection.close()


def inspector() -> None:
    """Measure what the inspector costs each request: off, on, and while somebody watches."""
    command = ["-c", MOCKVOICE, "PORT", "auto"]
    off = ["-c", MOCKVOICE.replace("Settings()", "Settings(inspector='off')"), "PORT", "auto"]
    unwatched, watched = list[float](), list[float]()
    with (
        start_server("on", command, TELNYX, "/health") as mock,
        start_server("off", off, TELNYX, "/health") as without,
    ):
        for subject in (mock, without):
            load(subject, SIZES[0])  # warm-up
        for _ in range(ROUNDS):
            base, _ = load(without, SIZES[0])
            unwatched.append(load(mock, SIZES[0])[0] / base)
            with watching(mock) as received:
                watched.append(load(mock, SIZES[0])[0] / base)
            assert received[0]
        memory = mock.memory("VmHWM")
    print("\ninspector: requests per second compared with `inspector: off`")
    print(f"nobody watches {statistics.median(unwatched):.2f}", end=", ")
    print(f"one page watches {statistics.median(watched):.2f}, peak {memory:.0f} MB")


if __name__ == "__main__":
    start()
    latency()
    inspector()
    for parser in sys.argv[1:] or ("h11", "httptools"):
        uploads(parser)

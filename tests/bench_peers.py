"""Benchmark of mockvoice against WireMock, MockServer and Prism: `make bench-peers`.

Each server has a stub for the same upload, runs with its default settings, and is loaded in turn
by the same client on the same machine. WireMock and MockServer match method and path; Prism and
mockvoice validate the request against the contract; only mockvoice checks the audio and stores it.
The servers take turns; meanwhile the others are stopped, since some are busy long after their load.
Of several rounds the best one and the median count, of several starts the fastest one, since other
programs on the machine can only make a server slower.
"""

from __future__ import annotations

import json
import os
import shutil
import signal
import socket
import statistics
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from http.client import HTTPConnection, HTTPException
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import NamedTuple

from .bench import CONNECTIONS, SIZES, TELNYX, free_port, request

HERE = Path(__file__).parent / "peers"
CONTRACT = Path(__file__).parent.parent / "specs" / "telnyx" / "2026-03-20.yaml"
PATH = "/voice_clones/from_upload"
ROUNDS, SECONDS, STARTS = 20, 0.5, 10
PATIENCE = 3.0  # seconds without a byte, after which a client leaves
STATUS = 201
CLONE = json.dumps({"data": {"record_type": "voice_clone", "id": "x" * 36, "label": "y" * 300}})
CONTENT_TYPE = {"content-type": "application/json"}


class Peer(NamedTuple):
    """A server to compare: its command, in which PORT and FOLDER are replaced, and its stub."""

    name: str
    command: Sequence[str]
    path: str
    file: str = ""
    stub: object = None


MOCKVOICE = Peer(
    "mockvoice", [sys.executable, "-m", "mockvoice", "serve", "--port", "PORT"], TELNYX
)
WIREMOCK = Peer(
    "WireMock",
    ["java", "-jar", str(HERE / "target/wiremock-standalone.jar"),
     "--port", "PORT", "--root-dir", "FOLDER"],
    PATH,
    "mappings/clone.json",
    {
        "request": {"method": "POST", "urlPath": PATH},
        "response": {"status": STATUS, "body": CLONE, "headers": CONTENT_TYPE},
    },
)  # fmt: skip
MOCKSERVER = Peer(
    "MockServer",
    ["java", "-Dmockserver.initializationJsonPath=FOLDER/stub.json", "-cp",
     str(HERE / "target/mockserver-netty.jar"), "org.mockserver.cli.Main", "-serverPort", "PORT"],
    PATH,
    "stub.json",
    [
        {
            "httpRequest": {"method": "POST", "path": PATH},
            "httpResponse": {"statusCode": STATUS, "body": CLONE, "headers": CONTENT_TYPE},
        }
    ],
)  # fmt: skip
PRISM = Peer(
    "Prism",
    ["node", str(HERE / "node_modules/@stoplight/prism-cli/dist/index.js"),
     "mock", "--port", "PORT", str(CONTRACT)],
    PATH,
)  # fmt: skip
PEERS = (MOCKVOICE, WIREMOCK, MOCKSERVER, PRISM)


@dataclass
class Started:
    """A running server, and the seconds until its first response."""

    peer: Peer
    port: int
    process: subprocess.Popen[bytes]
    seconds: float

    def send(self, number: signal.Signals) -> None:
        """Send a signal to the process and its children."""
        for process in [*_tree(self.process.pid)]:
            os.kill(process, number)

    @contextmanager
    def running(self) -> Iterator[None]:
        """Let a stopped server run during the block."""
        self.send(signal.SIGCONT)
        yield
        self.send(signal.SIGSTOP)

    def megabytes(self) -> float:
        """Return the resident memory of the process and its children."""
        return sum(_resident(process) for process in _tree(self.process.pid)) / 1024


def _tree(process: int) -> Iterator[int]:
    yield process
    for task in Path(f"/proc/{process}/task").iterdir():
        for child in (task / "children").read_text().split():
            yield from _tree(int(child))


def _resident(process: int) -> int:
    status = Path(f"/proc/{process}/status").read_text()
    return int(status.partition("VmRSS:")[2].split()[0])


@contextmanager
def start(peer: Peer) -> Iterator[Started]:
    """Run a server until the end of the block."""
    port = free_port()
    with TemporaryDirectory(prefix="mockvoice-peer-") as folder:
        if peer.file:
            file = Path(folder, peer.file)
            file.parent.mkdir(exist_ok=True)
            file.write_text(json.dumps(peer.stub))
        command = [
            part.replace("PORT", str(port)).replace("FOLDER", folder) for part in peer.command
        ]
        begin = time.perf_counter()
        with subprocess.Popen(
            command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
        ) as process:
            try:
                while not responds(port):
                    if process.poll() is not None:
                        sys.exit(f"{peer.name} has exited: {' '.join(command)}")
                    time.sleep(0.005)
                yield Started(peer, port, process, time.perf_counter() - begin)
            finally:
                process.kill()


def responds(port: int) -> bool:
    """Return True if a server responds to requests, with any status."""
    connection = HTTPConnection("127.0.0.1", port, timeout=PATIENCE)
    try:
        connection.request("GET", "/")
        connection.getresponse().read()
    except (OSError, HTTPException):
        return False
    else:
        return True
    finally:
        connection.close()


def load(server: Started, size: int) -> float:
    """Return the uploads per second of one round."""
    payload, begin = request(server.peer.path, size), time.perf_counter()

    def client(_: int) -> int:
        uploads = 0
        with socket.create_connection(("127.0.0.1", server.port), PATIENCE) as connection:
            connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            while time.perf_counter() < begin + SECONDS:
                try:
                    connection.sendall(payload)
                    status = read_response(connection)
                except TimeoutError:
                    break
                if status != STATUS:
                    sys.exit(f"{server.peer.name} responds with {status} to {size} bytes")
                uploads += 1
        return uploads

    with server.running(), ThreadPoolExecutor(CONNECTIONS) as pool:
        uploads = sum(pool.map(client, range(CONNECTIONS)))
    return uploads / (time.perf_counter() - begin)


def read_response(connection: socket.socket) -> int:
    """Read a response to its end, and return its status."""
    data = b""
    while b"\r\n\r\n" not in data:
        data += receive(connection)
    head, _, body = data.partition(b"\r\n\r\n")
    _, has_length, length = head.lower().partition(b"content-length:")
    while len(body) < int(length.split()[0]) if has_length else not body.endswith(b"0\r\n\r\n"):
        body += receive(connection)
    return int(head.split()[1])


def receive(connection: socket.socket) -> bytes:
    data = connection.recv(65536)
    if not data:
        raise ConnectionResetError("the server closed the connection")
    return data


class Rate(NamedTuple):
    """The uploads per second of the best round, and the median of all."""

    best: float
    median: float

    def __str__(self) -> str:
        return " / ".join(f"{one:,.0f}" if one >= 10 else f"{one:.1f}" for one in self)


class Result(NamedTuple):
    """Rates by size, megabytes at rest and after the uploads, seconds to start."""

    rates: Sequence[Rate]
    at_rest: float
    after: float
    startup: float


def measure() -> dict[str, Result]:
    """Return the results by server. Servers take turns; meanwhile the others are stopped."""
    startups = [[start_time(peer) for peer in PEERS] for _ in range(STARTS)]
    with ExitStack() as stack:
        servers = [stack.enter_context(start(peer)) for peer in PEERS]
        at_rest = {server.peer.name: server.megabytes() for server in servers}
        for server in servers:
            server.send(signal.SIGSTOP)
        rates = [measure_rates(servers, size) for size in SIZES]
        return {
            server.peer.name: Result(
                [of_size[i] for of_size in rates],
                at_rest[server.peer.name],
                server.megabytes(),
                min(times[i] for times in startups),
            )
            for i, server in enumerate(servers)
        }


def measure_rates(servers: Sequence[Started], size: int) -> list[Rate]:
    """Return the rate of each server, 0 if it finishes no upload in the warm-up."""
    able = [load(server, size) > 0 for server in servers]
    rounds = [
        [load(server, size) if able[i] else 0.0 for i, server in enumerate(servers)]
        for _ in range(ROUNDS)
    ]
    return [Rate(max(rates), statistics.median(rates)) for rates in zip(*rounds, strict=True)]


def start_time(peer: Peer) -> float:
    with start(peer) as started:
        return started.seconds


def table(results: Mapping[str, Result]) -> Iterator[str]:
    """Yield the lines of the table in docs/performance.md."""
    yield "| server | 1 KB | 100 KB | 2 MB | memory at rest | memory after | startup |"
    yield "|---|---|---|---|---|---|---|"
    for name, result in results.items():
        rates = " | ".join(map(str, result.rates))
        memory = f"{result.at_rest:,.0f} MB | {result.after:,.0f} MB"
        yield f"| {name} | {rates} | {memory} | {result.startup:.2f} s |"


def goals(results: Mapping[str, Result]) -> Iterator[str]:
    """Yield a line for each goal of mockvoice, with the factor by which it is reached.

    Uploads are compared by the best rounds.
    """
    own = results[MOCKVOICE.name]
    for peer, sizes in ((WIREMOCK, (0, 1, 2)), (MOCKSERVER, (0, 2)), (PRISM, (0, 1, 2))):
        for i in sizes:
            factor = own.rates[i].best / max(results[peer.name].rates[i].best, 0.01)
            yield line(f"uploads of {SIZES[i]} bytes, against {peer.name}", factor)
    others = [result for name, result in results.items() if name != MOCKVOICE.name]
    yield line("memory at rest", min(other.at_rest for other in others) / own.at_rest)
    yield line("memory after the uploads", min(other.after for other in others) / own.after)
    yield line("startup", min(other.startup for other in others) / own.startup)


def line(goal: str, factor: float) -> str:
    return f"{'reached' if factor > 1 else 'MISSED ':<8} {factor:>7.2f}x  {goal}"


if __name__ == "__main__":
    for program in ("java", "node"):
        if not shutil.which(program):
            sys.exit(f"{program} is not installed")
    measured = measure()
    print(f"uploads per second, {CONNECTIONS} connections, {os.cpu_count()} cores")
    print("\n".join([*table(measured), "", *goals(measured)]))

"""Fuzzer of a server process: `make fuzz`, or `python -m tests.fuzz.fuzzer --requests 1000`."""

from __future__ import annotations

import argparse
import json
import re
import socket
import subprocess
import sys
import tempfile
import threading
import time
from collections import Counter
from contextlib import suppress
from dataclasses import dataclass, field
from http.client import HTTPException, HTTPResponse
from pathlib import Path
from typing import IO
from urllib.parse import urlsplit
from urllib.request import Request, urlopen

from ..cli.processes import MOCKVOICE, clean_environ
from .mutations import SANDBOXES, Generator

TIMEOUT = 10.0  # seconds without a byte of the response: a hang
BATCH = 500  # requests between checks
MAX_RSS_MB = 150
# Up to the first line that is not indented: the exception.
_TRACEBACK = re.compile(r"Traceback \(most recent call last\):\n(?: .*\n)*\S.*")


@dataclass
class Result:
    """The responses, failures, latency and memory of the server during a run."""

    requests: int = 0
    statuses: Counter[int] = field(default_factory=Counter)
    internal_errors: list[str] = field(default_factory=list)
    hangs: list[str] = field(default_factory=list)
    health_ms: list[float] = field(default_factory=list)
    rss_mb: float = 0.0
    peak_mb: float = 0.0
    seconds: float = 0.0

    @property
    def problems(self) -> list[str]:
        """Every violated requirement."""
        found = [*self.internal_errors, *self.hangs]
        if self.peak_mb >= MAX_RSS_MB:
            found.append(f"the server used {self.peak_mb:.0f} MB, the limit is {MAX_RSS_MB} MB")
        return found

    def __str__(self) -> str:
        ordered = sorted(self.health_ms) or [0.0]
        return (
            f"{self.requests} requests in {self.seconds:.0f} s,"
            f" statuses {dict(sorted(self.statuses.items()))}\n"
            f"internal errors {len(self.internal_errors)}, hangs {len(self.hangs)}\n"
            f"slowest /health {ordered[-1]:.0f} ms, median {ordered[len(ordered) // 2]:.1f} ms"
            f" of {len(self.health_ms)}\n"
            f"RSS {self.rss_mb:.0f} MB, peak {self.peak_mb:.0f} MB"
        )


class Connection:
    """A connection that is opened again after the server or a broken request closed it."""

    def __init__(self, port: int) -> None:
        self._port = port
        self._socket: socket.socket | None = None

    def exchange(self, data: bytes, *, reliable: bool) -> tuple[int, bytes]:
        """Send a request; return status and body, or 0 if the connection ended without a response.

        Raises TimeoutError if the server neither responds nor closes the connection.
        """
        if self._socket is None:
            self._socket = socket.create_connection(("127.0.0.1", self._port), TIMEOUT)
        try:
            self._socket.sendall(data)
            if not reliable:  # the server may wait for more
                self._socket.shutdown(socket.SHUT_WR)
            response = HTTPResponse(self._socket, method=data.split(b" ")[0].decode("latin-1"))
            response.begin()
            body = response.read()
            if not reliable or response.will_close:
                self.close()
        except TimeoutError:
            self.close()
            raise
        except (OSError, HTTPException, ValueError):
            self.close()
            return 0, b""
        return response.status, body

    def close(self) -> None:
        """Close the connection."""
        if self._socket:
            self._socket.close()
        self._socket = None


def fuzz(requests: int, seed: int = 1) -> Result:
    """Send mutated requests to a new server process and return what happened."""
    with tempfile.TemporaryFile("w+") as stderr:
        command = [*MOCKVOICE, "serve", "--port", "0"]
        environ = clean_environ(PYTHONUNBUFFERED="1")
        with subprocess.Popen(
            command, stdout=subprocess.PIPE, stderr=stderr, text=True, env=environ
        ) as process:
            assert process.stdout
            url = ""
            while not url.endswith("/__mockvoice"):
                url = process.stdout.readline().split()[1]
            try:
                result = _fuzz(url.removesuffix("/__mockvoice"), requests, seed, process)
            finally:
                process.terminate()
        result.internal_errors += _tracebacks(stderr)
    return result


def _fuzz(url: str, requests: int, seed: int, process: subprocess.Popen[str]) -> Result:
    result, generator = Result(), Generator(seed)
    connection, stop = Connection(urlsplit(url).port or 0), threading.Event()
    watcher = threading.Thread(target=_watch, args=(url, result, stop))
    watcher.start()
    begin = time.monotonic()
    try:
        while result.requests < requests and not result.hangs and process.poll() is None:
            _send(connection, generator, result)
            if result.requests % BATCH == 0 or result.requests == requests:
                _check(url, process.pid, result)
    finally:
        stop.set()
        watcher.join()
        connection.close()
    if process.poll() is not None:
        result.internal_errors.append(f"the server exited with {process.returncode}")
    result.seconds = time.monotonic() - begin
    return result


def _send(connection: Connection, generator: Generator, result: Result) -> None:
    data, reliable = generator.request()
    result.requests += 1
    try:
        status, body = connection.exchange(data, reliable=reliable)
    except TimeoutError:
        result.hangs.append(f"no response within {TIMEOUT:g} s: {data[:2000]!r}")
        return
    result.statuses[status] += 1
    if status == 500 and (b"mockvoice has an internal" in body or body == b"Internal Server Error"):
        result.internal_errors.append(f"internal error: {data[:2000]!r}")
    if 200 <= status < 300:
        with suppress(ValueError):
            generator.learn(json.loads(body))


def _check(url: str, pid: int, result: Result) -> None:
    """Collect the internal errors of all sandboxes, reset them, and measure the memory."""
    for sandbox in SANDBOXES:
        control = f"{url}/~{sandbox}/__mockvoice" if sandbox else f"{url}/__mockvoice"
        with urlopen(f"{control}/requests?internal_error=true", timeout=TIMEOUT) as response:
            for entry in json.load(response)["requests"]:
                del entry["response"]
                result.internal_errors.append(json.dumps(entry))
        body = b'{"keys": "any"}'  # a mutated reset may have made all keys invalid
        urlopen(Request(f"{control}/reset", body, {"content-type": "application/json"})).close()
    status = Path(f"/proc/{pid}/status")
    if status.exists():
        words = status.read_text().split()
        result.rss_mb, result.peak_mb = (
            int(words[words.index(name) + 1]) / 1024 for name in ("VmRSS:", "VmHWM:")
        )


def _watch(url: str, result: Result, stop: threading.Event) -> None:
    """Measure the latency of `/health` twenty times a second."""
    connection = Connection(urlsplit(url).port or 0)
    while not stop.wait(0.05):
        begin = time.perf_counter()
        try:
            connection.exchange(b"GET /health HTTP/1.1\r\nHost: localhost\r\n\r\n", reliable=True)
        except TimeoutError:
            result.hangs.append(f"/health did not respond within {TIMEOUT:g} s")
        result.health_ms.append((time.perf_counter() - begin) * 1000)
    connection.close()


def _tracebacks(stderr: IO[str]) -> list[str]:
    stderr.seek(0)
    return [*dict.fromkeys(_TRACEBACK.findall(stderr.read()))]


def main() -> int:
    """Fuzz a server, print the figures, and return 1 if a requirement is violated."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--requests", type=int, default=100_000)
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args()
    result = fuzz(options.requests, options.seed)
    print(result)
    for problem in result.problems[:10]:
        print(problem)
    return 1 if result.problems else 0


if __name__ == "__main__":
    sys.exit(main())

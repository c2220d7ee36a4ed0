"""Redis servers of the tests: real ones, each on a free port and without persistence."""

from __future__ import annotations

import socket
import subprocess
import time
from pathlib import Path
from tempfile import TemporaryDirectory
from types import TracebackType
from typing import Self

import redis

from .require import program

_START_SECONDS = 10.0


def free_port() -> int:
    """Return a port that nobody listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


class RedisServer:
    """A server process that can be killed and started again on the same port, without its data."""

    def __init__(self, *options: str) -> None:
        self._program = program("redis-server")
        self._options = options
        self._folder = TemporaryDirectory(prefix="mockvoice-redis-")
        self.port = free_port()
        self.url = f"redis://127.0.0.1:{self.port}/0"
        self.process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        """Start the server, and wait until it accepts connections."""
        folder = Path(self._folder.name)
        command = [self._program, "--port", str(self.port), "--dir", str(folder)]
        command += ["--save", "", "--appendonly", "no", "--bind", "127.0.0.1", *self._options]
        with (folder / "log").open("wb") as log:
            self.process = subprocess.Popen(command, stdout=log, stderr=log)
        end = time.monotonic() + _START_SECONDS
        while not self._accepts():
            assert self.process.poll() is None, (folder / "log").read_text()
            assert time.monotonic() < end, "redis-server does not accept connections"

    def _accepts(self) -> bool:
        with socket.socket() as probe:
            probe.settimeout(0.1)
            return probe.connect_ex(("127.0.0.1", self.port)) == 0

    def kill(self) -> None:
        """Kill the server as a crash would."""
        if self.process:
            self.process.kill()
            self.process.wait()
            self.process = None

    def client(self) -> redis.Redis:
        """Return a client of the server, for what no mock does."""
        return redis.Redis(port=self.port, decode_responses=True)

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.kill()
        self._folder.cleanup()

"""Commands, as processes of their own."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from socket import create_server

MOCKVOICE = [sys.executable, "-P", "-m", "mockvoice"]  # -P: as the script that pip installs
_ROOT = str(Path(__file__).parents[2])  # where it is imported from, wherever a command is run


# A colour or a width that a shell or a CI asks for, and settings of a mockvoice of the user's.
_NOT_OF_A_TEST = re.compile(r"MOCKVOICE_.*|CI|BUILD_NUMBER|COLUMNS|FORCE_COLOR")


def surroundings(**environment: str) -> dict[str, str]:
    """The environment of a command: that of the tests, alike everywhere, and some more."""
    kept = {k: v for k, v in os.environ.items() if not _NOT_OF_A_TEST.fullmatch(k)}
    return {**kept, "PYTHONPATH": _ROOT, **environment}


def run(
    *arguments: str, cwd: Path | str | None = None, **environment: str
) -> subprocess.CompletedProcess[str]:
    """What a command did."""
    return subprocess.run(
        [*MOCKVOICE, *arguments],
        capture_output=True,
        text=True,
        timeout=30,
        check=False,
        cwd=cwd,
        env=surroundings(**environment),
    )


def told(*arguments: str, cwd: Path | str | None = None, **environment: str) -> str:
    """What a command printed that went well."""
    done = run(*arguments, cwd=cwd, **environment)
    assert (done.returncode, done.stderr) == (0, "")
    return done.stdout


class Serving:
    """`mockvoice serve`: its first lines, unless it is quiet, and the URL."""

    def __init__(self, process: subprocess.Popen[str], *, quiet: bool) -> None:
        self._process = process
        self.lines: list[str] = []
        assert process.stdout
        for line in () if quiet else process.stdout:
            self.lines.append(line)
            if line.startswith("mockvoice "):
                break

    @property
    def url(self) -> str:
        """Where it is, as it said."""
        return self.lines[-1].split()[1].removesuffix("/__mockvoice")

    def stop(self, by: signal.Signals = signal.SIGTERM) -> tuple[int, str, str]:
        """Its exit code, and what it printed since, as output and as errors."""
        self._process.send_signal(by)
        output, errors = self._process.communicate(timeout=5)
        return self._process.returncode, output, errors


@contextmanager
def started(
    *arguments: str, cwd: Path | str | None = None, **environment: str
) -> Iterator[Serving]:
    """A server on a free port that the test stops itself."""
    with subprocess.Popen(
        [*MOCKVOICE, "serve", "--port", "0", *arguments],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        cwd=cwd,
        env=surroundings(**environment),
    ) as process:
        try:
            yield Serving(process, quiet="--quiet" in arguments)
        finally:
            process.kill()


@contextmanager
def serving(
    *arguments: str, cwd: Path | str | None = None, **environment: str
) -> Iterator[tuple[list[str], str]]:
    """A server that is stopped after the test: its first lines, and the URL."""
    with started(*arguments, cwd=cwd, **environment) as server:
        yield server.lines, server.url
        assert server.stop()[0] == 0


def free_port() -> int:
    """A port on which nothing listens."""
    with create_server(("127.0.0.1", 0)) as listener:
        port: int = listener.getsockname()[1]
    return port

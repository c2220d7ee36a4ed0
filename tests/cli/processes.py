"""Helpers that run mockvoice commands, mostly as subprocesses."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import chdir, contextmanager, redirect_stderr, redirect_stdout
from io import StringIO
from pathlib import Path
from socket import create_server

import pytest

from mockvoice.cli import main

MOCKVOICE = [sys.executable, "-P", "-m", "mockvoice"]  # -P: like the script that pip installs
_ROOT = str(Path(__file__).parents[2])

# Terminal settings of the shell or CI, and settings of the user's own mockvoice.
_EXCLUDED = re.compile(r"MOCKVOICE_.*|CI|BUILD_NUMBER|COLUMNS|FORCE_COLOR")


def clean_environ(**variables: str) -> dict[str, str]:
    """Return the environment without variables that change the output, plus `variables`."""
    environ = {k: v for k, v in os.environ.items() if not _EXCLUDED.fullmatch(k)}
    return {**environ, "PYTHONPATH": _ROOT, **variables}


def run(
    *arguments: str, cwd: Path | str | None = None, **environment: str
) -> subprocess.CompletedProcess[str]:
    """Run a command to its end."""
    return subprocess.run(
        [*MOCKVOICE, *arguments],
        capture_output=True,
        text=True,
        timeout=30,
        check=False,
        cwd=cwd,
        env=clean_environ(**environment),
    )


def invoke(
    *arguments: str, cwd: Path | str = ".", **environment: str
) -> subprocess.CompletedProcess[str]:
    """Run a command to its end in this process, where it takes a tenth of the time.

    For tests of what a command does with its input, rather than of the process that it runs in.
    """
    stdout, stderr = StringIO(), StringIO()
    handler = signal.getsignal(signal.SIGTERM)  # `serve` replaces it
    with pytest.MonkeyPatch.context() as patch, chdir(cwd):
        for name in os.environ.keys() - clean_environ().keys():
            patch.delenv(name)
        for name, value in environment.items():
            patch.setenv(name, value)
        with redirect_stdout(stdout), redirect_stderr(stderr):
            try:
                code: int | str | None = main(arguments)
            except SystemExit as error:  # of argparse
                code = error.code
            finally:
                signal.signal(signal.SIGTERM, handler)
    assert isinstance(code, int)
    return subprocess.CompletedProcess(arguments, code, stdout.getvalue(), stderr.getvalue())


def check_output(*arguments: str, cwd: Path | str | None = None, **environment: str) -> str:
    """Return what a command prints; it must succeed without output on stderr."""
    result = run(*arguments, cwd=cwd, **environment)
    assert (result.returncode, result.stderr) == (0, "")
    return result.stdout


class ServeProcess:
    """A running `mockvoice serve`; `lines` is what it prints at startup, unless quiet."""

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
        """URL of the server, from the startup output."""
        return self.lines[-1].split()[1].removesuffix("/__mockvoice")

    @property
    def id(self) -> int:
        """The id of the process."""
        return self._process.pid

    def error_line(self) -> str:
        """Return the next line of stderr."""
        assert self._process.stderr
        return self._process.stderr.readline().rstrip("\n")

    def stop(self, signum: signal.Signals = signal.SIGTERM) -> tuple[int, str, str]:
        """Stop the server; return its exit code and the rest of stdout and stderr."""
        self._process.send_signal(signum)
        stdout, stderr = self._process.communicate(timeout=5)
        return self._process.returncode, stdout, stderr

    def kill(self) -> None:
        """End the server without letting it clean up."""
        self._process.kill()

    def stop_without_reading(self) -> int:
        """Stop the server while nobody reads its output; return its exit code."""
        self._process.terminate()
        return self._process.wait(timeout=5)


@contextmanager
def start_server(
    *arguments: str, cwd: Path | str | None = None, **environment: str
) -> Iterator[ServeProcess]:
    """Start a server on a free port; the caller stops it, otherwise it is killed."""
    with subprocess.Popen(
        [*MOCKVOICE, "serve", "--port", "0", *arguments],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        cwd=cwd,
        env=clean_environ(**environment),
    ) as process:
        try:
            yield ServeProcess(process, quiet="--quiet" in arguments)
        finally:
            process.kill()


@contextmanager
def serving(
    *arguments: str, cwd: Path | str | None = None, **environment: str
) -> Iterator[tuple[list[str], str]]:
    """Run a server on a free port; yield its startup lines and its URL."""
    with start_server(*arguments, cwd=cwd, **environment) as server:
        yield server.lines, server.url
        assert server.stop()[0] == 0


def free_port() -> int:
    """Return a port on which nothing listens."""
    with create_server(("127.0.0.1", 0)) as listener:
        port: int = listener.getsockname()[1]
    return port

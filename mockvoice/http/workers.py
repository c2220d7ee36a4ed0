"""Worker processes, and the supervisor that keeps them running."""

from __future__ import annotations

import logging
import os
import signal
import threading
from contextlib import suppress
from time import monotonic, sleep
from types import FrameType

log = logging.getLogger("mockvoice")

_STOP_SIGNALS = (signal.SIGTERM, signal.SIGINT)
_STOP_SECONDS = 0.8  # for workers to stop before they are killed
_RESTART_SECONDS = 1.0  # between two starts of the same worker
_POLL_SECONDS = 0.01


class _Stop(BaseException):
    """The supervisor received a signal to stop."""


def supervise(number: int) -> int | None:
    """Start worker processes, and start each again when it dies, until a signal.

    Returns twice: in each worker its index, and None in the supervisor once all have stopped.
    """
    lifeline = os.pipe()  # closed by the end of the supervisor, whatever ends it
    running: dict[int, int] = {}  # index by process id
    started = [0.0] * number
    for name in _STOP_SIGNALS:
        signal.signal(name, _stop)
    pending = [*range(number)]
    try:
        while True:
            for index in pending:
                sleep(max(0.0, started[index] + _RESTART_SECONDS - monotonic()))
                started[index] = monotonic()
                # A signal between these lines would leave a process that nobody knows.
                signal.pthread_sigmask(signal.SIG_BLOCK, _STOP_SIGNALS)
                process = os.fork()
                if process == 0:
                    _become_worker(*lifeline)
                    return int(index)
                running[process] = index
                signal.pthread_sigmask(signal.SIG_UNBLOCK, _STOP_SIGNALS)
            dead, status = os.waitpid(-1, 0)
            pending = [running.pop(dead)]
            reason = _exit_reason(os.waitstatus_to_exitcode(status))
            log.error("worker %d (process %d) %s; starting it again", *pending, dead, reason)
    except _Stop:
        for name in _STOP_SIGNALS:
            signal.signal(name, signal.SIG_IGN)
        _stop_all({*running})
    return None


def _stop(number: int, frame: FrameType | None) -> None:
    raise _Stop


def _exit_reason(code: int) -> str:
    return f"was killed by {signal.Signals(-code).name}" if code < 0 else f"exited with code {code}"


def _become_worker(read: int, write: int) -> None:
    """Stop this process once the supervisor has ended."""
    for name in _STOP_SIGNALS:
        signal.signal(name, signal.SIG_DFL)
    signal.pthread_sigmask(signal.SIG_UNBLOCK, _STOP_SIGNALS)
    os.close(write)

    def wait() -> None:
        os.read(read, 1)  # returns at the end of the supervisor
        os.kill(os.getpid(), signal.SIGTERM)

    threading.Thread(target=wait, name="mockvoice lifeline", daemon=True).start()


def _stop_all(processes: set[int]) -> None:
    """Stop processes, and kill those that have not stopped in time."""
    end = monotonic() + _STOP_SECONDS
    _send(processes, signal.SIGTERM)
    while processes and monotonic() < end:
        processes -= {process for process in processes if os.waitpid(process, os.WNOHANG)[0]}
        sleep(_POLL_SECONDS)
    _send(processes, signal.SIGKILL)
    for process in processes:
        os.waitpid(process, 0)


def _send(processes: set[int], number: signal.Signals) -> None:
    for process in processes:
        with suppress(ProcessLookupError):
            os.kill(process, number)

"""Loads the mock again when its files have changed."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterable
from pathlib import Path

from ..config.settings import SettingsError
from ..mock import Mock
from ..openapi.normalize import ContractError

_Stamp = tuple[int, int, int] | None
_UNCHANGED = "not reloaded; the server continues as it was"
_FIXED = ("host", "port")  # settings of the socket, which stays open


class Reloader:
    """Checks files for changes; `load` returns a mock and the files that it was read from."""

    def __init__(
        self, mock: Mock, files: Iterable[Path], load: Callable[[], tuple[Mock, Iterable[Path]]]
    ) -> None:
        self._mock = mock
        self._load = load
        self._reloaded = ""
        self._stamps = {file: _stamp(file) for file in files}

    def poll(self) -> Mock | None:
        """Return a new mock if a file has changed; print the reason if it is not valid."""
        changed = [file for file, stamp in self._stamps.items() if _stamp(file) != stamp]
        if not changed:
            return None
        self._stamps |= {file: _stamp(file) for file in changed}
        try:
            mock, files = self._load()
        except (SettingsError, ContractError, OSError) as error:
            _print(*str(error).splitlines(), _UNCHANGED)
            return None
        except Exception as error:  # noqa: BLE001 - no contract may end the server
            _print(f"{type(error).__name__}: {error}", _UNCHANGED)
            return None
        self._stamps = {file: self._stamps.get(file) or _stamp(file) for file in files}
        mock.ca = self._mock.ca  # clients trust this one
        for name in _FIXED:
            if getattr(mock.settings, name) != getattr(self._mock.settings, name):
                _print(f"{name} changes with the next start")
        self._reloaded = ", ".join(str(file) for file in changed)
        return mock

    def report(self) -> None:
        """Print which files were reloaded, once the server before has stopped."""
        _print(f"reloaded {self._reloaded}; the state of all sandboxes was reset")


def _stamp(file: Path) -> _Stamp:
    """Return what changes whenever a file is written, None if it does not exist."""
    try:
        status = file.stat()
    except OSError:
        return None
    return status.st_mtime_ns, status.st_size, status.st_ino


def _print(*lines: str) -> None:
    for line in lines:
        print(f"mockvoice: {line}", file=sys.stderr, flush=True)

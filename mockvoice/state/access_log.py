"""The access log: one line for each request, as text or JSON."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Callable, Mapping
from contextlib import suppress
from queue import SimpleQueue
from threading import Thread
from typing import Any

from ..color import is_colored, paint
from ..redact import mask_key
from ..text import request_line
from .clock import timestamp
from .journal import JournalEntry

MAX_WAITING = 10_000  # lines that nobody has read yet; further ones are dropped and counted
_MAX_PATH = 1000  # characters
_MAX_REASON = 1000


class AccessLog:
    """Prints one line per request from a thread: a full pipe must not stop the server."""

    def __init__(self, format: Callable[[Mapping[str, Any]], str], dropped: str) -> None:
        self._format = format
        self._dropped_line = dropped
        self._dropped = 0
        self._lines = SimpleQueue[str | None]()
        self._thread: Thread | None = None

    def __call__(self, sandbox: str, entry: JournalEntry) -> None:
        """Print the entry of a sandbox, unless too many lines are waiting to be read."""
        if self._thread is None:
            self._thread = Thread(target=self._write_lines, name="mockvoice log", daemon=True)
            self._thread.start()
        if self._lines.qsize() >= MAX_WAITING:
            self._dropped += 1
            return
        if self._dropped:
            self._lines.put(self._dropped_line.format(self._dropped))
            self._dropped = 0
        self._lines.put(self._format(_entry(sandbox, entry)))

    def close(self, seconds: float = 0.5) -> None:
        """Write the waiting lines, as long as somebody reads them."""
        if self._thread is not None:
            if self._dropped:
                self._lines.put(self._dropped_line.format(self._dropped))
            self._lines.put(None)
            self._thread.join(seconds)
            self._thread = None

    def _write_lines(self) -> None:
        while (line := self._lines.get()) is not None:
            with suppress(OSError, ValueError):  # nobody reads it any more
                _write(f"{line}\n")


def _write(text: str) -> None:
    """Write to standard output, without a lock that the end of the process would wait for."""
    try:
        descriptor = sys.stdout.fileno()
    except (AttributeError, OSError, ValueError):  # replaced by a test, or closed
        sys.stdout.write(text)
        return
    data = text.encode(errors="backslashreplace")
    while data:
        data = data[os.write(descriptor, data) :]


def access_log(form: str) -> AccessLog | None:
    """Return a log that prints `text` or `json`, or None for `off`."""
    if form == "off":
        return None
    if form == "text":
        format = _colored_text if is_colored(sys.stdout) else _text
        return AccessLog(format, "({} lines were dropped: nobody read the output)")
    return AccessLog(json.dumps, '{{"dropped": {}}}')


def _entry(sandbox: str, entry: JournalEntry) -> dict[str, Any]:
    """Return the members of a line, most of them named as in the journal."""
    redactor = entry.redactor()
    reason = "; ".join(violation.sentence for violation in entry.violations)
    return {
        "at": timestamp(entry.at),
        "id": entry.id,
        "sandbox": sandbox,
        "provider": entry.provider,
        "operation": entry.operation,
        "method": entry.method,
        "path": redactor.text(entry.path)[:_MAX_PATH],
        "account": mask_key(entry.account) if entry.account else "",
        "status": entry.status,
        "fault": {"id": entry.fault, "kind": entry.kind} if entry.fault else None,
        "client_closed": entry.client_closed,
        "milliseconds": round(entry.milliseconds or 0.0, 3),
        "reason": redactor.text(reason)[:_MAX_REASON] if reason else "",
        "hint": redactor.text(entry.hint)[:_MAX_REASON] if entry.hint else "",
        **_websocket(entry),
    }


def _websocket(entry: JournalEntry) -> dict[str, Any]:
    """Return the members that only the line of a WebSocket has."""
    if entry.closed is None:
        return {}
    code, reason = entry.closed
    frames = len(entry.frames) + entry.omitted_frames
    return {"frames": frames, "closed": {"code": code, "reason": reason}}


def _text(entry: Mapping[str, Any]) -> str:
    sandbox = f"~{entry['sandbox']}  " if entry["sandbox"] else ""
    fault = entry["fault"]
    line = request_line(
        id=entry["id"],
        provider=entry["provider"],
        operation=entry["operation"],
        method=entry["method"],
        path=entry["path"],
        status=entry["status"],
        fault=f"{fault['kind']} ({fault['id']})" if fault else "",
        client_closed=entry["client_closed"],
    )
    hint = f"hint: {entry['hint']}" if entry["hint"] else ""
    closed = entry.get("closed")
    talk = f"{entry['frames']} frames, closed with {closed['code']}" if closed else ""
    reason = "; ".join(filter(None, [talk, entry["reason"], hint]))
    end = f"  {reason if reason.isprintable() else repr(reason)}" if reason else ""
    return f"{entry['at']}  {sandbox}{line}  {entry['milliseconds']:.1f} ms{end}"


def _colored_text(entry: Mapping[str, Any]) -> str:
    return paint(_text(entry))

"""The access log: one line for each request, as text or JSON."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Mapping
from contextlib import suppress
from typing import Any

from ..redact import mask_key
from .clock import timestamp
from .journal import JournalEntry

Print = Callable[[str, JournalEntry], None]


def printer(format: str) -> Print | None:
    """Return a function that prints an entry of a sandbox as `text` or `json`; None for `off`."""
    if format == "off":
        return None
    dump = _text if format == "text" else json.dumps

    def print_line(sandbox: str, entry: JournalEntry) -> None:
        with suppress(OSError):  # a closed pipe must not fail a request
            sys.stdout.write(f"{dump(_entry(sandbox, entry))}\n")
            sys.stdout.flush()

    return print_line


def _entry(sandbox: str, entry: JournalEntry) -> dict[str, Any]:
    """Return the members of a log line, named as in the journal."""
    return {
        "at": timestamp(entry.at),
        "id": entry.id,
        "sandbox": sandbox,
        "provider": entry.provider,
        "operation": entry.operation,
        "method": entry.method,
        "path": entry.redactor().text(entry.path),
        "account": mask_key(entry.account) if entry.account else "",
        "status": entry.status,
        "fault": {"id": entry.fault, "kind": entry.kind} if entry.fault else None,
        "milliseconds": round(entry.milliseconds or 0.0, 3),
    }


def _text(entry: Mapping[str, Any]) -> str:
    sandbox = f"~{entry['sandbox']}  " if entry["sandbox"] else ""
    operation = f"{entry['provider'] or '(no provider)'} {entry['operation'] or '(no operation)'}"
    path = entry["path"] if entry["path"].isprintable() else repr(entry["path"])
    status = "no response" if entry["status"] is None else entry["status"]
    fault = f", {entry['fault']['kind']} ({entry['fault']['id']})" if entry["fault"] else ""
    return (
        f"{entry['at']}  {sandbox}{entry['id']}  {operation}  {entry['method']} {path}"
        f"  -> {status}{fault}  {entry['milliseconds']:.1f} ms"
    )

"""A line for each request that ended, as text for people or as JSON for machines."""

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


def printer(form: str) -> Print | None:
    """What prints an exchange of the sandbox with a name, as `text` or `json`; None for `off`."""
    if form == "off":
        return None
    written = _text if form == "text" else json.dumps

    def print_line(sandbox: str, entry: JournalEntry) -> None:
        with suppress(OSError):  # nobody reads it any more: no reason to fail a request
            sys.stdout.write(f"{written(_entry(sandbox, entry))}\n")
            sys.stdout.flush()

    return print_line


def _entry(sandbox: str, entry: JournalEntry) -> dict[str, Any]:
    """What is told of an exchange; its words are those of the journal."""
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
    came = "no reply" if entry["status"] is None else entry["status"]
    fault = f", {entry['fault']['kind']} ({entry['fault']['id']})" if entry["fault"] else ""
    return (
        f"{entry['at']}  {sandbox}{entry['id']}  {operation}  {entry['method']} {path}"
        f"  -> {came}{fault}  {entry['milliseconds']:.1f} ms"
    )

"""Handlers for `/requests`: the journal."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping
from typing import Any
from urllib.parse import parse_qs

from ..errors import NotFound, ValidationFailed, Violation
from ..openapi.normalize import JSON
from ..provider import RequestContext
from ..redact import mask_key, redact
from ..state.clock import timestamp
from ..state.journal import JournalEntry
from ..state.uploads import Upload
from .clock import parse_time

Filter = Callable[[JournalEntry], bool]


async def list_requests(ctx: RequestContext) -> JSON:
    filters = _filters(ctx)
    journal = ctx.sandbox.journal
    entries = [entry for entry in journal if all(matches(entry) for matches in filters)]
    if "limit" in ctx.parameters:
        # Numbers in a query beyond 2**53 are floats, which cannot be used as slice indices.
        entries = entries[-min(int(ctx.parameters["limit"]), len(entries)) :]
    return {"requests": [entry_json(entry) for entry in entries], "evicted": journal.evicted}


async def get_request(ctx: RequestContext) -> JSON:
    id = ctx.parameters["id"]
    entry = await ctx.sandbox.journal.get(_number(id))
    if entry is None:
        raise NotFound(f"the journal has no {id}")
    return entry_json(entry)


async def clear_requests(ctx: RequestContext) -> None:
    await ctx.sandbox.journal.clear()


# --- filters -------------------------------------------------------------------------------------


def _filters(ctx: RequestContext) -> list[Filter]:
    """Return one predicate for each filter in the query.

    Raises ValidationFailed for a provider or operation that is not served.
    """
    parameters = ctx.parameters
    target = dict(parameters)
    if " " in target.get("operation", ""):  # a method and a path, which need not be in a contract
        del target["operation"]
    if violations := [*ctx.mock.wrong_target(target, "query")]:
        raise ValidationFailed("", *violations)
    filters: list[Filter] = []
    if "provider" in parameters:
        filters.append(lambda entry: entry.provider == parameters["provider"])
    if "operation" in parameters:
        filters.append(lambda entry: parameters["operation"] in _operation_names(ctx, entry))
    if "status" in parameters:
        filters.append(lambda entry: entry.status == parameters["status"])
    if parameters["internal_error"]:
        filters.append(lambda entry: bool(entry.internal_error))
    if "since" in parameters:
        filters.append(_since(parameters["since"]))
    return filters


def _operation_names(ctx: RequestContext, entry: JournalEntry) -> tuple[str, str]:
    """Return the operationId of a request, and its method with the path from the contract."""
    operation = ctx.mock.providers[entry.provider].document.operations.get(entry.operation)
    path = operation.path if operation else entry.path
    return entry.operation, f"{entry.method} {path}"


def _since(text: str) -> Filter:
    """Return a predicate for requests after a request id or a time. Raises ValidationFailed."""
    number = _number(text)
    if number:
        return lambda entry: entry.number > number
    time = parse_time(text)
    if time is None:
        message = f"must be the id of a request, or a time; got {text}"
        raise ValidationFailed("", Violation("query", "/since", "format", message, received=text))
    return lambda entry: entry.at > time


def _number(id: str) -> int:
    """Return the number in the id of a request, or 0 if the id is malformed."""
    match = re.fullmatch(r"request_(\d{1,15})", id)
    return int(match[1]) if match else 0


# --- JSON ----------------------------------------------------------------------------------------


def entry_json(entry: JournalEntry) -> JSON:
    """Return a journal entry with secrets masked."""
    query = parse_qs(entry.query.decode("latin-1"), keep_blank_values=True)
    retries = re.fullmatch(r"[0-9]{1,9}", entry.headers.get("x-stainless-retry-count"))
    recorded = {
        "id": entry.id,
        "at": timestamp(entry.at),
        "provider": entry.provider,
        "operation": entry.operation,
        "method": entry.method,
        "path": entry.path,
        "query": {name: texts[0] if len(texts) == 1 else texts for name, texts in query.items()},
        "account": mask_key(entry.account) if entry.account else "",
        "headers": dict(entry.headers.items()),
        "fields": _without_files(entry.fields),
        "files": [upload.described() for upload in entry.uploads],
        "bytes": entry.size,
        "violations": [violation.described() for violation in entry.violations],
        "hint": entry.hint,
        "fault": {"id": entry.fault, "kind": entry.kind} if entry.fault else None,
        "status": entry.status,
        "response": None if entry.status is None else _response_json(entry),
        "milliseconds": entry.milliseconds,
        "attempt": int(retries[0]) + 1 if retries else None,
        "early": entry.early,
        "internal_error": entry.internal_error,
    }
    return redact(recorded, entry.account)


def _response_json(entry: JournalEntry) -> JSON:
    content_type = {"content-type": entry.reply_type} if entry.reply_type else {}
    return {"headers": {**entry.reply_headers, **content_type}, "body": _response_body(entry)}


def _response_body(entry: JournalEntry) -> JSON:
    """Return the body of a response as JSON, or as text; None for audio and for no body."""
    if entry.reply_type.startswith(("audio/", "application/x-ndjson")) or not entry.reply:
        return None
    text = entry.reply.decode("utf-8", "replace")
    try:
        return json.loads(text, parse_constant=str) if "json" in entry.reply_type else text
    except ValueError:  # truncated in the journal, or malformed on purpose
        return text


def _without_files(fields: Mapping[str, Any]) -> dict[str, JSON]:
    """Return the fields of a body without files and lists that contain files."""
    return {
        name: value
        for name, value in fields.items()
        if not any(
            isinstance(item, Upload) for item in (value if isinstance(value, list) else [value])
        )
    }

"""Handlers for `/requests`: the journal."""

from __future__ import annotations

import asyncio
import json
import re
from collections.abc import Callable, Sequence

from ..errors import NotFound, ValidationFailed, Violation
from ..faults.validation import target_violations
from ..provider import Response
from ..redact import FAULT_HEADER, mask_key, redact_fault_header
from ..state.clock import parse_time, timestamp
from ..state.journal import JournalEntry, JournalFrame
from ..state.uploads import Upload
from ..types import JSON
from .context import ControlContext

TURN = 20  # entries that are encoded before other requests have their turn

Filter = Callable[[JournalEntry], bool]


async def list_requests(ctx: ControlContext) -> JSON:
    filters = entry_filters(ctx)
    recorded, evicted = await ctx.store.list_entries(ctx.sandbox)
    entries = [entry for entry in recorded if all(matches(entry) for matches in filters)]
    if "limit" in ctx.parameters:
        # Numbers in a query beyond 2**53 are floats, which cannot be used as slice indices.
        entries = entries[-min(int(ctx.parameters["limit"]), len(entries)) :]
    return {
        "requests": await entries_json(ctx, entries),
        "evicted": evicted,
    }


async def count_requests(ctx: ControlContext) -> JSON:
    counted, evicted = await ctx.store.count_entries(ctx.sandbox)
    counts = [
        {"provider": provider, "operation": operation, "status": status, "count": total}
        for provider, operation, status, total in counted
    ]
    return {"counts": counts, "evicted": evicted}


async def get_request(ctx: ControlContext) -> JSON:
    id = ctx.parameters["id"]
    entry = await ctx.store.get_entry(ctx.sandbox, _number(id))
    if entry is None:
        raise NotFound(f"the journal has no {id}")
    return (await entries_json(ctx, [entry]))[0]


async def get_request_file(ctx: ControlContext) -> Response:
    id, index = ctx.parameters["id"], int(ctx.parameters["index"])
    entry = await ctx.store.get_entry(ctx.sandbox, _number(id))
    if entry is None:
        raise NotFound(f"the journal has no {id}")
    uploads = await ctx.store.get_uploads(ctx.sandbox, entry.uploads)
    if index >= len(uploads):
        raise NotFound(f"{id} has {len(uploads)} files, and no file {index}")
    if uploads[index].content is None:
        raise NotFound(
            f"the content of file {index} of {id} was evicted; raise upload_cache_mb to keep more"
        )
    # A page that opens this URL must not get it as a document of this origin.
    headers = {"content-disposition": "attachment", "x-content-type-options": "nosniff"}
    return Response(uploads[index].data, headers=headers)


async def clear_requests(ctx: ControlContext) -> None:
    await ctx.store.clear_entries(ctx.sandbox)


# --- filters -------------------------------------------------------------------------------------


def entry_filters(ctx: ControlContext) -> list[Filter]:
    """Return one predicate for each filter in the query.

    Raises ValidationFailed for a provider or operation that is not served.
    """
    parameters = ctx.parameters
    target = dict(parameters)
    if " " in target.get("operation", ""):  # a method and a path, which need not be in a contract
        del target["operation"]
    if violations := [*target_violations(ctx.providers, target, "query")]:
        raise ValidationFailed("", *violations)
    filters: list[Filter] = []
    if "provider" in parameters:
        filters.append(lambda entry: entry.provider == parameters["provider"])
    if "operation" in parameters:
        filters.append(lambda entry: parameters["operation"] in _operation_names(ctx, entry))
    if "status" in parameters:
        filters.append(_status(parameters["status"]))
    if parameters["internal_error"]:
        filters.append(lambda entry: bool(entry.internal_error))
    if "since" in parameters:
        filters.append(since(parameters["since"]))
    return filters


def _status(text: str) -> Filter:
    """Return a predicate for requests with a status, or a class of them: `404`, `4xx`."""
    if text.isdigit():
        return lambda entry: entry.status == int(text)
    return lambda entry: entry.status is not None and entry.status // 100 == int(text[0])


def _operation_names(ctx: ControlContext, entry: JournalEntry) -> tuple[str, str]:
    """Return the operationId of a request, and its method with the path from the contract."""
    provider = ctx.providers.get(entry.provider)
    operation = provider.document.operations.get(entry.operation) if provider else None
    path = operation.path if operation else entry.path
    return entry.operation, f"{entry.method} {path}"


def since(text: str) -> Filter:
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


async def entries_json(ctx: ControlContext, entries: Sequence[JournalEntry]) -> list[JSON]:
    """Return journal entries with secrets masked; their files are read in one call of the store."""
    uploads = await find_uploads(ctx, [entry.uploads for entry in entries])
    shown = []
    for position, both in enumerate(zip(entries, uploads, strict=True)):
        if position % TURN == 0:
            await asyncio.sleep(0)
        shown.append(_entry_json(ctx, *both))
    return shown


async def find_uploads(ctx: ControlContext, ids: Sequence[Sequence[str]]) -> list[list[Upload]]:
    """Return the files of several entries or records, read in one call of the store."""
    unique = {id: None for some in ids for id in some}
    found = {one.id: one for one in await ctx.mock.get_uploads(ctx.sandbox, [*unique])}
    return [[found[id] for id in some if id in found] for some in ids]


def _entry_json(ctx: ControlContext, entry: JournalEntry, uploads: Sequence[Upload]) -> JSON:
    query, headers = entry.query_texts(), entry.header_texts()
    if FAULT_HEADER in headers:
        headers[FAULT_HEADER] = redact_fault_header(headers[FAULT_HEADER])
    retries = re.fullmatch(r"[0-9]{1,9}", headers.get("x-stainless-retry-count", ""))
    recorded = {
        "id": entry.id,
        "sandbox": ctx.sandbox,
        "at": timestamp(entry.at),
        "provider": entry.provider,
        "operation": entry.operation,
        "method": entry.method,
        "path": entry.path,
        "query": {name: texts[0] if len(texts) == 1 else texts for name, texts in query.items()},
        "account": mask_key(entry.account) if entry.account else "",
        "headers": headers,
        "fields": entry.fields,
        "files": [upload.described() for upload in uploads],
        "bytes": entry.size,
        "violations": [violation.described() for violation in entry.violations],
        "hint": entry.hint,
        "fault": {"id": entry.fault, "kind": entry.kind} if entry.fault else None,
        "status": entry.status,
        "response": None if entry.status is None else _response_json(entry),
        "milliseconds": entry.milliseconds,
        "attempt": int(retries[0]) + 1 if retries else None,
        "early": entry.early,
        "client_closed": entry.client_closed,
        "internal_error": entry.internal_error,
        "custom": entry.custom,
        "upstream": entry.upstream,
        "difference": differences_json(entry),
        "frames": [_frame_json(frame) for frame in entry.frames],
        "omitted_frames": entry.omitted_frames,
        "closed": {"code": entry.closed[0], "reason": entry.closed[1]} if entry.closed else None,
    }
    return entry.redactor().redact(recorded)


def differences_json(entry: JournalEntry) -> JSON:
    """Return the differences of a request; None if it was not compared."""
    return None if entry.difference is None else [one._asdict() for one in entry.difference]


def _frame_json(frame: JournalFrame) -> JSON:
    return {
        "sender": frame.sender,
        "milliseconds": round(frame.milliseconds, 3),
        "bytes": frame.size,
        "data": frame.data,
    }


def _response_json(entry: JournalEntry) -> JSON:
    content_type = {"content-type": entry.response_type} if entry.response_type else {}
    return {"headers": {**entry.response_headers, **content_type}, "body": _response_body(entry)}


def _response_body(entry: JournalEntry) -> JSON:
    """Return the body of a response as JSON, or as text; None for audio and for no body."""
    if entry.response_type.startswith(("audio/", "application/x-ndjson")) or not entry.response:
        return None
    text = entry.response.decode("utf-8", "replace")
    try:
        return json.loads(text, parse_constant=str) if "json" in entry.response_type else text
    except ValueError:  # truncated in the journal, or malformed on purpose
        return text

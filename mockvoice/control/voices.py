"""Handlers for `/voices`: the records of all providers."""

from __future__ import annotations

from ..errors import ValidationFailed
from ..openapi.normalize import JSON
from ..provider import RequestContext
from ..redact import mask_key, redact
from ..state.clock import timestamp
from ..state.records import EVERYBODY, Record, RecordStore


async def list_voices(ctx: RequestContext) -> JSON:
    parameters, voices = ctx.parameters, ctx.sandbox.voices
    if violations := [*ctx.mock.wrong_target(parameters, "query")]:
        raise ValidationFailed("", *violations)
    records = [
        record
        for record in voices
        if parameters.get("provider") in (None, record.provider)
        and parameters.get("collection") in (None, record.collection)
        and (parameters["presets"] or not record.preset)
    ]
    return {"voices": [_record_json(record) for record in records], "evicted": voices.evicted}


async def add_voice(ctx: RequestContext) -> JSON:
    sandbox = ctx.sandbox
    records = ctx.mock.seeded(ctx.fields, sandbox.ids, sandbox.clock.now(), ctx.sample_url)
    for record in records:
        await sandbox.voices.add(record)
    return _record_json(records[-1])  # preceded by the records it depends on


async def clear_voices(ctx: RequestContext) -> None:
    # A new store, because accounts add their presets to each store once.
    ctx.sandbox.voices = RecordStore(ctx.sandbox.settings.max_voices)


def _record_json(record: Record) -> JSON:
    """Return a record with secrets masked."""
    account = record.account
    return {
        "provider": record.provider,
        "collection": record.collection,
        "id": record.id,
        "account": account if account == EVERYBODY else mask_key(account),
        "created_at": timestamp(record.created_at),
        "data": redact(record.data, account),
        "uploads": [upload.described() for upload in record.uploads],
    }

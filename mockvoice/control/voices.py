"""Handlers for `/voices`: the records of all providers."""

from __future__ import annotations

from collections.abc import Sequence

from ..errors import NotFound, ValidationFailed
from ..faults.validation import target_violations
from ..provider import with_sample
from ..redact import mask_key, redact
from ..seeding import make_records, seeded_uploads
from ..state.clock import timestamp
from ..state.ids import Ids
from ..state.records import EVERY_ACCOUNT, Record
from ..state.uploads import Upload
from ..text import did_you_mean
from ..types import JSON
from .context import ControlContext
from .requests import find_uploads


async def list_voices(ctx: ControlContext) -> JSON:
    parameters = ctx.parameters
    if violations := [*target_violations(ctx.providers, parameters, "query")]:
        raise ValidationFailed("", *violations)
    current, evicted = await current_records(ctx, presets=parameters["presets"])
    records = [
        record
        for record in current
        if parameters.get("provider") in (None, record.provider)
        and parameters.get("collection") in (None, record.collection)
    ]
    return {"voices": await _records_json(ctx, records), "evicted": evicted}


async def current_records(
    ctx: ControlContext, *, presets: bool = False
) -> tuple[list[Record], int]:
    """Return the records of all accounts, and the number of evicted ones.

    Those of the settings are first, then the oldest.
    """
    stored, evicted = await ctx.store.all_records(ctx.sandbox)
    replaced = {(record.partition, record.id) for record in stored}
    base = await _base_records(ctx)
    base = [record for record in base if (record.partition, record.id) not in replaced]
    records = [record for record in [*base, *stored] if not record.removed]
    return [record for record in records if presets or not record.preset], evicted


async def _base_records(ctx: ControlContext) -> list[Record]:
    """Return the presets, which belong to every account, and the records of the settings."""
    seed, started_at = await ctx.store.get_sandbox(ctx.sandbox)
    presets = [
        record
        for provider in ctx.providers.values()
        if provider.presets
        for record in provider.presets(EVERY_ACCOUNT)
    ]
    records = [*presets, *ctx.mock.all_configured_records(ctx.providers, seed, started_at)]
    unique = {(record.partition, record.id): record for record in records}
    return [with_sample(ctx.providers[r.provider], r, ctx.sample_url) for r in unique.values()]


async def add_voice(ctx: ControlContext) -> JSON:
    store, sandbox = ctx.store, ctx.sandbox
    seed, _ = await store.get_sandbox(sandbox)
    ids = Ids(seed, "seeded", await store.next_count(sandbox, "seeded"))
    now = (await store.get_clock(sandbox)).now
    records = make_records(ctx.providers, ctx.fields, ids, now, ctx.sample_url)
    stored = await store.put_records(sandbox, records, seeded_uploads(ctx.fields))
    return (await _records_json(ctx, stored[-1:]))[0]  # preceded by the records it depends on


async def clear_voices(ctx: ControlContext) -> None:
    await ctx.store.clear_records(ctx.sandbox)


async def delete_voice(ctx: ControlContext) -> None:
    parameters = ctx.parameters
    if violations := [*target_violations(ctx.providers, parameters, "query")]:
        raise ValidationFailed("", *violations)
    records, _ = await current_records(ctx, presets=True)
    found = [
        record
        for record in records
        if record.id == parameters["id"]
        and parameters.get("provider") in (None, record.provider)
        and parameters.get("collection") in (None, record.collection)
    ]
    if not found:
        hint = did_you_mean(parameters["id"], [record.id for record in records])
        suggestion = f" ({hint})" if hint else ""
        raise NotFound(
            f"no record has the id {parameters['id']}{suggestion}; `GET /voices` lists all"
        )
    base = {(record.provider, record.collection, record.id) for record in await _base_records(ctx)}
    await ctx.store.remove_records(
        ctx.sandbox,
        [r._replace(base=(r.provider, r.collection, r.id) in base) for r in found],
    )


async def _records_json(ctx: ControlContext, records: Sequence[Record]) -> list[JSON]:
    """Return records with secrets masked."""
    uploads = await find_uploads(ctx, [record.uploads for record in records])
    return [_record_json(*both) for both in zip(records, uploads, strict=True)]


def _record_json(record: Record, uploads: Sequence[Upload]) -> JSON:
    account = record.account
    return {
        "provider": record.provider,
        "collection": record.collection,
        "id": record.id,
        "account": account if account == EVERY_ACCOUNT else mask_key(account),
        "created_at": timestamp(record.created_at),
        "data": redact(record.data, account),
        "uploads": [upload.described() for upload in uploads],
    }

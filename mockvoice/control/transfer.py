"""Handlers for `/export` and `/import`: a sandbox as a configuration file."""

from __future__ import annotations

import asyncio
import time
from base64 import encodebytes
from collections.abc import AsyncGenerator, AsyncIterator, Iterator, Mapping, Sequence
from textwrap import indent

from .. import __version__
from ..config.emitter import to_yaml
from ..config.file import content_violations
from ..errors import ValidationFailed
from ..provider import Provider, Response
from ..redact import mask_key, redact, redact_fault
from ..seeding import make_all, seeded_uploads
from ..state.accounts import EVERY_KEY, Account
from ..state.clock import parse_time, timestamp
from ..state.ids import Ids
from ..state.records import EVERY_ACCOUNT, Record
from ..state.store import PARTS, SandboxSettings
from ..state.uploads import Upload
from ..types import JSON
from .accounts import find_account
from .context import ControlContext
from .reset import check_editions
from .voices import current_records

_SETTINGS = ("seed", "audio", "limits", "keys", "retry_after", "strict_fields", "edition")
_REAL = 1.0  # seconds from real time up to which a clock is considered unchanged
_PIECE = 57 * 1024  # bytes of a sample that are encoded at once, in whole lines
_EVICTED = "# {} samples are missing: they were evicted to stay within upload_cache_mb.\n"
_MASKED = "# API keys and other secrets are masked. Export with --with-keys to keep them.\n"


# --- export --------------------------------------------------------------------------------------


async def export_sandbox(ctx: ControlContext) -> Response:
    with_keys: bool = ctx.parameters["keys"]
    settings = await ctx.store.get_settings(ctx.sandbox)
    _, rules = await ctx.store.list_rules(ctx.sandbox)
    settings_and_accounts = {
        **{name: getattr(settings, name) for name in _SETTINGS},
        "clock": await _clock(ctx),
        "accounts": await _accounts(ctx, is_listed=settings.keys == "listed", with_keys=with_keys),
    }
    faults = [{**rule.data} if with_keys else redact_fault(rule.data) for rule in rules]
    records, _ = await current_records(ctx)
    voices = _voices(ctx, records)
    name = f"sandbox {ctx.sandbox}" if ctx.sandbox else "the default sandbox"
    head = f"# Exported from {name} of mockvoice {__version__}.\n"
    head += ("" if with_keys else _MASKED) + _yaml(settings_and_accounts)
    return Response(_pieces(head, voices, _yaml({"faults": faults})), media_type="application/yaml")


async def _pieces(head: str, voices: AsyncIterator[str], faults: str) -> AsyncGenerator[bytes]:
    """Yield a file piece by piece, and let the server handle other requests after each."""
    yield head.encode()
    async for text in voices:
        yield text.encode()
        await asyncio.sleep(0)
    yield faults.encode()


def _yaml(content: Mapping[str, JSON]) -> str:
    """Return the members of a file that are not empty."""
    kept = {name: value for name, value in content.items() if value not in ({}, [])}
    return to_yaml(_escaped(kept)) if kept else ""


async def _voices(ctx: ControlContext, records: Sequence[Record]) -> AsyncGenerator[str]:
    """Yield the voices of a file as YAML, with their samples if asked to."""
    evicted = 0
    if records:
        yield "voices:\n"
    for record in records:
        yield to_yaml([_escaped(_seed(ctx, record, with_keys=ctx.parameters["keys"]))])
        if not (ctx.parameters["samples"] and record.uploads):
            continue
        uploads = await ctx.mock.get_uploads(ctx.sandbox, record.uploads)
        present = [upload for upload in uploads if upload.content is not None]
        evicted += len(uploads) - len(present)
        if present:
            yield "  samples:\n"
        for upload in present:
            for text in _sample(upload):
                yield text
    if evicted:
        yield _EVICTED.format(evicted)


def _sample(upload: Upload) -> Iterator[str]:
    """Yield a sample of a RecordSeed as YAML; its content in Base64, in lines of 76 characters."""
    declared = {
        "field": upload.name,
        "filename": upload.filename,
        "content_type": upload.content_type,
    }
    yield indent(to_yaml([_escaped(declared)]), "  ") + "    content: |\n"
    content = upload.content or b""
    for i in range(0, len(content), _PIECE):
        yield indent(encodebytes(content[i : i + _PIECE]).decode(), "      ")


def _escaped(value: JSON) -> JSON:
    """Return JSON in which no text refers to an environment variable."""
    if isinstance(value, Mapping):
        return {_escaped(name): _escaped(member) for name, member in value.items()}
    if isinstance(value, list | tuple):
        return [_escaped(item) for item in value]
    return value.replace("$", "$$") if isinstance(value, str) else value


async def _clock(ctx: ControlContext) -> dict[str, str]:
    """Return the initial clock that continues from here; real time needs none."""
    clock = await ctx.store.get_clock(ctx.sandbox)
    if clock.frozen:
        return {"freeze": timestamp(clock.now)}
    return {} if abs(clock.now - time.time()) < _REAL else {"start": timestamp(clock.now)}


async def _accounts(
    ctx: ControlContext, *, is_listed: bool, with_keys: bool
) -> dict[str, dict[str, JSON]]:
    """Return the state of each account, as far as new accounts of its provider differ.

    `is_listed` means that only listed keys are valid; then accounts without differences matter too.
    """
    known = {(a.provider, a.key): a for a in await ctx.store.list_accounts(ctx.sandbox)}
    for name, keys in ctx.mock.settings.accounts.items():
        for key in keys:
            if (name, key) not in known:
                known[name, key] = await find_account(ctx, ctx.providers[name], key)
    exported: dict[str, dict[str, JSON]] = {}
    for name, provider in ctx.providers.items():
        initial = {**Account(name, "").described(), **provider.account}
        accounts = [account for account in known.values() if account.provider == name]
        # First that of every key, with which the others are compared.
        for account in sorted(accounts, key=lambda account: account.key != EVERY_KEY):
            state = _state(provider, account)
            changed = {field: value for field, value in state.items() if value != initial[field]}
            if account.key == EVERY_KEY:
                initial |= state
            if changed or (is_listed and account.listed):
                shown = account.key if with_keys or account.key == EVERY_KEY else None
                exported.setdefault(name, {})[shown or mask_key(account.key)] = changed
    return exported


def _state(provider: Provider, account: Account) -> dict[str, JSON]:
    """Return the fields of an account that have an effect at its provider."""
    fields = [*provider.account, "limits"]
    state = {name: value for name, value in account.described().items() if name in fields}
    return {n: [*value] if isinstance(value, tuple) else value for n, value in state.items()}


def _seed(ctx: ControlContext, record: Record, *, with_keys: bool) -> dict[str, JSON]:
    """Return the RecordSeed of a record."""
    collection = ctx.providers[record.provider].collections.get(record.collection)
    data = dict(record.data)
    if collection and data.get(collection.id) == record.id:
        del data[collection.id]
    if collection and str(data.get(collection.sample, "")).startswith(ctx.server_url):
        del data[collection.sample]  # the URL of a sample depends on the address of the mock
    account = record.account if with_keys else mask_key(record.account)
    return {
        "provider": record.provider,
        "collection": record.collection,
        "id": record.id,
        **({} if record.account == EVERY_ACCOUNT else {"account": account}),
        "created_at": timestamp(record.created_at),
        "complete": True,
        "data": data if with_keys else redact(data, record.account),
    }


# --- import --------------------------------------------------------------------------------------


async def import_sandbox(ctx: ControlContext) -> JSON:
    content = ctx.fields
    providers = await check_editions(ctx, content.get("edition", {}))
    if violations := [*content_violations(content, ctx.mock.control, providers)]:
        raise ValidationFailed("", *violations)
    settings = {name: content[name] for name in _SETTINGS if name in content}
    if "seed" in settings:
        settings["seed"] = int(settings["seed"])  # 7.0 is a valid integer in JSON Schema
    await ctx.store.reset(ctx.sandbox, PARTS, SandboxSettings(**settings))
    await _import_clock(ctx, content.get("clock", {}))
    await _import_accounts(ctx, content.get("accounts", {}))
    await _import_voices(ctx, providers, content.get("voices", []))
    await ctx.store.clear_rules(ctx.sandbox)
    for fault in content.get("faults", []):
        await ctx.store.add_rule(ctx.sandbox, fault)
    return {
        "accounts": sum(map(len, content.get("accounts", {}).values())),
        "voices": len(content.get("voices", [])),
        "faults": len(content.get("faults", [])),
    }


async def _import_clock(ctx: ControlContext, clock: Mapping[str, str]) -> None:
    for name, text in clock.items():
        at = parse_time(text)
        await ctx.store.set_clock(ctx.sandbox, at=at, frozen=True, advance=0)
        if name == "start":
            await ctx.store.set_clock(ctx.sandbox, at=None, frozen=False, advance=0)


async def _import_accounts(
    ctx: ControlContext, accounts: Mapping[str, Mapping[str, Mapping[str, JSON]]]
) -> None:
    for provider, keys in accounts.items():
        # First that of every key, which changes the others.
        for key in sorted(keys, key=lambda key: key != EVERY_KEY):
            defaults = ctx.mock.providers[provider].account
            listed = {} if key == EVERY_KEY else {"listed": True}
            state = {**keys[key], **listed}
            await ctx.store.change_account(ctx.sandbox, provider, key, defaults, state)


async def _import_voices(
    ctx: ControlContext, providers: Mapping[str, Provider], voices: list[Mapping[str, JSON]]
) -> None:
    await ctx.store.clear_records(ctx.sandbox)
    seed, _ = await ctx.store.get_sandbox(ctx.sandbox)
    now = (await ctx.store.get_clock(ctx.sandbox)).now
    # The ids that the records of a configuration file get.
    records = make_all(providers, voices, Ids(seed, "configured", 0), now, ctx.sample_url)
    uploads = [upload for voice in voices for upload in seeded_uploads(voice)]
    await ctx.store.put_records(ctx.sandbox, records, uploads)

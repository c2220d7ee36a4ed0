"""The control API: see and steer what the mock remembers.

What the contract leaves unsaid:

- nothing is failed, limited or journalled here, and errors are `application/problem+json`
  (RFC 9457);
- a page in a browser may ask only when it was served by the mock itself: a request with the marks
  of a browser (`Origin`, `Sec-Fetch-Site`) is refused when they tell of another origin, or when the
  host it was sent to is a name of somebody's domain, which may have been made to lead here;
- what is shown is redacted: keys in headers, in accounts, and in members that sound like keys.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, datetime
from http import HTTPStatus
from ipaddress import ip_address
from typing import Any
from urllib.parse import parse_qs, urlsplit

from .. import __version__
from ..audio.synth import Utterance, mp3, pcm
from ..errors import Forbidden, NotFound, Problem, ValidationFailed, Violation
from ..faults.rules import FaultRule
from ..openapi.normalize import JSON
from ..provider import Provider, RequestContext, Response
from ..redact import mask_key, redact
from ..state.accounts import EVERY_KEY, Account
from ..state.clock import EARLIEST, LATEST, timestamp
from ..state.journal import JournalEntry
from ..state.records import EVERYBODY, Record, RecordStore
from ..state.sandbox import PARTS
from ..state.uploads import Upload

SAID = "The quick brown fox jumps over the lazy dog"
SAMPLE_RATE = 24_000  # Hz
_BROWSERS = ("origin", "referer", "sec-fetch-site", "accept-language")  # headers of theirs


def error(problem: Problem, status: int, ctx: RequestContext) -> JSON:
    """A problem document, with every violation."""
    body: dict[str, Any] = {"title": HTTPStatus(status).phrase, "status": status}
    if problem.sentences:
        body["detail"] = problem.sentences
    if problem.violations:
        body["violations"] = [each.described() for each in problem.violations]
    return body


async def admit(ctx: RequestContext) -> None:
    if ctx.operation.id not in provider.stateful_operations:
        return  # it tells nothing but what is in every copy of mockvoice, samples to be played too
    if not any(ctx.headers.get(name) for name in _BROWSERS):
        return
    host, origin = ctx.headers.get("host"), ctx.headers.get("origin")
    if origin and origin.partition("://")[2] != host:
        raise Forbidden(f"a page of {origin} must not drive the control API")
    if ctx.headers.get("sec-fetch-site") in ("cross-site", "same-site"):
        raise Forbidden("a page of another origin must not drive the control API")
    if not _is_local(host):
        # The name may have been made to lead here after the page was loaded from elsewhere.
        raise Forbidden(
            f"a browser must not drive the control API as {host}: use the address of the machine,"
            " localhost, or a name without a dot"
        )


def _is_local(host: str) -> bool:
    """Whether a host is a number, or a name that belongs to no domain."""
    try:
        host = urlsplit(f"//{host}").hostname or ""
        ip_address(host)
    except ValueError:
        return "." not in host or host.endswith((".localhost", ".local", ".internal"))
    return True


provider = Provider(
    "mockvoice",
    "mockvoice control API",
    error,
    admit,
    prefix="",
    error_type="application/problem+json",
    journalled=False,
)


# --- what is served ------------------------------------------------------------------------------


def _found(ctx: RequestContext, name: str) -> Provider:
    if name not in ctx.mock.served:
        raise NotFound(f"there is no provider {name}; there are {', '.join(ctx.mock.served)}")
    return ctx.mock.providers[name]


@provider.operation("health", stateful=False)
async def health(ctx: RequestContext) -> JSON:
    return {"status": "ok", "version": __version__, "providers": [*ctx.mock.served]}


@provider.operation("listProviders", stateful=False)
async def list_providers(ctx: RequestContext) -> JSON:
    return {"providers": [_provider(ctx, each) for each in ctx.mock.served.values()]}


def _provider(ctx: RequestContext, found: Provider) -> JSON:
    operations = found.document.operations.values()
    credentials = [each.credential.example for each in operations if each.credential]
    return {
        "name": found.name,
        "title": found.title or found.name,
        "env": {**found.env_variables},
        "base_path": found.base_path,
        "base_url": f"{ctx.origin}{found.base_path}",
        "auth_header": credentials[0] if credentials else "",
        "operations": [
            {
                "id": each.id,
                "method": each.method,
                "path": each.path,
                "summary": each.summary,
                "statuses": sorted(each.responses),
                "stateful": each.id in found.stateful_operations,
            }
            for each in operations
        ],
    }


@provider.operation("getSpec", stateful=False)
async def get_spec(ctx: RequestContext) -> Response:
    name = ctx.parameters["provider"]
    found = provider if name == provider.name else _found(ctx, name)
    return Response(found.document.text.encode(), media_type="application/yaml")


@provider.operation("getSample", stateful=False)
async def get_sample(ctx: RequestContext) -> Response:
    wanted = ctx.parameters
    utterance = Utterance(SAID, wanted["voice"], seconds=wanted["seconds"])
    if wanted["format"] == "mp3":  # made of tones, not of samples
        return Response(mp3(utterance, SAMPLE_RATE), media_type="audio/mpeg")
    from ..audio.containers import FILES  # not needed to start

    media_type, made = FILES[wanted["format"]]
    return Response(made(pcm(utterance, SAMPLE_RATE), SAMPLE_RATE), media_type=media_type)


# --- faults --------------------------------------------------------------------------------------


@provider.operation("listFaults")
async def list_faults(ctx: RequestContext) -> JSON:
    return {"faults": [_rule(each) for each in ctx.sandbox.faults]}


def _rule(rule: FaultRule) -> JSON:
    """A fault as it was given, but for the keys that it is to match."""
    entry = rule.described()
    if "match" in entry:
        entry["match"] = match = redact(entry["match"])
        if "account" in match:
            match["account"] = mask_key(match["account"])
    return entry


@provider.operation("addFault")
async def add_fault(ctx: RequestContext) -> JSON:
    if wrong := ctx.mock.wrong_fault(ctx.fields, "body"):
        raise ValidationFailed("", *wrong)
    rule = await ctx.sandbox.faults.add(ctx.fields, ctx.sandbox.clock.now())
    return _rule(rule)


@provider.operation("clearFaults")
async def clear_faults(ctx: RequestContext) -> None:
    await ctx.sandbox.faults.clear()


@provider.operation("getFault")
async def get_fault(ctx: RequestContext) -> JSON:
    rule = await ctx.sandbox.faults.get(ctx.parameters["id"])
    if rule is None:
        raise NotFound(f"there is no fault {ctx.parameters['id']}")
    return _rule(rule)


@provider.operation("deleteFault")
async def delete_fault(ctx: RequestContext) -> None:
    await get_fault(ctx)
    await ctx.sandbox.faults.remove(ctx.parameters["id"])


# --- the journal ---------------------------------------------------------------------------------


def _served_filters(ctx: RequestContext) -> Mapping[str, Any]:
    """The parameters of a list. Raises Invalid for a provider or operationId that is not there."""
    named = dict(ctx.parameters)
    if " " in named.get("operation", ""):  # a method and a path, maybe one where nothing is
        del named["operation"]
    if wrong := [*ctx.mock.wrong_target(named, "query")]:
        raise ValidationFailed("", *wrong)
    return ctx.parameters


@provider.operation("listRequests")
async def list_requests(ctx: RequestContext) -> JSON:
    wanted = _served_filters(ctx)
    since = _since(ctx, wanted["since"]) if "since" in wanted else None
    found = [
        each
        for each in ctx.sandbox.journal
        if wanted.get("provider") in (None, each.provider)
        and wanted.get("operation") in (None, each.operation, f"{each.method} {_short(ctx, each)}")
        and wanted.get("status") in (None, each.status)
        and (each.internal_error or not wanted["internal_error"])
        and (since is None or since(each))
    ]
    found = found[-wanted["limit"] :] if "limit" in wanted else found
    return {
        "requests": [_exchange(each) for each in found],
        "evicted": ctx.sandbox.journal.evicted,
    }


def _short(ctx: RequestContext, entry: JournalEntry) -> str:
    """The path of an exchange's operation as its contract writes it."""
    operations = ctx.mock.providers[entry.provider].document.operations
    operation = operations.get(entry.operation)
    return operation.path if operation else entry.path


def _since(ctx: RequestContext, text: str) -> Any:
    number = _number(text)
    if number:
        return lambda entry: entry.number > number
    moment = _moment(text)
    if moment is None:
        message = f"must be the id of a request, or a time; got {text}"
        raise ValidationFailed("", Violation("query", "/since", "format", message, received=text))
    return lambda entry: entry.at > moment


def _moment(text: str) -> float | None:
    """A date and time in seconds since the epoch, in UTC unless it says otherwise; else None."""
    try:
        found = datetime.fromisoformat(text.upper())
    except ValueError:
        return None
    return (found if found.tzinfo else found.replace(tzinfo=UTC)).timestamp()


def _number(id: str) -> int:
    """The number in the id of a request, or 0."""
    found = re.fullmatch(r"request_(\d{1,15})", id)
    return int(found[1]) if found else 0


@provider.operation("getRequest")
async def get_request(ctx: RequestContext) -> JSON:
    entry = await ctx.sandbox.journal.get(_number(ctx.parameters["id"]))
    if entry is None:
        raise NotFound(f"the journal has no {ctx.parameters['id']}")
    return _exchange(entry)


@provider.operation("getVerification")
async def get_verification(ctx: RequestContext) -> JSON:
    return {
        "faults": [_rule(each) for each in ctx.sandbox.faults if each.waits],
        "requests": [_exchange(each) for each in ctx.sandbox.journal if each.internal_error],
    }


@provider.operation("clearRequests")
async def clear_requests(ctx: RequestContext) -> None:
    await ctx.sandbox.journal.clear()


def _exchange(entry: JournalEntry) -> JSON:
    retries = re.fullmatch(r"[0-9]{1,9}", entry.headers.get("x-stainless-retry-count"))
    query = parse_qs(entry.query.decode("latin-1"), keep_blank_values=True)
    handle_request = {
        "id": entry.id,
        "at": timestamp(entry.at),
        "provider": entry.provider,
        "operation": entry.operation,
        "method": entry.method,
        "path": entry.path,
        "query": {name: each[0] if len(each) == 1 else each for name, each in query.items()},
        "account": mask_key(entry.account) if entry.account else "",
        "headers": dict(entry.headers.items()),
        "fields": _without_files(entry.fields),
        "files": [upload.described() for upload in entry.uploads],
        "bytes": entry.size,
        "violations": [violation.described() for violation in entry.violations],
        "hint": entry.hint,
        "fault": {"id": entry.fault, "kind": entry.kind} if entry.fault else None,
        "status": entry.status,
        "response": None if entry.status is None else _reply(entry),
        "milliseconds": entry.milliseconds,
        "attempt": int(retries[0]) + 1 if retries else None,
        "early": entry.early,
        "internal_error": entry.internal_error,
    }
    return redact(handle_request, entry.account)


def _reply(entry: JournalEntry) -> JSON:
    named = {"content-type": entry.reply_type} if entry.reply_type else {}
    return {"headers": {**entry.reply_headers, **named}, "body": _reply_body(entry)}


def _reply_body(entry: JournalEntry) -> JSON:
    if entry.reply_type.startswith(("audio/", "application/x-ndjson")) or not entry.reply:
        return None
    text = entry.reply.decode("utf-8", "replace")
    try:
        return json.loads(text, parse_constant=str) if "json" in entry.reply_type else text
    except ValueError:
        return text


def _without_files(fields: Mapping[str, Any]) -> dict[str, JSON]:
    """The members of a body that neither are files nor lists with files."""
    return {
        name: value
        for name, value in fields.items()
        if not any(
            isinstance(each, Upload) for each in (value if isinstance(value, list) else [value])
        )
    }


# --- voices --------------------------------------------------------------------------------------


@provider.operation("listVoices")
async def list_voices(ctx: RequestContext) -> JSON:
    wanted = _served_filters(ctx)
    found = [
        each
        for each in ctx.sandbox.voices
        if wanted.get("provider") in (None, each.provider)
        and wanted.get("collection") in (None, each.collection)
        and (wanted["presets"] or not each.preset)
    ]
    return {"voices": [_record(each) for each in found], "evicted": ctx.sandbox.voices.evicted}


def _record(record: Record) -> JSON:
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


@provider.operation("addVoice")
async def add_voice(ctx: RequestContext) -> JSON:
    sandbox = ctx.sandbox
    records = ctx.mock.seeded(ctx.fields, sandbox.ids, sandbox.clock.now(), ctx.sample_url)
    for each in records:
        await sandbox.voices.add(each)
    return _record(records[-1])


@provider.operation("clearVoices")
async def clear_voices(ctx: RequestContext) -> None:
    # Another store, so that each account finds its presets again.
    ctx.sandbox.voices = RecordStore(ctx.sandbox.settings.max_voices)


# --- accounts, clock, reset ----------------------------------------------------------------------


async def _account(ctx: RequestContext) -> Account:
    found = _found(ctx, ctx.parameters["provider"])
    return await ctx.sandbox.accounts.open(found.name, ctx.parameters["key"], found.account)


def _state(account: Account) -> JSON:
    return {
        "provider": account.provider,
        "key": account.key if account.key == EVERY_KEY else mask_key(account.key),
        **account.described(),
    }


@provider.operation("getAccount")
async def get_account(ctx: RequestContext) -> JSON:
    return _state(await _account(ctx))


@provider.operation("putAccount")
async def put_account(ctx: RequestContext) -> JSON:
    account = await _account(ctx)
    served = ctx.mock.served[account.provider]
    if wrong := ctx.mock.wrong_limits(served, ctx.fields, "body"):
        raise ValidationFailed("", *wrong)
    return _state(await ctx.sandbox.accounts.change(account, ctx.fields))


@provider.operation("getClock")
async def get_clock(ctx: RequestContext) -> JSON:
    clock = ctx.sandbox.clock
    return {"now": timestamp(clock.now()), "frozen": clock.frozen}


@provider.operation("setClock")
async def set_clock(ctx: RequestContext) -> JSON:
    clock, wanted = ctx.sandbox.clock, ctx.fields
    at, seconds = wanted.get("freeze"), wanted.get("advance", 0)
    moment = _within("freeze", at, _moment(at)) if isinstance(at, str) else clock.now()
    _within("advance", seconds, moment + seconds)
    if at:
        clock.freeze(moment)
    elif "freeze" in wanted:
        clock.run()
    clock.advance(seconds)
    return await get_clock(ctx)


def _within(member: str, got: JSON, moment: float | None) -> float:
    """A moment that the clock can show. Raises Invalid."""
    if moment is None or not EARLIEST <= moment <= LATEST:
        message = f"must lead to a time from {timestamp(EARLIEST)} to {timestamp(LATEST)}"
        raise ValidationFailed(
            "", Violation("body", f"/{member}", "range", f"{message}; got {got}", received=got)
        )
    return moment


@provider.operation("reset")
async def reset(ctx: RequestContext) -> None:
    wanted = dict(ctx.fields)
    parts, seed = wanted.pop("only", PARTS), wanted.pop("seed", None)
    ctx.sandbox.reset(parts, replace(ctx.sandbox.settings, **wanted), seed)

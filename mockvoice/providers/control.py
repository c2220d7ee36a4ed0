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
from ..errors import Forbidden, Invalid, NotFound, Problem, Violation
from ..openapi.lift import JSON
from ..provider import Answer, Call, Provider
from ..redact import redacted, without_secrets
from ..sandbox.accounts import EVERY_KEY, Account
from ..sandbox.clock import EARLIEST, LATEST, timestamp
from ..sandbox.faults import Rule
from ..sandbox.journal import Exchange
from ..sandbox.sandbox import PARTS
from ..sandbox.uploads import Upload
from ..sandbox.voices import EVERYBODY, Record, Voices
from ..speech import Utterance, mp3, pcm

SAID = "The quick brown fox jumps over the lazy dog"
SAMPLE_RATE = 24_000  # Hz
_BROWSERS = ("origin", "referer", "sec-fetch-site", "accept-language")  # headers of theirs


def error(problem: Problem, status: int, call: Call) -> JSON:
    """A problem document, with every violation."""
    body: dict[str, Any] = {"title": HTTPStatus(status).phrase, "status": status}
    if problem.sentences:
        body["detail"] = problem.sentences
    if problem.violations:
        body["violations"] = [each.described() for each in problem.violations]
    return body


async def admit(call: Call) -> None:
    if call.operation.id not in provider.remembering:
        return  # it tells nothing but what is in every copy of mockvoice, samples to be played too
    if not any(call.headers.get(name) for name in _BROWSERS):
        return
    host, origin = call.headers.get("host"), call.headers.get("origin")
    if origin and origin.partition("://")[2] != host:
        raise Forbidden(f"a page of {origin} must not drive the control API")
    if call.headers.get("sec-fetch-site") in ("cross-site", "same-site"):
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


def _found(call: Call, name: str) -> Provider:
    if name not in call.mock.served:
        raise NotFound(f"there is no provider {name}; there are {', '.join(call.mock.served)}")
    return call.mock.providers[name]


@provider.operation("health", remembers=False)
async def health(call: Call) -> JSON:
    return {"status": "ok", "version": __version__, "providers": [*call.mock.served]}


@provider.operation("listProviders", remembers=False)
async def list_providers(call: Call) -> JSON:
    return {"providers": [_provider(call, each) for each in call.mock.served.values()]}


def _provider(call: Call, found: Provider) -> JSON:
    operations = found.document.operations.values()
    credentials = [each.credential.example for each in operations if each.credential]
    return {
        "name": found.name,
        "title": found.title or found.name,
        "aliases": [*found.aliases],
        "base_path": found.base_path,
        "base_url": f"{call.origin}{found.base_path}",
        "credential": credentials[0] if credentials else "",
        "operations": [
            {
                "id": each.id,
                "method": each.method,
                "path": each.path,
                "summary": each.summary,
                "statuses": sorted(each.responses),
                "remembers": each.id in found.remembering,
            }
            for each in operations
        ],
    }


@provider.operation("getSpec", remembers=False)
async def get_spec(call: Call) -> Answer:
    name = call.parameters["provider"]
    found = provider if name == provider.name else _found(call, name)
    return Answer(found.document.text.encode(), media_type="application/yaml")


@provider.operation("getSample", remembers=False)
async def get_sample(call: Call) -> Answer:
    wanted = call.parameters
    utterance = Utterance(SAID, wanted["voice"], seconds=wanted["seconds"])
    if wanted["format"] == "mp3":  # made of tones, not of samples
        return Answer(mp3(utterance, SAMPLE_RATE), media_type="audio/mpeg")
    from ..lossless import FILES  # not needed to start

    media_type, made = FILES[wanted["format"]]
    return Answer(made(pcm(utterance, SAMPLE_RATE), SAMPLE_RATE), media_type=media_type)


# --- faults --------------------------------------------------------------------------------------


@provider.operation("listFaults")
async def list_faults(call: Call) -> JSON:
    return {"faults": [_rule(each) for each in call.sandbox.faults]}


def _rule(rule: Rule) -> JSON:
    """A fault as it was given, but for the keys that it is to match."""
    told = rule.described()
    if "match" in told:
        told["match"] = match = without_secrets(told["match"])
        if "account" in match:
            match["account"] = redacted(match["account"])
    return told


@provider.operation("addFault")
async def add_fault(call: Call) -> JSON:
    if wrong := call.mock.wrong_fault(call.fields, "body"):
        raise Invalid("", *wrong)
    rule = await call.sandbox.faults.add(call.fields, call.sandbox.clock.now())
    return _rule(rule)


@provider.operation("clearFaults")
async def clear_faults(call: Call) -> None:
    await call.sandbox.faults.clear()


@provider.operation("getFault")
async def get_fault(call: Call) -> JSON:
    rule = await call.sandbox.faults.get(call.parameters["id"])
    if rule is None:
        raise NotFound(f"there is no fault {call.parameters['id']}")
    return _rule(rule)


@provider.operation("deleteFault")
async def delete_fault(call: Call) -> None:
    await get_fault(call)
    await call.sandbox.faults.remove(call.parameters["id"])


# --- the journal ---------------------------------------------------------------------------------


def _served_filters(call: Call) -> Mapping[str, Any]:
    """The parameters of a list. Raises Invalid for a provider or operationId that is not there."""
    named = dict(call.parameters)
    if " " in named.get("operation", ""):  # a method and a path, maybe one where nothing is
        del named["operation"]
    if wrong := [*call.mock.wrong_target(named, "query")]:
        raise Invalid("", *wrong)
    return call.parameters


@provider.operation("listRequests")
async def list_requests(call: Call) -> JSON:
    wanted = _served_filters(call)
    since = _since(call, wanted["since"]) if "since" in wanted else None
    found = [
        each
        for each in call.sandbox.journal
        if wanted.get("provider") in (None, each.provider)
        and wanted.get("operation") in (None, each.operation, f"{each.method} {_short(call, each)}")
        and wanted.get("status") in (None, each.status)
        and (each.error or not wanted["failed"])
        and (since is None or since(each))
    ]
    found = found[-wanted["limit"] :] if "limit" in wanted else found
    return {
        "requests": [_exchange(each) for each in found],
        "dropped": call.sandbox.journal.dropped,
    }


def _short(call: Call, told: Exchange) -> str:
    """The path of an exchange's operation as its contract writes it."""
    operations = call.mock.providers[told.provider].document.operations
    operation = operations.get(told.operation)
    return operation.path if operation else told.path


def _since(call: Call, text: str) -> Any:
    number = _number(text)
    if number:
        return lambda told: told.number > number
    moment = _moment(text)
    if moment is None:
        message = f"must be the id of a request, or a time; got {text}"
        raise Invalid("", Violation("query", "/since", "format", message, got=text))
    return lambda told: told.at > moment


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
async def get_request(call: Call) -> JSON:
    told = await call.sandbox.journal.get(_number(call.parameters["id"]))
    if told is None:
        raise NotFound(f"the journal has no {call.parameters['id']}")
    return _exchange(told)


@provider.operation("listComplaints")
async def list_complaints(call: Call) -> JSON:
    return {
        "faults": [_rule(each) for each in call.sandbox.faults if each.waits],
        "requests": [_exchange(each) for each in call.sandbox.journal if each.error],
    }


@provider.operation("clearRequests")
async def clear_requests(call: Call) -> None:
    await call.sandbox.journal.clear()


def _exchange(told: Exchange) -> JSON:
    retries = re.fullmatch(r"[0-9]{1,9}", told.headers.get("x-stainless-retry-count"))
    query = parse_qs(told.query.decode("latin-1"), keep_blank_values=True)
    exchange = {
        "id": told.id,
        "at": timestamp(told.at),
        "provider": told.provider,
        "operation": told.operation,
        "method": told.method,
        "path": told.path,
        "query": {name: each[0] if len(each) == 1 else each for name, each in query.items()},
        "account": redacted(told.account) if told.account else "",
        "headers": dict(told.headers.items()),
        "fields": _without_files(told.fields),
        "files": [upload.described() for upload in told.uploads],
        "bytes": told.size,
        "violations": [violation.described() for violation in told.violations],
        "hint": told.hint,
        "fault": {"id": told.fault, "kind": told.kind} if told.fault else None,
        "status": told.status,
        "reply": None if told.status is None else _reply(told),
        "milliseconds": told.milliseconds,
        "attempt": int(retries[0]) + 1 if retries else None,
        "early": told.early,
        "error": told.error,
    }
    return without_secrets(exchange, told.account)


def _reply(told: Exchange) -> JSON:
    named = {"content-type": told.reply_type} if told.reply_type else {}
    return {"headers": {**told.reply_headers, **named}, "body": _reply_body(told)}


def _reply_body(told: Exchange) -> JSON:
    if told.reply_type.startswith(("audio/", "application/x-ndjson")) or not told.reply:
        return None
    text = told.reply.decode("utf-8", "replace")
    try:
        return json.loads(text, parse_constant=str) if "json" in told.reply_type else text
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
async def list_voices(call: Call) -> JSON:
    wanted = _served_filters(call)
    found = [
        each
        for each in call.sandbox.voices
        if wanted.get("provider") in (None, each.provider)
        and wanted.get("collection") in (None, each.collection)
        and (wanted["presets"] or not each.preset)
    ]
    return {"voices": [_record(each) for each in found], "dropped": call.sandbox.voices.dropped}


def _record(record: Record) -> JSON:
    account = record.account
    return {
        "provider": record.provider,
        "collection": record.collection,
        "id": record.id,
        "account": account if account == EVERYBODY else redacted(account),
        "created_at": timestamp(record.created_at),
        "data": without_secrets(record.data, account),
        "uploads": [upload.described() for upload in record.uploads],
    }


@provider.operation("addVoice")
async def add_voice(call: Call) -> JSON:
    sandbox = call.sandbox
    records = call.mock.planted(call.fields, sandbox.ids, sandbox.clock.now(), call.sound_url)
    for each in records:
        await sandbox.voices.add(each)
    return _record(records[-1])


@provider.operation("clearVoices")
async def clear_voices(call: Call) -> None:
    # Another store, so that each account finds its presets again.
    call.sandbox.voices = Voices(call.sandbox.settings.max_voices)


# --- accounts, clock, reset ----------------------------------------------------------------------


async def _account(call: Call) -> Account:
    found = _found(call, call.parameters["provider"])
    return await call.sandbox.accounts.open(found.name, call.parameters["key"], found.account)


def _state(account: Account) -> JSON:
    return {
        "provider": account.provider,
        "key": account.key if account.key == EVERY_KEY else redacted(account.key),
        **account.described(),
    }


@provider.operation("getAccount")
async def get_account(call: Call) -> JSON:
    return _state(await _account(call))


@provider.operation("putAccount")
async def put_account(call: Call) -> JSON:
    account = await _account(call)
    served = call.mock.served[account.provider]
    if wrong := call.mock.wrong_limits(served, call.fields, "body"):
        raise Invalid("", *wrong)
    return _state(await call.sandbox.accounts.change(account, call.fields))


@provider.operation("getClock")
async def get_clock(call: Call) -> JSON:
    clock = call.sandbox.clock
    return {"now": timestamp(clock.now()), "frozen": clock.frozen}


@provider.operation("setClock")
async def set_clock(call: Call) -> JSON:
    clock, wanted = call.sandbox.clock, call.fields
    at, seconds = wanted.get("freeze"), wanted.get("advance", 0)
    moment = _within("freeze", at, _moment(at)) if isinstance(at, str) else clock.now()
    _within("advance", seconds, moment + seconds)
    if at:
        clock.freeze(moment)
    elif "freeze" in wanted:
        clock.run()
    clock.advance(seconds)
    return await get_clock(call)


def _within(member: str, got: JSON, moment: float | None) -> float:
    """A moment that the clock can show. Raises Invalid."""
    if moment is None or not EARLIEST <= moment <= LATEST:
        message = f"must lead to a time from {timestamp(EARLIEST)} to {timestamp(LATEST)}"
        raise Invalid(
            "", Violation("body", f"/{member}", "range", f"{message}; got {got}", got=got)
        )
    return moment


@provider.operation("reset")
async def reset(call: Call) -> None:
    wanted = dict(call.fields)
    parts, seed = wanted.pop("only", PARTS), wanted.pop("seed", None)
    call.sandbox.reset(parts, replace(call.sandbox.settings, **wanted), seed)

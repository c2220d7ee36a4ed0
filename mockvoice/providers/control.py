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
from datetime import datetime
from http import HTTPStatus
from ipaddress import ip_address
from typing import Any
from urllib.parse import parse_qs, urlsplit

from .. import __version__
from ..errors import Forbidden, Invalid, NotFound, Problem, Violation
from ..openapi.lift import JSON
from ..provider import Answer, Call, Provider
from ..sandbox.accounts import EVERY_KEY, Account, redacted
from ..sandbox.clock import timestamp
from ..sandbox.journal import Exchange
from ..sandbox.sandbox import PARTS
from ..sandbox.voices import EVERYBODY, Record, Voices
from ..speech import Utterance, mp3, pcm

SAID = "The quick brown fox jumps over the lazy dog"
SAMPLE_RATE = 24_000  # Hz
_SECRET = re.compile(r"authorization|cookie|api[-_]?key|secret|token|password", re.IGNORECASE)


def error(problem: Problem, status: int, call: Call) -> JSON:
    """A problem document, with every violation."""
    body: dict[str, Any] = {"title": HTTPStatus(status).phrase, "status": status}
    if problem.sentences:
        body["detail"] = problem.sentences
    if problem.violations:
        body["violations"] = [each.described() for each in problem.violations]
    return body


async def admit(call: Call) -> None:
    origin, site = call.headers.get("origin"), call.headers.get("sec-fetch-site")
    if not origin and not site:
        return  # no browser
    host = urlsplit(f"//{call.headers.get('host')}").hostname or ""
    own = not origin or urlsplit(origin).netloc == call.headers.get("host")
    if not own or site in ("cross-site", "same-site") or not _is_local(host):
        raise Forbidden("a page of another origin must not drive the control API")


def _is_local(host: str) -> bool:
    """Whether a host is a number, or a name that belongs to no domain."""
    try:
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
    return {"faults": [rule.described() for rule in call.sandbox.faults]}


@provider.operation("addFault")
async def add_fault(call: Call) -> JSON:
    call.mock.check_fault(call.fields, "body")
    rule = await call.sandbox.faults.add(call.fields, call.sandbox.clock.now())
    return rule.described()


@provider.operation("clearFaults")
async def clear_faults(call: Call) -> None:
    await call.sandbox.faults.clear()


@provider.operation("getFault")
async def get_fault(call: Call) -> JSON:
    rule = await call.sandbox.faults.get(call.parameters["id"])
    if rule is None:
        raise NotFound(f"there is no fault {call.parameters['id']}")
    return rule.described()


@provider.operation("deleteFault")
async def delete_fault(call: Call) -> None:
    await get_fault(call)
    await call.sandbox.faults.remove(call.parameters["id"])


# --- the journal ---------------------------------------------------------------------------------


@provider.operation("listRequests")
async def list_requests(call: Call) -> JSON:
    wanted = call.parameters
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
    try:
        moment = datetime.fromisoformat(text).timestamp()
    except ValueError:
        message = f"must be the id of a request, or a time; got {text}"
        raise Invalid("", Violation("query", "/since", "format", message, got=text)) from None
    return lambda told: told.at > moment


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


@provider.operation("clearRequests")
async def clear_requests(call: Call) -> None:
    call.sandbox.reset(["requests"])


def _exchange(told: Exchange) -> JSON:
    retries = told.headers.get("x-stainless-retry-count")
    return {
        "id": told.id,
        "at": timestamp(told.at),
        "provider": told.provider,
        "operation": told.operation,
        "method": told.method,
        "path": told.path,
        "query": _without_secrets(
            {
                k: v[0] if len(v) == 1 else v
                for k, v in parse_qs(told.query.decode("latin-1"), True).items()
            }
        ),
        "account": redacted(told.account) if told.account else "",
        "headers": _without_secrets(dict(told.headers.items())),
        "fields": _without_secrets(_without_files(told.fields)),
        "files": [upload.described() for upload in told.uploads],
        "bytes": told.size,
        "violations": [violation.described() for violation in told.violations],
        "hint": told.hint,
        "fault": {"id": told.fault, "kind": told.kind} if told.fault else None,
        "status": told.status,
        "reply": None
        if told.status is None
        else {"headers": dict(told.reply_headers), "body": _reply_body(told)},
        "milliseconds": told.milliseconds,
        "attempt": int(retries) + 1 if retries.isdigit() else None,
        "early": told.early,
        "error": told.error,
    }


def _reply_body(told: Exchange) -> JSON:
    if told.reply_type.startswith(("audio/", "application/x-ndjson")) or not told.reply:
        return None
    try:
        return _without_secrets(json.loads(told.reply))
    except ValueError:
        return told.reply.decode("utf-8", "replace")


def _without_files(fields: Mapping[str, Any]) -> dict[str, JSON]:
    """The members of a body that are text."""
    texts = {}
    for name, value in fields.items():
        try:
            json.dumps(value)
        except TypeError:
            continue
        texts[name] = value
    return texts


def _without_secrets(value: JSON) -> JSON:
    if isinstance(value, dict):
        return {
            name: redacted(str(each))
            if _SECRET.search(name) and each and isinstance(each, str)
            else _without_secrets(each)
            for name, each in value.items()
        }
    return [_without_secrets(each) for each in value] if isinstance(value, list) else value


# --- voices --------------------------------------------------------------------------------------


@provider.operation("listVoices")
async def list_voices(call: Call) -> JSON:
    wanted = call.parameters
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
        "data": record.data,
        "uploads": [upload.described() for upload in record.uploads],
    }


@provider.operation("addVoice")
async def add_voice(call: Call) -> JSON:
    sandbox = call.sandbox
    records = call.mock.planted(call.fields, sandbox.ids, sandbox.clock.now())
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
    account = await call.sandbox.accounts.change(await _account(call), call.fields)
    return _state(account)


@provider.operation("getClock")
async def get_clock(call: Call) -> JSON:
    clock = call.sandbox.clock
    return {"now": timestamp(clock.now()), "frozen": clock.frozen}


@provider.operation("setClock")
async def set_clock(call: Call) -> JSON:
    clock, wanted = call.sandbox.clock, call.fields
    if "freeze" in wanted:
        at = wanted["freeze"]
        if at is None:
            clock.run()
        else:
            clock.freeze(None if at is True else datetime.fromisoformat(at).timestamp())
    if "advance" in wanted:
        clock.advance(wanted["advance"])
    return await get_clock(call)


@provider.operation("reset")
async def reset(call: Call) -> None:
    wanted = dict(call.fields)
    parts, seed = wanted.pop("only", PARTS), wanted.pop("seed", None)
    call.sandbox.reset(parts, replace(call.sandbox.settings, **wanted), seed)

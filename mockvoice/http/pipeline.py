"""The life of a request, step by step.

    arrive    which sandbox, which operation, whose key
    read      the whole body, bounded, before anything is decided
    route     unknown path or method        -> 404 405
    admit     credentials, then the account -> 401 402 403 429
    decode    text -> the types of the contract; media type -> 415, unreadable -> 400
    check     the contract's rules, then what a file must be -> 400 413 415 422
    handle    the provider's function: change what is stored, return the answer
    reply     status and media type from the contract; the reply is checked against it
    send

A step returns a value or raises a Problem; no step knows the next.
"""

from __future__ import annotations

import json
import logging
import traceback
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from difflib import get_close_matches
from typing import Any

from starlette.types import Receive, Scope, Send

from ..errors import Failed, Problem, Unauthenticated, UnknownPath, Violation, WrongMethod
from ..openapi.document import Operation
from ..provider import NOWHERE, Answer, Call, Headers, Mock, Provider
from ..sandbox.accounts import Account
from ..sandbox.sandbox import Sandbox
from ..settings import BYTES_PER_MB
from .body import Body, read
from .check import check
from .decode import decode

log = logging.getLogger("mockvoice")

_encode = json.JSONEncoder(ensure_ascii=False, separators=(",", ":")).encode
_HEADER_LIMIT = 4096  # bytes of a diagnostic header: clients refuse long header lines


@dataclass(slots=True, eq=False)
class Reply:
    """What goes back to the client."""

    status: int
    media_type: str
    body: bytes | Iterator[bytes]
    headers: dict[str, str]


async def exchange(
    mock: Mock,
    sandbox: Sandbox,
    provider: Provider,
    operations: Mapping[str, Operation],
    scope: Scope,
    receive: Receive,
    send: Send,
) -> None:
    """Answer one request to a path of a provider that has these operations, by method."""
    call, refusal = await _arrive(mock, sandbox, provider, operations, scope)
    await sandbox.accounts.enter(call.account)
    try:
        body = await read(
            receive,
            call.headers.get("content-type"),
            mock.settings.max_body_mb * BYTES_PER_MB,
        )
        if not body.complete:
            return  # the client is gone
        try:
            reply = _refuse(call, refusal) if refusal else await _respond(call, body, scope)
        except Problem as problem:
            reply = _refuse(call, problem)
        except Exception:
            log.exception("mockvoice failed at %s %s", scope["method"], scope["path"])
            sandbox.mistakes.append(traceback.format_exc())
            reply = _refuse(call, Failed("mockvoice itself failed; its log says where"))
        await _send(send, reply)
    finally:
        await sandbox.accounts.leave(call.account)


async def _respond(call: Call, body: Body, scope: Scope) -> Reply:
    await call.provider.admit(call)
    decoded = decode(call, body, scope)
    check(call, decoded)
    if decoded and decoded.content.defaults:
        call.fields = {**decoded.content.defaults, **call.fields}
    return _reply(call, await _handle(call))


# --- arrive ------------------------------------------------------------------------------------


async def _arrive(
    mock: Mock,
    sandbox: Sandbox,
    provider: Provider,
    operations: Mapping[str, Operation],
    scope: Scope,
) -> tuple[Call, Problem | None]:
    """What can be told before the body is read, and why it will be refused, if it will be."""
    headers = Headers(scope["headers"])
    origin = f"{scope['scheme']}://{headers.get('host', 'localhost')}"
    operation = operations.get(scope["method"], NOWHERE)
    key, refusal = "", None
    try:
        if operation is NOWHERE:
            raise _lost(mock, provider, operations, scope, origin)
        key = _credentials(operation, headers)
    except Problem as problem:
        refusal = problem
    account = await sandbox.accounts.get(provider.name, key)
    if account is None:
        account = await _open(sandbox, provider, key)
    return Call(mock, sandbox, provider, operation, account, headers, origin), refusal


def _lost(
    mock: Mock,
    provider: Provider,
    operations: Mapping[str, Operation],
    scope: Scope,
    origin: str,
) -> Problem:
    """Why no operation is there, and where the caller may have wanted to go."""
    if operations:
        allowed = ", ".join(operations)
        detail = f"{scope['method']} is not possible here; possible is {allowed}"
        return WrongMethod(detail, headers={"allow": allowed})
    headers = {}
    if mock.settings.diagnostics:
        elsewhere = provider.prefix == ""
        providers = [*mock.providers.values()] if elsewhere else [provider]
        headers["x-mockvoice-hint"] = _way_back(providers, scope["path"], origin)
    return UnknownPath(f"no operation has the path {scope['path']}", headers=headers)


def _way_back(providers: list[Provider], path: str, origin: str) -> str:
    """The base URLs, and the operation whose path is most alike."""
    told = [f"the base URL of {each.title} here is {origin}{each.base_path}" for each in providers]
    known = {
        each.base_path + operation.path: operation.method
        for each in providers
        for operation in each.document.operations.values()
    }
    found = get_close_matches(path, known, 1)
    if found:
        told.append(f"did you mean {known[found[0]]} {found[0]}?")
    return "; ".join(told)


def _credentials(operation: Operation, headers: Headers) -> str:
    wanted = operation.credential
    if wanted is None:
        return ""
    given = headers.get(wanted.header).strip()
    if not given:
        raise Unauthenticated(f"the header {wanted.header} is missing or empty")
    if wanted.kind == "header":
        return given
    scheme, _, token = given.partition(" ")
    if scheme.lower() != "bearer" or not token.strip():
        raise Unauthenticated("the header authorization must be `Bearer` and an API key")
    return token.strip()


async def _open(sandbox: Sandbox, provider: Provider, key: str) -> Account:
    """The account of a key that was not seen before, with what it finds there."""
    account = await sandbox.accounts.open(provider.name, key, provider.account)
    for record in provider.presets(sandbox, key):
        await sandbox.voices.add(record)
    return account


# --- handle and reply --------------------------------------------------------------------------


async def _handle(call: Call) -> Answer:
    handler = call.provider.handlers.get(call.operation.id)
    if handler is None:
        response = call.operation.success
        content = next(iter(response.content.values()), None)
        return Answer(content.example if content else None)
    answer = await handler(call)
    return answer if isinstance(answer, Answer) else Answer(answer)


def _reply(call: Call, answer: Answer) -> Reply:
    operation = call.operation
    status = answer.status or operation.success.status
    response = operation.responses.get(status)
    if response is None:
        raise Failed(f"{operation.id} answered {status}, which its contract does not document")
    media_type = answer.media_type or next(iter(response.content), "")
    return _written(call, status, media_type, answer.body, dict(answer.headers))


def _refuse(call: Call, problem: Problem) -> Reply:
    """A problem in the provider's words, with the first of its statuses that is documented."""
    status = problem.status(call.operation.responses)
    headers = dict(problem.headers)
    if call.mock.settings.diagnostics and problem.violations:
        headers["x-mockvoice-violations"] = _explained(problem.violations)
    body = call.provider.error(problem, status, call)
    return _written(call, status, call.provider.error_type, body, headers)


def _written(call: Call, status: int, media_type: str, body: Any, headers: dict[str, str]) -> Reply:
    """The body as bytes; one that does not fit the contract is sent, and told as our mistake."""
    response = call.operation.responses.get(status)
    content = response.find(media_type) if response else None
    if body is None and not content:
        return Reply(status, "", b"", headers)
    if isinstance(body, bytes | Iterator):
        return Reply(status, media_type, body, headers)
    if content and content.schema and not content.schema.fits(body):
        wrong = "; ".join(each.sentence for each in content.schema.violations(body, "body"))
        log.error("the reply %s of %s: %s", status, call.operation.id, wrong)
        call.sandbox.mistakes.append(f"the reply {status} of {call.operation.id}: {wrong}")
    written = _encode(body).encode()
    return Reply(status, media_type, written, headers)


def _explained(violations: tuple[Violation, ...]) -> str:
    """Violations as JSON in a header's characters, as many as fit."""
    told = [violation.described() for violation in violations]
    while len(text := json.dumps(told)) > _HEADER_LIMIT and told:
        told.pop()
    return text


async def _send(send: Send, reply: Reply) -> None:
    headers = [(k.encode("latin-1"), v.encode("latin-1")) for k, v in reply.headers.items()]
    if reply.media_type:
        headers.append((b"content-type", reply.media_type.encode("latin-1")))
    body = reply.body
    if isinstance(body, bytes):
        if reply.status != 204:
            headers.append((b"content-length", b"%d" % len(body)))
        await send({"type": "http.response.start", "status": reply.status, "headers": headers})
        await send({"type": "http.response.body", "body": body})
        return
    await send({"type": "http.response.start", "status": reply.status, "headers": headers})
    for chunk in body:
        await send({"type": "http.response.body", "body": chunk, "more_body": True})
    await send({"type": "http.response.body", "body": b""})

"""What can be told of a request before its body is read: whose it is, and where it goes."""

from __future__ import annotations

import re
from collections.abc import Mapping
from difflib import get_close_matches

from starlette.types import Scope

from ..errors import (
    InvalidControlHeader,
    MethodNotAllowed,
    Problem,
    Unauthenticated,
    UnknownPath,
    Violation,
)
from ..openapi.document import Operation
from ..openapi.messages import brief
from ..provider import NO_OPERATION, Headers, Mock, Provider, RequestContext
from ..state.journal import JournalEntry

SANDBOX = "mockvoice.sandbox"  # where app.py puts the name of the sandbox that a path begins with
_NAME = re.compile(r"[A-Za-z0-9._-]{1,64}")


async def identify(
    mock: Mock, provider: Provider, operations: Mapping[str, Operation], scope: Scope
) -> tuple[RequestContext, Problem | None]:
    """The call, and why it will be refused, where that is certain already.

    Its account has been entered, and is to be left.
    """
    headers = Headers(scope["headers"])
    name = scope.get(SANDBOX, "")
    name = name or headers.get("x-mockvoice-sandbox")
    origin = f"{scope['scheme']}://{headers.get('host', 'localhost')}"
    operation = operations.get(scope["method"], NO_OPERATION)
    key, refusal = "", None
    try:
        if name and not _NAME.fullmatch(name):
            name, refused = "", name
            raise _no_name(refused)
        if name:  # addresses in replies lead back to it, whoever follows them
            origin += f"/~{name}"
        if operation is NO_OPERATION:
            raise _no_operation(mock, provider, operations, scope, origin)
        key = _credentials(operation, headers)
    except Problem as problem:
        refusal = problem
    sandbox = mock.named(name) if name else mock.sandbox
    account = await sandbox.accounts.enter(provider.name, key, provider.account)
    if provider.presets and account.found is not sandbox.voices:
        account.found = sandbox.voices
        for record in provider.presets(sandbox, key):
            await sandbox.voices.add(record)
    entry = JournalEntry(
        sandbox.journal.next_number() if provider.journalled else 0,
        provider.name,
        operation.id,
        key,
        scope["method"],
        scope["path"],
        scope["query_string"],
        headers,
        sandbox.clock.now(),
    )
    if operation.id in account.retry_at:
        entry.early = max(account.retry_at.pop(operation.id) - entry.at, 0.0)
    ctx = RequestContext(
        mock, sandbox, provider, operation, account, headers, origin, entry, account.in_flight
    )
    return ctx, refusal


def _no_name(name: str) -> Problem:
    message = f"must be up to 64 letters, digits, dots, dashes and underscores; got {brief(name)}"
    at = "/x-mockvoice-sandbox"
    return InvalidControlHeader(
        "", Violation("header", at, "pattern", message, _NAME.pattern, name)
    )


def _no_operation(
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
        return MethodNotAllowed(detail, headers={"allow": allowed})
    elsewhere = provider.prefix == ""
    providers = [*mock.providers.values()] if elsewhere else [provider]
    hint = _path_hint(providers, scope["path"], origin)
    return UnknownPath(f"no operation has the path {scope['path']}", hint=hint)


def _path_hint(providers: list[Provider], path: str, origin: str) -> str:
    """Return the base URLs, and the operation whose path is closest."""
    for provider in providers:
        if not provider.journalled and f"{path}/".startswith(f"{provider.base_path}/"):
            return _control_path_hint(provider, path, origin)
    entry = [f"the base URL of {each.title} here is {origin}{each.base_path}" for each in providers]
    known = {
        each.base_path + operation.path: operation.method
        for each in providers
        for operation in each.document.operations.values()
    }
    found = get_close_matches(path, known, 1)
    if found:
        entry.append(f"did you mean {known[found[0]]} {found[0]}?")
    return "; ".join(entry)


def _control_path_hint(control: Provider, path: str, origin: str) -> str:
    """Return the read-only entry points of the control API, and the operation that is closest.

    Where a path has several operations, the hint names GET: it must not suggest a call that
    changes state.
    """
    base = control.base_path
    operations = control.document.operations.values()
    reads = [f"GET {operation.path}" for operation in operations if operation.method == "GET"]
    entry_points = ", ".join(read for read in reads if "{" not in read)
    hint = f"read-only entry points below {origin}{base}: {entry_points}"
    methods = {
        operation.path: operation.method
        for operation in sorted(operations, key=lambda operation: operation.method == "GET")
    }
    for closest in get_close_matches(path.removeprefix(base), methods, 1):
        hint += f"; did you mean {methods[closest]} {base}{closest}?"
    return hint


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

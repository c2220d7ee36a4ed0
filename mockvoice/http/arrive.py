"""What can be told of a request before its body is read: whose it is, and where it goes."""

from __future__ import annotations

import re
from collections.abc import Mapping
from difflib import get_close_matches

from starlette.types import Scope

from ..errors import Misasked, Problem, Unauthenticated, UnknownPath, Violation, WrongMethod
from ..openapi.document import Operation
from ..openapi.wording import brief
from ..provider import NOWHERE, Call, Headers, Mock, Provider
from ..sandbox.journal import Exchange

SANDBOX = "mockvoice.sandbox"  # where app.py puts the name of the sandbox that a path begins with
_NAME = re.compile(r"[A-Za-z0-9._-]{1,64}")


async def arrive(
    mock: Mock, provider: Provider, operations: Mapping[str, Operation], scope: Scope
) -> tuple[Call, Problem | None]:
    """The call, and why it will be refused, where that is certain already.

    Its account has been entered, and is to be left.
    """
    headers = Headers(scope["headers"])
    name = scope.get(SANDBOX, "")
    name = name or headers.get("x-mockvoice-sandbox")
    origin = f"{scope['scheme']}://{headers.get('host', 'localhost')}"
    operation = operations.get(scope["method"], NOWHERE)
    key, refusal = "", None
    try:
        if name and not _NAME.fullmatch(name):
            name, refused = "", name
            raise _no_name(refused)
        if name:  # addresses in replies lead back to it, whoever follows them
            origin += f"/~{name}"
        if operation is NOWHERE:
            raise _lost(mock, provider, operations, scope, origin)
        key = _credentials(operation, headers)
    except Problem as problem:
        refusal = problem
    sandbox = mock.named(name) if name else mock.sandbox
    account = await sandbox.accounts.enter(provider.name, key, provider.account)
    if provider.presets and account.found is not sandbox.voices:
        account.found = sandbox.voices
        for record in provider.presets(sandbox, key):
            await sandbox.voices.add(record)
    told = Exchange(
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
    if operation.id in account.told:
        told.early = max(account.told.pop(operation.id) - told.at, 0.0)
    call = Call(
        mock, sandbox, provider, operation, account, headers, origin, told, account.in_flight
    )
    return call, refusal


def _no_name(name: str) -> Problem:
    message = f"must be up to 64 letters, digits, dots, dashes and underscores; got {brief(name)}"
    at = "/x-mockvoice-sandbox"
    return Misasked("", Violation("header", at, "pattern", message, _NAME.pattern, name))


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
    elsewhere = provider.prefix == ""
    providers = [*mock.providers.values()] if elsewhere else [provider]
    hint = _way_back(providers, scope["path"], origin)
    return UnknownPath(f"no operation has the path {scope['path']}", hint=hint)


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

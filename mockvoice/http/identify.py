"""The target of a request, known before its body is read: sandbox, operation, API key."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from http import HTTPStatus
from typing import NamedTuple, NoReturn

from starlette.types import Scope

from ..errors import InvalidControlHeader, MethodNotAllowed, Problem, UnknownPath, Violation
from ..openapi.document import Document, Operation
from ..provider import NO_OPERATION, Headers, Provider, RequestContext
from ..text import brief, closest_match
from ..types import JSON
from .auth import api_key
from .hosts import HIDDEN, PROBLEM, PROXY_USER

SANDBOX = "mockvoice.sandbox"  # the key in a scope of the sandbox that its path begins with
_SANDBOX_HEADER = b"x-mockvoice-sandbox"
_NAME = re.compile(r"[A-Za-z0-9._-]{1,64}")


class RequestTarget(NamedTuple):
    """The target of a request. `problem` is set if it is certain to be rejected.

    `origin` is the address of the sandbox as the client sees it.
    """

    sandbox: str
    operation: Operation
    key: str
    headers: Headers
    origin: str
    problem: Problem | None


def _problem_document(problem: Problem, status: int, ctx: RequestContext) -> JSON:
    """Return problem details (RFC 9457) with the hint, which SDKs show if it is in the body."""
    document = {"title": HTTPStatus(status).phrase, "status": status, "detail": problem.sentences}
    return {**document, "hint": problem.hint} if problem.hint else document


# Of requests to paths that no provider serves, most often because of a wrong base URL.
NO_PROVIDER = Provider("", error=_problem_document, error_type="application/problem+json")


def identify(
    provider: Provider,
    operations: Mapping[str, Operation],
    scope: Scope,
    hint: Callable[[str, str, str], str],
) -> RequestTarget:
    """Return the target of a request to a path that has these operations, by method.

    `hint` returns the hint for an unknown path at an origin, where a prefix of paths is hidden.
    """
    headers = Headers(scope["headers"])
    operation = operations.get(scope["method"], NO_OPERATION)
    sandbox, key, problem = "", "", None
    origin = f"{scope['scheme']}://{headers.get('host', 'localhost')}"
    try:
        sandbox = sandbox_name(scope, headers)
        if sandbox:  # URLs in responses lead back to the sandbox
            origin += f"/~{sandbox}"
        if operation is NO_OPERATION:
            hidden = scope.get(HIDDEN, "")
            reject_unknown(scope, operations, lambda path: hint(path, origin, hidden))
        key = api_key(operation, headers)
    except Problem as raised:
        problem = raised
    return RequestTarget(sandbox, operation, key, headers, origin, problem)


def requested_sandbox(scope: Scope) -> str:
    """Return the name of the sandbox, valid or not, without decoding the other headers."""
    name: str = scope.get(SANDBOX, "")
    if name:
        return name
    for header, value in scope["headers"]:
        if header == _SANDBOX_HEADER:
            return str(value.decode("latin-1"))
    return str(scope.get(PROXY_USER, ""))


def sandbox_name(scope: Scope, headers: Headers) -> str:
    """Return the name of the sandbox, "" for the default one. Raises InvalidControlHeader.

    The path takes precedence over the header, which does over the user name of the proxy URL.
    """
    name: str = scope.get(SANDBOX, "") or headers.get("x-mockvoice-sandbox")
    pointer, subject = "/x-mockvoice-sandbox", "must be"
    if not name and PROXY_USER in scope:
        name, pointer, subject = scope[PROXY_USER], "/proxy-authorization", "must have a user of"
    if name and not _NAME.fullmatch(name):
        message = (
            f"{subject} up to 64 letters, digits, dots, dashes and underscores; got {brief(name)}"
        )
        violation = Violation("header", pointer, "pattern", message, _NAME.pattern, name)
        raise InvalidControlHeader("", violation)
    return name


def reject_unknown(
    scope: Scope, operations: Mapping[str, Operation], hint: Callable[[str], str]
) -> NoReturn:
    """Raise MethodNotAllowed, UnknownPath for a path without operations, or a certain problem.

    `hint` returns the hint for a path.
    """
    if PROBLEM in scope:
        raise scope[PROBLEM]
    if operations:
        allowed = ", ".join(operations)
        detail = f"{scope['method']} is not allowed here; allowed: {allowed}"
        raise MethodNotAllowed(detail, headers={"allow": allowed})
    path: str = scope["path"]
    shown = path.removeprefix(scope.get(HIDDEN, ""))
    raise UnknownPath(f"no operation has the path {shown}", hint=hint(path))


def control_path_hint(control: Document, path: str, origin: str) -> str:
    """Return the read-only entry points of the control API, and the operation that is closest.

    Where a path has several operations, the hint names GET: it must not suggest a call that
    changes state.
    """
    base = control.base_path
    operations = control.operations.values()
    reads = [f"GET {operation.path}" for operation in operations if operation.method == "GET"]
    entry_points = ", ".join(read for read in reads if "{" not in read)
    hint = f"read-only entry points below {origin}{base}: {entry_points}"
    methods = {
        operation.path: operation.method
        for operation in sorted(operations, key=lambda operation: operation.method == "GET")
    }
    closest = closest_match(path.removeprefix(base), methods)
    return f"{hint}; did you mean {methods[closest]} {base}{closest}?" if closest else hint


def path_hint(providers: list[Provider], path: str, origin: str, hidden: str = "") -> str:
    """Return the base URLs, and the operation whose path is closest.

    `hidden` is the prefix that the paths do not have for the client.
    """
    hints = [
        f"the base URL of {provider.title or provider.name} here is"
        f" {origin}{provider.base_path.removeprefix(hidden)}"
        for provider in providers
    ]
    known = {
        provider.base_path + operation.path: operation.method
        for provider in providers
        for operation in provider.document.operations.values()
    }
    closest = closest_match(path, known)
    if closest:
        hints.append(f"did you mean {known[closest]} {closest.removeprefix(hidden)}?")
    return "; ".join(hints)

"""The target of a request, known before its body is read: sandbox, operation, API key."""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from http import HTTPStatus
from typing import NoReturn

from starlette.types import Scope

from ..errors import InvalidControlHeader, MethodNotAllowed, Problem, UnknownPath, Violation
from ..openapi.document import Document, Operation
from ..provider import NO_OPERATION, Headers, Provider, RequestContext
from ..text import brief, closest_match
from ..types import JSON
from .auth import api_key
from .hosts import HIDDEN, PROBLEM, PROXY_USER

HEADERS = "mockvoice.headers"  # the key in a scope of its Headers
SANDBOX = "mockvoice.sandbox"  # the key in a scope of the sandbox that its path begins with
_SANDBOX_HEADER = "x-mockvoice-sandbox"
_NAME = re.compile(r"[A-Za-z0-9._-]{1,64}")
_READING = ("GET", "OPTIONS")  # methods that change nothing
_METHODS = {"delete": ("DELETE",), "remove": ("DELETE",), "update": ("PATCH", "PUT")}
_VERB = re.compile(rf"/({'|'.join(_METHODS)})[-_]?[a-z_-]*(/|$)", re.ASCII)


@dataclass(slots=True, eq=False)
class RequestTarget:
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
    hint: Callable[[str, str, str, str], str],
) -> RequestTarget:
    """Return the target of a request to a path that has these operations, by method.

    `hint` returns the hint for a method and an unknown path at an origin, where a prefix of paths
    is hidden.
    """
    headers: Headers = scope[HEADERS]
    operation = operations.get(scope["method"], NO_OPERATION)
    sandbox, key, problem = "", "", None
    origin = f"{scope['scheme']}://{headers.get('host', 'localhost')}"
    try:
        sandbox = sandbox_name(scope)
        if sandbox:  # URLs in responses lead back to the sandbox
            origin += f"/~{sandbox}"
        if operation is NO_OPERATION:
            hidden = scope.get(HIDDEN, "")
            reject_unknown(
                scope, operations, lambda method, path: hint(method, path, origin, hidden)
            )
        key = api_key(operation, headers, scope["query_string"])
    except Problem as raised:
        problem = raised
    return RequestTarget(sandbox, operation, key, headers, origin, problem)


def requested_sandbox(scope: Scope) -> str:
    """Return the name of the sandbox, valid or not.

    The path takes precedence over the header, which does over the user name of the proxy URL.
    """
    headers: Headers = scope[HEADERS]
    name: str = scope.get(SANDBOX, "") or headers.get(_SANDBOX_HEADER) or scope.get(PROXY_USER, "")
    return name


def is_sandbox_name(name: str) -> bool:
    """Return True for a text that can be the name of a sandbox."""
    return _NAME.fullmatch(name) is not None


def sandbox_name(scope: Scope) -> str:
    """Return the name of the sandbox, "" for the default one. Raises InvalidControlHeader."""
    name = requested_sandbox(scope)
    if name and not is_sandbox_name(name):
        pointer, subject = f"/{_SANDBOX_HEADER}", "must be"
        if name == scope.get(PROXY_USER):
            pointer, subject = "/proxy-authorization", "must have a user of"
        message = (
            f"{subject} up to 64 letters, digits, dots, dashes and underscores; got {brief(name)}"
        )
        violation = Violation("header", pointer, "pattern", message, _NAME.pattern, name)
        raise InvalidControlHeader("", violation)
    return name


def reject_unknown(
    scope: Scope, operations: Mapping[str, Operation], hint: Callable[[str, str], str]
) -> NoReturn:
    """Raise MethodNotAllowed, UnknownPath for a path without operations, or a certain problem.

    `hint` returns the hint for a method and a path.
    """
    if PROBLEM in scope:
        raise scope[PROBLEM]
    if operations:
        allowed = ", ".join(operations)
        detail = f"{scope['method']} is not allowed here; allowed: {allowed}"
        raise MethodNotAllowed(detail, headers={"allow": allowed})
    path: str = scope["path"]
    shown = path.removeprefix(scope.get(HIDDEN, ""))
    raise UnknownPath(f"no operation has the path {shown}", hint=hint(scope["method"], path))


def control_path_hint(control: Document, method: str, path: str, origin: str) -> str:
    """Return the read-only entry points of the control API, and the operation that is closest."""
    base = control.base_path
    operations = [(operation.method, operation.path) for operation in control.operations.values()]
    reads = ", ".join(
        f"GET {read}" for verb, read in operations if verb == "GET" and "{" not in read
    )
    hint = f"read-only entry points below {origin}{base}: {reads}"
    closest = _closest(method, path.removeprefix(base), operations)
    return f"{hint}; did you mean {closest[0]} {base}{closest[1]}?" if closest else hint


def path_hint(
    providers: list[Provider], method: str, path: str, origin: str, hidden: str = ""
) -> str:
    """Return the base URLs, and the operation that is closest.

    `hidden` is the prefix that the paths do not have for the client.
    """
    hints = [
        f"the base URL of {provider.title or provider.name} here is"
        f" {origin}{provider.base_path.removeprefix(hidden)}"
        for provider in providers
    ]
    operations = [
        (operation.method, provider.base_path + operation.path)
        for provider in providers
        for operation in provider.document.operations.values()
    ]
    found = _VERB.search(path)  # as of a remote procedure: /delete-voice/1
    verb = found[1] if found else "delete" if method == "DELETE" else ""
    if verb:
        methods = _METHODS[verb]
        operations = [operation for operation in operations if operation[0] in methods]
        if not operations:
            names = " or ".join(provider.title or provider.name for provider in providers)
            return "; ".join([*hints, f"{names} documents no operation to {verb} a record"])
        method = operations[0][0]
    closest = _closest(method, path, operations)
    if closest:
        hints.append(f"did you mean {closest[0]} {closest[1].removeprefix(hidden)}?")
    return "; ".join(hints)


def _closest(
    method: str, path: str, operations: Collection[tuple[str, str]]
) -> tuple[str, str] | None:
    """Return the method and path of the operation whose path is closest, or None.

    Of a path with several operations, the one with the method of the request. None that may change
    state is returned for a request that only reads.
    """
    verb = "GET" if method == "HEAD" else method
    allowed = [item for item in operations if item[0] == verb or verb not in _READING]
    methods = {name: other for other, name in sorted(allowed, key=lambda item: item[0] == verb)}
    closest = closest_match(path, methods)
    return (methods[closest], closest) if closest else None

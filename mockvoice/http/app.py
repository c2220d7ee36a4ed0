"""The ASGI application: routes of the providers, generated from their contracts."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from functools import cached_property, partial

from starlette.routing import Route, Router
from starlette.types import ASGIApp, Receive, Scope, Send

from ..control.api import handle_control_request
from ..errors import StoreUnavailable
from ..mock import Editions, Mock
from ..openapi.document import Document, Operation
from ..provider import Headers, Provider
from .hosts import CONTROL, PROBLEM, Hosts
from .identify import HEADERS, NO_PROVIDER, SANDBOX, requested_sandbox
from .inspector import is_inspector_request, send_page
from .params import ENCODED
from .pipeline import EDITION, RouteAgain, handle_request
from .responses import encode
from .transport import TARGET, RawResponse, ResponseTransport
from .websocket import as_request

MAX_HEADER_BYTES = 8192  # of one value, so also of an API key
_HEADER_TOO_LARGE = RawResponse(
    431,
    "text/plain; charset=utf-8",
    b"the value of a request header has more than %d bytes" % MAX_HEADER_BYTES,
)

_CONTROL_NAME = CONTROL.strip("/")
_FORWARDED = frozenset({b"x-forwarded-proto", b"x-forwarded-for"})
_RETRY_SECONDS = 1  # after which a client may try again while the store is not available

Handle = Callable[[Mapping[str, Operation], Scope, Receive, Send], Awaitable[None]]


class App:
    """The ASGI application that serves a mock: the first segment of a path selects the provider.

    Each provider has a router for each edition in use, which is built for the first request to it:
    until then its contract is not read, unless it is that of a user.

    `forwarded`, if set, changes the scope of a request with headers of a proxy.
    """

    def __init__(self, mock: Mock) -> None:
        self.mock = mock
        self.forwarded: ASGIApp | None = None
        self.hosts = Hosts(mock.providers.values(), mock.settings.hosts)
        self._routers: dict[Provider, _Router] = {}
        for provider in mock.providers.values():
            if provider.contract:  # of a user: an error in it prevents the start
                self._router(provider)
        self._not_found = partial(handle_request, mock, NO_PROVIDER, {})

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "lifespan":
            await self._lifespan(receive, send)
        else:
            if scope["type"] == "websocket":
                scope, receive, send = as_request(scope, receive, send)
            if _has_large_header(scope):
                await ResponseTransport(scope, receive, send).send(_HEADER_TOO_LARGE)
                return
            if scope["path"][:1] != "/":
                _to_origin_form(scope)
            raw: bytes = scope.get("raw_path", b"")
            if b"%2F" in raw or b"%2f" in raw:  # an encoded slash does not separate segments
                scope["path"], scope[ENCODED] = raw.decode("latin-1"), True
            path: str = scope["path"]
            if path.startswith("/~"):
                name, _, rest = path[2:].partition("/")
                scope[SANDBOX], scope["path"] = name, f"/{rest}"
            scope[HEADERS] = headers = Headers(scope["headers"])
            if self.forwarded and headers.has_any(_FORWARDED):
                await self.forwarded(scope, receive, send)
            self.hosts.route(scope, headers)
            try:
                await self._route(scope, receive, send)
            except StoreUnavailable as error:
                await ResponseTransport(scope, receive, send).send(_unavailable(error))

    async def _route(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Route a request with the editions of its sandbox; again if they have changed."""
        editions = self.mock.settings.edition
        if self.mock.has_other_editions:
            editions = self.mock.editions(requested_sandbox(scope))
        while True:
            try:
                await self._find(scope, editions)(scope, receive, send)
            except RouteAgain as changed:
                editions = changed.editions
                self.mock.remember_editions(changed.sandbox, editions)
            else:
                return

    async def _lifespan(self, receive: Receive, send: Send) -> None:
        while True:
            message = await receive()
            is_last = message["type"] == "lifespan.shutdown"
            if is_last:
                await self.mock.store.close()
            await send({"type": f"{message['type']}.complete"})
            if is_last:
                return

    def _find(self, scope: Scope, editions: Editions) -> ASGIApp:
        path: str = scope["path"]
        name = path.partition("/")[2].partition("/")[0]
        if PROBLEM in scope:
            return self._not_found
        if name in self.mock.providers:
            scope[EDITION] = editions.get(name, "")
            return self._router(self.mock.select_one(name, scope[EDITION]))
        if path == "/health":
            scope["path"], name = f"{CONTROL}/health", _CONTROL_NAME
        is_on = self.mock.settings.inspector == "on"
        if is_on and is_inspector_request(scope):
            return partial(send_page, self.mock, scope.get(SANDBOX, ""))
        return self._control if name == _CONTROL_NAME else self._not_found

    @cached_property
    def _control(self) -> _Router:
        """The routes of the control API."""
        handle = partial(handle_control_request, self.mock)
        return _Router(self.mock.control, CONTROL, handle)

    def _router(self, provider: Provider) -> _Router:
        router = self._routers.get(provider)
        if router is None:
            handle = partial(handle_request, self.mock, provider)
            router = _Router(provider.document, provider.base_path, handle)
            self._routers[provider] = router
        return router


def _has_large_header(scope: Scope) -> bool:
    for name, value in scope["headers"]:  # a loop is faster here than chained iterators
        if len(value) > MAX_HEADER_BYTES or len(name) > MAX_HEADER_BYTES:
            return True
    return False


def _unavailable(error: StoreUnavailable) -> RawResponse:
    """Return the response to a request whose state cannot be read or written."""
    body = {"title": "Service Unavailable", "status": 503, "detail": str(error)}
    headers = {"retry-after": str(_RETRY_SECONDS)}
    return RawResponse(503, "application/problem+json", encode(body).encode(), headers)


def _to_origin_form(scope: Scope) -> None:
    """Move a request target in absolute form (RFC 9112, 3.2.2) aside, and keep its path."""
    scope[TARGET] = scope["path"]
    for name, separators in (("path", ("://", "/")), ("raw_path", (b"://", b"/"))):
        target = scope.get(name)
        if target:
            _, scheme, rest = target.partition(separators[0])
            if scheme:
                scope[name] = separators[1] + rest.partition(separators[1])[2]


class _Endpoint:
    """A path with its operations by method; an unknown path has none."""

    def __init__(self, handle: Handle, operations: Mapping[str, Operation]) -> None:
        self._handle = handle
        self._operations = operations

    def __call__(self, scope: Scope, receive: Receive, send: Send) -> Awaitable[None]:
        return self._handle(self._operations, scope, receive, send)


class _Router:
    """Routes the paths of a contract; all other paths are handled as unknown.

    Paths without parameters are looked up; only the others are matched by patterns.
    """

    def __init__(self, document: Document, base_path: str, handle: Handle) -> None:
        by_path: dict[str, dict[str, Operation]] = {}
        for operation in document.operations.values():
            by_path.setdefault(operation.path, {})[operation.method] = operation
        endpoints = {base_path + path: _Endpoint(handle, by_path[path]) for path in by_path}
        # Literal segments take precedence: /voices/search before /voices/{voice_id}.
        ordered = sorted(endpoints, key=lambda path: path.count("{"))
        self._literal = {path: endpoints[path] for path in ordered if "{" not in path}
        routes = [Route(path, endpoints[path]) for path in ordered if "{" in path]
        self._patterns = Router(routes, default=_Endpoint(handle, {}), redirect_slashes=False)

    def __call__(self, scope: Scope, receive: Receive, send: Send) -> Awaitable[None]:
        app: ASGIApp = self._literal.get(scope["path"], self._patterns)
        return app(scope, receive, send)

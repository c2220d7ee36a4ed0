"""Providers as Starlette routes, generated from their contracts."""

from __future__ import annotations

from collections.abc import Awaitable, Mapping

from starlette.routing import Route, Router
from starlette.types import ASGIApp, Receive, Scope, Send

from ..openapi.document import Operation
from ..provider import Mock, Provider
from .identify import SANDBOX
from .params import ENCODED
from .pipeline import handle_request


class App:
    """The ASGI application that serves a mock: the first step of a path names the provider."""

    def __init__(self, mock: Mock) -> None:
        self.mock = mock
        self._routers = {
            provider.base_path.split("/")[1]: _router(mock, provider)
            for provider in mock.providers.values()
        }
        # A path without parameters need not be searched for.
        self._literal: dict[str, ASGIApp] = {
            route.path: route.app
            for router in self._routers.values()
            for route in router.routes
            if isinstance(route, Route) and not route.param_convertors
        }
        self._literal["/health"] = self._literal["/__mockvoice/health"]
        self._elsewhere = _Endpoint(mock, mock.providers["mockvoice"], {})

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "lifespan":
            await _lifespan(receive, send)
        elif scope["type"] == "websocket":
            await send({"type": "websocket.close", "code": 1000, "reason": "not served"})
        else:
            raw: bytes = scope.get("raw_path", b"")
            if b"%2F" in raw or b"%2f" in raw:  # a slash within a segment parts no segments
                scope["path"], scope[ENCODED] = raw.decode("latin-1"), True
            path: str = scope["path"]
            if path.startswith("/~"):
                name, _, rest = path[2:].partition("/")
                scope[SANDBOX], scope["path"] = name, f"/{rest}"
            await self._find(scope["path"])(scope, receive, send)

    def _find(self, path: str) -> ASGIApp:
        if path in self._literal:
            return self._literal[path]
        return self._routers.get(path.partition("/")[2].partition("/")[0], self._elsewhere)


async def _lifespan(receive: Receive, send: Send) -> None:
    while True:
        message = await receive()
        await send({"type": f"{message['type']}.complete"})
        if message["type"] == "lifespan.shutdown":
            return


class _Endpoint:
    """One path of a provider with its operations by method; without any, an unknown path."""

    def __init__(self, mock: Mock, provider: Provider, operations: Mapping[str, Operation]) -> None:
        self._mock = mock
        self._provider = provider
        self._operations = operations

    def __call__(self, scope: Scope, receive: Receive, send: Send) -> Awaitable[None]:
        return handle_request(self._mock, self._provider, self._operations, scope, receive, send)


def _router(mock: Mock, provider: Provider) -> Router:
    """The contract's paths as routes, and an answer in the provider's words to every other."""
    by_path: dict[str, dict[str, Operation]] = {}
    for operation in provider.document.operations.values():
        by_path.setdefault(operation.path, {})[operation.method] = operation
    # A literal path wins over one with parameters: /voices/search over /voices/{voice_id}.
    ordered = sorted(by_path.items(), key=lambda item: item[0].count("{"))
    return Router(
        [
            Route(provider.base_path + path, _Endpoint(mock, provider, operations))
            for path, operations in ordered
        ],
        default=_Endpoint(mock, provider, {}),
        redirect_slashes=False,
    )

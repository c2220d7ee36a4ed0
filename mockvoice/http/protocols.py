"""The HTTP protocols of uvicorn, with access to the connection for faults that break it."""

from __future__ import annotations

import asyncio
from importlib.util import find_spec
from typing import Any

from .transport import CONNECTION, Connection


def protocol(name: str) -> type[asyncio.Protocol]:
    """Return the protocol class for `h11` or `httptools`; `auto` prefers httptools if installed."""
    if name == "httptools" or (name == "auto" and find_spec("httptools")):
        from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

        return _with_connection(HttpToolsProtocol)
    from uvicorn.protocols.http.h11_impl import H11Protocol

    return _with_connection(H11Protocol)


def _with_connection(base: Any) -> type[asyncio.Protocol]:
    """Return a protocol class that puts its Connection into the scope of every request."""

    class Protocol(base):  # type: ignore[misc]  # one of the two classes
        app: Any
        connection: Connection

        def connection_made(self, transport: asyncio.BaseTransport) -> None:
            super().connection_made(transport)
            app, connection = self.app, Connection(transport)

            def app_with_connection(scope: Any, receive: Any, send: Any) -> Any:
                scope[CONNECTION] = connection
                return app(scope, receive, send)

            self.app, self.connection = app_with_connection, connection

        def shutdown(self) -> None:
            super().shutdown()
            if self.connection.waiting:  # uvicorn would wait for it, and then log an error
                self.connection.transport.close()

    return Protocol

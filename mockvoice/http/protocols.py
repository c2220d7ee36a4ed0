"""uvicorn's protocols, both, with the line within reach: a fault may have to cut it."""

from __future__ import annotations

import asyncio
from importlib.util import find_spec
from typing import Any

from .transport import CONNECTION, Connection


def protocol(name: str) -> type[asyncio.Protocol]:
    """The protocol class for `h11`, `httptools`, or `auto`: httptools where it is installed."""
    if name == "httptools" or (name == "auto" and find_spec("httptools")):
        from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

        return _within_reach(HttpToolsProtocol)
    from uvicorn.protocols.http.h11_impl import H11Protocol

    return _within_reach(H11Protocol)


def _within_reach(base: Any) -> type[asyncio.Protocol]:
    class Protocol(base):  # type: ignore[misc]  # either of the two
        app: Any
        line: Connection

        def connection_made(self, transport: asyncio.BaseTransport) -> None:
            super().connection_made(transport)
            app, line = self.app, Connection(transport)

            def with_line(scope: Any, receive: Any, send: Any) -> Any:
                scope[CONNECTION] = line
                return app(scope, receive, send)

            self.app, self.line = with_line, line

        def shutdown(self) -> None:
            super().shutdown()
            if self.line.waiting:  # else the server would wait for it, and then log it as a failure
                self.line.transport.close()

    return Protocol

"""The mock as an ASGI application, for clients in the same process."""

from __future__ import annotations

import sys
from typing import Any

from starlette.types import Receive, Scope, Send

from .client.control import Control, ServerClient
from .client.transports import ASGITransport
from .http.app import App
from .http.transport import ConnectionClosed
from .mock import Mock

URL = "http://mockvoice"  # a name for base URLs; nothing listens there


class Application(App):
    """ASGI application of a mock; `control` manages it without a socket.

    A fault that breaks the connection raises the error that httpx raises for a real connection, if
    httpx is imported, which is also a ConnectionResetError.
    """

    def __init__(self, mock: Mock) -> None:
        super().__init__(mock)
        self.control = Control(ServerClient(ASGITransport(self, URL, mock.settings.control_token)))

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        try:
            await super().__call__(scope, receive, send)
        except ConnectionResetError as error:
            raise _httpx_error(error) from None


def _httpx_error(error: ConnectionResetError) -> Exception:
    """Return the error of httpx for a connection that is closed or reset."""
    httpx: Any = sys.modules.get("httpx")
    if httpx is None:
        return error
    closed = isinstance(error, ConnectionClosed)
    kind = httpx.RemoteProtocolError if closed else httpx.ReadError
    broken: type[Exception] = type(kind.__name__, (kind, ConnectionResetError), {})
    return broken(str(error))

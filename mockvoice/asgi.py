"""The mock as an ASGI application, for clients in the same process."""

from __future__ import annotations

from .client.control import Control, ServerClient
from .client.transports import ASGITransport
from .http.app import App
from .mock import Mock

URL = "http://mockvoice"  # a name for base URLs; nothing listens there


class Application(App):
    """ASGI application of a mock; `control` manages it without a socket."""

    def __init__(self, mock: Mock) -> None:
        super().__init__(mock)
        self.control = Control(ServerClient(ASGITransport(self, URL, mock.settings.control_token)))

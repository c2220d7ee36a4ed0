"""The app without a server: for clients in the same process."""

from __future__ import annotations

from .client.control import Control, ServerClient
from .client.transports import ASGITransport
from .http.app import App
from .mock import Mock

URL = "http://mockvoice"  # where its clients believe it to be


class Application(App):
    """The ASGI application of a mock; `control` is its control object, which needs no socket."""

    def __init__(self, mock: Mock) -> None:
        super().__init__(mock)
        self.control = Control(ServerClient(ASGITransport(self, URL)))

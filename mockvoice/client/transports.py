"""The way to a mock's control API: to a server by HTTP, or to an app in this process."""

from __future__ import annotations

import http.client
import threading
from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any, Protocol
from urllib.parse import quote, urlsplit

TIMEOUT = 30.0  # seconds until a server that does not answer is given up

Message = MutableMapping[str, Any]
App = Callable[
    [Message, Callable[[], Awaitable[Message]], Callable[[Message], Awaitable[None]]],
    Awaitable[None],
]


class Transport(Protocol):
    """What carries a request to a mock and its reply back; `url` is where its sandboxes begin."""

    url: str

    def send(self, method: str, target: str, body: bytes | None) -> tuple[int, bytes]:
        """Send a request with a JSON body, or none; the reply's status and body.

        Raises ConnectionError when nothing answers.
        """


def split_url(url: str) -> tuple[str, str]:
    """A URL as that of a server, and what leads to a sandbox: `http://host:4010`, `/~name`.

    Raises ConnectionError for what is no URL of a server.
    """
    try:
        parts = urlsplit(url if "//" in url else f"http://{url}")
        possible = parts.scheme in ("http", "https") and parts.hostname and parts.port != 0
    except ValueError:
        possible = False
    if not possible:
        raise ConnectionError(
            f"no mockvoice can be at {url}: that is no URL such as http://127.0.0.1:4010"
        )
    return f"{parts.scheme}://{parts.netloc}", parts.path.rstrip("/")


def sandbox_path(name: str) -> str:
    """What leads to the sandbox with a name; "" to the default one."""
    return f"/~{quote(name, safe='')}" if name else ""


class HTTPTransport:
    """A server at a URL that is given up after `timeout` seconds; any thread may use it."""

    def __init__(self, url: str, timeout: float = TIMEOUT) -> None:
        self.url, _ = split_url(url)
        scheme, _, place = self.url.partition("://")
        kind = http.client.HTTPSConnection if scheme == "https" else http.client.HTTPConnection
        self._connection = kind(place, timeout=timeout)
        self._one_at_a_time = threading.Lock()

    def __del__(self) -> None:
        self._connection.close()  # a control object is nothing that people think of closing

    def send(self, method: str, target: str, body: bytes | None) -> tuple[int, bytes]:
        """As Connection has it."""
        with self._one_at_a_time:
            try:
                try:
                    return self._exchange(method, target, body)
                except (BrokenPipeError, ConnectionResetError):  # closed while it was idle
                    self._connection.close()
                    return self._exchange(method, target, body)
            except (OSError, http.client.HTTPException) as error:
                self._connection.close()
                raise ConnectionError(
                    f"no mockvoice answers at {self.url}: {error}; start one with `mockvoice serve`"
                ) from None

    def _exchange(self, method: str, target: str, body: bytes | None) -> tuple[int, bytes]:
        headers = {} if body is None else {"content-type": "application/json"}
        self._connection.request(method, target, body, headers)
        response = self._connection.getresponse()
        return response.status, response.read()


class ASGITransport:
    """An ASGI application, called directly: no socket, and no server that would have to run."""

    def __init__(self, app: App, url: str) -> None:
        self.url = url
        self._app = app

    def send(self, method: str, target: str, body: bytes | None) -> tuple[int, bytes]:
        """As Connection has it."""
        import asyncio  # here: a client of a server elsewhere starts in half the time without

        replied: list[tuple[int, bytes]] = []

        def exchange() -> None:  # in a thread of its own: the caller may be in an event loop
            replied.append(asyncio.run(self._exchange(method, target, body or b"")))

        thread = threading.Thread(target=exchange, name="mockvoice control")
        thread.start()
        thread.join()
        return replied[0]

    async def _exchange(self, method: str, target: str, body: bytes) -> tuple[int, bytes]:
        path, _, query = target.partition("?")
        scope = {
            "type": "http",
            "http_version": "1.1",
            "method": method,
            "scheme": urlsplit(self.url).scheme,
            "path": path,
            "raw_path": path.encode("latin-1"),
            "query_string": query.encode("latin-1"),
            "headers": [
                (b"host", urlsplit(self.url).netloc.encode()),
                *([(b"content-type", b"application/json")] if body else []),
            ],
        }
        sent: list[Message] = []

        async def receive() -> Message:
            return {"type": "http.request", "body": body}

        async def send(message: Message) -> None:
            sent.append(message)

        await self._app(scope, receive, send)
        return sent[0]["status"], b"".join(each.get("body", b"") for each in sent)

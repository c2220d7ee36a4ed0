"""Transports that carry control API requests, over HTTP or to an ASGI app in this process."""

from __future__ import annotations

import http.client
import threading
from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any, Protocol
from urllib.parse import quote, urlsplit

TIMEOUT = 30.0  # seconds

_JSON = {"content-type": "application/json"}
Message = MutableMapping[str, Any]
App = Callable[
    [Message, Callable[[], Awaitable[Message]], Callable[[Message], Awaitable[None]]],
    Awaitable[None],
]


class Transport(Protocol):
    """Sends requests to a mock; `url` is the URL of its default sandbox."""

    url: str

    def send(self, method: str, target: str, body: bytes | None) -> tuple[int, bytes]:
        """Send a request with a JSON body, or none; return the status and body of the response.

        Raises ConnectionError if there is no response.
        """


def split_url(url: str) -> tuple[str, str]:
    """Split a URL into server and sandbox path: `http://host:4010`, `/~name`.

    Raises ConnectionError for an invalid URL.
    """
    try:
        parts = urlsplit(url if "//" in url else f"http://{url}")
        valid = parts.scheme in ("http", "https") and parts.hostname and parts.port != 0
    except ValueError:
        valid = False
    if not valid:
        raise ConnectionError(
            f"invalid server URL {url}: expected a URL such as http://127.0.0.1:4010"
        )
    return f"{parts.scheme}://{parts.netloc}", parts.path.rstrip("/")


def sandbox_path(name: str) -> str:
    """Return the URL path of a sandbox; "" is the default one."""
    return f"/~{quote(name, safe='')}" if name else ""


def authorization(control_token: str) -> dict[str, str]:
    """Return the header with the control token, if there is one."""
    return {"authorization": f"Bearer {control_token}"} if control_token else {}


def connection_to(server: str, timeout: float) -> http.client.HTTPConnection:
    """Return a connection to a server (`http://host:4010`) that is not open yet."""
    scheme, _, netloc = server.partition("://")
    kind = http.client.HTTPSConnection if scheme == "https" else http.client.HTTPConnection
    return kind(netloc, timeout=timeout)


class HTTPTransport:
    """A thread-safe HTTP connection to a server; `timeout` is in seconds."""

    def __init__(self, url: str, timeout: float = TIMEOUT, control_token: str = "") -> None:
        self.url, _ = split_url(url)
        self._headers = authorization(control_token)
        self._connection = connection_to(self.url, timeout)
        self._lock = threading.Lock()

    def __del__(self) -> None:
        self._connection.close()  # nobody closes a Control explicitly

    def send(self, method: str, target: str, body: bytes | None) -> tuple[int, bytes]:
        """Send a request; see `Transport.send`."""
        with self._lock:
            try:
                try:
                    return self._exchange(method, target, body)
                except (BrokenPipeError, ConnectionResetError):
                    # The server closed the idle connection: connect again, once.
                    self._connection.close()
                    return self._exchange(method, target, body)
            except (OSError, http.client.HTTPException) as error:
                self._connection.close()
                raise ConnectionError(
                    f"no mockvoice server at {self.url}: {error}; start one with `mockvoice serve`"
                ) from None

    def _exchange(self, method: str, target: str, body: bytes | None) -> tuple[int, bytes]:
        headers = self._headers if body is None else {**self._headers, **_JSON}
        self._connection.request(method, target, body, headers)
        response = self._connection.getresponse()
        return response.status, response.read()


class ASGITransport:
    """Calls an ASGI application directly, without a socket or a server."""

    def __init__(self, app: App, url: str, control_token: str = "") -> None:
        self.url = url
        self._headers = authorization(control_token)
        self._app = app

    def send(self, method: str, target: str, body: bytes | None) -> tuple[int, bytes]:
        """Send a request; see `Transport.send`."""
        import asyncio  # here: HTTP clients start in half the time without it

        responses: list[tuple[int, bytes]] = []

        def run() -> None:
            responses.append(asyncio.run(self._exchange(method, target, body or b"")))

        # In a separate thread, because the caller may be inside a running event loop.
        thread = threading.Thread(target=run, name="mockvoice control")
        thread.start()
        thread.join()
        return responses[0]

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
                *((k.encode(), v.encode()) for k, v in self._headers.items()),
                *((k.encode(), v.encode()) for k, v in (_JSON if body else {}).items()),
            ],
        }
        messages: list[Message] = []

        async def receive() -> Message:
            return {"type": "http.request", "body": body}

        async def send(message: Message) -> None:
            messages.append(message)

        await self._app(scope, receive, send)
        return messages[0]["status"], b"".join(message.get("body", b"") for message in messages)

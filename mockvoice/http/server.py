"""The app on a port: in the foreground, or in a thread of a test process."""

from __future__ import annotations

import asyncio
import errno
import gc
import socket
import threading
from types import FrameType, TracebackType
from typing import Literal, Self

import uvicorn

from ..mock import Mock
from .app import App
from .protocols import protocol

_GRACE = 0.5  # seconds that requests have to end when the server is told to
_HOST_ADVICE = "--host must be an address of this machine, such as 127.0.0.1 or 0.0.0.0"


class PortTaken(OSError):
    """The port cannot be listened on."""


def bind(host: str, port: int) -> socket.socket:
    """A listening socket. Raises PortTaken with a sentence that says what to do."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    # Named as TCP, or asyncio does not switch Nagle's algorithm off: 40 ms an answer.
    listener = socket.socket(family, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind((host, port))
        listener.listen(1024)
    except (OSError, TypeError) as error:  # TypeError: a host name that cannot be encoded
        listener.close()
        raise PortTaken(f"cannot listen on {host} port {port}: {_bind_error(error)}") from None
    return listener


def _bind_error(error: OSError | TypeError) -> str:
    """Return the reason for an error of `bind`, with advice."""
    if isinstance(error, TypeError):
        return f"not a valid host name; {_HOST_ADVICE}"
    if error.errno == errno.EADDRINUSE:
        advice = "stop the program that uses it, or choose another --port (0 takes a free one)"
        return f"{error.strerror}; {advice}"
    if error.errno == errno.EACCES:
        return f"{error.strerror}; choose a --port above 1023"
    if error.errno == errno.EADDRNOTAVAIL or isinstance(error, socket.gaierror):
        return f"{error.strerror}; {_HOST_ADVICE}"
    return str(error.strerror)


def address(listener: socket.socket) -> str:
    """The URL of what listens on a socket: `http://127.0.0.1:4010`."""
    host, port = listener.getsockname()[:2]
    if host in ("0.0.0.0", "::"):  # noqa: S104 - read here, not bound
        host = "127.0.0.1"
    return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"


class Server(uvicorn.Server):
    """A mock served on a socket that already listens."""

    def __init__(
        self,
        mock: Mock,
        listener: socket.socket,
        http: Literal["auto", "h11", "httptools"] = "auto",
    ) -> None:
        super().__init__(
            uvicorn.Config(
                App(mock),
                http=protocol(http),
                lifespan="off",
                ws="none",
                log_config=None,
                log_level="warning",
                access_log=False,
                server_header=False,
                date_header=False,  # the sandbox has a clock of its own
                timeout_graceful_shutdown=1,
            )
        )
        self.mock = mock
        self.url = address(listener)
        self._listener = listener
        self._stop: asyncio.Event | None = None
        self._loop: asyncio.AbstractEventLoop | None = None
        self._thread: threading.Thread | None = None

    def serve_forever(self) -> None:
        """Serve in this thread until a signal comes."""
        # What is there at the start stays, and what a request leaves is remembered, not garbage:
        # the collector need not look at the one again, and only seldom at the other.
        gc.freeze()
        gc.set_threshold(20_000, 20, 20)
        self.run(sockets=[self._listener])

    def __enter__(self) -> Self:
        """Serve in a thread; the socket listens already, so requests may be sent at once."""
        self._thread = threading.Thread(
            target=self.run, kwargs={"sockets": [self._listener]}, name="mockvoice", daemon=True
        )
        self._thread.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._end()
        if self._thread:
            self._thread.join()
        self._listener.close()  # older uvicorns leave it open when stopped before they started

    async def main_loop(self) -> None:
        """As uvicorn's, but told to stop instead of looking ten times a second."""
        self._loop, self._stop = asyncio.get_running_loop(), asyncio.Event()
        ticks = 0
        while not await self.on_tick(ticks):
            ticks += 10  # uvicorn renews the Date header at every tenth tick
            since = self._loop.time() - self.mock.settings.read_timeout
            for connection in [*self.server_state.connections]:
                connection.close_if_stalled(since)  # type: ignore[union-attr]  # see protocols.py
            try:
                await asyncio.wait_for(self._stop.wait(), 1.0)
            except TimeoutError:
                continue

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        """As uvicorn's, but what still hangs after a while is cut off; its client seems gone."""

        def cut() -> None:
            for connection in self.server_state.connections:
                connection.transport.abort()

        asyncio.get_running_loop().call_later(_GRACE, cut)
        await super().shutdown(sockets)

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        """Stop at once, not at the next tick; and well: uvicorn would raise the signal again."""
        self._end()

    def run(self, sockets: list[socket.socket] | None = None) -> None:
        """Serve until stopped; then write what is left of the log."""
        try:
            super().run(sockets)
        finally:
            if self.mock.log:
                self.mock.log.close()

    def _end(self) -> None:
        self.should_exit = True
        if self._loop and self._stop:
            self._loop.call_soon_threadsafe(self._stop.set)

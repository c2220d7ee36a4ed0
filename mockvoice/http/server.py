"""The server: in the foreground, or in a thread of a test process."""

from __future__ import annotations

import asyncio
import errno
import gc
import socket
import threading
from collections.abc import Callable, Iterable
from functools import partial
from types import FrameType, TracebackType
from typing import TYPE_CHECKING, Any, Literal, Self, cast

import uvicorn
from uvicorn.middleware.proxy_headers import ProxyHeadersMiddleware

from ..config.settings import BYTES_PER_MB
from ..mock import Mock
from .app import App
from .protocols import ConnectionMixin, protocol, websocket_protocol
from .proxy import EntryProtocol
from .transport import Connection

if TYPE_CHECKING:
    from .tunnel import Relay

_GRACE = 0.5  # seconds for requests in progress when the server stops
_PAUSE = 0.002  # seconds between two looks at what is still in progress
MAX_UNREAD_BYTES = 64 * BYTES_PER_MB  # of responses that clients do not read
_UNREAD_SECONDS = 2.0  # without progress
_HOST_ADVICE = "--host must be an address of this machine, such as 127.0.0.1 or 0.0.0.0"


class PortTaken(OSError):
    """The server cannot listen on the port."""


def bind_all(host: str, port: int, number: int) -> list[socket.socket]:
    """Return listening sockets for one port, among which the kernel distributes connections.

    Raises PortTaken with the reason and advice.
    """
    first = bind(host, port)
    if number == 1:
        return [first]
    port = first.getsockname()[1]
    first.close()  # which has found that no other program listens on the port
    return [bind(host, port, shared=True) for _ in range(number)]


def bind(host: str, port: int, *, shared: bool = False) -> socket.socket:
    """Return a listening socket. Raises PortTaken with the reason and advice."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    # asyncio disables Nagle's algorithm (40 ms per response) only if the protocol is explicit.
    listener = socket.socket(family, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    if shared:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
    try:
        listener.bind((host, port))
        listener.listen(1024)
    except (OSError, TypeError) as error:  # TypeError: an invalid host name
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
    """Return the URL of a listening socket: `http://127.0.0.1:4010`."""
    host, port = listener.getsockname()[:2]
    if host in ("0.0.0.0", "::"):  # noqa: S104 - compared, not bound
        host = "127.0.0.1"
    return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"


def drop_unread(connections: Iterable[Connection], now: float) -> None:
    """Reset connections whose clients do not read, while their responses occupy too much memory."""
    unread = sorted((c for c in connections if c.unsent), key=lambda c: c.progress_at)
    total = sum(connection.unsent for connection in unread)
    for connection in unread:
        if total <= MAX_UNREAD_BYTES or connection.progress_at > now - _UNREAD_SECONDS:
            return
        total -= connection.unsent
        connection.abort()


async def _do_nothing(*_: object) -> None:
    """Be the application behind a middleware of which only its effect on the scope is wanted."""


class Server(uvicorn.Server):
    """A uvicorn server of a mock, on a socket that already listens."""

    def __init__(
        self,
        mock: Mock,
        listener: socket.socket,
        http: Literal["auto", "h11", "httptools"] = "auto",
    ) -> None:
        mock.ca.check()
        if mock.live and mock.live.forwarder:
            mock.live.forwarder.check_loops(*listener.getsockname()[:2])
            mock.live.forwarder.keeps_connections = True
        app = App(mock)
        entry: Any = partial(EntryProtocol, mock, app.hosts, protocol(http))
        super().__init__(
            uvicorn.Config(
                app,
                http=entry,
                lifespan="off",
                ws=cast("Any", websocket_protocol),
                ws_max_size=mock.settings.max_json_mb * BYTES_PER_MB,
                ws_per_message_deflate=False,  # takes 300 kB and more time than it saves here
                log_config=None,
                log_level="warning",
                access_log=False,
                server_header=False,
                proxy_headers=False,  # uvicorn would search all headers of every request: see below
                date_header=False,  # responses have the time of their sandbox
            )
        )
        proxies: Any = ProxyHeadersMiddleware(_do_nothing, self.config.forwarded_allow_ips)
        app.forwarded = proxies
        self.mock = mock
        self.url = address(listener)
        self._listener = listener
        self._poll: Callable[[], Mock | None] | None = None
        self._next: Mock | None = None
        self._stop: asyncio.Event | None = None
        self._loop: asyncio.AbstractEventLoop | None = None
        self._thread: threading.Thread | None = None

    def serve_forever(self, poll: Callable[[], Mock | None] | None = None) -> Mock | None:
        """Serve in this thread until a signal, or until `poll` returns a mock to serve next.

        Returns that mock. `poll` is called every second, in another thread.
        """
        self._poll = poll
        # Objects made at startup live until the end, and requests leave little garbage:
        # collecting the former is useless, and the latter rarely worth the time.
        gc.freeze()
        gc.set_threshold(20_000, 20, 20)
        gc.enable()
        self.run(sockets=[self._listener])
        return self._next

    def __enter__(self) -> Self:
        """Serve in a thread. Requests can be sent at once, since the socket listens already."""
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
        self._listener.close()  # older versions of uvicorn do not, if stopped before they started

    async def main_loop(self) -> None:
        """Wait for the event that stops the server, where uvicorn polls ten times a second."""
        self._loop, self._stop = asyncio.get_running_loop(), asyncio.Event()
        ticks = 0
        while not await self.on_tick(ticks):
            ticks += 10  # uvicorn renews the Date header at every tenth tick
            since = self._loop.time() - self.mock.settings.read_timeout
            connections = self._connections()
            for one in connections:
                one.close_if_stalled(since)
            drop_unread([one.connection for one in connections], self._loop.time())
            try:
                await asyncio.wait_for(self._stop.wait(), 1.0)
            except TimeoutError:
                if self._poll:
                    self._next = await asyncio.to_thread(self._poll)
                    self.should_exit = self.should_exit or self._next is not None

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        """Stop listening, let requests in progress finish, and abort those that take too long.

        uvicorn does the same, but waits for a tenth of a second even where nothing is in progress.
        """
        for server in self.servers:
            server.close()
        for listener in sockets or []:
            listener.close()
        await asyncio.sleep(_PAUSE)  # until the connections that it has just accepted are known
        for one in self._connections():
            one.shutdown()
        await self._finish(_GRACE)
        for one in self._connections():
            one.connection.abort()
        await self._finish(_GRACE)
        for task in self.server_state.tasks:
            task.cancel()
        if self.mock.live and self.mock.live.forwarder:
            await self.mock.live.forwarder.close()
        await self.mock.store.close()

    def _connections(self) -> list[ConnectionMixin | EntryProtocol | Relay]:
        connections: Any = [*self.server_state.connections]
        return cast("list[ConnectionMixin | EntryProtocol | Relay]", connections)

    async def _finish(self, seconds: float) -> None:
        """Wait until nothing is in progress or connected, at most for so many seconds."""
        loop = asyncio.get_running_loop()
        end = loop.time() + seconds
        state = self.server_state
        while (state.connections or state.tasks) and loop.time() < end:  # noqa: ASYNC110 - two sets
            await asyncio.sleep(_PAUSE)

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        """Stop at once and with exit code 0: uvicorn would raise the signal again."""
        self._end()

    def run(self, sockets: list[socket.socket] | None = None) -> None:
        """Serve until stopped; then write the remaining log lines."""
        try:
            super().run(sockets)
        finally:
            if self.mock.log:
                self.mock.log.close()

    def _end(self) -> None:
        self.should_exit = True
        if self._loop and self._stop:
            self._loop.call_soon_threadsafe(self._stop.set)

"""The first protocol of every connection: HTTP, TLS or a proxy tunnel, by the first bytes.

A connection may pass through it several times: CONNECT first, then TLS inside the tunnel, then the
requests, which one of uvicorn's protocols handles.
"""

from __future__ import annotations

import asyncio
import logging
import ssl
from collections.abc import Callable, Coroutine
from http import HTTPStatus
from typing import TYPE_CHECKING, Any, cast

from starlette.types import Message, Scope, Send

from ..errors import Problem, StoreUnavailable, TLSUnavailable, TunneledHost, UnknownHost
from ..mock import Mock
from .handshake import take_defect
from .hosts import INTERCEPTED, PROBLEM, Hosts, Intercepted, host_name, user_name
from .protocols import MAX_HEAD_BYTES
from .tls import INSTALL, MAX_HELLO_BYTES, TLSError, is_available, read_server_name
from .transport import Connection

if TYPE_CHECKING:
    import h11

log = logging.getLogger("mockvoice")

_TLS = b"\x16"  # the type of a handshake record
_CONNECT = b"CONNECT "
_HTTP2 = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"  # RFC 9113, section 3.4
_HTTP2_ONLY = b"mockvoice supports HTTP/1.1 only"
_GOAWAY = (  # an empty SETTINGS frame, and GOAWAY with HTTP_1_1_REQUIRED
    b"\0\0\0\x04\0\0\0\0\0"
    + (8 + len(_HTTP2_ONLY)).to_bytes(3, "big")
    + b"\x07\0\0\0\0\0"
    + b"\0\0\0\0\0\0\0\x0d"
    + _HTTP2_ONLY
)
_ALERT = b"\x15\x03\x03\0\x02\x02"  # a fatal TLS alert; its description follows
_INTERNAL_ERROR, _DECODE_ERROR = b"\x50", b"\x32"
_CLOSE_SECONDS = 1.0  # for a client to confirm the end of TLS
_UNTRUSTED = ("UNKNOWN_CA", "BAD_CERTIFICATE", "CERTIFICATE_UNKNOWN")  # alerts of clients
_PLAIN = Intercepted()
_AUTHORIZATION = b"proxy-authorization"
_ESTABLISHED = b"HTTP/1.1 200 Connection established\r\n\r\n"


class EntryProtocol(asyncio.Protocol):
    """Reads the first bytes of a connection, and hands it over to the protocol that they select.

    While it waits for TLS or for the application it is `busy`, and keeps what arrives.
    """

    def __init__(
        self,
        mock: Mock,
        hosts: Hosts,
        http: Callable[..., Any],
        *,
        config: Any,
        server_state: Any,
        app_state: dict[str, Any],
        _loop: asyncio.AbstractEventLoop | None = None,
    ) -> None:
        self._mock = mock
        self._hosts = hosts
        self._http = http
        self._config = config
        self._state = server_state
        self._app_state = app_state
        self._loop = _loop or asyncio.get_running_loop()
        self._received = b""
        self._busy = False
        self._head: h11.Connection | None = None  # of a CONNECT request that is incomplete
        self._intercepted: Intercepted | None = None
        self._defect = ""  # of the certificate, because of a fault
        self._waiting_since = self._loop.time()
        self.transport: asyncio.Transport

    # --- the connection ---

    @property
    def connection(self) -> Connection:
        """The connection, which has no unsent response."""
        return Connection(self.transport)

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Register the connection with the server."""
        self.transport = cast("asyncio.Transport", transport)
        self._state.connections.add(self)

    def connection_lost(self, error: Exception | None) -> None:
        """Forget the connection; a client that rejects the certificate is worth a log line."""
        self._busy = True
        self._state.connections.discard(self)
        if isinstance(error, ssl.SSLError) and not self._defect:
            self._log_tls_error(error)

    def close_if_stalled(self, since: float) -> None:
        """Close the connection if its first request has still not arrived."""
        if self._waiting_since <= since:
            self.transport.abort()

    def shutdown(self) -> None:
        """Close the connection."""
        self.transport.close()

    def _start(self, work: Coroutine[Any, Any, None]) -> None:
        """Run a coroutine; the connection waits until it has ended."""
        self._busy = True
        self.transport.pause_reading()
        task = self._loop.create_task(work)
        self._state.tasks.add(task)
        task.add_done_callback(self._state.tasks.discard)

    def _end(self, data: bytes) -> None:
        """Send data, and close the connection."""
        self._busy = True
        self.transport.write(data)
        self.transport.close()

    # --- the first bytes ---

    def data_received(self, data: bytes) -> None:
        """Select a protocol, once there are enough bytes to tell."""
        if self._busy:
            self._received += data
        elif self._head is not None:
            self._read_connect(self._head, data)
        else:
            received, self._received = self._received + data, b""
            self._select(received)

    def _select(self, data: bytes) -> None:
        intercepted = self._intercepted or _PLAIN
        if data[:1] == _TLS and not intercepted.tls:
            self._read_hello(data)
        elif data.startswith(_CONNECT) and not intercepted.tunneled:
            import h11  # here, as below: hardly any server is a proxy, and httptools reads the rest

            self._head = h11.Connection(h11.SERVER, max_incomplete_event_size=MAX_HEAD_BYTES)
            self._read_connect(self._head, data)
        elif data.startswith(_HTTP2):
            self._end(_GOAWAY)
        elif _CONNECT.startswith(data) or _HTTP2.startswith(data):
            self._received = data
        else:
            self._serve(data)

    def _serve(self, data: bytes) -> None:
        """Hand over the connection to the HTTP protocol."""
        state = self._app_state
        if self._intercepted:
            state = {**state, INTERCEPTED: self._intercepted}
        protocol = self._http(config=self._config, server_state=self._state, app_state=state)
        self._state.connections.discard(self)
        protocol.connection_made(self.transport)
        self.transport.set_protocol(protocol)
        protocol.data_received(data)

    # --- TLS ---

    def _read_hello(self, data: bytes) -> None:
        try:
            name = read_server_name(data)
        except TLSError as error:
            self._reject_tls(str(error), _DECODE_ERROR)
            return
        if name is not None:
            self._start(self._accept_tls(name, data))
        elif len(data) > MAX_HELLO_BYTES:
            self._reject_tls(f"a ClientHello has at most {MAX_HELLO_BYTES} bytes", _DECODE_ERROR)
        else:
            self._received = data

    async def _accept_tls(self, name: str, data: bytes) -> None:
        before = self._intercepted or _PLAIN
        host = name or before.host or self.transport.get_extra_info("sockname")[0]
        self._intercepted = before._replace(host=before.host or name, tls=True)
        try:
            self._defect = await self._take_defect(host)
            context = await asyncio.to_thread(self._mock.ca.context, host, self._defect)
            transport = await self._upgrade(context, data)
        except TLSError as error:
            self._reject_tls(str(error), _INTERNAL_ERROR)
        except ssl.SSLError as error:
            self.connection_lost(error)
        except OSError:  # the client is gone
            self.connection_lost(None)
        else:
            self.transport = transport
            self._waiting_since = self._loop.time()
            self._busy = False
            received, self._received = self._received, b""
            if received:
                self._select(received)

    async def _take_defect(self, host: str) -> str:
        """Return the defect that a fault gives to the certificate, "" for none."""
        provider = self._hosts.provider(host)
        if provider is None:
            return ""
        sandbox = self._intercepted.sandbox if self._intercepted else ""
        try:
            return await take_defect(self._mock, provider, sandbox, host)
        except StoreUnavailable:  # which is the response to the request
            return ""

    async def _upgrade(self, context: ssl.SSLContext, data: bytes) -> asyncio.Transport:
        """Return the transport of the connection after the TLS handshake, which began with data."""
        if self.transport.is_closing():
            raise ConnectionResetError
        upgrade = self._loop.create_task(
            self._loop.start_tls(
                self.transport,
                self,
                context,
                server_side=True,
                ssl_handshake_timeout=self._mock.settings.read_timeout,
                ssl_shutdown_timeout=_CLOSE_SECONDS,
            )
        )
        await asyncio.sleep(0)  # the task has set the protocol of the transport
        await asyncio.sleep(0)  # the protocol knows the transport, and nothing else is read yet
        received, self._received = self._received, b""
        _feed(self.transport.get_protocol(), data + received)
        transport = await upgrade
        if transport is None:  # closed in the meantime
            raise ConnectionResetError
        return transport

    def _reject_tls(self, reason: str, description: bytes) -> None:
        log.warning("TLS connection%s rejected: %s", self._to_host(), reason)
        self._end(_ALERT + description)

    def _log_tls_error(self, error: ssl.SSLError) -> None:
        if error.reason and any(word in error.reason for word in _UNTRUSTED):
            log.warning(
                "TLS connection%s failed: the client does not trust the CA of mockvoice; `mockvoice"
                " ca` writes its certificate, and so does GET /__mockvoice/ca.pem",
                self._to_host(),
            )
        else:
            log.warning("TLS connection%s failed: %s", self._to_host(), error.reason or error)

    def _to_host(self) -> str:
        return f" to {self._intercepted.host}" if self._intercepted else ""

    # --- CONNECT ---

    def _read_connect(self, head: h11.Connection, data: bytes) -> None:
        import h11

        head.receive_data(data)
        try:
            request = head.next_event()
        except h11.RemoteProtocolError as error:
            self._end(_text_response(error.error_status_hint, f"invalid CONNECT request: {error}"))
            return
        if isinstance(request, h11.Request):
            self._head = None
            self._connect(head, request)

    def _connect(self, head: h11.Connection, request: h11.Request) -> None:
        host, _, port = request.target.decode("latin-1").rpartition(":")
        name = host_name(host)
        if not self._hosts.serves(name) and self._mock.settings.unknown_hosts == "tunnel":
            self._start(self._tunnel(head, request, name, port))
            return
        problem = self._connect_problem(name, port)
        if problem:
            self._start(self._refuse(head, request, problem))
            return
        users = [user_name(value) for name, value in request.headers if name == _AUTHORIZATION]
        self._intercepted = Intercepted(name, "".join(users[:1]), tunneled=True)
        self._waiting_since = self._loop.time()
        self.transport.write(_ESTABLISHED)
        rest, _ = head.trailing_data
        if rest:
            self._select(rest)

    def _connect_problem(self, host: str, port: str) -> Problem | None:
        if not self._hosts.serves(host):
            return self._hosts.unknown(host)
        if port == "443" and not is_available():
            return TLSUnavailable(INSTALL)
        return None

    async def _refuse(self, head: h11.Connection, request: h11.Request, problem: Problem) -> None:
        """Send the response of the application to a problem."""
        import h11

        async def send(message: Message) -> None:
            event: h11.Event
            if message["type"] == "http.response.start":
                headers = [*message["headers"], (b"connection", b"close")]
                # Many clients show the reason, and nothing else.
                reason = problem.detail.partition(";")[0].encode("ascii", "replace")
                event = h11.Response(status_code=message["status"], headers=headers, reason=reason)
            else:
                event = h11.Data(data=message["body"])
            self.transport.write(head.send(event) or b"")

        try:
            await self._record(request, problem, send)
        finally:
            self.transport.close()

    async def _tunnel(
        self, head: h11.Connection, request: h11.Request, host: str, port: str
    ) -> None:
        """Connect the client to a host, and record the request."""
        from .tunnel import Relay, link, open_tunnel  # here: hardly any server needs it

        try:
            own_port = self.transport.get_extra_info("sockname")[1]
            relay = await open_tunnel(host, port, own_port, self._state)
        except UnknownHost as problem:
            await self._refuse(head, request, problem)
            return

        async def ignore(_: Message) -> None:
            pass

        hint = f"passed on to {host}:{port}, because unknown_hosts is tunnel"
        await self._record(request, TunneledHost(hint=hint), ignore)
        client = Relay(self._state)
        self._state.connections.discard(self)
        client.connection_made(self.transport)
        self.transport.set_protocol(client)
        self.transport.write(_ESTABLISHED)
        relay.transport.write(head.trailing_data[0])
        link(client, relay)

    async def _record(self, request: h11.Request, problem: Problem, send: Send) -> None:
        """Let the application respond to a problem, so that it is recorded like any other."""
        scope: Scope = {
            "type": "http",
            "http_version": request.http_version.decode(),
            "method": "CONNECT",
            "scheme": "http",
            "path": request.target.decode("latin-1"),
            "raw_path": request.target,
            "query_string": b"",
            "headers": [*request.headers],
            PROBLEM: problem,
        }

        async def receive() -> Message:
            return {"type": "http.request", "body": b""}

        await self._config.loaded_app(scope, receive, send)


def _feed(protocol: asyncio.BaseProtocol, data: bytes) -> None:
    """Give data to a protocol as if its transport had read it."""
    buffered = cast("asyncio.BufferedProtocol", protocol)
    while data:
        buffer = memoryview(buffered.get_buffer(len(data)))
        size = min(len(buffer), len(data))
        buffer[:size] = data[:size]
        buffered.buffer_updated(size)
        data = data[size:]


def _text_response(status: int, text: str) -> bytes:
    body = f"{text}\n".encode()
    return (
        f"HTTP/1.1 {status} {HTTPStatus(status).phrase}\r\nconnection: close\r\n"
        f"content-type: text/plain; charset=utf-8\r\ncontent-length: {len(body)}\r\n\r\n"
    ).encode() + body

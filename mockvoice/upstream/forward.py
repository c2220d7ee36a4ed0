"""Forward requests to the live services of providers."""

from __future__ import annotations

import asyncio
import os
import socket
import ssl
from collections.abc import AsyncIterator, Sequence
from contextlib import suppress
from pathlib import Path
from secrets import token_hex
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from ..config.settings import BYTES_PER_MB, Settings, SettingsError
from ..errors import UpstreamFailed, UpstreamTimeout
from ..text import brief
from .messages import Headers, LiveRequest, LiveResponse

if TYPE_CHECKING:
    import httpx
    from websockets.asyncio.client import ClientConnection

_VIA = b"via"
_CONTROL = b"x-mockvoice-"  # the beginning of the names of headers for the mock itself
# Of one connection only: RFC 9110, section 7.6.1. The others are made anew for the upstream.
_HOP_BY_HOP = frozenset(
    b"connection keep-alive proxy-authenticate proxy-authorization proxy-connection te trailer"
    b" transfer-encoding upgrade".split()
)
_REPLACED = frozenset((b"host", b"content-length", b"expect", b"accept-encoding"))
_MAX_IDLE_CONNECTIONS = 20
_DEFAULT_PORTS = {"http": 80, "https": 443}
_URL_ADVICE = "expected a URL such as https://api.example.com/v2"


def url_problem(url: str) -> str:
    """Return the reason why a URL cannot be that of an upstream, "" if it can. It is not shown."""
    try:
        parts = urlsplit(url)
        valid = parts.scheme in _DEFAULT_PORTS and parts.hostname and parts.port != 0
    except ValueError:
        return f"must be a URL; {_URL_ADVICE}"
    if not valid:
        return f"must be a URL; {_URL_ADVICE}"
    if "@" in parts.netloc or parts.query or parts.fragment:
        return f"must have no user, query or fragment, as clients send their keys; {_URL_ADVICE}"
    return ""


class Forwarder:
    """Sends requests to the upstreams of providers; `urls` are those by provider.

    Connections are kept for later requests if `keeps_connections` is set, by a server that closes
    them.
    """

    def __init__(self, settings: Settings) -> None:
        for name, url in settings.upstream.items():
            if problem := url_problem(url):
                raise SettingsError(f"upstream.{name} {problem}")
        _import_httpx()
        self.urls = {name: url.rstrip("/") for name, url in settings.upstream.items()}
        self.keeps_connections = False
        self._timeout = settings.upstream_timeout
        self._max_json_bytes = settings.max_json_mb * BYTES_PER_MB
        self._max_bytes = settings.max_body_mb * BYTES_PER_MB
        self._pseudonym = f"mockvoice-{token_hex(6)}".encode()  # in Via, to recognize loops
        self._ssl = _ssl_context(settings.upstream_ca)
        self._client: httpx.AsyncClient | None = None
        self._loop: asyncio.AbstractEventLoop | None = None

    async def send(self, request: LiveRequest, *, whole: bool = False) -> LiveResponse:
        """Return the response of the upstream; its body is on its way unless it is short JSON.

        With `whole` every body is read first. Raises UpstreamFailed or UpstreamTimeout.
        """
        import httpx  # late: it takes 100 ms, and few servers forward requests

        url = self.urls[request.provider]
        self._check_loop(url, request)
        try:
            async with asyncio.timeout(self._timeout):
                received = await self._open().send(self._request(url, request), stream=True)
                try:
                    return await self._read(request, received, url, whole=whole)
                except BaseException:
                    await received.aclose()
                    raise
        except TimeoutError:
            message = f"{url} did not respond in {self._timeout} seconds"
            raise UpstreamTimeout(message, url, hint="raise upstream_timeout") from None
        except (httpx.HTTPError, OSError) as error:
            raise _translated(error, url, self._timeout) from None

    async def _read(
        self, request: LiveRequest, received: httpx.Response, url: str, *, whole: bool
    ) -> LiveResponse:
        """Return a response, and its body unless that is to be streamed."""
        if not 200 <= received.status_code < 600:  # uvicorn has no others
            message = f"{url} sent the status {received.status_code}, which HTTP does not have"
            raise UpstreamFailed(message, url)
        response = _response(received)
        pieces = _pieces(response, received, url)
        if whole or response.is_json or _has_no_body(request.method, response):
            limit = self._max_bytes if whole else self._max_json_bytes
            await _read(response, pieces, limit)
        else:
            response.body = pieces
        if isinstance(response.body, bytes):
            await received.aclose()
        elif whole:
            message = f"{url} sent more than {self._max_bytes} bytes, which a fault has to change"
            raise UpstreamFailed(message, url, hint="raise max_body_mb, or remove the fault")
        return response

    async def open_socket(self, request: LiveRequest) -> ClientConnection | LiveResponse:
        """Return a WebSocket to the upstream, or the response with which it is refused.

        Raises UpstreamFailed or UpstreamTimeout.
        """
        from websockets.asyncio.client import connect  # late, as httpx
        from websockets.exceptions import InvalidStatus, WebSocketException
        from websockets.typing import Subprotocol

        url = self.urls[request.provider]
        self._check_loop(url, request)
        headers = dict(request.headers)
        offered = headers.get(b"sec-websocket-protocol", b"").decode("latin-1")
        connecting = connect(
            url.replace("http", "ws", 1) + request.target.decode("latin-1"),
            additional_headers=[
                (name.decode("latin-1"), value.decode("latin-1"))
                for name, value in _request_headers(request.headers, self._pseudonym)
                if not name.startswith(b"sec-websocket-")
            ],
            subprotocols=[Subprotocol(name.strip()) for name in offered.split(",") if name] or None,
            user_agent_header=None,
            compression=None,
            proxy=None,
            ssl=self._ssl if url.startswith("https:") else None,
            open_timeout=self._timeout,
            ping_interval=None,
            max_size=self._max_bytes,
        )
        # A redirect is for the client, which does not want its key to be sent elsewhere.
        connecting.process_redirect = lambda error: error  # type: ignore[method-assign, assignment]
        try:
            return await connecting
        except InvalidStatus as refused:
            response = refused.response
            names = {name.lower(): value for name, value in response.headers.raw_items()}
            kept = {n: v for n, v in names.items() if n.encode() not in _HOP_BY_HOP | _REPLACED}
            media_type = kept.pop("content-type", "")
            return LiveResponse(response.status_code, media_type, kept, bytes(response.body or b""))
        except TimeoutError:
            message = f"{url} did not respond in {self._timeout} seconds"
            raise UpstreamTimeout(message, url, hint="raise upstream_timeout") from None
        except (WebSocketException, EOFError, OSError) as error:
            raise _translated(error, url, self._timeout) from None

    def _check_loop(self, url: str, request: LiveRequest) -> None:
        """Raise UpstreamFailed for a request that this server has forwarded to itself."""
        for name, value in request.headers:
            if name == _VIA and self._pseudonym in value:
                message = f"the upstream of {request.provider} leads back to this server"
                raise UpstreamFailed(message, url, hint="set upstream to the live service")

    def check_loops(self, host: str, port: int) -> None:
        """Raise SettingsError for an upstream that is the server with this address."""
        for name, url in self.urls.items():
            parts = urlsplit(url)
            if (parts.port or _DEFAULT_PORTS[parts.scheme]) != port:
                continue
            for address in _addresses(parts.hostname or ""):
                if address == host or (host in ("0.0.0.0", "::") and _is_own(address)):  # noqa: S104
                    raise SettingsError(
                        f"upstream.{name}: {url} is this server itself ({address} port {port});"
                        " set it to the live service"
                    )

    async def close(self) -> None:
        """Close all connections."""
        client, self._client = self._client, None
        if client and self._loop is asyncio.get_running_loop():
            await client.aclose()

    def _open(self) -> httpx.AsyncClient:
        """Return the client of this event loop, to which its connections belong."""
        import httpx  # late, as above

        loop = asyncio.get_running_loop()
        if self._client is None or self._loop is not loop:
            kept = _MAX_IDLE_CONNECTIONS if self.keeps_connections else 0
            self._loop = loop
            self._client = httpx.AsyncClient(
                verify=self._ssl,
                trust_env=False,
                timeout=self._timeout,
                limits=httpx.Limits(max_connections=None, max_keepalive_connections=kept),
            )
        return self._client

    def _request(self, url: str, request: LiveRequest) -> httpx.Request:
        import httpx  # late, as above

        base = httpx.URL(url)
        target = base.raw_path.rstrip(b"/") + request.target
        headers = [(b"host", base.netloc), *_request_headers(request.headers, self._pseudonym)]
        if request.size or request.method in ("POST", "PUT", "PATCH"):
            headers.append((b"content-length", b"%d" % request.size))
        content = _chunks(request.body) if request.size else None
        # The target is sent as it is: httpx would encode some characters in another way.
        return httpx.Request(
            request.method, base, headers=headers, content=content, extensions={"target": target}
        )


def _import_httpx() -> None:
    try:
        import httpx  # noqa: F401
    except ImportError:
        raise SettingsError("upstream needs a package: pip install 'mockvoice[upstream]'") from None


def _ssl_context(ca_file: str) -> ssl.SSLContext:
    """Return the settings of TLS: the CAs of a file, else those of SSL_CERT_FILE, else all known.

    Raises SettingsError.
    """
    if ca_file and not Path(ca_file).is_file():
        raise SettingsError(f"upstream_ca: there is no file {ca_file}")
    try:
        context = ssl.create_default_context(cafile=ca_file or None)
    except ssl.SSLError:
        raise SettingsError(f"upstream_ca: {ca_file} has no certificate in PEM format") from None
    if not ca_file and not os.environ.get("SSL_CERT_FILE"):
        import certifi  # comes with httpx; a small container may have no CAs of its own

        context.load_verify_locations(certifi.where())
    return context


# --- requests ------------------------------------------------------------------------------------


def _request_headers(sent: Headers, pseudonym: bytes) -> list[tuple[bytes, bytes]]:
    """Return the headers of a request for the upstream.

    The body of its response must not be compressed, since it is compared with that of the mock.
    """
    dropped = _HOP_BY_HOP | _REPLACED | _named_by_connection(sent)
    headers = [
        (name, value)
        for name, value in sent
        if name not in dropped and not name.startswith(_CONTROL)
    ]
    return [*headers, (b"accept-encoding", b"identity"), (_VIA, b"1.1 " + pseudonym)]


def _named_by_connection(headers: Headers) -> set[bytes]:
    """Return the names of headers that Connection limits to one connection."""
    values = [value for name, value in headers if name == b"connection"]
    return {option.strip().lower() for value in values for option in value.split(b",")}


async def _chunks(body: Sequence[bytes]) -> AsyncIterator[bytes]:
    for chunk in body:
        yield chunk


# --- responses -----------------------------------------------------------------------------------


def _response(received: httpx.Response) -> LiveResponse:
    """Return the head of a response."""
    raw = [(name.lower(), value) for name, value in received.headers.raw]
    dropped = _HOP_BY_HOP | {b"content-length"} | _named_by_connection(raw)
    headers: dict[str, str] = {}
    repeated = []
    for name, value in raw:
        text = name.decode("latin-1")
        if name in dropped:
            continue
        if text in headers:
            repeated.append((name, value))
        else:
            headers[text] = value.decode("latin-1")
    length = received.headers.get("content-length", "")
    return LiveResponse(
        received.status_code,
        headers.pop("content-type", ""),
        headers,
        repeated=repeated,
        content_length=int(length) if length.isdecimal() else None,
        close=received.aclose,
    )


def _has_no_body(method: str, response: LiveResponse) -> bool:
    return method == "HEAD" or response.status in (204, 304) or response.content_length == 0


async def _pieces(
    response: LiveResponse, received: httpx.Response, url: str
) -> AsyncIterator[bytes]:
    """Yield the body as it arrives. Raises UpstreamFailed if it breaks off."""
    import httpx  # late, as above

    try:
        async for piece in received.aiter_raw():
            yield piece
    except (httpx.HTTPError, OSError) as error:
        failed = _translated(error, url, 0)
        response.failure = failed.detail
        raise failed from None


async def _read(response: LiveResponse, pieces: AsyncIterator[bytes], limit: int) -> None:
    """Set the body, if it is within the limit; a longer one stays on its way."""
    read: list[bytes] = []
    size = 0
    async for piece in pieces:
        read.append(piece)
        size += len(piece)
        if size > limit:
            response.body = _chain(read, pieces)
            return
    response.body = b"".join(read)


async def _chain(read: Sequence[bytes], pieces: AsyncIterator[bytes]) -> AsyncIterator[bytes]:
    for piece in read:
        yield piece
    async for piece in pieces:
        yield piece


# --- errors --------------------------------------------------------------------------------------


def _translated(error: Exception, url: str, seconds: int) -> UpstreamFailed:
    """Return an error of httpx as a problem that names the upstream."""
    import httpx  # late, as above

    if isinstance(error, httpx.TimeoutException):
        waited = f" in {seconds} seconds" if seconds else " in time"
        message = f"{url} did not respond{waited}"
        return UpstreamTimeout(message, url, hint="raise upstream_timeout")
    reason = brief(str(error) or type(error).__name__, 200).strip('"')
    if "CERTIFICATE_VERIFY_FAILED" in reason:
        message = f"the certificate of {url} is not trusted: {reason}"
        hint = "set upstream_ca, or SSL_CERT_FILE, to a PEM file with the CA of the upstream"
        return UpstreamFailed(message, url, hint=hint)
    if isinstance(error, httpx.ConnectError | ConnectionRefusedError | socket.gaierror):
        hint = "check the URL, and that this machine reaches it"
        return UpstreamFailed(f"cannot connect to {url}: {reason}", url, hint=hint)
    return UpstreamFailed(f"{url} broke off the connection: {reason}", url, hint="")


# --- addresses -----------------------------------------------------------------------------------


def _addresses(host: str) -> set[str]:
    """Return the addresses of a host; none if it is not known now."""
    try:
        return {str(found[4][0]) for found in socket.getaddrinfo(host, None)}
    except OSError:
        return set()


def _is_own(address: str) -> bool:
    """Return True for an address of this machine: only there can a socket be bound to it."""
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    with socket.socket(family, socket.SOCK_STREAM) as probe, suppress(OSError):
        probe.bind((address, 0))
        return True
    return False

"""Clients whose URLs are hard-coded reach the mock: through a proxy, by TLS, or by host name."""

from __future__ import annotations

import asyncio
import json
import shutil
import socket
import ssl
import subprocess
import time
import urllib.request
from base64 import b64encode
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import httpx
import pytest

from mockvoice.http.server import Server, bind
from mockvoice.http.tls import CertificateAuthority

from ..conftest import internal_errors
from ..state.serializing import make_mock

pytestmark = [pytest.mark.slow, pytest.mark.memory]

KEY = {"Authorization": "Bearer KEY", "x-api-key": "KEY"}
TELNYX = "https://api.telnyx.com/v2/voice_clones"
FASEEH = "https://api.faseeh.ai/api/v1/voices"
LIST = b"GET /v2/voice_clones HTTP/1.1\r\nHost: api.telnyx.com\r\nAuthorization: Bearer K\r\n"
CLOSE = b"Connection: close\r\n\r\n"
CONNECT = b"CONNECT api.telnyx.com:443 HTTP/1.1\r\nHost: api.telnyx.com:443\r\n\r\n"


@pytest.fixture(scope="module", params=["h11", "httptools"])
def _server(request: pytest.FixtureRequest) -> Iterator[Server]:
    mock = make_mock(read_timeout=1, hosts={"telnyx": ["Telnyx.internal"], "mockvoice": ["m.test"]})
    with Server(mock, bind("127.0.0.1", 0), http=request.param) as server:
        yield server


@pytest.fixture
def server(_server: Server) -> Iterator[Server]:
    """Server with one of the two parsers, whose journals are empty."""
    store = _server.mock.store
    for name in asyncio.run(store.list_sandboxes()):
        asyncio.run(store.clear_entries(name))
    yield _server
    assert not internal_errors(_server)


def proxy(server: Server, sandbox: str = "") -> str:
    return server.url.replace("//", f"//{sandbox}:x@") if sandbox else server.url


@pytest.fixture
def ca(server: Server, tmp_path: Path) -> str:
    """File with the certificate of the CA."""
    file = tmp_path / "ca.pem"
    file.write_bytes(httpx.get(f"{server.url}/__mockvoice/ca.pem").content)
    return str(file)


def trusting(ca: str) -> ssl.SSLContext:
    return ssl.create_default_context(cafile=ca)


def journal(server: Server, sandbox: str = "") -> list[Any]:
    prefix = f"/~{sandbox}" if sandbox else ""
    listed = httpx.get(f"{server.url}{prefix}/__mockvoice/requests").json()["requests"]
    return [(entry["method"], entry["path"], entry["status"]) for entry in listed]


def connect(server: Server) -> socket.socket:
    parts = urlsplit(server.url)
    return socket.create_connection((parts.hostname, parts.port), timeout=10)


def read_all(connection: socket.socket) -> bytes:
    received = b""
    try:
        while data := connection.recv(65536):
            received += data
    except ConnectionResetError:
        pass
    return received


def exchange(server: Server, *chunks: bytes) -> bytes:
    """Send chunks, and return what arrives until the server closes the connection."""
    with connect(server) as client:
        try:
            for chunk in chunks:
                client.sendall(chunk)
        except ConnectionError:  # the server closed it while the client was sending
            pass
        return read_all(client)


@contextmanager
def tls(server: Server, ca: str, host: str = "api.telnyx.com") -> Iterator[ssl.SSLSocket]:
    with (
        connect(server) as client,
        trusting(ca).wrap_socket(client, server_hostname=host) as secure,
    ):
        yield secure


def send_in_pieces(client: socket.socket, data: bytes, size: int) -> None:
    for i in range(0, len(data), size):
        client.sendall(data[i : i + size])


def detached(client: ssl.SSLSocket) -> socket.socket:
    """Return the TCP connection below a TLS connection."""
    raw = socket.socket(fileno=client.detach())
    raw.settimeout(10)
    return raw


# --- clients -------------------------------------------------------------------------------------


@pytest.mark.parametrize("url", [TELNYX, TELNYX.replace("https", "http")])
def test_httpx_reaches_the_provider_through_the_proxy(server: Server, ca: str, url: str) -> None:
    with httpx.Client(proxy=proxy(server, "alice"), verify=trusting(ca)) as client:
        for _ in range(2):  # the second one on the same connection
            assert client.get(url, headers=KEY).json()["data"] == []
    assert journal(server, "alice") == [("GET", "/telnyx/v2/voice_clones", 200)] * 2
    assert journal(server) == []


@pytest.mark.parametrize("url", [FASEEH, FASEEH.replace("https", "http")])
def test_requests_reaches_the_provider_through_the_proxy(server: Server, ca: str, url: str) -> None:
    import requests

    proxies = {"http": proxy(server, "bob"), "https": proxy(server, "bob")}
    response = requests.get(url, headers=KEY, proxies=proxies, verify=ca, timeout=10)
    assert response.json()[0]["voice_id"] == "ar-najdi-male-2"
    assert journal(server, "bob") == [("GET", "/faseeh/api/v1/voices", 200)]


def test_urllib_reaches_the_provider_through_the_proxy(server: Server, ca: str) -> None:
    opener = urllib.request.build_opener(
        urllib.request.ProxyHandler({"https": proxy(server, "carol")}),
        urllib.request.HTTPSHandler(context=trusting(ca)),
    )
    request = urllib.request.Request("https://api.munsit.com/api/v1/voices", headers=KEY)
    with opener.open(request) as response:
        assert json.load(response)[0]["voice_id"] == "ar-najdi-male-2"
    assert journal(server, "carol") == [("GET", "/faseeh/api/v1/voices", 200)]


@pytest.mark.parametrize("scheme", ["https", "http"])
def test_aiohttp_reaches_the_provider_through_the_proxy(
    server: Server, ca: str, scheme: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    import aiohttp

    monkeypatch.setenv(f"{scheme.upper()}_PROXY", proxy(server, "dave"))
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")

    async def get() -> Any:
        connector = aiohttp.TCPConnector(ssl=trusting(ca))
        async with (
            aiohttp.ClientSession(trust_env=True, connector=connector) as session,
            session.get(f"{scheme}://api.retellai.com/list-voices", headers=KEY) as response,
        ):
            return await response.json()

    assert asyncio.run(get())[0]["voice_id"]
    assert journal(server, "dave") == [("GET", "/retell/list-voices", 200)]


def test_sdks_with_default_base_urls_clone(
    server: Server, ca: str, wav: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    from retell import Retell
    from telnyx import Telnyx

    monkeypatch.setenv("HTTPS_PROXY", proxy(server, "erin"))
    monkeypatch.setenv("SSL_CERT_FILE", ca)
    with Telnyx(api_key="KEY_test") as telnyx:
        assert telnyx.voice_clones.list().data == []
    with Retell(api_key="key_test") as retell:
        voice = retell.voice.clone(files=[wav], voice_name="n", voice_provider="elevenlabs")
        assert voice.voice_name == "n"
    assert [path for _, path, _ in journal(server, "erin")] == [
        "/telnyx/v2/voice_clones",
        "/retell/clone-voice",
    ]


def curl(*arguments: str) -> str:
    command = ["curl", "--silent", "--show-error", "-H", "Authorization: Bearer K", *arguments]
    result = subprocess.run(command, capture_output=True, text=True, timeout=30, check=False)
    return result.stdout + result.stderr


@pytest.mark.skipif(not shutil.which("curl"), reason="needs curl")
def test_curl_reaches_the_provider(server: Server, ca: str) -> None:
    port = urlsplit(server.url).port
    trust = ["--cacert", ca]
    empty = '{"data":[]'
    assert curl(*trust, "--proxy", proxy(server, "frank"), TELNYX).startswith(empty)
    assert curl("--proxy", proxy(server, "frank"), TELNYX.replace("https", "http")).startswith(
        empty
    )
    assert curl(*trust, "--connect-to", f"::127.0.0.1:{port}", TELNYX).startswith(empty)
    secure_proxy = ["--proxy-cacert", ca, "--proxy", f"https://127.0.0.1:{port}"]
    assert curl(*trust, *secure_proxy, TELNYX).startswith(empty)  # TLS inside TLS
    assert curl(*trust, f"https://127.0.0.1:{port}/telnyx/v2/voice_clones").startswith(empty)
    assert len(journal(server, "frank")) == 2
    assert len(journal(server)) == 3


# --- hosts ---------------------------------------------------------------------------------------


def test_host_of_a_provider_has_its_real_paths(server: Server) -> None:
    """A container with the network alias api.telnyx.com needs no proxy."""

    def get(host: str, path: str) -> httpx.Response:
        return httpx.get(f"{server.url}{path}", headers={**KEY, "Host": host})

    for host in ("api.telnyx.com", "API.Telnyx.com:80", "telnyx.internal", "api.telnyx.com."):
        assert get(host, "/v2/voice_clones").json()["data"] == []
    assert get("api.telnyx.com", "/__mockvoice/health").json()["status"] == "ok"
    assert get("api.telnyx.com", "/~eve/v2/voice_clones").json()["data"] == []
    assert journal(server, "eve") == [("GET", "/telnyx/v2/voice_clones", 200)]
    unknown = get("api.telnyx.com", "/v2/voice_clone")
    assert unknown.status_code == 404
    assert "no operation has the path /v2/voice_clone" in unknown.text
    assert unknown.headers["x-mockvoice-hint"] == (
        "the base URL of Telnyx here is http://api.telnyx.com/v2;"
        " did you mean GET /v2/voice_clones?"
    )
    for host in ("mockvoice.ci.svc.cluster.local", "localhost", "127.0.0.1", "mockvoice:4010"):
        assert get(host, "/telnyx/v2/voice_clones").json()["data"] == []


@pytest.mark.parametrize("host", ["api.openai.com", "telnyx.com", "xapi.telnyx.com"])
def test_unknown_hosts_are_refused_and_recorded(server: Server, ca: str, host: str) -> None:
    with httpx.Client(proxy=server.url, verify=trusting(ca)) as client:
        with pytest.raises(httpx.ProxyError, match=f"502 mockvoice does not serve {host}$"):
            client.get(f"https://{host}/v1")
        response = client.get(f"http://{host}/v1")
    assert response.status_code == 502
    assert response.json()["detail"].startswith(f"mockvoice does not serve {host}; it serves api")
    with tls(server, ca, host) as client:
        client.sendall(f"GET /v1 HTTP/1.1\r\nHost: {host}\r\n".encode() + CLOSE)
        assert read_all(client).startswith(b"HTTP/1.1 502 ")
    assert journal(server) == [
        ("CONNECT", f"{host}:443", 502),
        ("GET", "/v1", 502),
        ("GET", "/v1", 502),
    ]
    entry = httpx.get(f"{server.url}/__mockvoice/requests").json()["requests"][0]
    assert entry["hint"].startswith(f"add {host} to the setting hosts")


def test_names_of_the_mock_keep_the_prefixes(server: Server, ca: str) -> None:
    with httpx.Client(proxy=server.url, verify=trusting(ca)) as client:
        for host in ("m.test", "localhost", "mockvoice", "127.0.0.1"):
            for scheme in ("http", "https"):
                url = f"{scheme}://{host}/telnyx/v2/voice_clones"
                assert client.get(url, headers=KEY).status_code == 200, url
    target = b"http://[::1]:4010/telnyx"
    assert exchange(server, LIST.replace(b"/v2", target + b"/v2") + CLOSE)[:12] == b"HTTP/1.1 200"


# --- sandboxes -----------------------------------------------------------------------------------


def test_path_and_header_take_precedence_over_the_proxy_user(server: Server, ca: str) -> None:
    with httpx.Client(proxy=proxy(server, "user"), verify=trusting(ca)) as client:
        client.get(TELNYX, headers=KEY)
        client.get(TELNYX, headers={**KEY, "X-Mockvoice-Sandbox": "header"})
        client.get(TELNYX.replace("/v2", "/~path/v2"), headers={**KEY, "X-Mockvoice-Sandbox": "h"})
        assert "user" in client.get("https://api.telnyx.com/__mockvoice/requests").text
    assert [len(journal(server, name)) for name in ("user", "header", "path", "h")] == [1, 1, 1, 0]


def test_invalid_sandbox_name_in_proxy_url_is_rejected(server: Server, ca: str) -> None:
    with httpx.Client(proxy=proxy(server, "a%20b"), verify=trusting(ca)) as client:
        response = client.get(TELNYX, headers=KEY)
    assert response.status_code == 400
    assert "proxy-authorization must have a user of up to 64 letters" in response.text


@pytest.mark.parametrize("value", ["Basic", "Basic !", "Bearer x", f"Basic {'é'.encode()!r}"])
def test_other_proxy_credentials_select_the_default_sandbox(server: Server, value: str) -> None:
    head = b"GET http://api.telnyx.com/v2/voice_clones HTTP/1.1\r\nHost: api.telnyx.com\r\n"
    authorization = f"Proxy-Authorization: {value}\r\nAuthorization: Bearer K\r\n".encode()
    assert exchange(server, head + authorization + CLOSE).startswith(b"HTTP/1.1 200 ")
    assert len(journal(server)) == 1


def test_proxy_credentials_are_masked_in_the_journal(server: Server) -> None:
    credentials = b64encode(b"grace:hunter2hunter2").decode()
    head = f"CONNECT api.openai.com:443 HTTP/1.1\r\nProxy-Authorization: Basic {credentials}\r\n"
    assert exchange(server, f"{head}Host: x\r\n\r\n".encode()).startswith(b"HTTP/1.1 502 mockvoice")
    recorded = httpx.get(f"{server.url}/~grace/__mockvoice/requests").text
    assert "proxy-authorization" in recorded
    assert credentials not in recorded


# --- first bytes ---------------------------------------------------------------------------------


def hello(host: str = "api.telnyx.com", *, alpn: Sequence[str] = ()) -> bytes:
    """Return a ClientHello."""
    context = ssl.create_default_context()
    if alpn:
        context.set_alpn_protocols([*alpn])
    sent = ssl.MemoryBIO()
    client = context.wrap_bio(ssl.MemoryBIO(), sent, server_hostname=host)
    with pytest.raises(ssl.SSLWantReadError):
        client.do_handshake()
    return sent.read()


SSLV2 = b"\x80\x2e\x01\x00\x02\x00\x15\x00\x00\x00\x10" + bytes(21) + bytes(16)
ALERT = b"\x15\x03\x03\x00\x02\x02"


@pytest.mark.parametrize(
    ("sent", "response"),
    [
        (hello()[:100], b""),
        (hello()[:1], b""),
        (CONNECT[:4], b""),
        (CONNECT[:40], b""),
        (CONNECT, b"HTTP/1.1 200 Connection established\r\n\r\n"),
        (b"\x16\x03\x01\x00\x05hello", ALERT),
        (b"\x16\x03\x01\xff\xff" + bytes(1000), ALERT),
        (b"\x16" + LIST, ALERT),
        (SSLV2, b""),
        (bytes(range(256)), b"HTTP/1.1 400 "),
        (b"\x00", b""),
        (b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", b"\0\0\0\x04\0\0\0\0\0"),
        (b"CONNECT api.telnyx.com:443 HTTP/3\r\n\r\n", b"HTTP/1.1 400 "),
        (b"CONNECT \r\n\r\n", b"HTTP/1.1 400 "),
        (b"CONNECT " + b"x" * 100_000, b"HTTP/1.1 431 "),
        (CONNECT + CONNECT, b"HTTP/1.1 200 Connection established\r\n\r\nHTTP/1.1 40"),
    ],
    ids=[
        "half a hello", "one byte of TLS", "four bytes of CONNECT", "half a CONNECT",
        "nothing after CONNECT", "record without hello", "record too long", "HTTP in TLS", "SSLv2",
        "all bytes", "null byte", "HTTP/2", "HTTP/3", "CONNECT without host", "long CONNECT",
        "two CONNECTs",
    ],
)  # fmt: skip
def test_malformed_first_bytes_get_a_response_or_a_timely_close(
    server: Server, sent: bytes, response: bytes
) -> None:
    received = exchange(server, sent)  # ends when the server closes the connection
    assert received.startswith(response)
    if not response:
        assert received == b"" or received.startswith(b"HTTP/1.1 400 ")
    assert httpx.get(f"{server.url}/health").status_code == 200


@pytest.mark.parametrize("sent", [hello(), CONNECT, LIST], ids=["hello", "connect", "http"])
def test_one_byte_at_a_time_is_read_but_not_forever(server: Server, sent: bytes) -> None:
    received = exchange(server, *[sent[i : i + 1] for i in range(len(sent))])
    expected = {hello()[:1]: b"\x16", CONNECT[:1]: b"HTTP/1.1 200 ", LIST[:1]: b""}[sent[:1]]
    assert received.startswith(expected)


def test_tls_in_pieces_and_behind_connect_in_one_piece(server: Server, ca: str) -> None:
    for size in (1, 100_000):
        received, sent = ssl.MemoryBIO(), ssl.MemoryBIO()
        secure = trusting(ca).wrap_bio(received, sent, server_hostname="api.telnyx.com")
        with connect(server) as client:
            with pytest.raises(ssl.SSLWantReadError):
                secure.do_handshake()
            send_in_pieces(client, CONNECT + sent.read(), size)
            assert client.recv(39) == b"HTTP/1.1 200 Connection established\r\n\r\n"
            while True:
                try:
                    secure.do_handshake()
                    break
                except ssl.SSLWantReadError:
                    received.write(client.recv(65536))
            secure.write(LIST + CLOSE)  # together with the end of the handshake
            send_in_pieces(client, sent.read(), size)
            received.write(read_all(client))
            assert secure.read(65536).startswith(b"HTTP/1.1 200 OK")


def test_plain_http_inside_a_tunnel_is_served(server: Server) -> None:
    """WebSocket clients use CONNECT for ws:// as well."""
    received = exchange(server, CONNECT.replace(b"443", b"80") + LIST + CLOSE)
    assert received.partition(b"\r\n\r\n")[2].startswith(b"HTTP/1.1 200 OK")


def test_plain_http_on_an_established_tls_connection_is_rejected(server: Server, ca: str) -> None:
    with tls(server, ca) as client, detached(client) as raw:
        raw.sendall(LIST + CLOSE)
        assert b"HTTP/1.1" not in read_all(raw)
    assert httpx.get(f"{server.url}/health").status_code == 200


def test_tls_inside_tls_without_connect_is_rejected(server: Server, ca: str) -> None:
    with tls(server, ca) as client:
        client.sendall(hello())
        assert read_all(client).startswith(b"HTTP/1.1 400 ")


def test_only_http_1_1_is_negotiated(server: Server, ca: str) -> None:
    context = trusting(ca)
    context.set_alpn_protocols(["h2", "http/1.1"])
    with (
        connect(server) as client,
        context.wrap_socket(client, server_hostname="api.telnyx.com") as secure,
    ):
        assert secure.selected_alpn_protocol() == "http/1.1"
    context.set_alpn_protocols(["h2"])
    with (
        connect(server) as client,
        context.wrap_socket(client, server_hostname="api.telnyx.com") as secure,
    ):
        assert secure.selected_alpn_protocol() is None
        secure.sendall(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n")
        assert b"mockvoice supports HTTP/1.1 only" in read_all(secure)


def test_untrusting_client_gets_a_log_line(
    server: Server, ca: str, caplog: pytest.LogCaptureFixture
) -> None:
    with pytest.raises(httpx.ConnectError, match="certificate"):
        httpx.get(TELNYX, headers=KEY, proxy=server.url, trust_env=False)
    exchange(server, CONNECT)  # by its end the server has read the alert
    assert "api.telnyx.com failed: the client does not trust the CA of mockvoice" in caplog.text


# --- TLS as the transport of everything else -----------------------------------------------------


def test_reset_fault_is_a_tcp_reset_below_tls(server: Server, ca: str) -> None:
    with tls(server, ca) as client:
        client.sendall(LIST + b'X-Mockvoice-Fault: {"kind": "reset"}\r\n\r\n')
        with detached(client) as raw, pytest.raises(ConnectionResetError):
            b"".join(iter(lambda: raw.recv(65536), b""))  # session tickets of TLS


def test_large_bodies_pass_through_tls(server: Server, ca: str) -> None:
    """Of a request, and of a response to a client that is slow to read."""
    with httpx.Client(proxy=server.url, verify=trusting(ca)) as client:
        form = {"name": "n", "language": "en"}
        files = {"audio_file": bytes(3_000_000)}
        rejected = client.post(f"{TELNYX}/from_upload", headers=KEY, data=form, files=files)
        assert rejected.status_code == 400
        speech = {"voice_id": "ar-najdi-male-2", "text": "hello " * 400, "sample_rate": 24000}
        url = "https://api.faseeh.ai/api/v1/text-to-speech/faseeh-v1-preview"
        with client.stream("POST", url, headers=KEY, json=speech) as response:
            size = sum(len(chunk) for chunk in response.iter_raw(1000))
        assert size == int(response.headers["content-length"]) > 1_000_000


def test_open_connections_do_not_delay_the_shutdown(tmp_path: Path) -> None:
    ca = tmp_path / "ca.pem"
    with ExitStack() as stack:
        server = Server(make_mock(), bind("127.0.0.1", 0))
        with server:
            ca.write_bytes(server.mock.ca.pem)
            idle, tunnel, half = (stack.enter_context(connect(server)) for _ in range(3))
            tunnel.sendall(CONNECT)
            assert tunnel.recv(100)
            half.sendall(hello()[:50])
            secure = stack.enter_context(tls(server, str(ca)))
            client = stack.enter_context(httpx.Client(proxy=server.url, verify=trusting(str(ca))))
            client.get(TELNYX, headers=KEY)
            begin = time.monotonic()
        assert time.monotonic() - begin < 2
        for connection in (idle, tunnel, half, secure):
            assert read_all(connection) == b""


def test_1000_mixed_connections_lose_nothing(tmp_path: Path) -> None:
    """Requests of every form, 16 at a time, between clients that send garbage or hang up."""
    request = LIST + CLOSE
    absolute = request.replace(b"/v2", b"http://api.telnyx.com/v2")
    prefixed = request.replace(b"/v2", b"/telnyx/v2").replace(b"api.telnyx.com", b"127.0.0.1")

    def plain(data: bytes) -> bytes:
        return exchange(server, data)

    def secure(connect_first: bytes) -> bytes:
        with connect(server) as client:
            if connect_first:
                client.sendall(connect_first)
                assert client.recv(39).startswith(b"HTTP/1.1 200 ")
            with trusted.wrap_socket(client, server_hostname="api.telnyx.com") as wrapped:
                wrapped.sendall(request)
                return read_all(wrapped)

    def hang_up(data: bytes) -> bytes:
        with connect(server) as client:
            client.sendall(data)
        return b""

    kinds = [
        (plain, request), (plain, prefixed), (plain, absolute), (plain, CONNECT + request),
        (secure, b""), (secure, CONNECT), (plain, b"\0\1\2\r\n\r\n"), (hang_up, hello()),
        (hang_up, CONNECT), (hang_up, b"\x16"),
    ]  # fmt: skip
    with Server(make_mock(), bind("127.0.0.1", 0)) as server:
        (tmp_path / "ca.pem").write_bytes(server.mock.ca.pem)
        trusted = trusting(str(tmp_path / "ca.pem"))
        with ThreadPoolExecutor(16) as pool:
            received = [*pool.map(lambda kind: kind[0](kind[1]), kinds * 100)]
        for i, response in enumerate(received):
            if i % 10 < 6:
                assert b"HTTP/1.1 200 OK" in response, (i, response)
                assert response.endswith(b"}}")
            elif i % 10 == 6:
                assert response.startswith(b"HTTP/1.1 400 ")
        (counted,) = httpx.get(f"{server.url}/__mockvoice/requests/counts").json()["counts"]
        assert (counted["status"], counted["count"]) == (200, 600)
        for _ in range(1000):
            if len(server.server_state.connections) <= 1:
                break
            httpx.get(f"{server.url}/health")
        assert len(server.server_state.connections) <= 1


# --- certificates --------------------------------------------------------------------------------


def test_certificates_are_for_the_host_of_the_client(server: Server, ca: str) -> None:
    for host in ("api.telnyx.com", "telnyx.internal", "anything.example", "127.0.0.1"):
        with tls(server, ca, host) as client:  # verifies it
            certificate = client.getpeercert()
            assert certificate
            assert host in str(certificate["subjectAltName"])


def test_every_server_has_its_own_ca() -> None:
    assert CertificateAuthority().pem != CertificateAuthority().pem


def test_configured_ca_is_shared(tmp_path: Path) -> None:
    import trustme

    ca = trustme.CA()
    cert, key = tmp_path / "ca.pem", tmp_path / "ca.key"
    cert.write_bytes(ca.cert_pem.bytes())
    key.write_bytes(ca.private_key_pem.bytes())
    for _ in range(2):
        mock = make_mock(tls_ca_cert=str(cert), tls_ca_key=str(key))
        with Server(mock, bind("127.0.0.1", 0)) as server:
            assert httpx.get(f"{server.url}/__mockvoice/ca.pem").content == cert.read_bytes()
            with tls(server, str(cert)) as client:
                client.sendall(LIST + CLOSE)
                assert read_all(client).startswith(b"HTTP/1.1 200 OK")

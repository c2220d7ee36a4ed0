"""HTTP/1.1 as unusual clients speak it, with both parsers."""

from __future__ import annotations

import json
import shutil
import socket
import subprocess
from collections.abc import Iterator
from contextlib import ExitStack, suppress
from pathlib import Path
from urllib.parse import urlsplit

import httpx
import pytest

from mockvoice.http.app import MAX_HEADER_BYTES
from mockvoice.http.protocols import MAX_HEAD_BYTES
from mockvoice.http.server import MAX_UNREAD_BYTES, Server, bind

from ..conftest import internal_errors
from ..state.serializing import make_mock

pytestmark = pytest.mark.slow

KEY = "Authorization: Bearer K\r\n"
LIST = f"GET /retell/list-voices HTTP/1.1\r\nHost: x\r\n{KEY}"
CLOSE = "Connection: close\r\n\r\n"
FORM = (
    '--b\r\nContent-Disposition: form-data; name="name"\r\n\r\nn\r\n'
    '--b\r\nContent-Disposition: form-data; name="language"\r\n\r\nen\r\n--b--\r\n'
)
UPLOAD = (
    f"POST /telnyx/v2/voice_clones/from_upload HTTP/1.1\r\nHost: x\r\n{KEY}"
    f"Content-Type: multipart/form-data; boundary=b\r\nContent-Length: {len(FORM)}\r\n"
    "Connection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\nHTTP2-Settings: AAMAAABkAAIAAAAA\r\n"
)


@pytest.fixture(params=["h11", "httptools"])
def server(request: pytest.FixtureRequest) -> Iterator[Server]:
    """Server with one of the two parsers."""
    with Server(make_mock(read_timeout=1), bind("127.0.0.1", 0), http=request.param) as server:
        yield server
        assert not internal_errors(server)


def connect(server: Server) -> socket.socket:
    parts = urlsplit(server.url)
    return socket.create_connection((parts.hostname, parts.port), timeout=10)


def exchange(server: Server, *chunks: bytes) -> bytes:
    """Send chunks, and return what arrives until the server closes the connection."""
    received = b""
    with connect(server) as client:
        try:
            for chunk in chunks:
                client.sendall(chunk)
            while data := client.recv(65536):
                received += data
        except ConnectionError:  # the server closed it while the client was sending
            pass
    return received


@pytest.mark.parametrize("size", [1, 7, 10_000])
def test_body_of_a_request_that_offers_http2_is_read(server: Server, size: int) -> None:
    data = f"{UPLOAD}\r\n{FORM}{LIST}{CLOSE}".encode()
    received = exchange(server, *[data[i : i + size] for i in range(0, len(data), size)])
    assert b"audio_file is required" in received  # so the other fields were read
    assert b"the body is empty" not in received
    assert b"HTTP/1.1 200 OK" in received  # of the request behind it


def test_connect_after_another_request_is_rejected(server: Server) -> None:
    with connect(server) as client:
        client.sendall(f"{LIST}\r\n".encode())
        assert client.recv(65536).startswith(b"HTTP/1.1 200 OK")
        client.sendall(b"CONNECT localhost:80 HTTP/1.1\r\nHost: localhost\r\n\r\n")
        received = b"".join(iter(lambda: client.recv(65536), b""))
    assert received.rpartition(b"HTTP/1.1 ")[2].startswith((b"400 ", b"404 "))


JAVA = """
import java.net.URI;
import java.net.http.*;

class Client {
    public static void main(String[] arguments) throws Exception {
        var request = HttpRequest.newBuilder(URI.create(arguments[0]))
            .header("Authorization", "Bearer K").header("Content-Type", "application/json")
            .POST(HttpRequest.BodyPublishers.ofString(arguments[1])).build();
        var handler = HttpResponse.BodyHandlers.ofString();
        var response = HttpClient.newHttpClient().send(request, handler);
        System.out.print(response.statusCode() + " " + response.body());
    }
}
"""


@pytest.mark.skipif(not shutil.which("java"), reason="needs java")
def test_http_client_of_java_sends_a_body(server: Server, tmp_path: Path) -> None:
    source = tmp_path / "Client.java"
    source.write_text(JAVA)
    body = json.dumps({"name": "n", "text": "Hello there, you.", "prompt": "Calm."})
    command = ["java", str(source), f"{server.url}/telnyx/v2/voice_designs", body]
    result = subprocess.run(command, capture_output=True, text=True, timeout=60, check=True)
    assert result.stdout.startswith("20"), result.stdout


@pytest.mark.skipif(not shutil.which("curl"), reason="needs curl")
def test_curl_with_http2_sends_a_form(server: Server, tmp_path: Path, wav: bytes) -> None:
    file = tmp_path / "a.wav"
    file.write_bytes(wav)
    form = ["-F", "name=n", "-F", "language=en", "-F", f"audio_file=@{file}"]
    url = f"{server.url}/telnyx/v2/voice_clones/from_upload"
    command = ["curl", "-s", "--http2", "-H", "Authorization: Bearer K", *form, url]
    result = subprocess.run(command, capture_output=True, text=True, timeout=30, check=True)
    assert json.loads(result.stdout)["data"]["name"] == "n"


@pytest.mark.parametrize("kind", ["disconnect", "reset", "timeout"])
def test_request_behind_a_broken_connection_leaves_no_task(server: Server, kind: str) -> None:
    fault = json.dumps({"kind": kind, **({"seconds": 600} if kind == "timeout" else {})})
    with connect(server) as client:
        client.sendall(f"{LIST}X-Mockvoice-Fault: {fault}\r\n\r\n{LIST}\r\n".encode())
        if kind != "timeout":
            read_end(client)
    url = f"{server.url}/__mockvoice"
    for _ in range(100):
        entries = httpx.get(f"{url}/requests").json()["requests"]
        if entries and not entries[0].get("in_progress") and not server.server_state.tasks:
            break
    assert [entry["status"] for entry in entries] == [None]
    assert len(server.server_state.tasks) == 0


def read_end(client: socket.socket) -> None:
    """Read until the server ends the connection."""
    with suppress(ConnectionResetError):
        assert client.recv(65536) == b""


@pytest.mark.parametrize(
    "target", ["http://x/retell/list-voices?a=http://b/c", "HTTP://x:1/health"]
)
def test_absolute_request_target_is_found(server: Server, target: str) -> None:
    sent = f"GET {target} HTTP/1.1\r\nHost: x\r\n{KEY}{CLOSE}"
    assert exchange(server, sent.encode()).startswith(b"HTTP/1.1 200 OK")


def test_head_and_body_of_a_response_arrive_together(server: Server) -> None:
    with connect(server) as client:
        for _ in range(20):
            client.sendall(f"{LIST}\r\n".encode())
            head, _, body = client.recv(65536).partition(b"\r\n\r\n")
            assert b"content-length: %d\r\n" % len(body) in head + b"\r\n"
            assert body


def test_header_value_over_8_kb_is_rejected_with_431(server: Server) -> None:
    for name in ("X-Other", "Authorization"):
        response = httpx.get(f"{server.url}/health", headers={name: "x" * (MAX_HEADER_BYTES + 1)})
        assert response.status_code == 431
        assert response.text == "the value of a request header has more than 8192 bytes"
    allowed = httpx.get(f"{server.url}/health", headers={"X-Other": "x" * MAX_HEADER_BYTES})
    assert allowed.status_code == 200
    assert httpx.get(f"{server.url}/__mockvoice/requests").json()["requests"] == []


@pytest.mark.parametrize(
    "head",
    [
        b"X-Long: " + b"x" * 10 * MAX_HEAD_BYTES,
        b"".join(b"X-%d: y\r\n" % i for i in range(20_000)),
        b"x" * 10 * MAX_HEAD_BYTES,
    ],
    ids=["value", "number", "name"],
)
@pytest.mark.parametrize("size", [1000, 1 << 20])
def test_head_over_64_kb_is_rejected(server: Server, head: bytes, size: int) -> None:
    """One header of 200 MB was read."""
    data = b"GET /health HTTP/1.1\r\nHost: x\r\n" + head
    chunks = [data[i : i + size] for i in range(0, len(data), size)]
    received = exchange(server, *chunks, b"\r\n\r\n")
    assert b" 200 OK" not in received
    assert not received or received.startswith((b"HTTP/1.1 431 ", b"HTTP/1.1 400 "))
    assert httpx.get(f"{server.url}/health").status_code == 200


@pytest.mark.parametrize(
    "sent",
    ["", "GET /health HTTP/1.1\r\nHo", UPLOAD, f"{UPLOAD}\r\n--b", f"{LIST}\r\n{LIST}"],
    ids=["nothing", "head", "headers", "body", "second"],
)
def test_connection_without_the_rest_of_a_request_is_closed(server: Server, sent: str) -> None:
    exchange(server, sent.encode())  # ends only when the server closes the connection


def test_slow_response_outlives_the_read_timeout(server: Server) -> None:
    fault = json.dumps({"kind": "delay", "seconds": 2.5})
    received = exchange(server, f"{LIST}X-Mockvoice-Fault: {fault}\r\n{CLOSE}".encode())
    assert received.startswith(b"HTTP/1.1 200 OK")


SPEECH_PATH = "/faseeh/api/v1/text-to-speech/faseeh-v1-preview"
SPEECH = json.dumps({"voice_id": "ar-najdi-male-2", "text": "hello " * 800, "sample_rate": 24000})


def test_responses_that_nobody_reads_do_not_stay_in_memory(server: Server) -> None:
    """70 clients that did not read held 762 MB."""
    head = (
        f"POST {SPEECH_PATH} HTTP/1.1\r\nHost: x\r\nx-api-key: K\r\n"
        f"Content-Type: application/json\r\nContent-Length: {len(SPEECH)}\r\n\r\n"
    )
    with ExitStack() as stack:
        for _ in range(16):
            client = stack.enter_context(connect(server))
            client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 65536)
            client.sendall(f"{head}{SPEECH}".encode())
            assert client.recv(15, socket.MSG_PEEK) == b"HTTP/1.1 200 OK"
        unsent = [10**9]
        while sum(unsent) > MAX_UNREAD_BYTES:
            assert httpx.get(f"{server.url}/health").status_code == 200
            connections = [*server.server_state.connections]
            unsent = [protocol.connection.unsent for protocol in connections]  # type: ignore[union-attr]
        assert max(unsent) > 1_000_000
    url = f"{server.url}{SPEECH_PATH}"
    headers = {"x-api-key": "K", "Content-Type": "application/json"}
    response = httpx.post(url, headers=headers, content=SPEECH)
    assert len(response.content) == int(response.headers["content-length"]) > 4_000_000


@pytest.mark.parametrize("size", [0, 1, 65535, 65536, 65537, 131072, 200_000])
def test_body_in_pieces_is_complete(server: Server, size: int) -> None:
    fault = json.dumps({"status": 503, "body": "x" * size})
    assert httpx.post(f"{server.url}/__mockvoice/faults", content=fault,
                      headers={"Content-Type": "application/json"}).status_code == 201  # fmt: skip
    response = httpx.get(f"{server.url}/retell/list-voices")
    assert (response.status_code, response.text) == (503, "x" * size)

"""Trailers of chunked responses, with both parsers and real clients."""

from __future__ import annotations

import asyncio
import http.client
import json
import shutil
import socket
import subprocess
from collections.abc import Iterator
from urllib.parse import urlsplit

import httpx
import pytest

import mockvoice
from mockvoice.audio.detect import sniff
from mockvoice.http.server import Server, bind

from ..conftest import internal_errors
from ..state.serializing import make_mock

pytestmark = pytest.mark.memory

PATH = "/supertone/v1/text-to-speech/a4cf2a1b8e7d/stream"
BODY = json.dumps({"text": "Hello there", "language": "en"})
HEADERS = {"x-sup-api-key": "K", "Content-Type": "application/json"}


@pytest.fixture(scope="module", params=["h11", "httptools"])
def server(request: pytest.FixtureRequest) -> Iterator[Server]:
    """Server with one of the two parsers."""
    with Server(make_mock(), bind("127.0.0.1", 0), http=request.param) as server:
        yield server
        assert not internal_errors(server)


def received(server: Server, version: str = "1.1", *lines: str) -> tuple[bytes, bytes]:
    """Return the head and everything behind it that a client gets until the connection ends."""
    parts = urlsplit(server.url)
    sent = {**HEADERS, "Host": "x", "Connection": "close", "Content-Length": str(len(BODY))}
    head = [f"POST {PATH} HTTP/{version}", *(f"{k}: {v}" for k, v in sent.items()), *lines]
    with socket.create_connection((parts.hostname, parts.port), timeout=10) as client:
        client.sendall("\r\n".join([*head, "", BODY]).encode())
        data = b"".join(iter(lambda: client.recv(65536), b""))
    start, _, rest = data.partition(b"\r\n\r\n")
    return start.lower(), rest


def test_audio_length_follows_the_last_chunk_of_a_stream(server: Server) -> None:
    head, rest = received(server)
    assert b"transfer-encoding: chunked" in head
    assert b"\r\ntrailer: x-audio-length" in head
    assert b"\r\nx-audio-length:" not in head
    assert rest.endswith(b"\r\n0\r\nX-Audio-Length: 0.66\r\n\r\n")


def test_journal_lists_the_trailer_among_the_headers(server: Server) -> None:
    received(server)
    received(server, "1.1", 'X-Mockvoice-Fault: {"kind": "truncate"}')
    entries = httpx.get(f"{server.url}/__mockvoice/requests").json()["requests"][-2:]
    lengths = [entry["response"]["headers"].get("X-Audio-Length") for entry in entries]
    assert lengths == ["0.66", None]


def test_dripping_stream_ends_with_its_trailer(server: Server) -> None:
    fault = json.dumps({"kind": "drip", "seconds": 0.01})
    head, rest = received(server, "1.1", f"X-Mockvoice-Fault: {fault}")
    assert b"\r\ntrailer: x-audio-length" in head
    assert rest.endswith(b"\r\n0\r\nX-Audio-Length: 0.66\r\n\r\n")


def test_truncated_stream_has_no_trailer(server: Server) -> None:
    head, rest = received(server, "1.1", 'X-Mockvoice-Fault: {"kind": "truncate"}')
    assert b"audio-length" not in head
    assert b"Audio-Length" not in rest


def test_client_of_http_1_0_gets_a_header(server: Server) -> None:
    head, rest = received(server, "1.0")
    assert b"\r\nx-audio-length: 0.66" in head
    assert b"\r\ntrailer:" not in head
    assert b"Audio-Length" not in rest


def test_connection_is_reused_behind_trailers(server: Server) -> None:
    parts = urlsplit(server.url)
    client = http.client.HTTPConnection(str(parts.hostname), parts.port, timeout=10)
    for _ in range(3):
        client.request("POST", PATH, BODY, HEADERS)
        response = client.getresponse()
        assert sniff(response.read()).format == "wav"
        assert response.getheader("X-Audio-Length") is None
    client.close()
    with httpx.Client(base_url=server.url) as other:
        for _ in range(2):
            assert sniff(other.post(PATH, content=BODY, headers=HEADERS).content).problem == ""


NODE = """
const [url, path, headers, body] = process.argv.slice(1);
const { request } = require('node:http');
const options = { method: 'POST', headers: JSON.parse(headers) };
request(url + path, options, (response) => {
  let size = 0;
  response.on('data', (chunk) => { size += chunk.length; });
  response.on('end', () => {
    const { trailer } = response.headers;
    console.log(JSON.stringify({ size, trailer, trailers: response.trailers }));
  });
}).end(body);
"""


@pytest.mark.skipif(not shutil.which("node"), reason="needs node")
def test_node_reads_the_trailer(server: Server) -> None:
    command = ["node", "-e", NODE, server.url, PATH, json.dumps(HEADERS), BODY]
    result = subprocess.run(command, capture_output=True, text=True, timeout=60, check=True)
    seen = json.loads(result.stdout)
    assert seen["size"] > 10_000
    assert (seen["trailer"], seen["trailers"]) == ("X-Audio-Length", {"x-audio-length": "0.66"})


@pytest.mark.skipif(not shutil.which("curl"), reason="needs curl")
def test_curl_reads_the_trailer(server: Server) -> None:
    headers = [part for k, v in HEADERS.items() for part in ("-H", f"{k}: {v}")]
    command = ["curl", "-sS", "-D", "-", "-o", "/dev/null", *headers, "-d", BODY, server.url + PATH]
    result = subprocess.run(command, capture_output=True, text=True, timeout=30, check=True)
    assert result.stdout.rstrip().endswith("X-Audio-Length: 0.66")


def test_application_without_a_socket_sends_a_header() -> None:
    async def post() -> httpx.Response:
        transport = httpx.ASGITransport(mockvoice.create_app())
        async with httpx.AsyncClient(transport=transport, base_url="http://mock") as client:
            return await client.post(PATH, content=BODY, headers=HEADERS)

    response = asyncio.run(post())
    assert response.headers["x-audio-length"] == "0.66"
    assert "trailer" not in response.headers

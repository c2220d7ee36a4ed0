"""WebSockets through TLS, and through a proxy tunnel."""

from __future__ import annotations

import ssl
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlsplit

import httpx
import pytest
from websockets.exceptions import ConnectionClosed
from websockets.sync.client import connect

from mockvoice.http.server import Server, bind

from ..conftest import internal_errors
from ..state.serializing import make_mock
from .sockets import KEY, kinds, receive_frames, say

pytestmark = [pytest.mark.slow, pytest.mark.memory]

SPEECH = "wss://api.telnyx.com/v2/text-to-speech/speech"


@pytest.fixture(params=["h11", "httptools"])
def server(request: pytest.FixtureRequest) -> Iterator[Server]:
    with Server(make_mock(), bind("127.0.0.1", 0), http=request.param) as server:
        yield server
        assert not internal_errors(server)


@pytest.fixture
def trusting(server: Server, tmp_path: Path) -> ssl.SSLContext:
    """TLS settings that trust the CA of the mock."""
    file = tmp_path / "ca.pem"
    file.write_bytes(httpx.get(f"{server.url}/__mockvoice/ca.pem").content)
    return ssl.create_default_context(cafile=file)


def test_hard_coded_url_through_a_proxy(server: Server, trusting: ssl.SSLContext) -> None:
    proxy = server.url.replace("//", "//box:x@")
    with connect(SPEECH, additional_headers=KEY, ssl=trusting, proxy=proxy) as client:
        say(client, " ", "Hello.", "")
        assert kinds(receive_frames(client)) == ["audio_chunk", "final"]
    (entry,) = httpx.get(f"{server.url}/~box/__mockvoice/requests").json()["requests"]
    assert (entry["operation"], entry["path"]) == (
        "TextToSpeechOverWs",
        "/telnyx/v2/text-to-speech/speech",
    )


def test_host_that_resolves_to_the_mock(server: Server, trusting: ssl.SSLContext) -> None:
    address = urlsplit(server.url)
    there = (address.hostname or "", address.port or 0)
    with connect(SPEECH, additional_headers=KEY, ssl=trusting, proxy=None, address=there) as client:
        say(client, " ", "Hello.", "")
        assert kinds(receive_frames(client)) == ["audio_chunk", "final"]


def test_faults_act_through_tls(server: Server, trusting: ssl.SSLContext) -> None:
    for kind in ("reset", "truncate", "disconnect"):
        fault = {"provider": "telnyx", "kind": kind, "frame": 2, "times": 1}
        httpx.post(f"{server.url}/__mockvoice/faults", json=fault).raise_for_status()
        with connect(SPEECH, additional_headers=KEY, ssl=trusting, proxy=server.url) as client:
            say(client, " ", "Hello.")
            receive_frames(client, 1)
            with pytest.raises(ConnectionClosed):
                client.recv(timeout=20)
            assert client.close_code == 1006

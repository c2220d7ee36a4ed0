"""Clients that close the connection before they get the response."""

from __future__ import annotations

import json
import socket
from collections.abc import Callable, Iterator
from contextlib import suppress
from typing import Any
from urllib.parse import urlsplit

import pytest

import mockvoice
from mockvoice import Control
from mockvoice.http.server import Server, bind
from mockvoice.models import RecordedRequest

from ..conftest import Serve
from ..state.serializing import make_mock
from .raw import Raw

LIST = "/retell/list-voices"


@pytest.fixture(params=["h11", "httptools"])
def mock(request: pytest.FixtureRequest) -> Iterator[Control]:
    """A server with each of the HTTP parsers."""
    with Server(make_mock(), bind("127.0.0.1", 0), http=request.param) as server:
        yield mockvoice.connect(server.url)


def wait_until(mock: Control, done: Callable[[RecordedRequest], Any]) -> RecordedRequest:
    """Return the last request once it is as expected."""
    while not (mock.requests and done(mock.requests.last)):
        continue
    return mock.requests.last


@pytest.mark.parametrize("when", ["before", "after"])
def test_operation_takes_effect_although_the_sdk_times_out(mock: Control, when: Any) -> None:
    from retell import APITimeoutError, Retell

    fault = mock.retell.delay(60, operation="cloneVoice", when=when)
    url = mock.retell.base_url
    with Retell(api_key="K", base_url=url, timeout=0.2, max_retries=0) as client:
        with pytest.raises(APITimeoutError):
            client.voice.clone(
                files=[("s.wav", mock.sample(seconds=1))],
                voice_name="narrator",
                voice_provider="elevenlabs",
            )
    entry = wait_until(mock, lambda entry: entry.client_closed)
    (voice,) = mock.retell.voices
    assert voice.data["voice_name"] == "narrator"
    assert (entry.status, entry.response) == (None, None)
    assert entry.client_closed
    assert 0.1 < entry.client_closed < 30
    seconds = f"{entry.client_closed:.2g}"
    outcome = f"no response, delay ({fault.id}), attempt 1"
    assert f"-> {outcome}, client closed the connection after {seconds} s" in mock.report()
    assert mock.request("GET", "/requests/counts")["counts"] == [
        {"provider": "retell", "operation": "cloneVoice", "status": None, "count": 1}
    ]
    operations = mock.request("GET", "/coverage")["operations"]
    assert {item["operation"]: item["no_response"] for item in operations}["cloneVoice"] == 1


@pytest.mark.parametrize("kind", ["timeout", "drip"])
def test_client_that_leaves_during_another_fault_is_recorded(mock: Control, kind: str) -> None:
    with Raw(mock.url) as raw:
        fault = json.dumps({"kind": kind, "seconds": 60})
        raw.send(LIST, X_Mockvoice_Fault=fault)
        if kind == "drip":
            assert raw.read()  # the head of the response
    entry = wait_until(mock, lambda entry: entry.client_closed)
    assert entry.status == (200 if kind == "drip" else None)


def test_client_that_leaves_during_its_upload_is_recorded(mock: Control) -> None:
    address = urlsplit(mock.url)
    with socket.create_connection((address.hostname, address.port)) as client:
        client.sendall(
            b"POST /retell/clone-voice HTTP/1.1\r\nHost: x\r\nContent-Length: 9\r\n\r\n{"
        )
    entry = wait_until(mock, lambda entry: True)
    assert (entry.status, bool(entry.client_closed)) == (None, True)


@pytest.mark.parametrize("kind", ["timeout", "reset", "disconnect", "truncate"])
def test_connection_that_a_fault_breaks_is_not_closed_by_the_client(
    mock: Control, kind: str
) -> None:
    with Raw(mock.url) as raw:
        raw.send(LIST, X_Mockvoice_Fault=json.dumps({"kind": kind, "seconds": 0.01}))
        with suppress(ConnectionResetError):
            while raw.read():
                continue
    entry = wait_until(mock, lambda entry: entry.milliseconds is not None)
    assert (entry.fault and entry.fault.kind, entry.client_closed) == (kind, None)
    assert "client closed" not in mock.report()


def test_upload_that_exceeds_the_read_timeout_is_not_closed_by_the_client(serve: Serve) -> None:
    server = serve(read_timeout=1)
    address = urlsplit(server.url)
    with socket.create_connection((address.hostname, address.port)) as client:
        client.sendall(
            b"POST /retell/clone-voice HTTP/1.1\r\nHost: x\r\nContent-Length: 9\r\n\r\n{"
        )
        while client.recv(4096):
            continue
        mock = mockvoice.connect(server.url)
        entry = wait_until(mock, lambda entry: True)
    assert (entry.status, entry.client_closed) == (None, None)

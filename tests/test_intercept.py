"""`mock.intercept()` redirects clients whose URLs are hard-coded."""

from __future__ import annotations

import asyncio
import gc
import json
import os
import urllib.request
from pathlib import Path
from typing import Any

import httpx
import pytest
from websockets.exceptions import InvalidStatus
from websockets.sync.client import connect

import mockvoice
from mockvoice import Control

KEY = {"x-api-key": "KEY"}
FASEEH = "https://api.faseeh.ai/api/v1/voices"


def fetch_with_httpx(url: str) -> Any:
    return httpx.get(url, headers=KEY).json()


def fetch_with_requests(url: str) -> Any:
    import requests

    return requests.get(url, headers=KEY, timeout=10).json()


def fetch_with_urllib(url: str) -> Any:
    with urllib.request.urlopen(urllib.request.Request(url, headers=KEY)) as response:
        return json.load(response)


def fetch_with_aiohttp(url: str) -> Any:
    import aiohttp

    async def get() -> Any:
        async with (
            aiohttp.ClientSession(trust_env=True) as session,
            session.get(url, headers=KEY) as response,
        ):
            return await response.json()

    return asyncio.run(get())


CLIENTS = [fetch_with_httpx, fetch_with_requests, fetch_with_urllib, fetch_with_aiohttp]


@pytest.mark.parametrize("fetch", CLIENTS)
@pytest.mark.parametrize("url", [FASEEH, FASEEH.replace("https", "http")])
def test_intercept_redirects_http_clients(
    mock: Control, monkeypatch: pytest.MonkeyPatch, fetch: Any, url: str
) -> None:
    mock.intercept(monkeypatch)
    assert fetch(url)[0]["voice_id"] == "ar-najdi-male-2"
    mock.faseeh.assert_called("listVoices", times=1)


def open_with_websockets(url: str) -> int:
    try:
        connect(url).close()
    except InvalidStatus as refused:
        return refused.response.status_code
    return 101


def open_with_aiohttp(url: str) -> int:
    import aiohttp

    async def open() -> int:
        async with aiohttp.ClientSession(trust_env=True) as session:
            try:
                await (await session.ws_connect(url)).close()
            except aiohttp.WSServerHandshakeError as refused:
                return refused.status
        return 101

    try:
        return asyncio.run(open())
    finally:
        gc.collect()  # aiohttp leaves the connection of a refused handshake to it


@pytest.mark.filterwarnings("ignore:unclosed:ResourceWarning")  # by aiohttp
@pytest.mark.parametrize("open", [open_with_websockets, open_with_aiohttp])
@pytest.mark.parametrize("scheme", ["wss", "ws"])
def test_intercept_redirects_websocket_clients(
    mock: Control, monkeypatch: pytest.MonkeyPatch, open: Any, scheme: str
) -> None:
    mock.intercept(monkeypatch)
    assert open(f"{scheme}://api.faseeh.ai/api/v1/nothing") == 404
    assert [request.path for request in mock.requests] == ["/faseeh/api/v1/nothing"]


def test_intercept_redirects_sdks(mock: Control, monkeypatch: pytest.MonkeyPatch) -> None:
    from retell import Retell
    from supertone import Supertone
    from telnyx import Telnyx

    mock.intercept(monkeypatch)
    with Telnyx(api_key="K") as telnyx, Retell(api_key="K") as retell:
        assert [*telnyx.voice_clones.list()] == []
        assert retell.voice.list()
    with Supertone(api_key="K") as supertone:
        assert supertone.voices.list_voices()
    assert [request.provider for request in mock.requests] == ["telnyx", "retell", "supertone"]


def test_intercept_redirects_urlopen_although_it_was_called_before(mock: Control) -> None:
    for _ in range(2):
        with urllib.request.urlopen(f"{mock.url}/health") as response:
            assert response.status == 200
        with mock.intercept():
            assert fetch_with_urllib(FASEEH)
    assert len(mock.requests) == 2


def test_intercept_as_a_context_manager_restores_everything(mock: Control) -> None:
    import aiohttp

    before, aiohttp_before = dict(os.environ), dict(vars(aiohttp.connector))
    with mock.intercept():
        assert fetch_with_httpx(FASEEH)
        assert fetch_with_aiohttp(FASEEH)
        assert dict(os.environ) != before
    assert dict(os.environ) == before
    assert dict(vars(aiohttp.connector)) == aiohttp_before
    assert len(mock.requests) == 2


def test_requests_to_other_hosts_do_not_leave_the_machine(
    mock: Control, monkeypatch: pytest.MonkeyPatch
) -> None:
    mock.intercept(monkeypatch)
    with pytest.raises(httpx.ProxyError, match=r"mockvoice does not serve example\.com"):
        httpx.get("https://example.com")
    assert "add example.com to the setting hosts" in mock.report()


def test_clients_still_trust_the_system(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("SSL_CERT_FILE")
    with mockvoice.serve() as control:
        control.intercept(monkeypatch)
        file = Path(os.environ["SSL_CERT_FILE"])
        assert file.read_bytes().endswith(control.ca())
        assert file.read_bytes().count(b"BEGIN CERTIFICATE") > 10
        assert file.stat().st_mode & 0o777 == 0o600


def test_ca_file_is_deleted_with_its_server() -> None:
    with mockvoice.serve() as control:
        with control.intercept():
            file = Path(os.environ["SSL_CERT_FILE"])
            assert file.exists()
        del control
    assert not file.exists()


def test_application_in_this_process_cannot_intercept() -> None:
    with pytest.raises(TypeError, match=r"has no port; use mockvoice\.serve"):
        mockvoice.create_app().control.intercept()

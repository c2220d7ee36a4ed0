"""Browser requests to the control API: same-origin pages only."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

import httpx
import pytest

from mockvoice.http.server import Server

from ..conftest import Box, Serve

BEARER = {"Authorization": "Bearer K"}
LIST = "/retell/list-voices"


@pytest.mark.parametrize(
    "headers",
    [
        {},
        {"Host": "127.0.0.1:4010"},
        {"Host": "mockvoice:4010"},
        {"Host": "mock.ci.example.com"},  # programs may use any host name
        {"User-Agent": "node", "Accept-Language": "*", "Sec-Fetch-Mode": "cors"},
        {"Origin": "http://127.0.0.1:4010", "Host": "127.0.0.1:4010"},
        {"Origin": "http://[::1]:4010", "Host": "[::1]:4010", "Sec-Fetch-Site": "same-origin"},
        {"Origin": "https://mockvoice", "Host": "mockvoice"},
        {"Accept-Language": "en", "Sec-Fetch-Site": "same-origin", "Host": "localhost:4010"},
        {
            "Accept-Language": "en",
            "Sec-Fetch-Site": "none",
            "Host": "app.localhost",
        },  # typed into the address bar
    ],
)
def test_programs_and_same_origin_pages_are_accepted(box: Box, headers: dict[str, str]) -> None:
    assert box.control.get("/faults", headers=headers).status_code == 200
    assert box.control.post("/faults", headers=headers, json={}).status_code == 201


@pytest.mark.parametrize(
    "headers",
    [
        {"Origin": "https://evil.example"},
        {"Origin": "https://evil.example", "Sec-Fetch-Site": "cross-site"},
        {"Origin": "null"},
        {"Origin": "http://["},
        {"Origin": "http://127.0.0.1:3000", "Host": "127.0.0.1:4010"},
        {"Origin": "http://127.0.0.1", "Host": "127.0.0.1:4010"},
        {"Sec-Fetch-Site": "same-site", "Host": "localhost:4010"},
        {"Sec-Fetch-Site": "cross-site", "Host": "localhost:4010"},
    ],
)
def test_cross_origin_requests_return_403(box: Box, headers: dict[str, str]) -> None:
    for method, path in [
        ("GET", "/requests"),
        ("GET", "/events"),
        ("POST", "/reset"),
        ("DELETE", "/voices"),
    ]:
        refused = box.control.request(method, path, headers=headers)
        assert refused.status_code == 403
        assert refused.json()["detail"].endswith("may not use the control API")


@pytest.mark.parametrize("host", ["evil.example:4010", "127.0.0.1.evil.example", "localhost."])
@pytest.mark.parametrize(
    "browser_headers",
    [
        {"Origin": "http://{host}"},
        {"Sec-Fetch-Site": "same-origin"},
        {"Accept-Language": "en"},  # the only mark if the host name is insecure
        {"Referer": "http://{host}/"},
    ],
)
def test_dns_rebinding_returns_403(box: Box, host: str, browser_headers: dict[str, str]) -> None:
    """After rebinding, the browser considers the page and the mock to be the same origin."""
    headers = {name: value.format(host=host) for name, value in browser_headers.items()}
    refused = box.control.get("/requests", headers={"Host": host, **headers})
    assert refused.status_code == 403
    assert f"browsers may not use the control API as {host}" in refused.json()["detail"]


def test_samples_can_be_played_by_pages_of_any_origin(box: Box) -> None:
    """Provider responses contain the sample URL, and applications under test play it."""
    foreign = {"Origin": "http://localhost:3000", "Sec-Fetch-Site": "same-site"}
    (voice, *_) = box.http.get(LIST, headers=BEARER).json()
    played = box.http.get(voice["preview_audio_url"], headers=foreign)
    assert (played.status_code, played.headers["content-type"]) == (200, "audio/wav")


FOREIGN = [
    {"Origin": "https://evil.example"},
    {"Sec-Fetch-Site": "cross-site", "Accept-Language": "en"},
    {"Origin": "http://evil.example:4010", "Host": "evil.example:4010"},  # after DNS rebinding
]


def sandboxes(server: Server) -> Sequence[str]:
    return asyncio.run(server.mock.store.list_sandboxes())


@pytest.mark.parametrize("headers", FOREIGN)
@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("GET", "/__mockvoice/requests"),
        ("GET", "/__mockvoice/events"),
        ("GET", "/__mockvoice/health"),  # open to every page
        ("GET", "/__mockvoice/nowhere"),
        ("GET", "/__mockvoice/samples/aiff"),
        ("POST", "/__mockvoice/reset"),
        ("GET", "/retell/list-voices"),
        ("POST", "/retell/clone-voice"),
        ("GET", "/retell/nowhere"),
        ("PATCH", "/retell/list-voices"),
        ("GET", "/nowhere"),
    ],
)
def test_foreign_page_creates_and_evicts_no_sandbox(
    serve: Serve, headers: dict[str, str], method: str, path: str
) -> None:
    server = serve(max_sandboxes=2)
    with Box(server, "victim") as victim:
        victim.http.get(LIST, headers=BEARER)
        for number in range(5):
            url = f"{server.url}/~page{number}{path}"
            assert httpx.request(method, url, headers=headers).status_code < 500
        assert sandboxes(server) == ["", "victim"]
        assert len(victim.requests()) == 1


@pytest.mark.parametrize("headers", FOREIGN)
def test_rejected_form_of_a_foreign_page_is_not_recorded(box: Box, headers: dict[str, str]) -> None:
    form = {"voice_name": "n", "voice_provider": "elevenlabs"}
    response = box.http.post("/retell/clone-voice", data=form, headers=headers)
    assert response.status_code == 401
    assert "x-mockvoice-request" not in response.headers
    assert box.requests() == []
    assert box.control.get("/requests/counts").json()["counts"] == []


def test_accepted_request_of_a_foreign_page_is_recorded(box: Box) -> None:
    """A development server that forwards requests also forwards Origin."""
    response = box.http.get(LIST, headers={**BEARER, "Origin": "http://localhost:5173"})
    assert response.status_code == 200
    assert len(box.requests()) == 1

"""Browser requests to the control API: same-origin pages only."""

from __future__ import annotations

import pytest

from ..conftest import Box

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
    for method, path in [("GET", "/requests"), ("POST", "/reset"), ("DELETE", "/voices")]:
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

"""The inspector in a browser, by role and name."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack
from typing import Any

import httpx
import pytest
from playwright.sync_api import Browser, Page, expect, sync_playwright

from mockvoice.http.server import Server, bind

from ..conftest import Serve
from ..require import program
from ..state.serializing import make_mock

pytestmark = pytest.mark.slow  # a browser

KEY = {"Authorization": "Bearer K"}
UPLOAD = "/telnyx/v2/voice_clones/from_upload"
ARGUMENTS = ["--no-sandbox", "--disable-gpu", "--disable-background-networking"]


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    path = program("chromium")
    with sync_playwright() as playwright:
        with playwright.chromium.launch(executable_path=path, args=ARGUMENTS) as browser:
            yield browser


@pytest.fixture
def serve() -> Iterator[Serve]:
    """Function that starts a server; Playwright's event loop permits no other in this thread."""
    with ExitStack() as stack:

        def start(**settings: Any) -> Server:
            server = stack.enter_context(Server(make_mock(**settings), bind("127.0.0.1", 0)))
            stack.callback(check_internal_errors, server.url, settings)
            return server

        yield start


def check_internal_errors(url: str, settings: dict[str, Any]) -> None:
    headers = {"Authorization": f"Bearer {settings.get('control_token', 'none')}"}
    verified = httpx.get(f"{url}/__mockvoice/verification", headers=headers).json()
    assert verified["requests"] == []


@pytest.fixture
def server(serve: Serve) -> Server:
    return serve()


@pytest.fixture
def page(browser: Browser, server: Server) -> Iterator[Page]:
    """Page of the inspector; no script fails on it, and the CSP blocks nothing."""
    with browser.new_context() as context:
        page = context.new_page()
        problems: list[str] = []
        page.on("pageerror", lambda error: problems.append(str(error)))
        page.on(
            "console",
            lambda message: (
                problems.append(message.text) if "Content Security" in message.text else None
            ),
        )
        page.goto(server.url)
        expect(page.get_by_text("Live", exact=True)).to_be_visible()
        yield page
        assert not problems


def upload(server: Server, name: str | None, file: bytes = b"") -> None:
    content = file or httpx.get(f"{server.url}/__mockvoice/samples/wav?seconds=1").content
    data = {"language": "en"} | ({"name": name} if name else {})
    files = {"audio_file": ("a.wav", content)}
    httpx.post(server.url + UPLOAD, headers=KEY, files=files, data=data)


def open_newest(page: Page) -> None:
    page.get_by_role("listbox", name="Requests").get_by_role("option").first.click()


def test_first_command_is_shown_and_request_appears_within_a_second(
    page: Page, server: Server
) -> None:
    expect(page.get_by_text("curl -H")).to_be_visible()
    httpx.get(f"{server.url}/retell/list-voices", headers=KEY)
    row = page.get_by_role("option", name="listVoices")
    expect(row).to_be_visible(timeout=1000)


def test_violation_appears_at_its_field(page: Page, server: Server) -> None:
    upload(server, None)
    open_newest(page)
    field = page.locator(".field", has=page.get_by_text("name", exact=True)).first
    expect(field).to_contain_text("missing")
    expect(field).to_contain_text("name is required")


def test_fault_is_added_fires_and_counts(page: Page, server: Server) -> None:
    page.get_by_role("button", name="Faults").click()
    page.get_by_role("spinbutton", name="status").fill("503")
    page.get_by_role("button", name="Add fault").click()
    expect(page.get_by_role("button", name="Remove fault_1")).to_be_visible()
    assert httpx.get(f"{server.url}/retell/list-voices", headers=KEY).status_code == 503
    expect(page.get_by_role("row", name="fault_1").get_by_role("cell").nth(2)).to_have_text("1")
    page.get_by_role("button", name="Remove fault_1").click()
    expect(page.get_by_text("No faults.")).to_be_visible()
    assert httpx.get(f"{server.url}/retell/list-voices", headers=KEY).status_code == 200


def test_invalid_fault_is_explained(page: Page) -> None:
    page.get_by_role("button", name="Faults").click()
    page.get_by_role("spinbutton", name="status").fill("7")
    page.get_by_role("button", name="Add fault").click()
    expect(page.get_by_role("alert")).to_contain_text("status must be at least 400")


def test_uploaded_sample_plays(page: Page, server: Server) -> None:
    upload(server, "narrator")
    open_newest(page)
    page.get_by_role("button", name="Listen").click()
    expect(page.get_by_role("img", name="Waveform of a.wav")).to_be_visible()
    seconds = page.locator("audio").evaluate(
        "player => { player.muted = true; return player.play().then(() => player.duration) }"
    )
    assert seconds == pytest.approx(1, abs=0.05)


def test_markup_in_a_name_stays_text(page: Page, server: Server) -> None:
    name = "<img src=x onerror=alert(1)>"
    upload(server, name)
    open_newest(page)
    expect(page.get_by_text(name, exact=True)).to_be_visible()
    page.get_by_role("button", name="State").click()
    expect(page.get_by_text(name, exact=True).first).to_be_visible()
    assert page.locator("img[src=x]").count() == 0


def test_second_tab_notices_a_reset(page: Page, server: Server) -> None:
    httpx.get(f"{server.url}/retell/list-voices", headers=KEY)
    other = page.context.new_page()
    other.goto(server.url)
    expect(other.get_by_role("option", name="listVoices")).to_be_visible()
    page.get_by_role("button", name="State").click()
    page.get_by_role("button", name="Reset", exact=True).click()
    page.get_by_role("dialog").get_by_role("button", name="Reset").click()
    expect(other.get_by_role("heading", name="No requests yet")).to_be_visible()


def test_filters_are_kept_in_the_url(page: Page, server: Server) -> None:
    httpx.get(f"{server.url}/retell/list-voices", headers=KEY)
    httpx.get(f"{server.url}/retell/list-voices")
    page.get_by_label("Status", exact=True).select_option("4xx")
    expect(page.get_by_text("1 request", exact=True)).to_be_visible()
    page.reload()
    expect(page.get_by_text("1 request", exact=True)).to_be_visible()


def test_page_asks_for_the_control_token(browser: Browser, serve: Serve) -> None:
    with browser.new_context() as context:
        page = context.new_page()
        page.goto(serve(control_token="secret").url)
        page.get_by_label("Control token").fill("secret")
        page.get_by_role("button", name="Continue").click()
        expect(page.get_by_text("Live", exact=True)).to_be_visible()


@pytest.mark.parametrize("view", ["Requests", "Faults", "State", "Learn"])
def test_page_fits_320_pixels(page: Page, view: str) -> None:
    page.set_viewport_size({"width": 320, "height": 700})
    page.get_by_role("button", name=view, exact=True).click()
    expect(page.get_by_role("button", name=view, exact=True)).to_have_attribute(
        "aria-current", "page"
    )
    assert page.evaluate("document.documentElement.scrollWidth") <= 320

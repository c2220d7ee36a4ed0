"""A browser, and the inspector in it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from typing import Any

import httpx
import pytest
from playwright.sync_api import Browser, BrowserContext, Page, expect, sync_playwright

from mockvoice.http.server import Server, bind

from ..conftest import Serve
from ..require import program
from ..state.serializing import make_mock

FOREIGN_HOST = "attacker.example"
ARGUMENTS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-background-networking",
    f"--host-resolver-rules=MAP {FOREIGN_HOST} 127.0.0.1",
]
Open = Callable[..., Page]


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


@contextmanager
def checked(context: BrowserContext) -> Iterator[list[str]]:
    """Fail for scripts that fail in any page, and for what the CSP blocks."""
    problems: list[str] = []

    def watch(page: Page) -> None:
        page.on("pageerror", lambda error: problems.append(str(error)))
        page.on(
            "console",
            lambda message: (
                problems.append(message.text) if "Content Security" in message.text else None
            ),
        )

    context.on("page", watch)
    yield problems
    assert not problems


@pytest.fixture
def open_page(browser: Browser) -> Iterator[Open]:
    """Function that opens the inspector of a server in a context of its own."""
    with ExitStack() as stack:

        def open(server: Server, path: str = "/", **options: Any) -> Page:
            context = stack.enter_context(browser.new_context(**options))
            stack.enter_context(checked(context))
            page = context.new_page()
            page.goto(f"{server.url}{path}")
            return page

        yield open


@pytest.fixture
def page(open_page: Open, server: Server) -> Page:
    """Page of the inspector, which receives events."""
    page = open_page(server)
    expect(page.get_by_text("Live", exact=True)).to_be_visible()
    return page

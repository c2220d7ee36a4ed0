"""Pages of other origins can do nothing with the inspector."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import httpx
import pytest
from playwright.sync_api import Browser, Error, Page, expect

from mockvoice.http.server import Server

from .actions import list_voices, upload
from .conftest import FOREIGN_HOST, Open

pytestmark = pytest.mark.slow  # a browser

FAULT = '{"kind": "reset"}'
READ = """async (url) => {
  try {
    return await (await fetch(url)).text();
  } catch (error) {
    return "failed: " + error.name;
  }
}"""
SEND = """async ([url, method, body]) => {
  const mode = "no-cors";
  return await fetch(url, {method, body, mode}).then((response) => response.type, () => "failed");
}"""
FOLLOW = """(url) => new Promise((resolve) => {
  const events = new EventSource(url);
  events.onerror = () => { events.close(); resolve("failed"); };
  events.onopen = events.onmessage = () => resolve("open");
})"""
IMPORT = "(url) => import(url).then(() => 'loaded', () => 'failed')"
EMBED = """(url) => new Promise((resolve) => {
  const frame = document.createElement("iframe");
  frame.onload = () => resolve(frame.contentDocument ? "readable" : "opaque");
  frame.src = url;
  document.body.append(frame);
})"""
SUBMIT = """(url) => {
  const form = document.createElement("form");
  const input = document.createElement("input");
  Object.assign(form, {method: "POST", action: url, enctype: "text/plain"});
  Object.assign(input, {name: '{"kind": "reset", "a', value: '": 1}'});
  form.append(input);
  document.body.append(form);
  form.submit();
}"""


class ForeignPage(BaseHTTPRequestHandler):
    """A page of another origin, which anybody could make."""

    def do_GET(self) -> None:
        self.send_response(200)
        self.send_header("content-type", "text/html")
        self.end_headers()
        self.wfile.write(b"<!doctype html><title>foreign</title><body>")

    def log_message(self, *arguments: Any) -> None:
        """Print nothing."""


@pytest.fixture
def foreign(browser: Browser) -> Iterator[Page]:
    """Page of another origin."""
    with ThreadingHTTPServer(("127.0.0.1", 0), ForeignPage) as other:
        thread = threading.Thread(target=other.serve_forever)
        thread.start()
        with browser.new_context() as context:
            page = context.new_page()
            page.goto(f"http://localhost:{other.server_port}/")
            yield page
        other.shutdown()
        thread.join()


def faults(server: Server) -> Any:
    return httpx.get(f"{server.url}/__mockvoice/faults").json()["faults"]


@pytest.mark.parametrize("path", ["requests", "voices", "accounts", "export", "sandboxes"])
def test_foreign_page_reads_nothing(foreign: Page, server: Server, path: str) -> None:
    upload(server, "secret")
    assert foreign.evaluate(READ, f"{server.url}/__mockvoice/{path}") == "failed: TypeError"


def test_foreign_page_gets_no_events(foreign: Page, server: Server) -> None:
    list_voices(server)
    url = f"{server.url}/__mockvoice/events?after=0&sandbox=*"
    assert foreign.evaluate(FOLLOW, url) == "failed"


@pytest.mark.parametrize(
    ("path", "method", "body"),
    [("faults", "POST", FAULT), ("reset", "POST", None), ("clock", "POST", '{"advance": 9}')],
)
def test_foreign_page_changes_nothing(
    foreign: Page, server: Server, path: str, method: str, body: str | None
) -> None:
    list_voices(server)
    clock = httpx.post(f"{server.url}/__mockvoice/clock", json={"freeze": True}).json()
    url = f"{server.url}/__mockvoice/{path}"
    assert foreign.evaluate(SEND, [url, method, body]) == "opaque"  # sent, and rejected
    assert foreign.evaluate(SEND, [url, "DELETE", None]) == "failed"
    with suppress(Error), foreign.expect_navigation():
        foreign.evaluate(SUBMIT, url)
    assert faults(server) == []
    entries = httpx.get(f"{server.url}/__mockvoice/requests").json()["requests"]
    assert [entry["operation"] for entry in entries] == ["listVoices"]
    assert httpx.get(f"{server.url}/__mockvoice/clock").json() == clock


def test_foreign_page_cannot_embed_the_inspector(foreign: Page, server: Server) -> None:
    refused: list[str] = []
    foreign.on("console", lambda message: refused.append(message.text))
    assert foreign.evaluate(EMBED, f"{server.url}/__mockvoice/") == "opaque"
    assert any("frame-ancestors" in text for text in refused)
    assert foreign.evaluate(IMPORT, f"{server.url}/__mockvoice/inspector/api.js") == "failed"


def test_host_of_the_internet_shows_the_page_but_no_data(open_page: Open, server: Server) -> None:
    """After DNS rebinding, a foreign page has the origin of the mock."""
    list_voices(server)
    port = server.url.rpartition(":")[2]
    page = open_page(server)
    page.goto(f"http://{FOREIGN_HOST}:{port}/")
    expect(page.get_by_text("Reconnecting", exact=True)).to_be_visible()
    assert "may not use the control API" in (
        page.locator("#connection").get_attribute("title") or ""
    )
    expect(page.get_by_role("heading", name="No requests yet")).to_be_visible()
    url = f"http://{FOREIGN_HOST}:{port}/__mockvoice"
    assert page.evaluate(READ, f"{url}/requests") != ""
    assert "retell" not in page.evaluate(READ, f"{url}/requests")


def test_inspector_off_shows_no_page(browser: Browser, serve: Any) -> None:
    with browser.new_context() as context:
        page = context.new_page()
        response = page.goto(serve(inspector="off").url)
        assert response
        assert response.status == 404
        assert "inspector" not in page.content()

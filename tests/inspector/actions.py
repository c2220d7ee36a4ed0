"""Actions that the tests of the inspector share."""

from __future__ import annotations

import time

import httpx
from playwright.sync_api import Page, expect

from mockvoice.http.server import Server

KEY = {"Authorization": "Bearer K"}
UPLOAD = "/telnyx/v2/voice_clones/from_upload"


def sample(server: Server, seconds: float = 1) -> bytes:
    return httpx.get(f"{server.url}/__mockvoice/samples/wav?seconds={seconds}").content


def upload(server: Server, name: str | None, file: bytes = b"") -> httpx.Response:
    data = {"language": "en"} | ({"name": name} if name else {})
    files = {"audio_file": ("a.wav", file or sample(server))}
    return httpx.post(server.url + UPLOAD, headers=KEY, files=files, data=data)


def list_voices(server: Server, times: int = 1, sandbox: str = "") -> None:
    prefix = f"/~{sandbox}" if sandbox else ""
    for _ in range(times):
        httpx.get(f"{server.url}{prefix}/retell/list-voices", headers=KEY)


def open_newest(page: Page) -> None:
    """Open the newest request of the sandbox of the page, once the list has it."""
    journal = f"{page.url.partition('/__mockvoice')[0]}/__mockvoice/requests"
    newest = httpx.get(journal).json()["requests"][-1]["id"]
    article = page.get_by_role("article", name=f"Request {newest}", exact=True)
    deadline = time.monotonic() + 20
    while not article.is_visible() and time.monotonic() < deadline:
        page.get_by_role("listbox", name="Requests").get_by_role("option").first.click()
    expect(article).to_be_visible()


def show(page: Page, view: str) -> None:
    """Open a view: Requests, Faults, State or Learn."""
    link = page.get_by_role("link", name=view, exact=True)
    link.click()
    expect(link).to_have_attribute("aria-current", "page")

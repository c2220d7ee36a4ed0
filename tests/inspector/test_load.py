"""The inspector with many requests."""

from __future__ import annotations

import http.client
import statistics
import threading
import time
from urllib.parse import urlsplit

import pytest
from playwright.sync_api import Page, expect

from mockvoice.http.server import Server

from ..conftest import Serve
from ..state.requests import begin
from .actions import show
from .conftest import Open

pytestmark = pytest.mark.slow  # a browser

# Scrolls through the whole list; returns the milliseconds between frames.
SCROLL = """async (list) => {
  const frames = [];
  let before = performance.now();
  for (let step = 0; step <= 60; step += 1) {
    list.scrollTop = (list.scrollHeight - list.clientHeight) * step / 60;
    await new Promise(requestAnimationFrame);
    frames.push(performance.now() - before);
    before = performance.now();
  }
  return frames;
}"""
# Counts how often the page shows another number of requests.
COUNT_UPDATES = """(element) => {
  window.updates = 0;
  new MutationObserver(() => { window.updates += 1; }).observe(element, {childList: true});
}"""


def send_many(server: Server, total: int, connections: int = 4) -> float:
    """Send requests as fast as possible; return their number per second."""

    def client() -> None:
        connection = http.client.HTTPConnection(urlsplit(server.url).netloc)
        for _ in range(total // connections):
            connection.request("GET", "/retell/list-voices", headers={"Authorization": "Bearer K"})
            connection.getresponse().read()
        connection.close()

    threads = [threading.Thread(target=client) for _ in range(connections)]
    started = time.perf_counter()
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return total / (time.perf_counter() - started)


def fill(server: Server, total: int) -> None:
    for number in range(total):
        begin(server.mock.store).commit(status=200 if number % 2 else 404, milliseconds=1.0)


@pytest.mark.memory
def test_ten_thousand_requests_scroll_smoothly(open_page: Open, serve: Serve) -> None:
    server = serve(max_requests=11_000, journal_mb=64)
    filling = threading.Thread(target=fill, args=(server, 11_000))  # with event loops of its own
    filling.start()
    filling.join()
    page = open_page(server)
    count = page.locator(".count")
    expect(count).to_have_text("10,500 requests", timeout=30_000)  # the bound of the page
    listbox = page.get_by_role("listbox", name="Requests")
    frames = listbox.evaluate(SCROLL)
    assert statistics.median(frames) < 100  # 17 on an idle machine
    assert page.locator(".row").count() < 60
    listbox.press("End")
    expect(listbox.get_by_role("option", selected=True)).to_contain_text("POST /clone")
    page.get_by_label("Status", exact=True).select_option("4xx")
    expect(count).to_have_text("5,250 requests")


def test_page_follows_hundreds_of_requests_per_second(open_page: Open, serve: Serve) -> None:
    server = serve(max_requests=10_000, journal_mb=64)
    page = open_page(server)
    send_many(server, 4)
    count = page.locator(".count")
    expect(count).to_have_text("4 requests")
    count.evaluate(COUNT_UPDATES)
    rate = send_many(server, 2_000)
    expect(count).to_have_text("2,004 requests", timeout=15_000)
    updates = page.evaluate("window.updates")
    assert updates < 2_000 / rate / 0.05 + 60  # at most one in 60 milliseconds
    page.get_by_role("listbox", name="Requests").get_by_role("option").nth(2).click()
    expect(page.get_by_role("article")).to_be_visible()


def test_page_stays_usable_during_load(open_page: Open, serve: Serve) -> None:
    server = serve(max_requests=10_000, journal_mb=64)
    page = open_page(server)
    load = threading.Thread(target=send_many, args=(server, 3_000))
    send_many(server, 4)
    expect(page.get_by_role("listbox", name="Requests")).to_be_visible()
    load.start()
    click_first(page)
    show(page, "Faults")
    show(page, "Requests")
    load.join()
    expect(page.locator(".count")).to_have_text("3,004 requests", timeout=15_000)


def click_first(page: Page) -> None:
    """Select a row although the list changes between the press and the release."""
    box = page.get_by_role("listbox", name="Requests").bounding_box()
    assert box
    page.mouse.move(box["x"] + 100, box["y"] + 20)
    page.mouse.down()
    page.mouse.up()
    expect(page.get_by_role("article")).to_be_visible()

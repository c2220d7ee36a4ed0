"""The inspector in a browser, by role and name."""

from __future__ import annotations

import httpx
import pytest
from playwright.sync_api import Page, expect

from mockvoice.http.server import Server, bind

from ..conftest import Serve
from ..http.sockets import opened, receive_frames, say, socket_url
from ..state.serializing import make_mock
from .actions import KEY, list_voices, open_newest, show, upload
from .conftest import Open

pytestmark = pytest.mark.slow  # a browser


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
    show(page, "Faults")
    page.get_by_role("spinbutton", name="status").fill("503")
    page.get_by_role("button", name="Add fault").click()
    expect(page.get_by_role("button", name="Remove fault_1")).to_be_visible()
    assert httpx.get(f"{server.url}/retell/list-voices", headers=KEY).status_code == 503
    expect(page.get_by_role("row", name="fault_1").get_by_role("cell").nth(2)).to_have_text("1")
    page.get_by_role("button", name="Remove fault_1").click()
    expect(page.get_by_text("No faults.")).to_be_visible()
    assert httpx.get(f"{server.url}/retell/list-voices", headers=KEY).status_code == 200


def test_invalid_fault_is_explained(page: Page) -> None:
    show(page, "Faults")
    page.get_by_role("spinbutton", name="status").fill("7")
    page.get_by_role("button", name="Add fault").click()
    explained = page.get_by_role("alert").filter(has_text="status must be at least 400")
    expect(explained).to_be_visible()


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
    show(page, "State")
    expect(page.get_by_text(name, exact=True).first).to_be_visible()
    assert page.locator("img[src=x]").count() == 0


def test_second_tab_notices_a_reset(page: Page, server: Server) -> None:
    httpx.get(f"{server.url}/retell/list-voices", headers=KEY)
    other = page.context.new_page()
    other.goto(server.url)
    expect(other.get_by_role("option", name="listVoices")).to_be_visible()
    show(page, "State")
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


def test_page_asks_for_the_control_token_until_it_is_right(open_page: Open, serve: Serve) -> None:
    page = open_page(serve(control_token="secret"))
    for token in ("wrong", "secret"):
        page.get_by_role("textbox", name="Control token").fill(token)
        page.get_by_role("button", name="Continue").click()
        if token == "wrong":
            expect(page.get_by_role("alert")).to_have_text("The server does not accept this token.")
    expect(page.get_by_text("Live", exact=True)).to_be_visible()


@pytest.mark.parametrize("view", ["Requests", "Faults", "State", "Learn"])
def test_page_fits_320_pixels(page: Page, server: Server, view: str) -> None:
    upload(server, None)
    page.set_viewport_size({"width": 320, "height": 700})
    show(page, view)
    assert page.evaluate("document.documentElement.scrollWidth") <= 320
    if view == "Requests":
        open_newest(page)
        expect(page.get_by_role("article")).to_be_visible()
        assert page.evaluate("document.querySelector('.pane').scrollWidth") <= 320
        page.get_by_role("button", name="Back to the list").click()
        expect(page.get_by_role("listbox", name="Requests")).to_be_visible()


def test_websocket_has_its_frames(page: Page, server: Server) -> None:
    with opened(socket_url(server.url)) as socket:
        say(socket, " ", "Hello", "")
        receive_frames(socket)
    open_newest(page)
    frames = page.get_by_role("table")
    expect(frames.get_by_role("row").nth(1)).to_contain_text("client")
    expect(frames.get_by_text('"Hello"').first).to_be_attached()
    expect(page.get_by_text("Closed with 1000")).to_be_visible()
    expect(page.get_by_role("button", name="Copy as curl")).to_have_count(0)


# --- live ----------------------------------------------------------------------------------------


def test_tabs_stay_consistent_when_requests_follow_a_reset_at_once(
    page: Page, server: Server
) -> None:
    list_voices(server, 2)
    other = page.context.new_page()
    other.goto(server.url)
    for tab in (page, other):
        expect(tab.get_by_text("2 requests", exact=True)).to_be_visible()
    httpx.post(f"{server.url}/__mockvoice/reset")
    list_voices(server, 3)
    for tab in (page, other):
        expect(tab.get_by_text("3 requests", exact=True)).to_be_visible()


def test_restart_of_the_server_is_detected(open_page: Open, serve: Serve) -> None:
    with Server(make_mock(), bind("127.0.0.1", 0)) as first:
        page = open_page(first)
        list_voices(first, 2)
        expect(page.get_by_text("2 requests", exact=True)).to_be_visible()
        port = int(first.url.rpartition(":")[2])
    expect(page.get_by_text("Reconnecting", exact=True)).to_be_visible()
    with Server(make_mock(), bind("127.0.0.1", port)) as second:
        list_voices(second)
        expect(page.get_by_text("1 request", exact=True)).to_be_visible()
        expect(page.get_by_text("Live", exact=True)).to_be_visible()


def test_view_shows_the_contracts_of_a_restarted_server(open_page: Open) -> None:
    with Server(make_mock(), bind("127.0.0.1", 0)) as first:
        page = open_page(first)
        show(page, "Learn")
        expect(page.get_by_text("edition 2026-03-20")).to_be_visible()
        expect(page.get_by_text("Live", exact=True)).to_be_visible()
        port = int(first.url.rpartition(":")[2])
    with Server(make_mock(edition={"telnyx": "latest"}), bind("127.0.0.1", port)):
        expect(page.get_by_text("edition 2026-07-16")).to_be_visible()


def test_attempts_of_one_call_are_one_row(page: Page, server: Server) -> None:
    httpx.post(f"{server.url}/__mockvoice/faults", json=[503, "ok"])
    for attempt in ("0", "1"):
        headers = {**KEY, "x-stainless-retry-count": attempt}
        httpx.get(f"{server.url}/retell/list-voices", headers=headers)
    rows = page.get_by_role("listbox", name="Requests").get_by_role("option")
    expect(rows).to_have_count(1)
    expect(rows).to_contain_text("2 attempts")
    open_newest(page)
    attempts = page.get_by_role("navigation", name="Attempts of this call")
    attempts.get_by_role("button", name="Attempt 1 503").click()
    expect(page.get_by_role("article", name="Request request_1")).to_be_visible()
    expect(rows).to_have_attribute("aria-selected", "true")
    expect(page.get_by_text("fault_1 fired: status")).to_be_visible()


def test_client_problems_are_counted_in_one_line_and_filter_the_list(
    page: Page, server: Server
) -> None:
    fault = {"status": 429, "times": 1, "retry_after": 60}
    httpx.post(f"{server.url}/__mockvoice/faults", json=fault)
    list_voices(server, 2)
    httpx.get(f"{server.url}/v2/voice_clones", headers=KEY)
    httpx.post(f"{server.url}/__mockvoice/faults", json={"kind": "timeout", "times": 1})
    with pytest.raises(httpx.ReadTimeout):
        httpx.get(f"{server.url}/retell/list-voices", headers=KEY, timeout=0.1)
    problems = page.get_by_role("button", name="Client problems")
    for problem in ("retried before Retry-After (1)", "wrong base URL (1)", "hung up (1)"):
        expect(problems).to_contain_text(problem)
    expect(page.get_by_text("4 requests", exact=True)).to_be_visible()
    problems.click()
    expect(page.get_by_text("3 requests", exact=True)).to_be_visible()
    page.get_by_role("button", name="Clear filters").click()
    expect(page.get_by_text("4 requests", exact=True)).to_be_visible()


def test_violation_links_to_the_line_of_the_contract(open_page: Open, serve: Serve) -> None:
    server = serve(control_token="secret")
    page = open_page(server)
    page.get_by_role("textbox", name="Control token").fill("secret")
    page.get_by_role("button", name="Continue").click()
    expect(page.get_by_text("Live", exact=True)).to_be_visible()
    upload(server, None)
    page.get_by_role("listbox", name="Requests").get_by_role("option").click()
    page.get_by_role("link", name="VoiceCloneUploadRequest/required").click()
    line = page.locator(".line[aria-current]")
    expect(line).to_be_in_viewport()
    expect(line).to_contain_text("required:")
    headers = {"Authorization": "Bearer secret"}
    contract = httpx.get(f"{server.url}/__mockvoice/specs/telnyx", headers=headers).text.split("\n")
    number = int(line.get_attribute("data-line") or 0)
    above = [text for text in contract[:number] if text.startswith("    ") and text[4] != " "]
    assert above[-1].strip() == "VoiceCloneUploadRequest:"
    with page.expect_download() as download:
        page.get_by_role("button", name="Download").click()
    assert download.value.path().read_text(encoding="utf-8").split("\n") == contract
    page.go_back()
    expect(page.get_by_role("article")).to_be_visible()

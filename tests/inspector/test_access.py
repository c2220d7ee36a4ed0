"""The inspector with a keyboard and for screen readers."""

from __future__ import annotations

from typing import Literal

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Page, expect

from mockvoice.http.server import Server

from ..conftest import Serve
from .actions import list_voices, open_newest, show, upload
from .conftest import Open

pytestmark = pytest.mark.slow  # a browser


def check(page: Page) -> None:
    """Fail for violations of the rules of axe-core, which include contrast."""
    results = Axe().run(page)
    assert results.violations_count == 0, results.generate_report()


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [400, 1280])
def test_axe_finds_no_violations(
    open_page: Open, server: Server, scheme: Literal["light", "dark"], width: int
) -> None:
    page = open_page(server, color_scheme=scheme, viewport={"width": width, "height": 800})
    expect(page.get_by_role("heading", name="No requests yet")).to_be_visible()
    check(page)
    list_voices(server, 3, sandbox="box")
    upload(server, "narrator")
    upload(server, None, b"RIFF")
    expect(page.get_by_text("5 requests")).to_be_visible()
    check(page)
    open_newest(page)
    expect(page.get_by_role("article")).to_be_visible()
    check(page)
    page.get_by_role("link", name="VoiceCloneUploadRequest/required").first.click()
    expect(page.locator(".line[aria-current]")).to_be_visible()
    check(page)
    for view in ("Faults", "State", "Learn"):
        show(page, view)
        expect(page.locator(".card").first).to_be_visible()
        if view == "Faults":
            page.get_by_label("Shorthand", exact=True).fill("502")
            page.get_by_label("Shorthand", exact=True).press("Enter")
            page.get_by_role("radio", name="sequence").check()
            expect(page.get_by_role("button", name="Remove fault_1")).to_be_visible()
        check(page)
    show(page, "State")
    page.get_by_role("button", name="Reset", exact=True).click()
    expect(page.get_by_role("dialog")).to_be_visible()
    check(page)


def test_axe_finds_no_violations_in_the_dialog_for_the_token(open_page: Open, serve: Serve) -> None:
    page = open_page(serve(control_token="secret"))
    expect(page.get_by_role("dialog", name="Control token")).to_be_visible()
    check(page)


def test_page_is_used_with_the_keyboard_alone(page: Page, server: Server) -> None:
    list_voices(server, 30)
    listbox = page.get_by_role("listbox", name="Requests")
    expect(page.get_by_text("30 requests")).to_be_visible()
    page.keyboard.press("Tab")
    expect(page.get_by_role("link", name="Skip to content")).to_be_focused()
    page.keyboard.press("Enter")
    expect(page.locator("main")).to_be_focused()
    for _ in range(4):  # search, provider, status, list
        page.keyboard.press("Tab")
    expect(listbox).to_be_focused()
    for key, request in (
        ("ArrowDown", 30),
        ("ArrowDown", 29),
        ("End", 1),
        ("ArrowUp", 2),
        ("Home", 30),
    ):
        page.keyboard.press(key)
        selected = listbox.get_by_role("option", selected=True)
        expect(selected).to_be_in_viewport()
        active = listbox.get_attribute("aria-activedescendant")
        assert active == selected.get_attribute("id")
        expect(page.get_by_role("article", name=f"Request request_{request}")).to_be_visible()
    page.keyboard.press("Tab")
    expect(page.get_by_role("button", name="Copy as curl")).to_be_focused()
    page.keyboard.press("Enter")
    expect(page.get_by_role("status").filter(has_text="Copied")).to_be_visible()


def test_dialog_is_left_with_escape_and_changes_nothing(page: Page, server: Server) -> None:
    list_voices(server)
    show(page, "State")
    page.get_by_role("button", name="Reset", exact=True).press("Enter")
    expect(page.get_by_role("button", name="Cancel")).to_be_focused()
    page.keyboard.press("Escape")
    expect(page.get_by_role("dialog")).to_have_count(0)
    expect(page.get_by_role("button", name="Reset", exact=True)).to_be_focused()
    show(page, "Requests")
    expect(page.get_by_text("1 request", exact=True)).to_be_visible()


def test_focus_stays_when_the_content_is_refreshed(page: Page, server: Server) -> None:
    show(page, "Faults")
    page.get_by_label("Shorthand", exact=True).fill("502")
    page.get_by_label("Shorthand", exact=True).press("Enter")
    page.get_by_role("button", name="Remove fault_1").focus()
    list_voices(server)
    expect(page.get_by_role("row", name="fault_1").get_by_role("cell").nth(2)).to_have_text("1")
    expect(page.get_by_role("button", name="Remove fault_1")).to_be_focused()

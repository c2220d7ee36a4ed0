"""The views that control the mock and explain it, in a browser."""

from __future__ import annotations

from typing import Any

import httpx
import pytest
import yaml
from playwright.sync_api import Page, expect

from mockvoice.http.server import Server
from mockvoice.provider import SPECS

from .actions import KEY, list_voices, show, upload
from .conftest import Open

pytestmark = pytest.mark.slow  # a browser


def control(server: Server, path: str, sandbox: str = "") -> Any:
    prefix = f"/~{sandbox}" if sandbox else ""
    return httpx.get(f"{server.url}{prefix}/__mockvoice/{path}").json()


def faults(server: Server, sandbox: str = "") -> list[Any]:
    return [
        {name: fault[name] for name in fault if name not in ("id", "hits", "matched")}
        for fault in control(server, "faults", sandbox)["faults"]
    ]


@pytest.mark.parametrize(
    ("shorthand", "fault"),
    [
        ("502", {"status": 502}),
        ("reset", {"kind": "reset"}),
        ('[503, "reset", "ok"]', {"sequence": [{"status": 503}, {"kind": "reset"}, "ok"]}),
        ('{"kind": "delay", "seconds": 2}', {"kind": "delay", "seconds": 2}),
    ],
)
def test_shorthand_adds_a_fault(page: Page, server: Server, shorthand: str, fault: Any) -> None:
    show(page, "Faults")
    page.get_by_label("Shorthand", exact=True).fill(shorthand)
    page.get_by_label("Shorthand", exact=True).press("Enter")
    expect(page.get_by_role("button", name="Remove fault_1")).to_be_visible()
    assert faults(server) == [fault]


@pytest.mark.parametrize(("shorthand", "message"), [("", "Enter a shorthand"), ("[5", "JSON")])
def test_invalid_shorthand_is_explained(page: Page, shorthand: str, message: str) -> None:
    show(page, "Faults")
    page.get_by_label("Shorthand", exact=True).fill(shorthand)
    page.get_by_role("button", name="Add shorthand").click()
    expect(page.get_by_role("alert").filter(has_text=message)).to_be_visible()


def test_sequence_is_added_step_by_step(page: Page, server: Server) -> None:
    show(page, "Faults")
    page.get_by_role("radio", name="sequence").check()
    page.get_by_label("provider", exact=True).select_option("retell")
    page.get_by_role("button", name="Add step").click()
    page.get_by_label("Outcome of request 3").fill("empty")
    page.get_by_role("listitem").first.get_by_role("button", name="Remove").click()
    page.get_by_role("button", name="Add fault").click()
    expect(page.get_by_role("button", name="Remove fault_1")).to_be_visible()
    assert faults(server) == [{"provider": "retell", "sequence": ["ok", {"kind": "empty"}]}]


def test_form_has_every_field_of_a_fault(page: Page, server: Server) -> None:
    show(page, "Faults")
    schema = yaml.safe_load((SPECS / "mockvoice.yaml").read_text(encoding="utf-8"))
    missing = {*schema["components"]["schemas"]["Fault"]["properties"]} - {"kind"}
    for kind in page.get_by_role("radio").all():
        kind.check()
        shown = page.locator(".form-fields label").all_inner_texts()
        assert len(shown) == len({*shown})
        missing -= {*shown}
    assert not missing


def test_control_views_show_and_change_the_selected_sandbox(
    open_page: Open, server: Server
) -> None:
    list_voices(server, sandbox="box")
    page = open_page(server)
    sandbox = page.get_by_role("combobox", name="Sandbox", exact=True)
    expect(sandbox.locator("option:checked")).to_have_text("All sandboxes")
    show(page, "Faults")
    expect(sandbox.locator("option:checked")).to_have_text("default")
    assert "All sandboxes" not in sandbox.inner_text()
    sandbox.select_option("box")
    expect(page.get_by_role("heading", name="Faults of the sandbox box")).to_be_visible()
    page.get_by_label("Shorthand", exact=True).fill("502")
    page.get_by_role("button", name="Add shorthand").click()
    expect(page.get_by_role("button", name="Remove fault_1")).to_be_visible()
    assert (faults(server), faults(server, "box")) == ([], [{"status": 502}])


def test_sandbox_is_opened_and_deleted(page: Page, server: Server) -> None:
    show(page, "State")
    page.get_by_label("Open a sandbox").fill("mine")
    page.get_by_role("button", name="Open").click()
    expect(page.get_by_role("heading", name="Clock of the sandbox mine")).to_be_visible()
    page.get_by_role("button", name="Delete mine").click()
    page.get_by_role("dialog").get_by_role("button", name="Delete").click()
    expect(page.get_by_role("heading", name="Clock of the default sandbox")).to_be_visible()
    expect(page.get_by_text("Sandbox deleted")).to_be_visible()
    assert [box["name"] for box in control(server, "sandboxes")["sandboxes"]] == [""]


def test_page_reads_nothing_of_a_sandbox_that_it_deletes(page: Page, server: Server) -> None:
    """A read would create the sandbox again."""
    show(page, "State")
    page.get_by_label("Open a sandbox").fill("mine")
    page.get_by_role("button", name="Open").click()
    page.get_by_role("button", name="Delete mine").click()
    sent: list[str] = []
    page.on("request", lambda request: sent.append(f"{request.method} {request.url}"))
    list_voices(server)  # the page refreshes what it shows
    page.get_by_role("dialog").get_by_role("button", name="Delete").click()
    expect(page.get_by_role("heading", name="Clock of the default sandbox")).to_be_visible()
    with page.expect_response(f"{server.url}/__mockvoice/clock"):
        list_voices(server)
    deletion = sent.index(f"DELETE {server.url}/__mockvoice/sandboxes/mine")
    assert not [line for line in sent[deletion:] if "/~mine/" in line]


def test_clock_is_frozen_advanced_and_run(page: Page, server: Server) -> None:
    show(page, "State")
    page.get_by_label("Freeze at").fill("2026-01-31T12:00:00Z")
    page.get_by_role("button", name="Freeze").click()
    expect(page.get_by_text("2026-01-31T12:00:00")).to_be_visible()
    page.get_by_label("Seconds", exact=True).fill("90")
    page.get_by_role("button", name="Advance").click()
    expect(page.get_by_text("2026-01-31T12:01:30")).to_be_visible()
    expect(page.get_by_text("frozen", exact=True)).to_be_visible()
    page.get_by_role("button", name="Run").click()
    expect(page.get_by_text("running", exact=True)).to_be_visible()
    assert not control(server, "clock")["frozen"]


def test_account_is_changed(page: Page, server: Server) -> None:
    show(page, "State")
    page.get_by_label("Provider of the account").select_option("supertone")
    page.get_by_label("API key", exact=True).fill("K")
    page.get_by_label("credit", exact=True).fill("12")
    page.get_by_role("button", name="Save account").click()
    expect(page.get_by_role("cell", name="12", exact=True)).to_be_visible()
    assert control(server, "accounts/supertone/K")["credit"] == 12


def test_voice_is_added_played_and_deleted(page: Page, server: Server) -> None:
    show(page, "State")
    page.get_by_label("Provider of the voice").select_option("retell")
    page.get_by_label("Data", exact=True).fill('{"voice_name": "Ada"}')
    page.get_by_role("button", name="Add voice").click()
    player = page.get_by_label("Sample of Ada")
    expect(player).to_be_visible()
    seconds = player.evaluate(
        "player => { player.muted = true; return player.play().then(() => player.duration) }"
    )
    assert seconds > 1
    page.get_by_role("button", name="Delete Ada").click()
    page.get_by_role("dialog").get_by_role("button", name="Delete").click()
    expect(page.get_by_text("No voices were cloned or added yet.")).to_be_visible()
    assert control(server, "voices")["voices"] == []


def test_preset_is_deleted(page: Page, server: Server) -> None:
    show(page, "State")
    page.get_by_label("Presets").check()
    page.get_by_role("button", name="Delete Layla").click()
    page.get_by_role("dialog").get_by_role("button", name="Delete").click()
    expect(page.get_by_role("button", name="Delete Layla")).to_have_count(0)
    voices = httpx.get(f"{server.url}/faseeh/api/v1/voices", headers={"x-api-key": "K"}).json()
    assert "Layla" not in [voice["name"] for voice in voices]


def test_invalid_voice_is_explained(page: Page) -> None:
    show(page, "State")
    page.get_by_label("Provider of the voice").select_option("retell")
    page.get_by_label("Data", exact=True).fill('{"gender": "robot"}')
    page.get_by_role("button", name="Add voice").click()
    expect(page.get_by_role("status").filter(has_text="gender must be")).to_be_visible()


def test_state_and_coverage_follow_requests(page: Page, server: Server) -> None:
    show(page, "State")
    page.get_by_label("API key", exact=True).fill("half-typed")
    upload(server, "narrator")
    expect(page.get_by_label("Sample of narrator")).to_be_visible()
    expect(page.get_by_role("cell", name="telnyx", exact=True)).to_be_visible()
    expect(page.get_by_label("API key", exact=True)).to_have_value("half-typed")
    show(page, "Learn")
    telnyx = page.get_by_role("row", name="createVoiceCloneFromUpload")
    expect(telnyx.get_by_text("1", exact=True)).to_be_visible()
    upload(server, "narrator")
    expect(telnyx.get_by_text("2", exact=True)).to_be_visible()


def test_state_follows_changes_through_the_control_api(page: Page, server: Server) -> None:
    show(page, "State")
    httpx.post(f"{server.url}/__mockvoice/voices", json={"provider": "retell", "id": "v1"})
    expect(page.get_by_text("retell · voices · v1 · every key")).to_be_visible()


def test_learn_view_has_urls_samples_contracts_and_documentation(
    page: Page, server: Server
) -> None:
    show(page, "Learn")
    expect(page.get_by_text(f"{server.url}/retell", exact=True)).to_be_visible()
    expect(page.get_by_text(f"export TELNYX_BASE_URL={server.url}/telnyx/v2")).to_be_visible()
    with page.expect_download() as download:
        page.get_by_role("button", name="sample.flac").click()
    assert download.value.path().read_bytes()[:4] == b"fLaC"
    version = control(server, "health")["version"]
    link = page.get_by_role("link", name="Test your code")
    url = f"https://github.com/mockvoice/mockvoice/blob/v{version}/docs/testing.md"
    expect(link).to_have_attribute("href", url)
    page.get_by_role("link", name="Contract of Retell").click()
    expect(page.get_by_role("heading", name="Contract of retell")).to_be_visible()
    expect(page.get_by_text("openapi: 3")).to_be_visible()


def test_deleted_clone_is_unknown_to_the_provider(page: Page, server: Server) -> None:
    id = upload(server, "narrator").json()["data"]["id"]
    show(page, "State")
    page.get_by_role("button", name="Delete narrator").click()
    page.get_by_role("dialog").get_by_role("button", name="Delete").click()
    expect(page.get_by_text("No voices were cloned or added yet.")).to_be_visible()
    gone = httpx.get(f"{server.url}/telnyx/v2/voice_clones/{id}", headers=KEY)
    assert gone.status_code == 404

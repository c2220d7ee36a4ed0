"""The copies of a request, run: a curl command, and a test."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from contextlib import suppress
from pathlib import Path
from typing import Any

import httpx
import pytest
from playwright.sync_api import Page, expect

from mockvoice.http.server import Server

from ..conftest import Serve
from ..require import program
from .actions import KEY, UPLOAD, list_voices, open_newest, sample, upload
from .conftest import Open

pytestmark = pytest.mark.slow  # a browser


def copied(page: Page, label: str) -> str:
    """Return what a button copies."""
    page.context.grant_permissions(["clipboard-read", "clipboard-write"])
    page.locator("#toast").evaluate("toast => toast.textContent = ''")  # of an earlier copy
    page.get_by_role("button", name=label).click()
    expect(page.get_by_role("status").filter(has_text="Copied")).to_be_visible()
    return str(page.evaluate("navigator.clipboard.readText()"))


def run_copied_test(page: Page, folder: Path) -> str:
    """Copy the newest request as a test, and run it; return its text."""
    open_newest(page)
    text = copied(page, "Copy as pytest")
    (folder / "test_copied.py").write_text(text)
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    command = [sys.executable, "-m", "pytest", "-p", "no:cacheprovider", "-q", "test_copied.py"]
    result = subprocess.run(
        command, check=False, cwd=folder, env=environment, capture_output=True, text=True
    )
    assert result.returncode == 0, f"{text}\n{result.stdout}{result.stderr}"
    assert "1 passed" in result.stdout
    return text


def send(server: Server, method: str, path: str, **options: Any) -> None:
    httpx.request(method, server.url + path, headers=KEY, **options)


def test_pytest_copy_of_an_upload_passes(page: Page, server: Server, tmp_path: Path) -> None:
    upload(server, "na\"rr'ätor\n")
    text = run_copied_test(page, tmp_path)
    assert "assert response.status_code == 201" in text
    assert 'mockvoice.sample("wav", seconds=1)' in text
    assert 'response.json()["data"]["language"] == "en"' in text


def test_pytest_copy_of_an_invalid_file_passes(page: Page, server: Server, tmp_path: Path) -> None:
    upload(server, "narrator", b'RIFF\x00"\\no audio')
    text = run_copied_test(page, tmp_path)
    assert r'b"RIFF\x00\"\\no audio"' in text
    assert "assert response.json() == {" in text


def test_pytest_copy_with_a_large_invalid_file_reads_the_download(
    page: Page, server: Server, tmp_path: Path
) -> None:
    upload(server, "narrator", b"x" * 5000)
    open_newest(page)
    with page.expect_download() as download:
        page.get_by_role("button", name="Download").click()
    download.value.save_as(tmp_path / download.value.suggested_filename)
    assert 'Path(__file__).with_name("a.wav").read_bytes()' in run_copied_test(page, tmp_path)


@pytest.mark.parametrize(
    ("method", "path", "options"),
    [
        ("GET", "/telnyx/v2/voice_designs?page[size]=5", {}),
        ("POST", "/telnyx/v2/voice_designs", {"json": {"name": "n", "text": "t", "prompt": "p"}}),
        ("POST", "/telnyx/v2/voice_designs", {"json": {"nme": [1.5, None, True, "\u2028é"]}}),
        ("GET", "/retell/get-voice/a b%3F", {}),
        ("GET", "/nowhere", {}),
        ("POST", "/faseeh/api/v1/voices/clone", {"data": {"name": "n"}}),
    ],
)
def test_pytest_copy_passes(
    page: Page, server: Server, tmp_path: Path, method: str, path: str, options: dict[str, Any]
) -> None:
    send(server, method, path, **options)
    run_copied_test(page, tmp_path)


@pytest.mark.parametrize(
    ("fault", "expected"),
    [
        ({"status": 503, "retry_after": 7, "times": 1}, "== 503"),
        ({"sequence": [504]}, "== 504"),
        ({"kind": "reset"}, "pytest.raises(httpx.HTTPError)"),
        ({"kind": "truncate"}, "pytest.raises(httpx.HTTPError)"),
        ({"kind": "reply", "status": 202, "body": {"a": 1}}, "== 202"),
    ],
)
def test_pytest_copy_of_a_request_with_a_fault_adds_the_fault(
    page: Page, server: Server, tmp_path: Path, fault: dict[str, Any], expected: str
) -> None:
    httpx.post(f"{server.url}/__mockvoice/faults", json=fault)
    with suppress(httpx.HTTPError):
        list_voices(server)
    text = run_copied_test(page, tmp_path)
    assert expected in text
    assert 'mockvoice.request("POST", "/faults", {"kind": ' in text


def test_pytest_copy_seeds_the_voice_that_the_request_names(
    page: Page, server: Server, tmp_path: Path
) -> None:
    id = upload(server, "narrator").json()["data"]["id"]
    send(server, "GET", f"/telnyx/v2/voice_clones/{id}")
    text = run_copied_test(page, tmp_path)
    assert id in text
    assert "== 200" in text


@pytest.mark.parametrize("key", ["K", "*"])
def test_pytest_copy_has_the_settings_and_the_account(
    open_page: Open, serve: Serve, tmp_path: Path, key: str
) -> None:
    server = serve(audio="any", edition={"telnyx": "2026-07-16"})
    page = open_page(server)
    account = {"trial_ended": True}
    httpx.put(f"{server.url}/__mockvoice/accounts/retell/{key}", json=account)
    form = {"voice_name": "n", "voice_provider": "elevenlabs"}
    send(server, "POST", "/retell/clone-voice", data=form, files={"files": b"text"})
    text = run_copied_test(page, tmp_path)
    assert '@pytest.mark.mockvoice(audio="any")' in text
    assert 'mockvoice.retell.account("KEY", trial_ended=True' in text
    upload(server, "narrator", b"text")
    expect(page.get_by_role("option", name="createVoiceCloneFromUpload")).to_be_visible()
    text = run_copied_test(page, tmp_path)
    assert 'edition={"telnyx": "2026-07-16"}' in text


@pytest.mark.parametrize("sandbox", ["", "/~box"])
def test_curl_copy_sends_the_same_request(
    page: Page, server: Server, tmp_path: Path, sandbox: str
) -> None:
    program("curl")
    url = f"{server.url}{sandbox}"
    (tmp_path / "it's;a, b.wav").write_bytes(sample(server))
    files = {"audio_file": ("it's;a, b.wav", sample(server), "audio/wav")}
    data = {"language": "en", "name": "it's @<b>;type=x"}
    httpx.post(url + UPLOAD, headers=KEY, files=files, data=data)
    design = {"name": "it's", "text": "t", "prompt": "p"}
    httpx.post(f"{url}/telnyx/v2/voice_designs?a=b%20c", headers=KEY, json=design)
    httpx.get(f"{url}/retell/get-voice/a b%3F[1]", headers=KEY)
    journal = f"{url}/__mockvoice/requests"
    sent = httpx.get(journal).json()["requests"]
    for entry in sent:
        page.get_by_role("option", name=f"{entry['status']} {entry['operation']}").click()
        expect(page.get_by_role("article", name=f"Request {entry['id']}")).to_be_visible()
        command = copied(page, "Copy as curl")
        subprocess.run(command, shell=True, cwd=tmp_path, check=True, capture_output=True)
        repeated = httpx.get(journal).json()["requests"][-1]
        for member in ("method", "path", "query", "fields", "status", "violations", "sandbox"):
            assert repeated[member] == entry[member], command
        assert json.dumps(repeated["files"]) == json.dumps(entry["files"])

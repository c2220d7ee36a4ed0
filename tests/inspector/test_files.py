"""The files of the inspector, as a browser gets them."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import httpx
import pytest

from mockvoice.http.inspector import FOLDER
from mockvoice.provider import SPECS

from ..conftest import Serve

ROOT = Path(__file__).parents[2]
BROWSER = {"Accept": "text/html,*/*", "Accept-Language": "en", "Sec-Fetch-Site": "none"}
KEY = {"Authorization": "Bearer K"}


@pytest.mark.parametrize("prefix", ["", "/~mine"])
def test_browser_at_root_is_redirected_to_inspector(serve: Serve, prefix: str) -> None:
    server = serve()
    page = httpx.get(f"{server.url}{prefix}/", headers=BROWSER, follow_redirects=True)
    assert page.url.path == f"{prefix}/__mockvoice/"
    assert page.headers["content-type"] == "text/html; charset=utf-8"
    assert "default-src 'none'" in page.headers["content-security-policy"]
    assert httpx.get(f"{server.url}/__mockvoice/requests").json()["requests"] == []
    assert httpx.get(f"{server.url}/").status_code == 404  # a program
    for method, path in [("POST", "/"), ("GET", "/retell/list-voices")]:  # nothing of the page
        response = httpx.request(method, f"{server.url}{prefix}{path}", headers=BROWSER)
        assert response.headers["content-type"].endswith("json")


def test_icon_for_a_browser_is_no_request_to_a_provider(serve: Serve) -> None:
    url = serve().url
    icon = httpx.get(f"{url}/favicon.ico", headers={"Accept": "image/avif,image/*"})
    assert (icon.status_code, icon.headers["content-type"]) == (200, "image/svg+xml")
    assert httpx.get(f"{url}/__mockvoice/requests").json()["requests"] == []
    assert httpx.get(f"{url}/favicon.ico").status_code == 404  # a program


def test_every_file_is_served_and_revalidated(serve: Serve) -> None:
    server = serve()
    for file in FOLDER.iterdir():
        url = f"{server.url}/__mockvoice/inspector/{file.name}"
        served = httpx.get(url)
        assert served.content == file.read_bytes()
        unchanged = httpx.get(url, headers={"If-None-Match": served.headers["etag"]})
        assert (unchanged.status_code, unchanged.content) == (304, b"")


@pytest.mark.parametrize("name", ["nothing.js", "..%2f..%2fmock.py", "../../mock.py"])
def test_other_files_are_not_served(serve: Serve, name: str) -> None:
    assert httpx.get(f"{serve().url}/__mockvoice/inspector/{name}").status_code in (404, 405)


def test_files_are_not_read_before_somebody_opens_the_page() -> None:
    code = """if True:
        import sys
        opened = []
        sys.addaudithook(lambda event, arguments: event == "open" and opened.append(arguments[0]))
        from mockvoice import create_app
        create_app()
        print(*opened, sep="\\n")
    """
    opened = subprocess.run(
        [sys.executable, "-c", code], check=True, capture_output=True, text=True
    )
    folders = {Path(file).parent for file in opened.stdout.splitlines()}
    assert SPECS / "telnyx" in folders
    assert FOLDER not in folders


def test_files_are_smaller_than_100_kb() -> None:
    assert sum(file.stat().st_size for file in FOLDER.iterdir()) < 100_000


def test_screenshots_of_the_readme_are_small_files_of_the_repository() -> None:
    """They have absolute URLs, because PyPI shows the README without the repository."""
    base = "https://raw.githubusercontent.com/mockvoice/mockvoice/main/"
    urls = re.findall(r"!\[[^]]+\]\(([^)]+)\)", (ROOT / "README.md").read_text(encoding="utf-8"))
    assert len(urls) == 2
    for url in urls:
        assert url.startswith(base)
        assert (ROOT / url.removeprefix(base)).stat().st_size < 100_000


def test_inspector_off_disables_page_and_events(serve: Serve) -> None:
    url = serve(inspector="off").url
    for path in ("/", "/__mockvoice/", "/__mockvoice/inspector/app.js", "/__mockvoice/events"):
        assert httpx.get(url + path, headers=BROWSER).status_code == 404
    assert "inspector: on" in httpx.get(f"{url}/__mockvoice/events").json()["detail"]


def test_request_file_returns_bytes_as_attachment(serve: Serve) -> None:
    url = serve(upload_cache_mb=1).url
    upload = {"audio_file": ("a.html", b"<script>", "text/html")}
    httpx.post(f"{url}/telnyx/v2/voice_clones/from_upload", headers=KEY, files=upload)
    files = f"{url}/__mockvoice/requests/request_1/files"
    file = httpx.get(f"{files}/0")
    assert file.content == b"<script>"
    assert file.headers["content-type"] == "application/octet-stream"
    assert file.headers["content-disposition"] == "attachment"
    assert httpx.get(f"{files}/1").json()["detail"] == "request_1 has 1 files, and no file 1"
    assert httpx.get(f"{files.replace('request_1', 'request_9')}/0").status_code == 404
    large = {"audio_file": ("b.wav", bytes(900_000))}
    for _ in range(2):
        httpx.post(f"{url}/telnyx/v2/voice_clones/from_upload", headers=KEY, files=large)
    assert "was evicted" in httpx.get(f"{files}/0").json()["detail"]

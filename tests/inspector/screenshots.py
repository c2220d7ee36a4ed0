"""The screenshots of the documentation: `python -m tests.inspector.screenshots`.

Writes WebP files, which Chromium encodes, to docs/images. Its text differs between machines, so
nothing compares them.
"""

from __future__ import annotations

from base64 import b64decode, b64encode
from pathlib import Path
from typing import Literal

import httpx
from playwright.sync_api import Browser, Page, ViewportSize, sync_playwright

from mockvoice.config.settings import Settings
from mockvoice.http.server import Server, bind
from mockvoice.mock import Mock
from mockvoice.providers import built_in

from ..require import program
from .actions import KEY, UPLOAD, sample, show
from .conftest import ARGUMENTS

IMAGES = Path(__file__).parents[2] / "docs" / "images"
SIZE: ViewportSize = {"width": 1280, "height": 760}
TO_WEBP = """async (png) => {
  const image = new Image();
  image.src = `data:image/png;base64,${png}`;
  await image.decode();
  const canvas = document.createElement("canvas");
  canvas.width = image.width;
  canvas.height = image.height;
  canvas.getContext("2d").drawImage(image, 0, 0);
  return canvas.toDataURL("image/webp", 0.85).split(",")[1];
}"""


def send_requests(server: Server) -> None:
    """Send requests that show what the page is for."""
    url = server.url
    form = {"name": "narrator", "language": "en", "gender": "female"}
    files = {"audio_file": ("narrator.wav", sample(server, 4), "audio/wav")}
    httpx.post(url + UPLOAD, headers=KEY, data=form, files=files)
    httpx.get(f"{url}/supertone/v1/voices", headers={"x-sup-api-key": "K"})
    httpx.get(f"{url}/~checkout/faseeh/api/v1/voices", headers={"x-api-key": "K"})
    httpx.post(f"{url}/__mockvoice/faults", json={"provider": "retell", "sequence": [503, "ok"]})
    for attempt in ("0", "1"):
        headers = {**KEY, "x-stainless-retry-count": attempt}
        httpx.get(f"{url}/retell/list-voices", headers=headers)
    httpx.get(f"{url}/v2/voice_clones", headers=KEY)
    wrong = {"name": "narrator", "lang": "en"}
    httpx.post(url + UPLOAD, headers=KEY, data=wrong, files=files)


def open_page(browser: Browser, server: Server, scheme: Literal["light", "dark"]) -> Page:
    page = browser.new_page(viewport=SIZE, color_scheme=scheme)
    page.goto(server.url)
    page.get_by_text("Live", exact=True).wait_for()
    return page


def save(page: Page, name: str) -> None:
    png = b64encode(page.screenshot()).decode()
    page.goto("about:blank")
    webp = b64decode(page.evaluate(TO_WEBP, png))
    (IMAGES / f"{name}.webp").write_bytes(webp)


def main() -> None:
    IMAGES.mkdir(exist_ok=True)
    with (
        Server(Mock(Settings(), built_in()), bind("127.0.0.1", 4010)) as server,
        sync_playwright() as playwright,
        playwright.chromium.launch(executable_path=program("chromium"), args=ARGUMENTS) as browser,
    ):
        send_requests(server)
        page = open_page(browser, server, "light")
        page.get_by_role("option", name="422").click()
        page.get_by_role("button", name="Listen").click()
        page.get_by_role("img", name="Waveform").wait_for()
        page.locator("main").focus()
        save(page, "inspector-requests")
        page = open_page(browser, server, "dark")
        show(page, "Faults")
        page.get_by_role("button", name="Remove fault_1").wait_for()
        save(page, "inspector-faults")


if __name__ == "__main__":
    main()

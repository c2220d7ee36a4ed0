"""The report as text, for clients in any language."""

from __future__ import annotations

import mockvoice

from ..conftest import Box

BEARER = {"Authorization": "Bearer K"}


def test_report_lists_requests_with_details_then_faults(box: Box) -> None:
    id = box.inject(status=502, provider="telnyx")
    box.http.get("/retell/list-voices", headers=BEARER)
    box.http.post("/retell/clone-voice", headers=BEARER, data={"voice_name": "Zoë"})
    report = box.control.get("/report")
    assert report.headers["content-type"] == "text/plain; charset=utf-8"
    lines = report.text.splitlines()
    assert lines[0] == "request_1  retell listVoices  GET /retell/list-voices  -> 200"
    assert '    voice_name = "Zoë"' in lines
    assert any(line.startswith("    violation in body: ") for line in lines)
    assert lines[-1] == (
        f'{id}  {{"status": 502, "provider": "telnyx"}}  fired for 0 of 0 matching requests'
    )
    assert mockvoice.connect(box.url).report() == report.text


def test_report_of_an_unused_sandbox_says_so(box: Box) -> None:
    assert box.control.get("/report").text == "no requests received"

"""Limits of the journal in entries and bytes."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from mockvoice.state.codec import encode_entry

from ..conftest import Box, Serve, encoded

WAV = encoded("wav", 0.25)
BEARER = {"Authorization": "Bearer K"}
LIST = "/retell/list-voices"
UPLOAD = "/telnyx/v2/voice_clones/from_upload"
DESIGNS = "/telnyx/v2/voice_designs"
DESIGN = {"name": "narrator", "text": "Hello", "prompt": "Calm."}
UPLOADED = {"name": "narrator", "language": "en", "gender": "male", "provider": "telnyx"}


def test_requests_over_max_requests_evict_the_oldest(serve: Serve) -> None:
    with Box(serve(max_requests=3), "few") as box:
        for _ in range(5):
            box.http.get(LIST, headers=BEARER)
        listed = box.control.get("/requests").json()
        ids = [entry["id"] for entry in listed["requests"]]
        assert (ids, listed["evicted"]) == (["request_3", "request_4", "request_5"], 2)
        assert box.control.get("/requests/request_2").status_code == 404
        box.control.delete("/requests")
        assert box.control.get("/requests").json() == {"requests": [], "evicted": 0}


@pytest.mark.parametrize(
    "sent",
    [
        {"json": {**DESIGN, "prompt": "x" * 300_000}},
        {"data": {"name": "n", "label": "x" * 300_000}, "files": {"audio_file": WAV}},
        {"json": DESIGN, "headers": {f"X-Long-{n}": "x" * 5_000 for n in range(10)}},
        {"json": DESIGN, "params": {"q": "x" * 50_000}},
    ],
)
def test_journal_stays_within_journal_mb(
    serve: Serve, sent: dict[str, Any], store_kind: str
) -> None:
    server = serve(journal_mb=1)
    with Box(server, "small") as box:
        arguments = {**sent, "headers": {**BEARER, **sent.get("headers", {})}}
        for _ in range(30):
            path = UPLOAD if "files" in sent else DESIGNS
            assert box.http.post(path, **arguments).status_code < 500
        listed = box.control.get("/requests", params={"limit": 100}).json()
        assert listed["evicted"] == 30 - len(listed["requests"]) > 0
        entries, _ = asyncio.run(server.mock.store.list_entries("small"))
        in_memory = store_kind == "memory"
        sizes = [entry.weight if in_memory else len(encode_entry(entry)) for entry in entries]
        assert 0 < sum(sizes) <= 1 << 20


def test_files_do_not_count_against_journal_mb(serve: Serve) -> None:
    with Box(serve(journal_mb=1), "files") as box:
        large = box.control.get("/samples/wav?seconds=6").content
        for _ in range(10):
            box.http.post(UPLOAD, headers=BEARER, data=UPLOADED, files={"audio_file": large})
        listed = box.control.get("/requests").json()
        assert (len(listed["requests"]), listed["evicted"]) == (10, 0)

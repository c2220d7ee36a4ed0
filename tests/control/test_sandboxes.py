"""List and delete sandboxes."""

from __future__ import annotations

import threading
from typing import Any

import httpx
import pytest

from ..conftest import Box, Serve, encoded
from ..state.serializing import memory_of

WAV = encoded("wav", 0.1)
BEARER = {"Authorization": "Bearer K"}
LIST = "/retell/list-voices"


def clone(box: Box, data: bytes = WAV) -> httpx.Response:
    form = {"voice_name": "n", "voice_provider": "elevenlabs"}
    return box.http.post("/retell/clone-voice", headers=BEARER, data=form, files={"files": data})


def listed(box: Box) -> list[Any]:
    sandboxes: list[Any] = box.control.get("/sandboxes").json()["sandboxes"]
    return sandboxes


def test_sandboxes_are_listed_with_url_and_requests(serve: Serve) -> None:
    server = serve()
    with Box(server, "one") as one, Box(server, "two") as two:
        one.http.get(LIST)
        one.http.get(LIST)
        two.control.get("/faults")
        assert (
            listed(one)
            == listed(two)
            == [
                {"name": "", "url": server.url, "requests": 0},
                {"name": "one", "url": one.url, "requests": 2},
                {"name": "two", "url": two.url, "requests": 0},
            ]
        )


def test_deleted_sandbox_is_new_when_it_is_used_again(serve: Serve) -> None:
    server = serve()
    with Box(server, "one") as one, Box(server, "two") as two:
        first = clone(one).json()
        one.inject(status=502)
        one.put("retell", "K", trial_ended=True)
        one.clock(freeze="2024-01-01T00:00:00Z")
        clone(two)
        assert two.control.delete("/sandboxes/one").status_code == 204
        assert [sandbox["name"] for sandbox in listed(two)] == ["", "two"]
        assert (len(two.voices()), len(two.requests())) == (1, 1)
        assert clone(one).json() == first | {"preview_audio_url": first["preview_audio_url"]}
        assert [entry["id"] for entry in one.requests()] == ["request_1"]
        assert one.control.get("/clock").json()["frozen"] is False


def test_sandbox_deletes_itself(box: Box) -> None:
    box.http.get(LIST)
    assert box.control.delete(f"/sandboxes/{box.name}").status_code == 204
    assert box.name not in [sandbox["name"] for sandbox in listed(box)]


@pytest.mark.memory
def test_deletion_releases_memory(serve: Serve) -> None:
    server = serve()
    memory = memory_of(server.mock)
    before = memory.journal_bytes
    with Box(server, "one") as one:
        clone(one)
        assert memory.upload_bytes > 0
        one.control.delete("/sandboxes/one")
    assert (memory.journal_bytes, memory.upload_bytes) == (before, 0)


def test_request_in_progress_does_not_restore_a_deleted_sandbox(serve: Serve) -> None:
    server = serve()
    with Box(server, "one") as one, Box(server, "two") as two:
        one.inject(kind="delay", seconds=0.2, when="before")
        waiting = threading.Thread(target=clone, args=(one,))
        waiting.start()
        while not one.control.get("/faults").json()["faults"][0]["hits"]:
            pass
        two.control.delete("/sandboxes/one")
        waiting.join()
        assert [sandbox["name"] for sandbox in listed(two)] == [""]


@pytest.mark.parametrize(
    ("name", "detail"),
    [
        ("on", "there is no sandbox on (did you mean one?); `GET /sandboxes` lists all"),
        ("nothing", "there is no sandbox nothing; `GET /sandboxes` lists all"),
    ],
)
def test_deleting_an_unknown_sandbox_returns_404(serve: Serve, name: str, detail: str) -> None:
    with Box(serve(), "one") as one:
        one.http.get(LIST)
        response = one.control.delete(f"/sandboxes/{name}")
        assert (response.status_code, response.json()["detail"]) == (404, detail)


def test_default_sandbox_cannot_be_deleted(box: Box) -> None:
    assert box.control.delete("/sandboxes/").status_code == 404
    assert listed(box)[0]["name"] == ""

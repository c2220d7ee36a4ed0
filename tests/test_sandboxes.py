"""Sandboxes: each has its own voices, journal, faults, accounts, clock and ids."""

from __future__ import annotations

import asyncio
from typing import Any

import httpx
import pytest

from .conftest import Box, Serve, encoded

WAV = encoded("wav", 0.1)
BEARER = {"Authorization": "Bearer K"}
SUPERTONE = {"x-sup-api-key": "K"}
LIST = "/retell/list-voices"
CUSTOM = "/supertone/v1/custom-voices"
SPEECH = "/supertone/v1/text-to-speech/a4cf2a1b8e7d"
NAMES = [f"box-{number}" for number in range(50)]


async def story(url: str, name: str, *, by_path: bool) -> list[Any]:
    """Twenty requests to one sandbox, one after another; what was answered."""
    failing = int(name.partition("-")[2]) % 4 < 2  # in half of those by path, half of the others
    headers = {} if by_path else {"X-Mockvoice-Sandbox": name}
    base = f"{url}/~{name}" if by_path else url
    async with httpx.AsyncClient(base_url=base, headers=headers, verify=False) as http:
        if failing:
            fault = {"operation": "cloneVoice", "status": 503, "every": 2, "times": 2}
            assert (await http.post("/__mockvoice/faults", json=fault)).status_code == 201
        state = {"credit": 2 + int(name.partition("-")[2])}
        await http.put("/__mockvoice/accounts/supertone/K", json=state)
        answers = []
        for turn in range(4):
            form = {"voice_name": f"{name}/{turn}", "voice_provider": "elevenlabs"}
            cloned = await http.post(
                "/retell/clone-voice", headers=BEARER, data=form, files={"files": WAV}
            )
            assert cloned.status_code == (503 if failing and turn in (0, 2) else 201)
            made = await http.post(
                f"{CUSTOM}/cloned-voice",
                headers=SUPERTONE,
                data={"name": f"{name}/{turn}"},
                files={"files": WAV},
            )
            said = await http.post(
                SPEECH, headers=SUPERTONE, json={"text": "hello", "language": "en"}
            )
            balance = await http.get("/supertone/v1/credits", headers=SUPERTONE)
            listed = await http.get(LIST, headers=BEARER)
            answers += [cloned.text, made.text, len(said.content), balance.json(), listed.text]
        return answers


def test_a_thousand_interleaved_requests_in_fifty_sandboxes_never_cross(serve: Serve) -> None:
    server = serve()

    async def together() -> list[list[Any]]:
        return await asyncio.gather(
            *(story(server.url, name, by_path=i % 2 == 0) for i, name in enumerate(NAMES))
        )

    answers = dict(zip(NAMES, asyncio.run(together()), strict=True))
    ids, made = set(), 0
    for number, name in enumerate(NAMES):
        with Box(server, name) as box:
            failed = [] if number % 4 > 1 else [0, 2]
            retell = box.voices(provider="retell")
            assert [each["data"]["voice_name"] for each in retell] == [
                f"{name}/{turn}" for turn in range(4) if turn not in failed
            ]
            supertone = box.voices(provider="supertone")
            assert [each["data"]["name"] for each in supertone] == [
                f"{name}/{turn}" for turn in range(4)
            ]
            ids |= {each["id"] for each in retell + supertone}
            made += len(retell + supertone)
            told = box.requests()
            assert [each["id"] for each in told] == [f"request_{n}" for n in range(1, 21)]
            sent = [each["fields"].get("voice_name") or each["fields"].get("name") for each in told]
            assert {each for each in sent if each} == {f"{name}/{turn}" for turn in range(4)}
            statuses = [each["status"] for each in told if each["operation"] == "cloneVoice"]
            assert statuses == [503 if turn in failed else 201 for turn in range(4)]
            assert [each["hits"] for each in box.control.get("/faults").json()["faults"]] == (
                [2] if failed else []
            )
            credit = box.control.get("/accounts/supertone/K").json()["credit"]
            assert credit == pytest.approx(2 + number - 4 * 0.3)
    assert len(ids) == made
    with Box(server, "default") as box:
        assert box.http.get(f"{server.url}/__mockvoice/requests").json()["requests"] == []
    # Each was answered as if it had been alone.
    alone = serve()
    for number in (0, 1, 2, 3, 49):
        name = NAMES[number]
        again = asyncio.run(story(alone.url, name, by_path=number % 2 == 0))
        assert [str(each).replace(alone.url, server.url) for each in again] == [
            str(each) for each in answers[name]
        ]


def test_the_oldest_sandbox_gives_way_to_too_many(serve: Serve) -> None:
    server = serve(max_sandboxes=2)
    for name in ("one", "two", "one", "three"):
        with Box(server, name) as box:
            box.http.get(LIST, headers=BEARER)
    assert asyncio.run(server.mock.store.list_sandboxes()) == ["", "two", "three"]
    with Box(server, "two") as two, Box(server, "one") as one:
        assert len(two.requests()) == 1
        assert one.requests() == []  # it is made anew, at the cost of the second
    assert asyncio.run(server.mock.store.list_sandboxes()) == ["", "three", "one"]


def test_the_path_wins_over_the_header(box: Box) -> None:
    both = {**BEARER, "X-Mockvoice-Sandbox": f"{box.name}-other"}
    box.http.get(LIST, headers=both)
    assert len(box.requests()) == 1
    assert "x-mockvoice-sandbox" in box.last()["headers"]


def test_a_sandbox_by_header_is_that_of_the_path(box: Box) -> None:
    named = {**BEARER, "X-Mockvoice-Sandbox": box.name}
    box.http.get(f"{box.server.url}{LIST}", headers=named)
    listed = box.http.get(f"{box.server.url}/__mockvoice/requests", headers=named).json()
    assert listed["requests"] == box.requests()
    assert box.last()["path"] == LIST


@pytest.mark.parametrize("by_path", [True, False])
def test_addresses_in_answers_lead_back_to_the_sandbox(box: Box, *, by_path: bool) -> None:
    """Whoever follows them may not send the header."""
    named = {} if by_path else {"X-Mockvoice-Sandbox": box.name}
    base = box.url if by_path else box.server.url
    body = {"text": "t", "provider": "aws", "output_type": "audio_id"}
    path = "/telnyx/v2/text-to-speech/speech"
    made = box.http.post(f"{base}{path}", headers={**BEARER, **named}, json=body).json()
    assert made["audio_url"].startswith(f"{box.url}/telnyx/v2/")
    assert box.http.get(made["audio_url"], headers=BEARER).status_code == 200
    lost = box.http.get(f"{base}/telnyx/voice_clones", headers=named)
    assert f"{box.url}/telnyx/v2" in lost.headers["x-mockvoice-hint"]


@pytest.mark.parametrize("path", ["/~a b/retell/list-voices", "/~ü/retell/x", f"/~{'x' * 65}/x"])
def test_a_path_with_a_name_that_cannot_be_is_refused(box: Box, path: str) -> None:
    response = box.http.get(f"{box.server.url}{path}", headers=BEARER)
    assert response.status_code == 400
    assert "must be up to 64 letters" in response.text


def test_sandboxes_share_only_the_room_for_files(serve: Serve) -> None:
    server = serve(upload_cache_mb=1)
    large = httpx.get(f"{server.url}/__mockvoice/samples/wav?seconds=12.5").content
    form = {"voice_name": "n", "voice_provider": "elevenlabs"}
    for name in ("one", "two"):
        with Box(server, name) as box:
            done = box.http.post(
                "/retell/clone-voice", headers=BEARER, data=form, files={"files": large}
            )
            assert done.status_code == 201, done.text
    with Box(server, "one") as one, Box(server, "two") as two:
        (first,), (second,) = one.voices()[0]["uploads"], two.voices()[0]["uploads"]
    assert (first["sha256"], first["bytes"]) == (None, len(large))
    assert second["sha256"]

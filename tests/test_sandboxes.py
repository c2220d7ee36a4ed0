"""Isolation of sandboxes: voices, journal, faults, accounts, clock and ids."""

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
    """Send twenty requests to one sandbox, one after another, and return the responses."""
    failing = int(name.partition("-")[2]) % 4 < 2  # half of the sandboxes by path, half by header
    headers = {} if by_path else {"X-Mockvoice-Sandbox": name}
    base = f"{url}/~{name}" if by_path else url
    async with httpx.AsyncClient(base_url=base, headers=headers) as http:
        if failing:
            fault = {"operation": "cloneVoice", "status": 503, "every": 2, "times": 2}
            assert (await http.post("/__mockvoice/faults", json=fault)).status_code == 201
        state = {"credit": 2 + int(name.partition("-")[2])}
        await http.put("/__mockvoice/accounts/supertone/K", json=state)
        responses: list[Any] = []
        for attempt in range(4):
            form = {"voice_name": f"{name}/{attempt}", "voice_provider": "elevenlabs"}
            cloned = await http.post(
                "/retell/clone-voice", headers=BEARER, data=form, files={"files": WAV}
            )
            assert cloned.status_code == (503 if failing and attempt in (0, 2) else 201)
            supertone = await http.post(
                f"{CUSTOM}/cloned-voice",
                headers=SUPERTONE,
                data={"name": f"{name}/{attempt}"},
                files={"files": WAV},
            )
            speech = await http.post(
                SPEECH, headers=SUPERTONE, json={"text": "hello", "language": "en"}
            )
            balance = await http.get("/supertone/v1/credits", headers=SUPERTONE)
            listed = await http.get(LIST, headers=BEARER)
            responses += [cloned.text, supertone.text, len(speech.content)]
            responses += [balance.json(), listed.text]
        return responses


@pytest.mark.slow  # 1,000 requests
def test_a_thousand_interleaved_requests_stay_in_their_sandboxes(serve: Serve) -> None:
    server = serve()

    async def run_all() -> list[list[Any]]:
        return await asyncio.gather(
            *(story(server.url, name, by_path=i % 2 == 0) for i, name in enumerate(NAMES))
        )

    responses = dict(zip(NAMES, asyncio.run(run_all()), strict=True))
    ids, created = set(), 0
    for number, name in enumerate(NAMES):
        with Box(server, name) as box:
            failed = [] if number % 4 > 1 else [0, 2]
            retell = box.voices(provider="retell")
            assert [voice["data"]["voice_name"] for voice in retell] == [
                f"{name}/{attempt}" for attempt in range(4) if attempt not in failed
            ]
            supertone = box.voices(provider="supertone")
            assert [voice["data"]["name"] for voice in supertone] == [
                f"{name}/{attempt}" for attempt in range(4)
            ]
            ids |= {voice["id"] for voice in retell + supertone}
            created += len(retell + supertone)
            entries = box.requests()
            assert [entry["id"] for entry in entries] == [f"request_{n}" for n in range(1, 21)]
            fields = [entry["fields"] for entry in entries]
            names = {sent.get("voice_name") or sent.get("name") for sent in fields}
            assert names - {None} == {f"{name}/{attempt}" for attempt in range(4)}
            statuses = [entry["status"] for entry in entries if entry["operation"] == "cloneVoice"]
            assert statuses == [503 if attempt in failed else 201 for attempt in range(4)]
            faults = box.control.get("/faults").json()["faults"]
            assert [fault["hits"] for fault in faults] == ([2] if failed else [])
            credit = box.control.get("/accounts/supertone/K").json()["credit"]
            assert credit == pytest.approx(2 + number - 4 * 0.3)
    assert len(ids) == created
    with Box(server, "default") as box:
        assert box.http.get(f"{server.url}/__mockvoice/requests").json()["requests"] == []
    # Every sandbox responds as if it were the only one.
    alone = serve()
    for number in (0, 1, 2, 3, 49):
        name = NAMES[number]
        again = asyncio.run(story(alone.url, name, by_path=number % 2 == 0))
        assert [str(response).replace(alone.url, server.url) for response in again] == [
            str(response) for response in responses[name]
        ]


def test_sandboxes_over_max_sandboxes_evict_the_oldest(serve: Serve) -> None:
    server = serve(max_sandboxes=2)
    for name in ("one", "two", "one", "three"):
        with Box(server, name) as box:
            box.http.get(LIST, headers=BEARER)
    assert asyncio.run(server.mock.store.list_sandboxes()) == ["", "two", "three"]
    with Box(server, "two") as two, Box(server, "one") as one:
        assert len(two.requests()) == 1
        assert one.requests() == []  # created again, which evicts the second
    assert asyncio.run(server.mock.store.list_sandboxes()) == ["", "three", "one"]


def test_sandbox_in_path_overrides_header(box: Box) -> None:
    both = {**BEARER, "X-Mockvoice-Sandbox": f"{box.name}-other"}
    box.http.get(LIST, headers=both)
    assert len(box.requests()) == 1
    assert "x-mockvoice-sandbox" in box.last()["headers"]


def test_sandbox_by_header_and_by_path_are_the_same(box: Box) -> None:
    named = {**BEARER, "X-Mockvoice-Sandbox": box.name}
    box.http.get(f"{box.server.url}{LIST}", headers=named)
    listed = box.http.get(f"{box.server.url}/__mockvoice/requests", headers=named).json()
    assert listed["requests"] == box.requests()
    assert box.last()["path"] == LIST


@pytest.mark.parametrize("by_path", [True, False])
def test_urls_in_responses_contain_the_sandbox(box: Box, *, by_path: bool) -> None:
    """Clients that follow them may not send the sandbox header."""
    named = {} if by_path else {"X-Mockvoice-Sandbox": box.name}
    base = box.url if by_path else box.server.url
    body = {"text": "t", "provider": "aws", "output_type": "audio_id"}
    path = "/telnyx/v2/text-to-speech/speech"
    speech = box.http.post(f"{base}{path}", headers={**BEARER, **named}, json=body).json()
    assert speech["audio_url"].startswith(f"{box.url}/telnyx/v2/")
    assert box.http.get(speech["audio_url"], headers=BEARER).status_code == 200
    unknown = box.http.get(f"{base}/telnyx/voice_clones", headers=named)
    assert f"{box.url}/telnyx/v2" in unknown.headers["x-mockvoice-hint"]


@pytest.mark.parametrize("path", ["/~a b/retell/list-voices", "/~ü/retell/x", f"/~{'x' * 65}/x"])
def test_invalid_sandbox_name_returns_400(box: Box, path: str) -> None:
    response = box.http.get(f"{box.server.url}{path}", headers=BEARER)
    assert response.status_code == 400
    assert "must be up to 64 letters" in response.text


def test_sandboxes_share_the_upload_cache(serve: Serve) -> None:
    server = serve(upload_cache_mb=1)
    large = httpx.get(f"{server.url}/__mockvoice/samples/wav?seconds=12.5").content
    form = {"voice_name": "n", "voice_provider": "elevenlabs"}
    for name in ("one", "two"):
        with Box(server, name) as box:
            cloned = box.http.post(
                "/retell/clone-voice", headers=BEARER, data=form, files={"files": large}
            )
            assert cloned.status_code == 201, cloned.text
    with Box(server, "one") as one, Box(server, "two") as two:
        (first,), (second,) = one.voices()[0]["uploads"], two.voices()[0]["uploads"]
    assert (first["sha256"], first["bytes"]) == (None, len(large))
    assert second["sha256"]

"""Comparison: where the live service and the mock differ, and where they must not seem to."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator, Mapping
from typing import Any

import httpx
import pytest

from mockvoice.http.server import Server, bind

from ..conftest import Serve
from ..state.serializing import make_mock
from .stand_in import Received, Reply, StandIn, as_json
from .stories import telnyx_story

KEY = "sk_test_compared_4711"
AUTHORIZATION = {"authorization": f"Bearer {KEY}"}
RETELL = "/retell"


@pytest.fixture
def retell(live: StandIn, serve: Serve) -> Server:
    return serve(upstream={"retell": live.url})


def requests(server: Server) -> list[Any]:
    listed: list[Any] = httpx.get(f"{server.url}/__mockvoice/requests").json()["requests"]
    return listed


def differences(server: Server, sandbox: str = "") -> Any:
    prefix = f"/~{sandbox}" if sandbox else ""
    return httpx.get(f"{server.url}{prefix}/__mockvoice/differences").json()


def shown(server: Server) -> list[tuple[Any, ...]]:
    """Return the differences without what is the same in most tests."""
    return [
        (one["operation"], one["kind"], one["location"], one["live"], one["mock"])
        for one in differences(server)["differences"]
    ]


VOICE = {
    "voice_id": "custom_voice_0123456789abcdef01234567",
    "voice_name": "narrator",
    "provider": "elevenlabs",
    "gender": "female",
    "voice_type": "custom",
    "accent": "British",
    "age": "Old",
    "avatar_url": "https://live.example.com/a.png",
    "preview_audio_url": "https://live.example.com/a.mp3?signature=very-secret-signature",
}


def clone(server: Server, wav: bytes, sandbox: str = "") -> httpx.Response:
    return httpx.post(
        f"{server.url}{sandbox}{RETELL}/clone-voice",
        headers=AUTHORIZATION,
        data={"voice_name": "narrator", "voice_provider": "elevenlabs"},
        files={"files": ("a.wav", wav)},
    )


def reply_with(value: Any, status: int = 201) -> Any:
    return lambda request: as_json(value, status)


# --- differences ---------------------------------------------------------------------------------


def test_response_as_expected_has_no_difference(live: StandIn, retell: Server, wav: bytes) -> None:
    live.reply = reply_with(VOICE)
    assert clone(retell, wav).json() == VOICE
    (entry,) = requests(retell)
    assert (entry["difference"], entry["violations"]) == ([], [])
    assert differences(retell) == {
        "compared": 1,
        "evicted": 0,
        "upstreams": {"retell": live.url},
        "differences": [],
    }


@pytest.mark.parametrize(
    ("change", "difference"),
    [
        ({"quality": "high"}, ("added", "/quality", "high", None)),
        ({"voice_type": None}, ("retyped", "/voice_type", None, "custom")),
        ({"voice_name": ["narrator"]}, ("retyped", "/voice_name", ["narrator"], "narrator")),
        ({"voice_name": "Narrator"}, ("value", "/voice_name", "Narrator", "narrator")),
    ],
    ids=str,
)
def test_difference_of_a_body_is_listed(
    live: StandIn,
    retell: Server,
    wav: bytes,
    change: Mapping[str, Any],
    difference: tuple[Any, ...],
) -> None:
    live.reply = reply_with({**VOICE, **change})
    clone(retell, wav)
    assert shown(retell) == [("cloneVoice", *difference)]
    assert requests(retell)[0]["difference"] == [
        dict(zip(("kind", "location", "live", "mock"), difference, strict=True))
    ]


def test_missing_member_and_other_form_of_an_id_are_listed(
    live: StandIn, retell: Server, wav: bytes
) -> None:
    voice = {name: value for name, value in VOICE.items() if name != "gender"}
    live.reply = reply_with({**voice, "voice_id": "vx-77"})
    clone(retell, wav)
    missing, form = shown(retell)
    assert missing[1:4] == ("format", "/voice_id", "vx-77")
    assert missing[4].startswith("custom_voice_")
    assert form[1:4] == ("missing", "/gender", None)


def test_status_media_type_and_error_code_are_listed(live: StandIn, serve: Serve) -> None:
    server = serve(upstream={"telnyx": live.url})
    url = f"{server.url}/telnyx/v2/voice_clones/00000000-0000-4000-8000-000000000000"
    error = {"code": "90210", "title": "Nothing here", "detail": "Words of its own."}
    replies = iter([
        as_json({"errors": [error]}, 404),
        as_json({"errors": [error]}, 418),
        Reply(404, b"<p>nothing</p>", (("content-type", "text/html"),)),
    ])  # fmt: skip
    live.reply = lambda request: next(replies)
    for _ in range(3):
        httpx.get(url, headers=AUTHORIZATION)
    assert shown(server) == [
        ("getVoiceClone", "code", "/errors/0/code", "90210", "10005"),
        ("getVoiceClone", "status", "status", 418, 404),
        ("getVoiceClone", "code", "/errors/0/code", "90210", "10005"),
        ("getVoiceClone", "media_type", "content-type", "text/html", "application/json"),
    ]
    rules = [violation["rule"] for entry in requests(server) for violation in entry["violations"]]
    assert rules == ["status", "media type"]


def test_equal_differences_are_counted_with_an_example(
    live: StandIn, retell: Server, wav: bytes
) -> None:
    live.reply = reply_with({**VOICE, "quality": "high"})
    for sandbox in ("", "/~a", "/~a"):
        clone(retell, wav, sandbox)
    (found,) = differences(retell)["differences"]
    assert (found["requests"], found["example"], found["status"]) == (3, "request_1", 201)
    assert (found["provider"], found["edition"]) == ("retell", "2026-08")
    own = differences(retell, "a")
    assert (own["compared"], own["differences"][0]["example"]) == (2, "a/request_1")


def test_lists_are_compared_in_shape_only(live: StandIn, retell: Server) -> None:
    other = {**VOICE, "voice_id": "11labs-Other", "voice_name": "Other"}
    live.reply = lambda request: as_json([other, {**VOICE, "rank": 7}])
    httpx.get(f"{retell.url}{RETELL}/list-voices", headers=AUTHORIZATION)
    assert shown(retell) == [("listVoices", "added", "/*/rank", 7, None)]


def test_large_json_is_compared_too(live: StandIn, retell: Server) -> None:
    voices = [{**VOICE, "voice_id": f"custom_voice_{number}"} for number in range(400)]
    live.reply = lambda request: as_json([*voices, {**VOICE, "rank": 7}])
    httpx.get(f"{retell.url}{RETELL}/list-voices", headers=AUTHORIZATION)
    assert shown(retell) == [("listVoices", "added", "/*/rank", 7, None)]


def test_null_that_the_contract_permits_is_another_value_and_lists_are_compared(
    live: StandIn, serve: Serve, wav: bytes
) -> None:
    upstream = make_mock(seed=4711)
    with Server(upstream, bind("127.0.0.1", 0)) as service:
        url = f"{service.url}/telnyx/v2/voice_clones/from_upload"
        form = {"name": "n", "language": "en", "gender": "male", "provider": "telnyx"}
        files = {"audio_file": ("a.wav", wav)}
        made = httpx.post(url, headers=AUTHORIZATION, data=form, files=files).json()["data"]
    changed = {**made, "label": "calm", "provider_supported_models": ["Ultra"], "language": None}
    live.reply = reply_with({"data": changed})
    server = serve(upstream={"telnyx": live.url})
    url = f"{server.url}/telnyx/v2/voice_clones/from_upload"
    httpx.post(url, headers=AUTHORIZATION, data=form, files=files)
    found = {(kind, location) for _, kind, location, _, _ in shown(server)}
    assert found == {
        ("value", "/data/label"),
        ("value", "/data/language"),
        ("value", "/data/provider_supported_models"),
    }


def test_audio_is_compared_by_status_and_media_type(live: StandIn, serve: Serve) -> None:
    server = serve(upstream={"supertone": live.url})
    audio = (("content-type", "audio/mpeg"),)
    live.reply = lambda request: Reply(200, b"\xff\xfb", audio)
    httpx.post(
        f"{server.url}/supertone/v1/text-to-speech/a4cf2a1b8e7d",
        headers={"x-sup-api-key": KEY},
        json={"text": "hello", "language": "en"},
    )
    assert shown(server) == [
        ("create_speech", "media_type", "content-type", "audio/mpeg", "audio/wav")
    ]


def test_malformed_json_is_a_violation(live: StandIn, retell: Server, wav: bytes) -> None:
    live.reply = lambda request: Reply(201, b'{"voice_id": ')
    assert clone(retell, wav).content == b'{"voice_id": '
    (violation,) = requests(retell)[0]["violations"]
    assert (violation["rule"], violation["location"]) == ("json", "response")
    assert violation["message"].startswith("the response is not valid JSON")


# --- violations ----------------------------------------------------------------------------------


def test_violations_of_the_response_have_the_source_upstream(
    live: StandIn, retell: Server, wav: bytes
) -> None:
    voice = {name: value for name, value in VOICE.items() if name != "voice_id"}
    live.reply = reply_with({**voice, "voice_name": 7, "quality": {"level": 1}})
    clone(retell, wav)
    violations = requests(retell)[0]["violations"]
    assert {(one["pointer"], one["rule"]) for one in violations} == {
        ("/voice_id", "required"),
        ("/voice_name", "type"),
        ("/quality", "additionalProperties"),
    }
    assert {(one["source"], one["location"]) for one in violations} == {("upstream", "response")}


def test_violations_of_the_request_are_listed_beside_the_live_response(
    live: StandIn, retell: Server, wav: bytes
) -> None:
    live.reply = reply_with(VOICE)
    form = {"voice_name": "narrator", "voice_provider": "elevenlab"}
    url = f"{retell.url}{RETELL}/clone-voice"
    response = httpx.post(url, headers=AUTHORIZATION, data=form, files={"files": ("a.wav", wav)})
    (entry,) = requests(retell)
    assert (response.status_code, entry["status"]) == (201, 201)
    assert "/voice_provider" in {violation["pointer"] for violation in entry["violations"]}
    assert entry["difference"][0] == {
        "kind": "status",
        "location": "status",
        "live": 201,
        "mock": 400,
    }


# --- the sandbox as the shadow of the live account -----------------------------------------------


def test_later_requests_find_what_the_live_service_made(
    live: StandIn, retell: Server, wav: bytes
) -> None:
    live.reply = reply_with(VOICE)
    clone(retell, wav)
    live.reply = lambda request: as_json(VOICE)
    httpx.get(f"{retell.url}{RETELL}/get-voice/{VOICE['voice_id']}", headers=AUTHORIZATION)
    assert (differences(retell)["compared"], shown(retell)) == (2, [])
    (voice,) = httpx.get(f"{retell.url}/__mockvoice/voices").json()["voices"]
    assert voice["id"] == VOICE["voice_id"]
    assert voice["uploads"][0]["bytes"] == len(wav)


def test_records_that_existed_before_are_known_after_a_list(live: StandIn, retell: Server) -> None:
    old = {**VOICE, "voice_id": "custom_voice_of_last_year"}
    live.reply = lambda request: as_json([old])
    httpx.get(f"{retell.url}{RETELL}/list-voices", headers=AUTHORIZATION)
    live.reply = lambda request: as_json(old)
    httpx.get(f"{retell.url}{RETELL}/get-voice/{old['voice_id']}", headers=AUTHORIZATION)
    assert shown(retell) == []


def test_rejected_request_changes_nothing_in_the_sandbox(
    live: StandIn, retell: Server, wav: bytes
) -> None:
    live.reply = reply_with({"status": "error", "message": "no"}, 402)
    clone(retell, wav)
    assert shown(retell) == [("cloneVoice", "status", "status", 402, 201)]
    assert httpx.get(f"{retell.url}/__mockvoice/voices").json()["voices"] == []


def test_accepted_request_that_the_mock_rejects_is_adopted(live: StandIn, retell: Server) -> None:
    live.reply = reply_with(VOICE)
    form = {"voice_name": "narrator", "voice_provider": "unheard-of"}
    httpx.post(f"{retell.url}{RETELL}/clone-voice", headers=AUTHORIZATION, data=form)
    (voice,) = httpx.get(f"{retell.url}/__mockvoice/voices").json()["voices"]
    assert voice["id"] == VOICE["voice_id"]


def test_fault_after_the_operation_keeps_the_comparison(
    live: StandIn, retell: Server, wav: bytes
) -> None:
    live.reply = reply_with({**VOICE, "quality": "high"})
    fault = {"status": 502, "when": "after"}
    httpx.post(f"{retell.url}/__mockvoice/faults", json=fault).raise_for_status()
    assert clone(retell, wav).status_code == 502
    (entry,) = requests(retell)
    assert (entry["status"], entry["upstream"]) == (502, live.url)
    assert [one["kind"] for one in entry["difference"]] == ["added"]


# --- agreement -----------------------------------------------------------------------------------


@pytest.fixture
def other_mock() -> Iterator[Server]:
    """A mock with other ids, as the live service."""
    with Server(make_mock(seed=4711), bind("127.0.0.1", 0)) as server:
        yield server


def test_sdk_story_against_an_equal_service_has_no_difference(
    other_mock: Server, serve: Serve, wav: bytes
) -> None:
    from telnyx import Telnyx

    server = serve(upstream={"telnyx": f"{other_mock.url}/telnyx/v2"})
    with Telnyx(api_key=KEY, base_url=f"{server.url}/telnyx/v2", max_retries=0) as client:
        telnyx_story(client, wav)
    found = differences(server)
    assert (found["compared"], found["differences"]) == (41, [])
    entries = asyncio.run(other_mock.mock.store.list_entries(""))[0]
    assert len(entries) == 41


# --- secrets -------------------------------------------------------------------------------------


def test_secrets_are_in_no_answer_of_the_control_api(
    live: StandIn, retell: Server, wav: bytes
) -> None:
    secret = "live-token-4711-0815"

    def reply(request: Received) -> Reply:
        return as_json({**VOICE, "access_token": secret, "echo": KEY, "note": f"see {secret}"}, 201)

    live.reply = reply
    clone(retell, wav)
    pages = ("requests", "differences", "report", "voices", "accounts")
    for page in pages:
        text = httpx.get(f"{retell.url}/__mockvoice/{page}").text
        for hidden in (KEY, "very-secret-signature", secret):
            assert hidden not in text, page

"""Custom responses: the fault kind `reply`, over sockets and with the official SDKs."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import httpx
import pytest

import mockvoice
from mockvoice import Control
from mockvoice.client.control import ControlError
from mockvoice.config.file import read
from mockvoice.providers import built_in

from ..cli.processes import invoke
from ..conftest import Box

if TYPE_CHECKING:
    from telnyx import Telnyx

KEY = {"Authorization": "Bearer K"}
LIST = "/retell/list-voices"
ADD = "/retell/add-community-voice"
VOICE = {"provider_voice_id": "x", "voice_name": "n", "voice_provider": "minimax"}
CLONE = "/telnyx/v2/voice_clones"


@pytest.fixture
def mock(box: Box) -> Control:
    return mockvoice.connect(box.url)


@pytest.fixture
def telnyx(mock: Control) -> Iterator[Telnyx]:
    from telnyx import Telnyx

    with Telnyx(api_key="K", base_url=mock.telnyx.base_url, max_retries=0) as client:
        yield client


def clone_id(mock: Control) -> str:
    return mock.telnyx.add_voice({"name": "narrator", "status": "active"}, account="K").id


def listed(telnyx: Telnyx) -> dict[str, object]:
    """Return the first clone as the SDK read it."""
    return telnyx.voice_clones.list().data[0].to_dict()


# --- stories with the official SDKs --------------------------------------------------------------


def test_clone_is_pending_twice_and_then_active(mock: Control, telnyx: Telnyx) -> None:
    clone_id(mock)
    fault = mock.telnyx.reply("listVoiceClones", set={"/data/0/status": "pending"}, times=2)
    assert [listed(telnyx)["status"] for _ in range(4)] == [
        "pending",
        "pending",
        "active",
        "active",
    ]
    assert fault.hits == 2
    assert [request.custom for request in mock.requests] == [True, True, False, False]
    mock.verify()


def test_pending_in_a_sequence_of_different_outcomes(mock: Control) -> None:
    pending = {"kind": "reply", "set": {"/data/0/status": "pending"}}
    clone_id(mock)
    mock.telnyx.sequence([502, pending, "ok", {"kind": "reply", "status": 200, "body": []}])  # type: ignore[list-item]
    seen: list[Any] = []
    for _ in range(5):
        response = httpx.get(f"{mock.telnyx.base_url}/voice_clones", headers=KEY)
        body = response.json()
        seen.append(body and (body["data"][0]["status"] if response.is_success else 502))
    assert seen == [502, "pending", "active", [], "active"]


def test_property_is_null(mock: Control) -> None:
    from retell import Retell

    mock.retell.reply("listVoices", set={"/0/gender": None, "/0/preview_audio_url": None})
    with Retell(api_key="K", base_url=mock.retell.base_url, max_retries=0) as client:
        first, second, *_ = (voice.to_dict() for voice in client.voice.list())
    assert (first["gender"], first["preview_audio_url"]) == (None, None)
    assert second["gender"]


def test_new_property_appears_and_another_one_is_missing(mock: Control, telnyx: Telnyx) -> None:
    clone_id(mock)
    mock.telnyx.reply(
        "listVoiceClones", set={"/data/0/accent": {"code": "en-GB"}}, remove=["/data/0/gender"]
    )
    clone = listed(telnyx)
    assert clone["accent"] == {"code": "en-GB"}
    assert "gender" not in clone


def test_fully_custom_response(mock: Control, telnyx: Telnyx) -> None:
    body = {"data": {"id": "job_1", "status": "queued"}}
    headers = {"Location": "/jobs/1", "X-Request-Id": "r1"}
    mock.telnyx.reply("createVoiceClone", status=202, body=body, headers=headers)
    raw = telnyx.voice_clones.with_raw_response.create(
        voice_clone_request={
            "gender": "male", "language": "en", "name": "n", "voice_design_id": "none",
        },
    )  # fmt: skip
    assert (raw.status_code, raw.headers["location"], raw.headers["x-request-id"]) == (
        202,
        "/jobs/1",
        "r1",
    )
    assert json.loads(raw.text()) == body
    assert mock.telnyx.voices[:] == []
    assert mock.requests.last.response
    assert mock.requests.last.response.body == body


# --- front ends ----------------------------------------------------------------------------------

EDIT = {"kind": "reply", "operation": "listVoices", "set": {"/0/gender": None}, "times": 1}
OWN = {"kind": "reply", "status": 203, "body": {"x": 1}, "headers": {"x-a": "b"}}


@pytest.mark.parametrize("fault", [EDIT, OWN], ids=["edit", "own"])
def test_reply_is_the_same_in_every_front_end(
    mock: Control, tmp_path: Path, fault: dict[str, Any]
) -> None:
    expected = {"provider": "retell", **fault}
    fields = {name: value for name, value in fault.items() if name != "kind"}
    mock.retell.reply(**fields)
    mock.request("POST", "/faults", expected)
    assert invoke("faults", "add", json.dumps(expected), MOCKVOICE_URL=mock.url).returncode == 0
    flags = [part for name, value in expected.items() for part in (f"--{name}", _text(value))]
    assert invoke("faults", "add", *flags, MOCKVOICE_URL=mock.url).returncode == 0
    assert [added.data for added in mock.faults] == [expected] * 4
    file = tmp_path / "mockvoice.yaml"
    file.write_text(f"faults:\n  - {json.dumps(expected)}\n")
    control = mockvoice.create_app(**read(str(file), built_in())).control
    assert [added.data for added in control.faults] == [expected]
    by_rule = httpx.get(f"{mock.retell.base_url}/list-voices", headers=KEY)
    mock.clear_faults()
    headers = {**KEY, "X-Mockvoice-Fault": json.dumps(expected)}
    by_header = httpx.get(f"{mock.retell.base_url}/list-voices", headers=headers)
    assert (by_rule.status_code, by_rule.json()) == (by_header.status_code, by_header.json())
    assert [request.custom for request in mock.requests] == [True, True]


def _text(value: Any) -> str:
    return value if isinstance(value, str) else json.dumps(value)


def test_reply_matches_and_counts_like_other_faults(box: Box) -> None:
    box.clock(freeze="2024-01-01T00:00:00Z")
    reply = {"kind": "reply", "status": 299, "body": ""}
    box.inject(**reply, match={"account": "other"})
    box.inject(**reply, expires_in=0)
    box.inject(**reply, probability=0)
    box.inject(**reply, skip=1, every=2, times=2)
    seen = [box.http.get(LIST, headers=KEY).status_code for _ in range(6)]
    assert seen == [200, 299, 200, 299, 200, 200]


# --- effects -------------------------------------------------------------------------------------


@pytest.mark.parametrize("when", ["before", "after"])
def test_own_response_replaces_the_operation_or_follows_it(box: Box, when: str) -> None:
    box.inject(kind="reply", status=418, body="short and stout", when=when)
    response = box.http.post(ADD, headers=KEY, json=VOICE)
    assert (response.status_code, response.text) == (418, "short and stout")
    assert response.headers["content-type"] == "text/plain; charset=utf-8"
    assert len(box.voices()) == (when == "after")
    assert box.last()["custom"]


def test_edit_runs_the_operation(box: Box) -> None:
    box.inject(kind="reply", set={"/voice_name": 5}, headers={"ETag": '"1"'})
    response = box.http.post(ADD, headers=KEY, json=VOICE)
    assert response.json()["voice_name"] == 5  # the contract says text
    assert response.headers["etag"] == '"1"'
    (voice,) = box.voices()
    assert voice["data"]["voice_name"] == "n"
    assert not box.last()["internal_error"]


@pytest.mark.parametrize(
    ("fault", "status", "body", "media_type"),
    [
        ({"body": None}, 200, "null", "application/json"),
        ({"body": "مرحبا"}, 200, "مرحبا", "text/plain; charset=utf-8"),
        ({"body": [1, {"a": "ü"}]}, 200, '[1,{"a":"ü"}]', "application/json"),
        ({"status": 202}, 202, "", None),
        ({"status": 204}, 204, "", None),
        ({"status": 302, "headers": {"Location": "/x"}}, 302, "", None),
        ({"body": "<a/>", "headers": {"Content-Type": "text/xml"}}, 200, "<a/>", "text/xml"),
    ],
)
def test_own_response_is_sent_as_given(
    box: Box, fault: dict[str, Any], status: int, body: str, media_type: str | None
) -> None:
    box.inject(kind="reply", **fault)
    response = box.http.get(LIST, headers=KEY)
    assert (response.status_code, response.text) == (status, body)
    assert response.headers.get("content-type") == media_type
    assert box.http.get(LIST, headers=KEY).status_code == status  # the connection is intact


def test_documented_body_is_the_default(box: Box) -> None:
    box.inject(kind="reply", operation="listVoices", headers={"X-A": "b"})
    response = box.http.get(LIST)
    assert (response.status_code, response.headers["x-a"]) == (200, "b")
    assert response.json()[0]["voice_id"]
    box.control.delete("/faults")
    box.inject(kind="reply", status=429, retry_after=0.5)
    response = box.http.get(CLONE)
    assert (response.status_code, response.headers["retry-after-ms"]) == (429, "500")
    assert response.json()["errors"][0]["code"]


def test_response_to_a_path_without_operation(box: Box) -> None:
    """A way to add an endpoint that the contract does not have."""
    box.inject(kind="reply", provider="retell", body={"made": "up"})
    response = box.http.get("/retell/nowhere", headers=KEY)
    assert (response.status_code, response.json()) == (200, {"made": "up"})


def test_errors_of_the_operation_are_not_edited(box: Box) -> None:
    box.inject(kind="reply", set={"/voice_name": "x"}, operation="addCommunityVoice")
    assert box.http.post(ADD, headers=KEY, json={}).status_code == 400
    assert (box.last()["fault"]["kind"], box.last()["custom"]) == ("reply", False)
    assert not box.last()["internal_error"]


@pytest.mark.parametrize(
    ("fault", "message"),
    [
        ({"set": {"/0/a/b": 1}}, "/0/a matches nothing: /0 has voice_id"),
        ({"set": {"/999/a": 1}}, "/999 matches nothing: the body is a list with"),
        ({"remove": ["/0/gendr"]}, "did you mean gender?"),
        ({"remove": ["/0/gender/x"]}, "/0/gender/x matches nothing: /0/gender is "),
        ({"remove": ["/-"]}, "/- matches nothing: the body is a list with"),
    ],
)
def test_pointer_without_effect_is_recorded_and_fails_the_test(
    mock: Control, box: Box, fault: dict[str, Any], message: str
) -> None:
    mock.retell.reply(**fault)
    original = httpx.get(f"{mock.retell.base_url}/list-voices", headers={"X-Mockvoice-Fault": "ok"})
    response = httpx.get(f"{mock.retell.base_url}/list-voices", headers=KEY)
    assert original.status_code == 401
    assert response.json()[0]["gender"]  # as the operation made it
    assert message in mock.requests.last.internal_error
    assert mock.requests.last.internal_error.startswith("fault_1 had no effect: ")
    assert not mock.requests.last.custom
    with pytest.raises(AssertionError, match="fault_1 had no effect"):
        mock.verify()
    box.control.delete("/requests")


def test_audio_has_nothing_to_edit(mock: Control, box: Box) -> None:
    mock.supertone.reply(set={"/x": 1})
    response = httpx.post(
        f"{mock.supertone.base_url}/v1/text-to-speech/a4cf2a1b8e7d",
        headers={"x-sup-api-key": "K"},
        json={"text": "Hello", "language": "en"},
    )
    assert response.headers["content-type"].startswith("audio/")
    assert "the response is audio/wav, not JSON" in mock.requests.last.internal_error
    box.control.delete("/requests")


# --- invalid -------------------------------------------------------------------------------------

NEEDS = "needs status, body or headers to respond without the operation, or set or remove"
NOTHING = "replaces the response, which leaves nothing to set or remove"


@pytest.mark.parametrize(
    ("fault", "pointer", "message"),
    [
        ({"kind": "reply"}, "", NEEDS),
        ({"set": {"/a": 1}}, "/set", 'needs "kind": "reply"'),
        ({"kind": "empty", "remove": ["/a"]}, "/remove", 'needs "kind": "reply"'),
        ({"kind": "reply", "set": {"/a": 1}, "status": 200}, "/status", NOTHING),
        ({"kind": "reply", "remove": ["/a"], "body": {}}, "/body", NOTHING),
        ({"kind": "reply", "status": 204, "body": {}}, "/body", "cannot be sent with this status"),
        ({"kind": "reply", "status": 199}, "/status", "must be at least 200"),
        ({"kind": "reply", "status": 600}, "/status", "must be at most 599"),
        ({"status": 302}, "/status", "must be at least 400, unless the kind is reply; got 302"),
        (
            {"kind": "reply", "set": {"data/x": 1}},
            "/set/data~1x",
            'must be a JSON Pointer such as /data/status; got "data/x"',
        ),
        (
            {"kind": "reply", "remove": ["/a~2"]},
            "/remove/0",
            'must be a JSON Pointer such as /data/status; got "/a~2"',
        ),
        ({"kind": "reply", "remove": [""]}, "/remove/0", "must not be empty"),
        (
            {"kind": "reply", "operation": "getVoiceClone", "set": {"/dat/status": 1}},
            "/set/~1dat~1status",
            "matches nothing: responses of getVoiceClone have no dat; got /dat/status",
        ),
        (
            {"kind": "reply", "operation": "getVoiceClone", "remove": ["/data/staus"]},
            "/remove/0",
            "matches nothing: responses of getVoiceClone have no staus; got /data/staus",
        ),
        (
            {"kind": "reply", "operation": "getVoiceCloneSample", "set": {"/a": 1}},
            "/set/~1a",
            "matches nothing: responses of getVoiceCloneSample have no JSON; got /a",
        ),
        (
            {"operation": "listVoices", "provider": "retell", "sequence": [
                "ok", {"kind": "reply", "remove": ["/0/gendr"]}]},
            "/sequence/1/remove/0",
            "matches nothing: responses of listVoices have no gendr; got /0/gendr",
        ),
    ],
)  # fmt: skip
def test_invalid_reply_is_rejected(
    box: Box, fault: dict[str, Any], pointer: str, message: str
) -> None:
    response = box.control.post("/faults", json=fault)
    (violation,) = response.json()["violations"]
    assert (violation["pointer"], response.status_code) == (pointer, 400)
    assert message in violation["message"]
    if "staus" in message:
        assert violation["hint"] == "did you mean status?"
    headers = {**KEY, "X-Mockvoice-Fault": json.dumps(fault)}
    if "sequence" not in fault:
        assert box.http.get(LIST, headers=headers).status_code == 400


def test_unknown_operation_of_a_reply_is_an_error(mock: Control) -> None:
    with pytest.raises(ControlError, match="did you mean getVoiceClone"):
        mock.telnyx.reply("getVoiceClon", status=200)

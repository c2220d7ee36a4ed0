"""Record exchanges with a live service, and replay them without it."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import httpx
import pytest
import yaml

import mockvoice
from mockvoice import create_app
from mockvoice.config.settings import SettingsError
from mockvoice.http.server import Server, bind

from ..cli.processes import invoke
from ..conftest import Serve
from ..state.serializing import make_mock
from .stand_in import Received, Reply, StandIn, as_json
from .stories import REQUESTS, telnyx_story

KEY = "sk_live_recorded_4711"
AUTHORIZATION = {"authorization": f"Bearer {KEY}"}


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "telnyx.yaml"


def differences(server: Server) -> Any:
    return httpx.get(f"{server.url}/__mockvoice/differences").json()


def story(url: str, wav: bytes, key: str = KEY) -> list[str]:
    from telnyx import Telnyx

    with Telnyx(api_key=key, base_url=f"{url}/telnyx/v2", max_retries=0) as client:
        return telnyx_story(client, wav)


def documents(file: Path) -> list[Any]:
    return [*yaml.safe_load_all(file.read_text())]


# --- the story of an SDK -------------------------------------------------------------------------


def test_recorded_sdk_story_replays_offline(serve: Serve, wav: bytes, file: Path) -> None:
    with Server(make_mock(seed=4711), bind("127.0.0.1", 0)) as service:
        recording = serve(upstream={"telnyx": f"{service.url}/telnyx/v2"}, record=str(file))
        ids = story(recording.url, wav)
    checked = invoke("validate", str(file))
    assert checked.stdout == f"{file}: ok ({REQUESTS} exchanges with telnyx)\n", checked.stderr
    assert KEY not in file.read_text()

    replaying = serve(replay=str(file))  # the service has stopped
    assert story(replaying.url, wav, key="another_key_4711") == ids
    assert story(f"{replaying.url}/~own", wav) == ids  # each sandbox from the beginning
    found = differences(replaying)
    assert (found["compared"], found["differences"]) == (2 * REQUESTS, [])
    assert found["upstreams"] == {"telnyx": str(file)}


def test_document_has_decoded_parameters_and_files_by_digest(
    live: StandIn, serve: Serve, wav: bytes, file: Path
) -> None:
    live.reply = lambda request: as_json({"voice_id": "v1", "token": "live-token-4711"}, 201)
    server = serve(upstream={"retell": live.url}, record=str(file))
    httpx.post(
        f"{server.url}/retell/clone-voice",
        headers=AUTHORIZATION,
        data={"voice_name": KEY, "voice_provider": "elevenlabs"},
        files={"files": ("a.wav", wav)},
    )
    (document,) = documents(file)
    assert (document["provider"], document["operation"]) == ("retell", "cloneVoice")
    request = document["request"]
    assert (request["method"], request["path"]) == ("POST", "/clone-voice")
    assert request["body"]["voice_provider"] == "elevenlabs"
    (upload,) = request["files"]
    assert (upload["field"], upload["bytes"], len(upload["sha256"])) == ("files", len(wav), 64)
    assert document["response"]["status"] == 201
    assert document["response"]["body"]["voice_id"] == "v1"
    text = file.read_text()
    assert KEY not in text
    assert "live-token-4711" not in text


# --- order and parameters ------------------------------------------------------------------------


def get_voice(url: str, voice_id: str) -> httpx.Response:
    return httpx.get(f"{url}/retell/get-voice/{voice_id}", headers=AUTHORIZATION)


@pytest.fixture
def recorded(live: StandIn, serve: Serve, file: Path) -> Path:
    """A recording of three requests: twice for one voice, once for another one."""
    answers = iter(range(3))

    def reply(request: Received) -> Reply:
        return as_json({"voice_id": request.target.rpartition("/")[2], "answer": next(answers)})

    live.reply = reply
    server = serve(upstream={"retell": live.url}, record=str(file))
    for voice_id in ("a", "b", "a"):
        get_voice(server.url, voice_id)
    return file


def test_equal_requests_get_their_responses_in_order(recorded: Path, serve: Serve) -> None:
    server = serve(replay=str(recorded))
    answers = [get_voice(server.url, voice_id).json()["answer"] for voice_id in ("a", "a", "b")]
    assert answers == [0, 2, 1]


def test_request_without_exchange_says_what_was_requested_and_what_remains(
    recorded: Path, serve: Serve
) -> None:
    server = serve(replay=str(recorded))
    get_voice(server.url, "b")
    response = get_voice(server.url, "b")
    assert (response.status_code, response.headers["x-should-retry"]) == (502, "false")
    problem = response.json()
    assert problem["detail"] == (
        f'{recorded} has no exchange left for getVoice {{"voice_id": "b"}}: all 1 exchanges for it'
        ' were replayed. Remaining: getVoice {"voice_id": "a"}; getVoice {"voice_id": "a"}'
    )
    listed = httpx.get(f"{server.url}/retell/list-voices", headers=AUTHORIZATION).json()
    assert "no exchange left for listVoices {}: none is recorded. Remaining: " in listed["detail"]


def test_reset_replays_from_the_beginning(recorded: Path, serve: Serve) -> None:
    server = serve(replay=str(recorded))
    for _ in range(2):
        assert get_voice(server.url, "b").status_code == 200
        httpx.post(f"{server.url}/__mockvoice/reset")


def test_other_providers_are_mocked_and_faults_apply(recorded: Path, serve: Serve) -> None:
    server = serve(replay=str(recorded))
    fault = {"status": 503, "times": 1}
    httpx.post(f"{server.url}/__mockvoice/faults", json=fault).raise_for_status()
    assert get_voice(server.url, "b").status_code == 503
    assert get_voice(server.url, "b").status_code == 200
    voices = httpx.get(f"{server.url}/supertone/v1/voices", headers={"x-sup-api-key": KEY})
    assert voices.status_code == 200


# --- bodies --------------------------------------------------------------------------------------


ODD = "\x7f\x85\u2028 \N{GRINNING FACE} …"  # characters that YAML and JSON treat differently


@pytest.mark.parametrize(
    ("media_type", "body"),
    [
        ("application/json", json.dumps({"text": ODD, "n": 1e-9})),
        ("application/json", json.dumps([{"text": f"{number} {ODD}"} for number in range(900)])),
        ("application/json", "null"),
        ("application/json", "{broken"),
        ("text/html", "<p>\u2028\r\n</p>"),
        ("text/plain", ""),
    ],
    ids=["small", "large", "null", "broken", "text", "empty"],
)
def test_text_is_replayed_as_it_was(
    live: StandIn, serve: Serve, file: Path, media_type: str, body: str
) -> None:
    live.reply = lambda request: Reply(200, body.encode(), (("content-type", media_type),))
    recording = serve(upstream={"retell": live.url}, record=str(file))
    first = get_voice(recording.url, "a")
    second = get_voice(serve(replay=str(file)).url, "a")
    assert second.headers["content-type"] == first.headers["content-type"] == media_type
    if "json" in media_type and body != "{broken":
        assert second.json() == first.json()
    else:
        assert second.content == first.content


def test_audio_is_replayed_byte_for_byte(
    live: StandIn, serve: Serve, wav: bytes, file: Path
) -> None:
    audio = (("content-type", "audio/wav"),)
    live.reply = lambda request: Reply(200, wav, audio)
    recording = serve(upstream={"retell": live.url}, record=str(file))
    assert get_voice(recording.url, "a").content == wav
    assert get_voice(serve(replay=str(file)).url, "a").content == wav


def test_long_body_is_left_out_and_named(live: StandIn, serve: Serve, file: Path) -> None:
    audio = (("content-type", "audio/wav"),)
    live.reply = lambda request: Reply(200, bytes(1024 * 1024 + 1), audio)
    recording = serve(upstream={"retell": live.url}, record=str(file))
    assert len(get_voice(recording.url, "a").content) == 1024 * 1024 + 1
    assert file.stat().st_size < 2000
    response = get_voice(serve(replay=str(file)).url, "a")
    assert response.status_code == 502
    assert "was recorded without its body, which is too long" in response.json()["detail"]


# --- files ---------------------------------------------------------------------------------------


def test_recording_is_appended_to(recorded: Path, live: StandIn, serve: Serve) -> None:
    live.reply = lambda request: as_json({})
    get_voice(serve(upstream={"retell": live.url}, record=str(recorded)).url, "c")
    assert len(documents(recorded)) == 4


EXCHANGE = """\
---
provider: retell
operation: getVoice
request: {method: GET, path: /get-voice/a, parameters: {voice_id: a}}
response: {status: 200, body: {}}
"""


@pytest.mark.memory
@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("getVoice", "getVoise", "7: operation getVoise is not one of retell, edition 2026-08"),
        ("retell", "retel", "7: provider retel is unknown; did you mean retell?"),
        ("200", "two", "10: response.status must be a whole number"),
        ("status", "statu", "10: response.status is required"),
        ("{status", "[status", "10:"),
    ],
    ids=["operation", "provider", "type", "member", "syntax"],
)
def test_defects_are_reported_with_their_line(
    tmp_path: Path, old: str, new: str, message: str
) -> None:
    file = tmp_path / "recording.yaml"
    file.write_text(EXCHANGE + EXCHANGE.replace(old, new))
    checked = invoke("validate", str(file))
    assert checked.returncode == 1
    assert any(line.startswith(f"{file}:{message}") for line in checked.stderr.splitlines())
    with pytest.raises(SettingsError, match=re.escape(f"{file}:{message}")):
        create_app(replay=str(file))


@pytest.mark.memory
def test_settings_that_cannot_be_combined_or_used_are_rejected(tmp_path: Path) -> None:
    file = tmp_path / "recording.yaml"
    file.write_text(EXCHANGE)
    url = "http://127.0.0.1:1"
    rejected: dict[str, dict[str, Any]] = {
        "record needs an upstream": {"record": str(file)},
        "which also has an upstream": {"replay": str(file), "upstream": {"retell": url}},
        "cannot read .*none: No such file": {"replay": str(tmp_path / "none")},
        "cannot write .*: No such file": {
            "record": str(tmp_path / "none/file"),
            "upstream": {"retell": url},
        },
    }
    for message, settings in rejected.items():
        with pytest.raises(SettingsError, match=message):
            create_app(**settings)
    file.write_text("")
    with pytest.raises(SettingsError, match="has no exchange"):
        create_app(replay=str(file))
    with file.open("wb") as long:
        long.truncate(16 * 1024 * 1024 + 1)
    with pytest.raises(SettingsError, match="a recording may have 16777216"):
        create_app(replay=str(file))


@pytest.mark.memory
def test_recording_works_in_python_and_on_the_command_line(recorded: Path) -> None:
    with mockvoice.serve(replay=str(recorded)) as mock:
        url = mock.retell.base_url.removesuffix("/retell")
        assert get_voice(url, "b").json()["answer"] == 1
        assert mock.retell.requests.last.upstream == f"{recorded}#2"

"""The control API: who may use it, planting, resetting, and what time it is."""

from __future__ import annotations

import json
import re
from typing import Any

import pytest
import yaml

from mockvoice import __version__

from .conftest import Box, Serve, encoded
from .contract.contracts import CONTRACTS, SPECS

WAV = encoded("wav", 0.1)
BEARER = {"Authorization": "Bearer K"}
SUPERTONE = {"x-sup-api-key": "K"}
FASEEH = {"x-api-key": "K"}
TYPE = {"Content-Type": "application/json"}
LIST = "/retell/list-voices"
DESIGNS = "/telnyx/v2/voice_designs"
DESIGN = {"name": "narrator", "text": "Hello", "prompt": "Calm."}
UUID = re.compile(r"[0-9a-f]{8}-([0-9a-f]{4}-){3}[0-9a-f]{12}")

# --- who may use it ---------------------------------------------------------------------------


@pytest.mark.parametrize(
    "headers",
    [
        {},
        {"Host": "127.0.0.1:4010"},
        {"Host": "mockvoice:4010"},
        {"Host": "mock.ci.example.com"},  # a program may know it by any name
        {"User-Agent": "node", "Accept-Language": "*", "Sec-Fetch-Mode": "cors"},
        {"Origin": "http://127.0.0.1:4010", "Host": "127.0.0.1:4010"},
        {"Origin": "http://[::1]:4010", "Host": "[::1]:4010", "Sec-Fetch-Site": "same-origin"},
        {"Origin": "https://mockvoice", "Host": "mockvoice"},
        {"Accept-Language": "en", "Sec-Fetch-Site": "same-origin", "Host": "localhost:4010"},
        {"Accept-Language": "en", "Sec-Fetch-Site": "none", "Host": "app.localhost"},  # typed in
    ],
)
def test_programs_and_pages_of_the_mock_itself_may(box: Box, headers: dict[str, str]) -> None:
    assert box.control.get("/faults", headers=headers).status_code == 200
    assert box.control.post("/faults", headers=headers, json={}).status_code == 201


@pytest.mark.parametrize(
    "headers",
    [
        {"Origin": "https://evil.example"},
        {"Origin": "https://evil.example", "Sec-Fetch-Site": "cross-site"},
        {"Origin": "null"},
        {"Origin": "http://["},
        {"Origin": "http://127.0.0.1:3000", "Host": "127.0.0.1:4010"},
        {"Origin": "http://127.0.0.1", "Host": "127.0.0.1:4010"},
        {"Sec-Fetch-Site": "same-site", "Host": "localhost:4010"},
        {"Sec-Fetch-Site": "cross-site", "Host": "localhost:4010"},
    ],
)
def test_pages_of_other_origins_may_not(box: Box, headers: dict[str, str]) -> None:
    for method, path in [("GET", "/requests"), ("POST", "/reset"), ("DELETE", "/voices")]:
        refused = box.control.request(method, path, headers=headers)
        assert refused.status_code == 403
        assert refused.json()["detail"].endswith("must not drive the control API")


@pytest.mark.parametrize("host", ["evil.example:4010", "127.0.0.1.evil.example", "localhost."])
@pytest.mark.parametrize(
    "marks",
    [
        {"Origin": "http://{host}"},
        {"Sec-Fetch-Site": "same-origin"},
        {"Accept-Language": "en"},  # all that a browser says when the address is no secure one
        {"Referer": "http://{host}/"},
    ],
)
def test_a_name_that_was_made_to_lead_here_may_not(
    box: Box, host: str, marks: dict[str, str]
) -> None:
    """To the browser a page of that name and the mock are then of one origin."""
    headers = {name: value.format(host=host) for name, value in marks.items()}
    refused = box.control.get("/requests", headers={"Host": host, **headers})
    assert refused.status_code == 403
    assert f"must not drive the control API as {host}" in refused.json()["detail"]


def test_a_page_under_test_may_play_samples(box: Box) -> None:
    """The address stands in what the providers answer, to be played by whoever shows it."""
    foreign = {"Origin": "http://localhost:3000", "Sec-Fetch-Site": "same-site"}
    (voice, *_) = box.http.get(LIST, headers=BEARER).json()
    played = box.http.get(voice["preview_audio_url"], headers=foreign)
    assert (played.status_code, played.headers["content-type"]) == (200, "audio/wav")


# --- what is served ---------------------------------------------------------------------------


def test_health_answers_at_two_addresses(box: Box) -> None:
    for path in ("/health", "/__mockvoice/health"):
        assert box.http.get(path).json() == {
            "status": "ok",
            "version": __version__,
            "providers": ["faseeh", "retell", "supertone", "telnyx"],
        }


def test_providers_are_told_with_what_they_serve(box: Box) -> None:
    told = {each["name"]: each for each in box.control.get("/providers").json()["providers"]}
    assert told["telnyx"]["base_url"] == f"{box.url}/telnyx/v2"
    assert told["telnyx"]["auth_header"] == "authorization: Bearer KEY"
    assert told["supertone"]["auth_header"] == "x-sup-api-key: KEY"
    (clone,) = [each for each in told["retell"]["operations"] if each["id"] == "cloneVoice"]
    assert (clone["method"], clone["path"]) == ("POST", "/clone-voice")
    assert clone["statuses"] == [201, 400, 401, 402, 429, 500]
    assert clone["stateful"]


@pytest.mark.parametrize("name", [contract.name for contract in CONTRACTS])
def test_a_contract_is_served_as_it_was_written(box: Box, name: str) -> None:
    response = box.control.get(f"/specs/{name}")
    assert response.headers["content-type"] == "application/yaml"
    assert response.text == (SPECS / f"{name}.yaml").read_text()
    assert yaml.safe_load(response.text)["openapi"]


def test_an_unknown_contract_is_404(box: Box) -> None:
    response = box.control.get("/specs/acme")
    assert response.status_code == 404
    assert response.json()["detail"].startswith("there is no provider acme; there are faseeh,")


def test_its_errors_are_problem_documents(box: Box) -> None:
    answers = [
        (404, box.control.get("/nowhere")),
        (405, box.control.put("/faults")),
        (404, box.control.get("/faults/x")),
        (400, box.control.post("/faults", json={"kind": "x"})),
        (400, box.control.post("/faults", json=[])),
        (400, box.control.post("/clock", content=b"{", headers=TYPE)),
        (400, box.control.post("/clock", json={})),
        (415, box.control.post("/voices", content=b"x", headers={"content-type": "text/css"})),
        (403, box.control.get("/voices", headers={"Origin": "null"})),
        (404, box.http.get("/nowhere/at/all")),
    ]  # fmt: skip
    for status, response in answers:
        assert response.status_code == status
        assert response.headers["content-type"] == "application/problem+json"
        problem = response.json()
        assert problem["status"] == status
        assert problem["title"]
        assert problem["detail"]
        assert "x-mockvoice-request" not in response.headers
    assert [each["status"] for each in box.requests()] == []


def test_it_is_neither_limited_nor_told_in_the_journal(box: Box) -> None:
    box.control.post("/reset", json={"limits": "documented"})
    for _ in range(70):
        assert box.control.get("/clock").status_code == 200
    assert box.requests() == []
    assert box.control.get("/requests").headers.get("x-mockvoice-request") is None


# --- planting ---------------------------------------------------------------------------------


def test_a_planted_telnyx_clone_is_like_one_that_was_made(box: Box) -> None:
    box.clock(freeze="2024-06-01T12:00:00Z")
    upload = {"name": "n", "language": "en", "provider": "telnyx"}
    made = box.http.post(
        "/telnyx/v2/voice_clones/from_upload",
        headers=BEARER,
        data=upload,
        files={"audio_file": WAV},
    ).json()["data"]
    planted = box.control.post("/voices", json={"provider": "telnyx"}).json()
    data = planted["data"]
    assert data.keys() == made.keys()
    assert UUID.fullmatch(planted["id"])
    assert data["id"] == data["provider_voice_id"] == planted["id"]
    for name in ("record_type", "provider", "provider_supported_models", "model_id", "status"):
        assert data[name] == made[name]
    for name in ("created_at", "updated_at", "source_voice_design_id"):
        assert data[name] == made[name]
    assert (data["name"], data["language"], data["gender"]) == ("clone-narrator", "en", "male")
    listed = box.http.get("/telnyx/v2/voice_clones", headers=BEARER).json()["data"]
    assert {each["id"] for each in listed} == {made["id"], planted["id"]}


def test_planted_voices_are_like_those_that_were_made(box: Box) -> None:
    retell = {"voice_name": "n", "voice_provider": "platform"}
    faseeh = {"text": "t", "stability": "0.5", "name": "n", "model": "faseeh-v1-preview"}
    made = [
        box.http.post("/retell/clone-voice", headers=BEARER, data=retell, files={"files": WAV}),
        box.http.post(
            "/supertone/v1/custom-voices/cloned-voice",
            headers=SUPERTONE,
            data={"name": "n"},
            files={"files": WAV},
        ),
        box.http.post(
            "/faseeh/api/v1/voices/clone",
            headers=FASEEH,
            data=faseeh,
            files={"voice_file": WAV, "reference_audio_file": WAV},
        ),
    ]
    assert {each.status_code for each in made} == {200, 201}
    for provider in ("retell", "supertone", "faseeh"):
        (record,) = box.voices(provider=provider)
        planted = [
            box.control.post("/voices", json={"provider": provider}).json() for _ in range(2)
        ]
        assert planted[0]["data"]["voice_id"] == planted[0]["id"] != planted[1]["id"]
        assert record["data"].keys() <= planted[0]["data"].keys()
        form = re.sub(r"[0-9a-f]{20,}", "#", record["id"])
        assert re.sub(r"[0-9a-f]{20,}", "#", planted[0]["id"]) == form or provider == "faseeh"
        assert len(planted[0]["id"]) == len(record["id"])
        for name, value in planted[0]["data"].items():
            if name.endswith("_url") and value:
                assert value.startswith(f"{box.url}/__mockvoice/samples/wav")
                assert box.http.get(value).content != box.http.get(f"{value}x").content
            if name == "id":
                assert value != planted[1]["data"]["id"]


def test_a_planted_voice_is_used_as_if_it_had_been_made(box: Box) -> None:
    """In every collection there is: each is found, and speaks."""
    ids = {
        ("telnyx", "voice_clones"): "11111111-2222-4333-8444-555555555555",
        ("telnyx", "voice_designs"): "11111111-2222-4333-8444-666666666666",
        ("retell", "voices"): "my-retell-voice",
        ("supertone", "custom-voices"): "my-supertone-voice",
        ("faseeh", "voices"): "my-faseeh-voice",
    }
    for (provider, collection), id in ids.items():
        wanted = {"provider": provider, "collection": collection, "id": id, "account": "K"}
        planted = box.control.post("/voices", json=wanted)
        assert planted.status_code == 201, planted.text
        assert planted.json()["id"] == id
    clone, design, retell, supertone, faseeh = ids.values()
    found = [
        box.http.get(f"/telnyx/v2/voice_clones/{clone}", headers=BEARER),
        box.http.get(f"/telnyx/v2/voice_clones/{clone}/sample", headers=BEARER),
        box.http.get(f"/telnyx/v2/voice_designs/{design}", headers=BEARER),
        box.http.get(f"/telnyx/v2/voice_designs/{design}/sample", headers=BEARER),
        *(
            box.http.post(
                "/telnyx/v2/text-to-speech/speech",
                headers=BEARER,
                json={"text": "t", "voice": f"Telnyx.Qwen3TTS.{id}"},
            )
            for id in (clone, design)
        ),
        box.http.post(
            "/telnyx/v2/voice_clones",
            headers=BEARER,
            json={"name": "n", "voice_design_id": design, "language": "en", "gender": "male"},
        ),
        box.http.patch(f"/telnyx/v2/voice_clones/{clone}", headers=BEARER, json={"name": "x"}),
        box.http.get(f"/retell/get-voice/{retell}", headers=BEARER),
        box.http.get(f"/supertone/v1/custom-voices/{supertone}", headers=SUPERTONE),
        box.http.post(
            f"/supertone/v1/text-to-speech/{supertone}",
            headers=SUPERTONE,
            json={"text": "t", "language": "en"},
        ),
        box.http.post(
            "/faseeh/api/v1/text-to-speech/faseeh-v1-preview",
            headers=FASEEH,
            json={"voice_id": faseeh, "text": "t"},
        ),
    ]
    assert [each.status_code for each in found if not each.is_success] == []
    other = {"Authorization": "Bearer other"}
    assert box.http.get(f"/telnyx/v2/voice_clones/{clone}", headers=other).status_code == 404
    done = [
        box.http.delete(f"/telnyx/v2/voice_clones/{clone}", headers=BEARER),
        box.http.delete(f"/telnyx/v2/voice_designs/{design}", headers=BEARER),
        box.http.delete(f"/supertone/v1/custom-voices/{supertone}", headers=SUPERTONE),
    ]
    assert [each.status_code for each in done] == [204] * 3
    assert {each["provider"] for each in box.voices()} == {"telnyx", "retell", "faseeh"}


def test_what_everybody_sees_is_planted_without_an_account(box: Box) -> None:
    planted = box.control.post("/voices", json={"provider": "retell"}).json()
    assert planted["account"] == "*"
    for key in ("one", "two"):
        listed = box.http.get(LIST, headers={"Authorization": f"Bearer {key}"}).json()
        assert listed[-1]["voice_id"] == planted["id"]


def test_a_uuid_is_found_in_either_case(box: Box) -> None:
    id = "11111111-2222-4333-8444-AAAAAAAAAAAA"
    planted = box.control.post("/voices", json={"provider": "telnyx", "id": id}).json()
    assert planted["id"] == planted["data"]["id"] == id.lower()
    for asked in (id, id.lower()):
        found = box.http.get(f"/telnyx/v2/voice_clones/{asked}", headers=BEARER)
        assert found.json()["data"] == planted["data"]


def test_data_of_ones_own_wins_and_the_id_may_stand_in_it(box: Box) -> None:
    data = {"voice_id": "mine", "voice_name": "Ada", "preview_audio_url": "https://x/y", "new": 1}
    planted = box.control.post("/voices", json={"provider": "retell", "data": data}).json()
    assert planted["id"] == "mine"
    assert data.items() <= planted["data"].items()
    again = {"provider": "retell", "id": "yours", "data": data}
    assert box.control.post("/voices", json=again).json()["data"]["voice_id"] == "yours"
    replaced = {"provider": "retell", "id": "mine", "data": {"voice_name": "Bob"}}
    box.control.post("/voices", json=replaced)
    named = {each["id"]: each["data"]["voice_name"] for each in box.voices()}
    assert named == {"yours": "Ada", "mine": "Bob"}


@pytest.mark.parametrize(
    ("wanted", "pointer", "message"),
    [
        ({}, "/provider", "provider is required"),
        ({"provider": "telnix"}, "/provider", "provider must be one of faseeh, retell, supertone"),
        ({"provider": "mockvoice"}, "/provider", "got mockvoice"),
        (
            {"provider": "retell", "collection": "voice"},
            "/collection",
            "collection must be one of voices; got voice",
        ),
        ({"provider": "telnyx", "id": "my-clone"}, "/id", 'must be a UUID; got "my-clone"'),
        ({"provider": "retell", "data": {"gender": "robot"}}, "/data/gender", "male, female"),
        ({"provider": "retell", "data": {"voice_id": 5}}, "/data/voice_id", "must be text; got 5"),
        ({"provider": "retell", "data": []}, "/data", "data must be an object; got []"),
        ({"provider": "retell", "id": ""}, "/id", "id must not be empty"),
        ({"provider": "retell", "name": "x"}, "/name", "name is not a known field"),
    ],
)
def test_what_cannot_be_planted_is_explained(
    box: Box, wanted: dict[str, Any], pointer: str, message: str
) -> None:
    response = box.control.post("/voices", json=wanted)
    assert response.status_code == 400
    (violation,) = response.json()["violations"]
    assert violation["pointer"] == pointer
    assert message in violation["message"]
    assert box.voices() == []


def test_presets_are_told_where_they_are_wanted(box: Box) -> None:
    box.http.get(DESIGNS, headers=BEARER)
    assert box.voices() == []
    assert {each["collection"] for each in box.voices(presets=True)} == {
        "voice_designs",
        "design_versions",
    }
    box.control.post("/voices", json={"provider": "faseeh"})
    assert len(box.voices(presets=True)) == 3
    assert [each["provider"] for each in box.voices(provider="faseeh", presets=True)] == ["faseeh"]
    assert box.voices(collection="voice_designs") == []


def test_cleared_voices_are_gone_and_presets_come_back(box: Box) -> None:
    box.control.post("/voices", json={"provider": "telnyx", "collection": "voice_designs"})
    assert len(box.http.get(DESIGNS, headers=BEARER).json()["data"]) == 2
    assert box.control.delete("/voices").status_code == 204
    assert box.voices(presets=True) == []
    assert len(box.http.get(DESIGNS, headers=BEARER).json()["data"]) == 1


def test_too_many_voices_drop_the_oldest_and_say_so(serve: Serve) -> None:
    with Box(serve(max_voices=3), "few") as box:
        ids = [
            box.control.post("/voices", json={"provider": "retell"}).json()["id"] for _ in "12345"
        ]
        told = box.control.get("/voices").json()
        assert [each["id"] for each in told["voices"]] == ids[2:]
        assert told["evicted"] == 2


# --- reset ------------------------------------------------------------------------------------


def remembered(box: Box) -> dict[str, Any]:
    """What there is of each part."""
    made = box.http.post(DESIGNS, headers={"Authorization": "Bearer ids"}, json=DESIGN).json()
    told = box.control.get("/requests").json()["requests"]
    return {
        "faults": len(box.control.get("/faults").json()["faults"]),
        "requests": len(told) - 1,
        "voices": len(box.voices(provider="retell")),
        "accounts": box.control.get("/accounts/supertone/K").json()["tier"],
        "clock": box.control.get("/clock").json()["frozen"],
        "ids": made["data"]["id"],
    }


def filled(box: Box) -> None:
    """Something in each part."""
    box.request(operation="cloneVoice")
    box.http.get(LIST, headers=BEARER)
    box.control.post("/voices", json={"provider": "retell"})
    box.put("supertone", "K", tier="pro")
    box.clock(freeze="2024-01-01T00:00:00Z")
    box.http.post(DESIGNS, headers=BEARER, json=DESIGN)


FRESH = {"faults": 0, "requests": 0, "voices": 0, "accounts": "starter", "clock": False}
FULL = {"faults": 1, "requests": 2, "voices": 1, "accounts": "pro", "clock": True}


def test_a_reset_forgets_all(box: Box) -> None:
    first = box.http.post(DESIGNS, headers=BEARER, json=DESIGN).json()["data"]["id"]
    filled(box)
    assert box.control.post("/reset").status_code == 204
    assert remembered(box) == {**FRESH, "ids": first}


@pytest.mark.parametrize("part", [*FRESH, "ids"])
def test_a_reset_of_one_part_leaves_the_others(box: Box, part: str) -> None:
    box.control.post("/reset")
    first = box.http.post(DESIGNS, headers=BEARER, json=DESIGN).json()["data"]["id"]
    box.control.post("/reset")
    filled(box)
    assert box.control.post("/reset", json={"only": [part]}).status_code == 204
    found = remembered(box)
    assert (found.pop("ids") == first) == (part == "ids")
    assert found == {**FULL, **({part: FRESH[part]} if part in FRESH else {})}


def test_a_reset_of_no_part_changes_settings_only(box: Box) -> None:
    filled(box)
    assert box.control.post("/reset", json={"only": [], "audio": "any"}).status_code == 204
    assert remembered(box).items() >= FULL.items()
    path, sample = "/supertone/v1/custom-voices/cloned-voice", {"files": b"Example data"}
    done = box.http.post(path, headers=SUPERTONE, data={"name": "n"}, files=sample)
    assert done.status_code == 200


def test_settings_are_of_one_sandbox(box: Box) -> None:
    wanted = {"seed": 7, "audio": "any", "limits": "documented"}
    assert box.control.post("/reset", json=wanted).status_code == 204
    path, sample = "/supertone/v1/custom-voices/cloned-voice", {"files": b"Example data"}
    with Box(box.server, f"{box.name}-other") as other:
        answers = [
            [
                each.http.post(path, headers=SUPERTONE, data={"name": "n"}, files=sample)
                for _ in range(11)
            ]
            for each in (box, other)
        ]
        assert [each.status_code for each in answers[0]] == [200] * 10 + [429]
        assert {each.status_code for each in answers[1]} == {415}
        seeds = [
            each.http.post(DESIGNS, headers=BEARER, json=DESIGN).json()["data"]["id"]
            for each in (box, other)
        ]
    assert seeds[0] != seeds[1]


@pytest.mark.parametrize(
    ("wanted", "pointer", "hint"),
    [
        ({"only": ["voice"]}, "/only/0", "did you mean voices?"),
        ({"only": "faults"}, "/only", ""),
        ({"seed": "x"}, "/seed", ""),
        ({"audio": "none"}, "/audio", ""),
        ({"limit": "off"}, "/limit", "did you mean limits?"),
    ],
)
def test_a_wrong_reset_forgets_nothing(
    box: Box, wanted: dict[str, Any], pointer: str, hint: str
) -> None:
    filled(box)
    response = box.control.post("/reset", json=wanted)
    assert response.status_code == 400
    (violation,) = response.json()["violations"]
    assert (violation["pointer"], violation["hint"]) == (pointer, hint)
    assert remembered(box).items() >= FULL.items()


# --- time -------------------------------------------------------------------------------------


def now(box: Box) -> str:
    told = box.control.get("/clock").json()["now"]
    assert isinstance(told, str)
    return told


def test_a_frozen_clock_stands_and_moves_when_told(box: Box) -> None:
    told = box.control.post("/clock", json={"freeze": "2024-02-29T23:59:59.5Z"})
    assert told.json() == {"now": "2024-02-29T23:59:59.500Z", "frozen": True}
    assert now(box) == "2024-02-29T23:59:59.500Z"
    box.clock(advance=0.5)
    assert now(box) == "2024-03-01T00:00:00Z"
    date = box.http.get(LIST, headers=BEARER).headers["date"]
    assert date == "Fri, 01 Mar 2024 00:00:00 GMT"
    box.clock(freeze="2024-01-01T02:00:00+02:00", advance=60)
    assert now(box) == "2024-01-01T00:01:00Z"


def test_a_clock_can_be_stopped_and_let_run(box: Box) -> None:
    box.clock(freeze=True)
    stopped = now(box)
    assert now(box) == stopped
    box.clock(freeze=None, advance=3600)
    told = box.control.get("/clock").json()
    assert not told["frozen"]
    assert told["now"] > stopped
    ran = now(box)
    while now(box) == ran:  # it goes by milliseconds
        continue
    box.clock(freeze="1970-01-01T00:00:00Z")
    box.clock(freeze=False)
    assert now(box).startswith("1970-01-01T00:00:0")


@pytest.mark.parametrize(
    ("wanted", "member"),
    [
        ({"freeze": "9999-01-01T00:00:00.5Z"}, "freeze"),
        ({"freeze": "9999-12-31T23:59:59-14:00"}, "freeze"),
        ({"freeze": "1969-12-31T23:59:59Z"}, "freeze"),
        ({"freeze": "1970-01-01T00:00:00+00:01"}, "freeze"),
        ({"freeze": "0000-01-01T00:00:00Z"}, "freeze"),
        ({"freeze": "2016-12-31T23:59:60Z"}, "freeze"),  # a leap second, which no clock here has
        ({"freeze": "9990-01-01T00:00:00Z", "advance": 315_360_000}, "advance"),
    ],
)
def test_a_time_that_cannot_be_shown_is_refused_and_changes_nothing(
    box: Box, wanted: dict[str, Any], member: str
) -> None:
    box.clock(freeze="2024-01-01T00:00:00Z")
    refused = box.control.post("/clock", json=wanted)
    assert refused.status_code == 400
    assert refused.json()["detail"].startswith(
        f"{member} must lead to a time from 1970-01-01T00:00:00Z to 9999-01-01T00:00:00Z; got "
    )
    assert now(box) == "2024-01-01T00:00:00Z"


@pytest.mark.parametrize("frozen", [True, False])
def test_time_cannot_be_advanced_past_its_end_in_many_steps(box: Box, *, frozen: bool) -> None:
    box.clock(freeze="9970-01-01T00:00:00Z")
    if not frozen:
        box.clock(freeze=None)
    answers = [box.control.post("/clock", json={"advance": 315_360_000}) for _ in range(4)]
    assert [each.status_code for each in answers] == [200, 200, 400, 400]
    assert now(box).startswith("9989-12-")
    assert box.http.post(DESIGNS, headers=BEARER, json=DESIGN).status_code == 201
    assert box.last()["at"].startswith("9989-12-")


@pytest.mark.parametrize("moment", ["1970-01-01T00:00:00Z", "9999-01-01T00:00:00Z"])
def test_everything_works_at_both_ends_of_time(box: Box, moment: str) -> None:
    box.clock(freeze=moment)
    assert now(box) == moment
    box.request(status=500, retry_after=5, expires_in=10, times=1)
    made = [box.http.post(DESIGNS, headers=BEARER, json=DESIGN).status_code for _ in range(2)]
    assert made == [500, 201]
    body = {"text": "t", "language": "en"}
    spoken = box.http.post(
        "/supertone/v1/text-to-speech/a4cf2a1b8e7d", headers=SUPERTONE, json=body
    )
    assert spoken.status_code == 200
    assert {each["at"] for each in box.requests()} == {moment}
    planted = box.control.post("/voices", json={"provider": "telnyx"}).json()
    assert planted["created_at"] == planted["data"]["created_at"] == moment


@pytest.mark.parametrize(
    ("wanted", "message"),
    [
        ({"freeze": "now"}, "freeze must be a date and time such as 2024-01-31T12:00:00Z; got"),
        ({"freeze": "2024-01-01"}, "freeze must be a date and time such as"),
        ({"freeze": 5}, "freeze must be true or false or text or null; got 5"),
        ({"advance": -1}, "advance must be at least 0; got -1"),
        ({"advance": 1e300}, "advance must be at most 315360000; got"),
        ({"advance": "1"}, 'advance must be a number; got "1"'),
        ({}, "the body must have at least 1 member; got 0"),
        ({"freez": True}, "freez is not a known field"),
    ],
)  # fmt: skip
def test_a_wrong_time_is_explained(box: Box, wanted: dict[str, Any], message: str) -> None:
    refused = box.control.post("/clock", json=wanted)
    assert refused.status_code == 400
    assert refused.json()["detail"].startswith(message)


# --- diagnostics ------------------------------------------------------------------------------


def test_without_diagnostics_no_header_tells_of_the_mock(serve: Serve) -> None:
    with Box(serve(diagnostics=False), "plain") as box:
        box.request(kind="delay", seconds=0)
        answers = [
            box.http.get(LIST, headers=BEARER),
            box.http.get(LIST),
            box.http.post(DESIGNS, headers=BEARER, json={"name": "", "promt": "x"}),
            box.http.get("/telnyx/voice_clones"),
            box.http.get("/nowhere"),
            box.http.get(LIST, headers={**BEARER, "Prefer": "code=500"}),
            box.http.get(LIST, headers={**BEARER, "X-Mockvoice-Fault": "{"}),
            box.http.get(f"{box.server.url}{LIST}", headers={"X-Mockvoice-Sandbox": "a b"}),
            box.control.post("/faults", json={"sttus": 1}),
        ]
        for response in answers:
            told = [name for name in response.headers if name.startswith("x-mockvoice")]
            assert told == []
        # The journal tells all the same.
        (wrong,) = box.requests(operation="createVoiceDesign")
        assert [each["pointer"] for each in wrong["violations"]] == ["/name", "/prompt", "/text"]
        assert wrong["hint"] == "you sent promt; the field is prompt"
        assert json.dumps(box.requests()).count('"kind": "delay"') == 4


# --- bounds -----------------------------------------------------------------------------------


def test_hundreds_of_clones_stay_within_small_bounds(serve: Serve) -> None:
    server = serve(upload_cache_mb=1, max_voices=20, max_requests=10, max_accounts=5, journal_mb=1)
    mock = server.mock
    with Box(server, "small") as box:
        sample = box.control.get("/samples/wav?seconds=1").content
        form = {"voice_name": "n", "voice_provider": "elevenlabs"}
        for number in range(300):
            headers = {"Authorization": f"Bearer key-{number % 50}"}
            done = box.http.post(
                "/retell/clone-voice", headers=headers, data=form, files={"files": sample}
            )
            assert done.status_code == 201
        told = box.control.get("/requests").json()  # answered once the last clone is written down
        assert (len(told["requests"]), told["evicted"]) == (10, 290)
        small = mock.named("small")
        assert len(small.voices) == 20
        assert small.voices.evicted == 280
        assert mock.kept.bytes <= 1 << 20
        uploads = {upload for each in small.voices for upload in each.uploads}
        uploads |= {upload for each in small.journal for upload in each.uploads}
        assert mock.kept.bytes == sum(each.size for each in uploads if each.kept)
        told = box.control.get("/voices").json()
        assert len(told["voices"]) == 20
        assert told["evicted"] == 280
    # What failed early is bounded no less.
    with Box(server, "failing") as box:
        box.request(status=500)
        large = box.control.get("/samples/wav?seconds=9").content
        for _ in range(30):
            box.http.post("/retell/clone-voice", headers=BEARER, data=form, files={"files": large})
        assert mock.kept.bytes <= 1 << 20
        digests = [each["files"][0]["sha256"] for each in box.requests()]
        assert digests == [None] * 8 + digests[-2:]
        assert all(digests[-2:])

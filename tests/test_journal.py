"""The journal: what was sent, what came of it, and no secrets."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Iterator
from contextlib import contextmanager
from hashlib import sha256
from pathlib import Path
from typing import Any

import httpx
import pytest

from mockvoice.config.settings import Settings
from mockvoice.http.server import Server, bind
from mockvoice.mock import Mock
from mockvoice.provider import Provider, RequestContext
from mockvoice.providers import built_in

from .conftest import Box, Serve, encoded
from .faults.raw import Raw

WAV = encoded("wav", 0.25)
BEARER = {"Authorization": "Bearer K"}
LIST = "/retell/list-voices"
UPLOAD = "/telnyx/v2/voice_clones/from_upload"
DESIGNS = "/telnyx/v2/voice_designs"
DESIGN = {"name": "narrator", "text": "Hello", "prompt": "Calm."}
UPLOADED = {"name": "narrator", "language": "en", "gender": "male", "provider": "telnyx"}


# --- what is told -----------------------------------------------------------------------------


def test_an_exchange_is_told_whole(box: Box) -> None:
    box.clock(freeze="2024-01-01T00:00:00.250Z")
    sample = ("my voice.mp3", WAV, "audio/mpeg")
    headers = {**BEARER, "X-Stainless-Retry-Count": "1"}
    response = box.http.post(
        f"{UPLOAD}?dry=1&tag=a&tag=b", headers=headers, data=UPLOADED, files={"audio_file": sample}
    )
    (told,) = box.requests()
    assert response.headers["x-mockvoice-request"] == told["id"] == "request_1"
    assert told["headers"]["content-type"].startswith("multipart/form-data")
    assert told["milliseconds"] > 0
    assert told["bytes"] > len(WAV)
    assert told["response"]["headers"] == {
        name: value for name, value in response.headers.items() if name != "content-length"
    }
    assert told["response"]["body"] == response.json()
    account = told["account"]
    for each in ("headers", "milliseconds", "bytes", "response", "account"):
        del told[each]
    assert told == {
        "id": "request_1",
        "at": "2024-01-01T00:00:00.250Z",
        "provider": "telnyx",
        "operation": "createVoiceCloneFromUpload",
        "method": "POST",
        "path": UPLOAD,
        "query": {"dry": "1", "tag": ["a", "b"]},
        "fields": UPLOADED,
        "files": [
            {
                "field": "audio_file",
                "filename": "my voice.mp3",
                "content_type": "audio/mpeg",
                "bytes": len(WAV),
                "sha256": sha256(WAV).hexdigest(),
                "format": "wav",
                "seconds": 0.25,
            }
        ],
        "violations": [],
        "hint": "",
        "fault": None,
        "status": 201,
        "attempt": 2,
        "early": None,
        "internal_error": "",
    }
    assert account
    assert account != "K"
    assert box.control.get("/requests/request_1").json() == box.last()


def test_fields_are_told_as_they_were_decoded(box: Box) -> None:
    form = {"text": "t", "stability": "0.5", "name": "n", "model": "faseeh-v1-preview", "x": "1"}
    files: dict[str, Any] = {
        "voice_file": WAV,
        "reference_audio_file": ("", WAV, "audio/wav"),
        "other": b"text",
    }
    path, key = "/faseeh/api/v1/voices/clone", {"x-api-key": "K"}
    assert box.http.post(path, headers=key, data=form, files=files).status_code == 200
    told = box.last()
    assert told["fields"] == {**form, "stability": 0.5}
    assert [(each["field"], each["filename"], each["format"]) for each in told["files"]] == [
        ("voice_file", "upload", "wav"),
        ("reference_audio_file", "", "wav"),
        ("other", "upload", "text"),
    ]


def test_what_an_early_failure_kept_from_being_read_is_told_too(box: Box) -> None:
    """Who tests retries wants to see what the attempts sent that failed."""
    box.request(status=502, times=2)
    box.http.post(UPLOAD, headers=BEARER, data=UPLOADED, files={"audio_file": WAV})
    box.http.post(DESIGNS, headers=BEARER, json=DESIGN)
    box.http.post(UPLOAD, data=UPLOADED, files={"audio_file": WAV})  # no key
    box.http.post("/telnyx/nowhere", headers=BEARER, json=DESIGN)
    upload, design, no_key, lost = box.requests()
    for told in (upload, no_key):
        assert told["fields"] == UPLOADED
        assert told["files"][0]["sha256"] == sha256(WAV).hexdigest()
    for told in (design, lost):
        assert (told["fields"], told["files"]) == (DESIGN, [])
    assert [each["status"] for each in (upload, design, no_key, lost)] == [502, 502, 401, 404]
    assert (lost["operation"], no_key["account"]) == ("", "")


def test_what_cannot_be_read_is_told_by_its_size(box: Box) -> None:
    for content in (b"{", b"[1]", b"\xff"):
        box.http.post(DESIGNS, headers=BEARER, content=content)
        told = box.last()
        assert (told["fields"], told["files"], told["bytes"]) == ({}, [], len(content))


def test_a_reply_of_sound_is_not_kept(box: Box) -> None:
    body = {"text": "hello", "voice": "aws.Polly.Generative.Lucia"}
    box.http.post("/telnyx/v2/text-to-speech/speech", headers=BEARER, json=body)
    reply = box.last()["response"]
    assert reply["body"] is None
    assert reply["headers"]["content-type"] == "audio/mpeg"


def test_a_rejection_says_where_what_and_why(box: Box) -> None:
    form = {"name": "narrator", "voice_provider": "eleven"}
    refused = box.http.post(
        "/retell/clone-voice", headers=BEARER, data=form, files={"files": b"Example data"}
    )
    assert refused.headers["x-mockvoice-hint"] == "you sent name; the field is voice_name"
    told = box.last()
    assert told["hint"] == "you sent name; the field is voice_name"
    assert told["violations"] == json.loads(refused.headers["x-mockvoice-violations"])
    name, provider = told["violations"]
    assert name == {
        "location": "body",
        "pointer": "/voice_name",
        "rule": "required",
        "message": "voice_name is required",
        "expected": "voice_name",
        "received": None,
        "source": "retell.yaml#/components/schemas/CloneVoiceRequest/required",
        "hint": "you sent name; the field is voice_name",
    }
    assert (provider["rule"], provider["received"]) == ("enum", "eleven")
    assert "elevenlabs" in provider["expected"]
    assert provider["hint"] == "did you mean elevenlabs?"


def test_a_rule_is_where_its_violation_says(box: Box) -> None:
    """A pointer into the contract as it is served, to the schema that holds the rule."""
    contract = Mock(Settings(), built_in()).providers
    box.http.post(DESIGNS, headers=BEARER, json={"name": "", "prompt": 5, "top_k": 0})
    box.http.get("/telnyx/v2/voice_clones?page[size]=0", headers=BEARER)
    box.http.post("/retell/clone-voice", headers=BEARER, files={"files": b"Example data"})
    form = {"voice_name": "n", "voice_provider": "platform"}
    box.http.post("/retell/clone-voice", headers=BEARER, data=form, files={"files": b"Example"})
    supertone, large = "/supertone/v1/custom-voices/cloned-voice", {"files": WAV + bytes(3 << 20)}
    box.http.post(supertone, headers={"x-sup-api-key": "K"}, data={"name": "n"}, files=large)
    found = [each for told in box.requests() for each in told["violations"]]
    rules = {"required", "minLength", "type", "minimum", "x-audio-formats", "x-max-bytes"}
    assert rules <= {each["rule"] for each in found}
    for violation in found:
        name, _, pointer = violation["source"].partition("#")
        schemas = contract[name.removesuffix(".yaml")].document.schemas
        node = schemas.node("#" + pointer)
        if violation["rule"] != "required":  # there one member of the list is named
            assert violation["expected"] in (node, [node]), violation


def test_a_hint_may_name_anything_that_was_sent(box: Box) -> None:
    """A header has room for few characters; the journal for all of them."""
    for name in ("prompt☃", "prompt\r\nX-Evil: 1", "prompt\\é"):
        body = {"name": "n", "text": "t", name: "x"}
        refused = box.http.post(DESIGNS, headers=BEARER, json=body)
        assert refused.status_code == 422
        assert "x-evil" not in refused.headers
        hint = f"you sent {name}; the field is prompt"
        assert refused.headers["x-mockvoice-hint"].encode().decode("unicode_escape") == hint
        assert box.last()["hint"] == hint


def test_a_long_value_does_not_push_the_explanation_out_of_its_header(box: Box) -> None:
    body = {**DESIGN, "name": "n" * 9000}
    refused = box.http.post(DESIGNS, headers=BEARER, json=body)
    (explained,) = json.loads(refused.headers["x-mockvoice-violations"])
    assert explained["message"] == "name must be at most 255 characters long; got 9000"
    assert box.last()["violations"][0]["received"] == "n" * 9000


@pytest.mark.parametrize(
    ("count", "attempt"),
    [("0", 1), ("2", 3), ("", None), ("x", None), ("-1", None), ("²", None), ("9" * 5000, None)],
)
def test_an_attempt_is_told_where_the_client_counts(
    box: Box, count: str, attempt: int | None
) -> None:
    headers = {b"Authorization": b"Bearer K", b"X-Stainless-Retry-Count": count.encode("latin-1")}
    assert box.http.get(LIST, headers=headers).status_code == 200
    assert box.last()["attempt"] == attempt


# --- secrets ----------------------------------------------------------------------------------


def test_nothing_that_sounds_like_a_secret_is_shown(box: Box) -> None:
    secrets = [f"sk_live_{number:012}_verysecret" for number in range(20)]
    key, *others = secrets
    query = {"api_key": others[:2], "token": others[2]}
    headers = {
        "Authorization": f"Bearer {key}",
        "Cookie": f"session={others[3]}",
        "x-api-key": others[4],
        "Proxy-Authorization": f"Basic {others[5]}",
        "X-Client-Secret": others[6],
        "X-Mockvoice-Fault": json.dumps({"status": 500, "match": {"account": key}, "times": 1}),
        "X-Echo": f"key={key}",
    }
    body = {
        **DESIGN,
        "text": f"my key is {key}",
        "apiKey": [others[7], {"deep": others[8]}],
        "password": {"x": others[9]},
        "access_token": 123454321,
        "nested": [{"client_secret": others[10]}],
    }
    wrong = {**body, "prompt": {"secret": others[11]}, "name": {"api-key": others[12]}}
    for sent in (body, wrong):
        for asked in (headers, {k: v for k, v in headers.items() if "Fault" not in k}):
            box.http.post(DESIGNS, params=query, headers=asked, json=sent)
    form = {"name": "n", "credentials": others[13]}
    box.http.post(UPLOAD, headers=headers, data=form, files={"audio_file": WAV})
    basic = {"Authorization": f"Basic {others[14]}"}
    box.http.get(LIST, headers=basic)
    box.http.get(f"/supertone/v1/credits?x={key}", headers={"x-sup-api-key": key})
    box.control.post("/voices", json={"provider": "retell", "data": {"token": others[15]}})
    box.put("supertone", key, tier="pro")
    box.request(match={"account": key, "headers": {"authorization": f"Bearer {key}"}})
    shown = "".join(
        box.control.get(path, params={"presets": True} if path == "/voices" else {}).text
        for path in ("/requests", "/voices", f"/accounts/supertone/{key}", "/faults")
    )
    assert [each for each in (*secrets, "123454321") if each in shown] == []
    assert "sk_l…" in shown


def test_what_only_resembles_a_secret_is_shown(box: Box) -> None:
    box.http.post(DESIGNS, headers=BEARER, json={**DESIGN, "max_new_tokens": 100})
    assert box.last()["fields"]["max_new_tokens"] == 100
    path = "/supertone/v1/voices?next_page_token=abc"
    box.http.get(path, headers={"x-sup-api-key": "K"})
    assert box.last()["query"] == {"next_page_token": "abc"}


def test_a_key_tells_accounts_apart_though_it_is_redacted(box: Box) -> None:
    for key in ("one", "two", "one"):
        box.http.get(LIST, headers={"Authorization": f"Bearer {key}"})
    first, second, third = [each["account"] for each in box.requests()]
    assert first == third != second


def test_the_sender_is_not_told_its_secrets_back(box: Box) -> None:
    sent = {**DESIGN, "prompt": {"api_key": "sk_live_0123456789"}}
    refused = box.http.post(DESIGNS, headers=BEARER, json=sent)
    assert refused.status_code == 422
    assert "sk_live_0123456789" not in refused.text + str(refused.headers)


# --- bounds and filters -----------------------------------------------------------------------


def test_filters_find_what_they_name(box: Box) -> None:
    box.clock(freeze="2024-01-01T00:00:00Z")
    box.http.get(LIST, headers=BEARER)
    box.http.get(LIST)
    box.clock(advance=1)
    box.http.post(DESIGNS, headers=BEARER, json=DESIGN)
    box.http.get("/faseeh/api/v1/voices", headers={"x-api-key": "K"})
    box.clock(advance=1)
    box.http.get("/retell/get-voice/nobody", headers=BEARER)
    box.http.get("/retell/nowhere")

    def found(**filters: Any) -> list[int]:
        return [int(each["id"].removeprefix("request_")) for each in box.requests(**filters)]

    assert found() == [1, 2, 3, 4, 5, 6]
    assert found(provider="retell") == [1, 2, 5, 6]
    assert found(operation="listVoices") == [1, 2, 4]
    assert found(operation="listVoices", provider="faseeh") == [4]
    assert found(operation="GET /list-voices") == [1, 2]
    assert found(operation="GET /get-voice/{voice_id}") == [5]
    assert found(operation="GET /retell/nowhere") == [6]
    assert found(status=200) == [1, 4]
    assert found(status=401, provider="retell") == [2]
    assert found(since="request_4") == [5, 6]
    assert found(since="request_999") == []
    assert found(since="2024-01-01T00:00:00Z") == [3, 4, 5, 6]
    assert found(since="2024-01-01T00:00:01") == [5, 6]  # UTC
    assert found(since="2024-01-01T02:00:01+02:00") == [5, 6]
    assert found(since="2023-12-31") == [1, 2, 3, 4, 5, 6]
    assert found(since="0001-01-01") == [1, 2, 3, 4, 5, 6]
    assert found(since="9999-12-31T23:59:59-14:00") == []
    assert found(limit=2) == [5, 6]
    assert found(provider="retell", limit=1) == [6]


@pytest.mark.parametrize(
    ("query", "message"),
    [
        ("since=yesterday", "since must be the id of a request, or a time; got yesterday"),
        ("since=request_x", "since must be the id of a request, or a time; got request_x"),
        ("limit=0", "limit must be at least 1; got 0"),
        ("limit=all", 'limit must be a whole number; got "all"'),
        (
            "provider=retel",
            "provider must be one of faseeh, retell, supertone, telnyx; got retel",
        ),
        (
            "provider=retell&operation=getVoices",
            (
                "operation must be an operation; got getVoices; there are cloneVoice, getVoice,"
                " listVoices, addCommunityVoice, searchCommunityVoice, getConcurrency"
            ),
        ),
        ("status=ok", 'status must be a whole number; got "ok"'),
    ],
)
def test_a_wrong_filter_is_explained(box: Box, query: str, message: str) -> None:
    response = box.control.get(f"/requests?{query}")
    assert (response.status_code, response.json()["detail"]) == (400, message)


def test_an_unknown_request_is_404(box: Box) -> None:
    for id in ("request_1", "request_0", "x", "request_99999999999999999999"):
        response = box.control.get(f"/requests/{id}")
        assert response.status_code == 404
        assert response.json()["detail"] == f"the journal has no {id}"


def test_ids_go_on_where_the_journal_is_cleared_and_begin_anew_at_a_reset(box: Box) -> None:
    for _ in range(2):
        box.http.get(LIST, headers=BEARER)
    assert box.control.delete("/requests").status_code == 204
    assert box.requests() == []
    box.http.get(LIST, headers=BEARER)
    assert [each["id"] for each in box.requests(since="request_2")] == ["request_3"]
    box.control.post("/reset", json={"only": ["requests"]})
    box.http.get(LIST, headers=BEARER)
    assert box.last()["id"] == "request_1"


def test_requests_are_told_in_the_order_in_which_they_came(box: Box) -> None:
    with Raw(box.url) as slow:
        slow.begin("/retell/clone-voice")
        box.http.get("/faseeh/api/v1/voices", headers={"x-api-key": "K"})
        assert [each["provider"] for each in box.requests()] == ["faseeh"]
        slow.end()
        slow.get()
    assert [each["provider"] for each in box.requests()] == ["retell", "faseeh"]


def test_what_began_before_a_reset_is_not_told_after_it(box: Box) -> None:
    with Raw(box.url) as slow:
        slow.begin("/retell/clone-voice")
        box.control.post("/reset")
        box.http.get("/faseeh/api/v1/voices", headers={"x-api-key": "K"})
        slow.end()
        assert slow.get().status == 400
    assert [(each["id"], each["provider"]) for each in box.requests()] == [("request_1", "faseeh")]


def test_the_newest_requests_are_kept_and_the_others_counted(serve: Serve) -> None:
    with Box(serve(max_requests=3), "few") as box:
        for _ in range(5):
            box.http.get(LIST, headers=BEARER)
        told = box.control.get("/requests").json()
        ids = [each["id"] for each in told["requests"]]
        assert (ids, told["evicted"]) == (["request_3", "request_4", "request_5"], 2)
        assert box.control.get("/requests/request_2").status_code == 404
        box.control.delete("/requests")
        assert box.control.get("/requests").json() == {"requests": [], "evicted": 0}


@pytest.mark.parametrize(
    "request_",
    [
        {"json": {**DESIGN, "prompt": "x" * 300_000}},
        {"data": {"name": "n", "label": "x" * 300_000}, "files": {"audio_file": WAV}},
        {"json": DESIGN, "headers": {f"X-Long-{n}": "x" * 5_000 for n in range(10)}},
        {"json": DESIGN, "params": {"q": "x" * 50_000}},
    ],
)
def test_a_journal_stays_within_its_bytes_whatever_fills_them(
    serve: Serve, request_: dict[str, Any]
) -> None:
    server = serve(journal_mb=1)
    with Box(server, "small") as box:
        headers = {**BEARER, **request_.pop("headers", {})}
        for _ in range(30):
            path = UPLOAD if "files" in request_ else DESIGNS
            assert box.http.post(path, headers=headers, **request_).status_code < 500
        told = box.control.get("/requests", params={"limit": 100}).json()
        assert told["evicted"] == 30 - len(told["requests"]) > 0
        entries, _ = asyncio.run(server.mock.store.list_entries("small"))
        assert 0 < sum(entry.weight for entry in entries) <= 1 << 20


def test_files_do_not_count_against_the_journal(serve: Serve) -> None:
    with Box(serve(journal_mb=1), "files") as box:
        large = box.control.get("/samples/wav?seconds=6").content
        for _ in range(10):
            box.http.post(UPLOAD, headers=BEARER, data=UPLOADED, files={"audio_file": large})
        told = box.control.get("/requests").json()
        assert (len(told["requests"]), told["evicted"]) == (10, 0)


# --- our own mistakes -------------------------------------------------------------------------

ACME = """
openapi: 3.1.0
info: {title: Acme}
servers: [{url: https://acme.example/v9}]
paths:
  /songs:
    get:
      operationId: listSongs
      responses:
        '200': {description: ok, content: {application/json: {schema: {type: object}}}}
        '500': {description: no, content: {application/json: {example: {oops: broken}}}}
"""


@contextmanager
def acme(folder: Path, answer: Any) -> Iterator[Box]:
    """A sandbox of a server whose provider answers as a function of the test's own."""
    contract = folder / "acme.yaml"
    contract.write_text(ACME)
    provider = Provider("acme", "Acme", contract=contract)

    @provider.operation("listSongs")
    async def handler(call: RequestContext) -> Any:
        return answer(call)

    with Server(Mock(Settings(), [provider, *built_in()]), bind("127.0.0.1", 0)) as server:
        with Box(server, "acme") as box:
            yield box


def test_a_handler_that_raises_is_told_with_its_traceback(tmp_path: Path) -> None:
    def fail(call: RequestContext) -> Any:
        raise RuntimeError("oh no")

    with acme(tmp_path, fail) as box:
        response = box.http.get("/acme/v9/songs")
        assert (response.status_code, response.json()) == (500, {"oops": "broken"})
        error = box.last()["internal_error"]
    assert error.startswith("Traceback")
    assert "test_journal.py" in error
    assert error.rstrip().endswith("RuntimeError: oh no")


def test_a_reply_that_does_not_fit_its_contract_is_told(tmp_path: Path) -> None:
    with acme(tmp_path, lambda call: [1]) as box:
        assert box.http.get("/acme/v9/songs").json() == [1]
        assert (
            box.last()["internal_error"]
            == "the response 200 of listSongs: the body must be an object; got [1]"
        )


def test_a_stream_that_breaks_is_told_with_its_traceback(tmp_path: Path) -> None:
    def pieces() -> Iterator[bytes]:
        yield b"one"
        raise RuntimeError("no more")

    with acme(tmp_path, lambda call: pieces()) as box:
        with pytest.raises(httpx.RemoteProtocolError):
            box.http.get("/acme/v9/songs")
        assert "RuntimeError: no more" in box.last()["internal_error"]

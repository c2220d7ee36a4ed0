"""What each kind of failure is on the wire, from a raw socket, with both parsers of uvicorn."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Iterator
from contextlib import ExitStack
from time import perf_counter
from typing import get_args

import httpx
import pytest

from mockvoice.client.models import Kind
from mockvoice.http.app import App
from mockvoice.http.server import Server, bind

from ..conftest import Box, internal_errors
from ..state.serializing import make_mock
from .raw import Raw

LIST = "/retell/list-voices"
COMMUNITY = "/retell/add-community-voice"
VOICE = b'{"provider_voice_id": "x", "voice_name": "n", "voice_provider": "minimax"}'
TYPE = {"content_type": "application/json"}
CUSTOM = "/supertone/v1/custom-voices"


@pytest.fixture(scope="module", params=["h11", "httptools"])
def server(request: pytest.FixtureRequest, servers: ExitStack) -> Server:
    mock = make_mock()
    return servers.enter_context(Server(mock, bind("127.0.0.1", 0), http=request.param))


@pytest.fixture(autouse=True)
def no_mistakes(server: Server) -> Iterator[None]:
    yield
    assert not internal_errors(server)


@pytest.fixture
def raw(box: Box) -> Iterator[Raw]:
    with Raw(box.url) as raw:
        yield raw


def names(box: Box) -> list[str]:
    return [each["data"]["voice_name"] for each in box.voices()]


@pytest.mark.parametrize("when", ["before", "after"])
def test_a_reset_is_a_tcp_rst(box: Box, raw: Raw, when: str) -> None:
    box.inject(kind="reset", when=when)
    raw.send(COMMUNITY, "POST", VOICE, **TYPE)
    with pytest.raises(ConnectionResetError):
        raw.read()
    assert names(box) == (["n"] if when == "after" else [])
    assert (box.last()["status"], box.last()["fault"]["kind"]) == (None, "reset")


@pytest.mark.parametrize("when", ["before", "after"])
def test_a_disconnect_is_an_end_without_a_byte(box: Box, raw: Raw, when: str) -> None:
    box.inject(kind="disconnect", when=when)
    raw.send(COMMUNITY, "POST", VOICE, **TYPE)
    assert raw.read() == b""
    assert names(box) == (["n"] if when == "after" else [])
    assert box.last()["response"] is None


@pytest.mark.parametrize("when", ["before", "after"])
def test_a_timeout_is_silent_for_its_seconds_and_then_ends(box: Box, raw: Raw, when: str) -> None:
    box.inject(kind="timeout", seconds=0.03, when=when)
    began = perf_counter()
    raw.send(COMMUNITY, "POST", VOICE, **TYPE)
    assert raw.read() == b""
    assert perf_counter() - began >= 0.03
    assert names(box) == (["n"] if when == "after" else [])


@pytest.mark.parametrize("when", ["before", "after"])
@pytest.mark.parametrize(
    ("cut", "share"),
    [
        ({}, 0.5),
        ({"fraction": 0.25}, 0.25),
        ({"fraction": 0.0}, 0.0),
        ({"fraction": 1.0}, 0.999),
        ({"bytes": 10}, None),
        ({"bytes": 10.0}, None),
        ({"bytes": 10_000}, 0.999),
    ],
)
def test_a_truncated_reply_is_shorter_than_it_says(
    box: Box, raw: Raw, when: str, cut: dict[str, float], share: float | None
) -> None:
    box.inject(kind="truncate", when=when, **cut)
    raw.send(COMMUNITY, "POST", VOICE, **TYPE)
    got = raw.get()
    assert (got.status, raw.read()) == (200, b"")
    assert len(got.body) < got.promised
    assert len(got.body) == (10 if share is None else int(got.promised * share))
    assert names(box) == (["n"] if when == "after" else [])
    assert box.last()["response"]["body"] == (got.body.decode() or None)


def test_a_streamed_sound_can_be_cut_too(box: Box, raw: Raw) -> None:
    box.inject(kind="truncate", when="after")
    body = b'{"text": "hello", "voice": "aws.Polly.Generative.Lucia"}'
    raw.send("/telnyx/v2/text-to-speech/speech", "POST", body, **TYPE)
    got = raw.get()
    assert got.headers["content-type"] == "audio/mpeg"
    assert len(got.body) == got.promised // 2 > 0


@pytest.mark.parametrize("when", ["before", "after"])
def test_a_delay_comes_before_the_whole_answer(box: Box, raw: Raw, when: str) -> None:
    box.inject(kind="delay", seconds=0.03, when=when)
    began = perf_counter()
    raw.send(COMMUNITY, "POST", VOICE, **TYPE)
    got = raw.get()
    assert perf_counter() - began >= 0.03
    assert (got.status, json.loads(got.body)["voice_name"]) == (200, "n")
    assert names(box) == ["n"]


@pytest.mark.parametrize("when", ["before", "after"])
def test_a_drip_is_the_true_answer_in_many_pieces(box: Box, raw: Raw, when: str) -> None:
    box.inject(kind="drip", seconds=0.04, when=when)
    began = perf_counter()
    raw.send(COMMUNITY, "POST", VOICE, **TYPE)
    got = raw.get()
    assert perf_counter() - began >= 0.04
    assert got.reads > 2
    assert (got.status, json.loads(got.body)["voice_name"]) == (200, "n")
    assert names(box) == ["n"]
    raw.send(LIST)  # and the connection goes on
    assert raw.get().status == 200


@pytest.mark.parametrize("when", ["before", "after"])
def test_an_error_leaves_the_connection_usable(box: Box, raw: Raw, when: str) -> None:
    box.inject(status=500, times=1, when=when)
    raw.send(COMMUNITY, "POST", VOICE, **TYPE)
    assert raw.get().status == 500
    assert names(box) == (["n"] if when == "after" else [])
    raw.send(LIST)
    assert raw.get().status == 200


@pytest.mark.parametrize("when", ["before", "after"])
@pytest.mark.parametrize("kind", ["malformed", "empty", "wrong_type"])
def test_a_spoilt_reply_has_its_status_and_leaves_the_connection_usable(
    box: Box, raw: Raw, kind: str, when: str
) -> None:
    box.inject(kind=kind, times=1, when=when)
    raw.send(COMMUNITY, "POST", VOICE, **TYPE)
    got = raw.get()
    assert (got.status, got.promised) == (200, len(got.body))
    with pytest.raises(ValueError, match="line 1 column"):
        json.loads(got.body)
    if kind == "wrong_type":
        assert got.headers["content-type"] == "text/html"
        assert got.body.startswith(b"<html>")
    else:
        assert got.headers["content-type"] == "application/json"
        assert (got.body == b"") == (kind == "empty")
    assert names(box) == (["n"] if when == "after" else [])
    assert box.last()["response"]["body"] == (got.body.decode() or None)
    raw.send(LIST)
    assert raw.get().status == 200


@pytest.mark.parametrize("kind", ["malformed", "empty", "wrong_type", "drip"])
def test_where_nothing_was_to_come_the_connection_stays_usable_too(
    box: Box, raw: Raw, kind: str
) -> None:
    """A body after 204 would be taken for the next response."""
    box.control.post("/voices", json={"provider": "supertone", "id": "v"})
    box.inject(kind=kind, seconds=0, operation="delete_custom_voice", times=1, when="after")
    raw.send(f"{CUSTOM}/v", "DELETE", x_sup_api_key="K")
    got = raw.get()
    expected = 200 if kind in ("malformed", "wrong_type") else 204
    assert (got.status, bool(got.body)) == (expected, expected == 200)
    raw.send(f"{CUSTOM}/v", x_sup_api_key="K")
    assert raw.get().status == 404


@pytest.mark.parametrize("kind", get_args(Kind))
@pytest.mark.parametrize("path", ["/retell/nowhere", "/retell/create-phone-call?x=1"])
def test_every_kind_fails_a_path_that_leads_nowhere(
    box: Box, raw: Raw, kind: str, path: str
) -> None:
    box.inject(kind=kind, seconds=0.001)
    raw.send(path)
    if kind == "reset":
        with pytest.raises(ConnectionResetError):
            raw.read()
    elif kind in ("disconnect", "timeout"):
        assert raw.read() == b""
    else:
        assert raw.get().status == (500 if kind == "status" else 404)
    assert box.last()["fault"]["kind"] == kind


def test_a_failure_waits_for_the_whole_upload(box: Box, raw: Raw, wav: bytes) -> None:
    """A client that still sends would see a broken pipe instead of the failure."""
    box.inject(status=502)
    raw.send("/telnyx/v2/voice_clones/from_upload", "POST", wav * 40, content_type="audio/wav")
    assert raw.get().status == 502
    assert box.last()["bytes"] == len(wav) * 40


def test_who_leaves_ends_the_waiting(box: Box) -> None:
    """Else each timeout that a client gave up on would hold its connection for minutes."""
    box.inject(kind="timeout")
    with Raw(box.url) as raw:
        raw.send(LIST)
    while not (told := box.requests()):
        assert box.control.get("/health").status_code == 200
    assert (told[0]["status"], told[0]["fault"]["kind"]) == (None, "timeout")


@pytest.mark.parametrize("kind", ["timeout", "delay", "drip"])
def test_a_server_stops_though_somebody_is_kept_waiting(
    kind: str, caplog: pytest.LogCaptureFixture
) -> None:
    with ExitStack() as stack:
        with Server(make_mock(), bind("127.0.0.1", 0)) as server:
            box = stack.enter_context(Box(server, "waiting"))
            id = box.inject(kind=kind, seconds=60)
            raw = stack.enter_context(Raw(box.url))
            raw.send(LIST)
            while not box.fault(id)["hits"]:
                continue
        while raw.read():
            continue
    assert caplog.records == []


@pytest.mark.parametrize("kind", ["reset", "disconnect", "timeout", "truncate"])
def test_where_there_is_no_connection_to_break_the_call_fails(kind: str) -> None:
    """In process, without a server: the client sees what it would see of a broken connection."""
    mock = make_mock()
    fault = json.dumps({"kind": kind, "seconds": 0.001})

    async def call() -> None:
        transport = httpx.ASGITransport(App(mock))
        async with httpx.AsyncClient(transport=transport, base_url="http://mock") as http:
            await http.get(LIST, headers={"X-Mockvoice-Fault": fault})

    with pytest.raises(ConnectionResetError, match="by a fault"):
        asyncio.run(call())
    (told,), _ = asyncio.run(mock.store.list_entries(""))
    assert (told.kind, told.internal_error) == (kind, "")


def test_delays_add_up_with_what_follows(box: Box, raw: Raw) -> None:
    ids = [
        box.inject(kind="delay", seconds=0.02),
        box.inject(kind="delay", seconds=0.02, when="after"),
        box.inject(status=503),
        box.inject(kind="reset"),  # never comes to it
    ]
    began = perf_counter()
    raw.send(LIST)
    got = raw.get()
    assert perf_counter() - began >= 0.04
    assert got.status == 503
    assert got.headers["x-mockvoice-fault"] == ", ".join(ids[:3])
    assert box.last()["fault"] == {"id": ", ".join(ids[:3]), "kind": "delay, delay, status"}
    assert [box.fault(id)["hits"] for id in ids] == [1, 1, 1, 0]


def test_a_draw_is_seconds_that_can_be_waited_for_however_wild_its_numbers(
    box: Box, raw: Raw
) -> None:
    box.inject(kind="delay", seconds=0, distribution="lognormal", jitter=3600, times=20)
    box.inject(kind="delay", seconds=0, distribution="uniform", jitter=0.001, times=20)
    box.inject(kind="delay", seconds=0, distribution="normal", jitter=0.001, times=20)
    for _ in range(20):
        raw.send(LIST)
        assert raw.get().status == 200

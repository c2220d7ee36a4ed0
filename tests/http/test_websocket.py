"""WebSockets: the handshake, frames, the journal, and what ends a connection."""

from __future__ import annotations

import asyncio
import json
import socket
import struct
import subprocess
import sys
import time
from collections.abc import Awaitable, Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import httpx
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from websockets.exceptions import InvalidStatus

from mockvoice import create_app
from mockvoice.errors import Forbidden, PaymentRequired
from mockvoice.http.server import Server, bind
from mockvoice.provider import Conversation, Provider, RequestContext, WebSocket
from mockvoice.state.journal import JournalFrame

from ..conftest import Box, Serve, internal_errors
from ..state.serializing import make_mock
from .sockets import KEY, SPEECH, closed, exchanged, opened, receive_frames, say, socket_url

CONTRACT = """
openapi: 3.1.0
info: {title: Acme, version: '1'}
servers: [{url: https://api.acme.example/v1}]
components:
  securitySchemes: {key: {type: http, scheme: bearer}}
paths:
  /talk:
    get:
      operationId: talk
      security: [{key: []}]
      x-websocket:
        client: {type: object, required: [say], properties: {say: {type: string}}}
        server: {type: object, required: [said], properties: {said: {type: string}}}
      responses: {'101': {description: open}, '402': {description: no}, '403': {description: no}}
  /echo:
    get:
      operationId: echo
      responses: {'101': {description: open}}
  /plain:
    get:
      operationId: plain
      responses: {'200': {description: ok}}
"""
TALK, ECHO, PLAIN = "/acme/v1/talk", "/acme/v1/echo", "/acme/v1/plain"


class Acme:
    """A provider with WebSockets whose conversation a test sets."""

    def __init__(self, folder: Path) -> None:
        contract = folder / "acme.yaml"
        contract.write_text(CONTRACT)
        self.provider = Provider("acme", "Acme", contract=contract, account={"credit": None})
        self.converse: Callable[[RequestContext, WebSocket], Awaitable[None]] = self._echo

        async def talk(ctx: RequestContext) -> Conversation:
            return lambda socket: self.converse(ctx, socket)

        declared = [Forbidden("said no"), PaymentRequired("no credit")]
        self.provider.websocket("talk", raises=declared)(talk)
        self.provider.websocket("echo")(talk)

    async def _echo(self, ctx: RequestContext, socket: WebSocket) -> None:
        async for frame in socket:
            said = frame["say"] if isinstance(frame, dict) else frame
            socket.play([said if isinstance(said, bytes) else {"said": said}])


@pytest.fixture
def acme(tmp_path: Path) -> Acme:
    return Acme(tmp_path)


@pytest.fixture
def running(acme: Acme) -> Iterator[Server]:
    mock = make_mock([acme.provider], accounts={"acme": {"poor": {"credit": 2}}})
    with Server(mock, bind("127.0.0.1", 0)) as server:
        yield server


@pytest.fixture(params=["h11", "httptools"])
def parsed_by(request: pytest.FixtureRequest) -> Iterator[Server]:
    with Server(make_mock(), bind("127.0.0.1", 0), http=request.param) as server:
        yield server
        assert not internal_errors(server)


def recorded(server: Server, sandbox: str = "") -> Any:
    """Return the newest journal entry."""
    prefix = f"/~{sandbox}" if sandbox else ""
    return httpx.get(f"{server.url}{prefix}/__mockvoice/requests").json()["requests"][-1]


def ended(server: Server, count: int = 1) -> Any:
    """Return the newest journal entry once connections have ended."""
    deadline = time.monotonic() + 20
    while time.monotonic() < deadline:
        entries = httpx.get(f"{server.url}/__mockvoice/requests").json()["requests"]
        if sum(entry["closed"] is not None for entry in entries) >= count:
            return entries[-1]
    raise AssertionError(entries)


def rejected(url: str, headers: dict[str, str] | None = None) -> Any:
    with pytest.raises(InvalidStatus) as raised:
        opened(url, headers)
    return raised.value.response


# --- the handshake -------------------------------------------------------------------------------


def test_websocket_works_with_both_parsers(parsed_by: Server) -> None:
    with opened(socket_url(parsed_by.url)) as client:
        say(client, " ", "Hello.", "")
        assert receive_frames(client)[-1]["type"] == "final"
    assert (client.close_code, ended(parsed_by)["status"]) == (1000, 101)


def test_request_before_websocket_on_same_connection(parsed_by: Server) -> None:
    host, port = parsed_by.url.removeprefix("http://").split(":")
    with socket.create_connection((host, int(port)), timeout=20) as raw:
        raw.sendall(f"GET /health HTTP/1.1\r\nHost: {host}\r\n\r\n".encode())
        assert raw.recv(65536).startswith(b"HTTP/1.1 200")
        raw.sendall(handshake(host))
        assert raw.recv(65536).startswith(b"HTTP/1.1 101")


def test_pipelined_handshake_is_handled_as_plain_request(parsed_by: Server) -> None:
    host, port = parsed_by.url.removeprefix("http://").split(":")
    with socket.create_connection((host, int(port)), timeout=20) as raw:
        plain = f"GET /health HTTP/1.1\r\nHost: {host}\r\n\r\n".encode()
        raw.sendall(plain + handshake(host))
        data = b""
        while data.count(b"HTTP/1.1 ") < 2:
            data += raw.recv(65536)
    assert b"HTTP/1.1 200" in data
    assert b"HTTP/1.1 400" in data or b"HTTP/1.1 101" in data


def handshake(host: str) -> bytes:
    return (
        f"GET {SPEECH} HTTP/1.1\r\nHost: {host}\r\nAuthorization: Bearer KEY\r\n"
        "Connection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\n"
        "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n"
    ).encode()


def test_rejected_handshake_is_a_response_like_any_other(parsed_by: Server) -> None:
    response = rejected(socket_url(parsed_by.url), {})
    assert response.status_code == 401
    assert json.loads(response.body)["errors"][0]["code"] == "10009"
    assert response.headers["x-mockvoice-request"] == "request_1"
    entry = recorded(parsed_by)
    assert (entry["operation"], entry["status"]) == ("TextToSpeechOverWs", 401)
    assert (entry["frames"], entry["closed"]) == ([], None)


@pytest.mark.parametrize("header", ["x: " + "a" * 9000, "\r\n".join(["x: a"] * 200)])
def test_handshake_with_too_large_headers_is_rejected(parsed_by: Server, header: str) -> None:
    answer = sent(parsed_by, handshake(f"x\r\n{header}"))
    assert answer.startswith((b"HTTP/1.1 400", b"HTTP/1.1 431"))


def test_upgrade_of_another_method_is_ignored(parsed_by: Server) -> None:
    posted = handshake("x\r\nContent-Length: 2").replace(b"GET", b"POST") + b"{}"
    assert sent(parsed_by, posted).startswith(b"HTTP/1.1 4")
    assert recorded(parsed_by)["operation"] == "generateSpeech"


def sent(server: Server, data: bytes) -> bytes:
    """Return the beginning of the response to data."""
    host, port = server.url.removeprefix("http://").split(":")
    with socket.create_connection((host, int(port)), timeout=20) as raw:
        raw.sendall(data)
        return raw.recv(65536)


def test_plain_request_to_websocket_gets_426_unless_documented_otherwise(running: Server) -> None:
    response = httpx.get(f"{running.url}{TALK}", headers=KEY)
    assert (response.status_code, response.headers["upgrade"]) == (426, "websocket")
    assert "ws://" in response.headers["x-mockvoice-hint"]


def test_handshake_at_plain_operation_gets_its_response(running: Server) -> None:
    assert rejected(socket_url(running.url, PLAIN)).status_code == 200
    assert rejected(socket_url(running.url, "/nowhere")).status_code == 404
    assert rejected(socket_url(running.url, "/__mockvoice/health")).status_code == 200


def test_page_of_another_origin_cannot_open_a_websocket(server: Server, box: Box) -> None:
    url = socket_url(box.url)
    assert rejected(url, {**KEY, "Origin": "https://evil.example"}).status_code == 403
    assert box.requests() == []
    with opened(url, {**KEY, "Origin": server.url}):
        pass


def test_client_with_headers_of_a_browser_but_no_origin_is_accepted(server: Server) -> None:
    host, port = server.url.removeprefix("http://").split(":")
    headers = b"Host: mock.example\r\nAccept-Language: *"  # as of Node's WebSocket
    with socket.create_connection((host, int(port)), timeout=20) as raw:
        raw.sendall(handshake("").replace(b"Host: ", headers))
        assert raw.recv(65536).startswith(b"HTTP/1.1 101")


def test_unlisted_key_is_rejected_at_handshake(serve: Serve) -> None:
    server = serve(keys="listed", accounts={"telnyx": {"KEY_listed": {}}})
    assert rejected(socket_url(server.url)).status_code == 401
    with opened(socket_url(server.url), {"Authorization": "Bearer KEY_listed"}):
        pass


def test_sandbox_is_selected_by_path_or_header(box: Box, server: Server) -> None:
    for url, headers in (
        (socket_url(box.url), KEY),
        (socket_url(server.url), {**KEY, "X-Mockvoice-Sandbox": box.name}),
    ):
        with opened(url, headers) as client:
            say(client, " ", "")
            receive_frames(client)
    assert [entry["status"] for entry in box.requests()] == [101, 101]


def test_open_websocket_counts_as_request_in_progress(box: Box) -> None:
    box.put("telnyx", "KEY_123456789", limits={"requests": {"max": 1, "per": None}})
    with opened(socket_url(box.url)) as client:
        assert rejected(socket_url(box.url)).status_code in (400, 429)
        say(client, " ", "")
        receive_frames(client)
    closed(box)
    with opened(socket_url(box.url)):
        pass


@pytest.mark.slow
@pytest.mark.memory
def test_import_of_websockets_waits_for_first_client() -> None:
    code = (
        "import sys, httpx; from mockvoice import serve\n"
        "with serve() as mock:\n"
        "    httpx.get(mock.url + '/health'); print('websockets' in sys.modules)\n"
    )
    shown = subprocess.check_output([sys.executable, "-c", code], text=True, timeout=60)
    assert shown == "False\n"


# --- frames --------------------------------------------------------------------------------------


def test_frames_are_in_the_journal_while_the_websocket_is_open(box: Box) -> None:
    with opened(socket_url(box.url)) as client:
        say(client, " ", "Hello.")
        assert receive_frames(client, 3)[-1]["type"] == "final"
        deadline = time.monotonic() + 20  # the entry follows the frames
        while len((entry := box.last())["frames"]) < 3 and time.monotonic() < deadline:
            pass
        assert (entry["status"], entry["closed"]) == (101, None)
        assert [frame["sender"] for frame in entry["frames"]][:2] == ["client", "client"]
        assert entry["frames"][1]["data"] == {"text": "Hello."}
        audio = entry["frames"][2]
        assert audio["bytes"] > 1000
        assert len(audio["data"]["audio"]) < 300
    assert box.last()["closed"] in (None, {"code": 1000, "reason": ""})


@pytest.mark.parametrize(
    ("frame", "rule", "message"),
    [
        ('{"text": 1}', "type", "text must be text; got 1"),
        ("{}", "anyOf", "the frame must have text, or force with true; got {}"),
        ("[1]", "type", "the frame must be an object; got [1]"),
        ("Hello", "frame", "the frame is not valid JSON: Expecting value at line 1, column 1"),
        (b"\x00\x01", "frame", "the frame must be text with JSON; got a binary frame"),
    ],
)
def test_invalid_frame_is_answered_with_an_error_that_explains_it(
    box: Box, frame: str | bytes, rule: str, message: str
) -> None:
    with opened(socket_url(box.url)) as client:
        client.send(frame)
        assert receive_frames(client) == [{"type": "error", "error": message}]
    assert client.close_code == 1008
    entry = closed(box)
    (violation,) = entry["violations"]
    assert (violation["location"], violation["rule"]) == ("frame", rule)
    assert violation["message"] == message
    assert entry["closed"] == {"code": 1008, "reason": ""}


def test_speech_before_an_invalid_frame_is_sent_first(box: Box) -> None:
    with opened(socket_url(box.url)) as client:
        say(client, " ", "Hello.", {"text": 1})
        types = [frame["type"] for frame in receive_frames(client)]
    assert types == ["audio_chunk", "audio_chunk", "final", "error"]


def test_frame_over_size_limit_closes_with_1009(serve: Serve) -> None:
    server = serve(max_json_mb=1)
    with opened(socket_url(server.url)) as client:
        client.send(json.dumps({"text": "x" * 1_100_000}))
        assert receive_frames(client) == []
    assert client.close_code == 1009
    assert ended(server)["closed"]["code"] == 1009


def test_keys_in_frames_are_masked_in_the_journal(box: Box) -> None:
    with opened(socket_url(box.url)) as client:
        say(client, " ", "My key is KEY_123456789.", {"text": "", "api_key": "sk_live_12345678"})
        receive_frames(client)
    text = json.dumps(closed(box))
    assert "KEY_123456789" not in text
    assert "sk_live_12345678" not in text


def test_binary_and_text_frames_without_schema(running: Server) -> None:
    with opened(socket_url(running.url, ECHO)) as client:
        client.send(b"\x00\x01")
        assert client.recv(timeout=20) == b"\x00\x01"
        client.send("not JSON")
        assert json.loads(client.recv(timeout=20)) == {"said": "not JSON"}
    frames = ended(running)["frames"]
    assert [(frame["bytes"], frame["data"]) for frame in frames[:2]] == [(2, None), (2, None)]


def test_contract_without_function_answers_with_example(acme: Acme) -> None:
    acme.provider.handlers.clear()
    with Server(make_mock([acme.provider]), bind("127.0.0.1", 0)) as server:
        with opened(socket_url(server.url, TALK)) as client:
            client.send('{"say": "a"}')
            assert set(json.loads(client.recv(timeout=20))) == {"said"}


def test_journal_keeps_the_first_frames_of_many(running: Server) -> None:
    with opened(socket_url(running.url, TALK)) as client:
        for _ in range(600):
            client.send('{"say": "a"}')
            client.recv(timeout=20)
    entry = ended(running)
    assert (len(entry["frames"]), entry["omitted_frames"]) == (1000, 200)


def test_frame_that_violates_the_contract_is_an_internal_error(acme: Acme, running: Server) -> None:
    async def converse(ctx: RequestContext, socket: WebSocket) -> None:
        socket.play([{"sad": "a"}])

    acme.converse = converse
    with opened(socket_url(running.url, TALK)) as client:
        assert receive_frames(client) == [{"sad": "a"}]
    assert "said is required" in ended(running)["internal_error"]


@given(
    st.lists(
        st.one_of(
            st.text(max_size=50),
            st.binary(max_size=20),
            st.dictionaries(
                st.sampled_from(["text", "force", "flush", "voice_settings", "x"]),
                st.one_of(
                    st.text("a. !\n ", max_size=20),
                    st.booleans(),
                    st.none(),
                    st.floats(allow_nan=False),
                    st.dictionaries(st.sampled_from(["voice_speed"]), st.integers()),
                ),
            ).map(json.dumps),
        ),
        max_size=6,
    )
)
@settings(max_examples=40)
def test_any_frames_end_without_internal_error(frames: list[str | bytes]) -> None:
    app = create_app()
    messages = asyncio.run(exchanged(app, [*frames, '{"text": " "}', '{"text": ""}']))
    *sent, close = messages[1:]
    assert json.loads(sent[-1]["text"])["type"] == {1000: "final", 1008: "error"}[close["code"]]
    assert not app.control.requests[-1].internal_error


# --- the conversation ----------------------------------------------------------------------------


def test_changes_in_a_conversation_are_applied_one_by_one(acme: Acme, running: Server) -> None:
    def spend(ctx: RequestContext) -> Any:
        if not ctx.spend(1):
            raise PaymentRequired("no credit left")
        return ctx.add("songs", ctx.ids.token("song", 8), {}).id

    async def converse(ctx: RequestContext, socket: WebSocket) -> None:
        async for _ in socket:
            socket.play([{"said": await socket.call(spend)}])

    acme.converse = converse
    url = socket_url(running.url, TALK)
    with opened(url, {"Authorization": "Bearer poor"}) as client:
        for _ in range(3):
            client.send('{"say": "a"}')
        *said, error = receive_frames(client)
    assert len({frame["said"] for frame in said}) == 2
    assert error == {"error": "no credit left"}
    listed = httpx.get(f"{running.url}/__mockvoice/accounts").json()["accounts"]
    assert [account["credit"] for account in listed] == [0]
    assert len(httpx.get(f"{running.url}/__mockvoice/voices").json()["voices"]) == 2


def test_concurrent_conversations_spend_credit_once(acme: Acme, running: Server) -> None:
    def spend(ctx: RequestContext) -> str:
        if not ctx.spend(1):
            raise PaymentRequired("no credit left")
        return "ok"

    async def converse(ctx: RequestContext, socket: WebSocket) -> None:
        async for _ in socket:
            socket.play([{"said": await socket.call(spend)}])

    acme.converse = converse

    def talk(_: int) -> list[Any]:
        with opened(socket_url(running.url, TALK), {"Authorization": "Bearer poor"}) as client:
            client.send('{"say": "a"}')
            return receive_frames(client, 1)

    with ThreadPoolExecutor(4) as pool:
        answers = [frame for frames in pool.map(talk, range(4)) for frame in frames]
    assert sorted(map(str, answers)) == [
        *["{'error': 'no credit left'}"] * 2,
        *["{'said': 'ok'}"] * 2,
    ]


def test_undeclared_error_and_exception_close_with_1011(acme: Acme, running: Server) -> None:
    async def converse(ctx: RequestContext, socket: WebSocket) -> None:
        raise RuntimeError("boom")

    acme.converse = converse
    with opened(socket_url(running.url, TALK)) as client:
        (error,) = receive_frames(client)
    assert client.close_code == 1011
    assert "internal error" in error["error"]
    assert "RuntimeError: boom" in ended(running)["internal_error"]


def test_exception_while_frames_are_made_closes_with_1011(acme: Acme, running: Server) -> None:
    def frames() -> Iterator[Any]:
        yield {"said": "a"}
        raise RuntimeError("boom")

    async def converse(ctx: RequestContext, socket: WebSocket) -> None:
        socket.play(frames())
        async for _ in socket:
            pass

    acme.converse = converse
    with opened(socket_url(running.url, TALK)) as client:
        assert receive_frames(client)[0] == {"said": "a"}
    assert client.close_code == 1011
    assert "RuntimeError: boom" in ended(running)["internal_error"]


def test_conversation_can_close_with_a_code_and_reason(acme: Acme, running: Server) -> None:
    async def converse(ctx: RequestContext, socket: WebSocket) -> None:
        socket.play([{"said": "bye"}])
        await socket.close(4001, "enough")

    acme.converse = converse
    with opened(socket_url(running.url, TALK)) as client:
        assert receive_frames(client) == [{"said": "bye"}]
    assert (client.close_code, client.close_reason) == (4001, "enough")
    assert ended(running)["closed"] == {"code": 4001, "reason": "enough"}


# --- the end -------------------------------------------------------------------------------------


def test_client_that_vanishes_is_recorded_as_1006(box: Box, server: Server) -> None:
    box.put("telnyx", "KEY_123456789", limits={"requests": {"max": 1, "per": None}})
    with opened(socket_url(box.url)) as client:
        say(client, " ")
        client.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        client.socket.shutdown(socket.SHUT_RD)
        client.socket.close()
    entry = closed(box)
    assert entry["closed"] == {"code": 1006, "reason": ""}
    assert entry["client_closed"] is not None
    with opened(socket_url(box.url)):  # it is no longer in progress
        pass


def test_code_of_the_client_is_recorded(box: Box) -> None:
    with opened(socket_url(box.url)) as client:
        say(client, " ", "Hello.")
        receive_frames(client, 3)
        client.close(4000, "done")
    assert closed(box)["closed"] == {"code": 4000, "reason": "done"}


def test_client_that_does_not_read_is_disconnected(acme: Acme) -> None:
    async def converse(ctx: RequestContext, socket: WebSocket) -> None:
        socket.play({"said": "a" * 100_000} for _ in range(1000))

    acme.converse = converse
    with Server(make_mock([acme.provider], read_timeout=1), bind("127.0.0.1", 0)) as server:
        host, port = server.url.removeprefix("http://").split(":")
        with socket.create_connection((host, int(port)), timeout=20) as raw:
            raw.sendall(handshake(host).replace(SPEECH.encode(), TALK.encode()))
            assert ended(server)["closed"] == {"code": 1006, "reason": ""}


def test_silent_client_is_closed(box: Box) -> None:
    with opened(socket_url(box.url, inactivity_timeout=1)) as client:
        assert receive_frames(client) == []
    assert (client.close_code, client.close_reason) == (1000, "inactivity timeout")


def test_reset_while_a_websocket_is_open_forgets_its_entry(box: Box) -> None:
    with opened(socket_url(box.url)) as client:
        say(client, " ")
        assert box.control.post("/reset").status_code == 204
        say(client, "Hello.", "")
        assert receive_frames(client)[-1]["type"] == "final"
    assert box.requests() == []


@pytest.mark.memory
def test_server_with_open_websockets_stops_within_a_second() -> None:
    with ExitStack() as stack, ExitStack() as serving:
        server = serving.enter_context(Server(make_mock(), bind("127.0.0.1", 0)))
        clients = [stack.enter_context(opened(socket_url(server.url))) for _ in range(5)]
        say(clients[0], " ", "Hello.")
        receive_frames(clients[0], 3)
        before = time.monotonic()
        serving.close()
        assert time.monotonic() - before < 1
        assert [receive_frames(client) for client in clients] == [[]] * 5
        assert {client.close_code for client in clients} == {1012}


def test_log_has_one_line_for_each_connection(capfd: pytest.CaptureFixture[str]) -> None:
    with Server(make_mock(log="json"), bind("127.0.0.1", 0)) as server:
        with opened(socket_url(server.url)) as client:
            say(client, " ", "Hello.", "")
            receive_frames(client)
        ended(server)
    (line,) = capfd.readouterr().out.splitlines()
    logged = json.loads(line)
    assert (logged["operation"], logged["status"]) == ("TextToSpeechOverWs", 101)
    assert (logged["frames"], logged["closed"]) == (7, {"code": 1000, "reason": ""})


def test_report_has_the_frames(acme: Acme, running: Server) -> None:
    with opened(socket_url(running.url, TALK)) as client:
        for word in range(12):
            client.send(json.dumps({"say": str(word)}))
            client.recv(timeout=20)
        client.send("{}")
        receive_frames(client)
    ended(running)
    report = httpx.get(f"{running.url}/__mockvoice/report").text.splitlines()
    assert report[1:3] == ['    client: {"say": "0"}', '    server: {"said": "0"}']
    assert report[20:24] == [
        '    server: {"said": "9"}',
        "    (6 more frames)",
        "    closed with 1008",
        "    violation in frame: say is required",
    ]


# --- in the same process -------------------------------------------------------------------------


@pytest.mark.memory
def test_websocket_without_a_socket() -> None:
    app = create_app()
    opened, final, close = asyncio.run(exchanged(app, ['{"text": " "}', '{"text": ""}']))
    assert (opened["type"], json.loads(final["text"])["type"]) == ("websocket.accept", "final")
    assert close == {"type": "websocket.close", "code": 1000, "reason": ""}
    rejection, _ = asyncio.run(exchanged(app, [], {}))
    assert (rejection["type"], rejection["status"]) == ("websocket.http.response.start", 401)
    assert [request.status for request in app.control.requests] == [101, 401]
    assert app.control.requests[0].client_frames == ({"text": " "}, {"text": ""})


@pytest.mark.memory
def test_server_that_cannot_send_responses_to_handshakes_gets_a_close() -> None:
    sent = asyncio.run(exchanged(create_app(), [], {}, extensions={}))
    assert sent == [{"type": "websocket.close"}]


def test_journal_frame_is_plain_data() -> None:
    frame = JournalFrame("client", 1.5, 3, {"text": "a"})
    assert json.loads(json.dumps(frame)) == ["client", 1.5, 3, {"text": "a"}]

"""Server-sent events: `GET /events`."""

from __future__ import annotations

import asyncio
import json
import socket
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from typing import Any, NamedTuple
from urllib.parse import urlsplit

import httpx
import pytest

from mockvoice.control.context import ControlContext
from mockvoice.control.events import stream
from mockvoice.http.server import Server, bind
from mockvoice.provider import Headers

from ..cli.processes import start_server
from ..conftest import Box, Serve
from ..state.requests import begin
from ..state.serializing import make_mock

KEY = {"Authorization": "Bearer K"}
LIST = "/retell/list-voices"


class Event(NamedTuple):
    """One event of a stream."""

    name: str
    id: int
    data: Any

    @property
    def request(self) -> str:
        """The id of the request that the event is about."""
        assert self.name == "request"
        return str(self.data["id"])


class Stream:
    """An open event stream; the server has begun it."""

    def __init__(self, response: httpx.Response) -> None:
        assert response.status_code == 200, response.read()
        assert response.headers["content-type"] == "text/event-stream"
        assert response.headers["cache-control"] == "no-store"
        self._lines = response.iter_lines()
        first = self._block()
        assert first["retry"] == "500"
        self.started_at = int(first["id"])

    def _block(self) -> dict[str, str]:
        """Return the fields of a block of lines, {} at the end of the stream."""
        fields: dict[str, str] = {}
        for line in self._lines:
            if not line:
                return fields
            name, _, value = line.partition(": ")
            fields[name] = value
        return fields

    def __iter__(self) -> Iterator[Event]:
        while fields := self._block():
            if "data" in fields:
                yield Event(fields["event"], int(fields["id"]), json.loads(fields["data"]))

    def next(self) -> Event:
        """Return the next event."""
        return next(iter(self))


@contextmanager
def listen(url: str, *, last_event_id: int | None = None, **query: Any) -> Iterator[Stream]:
    """Open the event stream of a sandbox."""
    headers = {} if last_event_id is None else {"Last-Event-ID": str(last_event_id)}
    target = f"{url}/__mockvoice/events"
    with httpx.stream("GET", target, params=query, headers=headers, timeout=10) as response:
        yield Stream(response)


def events(url: str, **options: Any) -> list[Event]:
    """Return the events that a client gets at once."""
    with listen(url, timeout=0, **options) as stream:
        return [*stream]


def requests(url: str, **options: Any) -> list[str]:
    """Return the ids of the requests whose events a client gets at once."""
    return [event.request for event in events(url, **options)]


def send(url: str, times: int = 1, **headers: str) -> None:
    for _ in range(times):
        httpx.get(f"{url}{LIST}", headers=headers or KEY)


def test_event_has_the_json_of_the_journal_entry(box: Box, wav: bytes) -> None:
    with listen(box.url) as stream:
        form = {"voice_name": "n\r\n\u2028é", "voice_provider": "elevenlabs"}
        url = "/retell/clone-voice"
        box.http.post(url, headers=KEY, data=form, files={"files": wav})
        first = stream.next()
        box.http.get("/nowhere")
        second = stream.next()
    assert [first.data, second.data] == box.requests()
    assert first.data["fields"] == form
    assert first.data["files"][0]["format"] == "wav"
    assert first.data["sandbox"] == box.name
    assert first.data["account"] != "K"
    assert first.id < second.id


def test_stream_has_only_later_events_of_its_own_sandbox(server: Server, box: Box) -> None:
    send(box.url)
    with listen(box.url) as stream, Box(server, f"{box.name}-other") as other:
        send(other.url)
        send(box.url)
        event = stream.next()
    assert (event.data["sandbox"], event.request) == (box.name, "request_2")


def test_star_streams_the_events_of_all_sandboxes(serve: Serve) -> None:
    server = serve()
    names = ["", "one", "two", "one"]
    with listen(server.url, sandbox="*") as stream, listen(f"{server.url}/~x", sandbox="*") as same:
        for name in names:
            send(f"{server.url}/~{name}" if name else server.url)
        received = [(stream.next(), same.next()) for _ in names]
    assert [event.data["sandbox"] for event, _ in received] == names
    assert all(event == other for event, other in received)
    after = received[0][0].id
    resumed = events(server.url, sandbox="*", last_event_id=after)
    assert resumed == [event for event, _ in received[1:]]
    assert asyncio.run(server.mock.store.list_sandboxes()) == ["", "one", "two"]  # none for x


def test_after_0_starts_with_the_oldest_entry(box: Box) -> None:
    assert events(box.url, after=0) == []
    send(box.url, 3)
    assert requests(box.url) == []
    assert requests(box.url, after=0) == ["request_1", "request_2", "request_3"]


def test_last_event_id_resumes_the_stream_without_gap_or_repetition(box: Box) -> None:
    with listen(box.url) as stream:
        send(box.url, 2)
        stream.next()
        last = stream.next().id
    send(box.url, 2)
    assert requests(box.url, last_event_id=last) == ["request_3", "request_4"]
    assert requests(box.url, last_event_id=last, after=0) == ["request_3", "request_4"]
    with listen(box.url, last_event_id=last) as stream:
        send(box.url)
        assert [stream.next().request for _ in range(3)] == [f"request_{n}" for n in (3, 4, 5)]


def test_client_that_has_seen_no_event_resumes_where_its_stream_began(box: Box) -> None:
    with listen(box.url) as stream:
        started_at = stream.started_at
    send(box.url)
    assert requests(box.url, last_event_id=started_at) == ["request_1"]


def test_id_of_an_earlier_server_starts_with_the_oldest_entry(serve: Serve) -> None:
    first = serve()
    send(first.url, 3)
    last = events(first.url, after=0)[-1].id
    second = serve()
    send(second.url, 5)
    cleared, *rest = events(second.url, last_event_id=last)
    assert (cleared.name, cleared.data, len(rest)) == ("cleared", {"sandbox": ""}, 5)
    assert events(second.url, last_event_id=cleared.id) == rest
    cleared, *rest = events(second.url, sandbox="*", last_event_id=last)
    assert (cleared.name, cleared.data, len(rest)) == ("cleared", {"sandbox": "*"}, 5)


def test_evicted_entries_are_counted_by_a_dropped_event(serve: Serve) -> None:
    url = serve(max_requests=2).url
    with listen(url) as stream:
        started_at = stream.started_at
    send(url, 5)
    for sandbox in ({}, {"sandbox": "*"}):
        dropped, *rest = events(url, last_event_id=started_at, **sandbox)
        assert dropped.name == "dropped"
        assert dropped.data == {"count": 3}
        assert [event.request for event in rest] == ["request_4", "request_5"]
        assert events(url, last_event_id=dropped.id, **sandbox) == rest


def test_reset_is_an_event(box: Box) -> None:
    with listen(box.url) as stream:
        send(box.url)
        last = stream.next().id
    send(box.url, 2)
    box.control.post("/reset")
    dropped, cleared = events(box.url, last_event_id=last, status=404)
    assert (dropped.name, dropped.data) == ("dropped", {"count": 2})
    assert (cleared.name, cleared.data) == ("cleared", {"sandbox": box.name})
    assert events(box.url, last_event_id=cleared.id) == []
    send(box.url)
    assert requests(box.url, last_event_id=cleared.id) == ["request_1"]


def test_stream_is_filtered_like_the_journal(box: Box) -> None:
    send(box.url)
    box.http.get(LIST)
    box.http.get("/telnyx/v2/voice_clones")
    assert requests(box.url, after=0, status="4xx") == ["request_2", "request_3"]
    assert requests(box.url, after=0, status=200) == ["request_1"]
    assert requests(box.url, after=0, provider="telnyx") == ["request_3"]
    assert requests(box.url, after=0, operation="GET /list-voices") == ["request_1", "request_2"]
    assert requests(box.url, after=0, internal_error=True) == []


@pytest.mark.parametrize("kind", ["drip", "delay"])
def test_slow_request_has_one_event_with_its_duration(box: Box, kind: str) -> None:
    box.inject(kind=kind, seconds=0.05)
    with listen(box.url) as stream:
        send(box.url)
        event = stream.next()
    assert event.data["milliseconds"] >= 50
    assert requests(box.url, after=0) == ["request_1"]


@pytest.mark.parametrize(
    ("query", "message"),
    [
        ({"sandbox": "x"}, "sandbox must be one of *; got"),
        ({"after": "x"}, "after must be a whole number"),
        ({"timeout": -1}, "timeout must be at least 0"),
        ({"status": "x"}, "status must be a status such as 404"),
        ({"provider": "x"}, "provider must be one of"),
    ],
)
def test_invalid_parameters_return_400(box: Box, query: dict[str, Any], message: str) -> None:
    refused = box.control.get("/events", params=query)
    assert refused.status_code == 400
    assert refused.json()["detail"].startswith(message)


def test_client_that_does_not_read_costs_no_memory_and_learns_what_it_missed(
    serve: Serve,
) -> None:
    server = serve(max_requests=3)
    parts = urlsplit(server.url)
    body = json.dumps({"text": "x" * 1_000_000})
    with socket.socket() as client:
        client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        client.connect((parts.hostname, parts.port))
        client.sendall(b"GET /__mockvoice/events HTTP/1.1\r\nHost: x\r\n\r\n")
        client.settimeout(10)
        data = client.recv(4096)  # the stream has begun
        headers = {**KEY, "content-type": "application/json"}
        for _ in range(20):
            httpx.post(f"{server.url}/telnyx/v2/voice_designs", headers=headers, content=body)
        while b'"id":"request_20"' not in data[-2_000_000:]:
            data += client.recv(1_000_000)
    sent = data.count(b"event: request")
    missed = [int(part.split(b"}")[0]) for part in data.split(b'{"count":')[1:]]
    assert len(missed) == data.count(b"event: dropped")
    assert sum(missed) + sent == 20
    assert sum(missed) > 5


def test_silent_stream_sends_heartbeats(serve: Serve) -> None:
    mock = make_mock()
    operation = mock.control.operations["streamEvents"]
    ctx = ControlContext(mock, operation, "", Headers([]), "http://x", mock.providers)

    async def read() -> list[bytes]:
        last = (await mock.store.wait_for_entries("", None, 0)).last
        pieces = [piece async for piece in stream(ctx, "", last, [], 0.5, heartbeat=0.02)]
        await mock.store.close()
        return pieces

    first, *rest = asyncio.run(read())
    assert first.startswith(b"retry: 500\nid: ")
    assert {*rest} == {b": heartbeat\n\n"}
    assert len(rest) > 1


def test_client_without_events_learns_the_number_to_resume_at(box: Box) -> None:
    send(box.url, 2)
    text = httpx.get(
        f"{box.url}/__mockvoice/events", params={"after": 0, "timeout": 0, "status": 500}
    ).text
    assert "event:" not in text
    last = int(text.strip().rpartition("id: ")[2])
    assert events(box.url, last_event_id=last) == []
    send(box.url)
    assert requests(box.url, last_event_id=last) == ["request_3"]


@pytest.mark.memory
def test_many_events_do_not_keep_other_requests_waiting() -> None:
    mock = make_mock()
    ctx = ControlContext(
        mock, mock.control.operations["streamEvents"], "", Headers([]), "http://x", mock.providers
    )
    for _ in range(300):
        begin(mock.store).commit()
    turns = 0

    async def count_turns() -> None:
        nonlocal turns
        while True:
            turns += 1
            await asyncio.sleep(0)

    async def read() -> list[bytes]:
        other = asyncio.ensure_future(count_turns())
        pieces = [piece async for piece in stream(ctx, "", 0, [], 0.0)]
        other.cancel()
        return pieces

    pieces = asyncio.run(read())
    assert b"".join(pieces).count(b"event: request") == 300
    assert turns >= 300 / 20


def test_stream_ends_when_the_server_stops() -> None:
    with ExitStack() as stack:
        server = stack.enter_context(Server(make_mock(), bind("127.0.0.1", 0)))
        with listen(server.url) as stream:
            stack.close()
            with pytest.raises(httpx.RemoteProtocolError):
                stream.next()


def test_open_streams_do_not_delay_the_end_of_the_process() -> None:
    with start_server() as server, listen(server.url, sandbox="*") as stream:
        send(server.url)
        assert stream.next().request == "request_1"
        code, _, stderr = server.stop()
    assert (code, stderr) == (0, "")

"""Requests in parallel that change the same state: the handler of all but the first runs again."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from typing import Any, cast

import httpx
import pytest

from mockvoice.config.settings import Settings
from mockvoice.http.server import Server, bind
from mockvoice.mock import Mock
from mockvoice.providers import built_in
from mockvoice.state.accounts import Account
from mockvoice.state.store import CommitConflict, SandboxSettings, Store

from ..conftest import Box, internal_errors
from .serializing import SerializingStore, calls_of, open_test_store

REQUESTS = 64
BEARER = {"Authorization": "Bearer K"}
SUPERTONE = {"x-sup-api-key": "K"}
DESIGNS = "/telnyx/v2/voice_designs"
VERSIONS = "design_versions"
DESIGN = {"name": "narrator", "text": "Hello", "prompt": "Calm."}


class RendezvousStore(SerializingStore):
    """A store that holds back the results of one call until many requests have made it.

    All of these requests go on with the same state, which is outdated for all but one of them.
    """

    def __init__(self) -> None:
        super().__init__(open_test_store(Settings()))
        self._name = self._argument = ""
        self._missing = 0
        self._met = asyncio.Event()

    def hold(self, name: str, argument: str, requests: int) -> None:
        """Hold back the results of a call (with this argument)."""
        self._name, self._argument = name, argument
        self._missing, self._met = requests, asyncio.Event()

    def __getattr__(self, name: str) -> Any:
        method = super().__getattr__(name)

        async def call(*args: Any, **kwargs: Any) -> Any:
            result = await method(*args, **kwargs)
            if name == self._name and (not self._argument or self._argument in args):
                self._missing -= 1
                if self._missing == 0:
                    self._met.set()
                await self._met.wait()
            return result

        return call


@pytest.fixture
def box() -> Iterator[Box]:
    mock = Mock(Settings(), built_in(), cast("Store", RendezvousStore()))
    with Server(mock, bind("127.0.0.1", 0)) as server:
        with Box(server, "conflicts") as box:
            yield box
        assert not internal_errors(server)


@contextmanager
def conflicts(box: Box, expected: int) -> Iterator[None]:
    """Check the number of commits that conflict within a block."""
    calls = calls_of(box.server.mock)
    calls.clear()
    yield
    assert calls["commit"] - calls["begin"] == expected


def send_all(
    box: Box,
    call: str,
    send: Callable[[httpx.Client, int], httpx.Response],
    *,
    argument: str = "",
) -> list[httpx.Response]:
    """Send requests from threads; none commits before all have made a call of the store."""
    cast("RendezvousStore", box.server.mock.store).hold(call, argument, REQUESTS)
    with ThreadPoolExecutor(REQUESTS) as pool:
        return [*pool.map(lambda number: send(box.http, number), range(REQUESTS))]


def test_parallel_versions_of_a_design_have_distinct_numbers_up_to_50(box: Box) -> None:
    design = box.http.post(DESIGNS, headers=BEARER, json=DESIGN).json()["data"]["id"]
    body = {**DESIGN, "voice_design_id": design}
    with conflicts(box, REQUESTS - 1):
        responses = send_all(
            box,
            "find_records",
            lambda http, _: http.post(DESIGNS, headers=BEARER, json=body),
            argument=VERSIONS,
        )
    statuses = Counter(response.status_code for response in responses)
    assert statuses == {201: 49, 409: REQUESTS - 49}
    numbers = [r.json()["data"]["version"] for r in responses if r.status_code == 201]
    assert sorted(numbers) == [*range(2, 51)]
    stored = box.voices(collection=VERSIONS)
    assert [version["data"]["version"] for version in stored] == [*range(1, 51)]
    assert len(box.requests()) == 1 + REQUESTS


def test_parallel_versions_of_a_shared_design_have_distinct_numbers(box: Box) -> None:
    """A key that adds to a design for every key sees shared versions and its own ones."""
    added = box.control.post("/voices", json={"provider": "telnyx", "collection": "voice_designs"})
    body = {**DESIGN, "voice_design_id": added.json()["id"]}
    with conflicts(box, REQUESTS - 1):
        responses = send_all(
            box,
            "find_records",
            lambda http, _: http.post(DESIGNS, headers=BEARER, json=body),
            argument=VERSIONS,
        )
    numbers = [r.json()["data"]["version"] for r in responses if r.status_code == 201]
    assert sorted(numbers) == [*range(2, 51)]


def test_parallel_requests_never_overspend_credit(box: Box) -> None:
    box.put("supertone", "K", credit=3.05)
    speech = {"text": "hello", "language": "en"}
    with conflicts(box, REQUESTS - 10):
        responses = send_all(
            box,
            "begin",
            lambda http, _: http.post(
                "/supertone/v1/text-to-speech/a4cf2a1b8e7d", headers=SUPERTONE, json=speech
            ),
        )
    statuses = Counter(response.status_code for response in responses)
    assert statuses == {200: 10, 402: REQUESTS - 10}
    credit = box.control.get("/accounts/supertone/K").json()["credit"]
    assert credit == pytest.approx(0.05)


def test_parallel_updates_of_a_record_all_apply(box: Box) -> None:
    voice = box.control.post("/voices", json={"provider": "supertone", "account": "K"}).json()
    path = f"/supertone/v1/custom-voices/{voice['id']}"
    with conflicts(box, REQUESTS - 1):
        responses = send_all(
            box,
            "get_record",
            lambda http, number: http.patch(
                path,
                headers=SUPERTONE,
                json={"name": "n"} if number % 2 else {"description": "d"},
            ),
        )
    assert {response.status_code for response in responses} == {200}
    data = box.http.get(path, headers=SUPERTONE).json()
    assert (data["name"], data["description"]) == ("n", "d")


class BusyStore(SerializingStore):
    """A store in which another request makes a change before every call with one name.

    That change lets the call fail, `times` times.
    """

    def __init__(self, name: str, times: int) -> None:
        super().__init__(open_test_store(Settings()))
        self._name = name
        self._times = times

    def __getattr__(self, name: str) -> Any:
        method = super().__getattr__(name)

        async def call(*args: Any, **kwargs: Any) -> Any:
            if name != self._name or self._times == 0:
                return await method(*args, **kwargs)
            self._times -= 1
            if name == "take_faults":
                sandbox = args[0].sandbox
                await self.behind.reset(sandbox, ["faults"], SandboxSettings())
                await self.behind.add_rule(sandbox, {"operation": "getVoice", "status": 503})
                return await method(*args, **kwargs)
            (commit,) = args
            return CommitConflict(Account("retell", "K")) if commit.changes else None

        return call


@contextmanager
def busy(name: str, times: int) -> Iterator[Box]:
    """Serve a mock with a busy store."""
    mock = Mock(Settings(), built_in(), cast("Store", BusyStore(name, times)))
    with Server(mock, bind("127.0.0.1", 0)) as server, Box(server, "busy") as box:
        yield box


def clone(box: Box, wav: bytes) -> httpx.Response:
    form = {"voice_name": "n", "voice_provider": "elevenlabs"}
    return box.http.post("/retell/clone-voice", headers=BEARER, data=form, files={"files": wav})


def test_fault_that_was_replaced_after_the_request_began_does_not_fire(wav: bytes) -> None:
    with busy("take_faults", 1) as box:
        box.inject(operation="cloneVoice", status=502)
        assert clone(box, wav).status_code == 201
        (rule,) = box.control.get("/faults").json()["faults"]
        assert (rule["operation"], rule["matched"]) == ("getVoice", 0)


def test_request_that_conflicts_48_times_succeeds(wav: bytes) -> None:
    with busy("commit", 48) as box:
        assert clone(box, wav).status_code == 201
        assert len(box.voices()) == len(box.requests()) == 1


def test_request_that_conflicts_49_times_returns_500_and_changes_nothing(wav: bytes) -> None:
    with busy("commit", 49) as box:
        assert clone(box, wav).status_code == 500
        assert box.voices() == []
        (entry,) = box.requests()
        assert "in each of 50 attempts" in entry["internal_error"]


def test_deletion_in_parallel_succeeds_and_leaves_no_record(box: Box) -> None:
    voice = box.control.post("/voices", json={"provider": "supertone", "account": "K"}).json()
    path = f"/supertone/v1/custom-voices/{voice['id']}"
    send_all(
        box,
        "get_record",
        lambda http, number: (
            http.delete(path, headers=SUPERTONE)
            if number % 2
            else http.patch(path, headers=SUPERTONE, json={"name": "n"})
        ),
    )
    assert box.http.get(path, headers=SUPERTONE).status_code == 404
    assert box.voices() == []

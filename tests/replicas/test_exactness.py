"""Three processes that share a store count exactly, under load from 64 threads."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from typing import Any

import httpx
import pytest

from ..conftest import encoded
from ..redis_server import RedisServer
from .processes import THREADS, Clients, in_background, replicas, send_all

pytestmark = pytest.mark.slow

BEARER = {"Authorization": "Bearer K"}
SUPERTONE = {"x-sup-api-key": "K"}
FORM = {"voice_name": "n", "voice_provider": "elevenlabs"}
WAV = encoded("wav", 0.05)


@pytest.fixture(scope="module")
def urls(redis_server: RedisServer) -> Iterator[list[str]]:
    with replicas(redis_server) as urls:
        yield urls


@pytest.fixture
def clients(urls: list[str], request: pytest.FixtureRequest) -> Iterator[Clients]:
    clients = Clients(urls, request.node.name.replace("[", "-").strip("]"))
    yield clients
    verification = clients[0].get("/__mockvoice/verification").json()
    clients.close()
    assert verification["requests"] == []


def list_voices(http: httpx.Client, number: int) -> int:
    return http.get("/retell/list-voices", headers=BEARER).status_code


def clone(http: httpx.Client, number: int) -> httpx.Response:
    return http.post("/retell/clone-voice", headers=BEARER, data=FORM, files={"files": WAV})


def limit(http: httpx.Client, maximum: int, seconds: float | None) -> None:
    limits = {"requests": {"max": maximum, "per": seconds}}
    response = http.put("/__mockvoice/accounts/retell/K", json={"limits": limits})
    assert response.status_code == 200, response.text


def assert_no_request_in_progress(http: httpx.Client) -> None:
    limit(http, 1, None)
    assert list_voices(http, 0) == 200


def inject(clients: Clients, fault: Any) -> str:
    response = clients[0].post("/__mockvoice/faults", json=fault)
    assert response.status_code == 201, response.text
    return str(response.json()["id"])


@pytest.mark.parametrize("times", [1, 7, 100])
def test_fault_fires_exactly_times_in_total(clients: Clients, times: int) -> None:
    fault = inject(clients, {"status": 503, "times": times})
    statuses = Counter(send_all(clients, 160, list_voices))
    assert statuses == {503: times, 200: 160 - times}
    counted = clients[1].get(f"/__mockvoice/faults/{fault}").json()
    assert (counted["hits"], counted["matched"]) == (times, times)


def test_each_of_210_steps_is_used_once(clients: Clients) -> None:
    steps = [*range(400, 600), *["ok"] * 10]
    inject(clients, steps)
    statuses = Counter(send_all(clients, 300, list_voices))
    assert statuses.pop(200) == 100
    assert statuses == dict.fromkeys(range(400, 600), 1)


def test_limit_admits_exactly_37_of_300(clients: Clients) -> None:
    limit(clients[0], 37, 3600)
    assert Counter(send_all(clients, 300, list_voices)) == {200: 37, 429: 263}


def test_credit_is_never_overspent(clients: Clients) -> None:
    account = "/__mockvoice/accounts/supertone/K"
    assert clients[0].put(account, json={"credit": 3.05}).status_code == 200
    body = {"text": "hello", "language": "en"}
    path = "/supertone/v1/text-to-speech/a4cf2a1b8e7d"
    statuses = Counter(
        send_all(
            clients, 100, lambda http, _: http.post(path, headers=SUPERTONE, json=body).status_code
        )
    )
    assert statuses == {200: 10, 402: 90}
    credit = clients[2].get(account).json()["credit"]
    assert credit == pytest.approx(0.05)


def test_ids_are_unique_and_every_request_is_in_the_journal(clients: Clients) -> None:
    responses = send_all(clients, 150, clone)
    assert {response.status_code for response in responses} == {201}
    assert len({response.json()["voice_id"] for response in responses}) == 150
    numbers = {response.headers["x-mockvoice-request"] for response in responses}
    assert numbers == {f"request_{number}" for number in range(1, 151)}
    entries = clients[1].get("/__mockvoice/requests").json()["requests"]
    assert [entry["id"] for entry in entries] == [f"request_{n}" for n in range(1, 151)]


def test_entry_is_in_the_journal_once_its_response_has_arrived(clients: Clients) -> None:
    for number in range(30):
        id = clone(clients[number], number).headers["x-mockvoice-request"]
        response = clients[number + 1].get(f"/__mockvoice/requests/{id}")
        assert response.json()["status"] == 201


def test_parallel_updates_of_one_record_all_apply(clients: Clients) -> None:
    path = "/telnyx/v2/voice_designs"
    design = {"name": "narrator", "text": "Hello", "prompt": "Calm."}
    id = clients[0].post(path, headers=BEARER, json=design).json()["data"]["id"]
    body = {**design, "voice_design_id": id}
    responses = send_all(
        clients, THREADS, lambda http, _: http.post(path, headers=BEARER, json=body)
    )
    assert Counter(response.status_code for response in responses) == {201: 49, 409: THREADS - 49}
    numbers = [r.json()["data"]["version"] for r in responses if r.status_code == 201]
    assert sorted(numbers) == [*range(2, 51)]


def test_reset_under_load_shows_no_partial_state(clients: Clients) -> None:
    """A record and its journal entry are there together, or not at all."""

    def reset() -> None:
        assert clients[1].post("/__mockvoice/reset").status_code == 204

    with in_background(reset):
        responses = send_all(clients, 300, clone)
    assert {response.status_code for response in responses} == {201}
    records = clients[0].get("/__mockvoice/voices").json()["voices"]
    entries = clients[2].get("/__mockvoice/requests").json()["requests"]
    created = {entry["response"]["body"]["voice_id"] for entry in entries}
    assert {record["id"] for record in records} == created
    assert_no_request_in_progress(clients[0])


def test_concurrency_is_counted_across_processes(clients: Clients) -> None:
    limit(clients[0], 5, None)
    statuses = Counter(send_all(clients, 300, list_voices))
    assert {*statuses} <= {200, 429}
    assert statuses[200] >= 5
    assert_no_request_in_progress(clients[1])

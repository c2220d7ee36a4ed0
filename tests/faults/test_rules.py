"""How often a fault fires, and for what: counted by a simple model, and told as it was given."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any, ClassVar

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from hypothesis.stateful import Bundle, RuleBasedStateMachine, consumes, initialize, invariant, rule

from mockvoice.config.yaml import YAMLDocument
from mockvoice.http.server import Server, bind
from mockvoice.redact import mask_key

from ..config.emitter import to_yaml
from ..conftest import Box, Serve, internal_errors
from ..contract.contracts import CONTRACTS
from ..contract.strategies import values
from ..state.serializing import make_mock

LIST = "/retell/list-voices"
OVER = "over"  # a model's turn: there are no more
KEYS = st.sampled_from(["one", "two"])
TURNS = st.sampled_from(["ok", "delay", 404, 429, 500, 503, 599])


# --- a simple model -----------------------------------------------------------------------------


def turns(fault: dict[str, Any]) -> Iterator[Any]:
    """What a fault has for each request that it is for: a status, "delay", or None."""
    if "sequence" in fault:
        for each in fault["sequence"]:
            yield None if each == "ok" else each.get("status", "delay")
    else:
        for _ in range(fault.get("skip", 0)):
            yield None
        left = fault.get("times", 10**9)
        while left:
            yield fault.get("status", "delay")
            left -= 1
            for _ in range(fault.get("every", 1) - 1 if left else 0):
                yield None
    while True:
        yield OVER


class Model:
    """One fault as it should be."""

    def __init__(self, fault: dict[str, Any], now: int) -> None:
        self.fault = fault
        self.turns = turns(fault)
        self.gone_at = now + fault.get("expires_in", 10**9)
        self.hits = self.matched = 0

    def is_for(self, key: str, now: int) -> bool:
        wanted = self.fault.get("match", {}).get("account", key)
        operation = self.fault.get("operation", "listVoices")
        return bool(now < self.gone_at and wanted == key and operation == "listVoices")

    def turn(self) -> Any:
        found = next(self.turns)
        self.matched += found != OVER
        self.hits += found not in (None, OVER)
        return found


def asked(turn: Any) -> Any:
    """A turn as the JSON of a fault."""
    if turn == "ok":
        return "ok"
    return {"kind": "delay", "seconds": 0} if turn == "delay" else {"status": turn}


ONES = st.fixed_dictionaries(
    {"times": st.integers(1, 3)},  # one without an end would hide the younger ones
    optional={"skip": st.integers(0, 3), "every": st.integers(1, 3)},
)
ANY = st.fixed_dictionaries(
    {},
    optional={
        "expires_in": st.integers(0, 5),
        "operation": st.sampled_from(["listVoices", "cloneVoice"]),
        "match": st.fixed_dictionaries({}, optional={"account": KEYS}),
        "provider": st.just("retell"),
    },
)


class FaultRules(RuleBasedStateMachine):
    """Faults of one sandbox over HTTP, beside the model of each."""

    box: ClassVar[Box]
    ids = Bundle[str]("ids")

    @initialize()
    def start(self) -> None:
        self.box.control.post("/reset")
        self.box.clock(freeze="2024-01-01T00:00:00Z")
        self.now = 0
        self.models: dict[str, Model] = {}

    def add(self, fault: dict[str, Any]) -> str:
        id = self.box.inject(*fault.get("sequence", ()), **fault)
        self.models[id] = Model(fault, self.now)
        return id

    @rule(target=ids, turn=TURNS.filter(lambda turn: turn != "ok"), counts=ONES, matcher=ANY)
    def add_one(self, turn: Any, counts: dict[str, int], matcher: dict[str, Any]) -> str:
        return self.add({**asked(turn), **counts, **matcher})

    @rule(target=ids, turn=TURNS.filter(lambda turn: turn != "ok"), every=st.integers(1, 3))
    def add_endless(self, turn: Any, every: int) -> str:
        return self.add({**asked(turn), "every": every})

    @rule(target=ids, sequence=st.lists(TURNS, min_size=1, max_size=5), matcher=ANY)
    def add_sequence(self, sequence: list[Any], matcher: dict[str, Any]) -> str:
        return self.add({"sequence": [asked(each) for each in sequence], **matcher})

    @rule(id=consumes(ids))
    def delete(self, id: str) -> None:
        status = self.box.control.delete(f"/faults/{id}").status_code
        assert status == (204 if self.models.pop(id, None) else 404)

    @rule()
    def clear(self) -> None:
        self.box.control.delete("/faults")
        self.models.clear()

    @rule(seconds=st.integers(1, 3))
    def wait(self, seconds: int) -> None:
        self.box.clock(advance=seconds)
        self.now += seconds

    @rule(key=KEYS, times=st.integers(1, 4))
    def request(self, key: str, times: int) -> None:
        for _ in range(times):
            status, fired = 200, []
            for id, model in self.models.items():
                turn = model.turn() if model.is_for(key, self.now) else None
                if turn not in (None, OVER):
                    fired.append(id)
                    if turn != "delay":
                        status = turn
                        break
            response = self.box.http.get(LIST, headers={"Authorization": f"Bearer {key}"})
            assert response.status_code == status
            assert response.headers.get("x-mockvoice-fault", "") == ", ".join(fired)

    @invariant()
    def counts_are_told(self) -> None:
        told = self.box.control.get("/faults").json()["faults"]
        assert [(each["id"], each["hits"], each["matched"]) for each in told] == [
            (id, model.hits, model.matched) for id, model in self.models.items()
        ]


@pytest.fixture(scope="module", autouse=True)
def one_server() -> Iterator[None]:
    with Server(make_mock(), bind("127.0.0.1", 0)) as server:
        with Box(server, "machine") as FaultRules.box:
            yield
        assert not internal_errors(server)


TestFaults = FaultRules.TestCase
TestFaults.settings = settings(max_examples=60, stateful_step_count=30)


def test_a_fault_expires_by_the_clock_of_its_sandbox(box: Box) -> None:
    box.clock(freeze="2024-01-01T00:00:00Z")
    box.inject(status=503, expires_in=5)
    box.inject({"status": 501}, {"status": 502}, {"status": 504}, expires_in=7.5)
    key = {"Authorization": "Bearer K"}
    found = []
    for seconds in (0, 4.75, 0.25, 2.25, 0.25, 100):
        box.clock(advance=seconds)
        found.append(box.http.get(LIST, headers=key).status_code)
    assert found == [503, 503, 501, 502, 200, 200]
    box.clock(freeze="2024-01-01T00:00:00Z")  # back in its lifetime
    assert box.http.get(LIST, headers=key).status_code == 503
    assert [each["hits"] for each in box.control.get("/faults").json()["faults"]] == [3, 2]


# --- as it was given --------------------------------------------------------------------------

(CONTROL,) = [each for each in CONTRACTS if each.name == "mockvoice"]
NAMES = st.from_regex(r"[A-Za-z][A-Za-z0-9-]{0,9}", fullmatch=True).filter(
    lambda name: name.lower() not in ("content-length", "transfer-encoding")
)
TEXTS = st.text(st.characters(min_codepoint=33, max_codepoint=126), max_size=8)
TARGETS = st.fixed_dictionaries(
    {},
    optional={
        "provider": st.just("retell"),
        "operation": st.sampled_from(["listVoices", "POST /clone-voice"]),
        "match": st.fixed_dictionaries(
            {},
            optional={
                "fields": st.dictionaries(st.text(max_size=3), st.integers() | st.booleans()),
                "headers": st.dictionaries(NAMES, TEXTS),
                "account": st.text(st.characters(exclude_categories=["Cs"])),
            },
        ),
    },
)


def faults(schema: str) -> st.SearchStrategy[dict[str, Any]]:
    """Everything that a schema of the control API's contract takes as a fault."""
    node = CONTROL.document["components"]["schemas"][schema]
    free = {"provider", "operation", "match", "headers"}
    node = {**node, "properties": {k: v for k, v in node["properties"].items() if k not in free}}
    headers = st.fixed_dictionaries({}, optional={"headers": st.dictionaries(NAMES, TEXTS)})
    more = headers if schema == "Fault" else st.just({})
    return st.builds(lambda *parts: {k: v for part in parts for k, v in part.items()},
                     values(CONTROL, node), TARGETS, more)  # fmt: skip


quick = settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])


@quick
@given(fault=faults("Fault") | faults("Sequence"))
def test_a_fault_is_told_as_it_was_given(box: Box, fault: dict[str, Any]) -> None:
    """Through YAML and JSON: all but the key it is to match, which is redacted."""
    sent = YAMLDocument(to_yaml(fault)).value
    made = box.control.post("/faults", json=sent)
    assert made.status_code == 201, made.text
    expected = json.loads(json.dumps(fault))
    if "account" in fault.get("match", {}):
        expected["match"]["account"] = mask_key(fault["match"]["account"])
    id = made.json()["id"]
    for told in (made.json(), box.fault(id), box.control.get("/faults").json()["faults"][-1]):
        assert told == {"id": id, "hits": 0, "matched": 0, **expected}
    assert box.control.delete(f"/faults/{id}").status_code == 204


@quick
@given(fault=faults("Fault"))
def test_every_fault_is_taken_in_a_header_too(box: Box, fault: dict[str, Any]) -> None:
    headers = {"Authorization": "Bearer K", "X-Mockvoice-Fault": json.dumps({**fault, "skip": 1})}
    response = box.http.get(LIST, headers=headers)
    assert (response.status_code, response.headers.get("x-mockvoice-violations")) == (200, None)


@quick
@given(fault=faults("SequenceItem"))
def test_a_fault_does_the_same_however_it_is_inject_with(box: Box, fault: dict[str, Any]) -> None:
    fault = {k: v for k, v in fault.items() if k not in ("provider", "operation", "match")}
    fault["kind"] = fault.get("kind", "status")
    if fault["kind"] in ("timeout", "reset", "disconnect", "truncate", "delay", "drip"):
        fault["kind"] = "empty"
    key = {"Authorization": "Bearer K"}
    box.control.delete("/faults")
    by_header = box.http.get(LIST, headers={**key, "X-Mockvoice-Fault": json.dumps(fault)})
    box.inject(**fault, times=1)
    by_rule = box.http.get(LIST, headers=key)
    box.inject(fault)
    by_sequence = box.http.get(LIST, headers=key)
    own = ("x-mockvoice-request", "x-mockvoice-fault", "date")
    seen = [
        (each.status_code, each.content, [h for h in each.headers.multi_items() if h[0] not in own])
        for each in (by_header, by_rule, by_sequence)
    ]
    assert seen[0] == seen[1] == seen[2]


# --- chance -----------------------------------------------------------------------------------


def pattern(box: Box, seed: int, probability: float) -> list[bool]:
    """Which of 250 requests fail after a reset."""
    assert box.control.post("/reset", json={"seed": seed}).status_code == 204
    box.inject(status=503, probability=probability)
    key = {"Authorization": "Bearer K"}
    return [box.http.get(LIST, headers=key).status_code == 503 for _ in range(250)]


def test_chance_repeats_with_its_seed(box: Box) -> None:
    first, other = pattern(box, 7, 0.3), pattern(box, 8, 0.3)
    assert pattern(box, 7, 0.3) == first != other
    assert 120 <= sum(first) + sum(other) <= 180  # of 500
    assert box.fault("fault_1")["matched"] == 250
    assert box.fault("fault_1")["hits"] == sum(first)


def test_what_is_impossible_never_happens_and_what_is_certain_always(box: Box) -> None:
    assert sum(pattern(box, 7, 0.0)) == 0
    assert sum(pattern(box, 7, 1.0)) == 250


def test_chance_is_another_for_each_fault_and_counts_those_that_fire(serve: Serve) -> None:
    def run() -> list[int]:
        with Box(serve(seed=5), "chance") as box:
            box.inject(status=501, probability=0.5, times=10)
            box.inject(status=502, probability=0.5, every=2)
            key = {"Authorization": "Bearer K"}
            found = [box.http.get(LIST, headers=key).status_code for _ in range(60)]
            assert box.fault("fault_1")["hits"] == 10 == found.count(501)
            assert box.fault("fault_2")["hits"] == found.count(502)
            return found

    assert run() == run()

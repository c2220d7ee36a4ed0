"""Fault rules: matching and counting against a model, round trips, and probabilities."""

from __future__ import annotations

import json
import re
from collections.abc import Collection, Iterator
from typing import Any, ClassVar

import httpx
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from hypothesis.stateful import Bundle, RuleBasedStateMachine, consumes, initialize, invariant, rule

from mockvoice.config.emitter import to_yaml
from mockvoice.config.yaml import YAMLDocument
from mockvoice.faults.shorthand import expand_fault
from mockvoice.http.server import Server, bind
from mockvoice.redact import mask_key

from ..conftest import Box, Serve, internal_errors
from ..contract.contracts import CONTRACTS
from ..contract.strategies import values
from ..state.serializing import make_mock

LIST = "/retell/list-voices"
ENDED = "ended"  # a step of a rule that is used up
KEYS = st.sampled_from(["one", "two"])
STEPS = st.sampled_from(["ok", "delay", 404, 429, 500, 503, 599])


# --- a simple model -----------------------------------------------------------------------------


def steps_of(fault: dict[str, Any]) -> Iterator[Any]:
    """Yield the effect of a fault on each request that it matches: a status, "delay", or None."""
    if "sequence" in fault:
        for item in fault["sequence"]:
            yield None if item == "ok" else item.get("status", "delay")
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
        yield ENDED


class Model:
    """The expected behavior of one fault."""

    def __init__(self, fault: dict[str, Any], now: int) -> None:
        self.fault = fault
        self.steps = steps_of(fault)
        self.expires_at = now + fault.get("expires_in", 10**9)
        self.hits = self.matched = 0

    def matches(self, key: str, now: int) -> bool:
        account = self.fault.get("match", {}).get("account", key)
        operation = self.fault.get("operation", "listVoices")
        return bool(now < self.expires_at and account == key and operation == "listVoices")

    def next_step(self) -> Any:
        step = next(self.steps)
        self.matched += step != ENDED
        self.hits += step not in (None, ENDED)
        return step


def as_fault(step: Any) -> Any:
    """Return the JSON of a step."""
    if step == "ok":
        return "ok"
    return {"kind": "delay", "seconds": 0} if step == "delay" else {"status": step}


COUNTS = st.fixed_dictionaries(
    {"times": st.integers(1, 3)},  # a rule without an end would hide the newer ones
    optional={"skip": st.integers(0, 3), "every": st.integers(1, 3)},
)
TARGET = st.fixed_dictionaries(
    {},
    optional={
        "expires_in": st.integers(0, 5),
        "operation": st.sampled_from(["listVoices", "cloneVoice"]),
        "match": st.fixed_dictionaries({}, optional={"account": KEYS}),
        "provider": st.just("retell"),
    },
)


class FaultRules(RuleBasedStateMachine):
    """The faults of one sandbox over HTTP, compared with their models."""

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

    @rule(target=ids, step=STEPS.filter(lambda step: step != "ok"), counts=COUNTS, target_of=TARGET)
    def add_limited(self, step: Any, counts: dict[str, int], target_of: dict[str, Any]) -> str:
        return self.add({**as_fault(step), **counts, **target_of})

    @rule(target=ids, step=STEPS.filter(lambda step: step != "ok"), every=st.integers(1, 3))
    def add_endless(self, step: Any, every: int) -> str:
        return self.add({**as_fault(step), "every": every})

    @rule(target=ids, sequence=st.lists(STEPS, min_size=1, max_size=5), target_of=TARGET)
    def add_sequence(self, sequence: list[Any], target_of: dict[str, Any]) -> str:
        return self.add({"sequence": [as_fault(step) for step in sequence], **target_of})

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
                step = model.next_step() if model.matches(key, self.now) else None
                if step not in (None, ENDED):
                    fired.append(id)
                    if step != "delay":
                        status = step
                        break
            response = self.box.http.get(LIST, headers={"Authorization": f"Bearer {key}"})
            assert response.status_code == status
            assert response.headers.get("x-mockvoice-fault", "") == ", ".join(fired)

    @invariant()
    def counts_match_the_models(self) -> None:
        faults = self.box.control.get("/faults").json()["faults"]
        assert [(fault["id"], fault["hits"], fault["matched"]) for fault in faults] == [
            (id, model.hits, model.matched) for id, model in self.models.items()
        ]


@pytest.fixture(scope="module", autouse=True)
def one_server() -> Iterator[None]:
    with Server(make_mock(), bind("127.0.0.1", 0)) as server:
        with Box(server, "machine") as FaultRules.box:
            yield
        assert not internal_errors(server)


TestFaults = pytest.mark.slow(FaultRules.TestCase)
TestFaults.settings = settings(max_examples=60, stateful_step_count=30)


def test_fault_expires_by_the_clock_of_its_sandbox(box: Box) -> None:
    box.clock(freeze="2024-01-01T00:00:00Z")
    box.inject(status=503, expires_in=5)
    box.inject({"status": 501}, {"status": 502}, {"status": 504}, expires_in=7.5)
    key = {"Authorization": "Bearer K"}
    statuses = []
    for seconds in (0, 4.75, 0.25, 2.25, 0.25, 100):
        box.clock(advance=seconds)
        statuses.append(box.http.get(LIST, headers=key).status_code)
    assert statuses == [503, 503, 501, 502, 200, 200]
    box.clock(freeze="2024-01-01T00:00:00Z")  # within its lifetime again
    assert box.http.get(LIST, headers=key).status_code == 503
    assert [fault["hits"] for fault in box.control.get("/faults").json()["faults"]] == [3, 2]


# --- round trips ------------------------------------------------------------------------------

(CONTROL,) = [contract for contract in CONTRACTS if contract.name == "mockvoice"]
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
    """Return a strategy for all faults that are valid by a schema of the control API."""
    node = CONTROL.document["components"]["schemas"][schema]
    generated_below = {"provider", "operation", "match", "headers"}
    properties = {k: v for k, v in node["properties"].items() if k not in generated_below}
    node = {**node, "properties": properties}
    headers = st.fixed_dictionaries({}, optional={"headers": st.dictionaries(NAMES, TEXTS)})
    optional_headers = headers if schema == "Fault" else st.just({})
    built = st.builds(lambda *parts: {k: v for part in parts for k, v in part.items()},
                      values(CONTROL, node), TARGETS, optional_headers)  # fmt: skip
    # The schema does not say what tls and frames go with: test_tls.py, test_frames.py.
    return built.filter(lambda fault: not re.search(r'"tls"|"frame"|"close"', json.dumps(fault)))


one_box = settings(suppress_health_check=[HealthCheck.function_scoped_fixture])


@one_box
@given(fault=faults("Fault") | faults("Sequence"))
def test_fault_is_returned_as_it_was_sent(box: Box, fault: dict[str, Any]) -> None:
    """Through YAML and JSON. Only the key that it matches is masked."""
    sent = YAMLDocument(to_yaml(fault)).value
    made = box.control.post("/faults", json=sent)
    assert made.status_code == 201, made.text
    expected = json.loads(json.dumps(fault))
    if "account" in fault.get("match", {}):
        expected["match"]["account"] = mask_key(fault["match"]["account"])
    if "sequence" in fault:
        expected = {**expand_fault(expected)}
    id = made.json()["id"]
    listed = box.control.get("/faults").json()["faults"]
    for returned in (made.json(), box.fault(id), listed[-1]):
        assert returned == {"id": id, "hits": 0, "matched": 0, **expected}
    assert box.control.delete(f"/faults/{id}").status_code == 204


@one_box
@given(fault=faults("Fault"))
def test_every_valid_fault_is_accepted_in_a_header(box: Box, fault: dict[str, Any]) -> None:
    box.control.delete("/faults")  # equal faults count together
    headers = {"Authorization": "Bearer K", "X-Mockvoice-Fault": json.dumps({**fault, "skip": 1})}
    response = box.http.get(LIST, headers=headers)
    assert (response.status_code, response.headers.get("x-mockvoice-violations")) == (200, None)


@one_box
@given(fault=faults("SequenceItem"))
def test_fault_has_the_same_effect_in_header_rule_and_sequence(
    box: Box, fault: dict[str, Any]
) -> None:
    fault = {k: v for k, v in fault.items() if k not in ("provider", "operation", "match")}
    fault["kind"] = fault.get("kind", "status")
    if "set" in fault or "remove" in fault:  # of another operation than this one
        fault = {"kind": "empty"}
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
    results = [
        (response.status_code, response.content, headers_of(response, own))
        for response in (by_header, by_rule, by_sequence)
    ]
    assert results[0] == results[1] == results[2]


def headers_of(response: httpx.Response, excluded: Collection[str]) -> list[tuple[str, str]]:
    return [item for item in response.headers.multi_items() if item[0] not in excluded]


# --- probability ------------------------------------------------------------------------------


def failures(box: Box, seed: int, probability: float) -> list[bool]:
    """Reset, send 250 requests, and return True for each one that fails."""
    assert box.control.post("/reset", json={"seed": seed}).status_code == 204
    box.inject(status=503, probability=probability)
    key = {"Authorization": "Bearer K"}
    return [box.http.get(LIST, headers=key).status_code == 503 for _ in range(250)]


def test_probability_repeats_with_the_seed(box: Box) -> None:
    first, other = failures(box, 7, 0.3), failures(box, 8, 0.3)
    assert failures(box, 7, 0.3) == first != other
    assert 120 <= sum(first) + sum(other) <= 180  # of 500
    assert box.fault("fault_1")["matched"] == 250
    assert box.fault("fault_1")["hits"] == sum(first)


def test_probability_0_never_fires_and_1_always_does(box: Box) -> None:
    assert sum(failures(box, 7, 0.0)) == 0
    assert sum(failures(box, 7, 1.0)) == 250


def test_faults_have_independent_probabilities_and_count_hits(serve: Serve) -> None:
    def run() -> list[int]:
        with Box(serve(seed=5), "chance") as box:
            box.inject(status=501, probability=0.5, times=10)
            box.inject(status=502, probability=0.5, every=2)
            key = {"Authorization": "Bearer K"}
            statuses = [box.http.get(LIST, headers=key).status_code for _ in range(60)]
            assert box.fault("fault_1")["hits"] == 10 == statuses.count(501)
            assert box.fault("fault_2")["hits"] == statuses.count(502)
            return statuses

    assert run() == run()

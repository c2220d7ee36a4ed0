"""Contract coverage in its formats, and the sum of several servers."""

from __future__ import annotations

import json
from xml.etree import ElementTree as ET

import httpx
import pytest

import mockvoice
from mockvoice import Control
from mockvoice.coverage import merge, render, shortfall
from mockvoice.models import Coverage

from .contract.contracts import Contract

KEY = {"authorization": "Bearer KEY"}

TEXT = """\
mockvoice coverage: 66.6% (2 of 3 documented statuses of 1 called operation)

telnyx, edition 2026-03-20: 1 of 18 operations called
  listVoiceClones  GET /telnyx/v2/voice_clones
    seen 2 of 3: 200 (2), 401 (1), undocumented 429 (1), no response (1)
    never 422  A parameter is invalid.
        - a field or parameter that is missing or breaks its rule (page[number]=x; page[size]=x;\
 filter[provider]=x; sort=x)
        - the fault {"provider": "telnyx", "operation": "listVoiceClones", "status": 422}
  faults injected: reset (1), status (1)
  operations not called: createVoiceClone, createVoiceCloneFromUpload, getVoiceClone,
    deleteVoiceClone, updateVoiceClone, getVoiceCloneSample, listVoiceDesigns, createVoiceDesign,
    getVoiceDesign, deleteVoiceDesign, updateVoiceDesign, getVoiceDesignSample,
    deleteVoiceDesignVersion, TextToSpeechOverWs, generateSpeech, getSpeech, listVoices
"""
MARKDOWN = """\
### mockvoice coverage: 66.6% (2 of 3 documented statuses of 1 called operation)

#### telnyx, edition 2026-03-20

| operation | seen | never |
|---|---|---|
| `listVoiceClones` | 200 (2), 401 (1), undocumented 429 (1), no response (1) | 422 |

- operations not called: createVoiceClone, """


def list_clones(mock: Control, **headers: str) -> None:
    httpx.get(f"{mock.telnyx.base_url}/voice_clones", headers=headers)


@pytest.fixture(scope="module")
def coverage() -> Coverage:
    with mockvoice.serve() as mock:
        assert render(mock.coverage()) == "mockvoice coverage: no requests received"
        mock.telnyx.sequence([429, "reset"])
        list_clones(mock, **KEY)
        with pytest.raises(httpx.TransportError):
            list_clones(mock, **KEY)
        for _ in range(2):
            list_clones(mock, **KEY)
        list_clones(mock)
        return mock.coverage()


def test_text_lists_what_was_seen_and_what_provokes_the_rest(coverage: Coverage) -> None:
    text = render(coverage)
    assert text.startswith(TEXT)
    missing = text.removeprefix(TEXT).splitlines()
    failures = "delay, timeout, disconnect, tls, truncate, malformed, empty, wrong_type,"
    assert missing == [
        f"  fault kinds not injected: {failures}",
        "    drip, close",
        "  transient errors not seen: 500, 502, 503, 504",
    ]


def test_markdown_has_a_table_for_each_provider(coverage: Coverage) -> None:
    assert render(coverage, "markdown").startswith(MARKDOWN)


def test_json_is_that_of_the_control_api(coverage: Coverage) -> None:
    data = json.loads(render(coverage, "json"))
    assert Contract("mockvoice").errors({"$ref": "#/components/schemas/Coverage"}, data) == []
    assert Coverage.of(data) == Coverage.of(coverage.described()) == coverage


def test_junit_has_a_case_for_each_documented_status(coverage: Coverage) -> None:
    suites = ET.fromstring(render(coverage, "junit", 90))
    totals = {"tests": "4", "failures": "1", "skipped": "1"}
    assert suites.attrib == {"name": "mockvoice coverage", **totals}
    telnyx, minimum = suites
    totals = {"tests": "3", "failures": "0", "skipped": "1"}
    assert telnyx.attrib == {"name": "telnyx, edition 2026-03-20", **totals}
    assert [case.attrib["name"] for case in telnyx] == ["200", "401", "422"]
    assert {case.attrib["classname"] for case in telnyx} == {"telnyx.listVoiceClones"}
    assert [case.find("skipped") is not None for case in telnyx] == [False, False, True]
    failure = minimum[0].find("failure")
    assert failure is not None
    assert failure.attrib["message"] == "the coverage of 66.6% is below the minimum of 90%"
    assert ET.fromstring(render(coverage, "junit", 60)).attrib["failures"] == "0"
    assert ET.fromstring(render(coverage, "junit")).attrib["tests"] == "3"


def test_all_counts_operations_that_were_not_called(coverage: Coverage) -> None:
    everything = Coverage(True, coverage.operations)
    assert (everything.seen, everything.total) == (2, 70)
    assert everything.percent == 2.8
    text = render(everything)
    assert text.startswith(
        "mockvoice coverage: 2.8% (2 of 70 documented statuses of 18 operations)"
    )
    assert "    seen 0 of 3: none\n" in text


def test_shortfall_compares_the_percentage_shown(coverage: Coverage) -> None:
    assert shortfall(coverage, 0) == shortfall(coverage, 66.6) == ""
    assert shortfall(coverage, 66.7) == "the coverage of 66.6% is below the minimum of 66.7%"


def test_merge_adds_the_counts_of_several_servers(coverage: Coverage) -> None:
    with mockvoice.serve() as mock:
        mock.retell.fail(500, times=1)
        httpx.get(f"{mock.retell.base_url}/list-voices", headers=KEY)
        httpx.get(f"{mock.telnyx.base_url}/voice_clones?sort=x", headers=KEY)
        mock.telnyx.fail(429, times=1)
        list_clones(mock, **KEY)
        other = mock.coverage()
    merged = merge([coverage, other])
    retell, telnyx = merged.called
    assert (retell.provider, retell.faults) == ("retell", {"status": 1})
    assert [(s.status, s.requests) for s in telnyx.statuses] == [(200, 2), (401, 1), (422, 1)]
    assert (telnyx.requests, telnyx.undocumented, telnyx.no_response) == (7, {"429": 2}, 1)
    assert telnyx.faults == {"reset": 1, "status": 2}
    assert merge([other, coverage]) == merged
    assert merge([coverage]) == coverage
    assert merge([]) == Coverage(False, ())

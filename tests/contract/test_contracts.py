"""Valid and invalid requests to every operation of every contract.

Every response is checked with libraries that the server does not use.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import date
from hashlib import blake2b
from typing import Any
from uuid import uuid4

import httpx
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from openapi_spec_validator import validate

from ..conftest import encoded
from .contracts import (
    CONTRACTS,
    NEWER,
    OPERATIONS,
    Contract,
    Operation,
    check,
    operations,
)
from .strategies import SOUND, Break, File, breaks, requests

pytestmark = pytest.mark.slow

FRIENDLY = "550e8400-e29b-41d4-a716-446655440000"

BEARER = {"Authorization": "Bearer KEY"}
SOUND_FILE = {"files": SOUND["wav"]}


def a_clone(http: httpx.Client) -> Mapping[str, Any]:
    body = {"name": "n", "voice_design_id": FRIENDLY, "language": "en", "gender": "male"}
    made = http.post("/telnyx/v2/voice_clones", headers=BEARER, json=body).json()["data"]
    return {"id": made["id"]}


def a_design(http: httpx.Client) -> Mapping[str, Any]:
    body = {"name": "n", "text": "t", "prompt": "p"}
    made = http.post("/telnyx/v2/voice_designs", headers=BEARER, json=body).json()["data"]
    return {"id": made["id"], "version": 1}


def a_speech(http: httpx.Client) -> Mapping[str, Any]:
    body = {"text": "t", "provider": "aws", "output_type": "audio_id"}
    made = http.post("/telnyx/v2/text-to-speech/speech", headers=BEARER, json=body).json()
    return {"audio_id": made["audio_id"]}


def unique_name(http: httpx.Client) -> Mapping[str, Any]:
    return {"name": uuid4().hex}


def a_dict(http: httpx.Client) -> Mapping[str, Any]:
    item = {"text": "a", "type": "alias", "alias": "b"}
    body = {**unique_name(http), "items": [item]}
    made = http.post("/telnyx/v2/pronunciation_dicts", headers=BEARER, json=body).json()["data"]
    return {"id": made["id"], **unique_name(http)}


def a_custom_voice(http: httpx.Client) -> Mapping[str, Any]:
    path, key = "/supertone/v1/custom-voices/cloned-voice", {"x-sup-api-key": "KEY"}
    made = http.post(path, headers=key, data={"name": "n"}, files=SOUND_FILE).json()
    return {"voice_id": made["voice_id"]}


def a_voice(http: httpx.Client) -> Mapping[str, Any]:
    seeded = http.post("/__mockvoice/voices", json={"provider": "retell"}).json()
    return {"id": seeded["id"], "provider": "retell", "collection": "voices"}


def a_fault(http: httpx.Client) -> Mapping[str, Any]:
    return {"id": http.post("/__mockvoice/faults", json={"times": 1}).json()["id"]}


def a_request(http: httpx.Client) -> Mapping[str, Any]:
    return {"id": http.get("/retell/list-voices").headers["x-mockvoice-request"]}


def a_request_file(http: httpx.Client) -> Mapping[str, Any]:
    answered = http.post(
        "/telnyx/v2/voice_clones/from_upload",
        headers={"Authorization": "Bearer K"},
        files={"audio_file": ("a.wav", b"RIFF")},
    )
    return {"id": answered.headers["x-mockvoice-request"], "index": 0}


def a_sandbox(http: httpx.Client) -> Mapping[str, Any]:
    http.get("/~unused/__mockvoice/faults")
    return {"name": "unused"}


# A combination that speaks, also as a stream.
AGATHA = {
    "voice_id": "a4cf2a1b8e7d",
    "language": "en",
    "style": "normal",
    "model": "sona_speech_1",
}
# Values that a schema cannot know: ids that exist, and rules of a provider module.
KNOWN: Mapping[tuple[str, str], Mapping[str, Any] | Callable[[httpx.Client], Mapping[str, Any]]] = {
    ("telnyx", "createVoiceClone"): {"voice_design_id": FRIENDLY, "version": 1},
    ("telnyx", "getVoiceClone"): a_clone,
    ("telnyx", "updateVoiceClone"): a_clone,
    ("telnyx", "deleteVoiceClone"): a_clone,
    ("telnyx", "getVoiceCloneSample"): a_clone,
    ("telnyx", "createVoiceDesign"): {"name": "n", "voice_design_id": None},
    ("telnyx", "getVoiceDesign"): a_design,
    ("telnyx", "updateVoiceDesign"): a_design,
    ("telnyx", "deleteVoiceDesign"): a_design,
    ("telnyx", "deleteVoiceDesignVersion"): a_design,
    ("telnyx", "getVoiceDesignSample"): a_design,
    ("telnyx", "generateSpeech"): {"voice": "Telnyx.Natural.Armon"},
    ("telnyx", "getSpeech"): a_speech,
    ("retell", "cloneVoice"): {"voice_provider": "elevenlabs"},
    ("retell", "getVoice"): {"voice_id": "retell-Cimo"},
    ("supertone", "get_custom_voice"): a_custom_voice,
    ("supertone", "edit_custom_voice"): a_custom_voice,
    ("supertone", "delete_custom_voice"): a_custom_voice,
    ("supertone", "get_voice"): {"voice_id": "a4cf2a1b8e7d"},
    ("supertone", "create_speech"): AGATHA,
    ("supertone", "stream_speech"): AGATHA,
    ("supertone", "predict_duration"): AGATHA,
    ("supertone", "get_usage"): {
        "start_time": "2024-01-01T00:00:00Z",
        "end_time": "2024-01-31T00:00:00Z",
    },
    ("faseeh", "previewVoice"): {"text": "three words here", "model_id": "faseeh-v1-preview"},
    ("faseeh", "textToSpeech"): {"model_id": "faseeh-v1-preview", "voice_id": "ar-najdi-male-2"},
    ("mockvoice", "getSpec"): {"provider": "telnyx"},
    ("mockvoice", "addFault"): {"provider": "retell", "operation": "POST /clone-voice"},
    ("mockvoice", "getFault"): a_fault,
    ("mockvoice", "deleteFault"): a_fault,
    ("mockvoice", "listRequests"): {
        "since": "request_1",
        "provider": "retell",
        "operation": "POST /clone-voice",
    },
    ("mockvoice", "streamEvents"): {
        "timeout": 0,
        "provider": "retell",
        "operation": "POST /clone-voice",
    },
    ("mockvoice", "listVoices"): {"provider": "retell"},
    ("mockvoice", "getRequest"): a_request,
    ("mockvoice", "getRequestFile"): a_request_file,
    ("mockvoice", "deleteSandbox"): a_sandbox,
    ("mockvoice", "addVoice"): {
        "provider": "retell",
        "collection": "voices",
        "data": {},
        "complete": None,
    },
    ("mockvoice", "deleteVoice"): a_voice,
    ("mockvoice", "importSandbox"): dict.fromkeys(("accounts", "edition", "voices", "faults")),
    ("mockvoice", "listAccounts"): {"provider": "telnyx"},
    ("mockvoice", "getAccount"): {"provider": "telnyx"},
    ("mockvoice", "putAccount"): {
        "provider": "faseeh",
        "tier": "growth",
        "trial_ended": None,  # of Retell only
        "limits": {"requests": {"max": 1}},
    },
    ("mockvoice", "getReport"): {"since": "request_1"},
}

KNOWN_NEWER: Mapping[
    tuple[str, str], Mapping[str, Any] | Callable[[httpx.Client], Mapping[str, Any]]
] = {
    # Members of a variant that differ from those of others.
    ("telnyx@2026-07-16", "createVoiceCloneFromUpload"): {"audio_file": File(encoded("wav", 11))},
    ("telnyx@2026-07-16", "CreatePronunciationDict"): unique_name,
    ("telnyx@2026-07-16", "GetPronunciationDict"): a_dict,
    ("telnyx@2026-07-16", "UpdatePronunciationDict"): a_dict,
    ("telnyx@2026-07-16", "DeletePronunciationDict"): a_dict,
}

EVERY = [*OPERATIONS, *operations(NEWER)]  # operation of every edition
# Those that a plain request can succeed at: tests/http/test_websocket.py has the others.
PLAIN = [operation for operation in EVERY if 101 not in operation.responses]
BROKEN = [
    pytest.param(operation, change, id=f"{operation}: {label}")
    for operation in EVERY
    for label, change in breaks(operation)
]

fast = settings(
    max_examples=15,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)


@pytest.fixture
def http(http: httpx.Client, request: pytest.FixtureRequest) -> httpx.Client:
    """Client with a sandbox of its own, since some operations change its behavior.

    The sandbox selects the edition of the operation that is tested.
    """
    http.headers["x-mockvoice-sandbox"] = blake2b(request.node.name.encode()).hexdigest()[:16]
    contract = request.node.callspec.params["operation"].contract
    if contract in NEWER:
        others = [one for one in OPERATIONS if one.contract.name != contract.name]
        among = [*others, *operations([contract])]
        http.event_hooks = {"response": [lambda response: check(response, among)]}
        body = {"edition": {contract.name: contract.edition}}
        assert http.post("/__mockvoice/reset", json=body).is_success
    return http


def known(http: httpx.Client, operation: Operation) -> Mapping[str, Any]:
    id = operation.node["operationId"]
    values = KNOWN.get((operation.contract.name, id), {})
    values = KNOWN_NEWER.get((str(operation.contract), id), values)
    return values(http) if callable(values) else values


@pytest.mark.parametrize("contract", [*CONTRACTS, *NEWER], ids=str)
def test_contract_is_a_valid_openapi_document_with_edition_date_and_source(
    contract: Contract,
) -> None:
    validate(contract.document)
    if contract.name != "mockvoice":  # the control API is its own source
        info = contract.document["info"]
        assert info["x-edition"] == contract.edition
        assert date.fromisoformat(info["x-date"]) <= date(2026, 11, 21)
        assert info["x-source"]


@pytest.mark.parametrize("operation", PLAIN, ids=str)
@fast
@given(data=st.data())
def test_valid_request_succeeds(
    http: httpx.Client, operation: Operation, data: st.DataObject
) -> None:
    response = data.draw(requests(operation, known(http, operation))).send(http)
    assert response.is_success, response.text


@pytest.mark.parametrize(("operation", "change"), BROKEN)
@settings(fast, max_examples=4)
@given(data=st.data())
def test_request_that_violates_one_rule_is_rejected(
    http: httpx.Client, operation: Operation, change: Break, data: st.DataObject
) -> None:
    response = change(data.draw(requests(operation, known(http, operation)))).send(http)
    assert response.is_client_error, response.text


@pytest.mark.parametrize("operation", PLAIN, ids=str)
@settings(fast, max_examples=5)
@given(data=st.data())
def test_request_with_unknown_member_succeeds_if_the_schema_is_open(
    http: httpx.Client, operation: Operation, data: st.DataObject
) -> None:
    request = data.draw(requests(operation, known(http, operation)))
    if not operation.closed:
        request.members["no_such_member"] = "x"
    response = request.send(http)
    assert response.is_success, response.text


@pytest.mark.parametrize("operation", EVERY, ids=str)
def test_statuses_of_pipeline_errors_are_documented(operation: Operation) -> None:
    documented = set(operation.responses)
    if operation.credential:
        assert 401 in documented
    if operation.body or any(parameter["in"] == "query" for parameter in operation.parameters):
        assert documented & {400, 422}

"""Every operation of every contract: valid requests succeed, and broken ones are refused as told.

Whatever is sent, the response is checked with libraries that the server does not use.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import httpx
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from openapi_spec_validator import validate

from .contracts import CONTRACTS, OPERATIONS, Contract, Operation, check
from .strategies import Break, breaks, requests

FRIENDLY = "550e8400-e29b-41d4-a716-446655440000"

# What a schema cannot know: ids that exist, and rules of a provider's module.
GIVEN: Mapping[tuple[str, str], Mapping[str, Any]] = {
    ("telnyx", "createVoiceClone"): {"voice_design_id": FRIENDLY},
    ("retell", "cloneVoice"): {"voice_provider": "elevenlabs"},
}

BROKEN = [
    pytest.param(operation, change, id=f"{operation}: {label}")
    for operation in OPERATIONS
    for label, change in breaks(operation)
]

fast = settings(
    max_examples=15,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)


def known(operation: Operation) -> Mapping[str, Any]:
    return GIVEN.get((operation.contract.name, operation.node["operationId"]), {})


@pytest.mark.parametrize("contract", CONTRACTS, ids=lambda contract: contract.name)
def test_a_contract_is_an_openapi_document_that_names_its_sources(contract: Contract) -> None:
    validate(contract.document)
    assert contract.document["info"]["x-source"]


@pytest.mark.parametrize("operation", OPERATIONS, ids=str)
@fast
@given(data=st.data())
def test_a_valid_request_succeeds(
    http: httpx.Client, operation: Operation, data: st.DataObject
) -> None:
    response = data.draw(requests(operation, known(operation))).send(http)
    check(response)
    assert response.is_success, response.text


@pytest.mark.parametrize(("operation", "change"), BROKEN)
@settings(fast, max_examples=4)
@given(data=st.data())
def test_a_request_that_breaks_one_rule_is_refused(
    http: httpx.Client, operation: Operation, change: Break, data: st.DataObject
) -> None:
    response = change(data.draw(requests(operation, known(operation)))).send(http)
    check(response)
    assert response.is_client_error, response.text


@pytest.mark.parametrize("operation", OPERATIONS, ids=str)
@settings(fast, max_examples=5)
@given(data=st.data())
def test_a_request_with_more_than_is_asked_for_succeeds_where_that_is_allowed(
    http: httpx.Client, operation: Operation, data: st.DataObject
) -> None:
    request = data.draw(requests(operation, known(operation)))
    if not operation.body or operation.body[1].get("additionalProperties") is False:
        response = request.send(http)
    else:
        request.members["no_such_member"] = "x"
        response = request.send(http)
    check(response)
    assert response.is_success, response.text


@pytest.mark.parametrize("operation", OPERATIONS, ids=str)
def test_every_refusal_that_the_pipeline_may_send_is_documented(operation: Operation) -> None:
    documented = set(operation.responses)
    if operation.credential:
        assert 401 in documented
    if operation.body or any(each["in"] == "query" for each in operation.parameters):
        assert documented & {400, 422}

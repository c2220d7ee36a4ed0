"""Declaration of the control API: its handlers by operation, and its error format.

The contract is `specs/mockvoice.yaml`. The control API differs from a provider in three ways:

- requests are neither recorded nor rate limited, and faults do not apply to them;
- errors are `application/problem+json` (RFC 9457);
- cross-origin requests from browsers are rejected, see `origin.py`.

Responses never contain secrets: API keys, and values whose names suggest a secret, are masked.
"""

from __future__ import annotations

from http import HTTPStatus
from typing import Any

from ..errors import Problem
from ..openapi.normalize import JSON
from ..provider import Provider, RequestContext
from . import accounts, clock, faults, providers, requests, reset, samples, verification, voices
from .origin import check_origin


def error(problem: Problem, status: int, ctx: RequestContext) -> JSON:
    """Return the problem document for a problem, with all its violations."""
    body: dict[str, Any] = {"title": HTTPStatus(status).phrase, "status": status}
    if problem.sentences:
        body["detail"] = problem.sentences
    if problem.violations:
        body["violations"] = [violation.described() for violation in problem.violations]
    return body


provider = Provider(
    "mockvoice",
    "mockvoice control API",
    error,
    check_origin,
    prefix="",
    error_type="application/problem+json",
    journalled=False,
)

_STATELESS = {
    "health": providers.health,
    "listProviders": providers.list_providers,
    "getSpec": providers.get_spec,
    "getSample": samples.get_sample,
}
_STATEFUL = {
    "listFaults": faults.list_faults,
    "addFault": faults.add_fault,
    "clearFaults": faults.clear_faults,
    "getFault": faults.get_fault,
    "deleteFault": faults.delete_fault,
    "listRequests": requests.list_requests,
    "clearRequests": requests.clear_requests,
    "getRequest": requests.get_request,
    "getVerification": verification.get_verification,
    "listVoices": voices.list_voices,
    "addVoice": voices.add_voice,
    "clearVoices": voices.clear_voices,
    "getAccount": accounts.get_account,
    "putAccount": accounts.put_account,
    "getClock": clock.get_clock,
    "setClock": clock.set_clock,
    "reset": reset.reset,
}

for _operation_id, _handler in _STATELESS.items():
    provider.operation(_operation_id, stateful=False)(_handler)
for _operation_id, _handler in _STATEFUL.items():
    provider.operation(_operation_id)(_handler)

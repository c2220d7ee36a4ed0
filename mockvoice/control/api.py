"""The control API: its handlers by operation, and the lifecycle of its requests.

The contract is `specs/mockvoice.yaml`. Unlike requests to a provider, those to the control API
are not recorded, not limited and not subject to faults. Errors are `application/problem+json`
(RFC 9457). Cross-origin requests from browsers are rejected before anything is read or changed,
see `http/origin.py`. Responses never contain secrets: API keys, and values whose names suggest a
secret, are masked.
"""

from __future__ import annotations

import logging
from collections.abc import AsyncIterator, Callable, Coroutine, Mapping
from http import HTTPStatus
from typing import Any

from starlette.types import Receive, Scope, Send

from ..config.settings import BYTES_PER_MB
from ..errors import InternalError, Problem, StoreUnavailable
from ..http.body import Body, read_body
from ..http.identify import HEADERS, control_path_hint, reject_unknown, sandbox_name
from ..http.origin import check_origin
from ..http.params import decode
from ..http.responses import diagnostic_headers, encode
from ..http.transport import RawResponse, ResponseTransport
from ..http.validation import validate
from ..mock import Mock
from ..openapi.document import Operation
from ..provider import NO_OPERATION, Headers, Response
from ..state.clock import http_date
from . import (
    accounts,
    ca,
    clock,
    coverage,
    differences,
    events,
    faults,
    providers,
    requests,
    reset,
    samples,
    sandboxes,
    transfer,
    verification,
    voices,
)
from .context import ControlContext
from .token import check_token

log = logging.getLogger("mockvoice")

Handler = Callable[[ControlContext], Coroutine[Any, Any, Any]]

# Open to pages of every origin: they disclose nothing, and a page under test must be able to play
# samples.
OPEN: Mapping[str, Handler] = {
    "health": providers.health,
    "listProviders": providers.list_providers,
    "getSpec": providers.get_spec,
    "getSample": samples.get_sample,
    "getCA": ca.get_ca,
    "getTrustStore": ca.get_trust_store,
}
# Served without the control token: health checks send none, and neither do the players to which
# applications pass the sample URLs of provider responses. The certificate is no secret.
PUBLIC = ("health", "getSample", "getCA", "getTrustStore")
HANDLERS: Mapping[str, Handler] = {
    **OPEN,
    "listFaults": faults.list_faults,
    "addFault": faults.add_fault,
    "clearFaults": faults.clear_faults,
    "getFault": faults.get_fault,
    "deleteFault": faults.delete_fault,
    "listRequests": requests.list_requests,
    "countRequests": requests.count_requests,
    "clearRequests": requests.clear_requests,
    "getRequest": requests.get_request,
    "getRequestFile": requests.get_request_file,
    "getReport": verification.get_report,
    "streamEvents": events.stream_events,
    "getVerification": verification.get_verification,
    "getCoverage": coverage.get_coverage,
    "clearCoverage": coverage.clear_coverage,
    "getDifferences": differences.get_differences,
    "listVoices": voices.list_voices,
    "addVoice": voices.add_voice,
    "clearVoices": voices.clear_voices,
    "deleteVoice": voices.delete_voice,
    "listAccounts": accounts.list_accounts,
    "getAccount": accounts.get_account,
    "putAccount": accounts.put_account,
    "getClock": clock.get_clock,
    "setClock": clock.set_clock,
    "listSandboxes": sandboxes.list_sandboxes,
    "deleteSandbox": sandboxes.delete_sandbox,
    "exportSandbox": transfer.export_sandbox,
    "importSandbox": transfer.import_sandbox,
    "reset": reset.reset,
}


async def handle_control_request(
    mock: Mock, operations: Mapping[str, Operation], scope: Scope, receive: Receive, send: Send
) -> None:
    """Handle a request to a path of the control API that has these operations, by method."""
    headers: Headers = scope[HEADERS]
    max_json_bytes = mock.settings.max_json_mb * BYTES_PER_MB
    body = await read_body(receive, headers.get("content-type"), max_json_bytes, max_json_bytes)
    if not body.complete:
        return
    operation = operations.get(scope["method"], NO_OPERATION)
    sandbox = ""
    pieces: AsyncIterator[bytes] | None = None
    try:
        ctx = await _context(mock, operations, operation, scope, headers)
        sandbox = ctx.sandbox
        _decode(ctx, scope, body)
        result = await HANDLERS[operation.id](ctx)
        if isinstance(result, Response) and isinstance(result.body, AsyncIterator):
            pieces, result = result.body, result._replace(body=b"")
        response = _response(operation, result)
    except Problem as problem:
        response = _problem_response(mock, operation, problem)
    except StoreUnavailable:
        raise
    except Exception:
        log.exception("internal error of the control API")
        error = InternalError("mockvoice has an internal error; its log has the traceback")
        response = _problem_response(mock, operation, error)
    response.headers["date"] = http_date(int((await mock.store.get_clock(sandbox)).now))
    transport = ResponseTransport(scope, receive, send)
    await (transport.send(response) if pieces is None else transport.stream(response, pieces))


async def _context(
    mock: Mock,
    operations: Mapping[str, Operation],
    operation: Operation,
    scope: Scope,
    headers: Headers,
) -> ControlContext:
    """Return the context of a request that is allowed, or raise a Problem."""
    sandbox = sandbox_name(scope)
    origin = f"{scope['scheme']}://{headers.get('host', 'localhost')}"
    origin += f"/~{sandbox}" if sandbox else ""
    if operation is NO_OPERATION:
        reject_unknown(
            scope,
            operations,
            lambda method, path: control_path_hint(mock.control, method, path, origin),
        )
    if operation.id not in OPEN:
        check_origin(headers)
    if operation.id not in PUBLIC:
        check_token(headers, mock.settings.control_token)
    providers = mock.select(await mock.store.get_editions(sandbox))
    return ControlContext(mock, operation, sandbox, headers, origin, providers)


def _decode(ctx: ControlContext, scope: Scope, body: Body) -> None:
    """Set parameters and fields, or raise a Problem."""
    decoded = decode(ctx.operation, scope, ctx.headers, body)
    validate(
        ctx.operation,
        decoded,
        strict_audio=False,
        strict_fields=False,
        max_bytes=lambda limit: limit,
    )
    defaults = decoded.media_type.defaults if decoded.media_type else {}
    ctx.parameters, ctx.fields = decoded.parameters, {**defaults, **decoded.fields}
    ctx.body = decoded.body


def _response(operation: Operation, result: Any) -> RawResponse:
    """Return the result of a handler with status and media type from the contract."""
    response = result if isinstance(result, Response) else Response(result)
    content = operation.success.content
    if not content:
        return RawResponse(operation.success.status, "", b"")
    media_type = response.media_type or next(iter(content))
    body = response.body
    encoded = body if isinstance(body, bytes) else encode(body).encode()
    return RawResponse(operation.success.status, media_type, encoded, {**response.headers})


def _problem_response(mock: Mock, operation: Operation, problem: Problem) -> RawResponse:
    """Return a problem document, with all violations."""
    status = problem.status(operation.responses)
    body: dict[str, Any] = {"title": HTTPStatus(status).phrase, "status": status}
    if problem.sentences:
        body["detail"] = problem.sentences
    if problem.violations:
        body["violations"] = [violation.described() for violation in problem.violations]
    headers = dict(problem.headers)
    if mock.settings.diagnostics:
        headers |= diagnostic_headers(problem)
    return RawResponse(status, "application/problem+json", encode(body).encode(), headers)

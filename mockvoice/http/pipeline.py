"""The lifecycle of a request.

    identify    sandbox, operation, API key                       -> 404 405 401
    read_body   the whole body, bounded, before anything is decided
    begin       account, clock, limits; a journal entry is reserved
    take        faults that fire; one that replaces the operation precedes everything below
    fetch       the response of the live service, forwarded or replayed, where there is one
    respond     rate_limit -> authorize -> decode -> validate -> handle -> render
    edit        faults that act on the response
    commit      what the handler changed, and the journal entry, at once
    send        the response, or what a fault does to the connection

A step of `respond` returns a value or raises a Problem, which the provider renders. If the state
was changed by another request in the meantime, `commit` refuses and the request responds again.
"""

from __future__ import annotations

import traceback
from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from functools import cache, partial
from time import perf_counter
from typing import TYPE_CHECKING, Any

from starlette.types import Receive, Scope, Send

from ..config.settings import BYTES_PER_MB
from ..errors import Forbidden, InternalError, Problem, StoreUnavailable
from ..faults.headers import FAULT_HEADERS, HEADER_RULE, header_faults, header_rule
from ..faults.kinds import InjectedFault, make_fault
from ..faults.rules import FaultRule, RequestFacts, matches
from ..faults.shorthand import OK
from ..faults.validation import fault_violations
from ..mock import Mock
from ..openapi.document import Operation
from ..provider import Handler, Members, Provider, RequestContext, undeclared
from ..state.accounts import Account
from ..state.clock import http_date
from ..state.ids import draw
from ..state.journal import JournalEntry
from ..state.store import Begin, Begun, Commit, CommitConflict, TakenFault, WrongEdition
from ..state.uploads import Upload
from ..types import JSON
from .auth import unlisted_key
from .body import Body, parse, read_body
from .frames import FrameLog, FrameTransport, is_handshake
from .identify import NO_PROVIDER, RequestTarget, identify, path_hint
from .origin import is_foreign
from .params import Decoded, decode, without_files
from .ratelimit import limit_rules, rate_limit, retry_at
from .responses import render, render_example, render_problem
from .sdk import add_edition_hint
from .transport import RawResponse, ResponseTransport
from .validation import validate
from .websocket import Changes, WebSocketSession, answer_with_examples, check_upgrade

if TYPE_CHECKING:
    from ..upstream.services import LiveServices
    from .live import Live

EDITION = "mockvoice.edition"  # the key in a scope of the edition it was routed with
_BODY = "mockvoice.body"  # the key in a scope of a body that was read before it is routed again
_RESPONSE_BYTES = 64 * 1024  # of a response body that the journal keeps
_ATTEMPTS = 50  # to commit one request


class RouteAgain(Exception):
    """The sandbox selects other editions than those that the request was routed with.

    Somebody has changed them since, perhaps through another process. Nothing was begun.
    """

    def __init__(self, sandbox: str, editions: Mapping[str, str]) -> None:
        super().__init__(sandbox)
        self.sandbox = sandbox
        self.editions = editions


@dataclass(slots=True, eq=False)
class Outcome:
    """The result of `respond`: a response unless the client is gone, and why it is an error."""

    response: RawResponse | None = None
    decoded: Decoded | None = None
    problem: Problem | None = None
    live: Live | None = None


Attempt = Callable[[Problem | None], Awaitable[tuple[Outcome, Commit] | None]]


async def handle_request(
    mock: Mock,
    provider: Provider,
    operations: Mapping[str, Operation],
    scope: Scope,
    receive: Receive,
    send: Send,
) -> None:
    """Handle a request to a path of a provider that has these operations, by method.

    Raises RouteAgain if the sandbox selects another edition of the provider.
    """
    started = perf_counter()
    transport = ResponseTransport(scope, receive, send)
    target = identify(provider, operations, scope, partial(_path_hint, mock, provider))
    settings = mock.settings
    body = scope.pop(_BODY, None) or await read_body(
        receive,
        target.headers.get("content-type"),
        settings.max_body_mb * BYTES_PER_MB,
        settings.max_json_mb * BYTES_PER_MB,
        keep_raw=mock.live is not None,
    )
    if not body.complete:
        transport.disconnected()
    problem = target.problem
    if is_handshake(scope) and target.headers.get("origin") and is_foreign(target.headers):
        # Any page can open one, even with a key in the query; browsers always send an origin.
        problem = Forbidden("pages of other origins may not open a WebSocket")
    if problem and is_foreign(target.headers):
        await _reject_page(mock, provider, target, problem, transport)
        return
    begin = _begin(provider, target, scope.get(EDITION, ""))
    begun = await mock.store.begin(begin)
    if isinstance(begun, WrongEdition):
        scope[_BODY] = body
        raise RouteAgain(target.sandbox, begun.editions)
    ctx = _context(mock, provider, target, begun, body)
    problem = target.problem or unlisted_key(ctx, ctx.account)
    faults: Sequence[InjectedFault] = ()
    if begun.rules_version or target.headers.has_any(FAULT_HEADERS):
        faults, problem = await take_faults(mock, ctx, begin, body, problem)
    for fault in _of_response(ctx, faults):
        await fault.before(transport)
    live = (
        await _fetch(mock.live, ctx, scope, body, faults, problem, transport) if mock.live else None
    )
    try:
        request = mock, ctx, scope, body, faults, live, transport, started
        committed = await _attempt(*request, problem)
        if committed is None:
            committed = await _attempt_again(mock, ctx, partial(_attempt, *request), problem)
        if committed:
            await _send(mock, ctx, scope, transport, faults, *committed, started)
    finally:
        if live:
            await live.close()


async def _fetch(services: LiveServices, ctx: RequestContext, *request: Any) -> Live | None:
    """Return the live response; see `live.fetch`."""
    from .live import fetch  # here: few servers have an upstream

    return await fetch(services, ctx, *request)


async def _attempt(
    mock: Mock,
    ctx: RequestContext,
    scope: Scope,
    body: Body,
    faults: Sequence[InjectedFault],
    live: Live | None,
    transport: ResponseTransport,
    started: float,
    problem: Problem | None,
) -> tuple[Outcome, Commit] | None:
    """Respond and commit; None if another request has changed the state in the meantime."""
    outcome = await respond(ctx, scope, body, _of_response(ctx, faults), problem, live)
    entry = _journal_entry(ctx, scope, body, faults, outcome, transport, started)
    commit = _commit(ctx, entry, faults, outcome)
    conflict = await mock.store.commit(commit)
    if conflict is None:
        return outcome, commit
    ctx.retry(conflict.account)
    return None


async def _attempt_again(
    mock: Mock, ctx: RequestContext, attempt: Attempt, problem: Problem | None
) -> tuple[Outcome, Commit] | None:
    """Respond and commit again, because another request has changed the state meanwhile."""
    async with mock.retry_lock:  # the requests of this process do not overtake each other again
        for _ in range(_ATTEMPTS - 2):
            committed = await attempt(problem)
            if committed:
                return committed
        return await attempt(_too_many_changes(ctx))


def _path_hint(
    mock: Mock, provider: Provider, method: str, path: str, origin: str, hidden: str
) -> str:
    """Return the hint for an unknown path of a provider, or for one that no provider serves."""
    if provider is not NO_PROVIDER:
        return path_hint([provider], method, path, origin, hidden)
    control = f"the control API is {origin}{mock.control.base_path}"
    return f"{path_hint([*mock.providers.values()], method, path, origin)}; {control}"


async def _reject_page(
    mock: Mock,
    provider: Provider,
    target: RequestTarget,
    problem: Problem,
    transport: ResponseTransport,
) -> None:
    """Reject a request from a web page of another origin, which must not change any state.

    Browsers send such requests without asking, and without an API key: the page could fill the
    journal, and evict sandboxes.
    """
    now = (await mock.store.get_clock(target.sandbox)).now
    account = Account(provider.name, "")
    begun = Begun((0, 0, 0), 0, 0, now, "", None, mock.settings.audio, account, (), 0, None)
    ctx = _context(mock, provider, target, begun, Body())
    response = render_problem(ctx, problem)
    response.headers = {"date": http_date(int(now)), **response.headers}
    await transport.send(response)


# --- begin ---------------------------------------------------------------------------------------


def _begin(provider: Provider, target: RequestTarget, edition: str) -> Begin:
    rules, others = limit_rules(provider, target.operation.id)
    return Begin(
        target.sandbox,
        provider.name,
        target.operation.id,
        target.key,
        provider.account,
        rules,
        others,
        edition,
    )


def _context(
    mock: Mock, provider: Provider, target: RequestTarget, begun: Begun, body: Body
) -> RequestContext:
    uploads = tuple([part for _, part in body.parts if isinstance(part, Upload)])
    for i, upload in enumerate(uploads):
        upload.id = f"{begun.epochs[0]}.{begun.number}.{i}"
    return RequestContext(
        mock,
        provider,
        target.operation,
        target.sandbox,
        begun.account,
        target.headers,
        target.origin,
        begun,
        uploads=uploads,
    )


# --- faults --------------------------------------------------------------------------------------


async def take_faults(
    mock: Mock, ctx: RequestContext, begin: Begin, body: Body, problem: Problem | None
) -> tuple[Sequence[InjectedFault], Problem | None]:
    """Return the faults that fire: that of the request's own headers, then those of the sandbox.

    The problem is replaced if the headers are invalid.
    """
    if ctx.provider is NO_PROVIDER:  # a fault must not hide the hint
        return (), problem
    facts = RequestFacts(
        ctx.provider.name,
        ctx.operation.id,
        f"{ctx.operation.method} {ctx.operation.path}",
        ctx.account.key,
        lambda name: ctx.headers.find(name.lower()),
        cache(body.members),
        ctx.operation.frames is not None,
    )
    try:
        sent = _faults_in_headers(mock, ctx) if ctx.headers.has_any(FAULT_HEADERS) else []
        if OK in sent:
            return (), problem
        own = _matching([header_rule(fault, ctx.begun.now) for fault in sent], facts)
        return await _take_matching(mock, ctx, begin, facts, own), problem
    except Problem as raised:
        return (), raised


def _faults_in_headers(mock: Mock, ctx: RequestContext) -> list[JSON]:
    """Return the faults in the headers of the request. Raises InvalidControlHeader."""
    schema = mock.control.schemas.compile("#/components/schemas/FaultOrSequence")
    editions = mock.editions(ctx.sandbox)
    return header_faults(
        ctx.headers.get,
        lambda text: schema.coerce(parse(text)),
        lambda data, at: fault_violations(mock.control, mock.select(editions), data, "header", at),
    )


async def _take_matching(
    mock: Mock,
    ctx: RequestContext,
    begin: Begin,
    facts: RequestFacts,
    own: Mapping[str, FaultRule],
) -> list[InjectedFault]:
    """Return the faults that fire: of the request's own rules, then of those of the sandbox.

    Rules of the sandbox that change meanwhile are read again.
    """
    begun = ctx.begun
    version: int | None = begun.rules_version
    for _ in range(_ATTEMPTS):
        listed: Sequence[FaultRule] = ()
        if version is None or version:
            version, listed = await mock.fault_rules(ctx.sandbox, version)
        stored = _matching(listed, facts)
        if not (own or stored):
            return []
        taken = await mock.store.take_faults(begin, begun, version, [*stored], [*own.values()])
        if taken is not None:
            return [_fired({**stored, **own}[fault.id], fault, begun.seed) for fault in taken]
        version = None
    raise _too_many_changes(ctx)


def _fired(rule: FaultRule, taken: TakenFault, seed: str) -> InjectedFault:
    id = HEADER_RULE if rule.id.startswith(HEADER_RULE) else rule.id
    return make_fault(id, rule.steps[taken.step], _chance(seed, rule.id, taken.matched))


def _too_many_changes(ctx: RequestContext) -> InternalError:
    """Record and return the problem of a request whose every attempt met a change by another."""
    message = f"the state changed in each of {_ATTEMPTS} attempts to respond; send it again"
    ctx.record_internal_error(message)
    return InternalError(message)


def _matching(rules: Iterable[FaultRule], facts: RequestFacts) -> dict[str, FaultRule]:
    """Return the rules that match a request, by id."""
    return {rule.id: rule for rule in rules if matches(rule.data, facts)}


def _of_response(ctx: RequestContext, faults: Sequence[InjectedFault]) -> Sequence[InjectedFault]:
    """Return the faults that act on the response, and not on frames of a WebSocket."""
    if ctx.operation.frames is None:
        return faults
    return [fault for fault in faults if fault.frame is None]


def _chance(seed: str, id: str, matched: int) -> Callable[[str], float]:
    return lambda name: draw(seed, id, matched, name)


# --- respond -------------------------------------------------------------------------------------


async def respond(
    ctx: RequestContext,
    scope: Scope,
    body: Body,
    faults: Sequence[InjectedFault],
    problem: Problem | None,
    live: Live | None = None,
) -> Outcome:
    """Return the response as the client is to see it."""
    outcome = Outcome(live=live)
    if not body.complete:  # the client is gone
        return outcome
    try:
        last = faults[-1] if faults else None
        if last and last.replaces:
            response = _replacement(ctx, last, problem)
        else:
            execute = _execute_live if live else _execute
            response = await execute(ctx, scope, body, outcome, problem)
            if last and last.responds:
                response = _replacement(ctx, last, problem)
        for fault in faults:
            response = fault.edit(response)
            if fault.ineffective:
                ctx.record_internal_error(f"{fault.id} had no effect: {fault.ineffective}")
        outcome.response = response
    except StoreUnavailable:
        raise
    except Exception:  # noqa: BLE001 - the client is answered, and the error is recorded
        ctx.record_internal_error(traceback.format_exc())
        outcome.response = RawResponse(500, "text/plain", b"internal error of mockvoice", {})
    outcome.response.headers = _headers(ctx, faults, outcome.response, live)
    return outcome


def _replacement(ctx: RequestContext, fault: InjectedFault, problem: Problem | None) -> RawResponse:
    """Return an error, or the documented success of an operation that is not executed."""
    error: Problem | None = fault.error(ctx.operation.responses)
    if error is None and not ctx.operation.responses:
        error = problem
    return render_problem(ctx, error) if error else render_example(ctx)


async def _execute_live(
    ctx: RequestContext, scope: Scope, body: Body, outcome: Outcome, problem: Problem | None
) -> RawResponse:
    """Return the live response, or the problem in its place; compare it with that of the mock."""
    from .shadow import compare, prepare

    live = outcome.live
    assert live is not None  # noqa: S101 - the caller has checked it
    if live.problem:
        outcome.problem = live.problem
        return render_problem(ctx, live.problem)
    if live.socket:
        from .relay import pass_through  # here, as above

        chosen = live.socket.subprotocol
        headers = {"sec-websocket-protocol": str(chosen)} if chosen else {}
        talk = partial(pass_through, live.socket)
        return RawResponse(101, "", b"", headers, conversation=talk)
    await prepare(ctx, live)
    mocked = await _execute(ctx, scope, body, outcome, problem)
    await compare(ctx, live, mocked, outcome.decoded)
    return live.raw()


async def _execute(
    ctx: RequestContext, scope: Scope, body: Body, outcome: Outcome, problem: Problem | None
) -> RawResponse:
    """Return the provider's response; an exception becomes its response to an internal error."""
    try:
        _reject(problem)
        rate_limit(ctx)
        if ctx.provider.admit:
            await authorize(ctx, ctx.provider.admit)
        outcome.decoded = decoded = _decode(ctx, scope, body)
        ctx.parameters = Members("query", decoded.parameters)
        ctx.fields, ctx.body = Members("body", decoded.fields), decoded.body
        validate(
            ctx.operation,
            decoded,
            strict_audio=ctx.begun.audio == "strict",
            strict_fields=ctx.begun.strict_fields,
            max_bytes=ctx.max_bytes,
        )
        check_upgrade(ctx.operation, scope)
        return await handle(ctx, decoded)
    except Problem as raised:
        problem = raised
        if not problem.hint:
            problem.hint = await ctx.owner_hint()
        if body.empty and (problem.violations or not problem.hint):
            problem.hint = ctx.operation.empty_body_hint or problem.hint
        add_edition_hint(problem, ctx.provider, ctx.headers)
    except StoreUnavailable:
        raise
    except Exception:  # noqa: BLE001 - as above
        ctx.record_internal_error(traceback.format_exc())
        problem = InternalError("mockvoice has an internal error; its log has the traceback")
    ctx.changes.clear()
    problem.__traceback__ = None  # a reference cycle would keep the uploads in memory
    outcome.problem = problem
    return render_problem(ctx, problem)


def _reject(problem: Problem | None) -> None:
    """Raise the problem that was found before the body was read."""
    if problem:
        raise problem


def _decode(ctx: RequestContext, scope: Scope, body: Body) -> Decoded:
    strict = ctx.begun.strict_fields
    return decode(ctx.operation, scope, ctx.headers, body, strict_fields=strict)


async def authorize(ctx: RequestContext, admit: Handler) -> None:
    """Let the provider reject the account."""
    await _call(ctx, admit)


async def handle(ctx: RequestContext, decoded: Decoded) -> RawResponse:
    """Return the response of the handler, or the contract's example where there is none."""
    if decoded.media_type and decoded.media_type.defaults:
        ctx.fields = Members("body", {**decoded.media_type.defaults, **ctx.fields})
    handler = ctx.provider.handlers.get(ctx.operation.id)
    if ctx.operation.frames is not None:
        conversation = await _call(ctx, handler) if handler else answer_with_examples(ctx)
        return RawResponse(101, "", b"", {}, conversation=conversation)
    if handler is None:
        return render_example(ctx)
    return render(ctx, await _call(ctx, handler))


async def _call(ctx: RequestContext, function: Handler) -> Any:
    """Return the result of a handler or of `admit`.

    Raises InternalError in place of an error that the operation does not declare.
    """
    try:
        result = function(ctx)
        return await result if hasattr(result, "__await__") else result
    except Problem as problem:
        message = undeclared(ctx.provider, ctx.operation.id, problem)
        if not message:
            raise
    ctx.record_internal_error(message)
    raise InternalError("mockvoice has an internal error; its log has the message")


def _headers(
    ctx: RequestContext,
    faults: Sequence[InjectedFault],
    response: RawResponse,
    live: Live | None,
) -> dict[str, str]:
    """Return all headers of a response; those of a fault take precedence."""
    headers = response.headers
    if live is None or live.problem:
        headers = {"date": http_date(int(ctx.now)), **ctx.response_headers, **headers}
    if ctx.mock.settings.diagnostics:
        headers = {**headers, "x-mockvoice-request": f"request_{ctx.begun.number}"}
        if faults:
            headers["x-mockvoice-fault"] = ", ".join(fault.id for fault in faults)
    return headers


# --- commit --------------------------------------------------------------------------------------


def _journal_entry(
    ctx: RequestContext,
    scope: Scope,
    body: Body,
    faults: Sequence[InjectedFault],
    outcome: Outcome,
    transport: ResponseTransport,
    started: float,
) -> JournalEntry:
    response, problem, begun, live = outcome.response, outcome.problem, ctx.begun, outcome.live
    sent = _of_response(ctx, faults)
    nothing_sent = transport.closed or (sent and any(fault.no_response for fault in sent))
    if response is None or nothing_sent:
        response = RawResponse(0, "", b"")
    content = response.body if isinstance(response.body, bytes) else b""
    violations = problem.violations if problem else ()
    if live:
        violations, content = (*violations, *live.violations), live.shown(content, _RESPONSE_BYTES)
    return JournalEntry(
        begun.number,
        ctx.provider.name,
        ctx.operation.id,
        ctx.account.key,
        scope["method"],
        scope["path"],
        scope["query_string"],
        scope["headers"],
        begun.now,
        fields=_fields(ctx, scope, body, outcome.decoded),
        uploads=tuple([upload.id for upload in ctx.uploads]),
        size=body.size,
        file_size=sum([upload.size for upload in ctx.uploads]),
        violations=violations,
        hint=problem.hint if problem else "",
        fault=", ".join([fault.id for fault in faults]),
        kind=", ".join([fault.kind for fault in faults]),
        status=response.status or None,
        response_type=response.media_type,
        response_headers=_headers_and_trailers(response),
        response=content[:_RESPONSE_BYTES],
        milliseconds=(perf_counter() - started) * 1000,
        early=None if begun.retry_at is None else max(begun.retry_at - begun.now, 0.0),
        client_closed=transport.client_closed,
        internal_error=ctx.internal_error,
        edition=ctx.provider.edition,
        upstream=live.upstream if live else "",
        difference=live.difference if live else None,
        custom=bool(faults) and any(fault.is_custom for fault in faults),
    )


def _fields(
    ctx: RequestContext, scope: Scope, body: Body, decoded: Decoded | None
) -> Mapping[str, Any]:
    """Return the members of the body without its files, decoded if the body can be."""
    if decoded is None:
        with suppress(Problem):
            decoded = _decode(ctx, scope, body)
    described = decoded and decoded.media_type
    fields = decoded.fields if decoded and described else body.members()
    return without_files(fields) if ctx.uploads else fields


def _headers_and_trailers(response: RawResponse) -> Mapping[str, str]:
    """Return what a response has of both: most clients do not show trailers."""
    if response.trailers and not isinstance(response.body, bytes):
        return {**response.headers, **response.trailers}
    return response.headers


def _commit(
    ctx: RequestContext, entry: JournalEntry, faults: Sequence[InjectedFault], outcome: Outcome
) -> Commit:
    response = outcome.response
    is_open = response is not None and (
        response.conversation is not None or not isinstance(response.body, bytes)
    )
    return Commit(
        ctx.sandbox,
        ctx.begun.epochs,
        ctx.provider.name,
        ctx.operation.id,
        ctx.account.key,
        entry,
        tuple(ctx.changes),
        ctx.uploads,
        retry_at(ctx.now, response.headers) if response else None,
        finished=not (is_open or (faults and any(fault.is_slow for fault in faults))),
    )


# --- send ----------------------------------------------------------------------------------------


async def _send(
    mock: Mock,
    ctx: RequestContext,
    scope: Scope,
    transport: ResponseTransport,
    faults: Sequence[InjectedFault],
    outcome: Outcome,
    commit: Commit,
    started: float,
) -> None:
    """Send the response, then complete a journal entry that was committed unfinished."""
    error = ""
    session: WebSocketSession | None = None
    response, own = outcome.response, _of_response(ctx, faults)
    try:
        if response:
            for fault in own:
                await fault.after(transport)
            if response.conversation and not (transport.closed or (own and own[-1].no_response)):
                transport = FrameTransport(scope, mock.settings.read_timeout)
                session = _session(mock, ctx, transport, faults, commit, started, outcome.live)
                await session.run(response.conversation, response.headers)
            else:
                send = own[-1].send if own else ResponseTransport.send
                await send(transport, response)
    except ConnectionResetError:
        raise  # a fault of a server in this process
    except Exception:
        ctx.record_internal_error(traceback.format_exc())
        error = ctx.internal_error
        raise
    finally:
        entry = commit.entry
        if error or not commit.finished:
            entry = session.recorded(entry) if session else entry
            entry = _finished(entry, transport, error, started)
            entry = outcome.live.finished(entry) if outcome.live else entry
            with suppress(StoreUnavailable):  # logged by the store; the response is sent already
                await mock.store.finish(commit, entry)
        if mock.log:
            mock.log(ctx.sandbox, entry)


def _session(
    mock: Mock,
    ctx: RequestContext,
    transport: FrameTransport,
    faults: Sequence[InjectedFault],
    commit: Commit,
    started: float,
    live: Live | None,
) -> WebSocketSession:
    """Return the session of a WebSocket, which commits its request again for each change."""

    async def commit_again(session: WebSocketSession, changes: Changes) -> CommitConflict | None:
        entry = session.recorded(commit.entry)._replace(closed=None)  # until it is finished
        again = replace(
            commit, account=ctx.account.key, entry=entry, changes=changes, uploads=(), again=True
        )
        return await mock.store.commit(again)

    in_frames = [fault for fault in faults if fault.frame is not None]
    arguments = (ctx, transport, in_frames, FrameLog(started), commit_again)
    if live:
        from .relay import RelaySession  # here, as above

        return RelaySession(*arguments, redact=live.redactor.redact)
    return WebSocketSession(*arguments)


def _finished(
    entry: JournalEntry, transport: ResponseTransport, error: str, started: float
) -> JournalEntry:
    """Return a journal entry with what is known once the response has ended."""
    entry = entry._replace(
        milliseconds=(perf_counter() - started) * 1000,
        client_closed=transport.client_closed,
        internal_error=error or entry.internal_error,
    )
    if transport.client_closed is None or transport.started:
        return entry
    return entry._replace(status=None, response_type="", response_headers={}, response=b"")

"""Python client for the control API: `Control` manages one sandbox of a mock."""

from __future__ import annotations

import json
import os
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import replace
from datetime import datetime
from functools import cached_property, partial
from types import TracebackType
from typing import TYPE_CHECKING, Any, Protocol, Self, Unpack, cast
from urllib.parse import quote, unquote, urlencode
from zlib import crc32

from .. import __version__, report
from ..faults.shorthand import shorthand_fields
from .transports import TIMEOUT, HTTPTransport, Transport, sandbox_path, split_url

if TYPE_CHECKING:
    from ..fields import (
        AccountState,
        CAFormat,
        Failure,
        FaultFields,
        Outcome,
        Part,
        ReplyFields,
        SampleFormat,
        Target,
    )
    from ..models import (
        AccountInfo,
        Coverage,
        Differences,
        RecordedRequest,
        RecordedRequests,
        Voice,
        Voices,
    )
    from .intercept import Patcher

# Functions import the models, which take 10 ms, because many clients only check health, or reset.

ANY_KEY = "test"  # any non-empty key is valid
EVERY_KEY = "*"
Identity = tuple[str, datetime]  # of a request in a sandbox
_POLL_INTERVAL = 0.01  # seconds


class ControlError(ValueError):
    """The control API rejected a request; the message names the problem."""


class RequestsEvicted(RuntimeError):
    """The journal no longer has all requests that an assertion is about."""


class ServerClient:
    """A transport to one server, and the providers that the server reports."""

    def __init__(self, transport: Transport) -> None:
        self.transport = transport

    @cached_property
    def providers(self) -> dict[str, dict[str, Any]]:
        """Providers by name, as in `GET /providers`; fetched once."""
        listed = SandboxClient(self).request("GET", "/providers")["providers"]
        return {provider["name"]: provider for provider in listed}

    @cached_property
    def ca_file(self) -> str:
        """Temporary file with the CAs of the system and that of the server."""
        from tempfile import mkstemp
        from weakref import finalize

        from .intercept import with_system_roots

        certificates = with_system_roots(SandboxClient(self).request("GET", "/ca.pem"))
        descriptor, path = mkstemp(prefix="mockvoice-ca-", suffix=".pem")
        with os.fdopen(descriptor, "wb") as file:
            file.write(certificates)
        finalize(self, os.unlink, path)
        return path


class SandboxClient:
    """Sends control API requests to one sandbox of a server."""

    def __init__(self, server: ServerClient, prefix: str = "") -> None:
        self.server = server
        self.url = f"{server.transport.url}{prefix}"
        self._prefix = prefix
        self._providers: dict[str, dict[str, Any]] | None = None
        self.expected: set[Identity] = set()  # requests that may violate the contract

    @property
    def providers(self) -> dict[str, dict[str, Any]]:
        """Providers by name, those of the server unless this sandbox selects other editions."""
        return self.server.providers if self._providers is None else self._providers

    def refresh_providers(self) -> None:
        """Fetch the providers of this sandbox, each in the edition that it selects."""
        listed = self.request("GET", "/providers")["providers"]
        self._providers = {provider["name"]: provider for provider in listed}

    def request(self, method: str, path: str, body: Any = None, **query: Any) -> Any:
        """Return the response body: parsed JSON, or bytes if it is not JSON.

        Query parameters that are None are left out. Raises ControlError for a status of 400 or
        above, ConnectionError if no server responds.
        """
        __tracebackhide__ = True
        target = f"{self._prefix}/__mockvoice{path}"
        parameters = {name: value for name, value in query.items() if value is not None}
        if parameters:
            target += f"?{urlencode(parameters)}"
        content = None if body is None else json.dumps(body).encode()
        status, response = self.server.transport.send(method, target, content)
        if status >= 400:
            raise ControlError(error_message(method, target, status, response))
        try:
            return json.loads(response) if response else None
        except ValueError:  # also UnicodeDecodeError: audio
            return response


def error_message(method: str, target: str, status: int, response: bytes) -> str:
    """Return the message of an error response of the control API."""
    try:
        problem = json.loads(response)
        detail = problem.get("detail") or problem["title"]
        hints = [item["hint"] for item in problem.get("violations", []) if item["hint"]]
    except (ValueError, KeyError, AttributeError):
        return f"{method} {target} returned {status}: {response[:200]!r}; is this a mockvoice URL?"
    return "; ".join(dict.fromkeys([detail, *hints]))


class Fault:
    """A fault or a sequence of faults set in a sandbox.

    As a context manager it is removed at the end of the block, which raises AssertionError if the
    fault never fired or the sequence was not finished.
    """

    def __init__(self, sandbox: SandboxClient, data: Mapping[str, Any]) -> None:
        self._sandbox = sandbox
        self.id: str = data["id"]
        self.data = report.fault_fields(data)

    @property
    def hits(self) -> int:
        """Number of requests for which it fired."""
        return int(self._fetch()["hits"])

    @property
    def matched(self) -> int:
        """Number of requests that it matched, including those that it let pass."""
        return int(self._fetch()["matched"])

    def _fetch(self) -> Mapping[str, Any]:
        data: Mapping[str, Any] = self._sandbox.request("GET", f"/faults/{self.id}")
        return data

    def remove(self) -> None:
        """Remove it from the sandbox."""
        self._sandbox.request("DELETE", f"/faults/{self.id}")

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        __tracebackhide__ = True
        unfired = self._sandbox.request("GET", "/verification")["faults"]
        self.remove()
        for fault in unfired:
            if fault["id"] == self.id and error is None:
                raise AssertionError(report.unfired_fault(fault))

    def __repr__(self) -> str:
        return f"<Fault {self.id} {self.data}>"


class ExpectedViolation:
    """A block with requests that violate the contract or match no operation.

    `with` returns the list of them, which is filled at the end of the block.
    """

    def __init__(
        self,
        expected: set[Identity],
        requests: Callable[[], RecordedRequests],
        mismatch: Callable[[], str],
        pointer: str | None,
    ) -> None:
        from ..models import RecordedRequests

        self._expected = expected
        self._requests = requests
        self._mismatch = mismatch
        self._pointer = pointer
        self._known: set[Identity] = set()
        self._found = RecordedRequests()

    def __enter__(self) -> RecordedRequests:
        """Begin the block. Raises ControlError for an unknown operation."""
        __tracebackhide__ = True
        self._known = {*map(_identity, self._requests())}
        return self._found

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        """Raise AssertionError if there is no such request, also after an error of the client."""
        __tracebackhide__ = True
        self._found += [
            request
            for request in self._requests()
            if _identity(request) not in self._known and _violates(request, self._pointer)
        ]
        self._expected.update(map(_identity, self._found))
        client_failed = isinstance(error, Exception) and not isinstance(error, AssertionError)
        if not self._found and (error is None or client_failed):
            raise AssertionError(self._mismatch())


class ControlScope:
    """Faults, requests and voices of one provider, or of all providers."""

    def __init__(self, sandbox: SandboxClient, name: str | None) -> None:
        self._sandbox = sandbox
        self._name = name

    # --- faults ---

    def fail(
        self,
        failure: Outcome | Sequence[Outcome | Failure] | None = None,
        /,
        **fault: Unpack[FaultFields],
    ) -> Fault:
        """Make requests fail with a status (502), or with another kind of fault ("reset").

        A list is a sequence, as in `sequence`. The body is the error that the contract documents
        for the status, unless `body` is passed.
        Raises ControlError for an unknown operation or field.
        """
        __tracebackhide__ = True
        return self._add({**({} if failure is None else shorthand_fields(failure)), **fault})

    def sequence(self, items: Sequence[Outcome | Failure], /, **target: Unpack[Target]) -> Fault:
        """Use one item per request, in order; "ok" lets the request pass."""
        __tracebackhide__ = True
        return self._add({**shorthand_fields([*items]), **target})

    def delay(self, seconds: float, /, **fault: Unpack[FaultFields]) -> Fault:
        """Delay requests. Another fault can still fire for a delayed request."""
        __tracebackhide__ = True
        return self._add({"kind": "delay", "seconds": seconds, **fault})

    def reply(self, operation: str | None = None, **reply: Unpack[ReplyFields]) -> Fault:
        """Send a custom response, or change the response of the operation.

        With `status`, `body` or `headers` it replaces the operation. `set` and `remove` run the
        operation and edit its response at JSON Pointers: `set={"/data/status": "pending"}`. Such
        responses need not satisfy the contract. Raises ControlError for an unknown operation, and
        for pointers that no response of it can have.
        """
        __tracebackhide__ = True
        target = {} if operation is None else {"operation": operation}
        return self._add({"kind": "reply", **target, **reply})

    def _add(self, data: dict[str, Any]) -> Fault:
        __tracebackhide__ = True
        if self._name:
            data["provider"] = self._name
        return Fault(self._sandbox, self._sandbox.request("POST", "/faults", data))

    @property
    def faults(self) -> list[Fault]:
        """Faults set for this provider, or all faults; oldest first."""
        return [Fault(self._sandbox, data) for data in self._fault_data()]

    def _fault_data(self) -> list[dict[str, Any]]:
        faults = self._sandbox.request("GET", "/faults")["faults"]
        return [data for data in faults if self._name in (None, data.get("provider"))]

    def clear_faults(self) -> None:
        """Remove the faults set for this provider, or all faults."""
        if self._name is None:
            self._sandbox.request("DELETE", "/faults")
        else:
            for fault in self.faults:
                fault.remove()

    # --- journal ---

    @property
    def requests(self) -> RecordedRequests:
        """Requests received so far, oldest first."""
        return self._requests()

    def _requests(
        self, operation: str | None = None, status: int | None = None
    ) -> RecordedRequests:
        __tracebackhide__ = True
        from ..models import RecordedRequest, RecordedRequests

        if operation is not None:
            self.check_operation(operation)
        journal = self._sandbox.request(
            "GET", "/requests", provider=self._name, operation=operation, status=status
        )
        return RecordedRequests(map(RecordedRequest.of, journal["requests"]), journal["evicted"])

    def _count(self, operation: str | None, status: int | None = None) -> int:
        """Return the number of requests, including those that were evicted from the journal."""
        served = self._sandbox.providers
        counts = self._sandbox.request("GET", "/requests/counts")["counts"]
        return sum(
            item["count"]
            for item in counts
            if self._name in (None, item["provider"])
            and status in (None, item["status"])
            and (operation is None or operation in _names(served, item))
        )

    def check_operation(self, operation: str) -> None:
        """Raise ControlError, with the closest match, for an operation that is not served."""
        __tracebackhide__ = True
        ids, paths = self._operations()
        if operation not in (*ids, *paths):  # perhaps of an edition that somebody else selected
            self._sandbox.refresh_providers()
            ids, paths = self._operations()
        if operation not in (*ids, *paths):
            candidates = paths if " " in operation else ids
            raise ControlError(unknown_name("operation", operation, candidates))

    def _operations(self) -> tuple[list[str], list[str]]:
        """Return the ids of all operations, and their methods with paths."""
        served = self._sandbox.providers
        providers = [served[self._name]] if self._name else [*served.values()]
        operations = [item for provider in providers for item in provider["operations"]]
        ids = [item["id"] for item in operations]
        return ids, [f"{item['method']} {item['path']}" for item in operations]

    def assert_called(
        self,
        operation: str | None = None,
        *,
        times: int | None = None,
        status: int | None = None,
        fields: Mapping[str, Any] | None = None,
    ) -> RecordedRequests:
        """Return the requests with this operation, response status and these fields.

        Raises AssertionError if there are none, or if `times` is passed, unless there are exactly
        that many. Requests that were evicted from the journal count, but are not returned. Raises
        RequestsEvicted where `fields` of evicted requests would decide.
        """
        __tracebackhide__ = True  # the interesting line of a traceback is the caller's
        from ..models import RecordedRequests

        recorded = self._requests(operation, status)
        matching = RecordedRequests(
            (
                request
                for request in recorded
                if all(
                    name in request.fields and request.fields[name] == value
                    for name, value in (fields or {}).items()
                )
            ),
            recorded.evicted,
        )
        expected = _describe_expected(operation or self._name, times, status, fields)
        count = self._count(operation, status) if recorded.evicted else len(matching)
        if fields and count > len(recorded):  # some of those that may match are evicted
            if len(matching) < (1 if times is None else times + 1):
                raise RequestsEvicted(_evicted_message(expected, count - len(recorded)))
            count = len(matching)
        if count == times or (times is None and count):
            return matching
        raise AssertionError(self._mismatch(expected, count))

    def assert_not_called(self, operation: str | None = None) -> None:
        """Raise AssertionError if there is any request, or any to the operation."""
        __tracebackhide__ = True
        self.assert_called(operation, times=0)

    def expect_violation(
        self, operation: str | None = None, *, pointer: str | None = None
    ) -> ExpectedViolation:
        """Expect requests in a `with` block that violate the contract or match no operation.

        They do not fail the test (`mockvoice_fail_on_violation`). `operation`, and `pointer`, the
        JSON Pointer of a violation, select them. The block raises AssertionError if there are none.
        """
        target = f" to {operation}" if operation else ""
        at = f" at {pointer}" if pointer else ""
        return ExpectedViolation(
            self._sandbox.expected,
            partial(self._requests, operation),
            partial(self._mismatch, f"a request{target} that violates the contract{at}", 0),
            pointer,
        )

    def wait_for_requests(
        self, count: int, timeout: float = 5.0, *, operation: str | None = None
    ) -> RecordedRequests:
        """Wait until `count` requests have ended, and return those that the journal has.

        Raises TimeoutError after `timeout` seconds. Blocks its thread: in an event loop use
        `await asyncio.to_thread(mock.wait_for_requests, n)`.
        """
        __tracebackhide__ = True
        _refuse_event_loop()
        deadline = time.monotonic() + timeout
        if operation is not None:
            self.check_operation(operation)
        while (received := self._count(operation)) < count:
            if time.monotonic() >= deadline:
                expected = f"{_describe_expected(operation, count)} within {timeout:g} s"
                raise TimeoutError(self._mismatch(expected, received))
            time.sleep(_POLL_INTERVAL)
        return self._requests(operation)

    def _mismatch(self, expected: str, count: int) -> str:
        from ..models import RecordedRequest

        received = self._requests()
        if self._name:
            # A request that no provider serves may have been meant for this one.
            journal = self._sandbox.request("GET", "/requests")["requests"]
            received += map(RecordedRequest.of, (r for r in journal if not r["provider"]))
        return f"expected {expected}, got {count}. Requests received:\n{report.summary(received)}"

    def coverage(self, *, all: bool = False) -> Coverage:
        """Return the operations, documented statuses and fault kinds that requests have exercised.

        Of the sandbox; of all sandboxes if this is the default one. With `all`, operations and
        providers that were never called count too. Resets do not change it.
        """
        from ..models import Coverage

        parameters = {"all": "true"} if all else {}
        coverage = Coverage.of(self._sandbox.request("GET", "/coverage", **parameters))
        operations = [op for op in coverage.operations if self._name in (None, op.provider)]
        return Coverage(all, tuple(operations))

    def differences(self) -> Differences:
        """Return what the mock would have responded differently than the live services.

        Of the requests in the journal of the sandbox; of all sandboxes if this is the default one.
        """
        from ..models import Differences

        found = Differences.of(self._sandbox.request("GET", "/differences"))
        if self._name is None:
            return found
        own = [one for one in found.differences if one.provider == self._name]
        return replace(found, differences=tuple(own))

    # --- records ---

    @property
    def voices(self) -> Voices:
        """Stored records, created or seeded; oldest first."""
        from ..models import Voice, Voices

        listed = self._sandbox.request("GET", "/voices", provider=self._name)
        return Voices(map(Voice.of, listed["voices"]))


class ProviderControl(ControlScope):
    """One provider of a mock; pass `base_url` to its SDK.

    Raises ControlError if the server does not serve the provider.
    """

    def __init__(self, sandbox: SandboxClient, name: str) -> None:
        super().__init__(sandbox, name)
        served = sandbox.providers
        if name not in served:
            raise ControlError(unknown_name("provider", name, served))
        self.name = name
        self.base_url: str = f"{sandbox.url}{served[name]['base_path']}"

    @property
    def edition(self) -> str:
        """Edition of the contract in use."""
        return str(self._sandbox.providers[self.name]["edition"])

    @property
    def operations(self) -> dict[str, str]:
        """Operations as `operationId: "METHOD /path"`."""
        operations = self._sandbox.providers[self.name]["operations"]
        return {item["id"]: f"{item['method']} {item['path']}" for item in operations}

    def add_voice(
        self,
        data: Mapping[str, Any] | None = None,
        *,
        id: str | None = None,
        collection: str | None = None,
        account: str | None = None,
    ) -> Voice:
        """Seed a record. Missing properties are generated.

        Every key sees the record, unless `account` names one. Raises ControlError if the data
        breaks the contract.
        """
        from ..models import Voice

        options = {"id": id, "collection": collection, "account": account, "data": data}
        body = {name: value for name, value in options.items() if value is not None}
        return Voice.of(self._sandbox.request("POST", "/voices", {"provider": self.name, **body}))

    def delete_voice(self, id: str, *, collection: str | None = None) -> None:
        """Delete the records with an id; presets and configured ones come back with a reset.

        Raises ControlError if there is none.
        """
        path = f"/voices/{quote(id, safe='')}"
        self._sandbox.request("DELETE", path, provider=self.name, collection=collection)

    def account(self, key: str = EVERY_KEY, **state: Unpack[AccountState]) -> AccountInfo:
        """Change the account of an API key, or the accounts of all keys; return its state."""
        return self._account("PUT" if state else "GET", key, state or None)

    def add_account(self, key: str, **state: Unpack[AccountState]) -> AccountInfo:
        """Add an API key, which is then valid where the setting `keys` is `listed`."""
        return self._account("PUT", key, state)

    def _account(self, method: str, key: str, state: AccountState | None) -> AccountInfo:
        from ..models import AccountInfo

        path = f"/accounts/{self.name}/{quote(key, safe='')}"
        return AccountInfo.of(self._sandbox.request(method, path, state))

    def limit(
        self, max: int, *, per: float | None = None, name: str = "requests", key: str = EVERY_KEY
    ) -> AccountInfo:
        """Allow `max` requests in `per` seconds, or `max` concurrent requests if it is None.

        `name` is the documented limit to replace. Applies to each key unless `key` names one.
        """
        limit = {"max": max} if per is None else {"max": max, "per": per}
        limits = {**self.account(key).limits, name: limit}
        return self.account(key, limits=limits)

    def __repr__(self) -> str:
        return f"<mockvoice {self.name} {self.base_url}>"


class ClockControl:
    """The clock of one sandbox."""

    def __init__(self, sandbox: SandboxClient) -> None:
        self._sandbox = sandbox

    @property
    def now(self) -> datetime:
        """Current time of the sandbox."""
        return self._time(self._sandbox.request("GET", "/clock"))

    def advance(self, seconds: float) -> datetime:
        """Move the clock forward; return the new time."""
        return self._time(self._sandbox.request("POST", "/clock", {"advance": seconds}))

    def freeze(self, at: datetime | str | None = None) -> datetime:
        """Stop the clock, at the current time or at `at` (RFC 3339); return the time."""
        moment = at.astimezone().isoformat() if isinstance(at, datetime) else at
        freeze = True if moment is None else moment
        return self._time(self._sandbox.request("POST", "/clock", {"freeze": freeze}))

    def run(self) -> datetime:
        """Start the clock again; return the time."""
        return self._time(self._sandbox.request("POST", "/clock", {"freeze": None}))

    def _time(self, clock: Mapping[str, Any]) -> datetime:
        return datetime.fromisoformat(clock["now"])


class Namespace:
    """Makes the names of sandboxes unique; `names` are those that were created in it."""

    def __init__(self) -> None:
        self._suffix = os.urandom(6).hex()
        self.names: set[str] = set()

    def unique(self, name: str) -> str:
        """Return the name that a sandbox has on the server."""
        return f"{name or 'default'}-{self._suffix}"


class Environment(Protocol):
    """Sets environment variables and restores them later, like pytest's monkeypatch."""

    def setenv(self, name: str, value: str) -> None:
        """Set a variable."""


class Control(ControlScope):
    """One sandbox of a mock, with its providers.

    `url` precedes the base paths of the providers: `http://127.0.0.1:4010/~name`. `name` is the
    name of the sandbox, "" for the default one.
    """

    telnyx: ProviderControl
    retell: ProviderControl
    supertone: ProviderControl
    faseeh: ProviderControl

    def __init__(
        self, server: ServerClient, prefix: str = "", namespace: Namespace | None = None
    ) -> None:
        super().__init__(SandboxClient(server, prefix), None)
        self.url = self._sandbox.url
        self.name = unquote(prefix.removeprefix("/~"))
        self._namespace = namespace
        self.clock = ClockControl(self._sandbox)

    def provider(self, name: str) -> ProviderControl:
        """Return a provider by name. Raises ControlError if it is not served."""
        return ProviderControl(self._sandbox, name)

    if not TYPE_CHECKING:  # a type checker knows the built-in four, and provider("acme")

        def __getattr__(self, name: str) -> ProviderControl:
            __tracebackhide__ = True
            if name.startswith("_"):
                raise AttributeError(name)
            try:
                return self.provider(name)
            except ControlError as error:
                # Without name and obj Python appends a suggestion of its own.
                raise AttributeError(
                    f"Control has no attribute {name}: {error}", name=name, obj=None
                ) from None

    def sandbox(self, name: str) -> Control:
        """Return another sandbox of the same server, created on first use.

        The controls of the pytest fixtures make the name unique, so that test runs that share a
        server never share a sandbox; those of `connect` and `serve` use it as it is.
        """
        if self._namespace is None:
            return Control(self._sandbox.server, sandbox_path(name))
        unique = self._namespace.unique(name)
        control = self.in_namespace(self._namespace, unique)
        if unique not in self._namespace.names:
            self._namespace.names.add(unique)
            control.reset(seed=crc32(name.encode()))  # by default it depends on the unique name
        return control

    def in_namespace(self, namespace: Namespace, name: str | None = None) -> Control:
        """Return this sandbox, or the one with a name, as a control in a namespace."""
        path = sandbox_path(self.name if name is None else name)
        return Control(self._sandbox.server, path, namespace)

    @property
    def sandboxes(self) -> list[str]:
        """Names of all sandboxes of the server, oldest first; "" is the default one."""
        listed = self._sandbox.request("GET", "/sandboxes")["sandboxes"]
        return [sandbox["name"] for sandbox in listed]

    def delete_sandbox(self, name: str) -> None:
        """Delete a sandbox with everything in it. Raises ControlError if there is none."""
        self._sandbox.request("DELETE", f"/sandboxes/{quote(name, safe='')}")

    def request(self, method: str, path: str, body: Any = None, **query: Any) -> Any:
        """Send a control API request that has no method here; return its JSON, or bytes.

        Raises ControlError for a status of 400 or above.
        """
        __tracebackhide__ = True
        return self._sandbox.request(method, path, body, **query)

    def add_voice(
        self,
        provider: str,
        data: Mapping[str, Any] | None = None,
        *,
        id: str | None = None,
        collection: str | None = None,
        account: str | None = None,
    ) -> Voice:
        """Seed a record of a provider; see `ProviderControl.add_voice`."""
        control = self.provider(provider)
        return control.add_voice(data, id=id, collection=collection, account=account)

    def account(
        self, key: str = EVERY_KEY, **state: Unpack[AccountState]
    ) -> dict[str, AccountInfo]:
        """Change the account of a key, or of all keys, at every provider; return them by name.

        Each provider gets the fields that have an effect there. Raises ControlError for a field, or
        a tier, that no provider has.
        """
        __tracebackhide__ = True
        served = self._sandbox.server.providers
        accepted = {name: _accepted_fields(served[name], state) for name in served}
        for field, value in state.items():
            if not any(field in fields for fields in accepted.values()):
                raise ControlError(_no_effect(served.values(), field, value))
        return {name: self.provider(name).account(key, **accepted[name]) for name in served}

    def add_account(self, key: str) -> dict[str, AccountInfo]:
        """Add an API key at every provider; see `ProviderControl.add_account`."""
        return {
            name: self.provider(name).add_account(key) for name in self._sandbox.server.providers
        }

    def limit(
        self, max: int, *, per: float | None = None, key: str = EVERY_KEY
    ) -> dict[str, AccountInfo]:
        """Limit requests to each provider; see `ProviderControl.limit`."""
        return {n: self.provider(n).limit(max, per=per, key=key) for n in self._served()}

    def _served(self) -> list[str]:
        return [*self._sandbox.providers]

    def env(self, monkeypatch: Environment | None = None) -> dict[str, str]:
        """Return environment variables that point official SDKs to this sandbox, with API keys.

        They are also set if `monkeypatch` is passed. Clients of Supertone and Faseeh read no
        variable for the base URL: without `server_url=mock.supertone.base_url` or
        `base_url=mock.faseeh.base_url` they send requests to the real API.
        """
        served = self._sandbox.providers.values()
        variables = environment(self.url, [(item["env"], item["base_path"]) for item in served])
        if monkeypatch:
            for name, value in variables.items():
                monkeypatch.setenv(name, value)
        return variables

    def intercept(self, monkeypatch: Patcher | None = None) -> AbstractContextManager[None]:
        """Redirect clients whose URLs are hard-coded to this sandbox.

        Sets proxy and CA variables, for the rest of the test if `monkeypatch` is passed, else for a
        `with` block. Clients that exist already may have read the variables before. Raises
        ControlError if the server cannot use TLS.
        """
        from .intercept import applied, apply, proxy_variables

        if not isinstance(self._sandbox.server.transport, HTTPTransport):
            raise TypeError("an application in this process has no port; use mockvoice.serve()")
        variables = proxy_variables(self.url, self._sandbox.server.ca_file)
        if monkeypatch is None:
            return applied(variables)
        apply(variables, monkeypatch)
        return nullcontext()

    def reset(self, *only: Part, **settings: Any) -> None:
        """Restore the initial state, or parts: faults, requests, voices, accounts, clock, ids.

        `seed`, `audio`, `limits`, `keys`, `retry_after`, `strict_fields` and `edition` change the
        settings of this sandbox.
        """
        body = {**settings, **({"only": only} if only else {})}
        self._sandbox.request("POST", "/reset", body or None)
        if "edition" in settings:
            self._sandbox.refresh_providers()

    def sample(
        self, format: SampleFormat = "wav", *, seconds: float = 6.0, voice: str | None = None
    ) -> bytes:
        """Return a valid voice sample; each voice name has its own sound."""
        sample: bytes = self._sandbox.request(
            "GET", f"/samples/{format}", seconds=seconds, voice=voice
        )
        return sample

    def ca(self, format: CAFormat = "pem") -> bytes:
        """Return the certificate of the CA, which clients that use https have to trust.

        `p12` is a trust store for Java. Raises ControlError if the server cannot use TLS.
        """
        certificate: bytes = self._sandbox.request("GET", f"/ca.{format}")
        return certificate

    def report(self, since: str | None = None) -> str:
        """Return the requests and faults as text; `since` is the id of an earlier request."""
        text: bytes = self._sandbox.request("GET", "/report", since=since)
        return text.decode()

    def verify(self) -> None:
        """Raise AssertionError for unfired faults, unfinished sequences and internal errors.

        A fault with a `probability` only has to match a request.
        """
        from ..models import RecordedRequest

        result = self._sandbox.request("GET", "/verification")
        problems = [report.unfired_fault(fault) for fault in result["faults"]]
        failed = map(RecordedRequest.of, result["requests"])
        problems += [report.internal_error(request) for request in failed]
        if problems:
            raise AssertionError("\n".join(problems))

    def verify_requests(self) -> None:
        """Raise AssertionError for requests that violated the contract or matched no operation.

        Those in a block of `expect_violation` are left out.
        """
        __tracebackhide__ = True
        recorded = self.requests
        problems = [
            report.unexpected_violation(request)
            for request in recorded
            if request.is_violation and _identity(request) not in self._sandbox.expected
        ]
        if problems:
            problems.append("if this is expected, send it inside mockvoice.expect_violation()")
        if recorded.evicted:
            unknown = "a request that violated the contract"
            problems.append(_evicted_message(unknown, recorded.evicted))
        if problems:
            raise AssertionError("\n".join(problems))

    def __repr__(self) -> str:
        return f"<mockvoice {self.url}>"


def _identity(request: RecordedRequest) -> Identity:
    """Return what no other request of a sandbox has; ids begin again after a reset."""
    return request.id, request.at


def _violates(request: RecordedRequest, pointer: str | None) -> bool:
    """Return True if a request violated the contract, at a pointer unless that is None."""
    if pointer is None:
        return request.is_violation
    return any(violation.pointer == pointer for violation in request.violations)


def unknown_name(kind: str, name: str, candidates: Iterable[str]) -> str:
    """Return the message for an unknown name: the closest match, and all candidates."""
    from ..text import did_you_mean  # here: only error messages need it

    known = [*candidates]
    hint = did_you_mean(name, known)
    suggestion = f" ({hint})" if hint else ""
    return f"unknown {kind} {name}{suggestion}; available: {', '.join(known)}"


def _accepted_fields(provider: Mapping[str, Any], state: AccountState) -> AccountState:
    """Return the fields of an account that have an effect at a provider."""
    return cast(
        "AccountState",
        {
            field: value
            for field, value in state.items()
            if field in provider["account_fields"]
            and (field != "tier" or value in (provider["tiers"] or [value]))
        },
    )


def _no_effect(providers: Iterable[Mapping[str, Any]], field: str, value: object) -> str:
    """Return the message for an account field that no provider accepts."""
    if field == "tier":
        tiers = dict.fromkeys(tier for provider in providers for tier in provider["tiers"])
        return unknown_name("tier", str(value), tiers)
    fields = dict.fromkeys(name for provider in providers for name in provider["account_fields"])
    return unknown_name("account field", field, fields)


def _names(served: Mapping[str, Mapping[str, Any]], count: Mapping[str, Any]) -> tuple[str, ...]:
    """Return the names of the operation of a count: operationId, and method with path."""
    operations = served[count["provider"]]["operations"] if count["provider"] in served else ()
    paths = [
        f"{item['method']} {item['path']}"
        for item in operations
        if item["id"] == count["operation"]
    ]
    return (count["operation"], *paths)


def _evicted_message(expected: str, count: int) -> str:
    were = "1 request was" if count == 1 else f"{count} requests were"
    return (
        f"cannot decide whether there was {expected}: {were} evicted from the journal; start the"
        " server with a higher max_requests or journal_mb, or reset the sandbox more often"
    )


def _describe_expected(
    target: str | None,
    times: int | None,
    status: int | None = None,
    fields: Mapping[str, Any] | None = None,
) -> str:
    """Describe expected requests: `2 requests to cloneVoice with status 201`."""
    count = "at least 1 request" if times is None else f"{times} request{'s' * (times != 1)}"
    conditions = [
        *([f"status {status}"] if status else []),
        *([f"fields {json.dumps(fields, default=str)}"] if fields else []),
    ]
    to = f" to {target}" if target else ""
    return f"{count}{to}" + (f" with {' and '.join(conditions)}" if conditions else "")


def environment(url: str, providers: Iterable[tuple[Mapping[str, str], str]]) -> dict[str, str]:
    """Return variables that point SDKs to a sandbox.

    Each provider is a mapping of variable names to "base_url" or "api_key", and a base path.
    """
    variables = {"MOCKVOICE_URL": url}
    for env, base_path in providers:
        values = {"base_url": f"{url}{base_path}", "api_key": ANY_KEY}
        variables |= {name: values[meaning] for name, meaning in env.items()}
    return variables


def _refuse_event_loop() -> None:
    from asyncio import get_running_loop  # here: most clients never wait, and start faster

    try:
        get_running_loop()
    except RuntimeError:
        return
    raise RuntimeError(
        "wait_for_requests would block the event loop that sends the requests;"
        " use `await asyncio.to_thread(mock.wait_for_requests, n)`"
    )


def connect(url: str, timeout: float = TIMEOUT, control_token: str | None = None) -> Control:
    """Connect to a running server; the URL may name a sandbox (`http://host:4010/~name`).

    The control token is read from MOCKVOICE_CONTROL_TOKEN by default. Raises ConnectionError if no
    mockvoice server responds within `timeout` seconds, or one of another version.
    """
    _, prefix = split_url(url)
    if control_token is None:
        control_token = os.environ.get("MOCKVOICE_CONTROL_TOKEN", "")
    control = Control(ServerClient(HTTPTransport(url, timeout, control_token)), prefix)
    try:
        health = control.request("GET", "/health")
    except ControlError as error:
        raise ConnectionError(f"no mockvoice server at {url}: {error}") from None
    if not isinstance(health, dict) or health.get("status") != "ok":
        raise ConnectionError(f"no mockvoice server at {url}: another service responded")
    version = str(health.get("version"))
    if _interface(version) != _interface(__version__):
        raise ConnectionError(
            f"the server at {url} is mockvoice {version}, but this client is mockvoice"
            f" {__version__}; use the same version for both"
        )
    return control


def _interface(version: str) -> str:
    """Return the part of a version that changes with the control API: `0.1` of `0.1.3`."""
    major, _, rest = version.partition(".")
    return f"{major}.{rest.partition('.')[0]}" if major == "0" else major

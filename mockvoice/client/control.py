"""The control object: steer and question one sandbox of a mock, over its control API."""

from __future__ import annotations

import json
import time
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from difflib import get_close_matches
from functools import cached_property
from types import TracebackType
from typing import TYPE_CHECKING, Any, Protocol, Self, Unpack
from urllib.parse import quote, urlencode

from . import report
from .models import (
    AccountInfo,
    AccountState,
    Failure,
    FaultFields,
    Kind,
    Part,
    RecordedRequest,
    RecordedRequests,
    SampleFormat,
    Target,
    Voice,
    Voices,
    expand_fault,
)
from .transports import TIMEOUT, HTTPTransport, Transport, sandbox_path, split_url

ANY_KEY = "test"  # every non-empty one opens an account
EVERY_KEY = "*"
_POLL = 0.01  # seconds between two looks at the journal


class ControlError(ValueError):
    """The mock refused what it was asked; the message says what was wrong."""


class ServerClient:
    """What answers on a connection; what it serves is asked once."""

    def __init__(self, connection: Transport) -> None:
        self.connection = connection

    @cached_property
    def providers(self) -> dict[str, dict[str, Any]]:
        """What is served, by name."""
        return {
            each["name"]: each
            for each in SandboxClient(self).request("GET", "/providers")["providers"]
        }


class SandboxClient:
    """One sandbox of a server: what every part of a control object asks through."""

    def __init__(self, server: ServerClient, prefix: str = "") -> None:
        self.server = server
        self.url = f"{server.connection.url}{prefix}"
        self._prefix = prefix

    def request(self, method: str, path: str, body: Any = None, **query: Any) -> Any:
        """What the control API answers: JSON, or bytes where it is none.

        Raises ControlError when it refuses.
        """
        __tracebackhide__ = True
        target = f"{self._prefix}/__mockvoice{path}"
        given = {name: value for name, value in query.items() if value is not None}
        if given:
            target += f"?{urlencode(given)}"
        sent = None if body is None else json.dumps(body).encode()
        status, reply = self.server.connection.send(method, target, sent)
        if status >= 400:
            raise ControlError(_wrong(method, target, status, reply))
        try:
            return json.loads(reply) if reply else None
        except ValueError:  # also UnicodeDecodeError: sound
            return reply


def _wrong(method: str, target: str, status: int, reply: bytes) -> str:
    try:
        problem = json.loads(reply)
        told = problem.get("detail") or problem["title"]
        hints = [each["hint"] for each in problem.get("violations", []) if each["hint"]]
    except (ValueError, KeyError, AttributeError):
        return f"{method} {target} was answered {status}: {reply[:200]!r}; is that a mockvoice?"
    return "; ".join(dict.fromkeys([told, *hints]))


class Fault:
    """A fault, or a sequence, that was asked for.

    As a context manager it lasts for the block; AssertionError when it never fired in it.
    """

    def __init__(self, sandbox: SandboxClient, data: Mapping[str, Any]) -> None:
        self._sandbox = sandbox
        self.id: str = data["id"]
        self.data = {k: v for k, v in data.items() if k not in report.KEPT}

    @property
    def hits(self) -> int:
        """For how many requests it fired until now."""
        return int(self._now()["hits"])

    @property
    def matched(self) -> int:
        """How many requests it was for until now, whether it fired or let them pass."""
        return int(self._now()["matched"])

    def _now(self) -> Mapping[str, Any]:
        found: Mapping[str, Any] = self._sandbox.request("GET", f"/faults/{self.id}")
        return found

    def remove(self) -> None:
        """Take it away."""
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
        waiting = self._sandbox.request("GET", "/verification")["faults"]
        self.remove()
        for each in waiting:
            if each["id"] == self.id and error is None:
                raise AssertionError(report.waits(each))

    def __repr__(self) -> str:
        return f"<Fault {self.id} {self.data}>"


class ControlScope:
    """What can be asked of one provider, or of all of them."""

    def __init__(self, sandbox: SandboxClient, name: str | None) -> None:
        self._sandbox = sandbox
        self._name = name

    # --- failures ---

    def fail(self, what: int | Kind | None = None, /, **fault: Unpack[FaultFields]) -> Fault:
        """Make requests fail: with a status, or in another way; the contract's error unless given.

        Raises ControlError for an operation or a field that is not known.
        """
        __tracebackhide__ = True
        return self._add({**({} if what is None else expand_fault(what)), **fault})

    def sequence(
        self, turns: Sequence[int | Kind | str | Failure], /, **target: Unpack[Target]
    ) -> Fault:
        """Failures taken in turn, one for each request; "ok" lets it pass."""
        __tracebackhide__ = True
        return self._add({**expand_fault([*turns]), **target})

    def delay(self, seconds: float, /, **fault: Unpack[FaultFields]) -> Fault:
        """Make requests wait; what comes after may fail as well."""
        __tracebackhide__ = True
        return self._add({"kind": "delay", "seconds": seconds, **fault})

    def _add(self, data: dict[str, Any]) -> Fault:
        __tracebackhide__ = True
        if self._name:
            data["provider"] = self._name
        return Fault(self._sandbox, self._sandbox.request("POST", "/faults", data))

    @property
    def faults(self) -> list[Fault]:
        """The faults that are set for this, oldest first."""
        return [Fault(self._sandbox, each) for each in self._fault_data()]

    def _fault_data(self) -> list[dict[str, Any]]:
        told = self._sandbox.request("GET", "/faults")["faults"]
        return [each for each in told if self._name in (None, each.get("provider"))]

    def clear_faults(self) -> None:
        """Remove the faults that are set for this."""
        if self._name is None:
            self._sandbox.request("DELETE", "/faults")
        else:
            for each in self.faults:
                each.remove()

    # --- what was sent ---

    @property
    def requests(self) -> RecordedRequests:
        """The exchanges until now, oldest first."""
        return self._requests()

    def _requests(
        self, operation: str | None = None, status: int | None = None
    ) -> RecordedRequests:
        __tracebackhide__ = True
        if operation is not None:
            self.check_operation(operation)
        found = self._sandbox.request(
            "GET", "/requests", provider=self._name, operation=operation, status=status
        )
        return RecordedRequests(map(RecordedRequest.of, found["requests"]))

    def check_operation(self, operation: str) -> None:
        """Raise ControlError for an operation that is not served, with the one that is meant."""
        __tracebackhide__ = True
        providers = self._sandbox.server.providers
        known = [
            name
            for each in ([providers[self._name]] if self._name else providers.values())
            for found in each["operations"]
            for name in (found["id"], f"{found['method']} {found['path']}")
        ]
        if operation not in known:
            raise ControlError(
                f"there is no operation {operation}; {_did_you_mean(operation, known)}there are"
                f" {', '.join(known[::2])}"
            )

    def assert_called(
        self,
        operation: str | None = None,
        *,
        times: int | None = None,
        status: int | None = None,
        fields: Mapping[str, Any] | None = None,
    ) -> RecordedRequests:
        """The requests to an operation, with a status, with some fields; AssertionError for none.

        `times` is how many there must be.
        """
        __tracebackhide__ = True  # of pytest's tracebacks: the caller's line is what matters
        found = RecordedRequests(
            each
            for each in self._requests(operation, status)
            if all(
                name in each.fields and each.fields[name] == value
                for name, value in (fields or {}).items()
            )
        )
        if len(found) == times or (times is None and found):
            return found
        wanted = _wanted(operation or self._name, times, status, fields)
        raise AssertionError(
            f"expected {wanted}; there were {len(found)}. What came:\n{report.short(self.requests)}"
        )

    def assert_not_called(self, operation: str | None = None) -> None:
        """AssertionError for any request, or any to an operation."""
        __tracebackhide__ = True
        self.assert_called(operation, times=0)

    def wait_for_requests(
        self, count: int, timeout: float = 5.0, *, operation: str | None = None
    ) -> RecordedRequests:
        """Wait until so many requests have been answered. Raises TimeoutError (in seconds).

        It blocks its thread: in an event loop use `await asyncio.to_thread(...)`.
        """
        __tracebackhide__ = True
        _refuse_event_loop()
        until = time.monotonic() + timeout
        while len(found := self._requests(operation)) < count:
            if time.monotonic() >= until:
                raise TimeoutError(
                    f"expected {count} requests within {timeout:g} s; there were {len(found)}."
                    f" What came:\n{report.short(self.requests)}"
                )
            time.sleep(_POLL)
        return found

    # --- what is stored ---

    @property
    def voices(self) -> Voices:
        """What was made or planted, oldest first."""
        found = self._sandbox.request("GET", "/voices", provider=self._name)
        return Voices(map(Voice.of, found["voices"]))


class ProviderControl(ControlScope):
    """One provider of a mock; `base_url` is what to tell its SDK."""

    def __init__(self, sandbox: SandboxClient, name: str) -> None:
        super().__init__(sandbox, name)
        served = sandbox.server.providers
        if name not in served:
            there = f"{_did_you_mean(name, served)}there are {', '.join(served)}"
            raise ControlError(f"there is no provider {name}; {there}")
        self.name = name
        self.base_url: str = f"{sandbox.url}{served[name]['base_path']}"

    @property
    def operations(self) -> dict[str, str]:
        """What is served: operationId to method and path."""
        found = self._sandbox.server.providers[self.name]["operations"]
        return {each["id"]: f"{each['method']} {each['path']}" for each in found}

    def add_voice(
        self,
        data: Mapping[str, Any] | None = None,
        *,
        id: str | None = None,
        collection: str | None = None,
        account: str | None = None,
    ) -> Voice:
        """Plant a record; what is not given is made up. All keys see it unless `account` is given.

        Raises ControlError for what does not fit its contract.
        """
        wanted = {"id": id, "collection": collection, "account": account, "data": data}
        given = {name: value for name, value in wanted.items() if value is not None}
        return Voice.of(self._sandbox.request("POST", "/voices", {"provider": self.name, **given}))

    def account(self, key: str = EVERY_KEY, **state: Unpack[AccountState]) -> AccountInfo:
        """Change what an API key stands for, or every key; its state as it is now."""
        path = f"/accounts/{self.name}/{quote(key, safe='')}"
        return AccountInfo.of(self._sandbox.request("PUT" if state else "GET", path, state or None))

    def limit(
        self, max: int, *, per: float | None = None, name: str = "requests", key: str = EVERY_KEY
    ) -> AccountInfo:
        """Let a key, or every key, send so many requests in `per` seconds; without it, at once.

        `name` is that of a documented limit that this one replaces.
        """
        limit = {"max": max} if per is None else {"max": max, "per": per}
        limits = {**self.account(key).limits, name: limit}
        return self.account(key, limits=limits)

    def __repr__(self) -> str:
        return f"<mockvoice {self.name} {self.base_url}>"


class Clock:
    """The time of one sandbox."""

    def __init__(self, sandbox: SandboxClient) -> None:
        self._sandbox = sandbox

    @property
    def now(self) -> datetime:
        """What time it is."""
        return self._read(self._sandbox.request("GET", "/clock"))

    def advance(self, seconds: float) -> datetime:
        """Let time pass at once; what time it is then."""
        return self._read(self._sandbox.request("POST", "/clock", {"advance": seconds}))

    def freeze(self, at: datetime | str | None = None) -> datetime:
        """Stop time, now or at a moment (RFC 3339); what time it is."""
        moment = at.astimezone().isoformat() if isinstance(at, datetime) else at
        freeze = True if moment is None else moment
        return self._read(self._sandbox.request("POST", "/clock", {"freeze": freeze}))

    def run(self) -> datetime:
        """Let time pass again; what time it is."""
        return self._read(self._sandbox.request("POST", "/clock", {"freeze": None}))

    def _read(self, told: Mapping[str, Any]) -> datetime:
        return datetime.fromisoformat(told["now"])


class Environment(Protocol):
    """What sets environment variables and puts them back: pytest's monkeypatch."""

    def setenv(self, name: str, value: str) -> None:
        """Set one."""


class Control(ControlScope):
    """One sandbox of a mock, with its providers.

    `url` is what to put before the paths of a provider: `http://127.0.0.1:4010/~name`.
    """

    telnyx: ProviderControl
    retell: ProviderControl
    supertone: ProviderControl
    faseeh: ProviderControl

    def __init__(self, server: ServerClient, prefix: str = "") -> None:
        super().__init__(SandboxClient(server, prefix), None)
        self.url = self._sandbox.url
        self.clock = Clock(self._sandbox)

    def provider(self, name: str) -> ProviderControl:
        """The provider with a name. Raises ControlError when it is not served."""
        return ProviderControl(self._sandbox, name)

    if not TYPE_CHECKING:  # to a type checker only the four are there, and provider("acme")

        def __getattr__(self, name: str) -> ProviderControl:
            __tracebackhide__ = True
            if name.startswith("_"):
                raise AttributeError(name)
            try:
                return self.provider(name)
            except ControlError as error:
                # With a name and an object, or Python adds what it thinks was meant.
                raise AttributeError(
                    f"a control object has no {name}: {error}", name=name, obj=None
                ) from None

    def sandbox(self, name: str) -> Control:
        """Another sandbox of the same server, made on first use."""
        return Control(self._sandbox.server, sandbox_path(name))

    def request(self, method: str, path: str, body: Any = None, **query: Any) -> Any:
        """What the control API answers, for what has no method here: JSON, or bytes.

        Raises ControlError when it refuses.
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
        """Plant a record at a provider, as its handle does."""
        handle = self.provider(provider)
        return handle.add_voice(data, id=id, collection=collection, account=account)

    def account(
        self, key: str = EVERY_KEY, **state: Unpack[AccountState]
    ) -> dict[str, AccountInfo]:
        """Change what a key, or every key, stands for at all providers; its states by provider."""
        return {name: self.provider(name).account(key, **state) for name in self._served()}

    def limit(
        self, max: int, *, per: float | None = None, key: str = EVERY_KEY
    ) -> dict[str, AccountInfo]:
        """Let a key, or every key, send so many requests to each provider, as its handle does."""
        return {n: self.provider(n).limit(max, per=per, key=key) for n in self._served()}

    def _served(self) -> list[str]:
        return [*self._sandbox.server.providers]

    def env(self, monkeypatch: Environment | None = None) -> dict[str, str]:
        """Environment variables that lead SDKs here, with keys; set where monkeypatch is given."""
        served = self._sandbox.server.providers.values()
        found = environment(
            self.url, [(each["name"], each["aliases"], each["base_path"]) for each in served]
        )
        if monkeypatch:
            for name, value in found.items():
                monkeypatch.setenv(name, value)
        return found

    def reset(self, *only: Part, **settings: Any) -> None:
        """Back to the start, or parts: faults, requests, voices, accounts, clock, ids.

        `seed`, `audio` and `limits` hold for this sandbox from here on.
        """
        wanted = {**settings, **({"only": only} if only else {})}
        self._sandbox.request("POST", "/reset", wanted or None)

    def sample(
        self, format: SampleFormat = "wav", *, seconds: float = 6.0, voice: str | None = None
    ) -> bytes:
        """A valid voice sample; each voice has its own sound."""
        sound: bytes = self._sandbox.request(
            "GET", f"/samples/{format}", seconds=seconds, voice=voice
        )
        return sound

    def report(self) -> str:
        """What happened until now, as text."""
        return report.report(self.requests, self._fault_data())

    def verify(self) -> None:
        """AssertionError for a fault that never fired, an unfinished sequence, a failure of ours.

        A fault left to chance needs only to have been there for a request.
        """
        found = self._sandbox.request("GET", "/verification")
        wrong = [report.waits(each) for each in found["faults"]]
        wrong += [report.failed(RecordedRequest.of(each)) for each in found["requests"]]
        if wrong:
            raise AssertionError("\n".join(wrong))

    def __repr__(self) -> str:
        return f"<mockvoice {self.url}>"


def _did_you_mean(name: str, known: Iterable[str]) -> str:
    close = get_close_matches(name, known, 1)
    return f"did you mean {close[0]}? " if close else ""


def _wanted(
    what: str | None, times: int | None, status: int | None, fields: Mapping[str, Any] | None
) -> str:
    count = "a request" if times is None else f"{times} request{'s' * (times != 1)}"
    to = f" to {what}" if what else ""
    answered = f" answered {status}" if status else ""
    sent = f" with {json.dumps(fields, default=str)}" if fields else ""
    return f"{count}{to}{answered}{sent}"


def environment(url: str, providers: Iterable[tuple[str, Iterable[str], str]]) -> dict[str, str]:
    """Variables that lead SDKs to a sandbox at a URL; providers are name, aliases, base path."""
    found = {"MOCKVOICE_URL": url}
    for provider, aliases, base_path in providers:
        for name in (provider, *aliases):
            called = name.upper().replace("-", "_")
            found |= {f"{called}_BASE_URL": f"{url}{base_path}", f"{called}_API_KEY": ANY_KEY}
    return found


def _refuse_event_loop() -> None:
    from asyncio import get_running_loop  # here: most clients never wait, and start faster

    try:
        get_running_loop()
    except RuntimeError:
        return
    raise RuntimeError(
        "wait_for_requests would block the event loop that is to send them;"
        " use `await asyncio.to_thread(mock.wait_for_requests, n)`"
    )


def connect(url: str, timeout: float = TIMEOUT) -> Control:
    """The control object of a running server; a URL may name a sandbox (`http://host:4010/~name`).

    What does not answer within `timeout` seconds is given up. Raises ConnectionError when no
    mockvoice answers there.
    """
    _, prefix = split_url(url)
    control = Control(ServerClient(HTTPTransport(url, timeout)), prefix)
    try:
        told = control.request("GET", "/health")
    except ControlError as error:
        raise ConnectionError(f"no mockvoice answers at {url}: {error}") from None
    if not isinstance(told, dict) or told.get("status") != "ok":
        raise ConnectionError(f"no mockvoice answers at {url}: something else does")
    return control

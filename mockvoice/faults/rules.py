"""Fault rules: which requests they match, and for which of them they fire."""

from __future__ import annotations

import fnmatch
import json
import re
from collections.abc import Callable, Mapping, Sequence
from functools import lru_cache
from typing import Any, NamedTuple

from ..state.ids import draw
from .kinds import continues, is_handshake_fault, needs_websocket, replaces_operation
from .shorthand import OK, expand_fault


class RequestFacts(NamedTuple):
    """The properties of a request that a rule can match.

    `fields` are decoded only for a rule that matches fields. `has_frames` is True for a WebSocket.
    """

    provider: str
    operation: str
    route: str
    account: str
    header: Callable[[str], str | None]
    fields: Callable[[], Mapping[str, Any]]
    has_frames: bool = False


class FaultRule(NamedTuple):
    """A fault, or a sequence of faults and "ok", for the requests that it matches.

    `data` is its JSON. `matched` counts the requests that matched, `hits` those for which it
    fired; a rule that is expired or used up stays, so that its counts can be read. A `configured`
    rule comes from the settings.
    """

    id: str
    data: Mapping[str, Any]
    created_at: float
    configured: bool = False
    matched: int = 0
    hits: int = 0

    @classmethod
    def of(cls, id: str, fault: Any, created_at: float, *, configured: bool = False) -> FaultRule:
        """Return the rule for a valid fault, as JSON or in shorthand."""
        return cls(id, expand_fault(fault), created_at, configured)

    @property
    def steps(self) -> Sequence[Any]:
        """The faults (as JSON) and "ok" of a sequence; of a single fault the fault."""
        steps: Sequence[Any] = self.data.get("sequence", (self.data,))
        return steps

    def is_expired(self, now: float) -> bool:
        """Return True if its lifetime is over."""
        lifetime = self.data.get("expires_in")
        return lifetime is not None and now >= self.created_at + lifetime

    @property
    def is_used_up(self) -> bool:
        """True if it cannot fire again."""
        if "sequence" in self.data:
            return self.matched >= len(self.steps)
        times = self.data.get("times")
        return times is not None and self.hits >= times

    @property
    def is_waiting(self) -> bool:
        """True if a test should not end yet: it never fired, or steps of its sequence are left.

        A rule with a probability needs only to have matched a request.
        """
        if self.configured:
            return False
        if "sequence" in self.data:
            return self.matched < len(self.steps)
        by_chance = self.data.get("probability", 1.0) < 1.0
        return not (self.hits or (by_chance and self.matched))

    @property
    def is_ok(self) -> bool:
        """True if the next item of its sequence lets the request pass."""
        return "sequence" in self.data and not self.is_used_up and self.steps[self.matched] == OK

    def match(self, seed: str) -> tuple[FaultRule, int | None]:
        """Count a request that matches; return the rule, and the step that fires, if any."""
        if self.is_used_up:
            return self, None
        matched = self.matched + 1
        if "sequence" in self.data:
            step = matched - 1
            due = self.steps[step] != OK
        else:
            step, skip = 0, self.data.get("skip", 0)
            due = matched > skip and (matched - skip - 1) % self.data.get("every", 1) == 0
        probability = self.data.get("probability", 1.0)
        if probability < 1.0 and draw(seed, self.id, matched) >= probability:
            due = False
        return self._replace(matched=matched, hits=self.hits + due), step if due else None

    def described(self) -> dict[str, Any]:
        """Return the rule as JSON, as it was given, with its id and its counts."""
        return {"id": self.id, **self.data, "hits": self.hits, "matched": self.matched}

    def replaces_operation(self, step: int) -> bool:
        """Return True if the fault of a step is seen instead of the operation."""
        return replaces_operation(self.steps[step])

    def continues(self, step: int) -> bool:
        """Return True if another rule may fire after this step."""
        return continues(self.steps[step])


def matches(data: Mapping[str, Any], request: RequestFacts) -> bool:
    """Return True if a rule with this JSON matches a request."""
    match = data.get("match", {})
    return (
        not is_handshake_fault(data)
        and (request.has_frames or not needs_websocket(data))
        and data.get("provider") in (None, request.provider)
        and data.get("operation") in (None, request.operation, request.route)
        and ("account" not in match or _is_like(match["account"], request.account))
        and all(
            _is_like(value, request.header(name))
            for name, value in match.get("headers", {}).items()
        )
        and all(
            _is_like(value, request.fields().get(name))
            for name, value in match.get("fields", {}).items()
        )
    )


def _is_like(expected: Any, received: Any) -> bool:
    """Return True if a value is as expected; text may contain `*` and `?`.

    A number matches the text that was sent for it; null matches a member that was not sent.
    """
    if isinstance(received, str):
        text = expected if isinstance(expected, str) else json.dumps(expected)
        return _pattern(text).match(received) is not None
    return bool(expected == received)


@lru_cache(maxsize=1024)
def _pattern(text: str) -> re.Pattern[str]:
    # The patterns of fnmatch do not backtrack. `[` has no special meaning here.
    return re.compile(fnmatch.translate(text.replace("[", "[[]")))

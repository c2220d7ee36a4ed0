"""Replay the exchanges of a recording, in their order for equal requests."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from ..config.settings import SettingsError
from ..errors import NothingRecorded
from ..provider import Provider
from ..state.store import Store
from .messages import LiveResponse
from .recording import Exchange, check, load, request_key, request_title

_SHOWN = 10  # exchanges in a message


class Replayer:
    """The exchanges of a file; each sandbox replays them from the beginning."""

    def __init__(self, path: str, providers: Iterable[Provider]) -> None:
        self.path = path
        self._exchanges = load(path)
        check(path, self._exchanges, providers)
        self._by_key: dict[str, list[Exchange]] = {}
        for exchange in self._exchanges:
            key = f"{exchange.data['provider']}/{exchange.key}"
            self._by_key.setdefault(key, []).append(exchange)
        self.providers = {exchange.data["provider"] for exchange in self._exchanges}

    def check_upstream(self, upstream: Iterable[str]) -> None:
        """Raise SettingsError for a provider that would be forwarded and replayed."""
        if both := self.providers & {*upstream}:
            raise SettingsError(
                f"replay: {self.path} has exchanges with {', '.join(sorted(both))}, which also has"
                " an upstream; remove one of them"
            )

    async def send(
        self, store: Store, sandbox: str, provider: str, operation: str, request: Mapping[str, Any]
    ) -> tuple[str, LiveResponse]:
        """Return the next response to a request, and its place in the file.

        Raises NothingRecorded if there is none.
        """
        key = f"{provider}/{request_key(operation, request)}"
        equal = self._by_key.get(key, ())
        number = await store.next_count(sandbox, f"replay/{key}") if equal else 1
        if number > len(equal):
            raise await self._nothing(store, sandbox, operation, request, len(equal))
        exchange = equal[number - 1]
        place = f"{self.path}#{exchange.number}"
        if "omitted" in exchange.data["response"]:
            message = f"{place} ({exchange.title}) was recorded without its body, which is too long"
            raise NothingRecorded(message, self.path)
        return place, exchange.response()

    async def _nothing(
        self, store: Store, sandbox: str, operation: str, request: Mapping[str, Any], equal: int
    ) -> NothingRecorded:
        """Return the problem that says what was requested and what remains."""
        entries, _ = await store.list_entries(sandbox)
        replayed = {entry.upstream for entry in entries}
        remaining = [
            exchange
            for exchange in self._exchanges
            if f"{self.path}#{exchange.number}" not in replayed
        ]
        # Most likely another one of the same operation was meant.
        remaining.sort(key=lambda exchange: exchange.data["operation"] != operation)
        title = request_title(operation, request)
        reason = f"all {equal} exchanges for it were replayed" if equal else "none is recorded"
        shown = [exchange.title for exchange in remaining[:_SHOWN]]
        more = len(remaining) - len(shown)
        left = "; ".join(shown) or "nothing"
        left += f"; and {more} more" if more > 0 else ""
        return NothingRecorded(
            f"{self.path} has no exchange left for {title}: {reason}. Remaining: {left}",
            self.path,
            hint="record again, or reset the sandbox to replay from the beginning",
        )

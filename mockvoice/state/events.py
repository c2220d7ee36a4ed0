"""Events: numbers for completed journal entries, and the clients that wait for the next one."""

from __future__ import annotations

import asyncio
import time
from contextlib import suppress
from typing import NamedTuple


class EventNumber(NamedTuple):
    """The number of an event in its sandbox, and over all sandboxes."""

    in_sandbox: int
    overall: int


NO_EVENT = EventNumber(0, 0)  # of an entry that is not complete


class EventCounter:
    """Numbers the events of one store, and wakes those that wait for one."""

    def __init__(self) -> None:
        # Later than the events of an earlier store, the last of which a client may have seen.
        self.first = self.last = time.time_ns() // 1_000_000
        self._waiting = set[asyncio.Future[None]]()

    def next(self) -> int:
        """Return the number of a new event."""
        self.last += 1
        return self.last

    def wake(self) -> None:
        """Wake those that wait; costs next to nothing if there are none."""
        if not self._waiting:
            return
        waiting, self._waiting = self._waiting, set()  # their threads change it meanwhile
        for future in waiting:
            with suppress(RuntimeError):  # its event loop is closed
                future.get_loop().call_soon_threadsafe(_complete, future)

    async def wait(self, seconds: float) -> None:
        """Wait for the next event, at most some seconds."""
        future = asyncio.get_running_loop().create_future()
        self._waiting.add(future)
        try:
            await asyncio.wait({future}, timeout=seconds)
        finally:
            self._waiting.discard(future)


def _complete(future: asyncio.Future[None]) -> None:
    if not future.done():
        future.set_result(None)

"""Handler for `/events`: journal entries as server-sent events, when their requests have ended."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Sequence
from dataclasses import replace
from math import inf

from ..errors import NotFound
from ..provider import Response
from ..state.journal import EVERY_SANDBOX, JournalEntry, JournalEvent, JournalEvents
from ..types import JSON
from .context import ControlContext
from .requests import TURN, Filter, entries_json, entry_filters

HEARTBEAT = 15.0  # seconds: proxies close connections that are silent for longer
_RETRY = 500  # milliseconds after which a client connects again
_PAUSE = 0.05  # seconds after events, in which the next ones are collected to be sent together
_LARGE = 64 * 1024  # bytes of events after which there is no pause


async def stream_events(ctx: ControlContext) -> Response:
    if ctx.mock.settings.inspector == "off":
        raise NotFound("events are off; start the server with `inspector: on` to stream them")
    parameters = ctx.parameters
    filters = entry_filters(ctx)
    sandbox = None if parameters.get("sandbox") == EVERY_SANDBOX else ctx.sandbox
    after = parameters.get("Last-Event-ID", parameters.get("after"))
    if after is None:
        after = (await ctx.store.wait_for_entries(sandbox, None, 0)).last
    events = stream(ctx, sandbox, int(after), filters, parameters.get("timeout", inf))
    headers = {"cache-control": "no-store", "x-accel-buffering": "no"}
    return Response(events, headers=headers)


async def stream(
    ctx: ControlContext,
    sandbox: str | None,
    after: int,
    filters: list[Filter],
    seconds: float,
    heartbeat: float = HEARTBEAT,
) -> AsyncIterator[bytes]:
    """Yield the events after one, and a comment whenever there was none for a while.

    Entries stay in the journal until the client has read those before them, so a slow client
    costs no memory: it gets an event that counts the entries that were evicted meanwhile. Many
    events in a short time are sent together, so a client costs little more than a few requests.
    """
    time = asyncio.get_running_loop().time
    end, sent_at = time() + seconds, time()
    yield b"retry: %d\nid: %d\n\n" % (_RETRY, after)  # sent at once; without data it is no event
    while True:
        wait = min(sent_at + heartbeat, end) - time()
        following = await ctx.store.wait_for_entries(sandbox, after, max(wait, 0.0))
        if following.last == after and time() >= end:
            return
        if following.last != after:
            after = following.last
            # A client that got no event must know the number, too: it comes back with it.
            data = b"".join(await _messages(ctx, following, filters)) or b"id: %d\n\n" % after
            yield data
            sent_at = time()
            pause = _PAUSE if len(data) < _LARGE else 0.0
            await asyncio.sleep(max(min(pause, end - sent_at), 0.0))
        if time() >= sent_at + heartbeat:
            yield b": heartbeat\n\n"
            sent_at = time()


async def _messages(
    ctx: ControlContext, following: JournalEvents, filters: list[Filter]
) -> list[bytes]:
    messages = []
    if following.missed:
        first = following.events[0].number - 1 if following.events else following.last
        messages.append(_message("dropped", first, {"count": following.missed}))
    data = await _entries_by_event(ctx, following.events, filters)
    for position, event in enumerate(following.events):
        if position % TURN == 0:
            await asyncio.sleep(0)
        if event.entry is None:
            messages.append(_message("cleared", event.number, {"sandbox": event.sandbox}))
        elif event.number in data:
            messages.append(_message("request", event.number, data[event.number]))
    return messages


async def _entries_by_event(
    ctx: ControlContext, events: Sequence[JournalEvent], filters: list[Filter]
) -> dict[int, JSON]:
    """Return the entries that pass the filters as JSON, by the numbers of their events."""
    by_sandbox: dict[str, dict[int, JournalEntry]] = {}
    for event in events:
        if event.entry and all(matches(event.entry) for matches in filters):
            by_sandbox.setdefault(event.sandbox, {})[event.number] = event.entry
    data: dict[int, JSON] = {}
    for sandbox, entries in by_sandbox.items():
        found = await entries_json(replace(ctx, sandbox=sandbox), [*entries.values()])
        data.update(zip(entries, found, strict=True))
    return data


def _message(name: str, id: int, data: JSON) -> bytes:
    """Return an event in the format text/event-stream.

    The data is ASCII, since many clients split lines at U+2028 too.
    """
    text = json.dumps(data, separators=(",", ":"))
    return f"event: {name}\nid: {id}\ndata: {text}\n\n".encode()

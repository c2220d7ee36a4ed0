"""Handler for `/differences`: live responses compared with those of the mock."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING

from ..state.journal import JournalEntry, ResponseDifference
from ..text import brief
from ..types import JSON
from .context import ControlContext

if TYPE_CHECKING:
    from ..models import UpstreamDifference

MAX_DIFFERENCES = 1_000


async def get_differences(ctx: ControlContext) -> JSON:
    from ..models import Differences  # here: most servers have no upstream

    names = [ctx.sandbox] if ctx.sandbox else await ctx.store.list_sandboxes()
    compared = evicted = 0
    upstreams: dict[str, str] = {}
    found: dict[object, UpstreamDifference] = {}
    for name in names:
        entries, dropped = await ctx.store.list_entries(name)
        evicted += dropped
        for entry in entries:
            if entry.difference is not None:
                compared += 1
                file, _, _ = entry.upstream.rpartition("#")  # with the number of an exchange
                upstreams[entry.provider] = file or entry.upstream
                _add(found, _differences(name, entry))
    return Differences(compared, evicted, upstreams, tuple(found.values())).described()


def _add(
    found: dict[object, UpstreamDifference], differences: Iterable[UpstreamDifference]
) -> None:
    """Add differences, or count one more request for those that are known."""
    for one in differences:
        key: tuple[object, ...] = (
            one.provider,
            one.edition,
            one.operation,
            one.status,
            one.kind,
            one.location,
        )
        if one.kind in ("status", "code"):  # each pair of them is a difference of its own
            key = (*key, brief(one.live), brief(one.mock))
        known = found.get(key)
        if known:
            found[key] = known.with_requests(known.requests + 1)
        elif len(found) < MAX_DIFFERENCES:
            found[key] = one


def _differences(sandbox: str, entry: JournalEntry) -> Iterator[UpstreamDifference]:
    from ..models import UpstreamDifference

    redactor = entry.redactor()
    shown: Iterable[ResponseDifference] = entry.difference or ()
    for one in shown:
        yield UpstreamDifference(
            entry.provider,
            entry.edition,
            entry.operation or f"{entry.method} {redactor.text(entry.path)}",
            entry.status or 0,
            one.kind,
            redactor.text(one.location),
            redactor.redact(one.live),
            redactor.redact(one.mock),
            1,
            f"{sandbox}/{entry.id}" if sandbox else entry.id,
        )

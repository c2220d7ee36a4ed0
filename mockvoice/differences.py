"""Differences from live services: merged from several servers, and as text, Markdown and JSON."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from dataclasses import replace
from itertools import groupby
from typing import Literal, get_args

from . import __version__
from .models import Differences, UpstreamDifference
from .report import difference
from .state.journal import DifferenceKind
from .text import brief

DifferencesFormat = Literal["text", "markdown", "json"]
Level = Literal["status", "shape"]

_FAILING: dict[Level, tuple[str, ...]] = {
    "status": ("status",),
    "shape": tuple(kind for kind in get_args(DifferenceKind) if kind != "value"),
}
_MAX_CELL = 120  # characters of a value in a table


def merge(parts: Iterable[Differences]) -> Differences:
    """Return the sum of the differences of several servers or sandboxes."""
    merged = Differences(0, 0, {}, ())
    for part in parts:
        known = {_identity(one): one for one in merged.differences}
        for one in part.differences:
            same = known.get(_identity(one))
            count = one.requests + (same.requests if same else 0)
            known[_identity(one)] = (same or one).with_requests(count)
        merged = Differences(
            merged.compared + part.compared,
            merged.evicted + part.evicted,
            {**merged.upstreams, **part.upstreams},
            tuple(known.values()),
        )
    return merged


def _identity(one: UpstreamDifference) -> UpstreamDifference:
    """Return what is the same in all requests that show one difference."""
    shown = replace(one, requests=0, example="")
    if one.kind in ("status", "code"):
        return replace(shown, live=brief(one.live), mock=brief(one.mock))
    return replace(shown, live=None, mock=None)


def headline(differences: Differences) -> str:
    """Return the number of differences in one line: `no differences in 41 requests`."""
    found, compared = len(differences.differences), differences.compared
    requests = f"{compared} request{'s' * (compared != 1)}"
    line = f"{found or 'no'} difference{'s' * (found != 1)} in {requests}"
    if not compared:
        line = "no request was compared with a live service: start mockvoice with --upstream"
    if differences.evicted:
        line += f" ({differences.evicted} older ones are no longer in the journal)"
    return line


def failure(differences: Differences, level: Level) -> str:
    """Return the message for differences that are not accepted, else "".

    `status` accepts equal statuses; `shape` also requires equal members, types, ids and error
    codes. Neither accepts that nothing was compared.
    """
    if not differences.compared:
        return headline(differences)
    failing = [one for one in differences.differences if one.kind in _FAILING[level]]
    if not failing:
        return ""
    count = len(failing)
    return f"{count} difference{'s' * (count != 1)} of the {level} from the live service"


def render(differences: Differences, format: DifferencesFormat = "text") -> str:
    """Return the differences in a format."""
    return {"text": _text, "markdown": _markdown, "json": _json}[format](differences)


def _contracts(differences: Differences) -> Iterator[tuple[str, list[UpstreamDifference]]]:
    """Yield the title of each contract, and the differences from its live service."""

    def contract(one: UpstreamDifference) -> tuple[str, str]:
        return one.provider, one.edition

    listed = sorted(differences.differences, key=contract)
    for (provider, edition), found in groupby(listed, contract):
        title = f"{provider}, edition {edition}" if edition else provider
        yield f"{title}, and {differences.upstreams.get(provider, 'unknown')}", [*found]


def _text(differences: Differences) -> str:
    """Return the differences for terminals, one line for each."""
    lines = [headline(differences)]
    for title, found in _contracts(differences):
        lines += ["", title]
        for one in found:
            requests = f"{one.requests} request{'s' * (one.requests != 1)}, first {one.example}"
            lines.append(f"  {one.operation} {one.status}: {difference(one)}  ({requests})")
    return "\n".join(lines)


def _markdown(differences: Differences) -> str:
    """Return the differences for an issue of mockvoice."""
    lines = [f"### {headline(differences)}", "", f"mockvoice {__version__}"]
    for title, found in _contracts(differences):
        lines += [
            "",
            f"#### {title}",
            "",
            "| operation | kind | location | live | mock | requests |",
        ]
        lines.append("|---|---|---|---|---|---|")
        for one in found:
            live = "none" if one.kind == "missing" else _code(one.live)
            mock = "none" if one.kind == "added" else _code(one.mock)
            target = (
                f"`{one.operation}` {one.status} | {one.kind} | {_code(one.location, plain=True)}"
            )
            lines.append(f"| {target} | {live} | {mock} | {one.requests} |")
    return "\n".join(lines)


def _code(value: object, *, plain: bool = False) -> str:
    """Return a value as inline code in a table."""
    text = str(value) if plain else brief(value, _MAX_CELL)
    fence = "``" if "`" in text else "`"
    return f"{fence}{text}{fence}".replace("|", "\\|").replace("\n", " ")


def _json(differences: Differences) -> str:
    """Return the differences as the JSON of the control API."""
    return json.dumps(differences.described(), indent=2, ensure_ascii=False)

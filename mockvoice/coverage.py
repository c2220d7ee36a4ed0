"""Contract coverage: merged from several servers, and as text, Markdown, JSON and JUnit XML."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from itertools import groupby
from textwrap import fill
from typing import Literal, get_args

from .faults.kinds import Kind
from .models import Coverage, OperationCoverage, StatusCoverage

Format = Literal["text", "markdown", "json", "junit"]

# Statuses that the gateway of any API may return, whether its contract documents them or not.
_TRANSIENT = (429, 500, 502, 503, 504)


def merge(coverages: Iterable[Coverage]) -> Coverage:
    """Return the sum of the coverage of several servers or sandboxes."""
    every = False
    merged: dict[tuple[str, str], OperationCoverage] = {}
    for coverage in coverages:
        every = every or coverage.all
        for operation in coverage.operations:
            key = operation.provider, operation.operation
            merged[key] = _add(merged[key], operation) if key in merged else operation
    operations = sorted(merged.values(), key=lambda operation: operation.provider)
    return Coverage(every, tuple(operations))


def _add(one: OperationCoverage, other: OperationCoverage) -> OperationCoverage:
    statuses = {status.status: status for status in one.statuses}
    for status in other.statuses:
        before = statuses.get(status.status)
        requests = status.requests + (before.requests if before else 0)
        statuses[status.status] = replace(status, requests=requests)
    return replace(
        one,
        requests=one.requests + other.requests,
        statuses=tuple(statuses.values()),
        undocumented=_sum(one.undocumented, other.undocumented),
        no_response=one.no_response + other.no_response,
        faults=_sum(one.faults, other.faults),
    )


def _sum(*counts: Mapping[str, int]) -> dict[str, int]:
    total: Counter[str] = Counter()
    for count in counts:
        total.update(count)
    return dict(sorted(total.items()))


# --- what the formats have in common -------------------------------------------------------------


def headline(coverage: Coverage) -> str:
    """Return the result in one line."""
    if not coverage.operations:
        return "mockvoice coverage: no requests received"
    counted = len(coverage.counted)
    operations = f"{counted} {'' if coverage.all else 'called '}operation{'s' * (counted != 1)}"
    return (
        f"mockvoice coverage: {coverage.percent:g}%"
        f" ({coverage.seen} of {coverage.total} documented statuses of {operations})"
    )


def shortfall(coverage: Coverage, minimum: float) -> str:
    """Return the message for a coverage below the minimum in percent, else ""."""
    if coverage.percent >= minimum:
        return ""
    return f"the coverage of {coverage.percent:g}% is below the minimum of {minimum:g}%"


def _providers(coverage: Coverage) -> Iterator[tuple[str, list[OperationCoverage]]]:
    """Yield each provider with its operations."""
    for name, operations in groupby(coverage.operations, lambda operation: operation.provider):
        yield name, [*operations]


def _seen(operation: OperationCoverage) -> str:
    """Return all statuses of an operation with their numbers of requests."""
    counts = {str(status.status): status.requests for status in operation.seen}
    counts |= {f"undocumented {status}": n for status, n in operation.undocumented.items()}
    if operation.no_response:
        counts["no response"] = operation.no_response
    return _counts(counts)


def _counts(counts: Mapping[str, int]) -> str:
    return ", ".join(f"{name} ({number})" for name, number in counts.items()) or "none"


def _gaps(operations: Sequence[OperationCoverage]) -> dict[str, str]:
    """Return what requests to a provider have not met besides documented statuses, by title."""
    faults = _sum(*(operation.faults for operation in operations))
    statuses = {status.status for operation in operations for status in operation.seen}
    statuses |= {int(status) for operation in operations for status in operation.undocumented}
    gaps = {
        "operations not called": [op.operation for op in operations if not op.requests],
        "fault kinds not injected": [kind for kind in get_args(Kind) if kind not in faults],
        "transient errors not seen": [
            str(status) for status in _TRANSIENT if status not in statuses
        ],
    }
    return {title: ", ".join(names) for title, names in gaps.items() if names}


def _causes(status: StatusCoverage) -> list[str]:
    """Return everything that makes an operation return a status."""
    inject = [f"the fault {json.dumps(status.inject)}"] if status.inject else []
    return [*status.provoked_by, *inject]


# --- formats -------------------------------------------------------------------------------------


def render(coverage: Coverage, format: Format = "text", minimum: float | None = None) -> str:
    """Return the coverage in a format; `minimum` in percent is a test case of JUnit XML."""
    if format == "junit":
        return _junit(coverage, minimum)
    return {"text": _text, "markdown": _markdown, "json": _json}[format](coverage)


def _text(coverage: Coverage) -> str:
    """Return the coverage for terminals."""
    lines = [headline(coverage)]
    for name, operations in _providers(coverage):
        called = [operation for operation in operations if operation.requests]
        faults = _sum(*(operation.faults for operation in operations))
        lines += ["", f"{name}: {len(called)} of {len(operations)} operations called"]
        for operation in operations if coverage.all else called:
            lines += _operation_lines(operation)
        lines.append(f"  faults injected: {_counts(faults)}")
        lines += [_wrapped(f"  {title}: {names}") for title, names in _gaps(operations).items()]
    return "\n".join(lines)


def _wrapped(line: str) -> str:
    return fill(line, 100, subsequent_indent="    ", break_on_hyphens=False)


def _operation_lines(operation: OperationCoverage) -> Iterator[str]:
    yield f"  {operation.operation}  {operation.method} {operation.path}"
    yield f"    seen {len(operation.seen)} of {len(operation.statuses)}: {_seen(operation)}"
    for status in operation.missing:
        yield f"    never {status.status}  {status.description}"
        yield from (f"        - {cause}" for cause in _causes(status))


def _markdown(coverage: Coverage) -> str:
    """Return the coverage for pull requests and job summaries."""
    lines = [f"### {headline(coverage)}"]
    for name, operations in _providers(coverage):
        lines += ["", f"#### {name}", "", "| operation | seen | never |", "|---|---|---|"]
        for operation in operations:
            if operation.requests or coverage.all:
                missing = ", ".join(str(status.status) for status in operation.missing)
                lines.append(f"| `{operation.operation}` | {_seen(operation)} | {missing} |")
        lines += ["", *(f"- {title}: {names}" for title, names in _gaps(operations).items())]
    return "\n".join(lines)


def _json(coverage: Coverage) -> str:
    """Return the coverage as the JSON of the control API."""
    return json.dumps(coverage.described(), indent=2, ensure_ascii=False)


def _junit(coverage: Coverage, minimum: float | None) -> str:
    """Return the coverage as JUnit XML.

    Each documented status that counts is a test case, skipped if no request got it. A minimum adds
    a test case that fails below it.
    """
    from xml.etree import ElementTree as ET  # here: no other format needs it

    cases = ET.Element("testsuite", name="mockvoice coverage")
    for operation in coverage.counted:
        for status in operation.statuses:
            name = f"{operation.provider}.{operation.operation}"
            case = ET.SubElement(cases, "testcase", classname=name, name=str(status.status))
            if not status.requests:
                message = f"no request got status {status.status}: {status.description}"
                ET.SubElement(case, "skipped", message=message).text = "\n".join(_causes(status))
    if minimum is not None:
        case = ET.SubElement(cases, "testcase", classname="mockvoice", name="minimum coverage")
        if failure := shortfall(coverage, minimum):
            ET.SubElement(case, "failure", message=failure)
    for name, tag in (("tests", "testcase"), ("failures", "failure"), ("skipped", "skipped")):
        cases.set(name, str(len([*cases.iter(tag)])))
    suites = ET.Element("testsuites")
    suites.append(cases)
    ET.indent(suites)
    declaration = '<?xml version="1.0" encoding="utf-8"?>\n'
    return declaration + ET.tostring(suites, encoding="unicode")

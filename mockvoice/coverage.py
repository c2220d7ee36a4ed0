"""Contract coverage: merged from several servers, and as text, Markdown, JSON and JUnit XML."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from contextlib import suppress
from dataclasses import replace
from itertools import groupby
from textwrap import fill
from typing import get_args

from .faults.kinds import Kind
from .fields import CoverageFormat
from .models import Coverage, OperationCoverage, StatusCoverage

_FAILURES = [kind for kind in get_args(Kind) if kind != "reply"]  # a custom response is none

# Statuses that the gateway of any API may return, whether its contract documents them or not.
_TRANSIENT = ("429", "500", "502", "503", "504")


def merge(coverages: Iterable[Coverage]) -> Coverage:
    """Return the sum of the coverage of several servers or sandboxes."""
    every = False
    merged: dict[tuple[str, str, str], OperationCoverage] = {}
    for coverage in coverages:
        every = every or coverage.all
        for operation in coverage.operations:
            key = operation.provider, operation.edition, operation.operation
            merged[key] = _add(merged[key], operation) if key in merged else operation
    operations = sorted(merged.values(), key=_contract)
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


def percentage(text: str) -> float:
    """Return the minimum in percent that a text spells. Raises ValueError."""
    with suppress(ValueError):
        if 0 <= float(text) <= 100:
            return float(text)
    raise ValueError(f"must be a number from 0 to 100; got {text!r}")


def shortfall(coverage: Coverage, minimum: float) -> str:
    """Return the message for a coverage below the minimum in percent, else ""."""
    if coverage.percent >= minimum:
        return ""
    return f"the coverage of {coverage.percent:g}% is below the minimum of {minimum:g}%"


def _contract(operation: OperationCoverage) -> tuple[str, str]:
    return operation.provider, operation.edition


def _contracts(coverage: Coverage) -> Iterator[tuple[str, Coverage]]:
    """Yield the title of each contract, and its coverage."""
    for contract, operations in groupby(coverage.operations, _contract):
        title = ", edition ".join(filter(None, contract))
        yield title, Coverage(coverage.all, tuple(operations))


def _seen(operation: OperationCoverage) -> str:
    """Return all statuses of an operation with their numbers of requests."""
    counts = {str(status.status): status.requests for status in operation.seen}
    counts |= {f"undocumented {status}": n for status, n in operation.undocumented.items()}
    if operation.no_response:
        counts["no response"] = operation.no_response
    return _counts(counts)


def _counts(counts: Mapping[str, int]) -> str:
    return ", ".join(f"{name} ({number})" for name, number in counts.items()) or "none"


def _faults(contract: Coverage) -> dict[str, int]:
    """Return the number of requests by kind of fault."""
    return _sum(*(operation.faults for operation in contract.operations))


def _gaps(contract: Coverage) -> dict[str, str]:
    """Return what requests have not met besides documented statuses, by title."""
    faults = _faults(contract)
    statuses = {str(status.status) for operation in contract.called for status in operation.seen}
    statuses.update(*(operation.undocumented for operation in contract.called))
    gaps = {
        "operations not called": [op.operation for op in contract.operations if not op.requests],
        "fault kinds not injected": [kind for kind in _FAILURES if kind not in faults],
        "transient errors not seen": [code for code in _TRANSIENT if code not in statuses],
    }
    return {title: ", ".join(names) for title, names in gaps.items() if names}


def _causes(status: StatusCoverage) -> list[str]:
    """Return everything that makes an operation return a status."""
    inject = [f"the fault {json.dumps(status.inject)}"] if status.inject else []
    return [*status.provoked_by, *inject]


# --- formats -------------------------------------------------------------------------------------


def render(
    coverage: Coverage, format: CoverageFormat = "text", minimum: float | None = None
) -> str:
    """Return the coverage in a format; `minimum` in percent is a test case of JUnit XML."""
    if format == "junit":
        return _junit(coverage, minimum)
    return {"text": _text, "markdown": _markdown, "json": _json}[format](coverage)


def _text(coverage: Coverage) -> str:
    """Return the coverage for terminals."""
    lines = [headline(coverage)]
    for title, contract in _contracts(coverage):
        calls = f"{len(contract.called)} of {len(contract.operations)} operations called"
        lines += ["", f"{title}: {calls}"]
        for operation in contract.counted:
            lines += _operation_lines(operation)
        lines.append(f"  faults injected: {_counts(_faults(contract))}")
        lines += [_wrapped(f"  {gap}: {names}") for gap, names in _gaps(contract).items()]
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
    for title, contract in _contracts(coverage):
        lines += ["", f"#### {title}", "", "| operation | seen | never |", "|---|---|---|"]
        for operation in contract.counted:
            missing = ", ".join(str(status.status) for status in operation.missing)
            lines.append(f"| `{operation.operation}` | {_seen(operation)} | {missing} |")
        lines += ["", *(f"- {gap}: {names}" for gap, names in _gaps(contract).items())]
    return "\n".join(lines)


def _json(coverage: Coverage) -> str:
    """Return the coverage as the JSON of the control API."""
    return json.dumps(coverage.described(), indent=2, ensure_ascii=False)


def _junit(coverage: Coverage, minimum: float | None) -> str:
    """Return the coverage as JUnit XML: a test suite for each contract.

    Each documented status that counts is a test case, skipped if no request got it. A minimum adds
    a test case that fails below it.
    """
    from xml.etree import ElementTree as ET  # here: no other format needs it

    suites = ET.Element("testsuites", name="mockvoice coverage")
    for title, contract in _contracts(coverage):
        suite = ET.SubElement(suites, "testsuite", name=title)
        for operation in contract.counted:
            for status in operation.statuses:
                name = f"{operation.provider}.{operation.operation}"
                case = ET.SubElement(suite, "testcase", classname=name, name=str(status.status))
                if not status.requests:
                    missing = f"no request got status {status.status}: {status.description}"
                    skipped = ET.SubElement(case, "skipped", message=missing)
                    skipped.text = "\n".join(_causes(status))
    if minimum is not None:
        suite = ET.SubElement(suites, "testsuite", name="mockvoice coverage")
        case = ET.SubElement(suite, "testcase", classname="mockvoice", name="minimum")
        if failure := shortfall(coverage, minimum):
            ET.SubElement(case, "failure", message=failure)
    for element in suites.iter():
        if element.tag.startswith("testsuite"):
            for name, tag in ("tests", "testcase"), ("failures", "failure"), ("skipped", "skipped"):
                element.set(name, str(len([*element.iter(tag)])))
    ET.indent(suites)
    declaration = '<?xml version="1.0" encoding="utf-8"?>\n'
    return declaration + ET.tostring(suites, encoding="unicode")

"""Pytest plugin: a sandbox per test, and the journal in the report of a failed test."""

from __future__ import annotations

import os
from collections.abc import Generator, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from .client.control import Control

# The fixtures import the rest, so that test runs that do not use them are not slowed down.

MARKER = (
    "mockvoice(seed=..., audio='any', limits='documented', strict=False):"
    " settings of this test's mockvoice sandbox"
)
_ARGUMENTS = ("seed", "audio", "limits", "strict")


@dataclass
class _Usage:
    """Use of the fixture by one test; `report` is saved before the sandbox is reset."""

    control: Control
    failed: bool = False
    report: str = ""


_USAGE = pytest.StashKey[_Usage]()


def pytest_addoption(parser: pytest.Parser) -> None:
    """Add the ini options."""
    parser.addini(
        "mockvoice_strict",
        "fail tests with unfired faults, unfinished sequences or internal errors of mockvoice",
        type="bool",
        default=True,
    )
    parser.addini(
        "mockvoice_providers",
        "additional providers: acme=path.yaml or acme=path.yaml:module",
        type="linelist",
        default=[],
    )


def pytest_configure(config: pytest.Config) -> None:
    """Register the marker."""
    config.addinivalue_line("markers", MARKER)


@pytest.fixture(scope="session")
def mockvoice_server(pytestconfig: pytest.Config) -> Iterator[Control]:
    """Yield the server of this test process: at MOCKVOICE_URL if set, else a new one."""
    from . import connect, serve

    url = os.environ.get("MOCKVOICE_URL")
    if url:
        yield connect(url)
    else:
        with serve(providers=pytestconfig.getini("mockvoice_providers")) as control:
            yield control


@pytest.fixture
def mockvoice(request: pytest.FixtureRequest, mockvoice_server: Control) -> Iterator[Control]:
    """Yield a sandbox for one test; `mockvoice_strict` verifies it afterwards."""
    import re
    from uuid import uuid4
    from zlib import crc32

    node: pytest.Item = request.node
    settings = _marker_arguments(node)
    strict = settings.pop("strict", request.config.getini("mockvoice_strict"))
    name = re.sub(r"[^A-Za-z0-9._-]+", "-", node.name)[:48]
    control = mockvoice_server.sandbox(f"{name}-{uuid4().hex[:8]}")
    # The sandbox name differs in each run; the random seed does not.
    control.reset(**{"seed": crc32(node.nodeid.encode()), **settings})
    usage = node.stash[_USAGE] = _Usage(control)
    yield control
    problems = "" if usage.failed or not strict else _verify(control)
    if problems:
        usage.report = control.report()
    else:
        del node.stash[_USAGE]
    control.reset()
    if problems:
        pytest.fail(problems, pytrace=False)


def _marker_arguments(node: pytest.Item) -> dict[str, Any]:
    """Return the arguments of all markers; the closest marker takes precedence."""
    arguments: dict[str, Any] = {}
    for marker in reversed([*node.iter_markers("mockvoice")]):
        arguments |= marker.kwargs
        unknown = [*map(repr, marker.args), *sorted(marker.kwargs.keys() - {*_ARGUMENTS})]
        if unknown:
            from .text import did_you_mean

            hint = did_you_mean(unknown[0], _ARGUMENTS)
            pytest.fail(
                f"@pytest.mark.mockvoice does not accept {', '.join(unknown)};"
                f" it accepts {', '.join(f'{name}=...' for name in _ARGUMENTS)}"
                + (f"; {hint}" if hint else ""),
                pytrace=False,
            )
    return arguments


def _verify(control: Control) -> str:
    try:
        control.verify()
    except AssertionError as error:
        return str(error)
    return ""


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(
    item: pytest.Item,
) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Add the journal to the report of a test that failed."""
    report = yield
    usage = item.stash.get(_USAGE, None)
    if report.failed and usage:
        usage.failed = True
        report.sections.append(("mockvoice journal", usage.report or _report(usage.control)))
    return report


def _report(control: Control) -> str:
    try:
        return control.report()
    except ConnectionError as error:
        return str(error)

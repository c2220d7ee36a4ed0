"""The pytest plugin: a mock for every test that asks for one, and what happened when it failed."""

from __future__ import annotations

import os
from collections.abc import Generator, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from .client.control import Control

# What else is needed is imported by the fixtures: a run without them is not to feel this plugin.

MARKER = (
    "mockvoice(seed=..., audio='any', limits='documented', strict=False):"
    " how the mockvoice of this test behaves"
)
_MARKS = ("seed", "audio", "limits", "strict")


@dataclass
class _Use:
    """What a test does with the fixture; `story` is what happened, once the sandbox is gone."""

    control: Control
    failed: bool = False
    report: str = ""


_USE = pytest.StashKey[_Use]()


def pytest_addoption(parser: pytest.Parser) -> None:
    """What may stand in a project's configuration."""
    parser.addini(
        "mockvoice_strict",
        "fail a test whose faults never fired, or at which mockvoice itself failed",
        type="bool",
        default=True,
    )
    parser.addini(
        "mockvoice_providers",
        "providers besides the built-in ones: acme=path.yaml or acme=path.yaml:module",
        type="linelist",
        default=[],
    )


def pytest_configure(config: pytest.Config) -> None:
    """Make the marker known."""
    config.addinivalue_line("markers", MARKER)


@pytest.fixture(scope="session")
def mockvoice_server(pytestconfig: pytest.Config) -> Iterator[Control]:
    """A server for all tests of this process: the one at MOCKVOICE_URL, else one of its own."""
    from . import connect, serve

    url = os.environ.get("MOCKVOICE_URL")
    if url:
        yield connect(url)
    else:
        with serve(providers=pytestconfig.getini("mockvoice_providers")) as control:
            yield control


@pytest.fixture
def mockvoice(request: pytest.FixtureRequest, mockvoice_server: Control) -> Iterator[Control]:
    """A sandbox for this test alone; how it ended is checked (`mockvoice_strict`)."""
    import re
    from uuid import uuid4
    from zlib import crc32

    node: pytest.Item = request.node
    settings = _marked(node)
    strict = settings.pop("strict", request.config.getini("mockvoice_strict"))
    named = re.sub(r"[^A-Za-z0-9._-]+", "-", node.name)[:48]
    control = mockvoice_server.sandbox(f"{named}-{uuid4().hex[:8]}")
    # The name is new at every run, what is drawn is not.
    control.reset(**{"seed": crc32(node.nodeid.encode()), **settings})
    use = node.stash[_USE] = _Use(control)
    yield control
    wrong = "" if use.failed or not strict else _complaint(control)
    if wrong:
        use.report = control.report()
    else:
        del node.stash[_USE]
    control.reset()
    if wrong:
        pytest.fail(wrong, pytrace=False)


def _marked(node: pytest.Item) -> dict[str, Any]:
    """What the markers say, the nearest last."""
    found: dict[str, Any] = {}
    for marker in reversed([*node.iter_markers("mockvoice")]):
        found |= marker.kwargs
        unknown = [*map(repr, marker.args), *(marker.kwargs.keys() - {*_MARKS})]
        if unknown:
            pytest.fail(
                f"@pytest.mark.mockvoice does not take {', '.join(unknown)};"
                f" it takes {', '.join(f'{each}=...' for each in _MARKS)}",
                pytrace=False,
            )
    return found


def _complaint(control: Control) -> str:
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
    use = item.stash.get(_USE, None)
    if report.failed and use:
        use.failed = True
        report.sections.append(("mockvoice journal", use.report or _report(use.control)))
    return report


def _report(control: Control) -> str:
    try:
        return control.report()
    except ConnectionError as error:
        return str(error)

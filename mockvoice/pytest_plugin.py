"""Pytest plugin: a sandbox per test, and the journal in the report of a failed test.

`pytest_coverage.py` reports the contract coverage of the run, and `pytest_differences.py` the
differences from live services.
"""

from __future__ import annotations

import os
from collections.abc import Generator, Iterable, Iterator
from contextlib import ExitStack, suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from .client.control import Control
    from .pytest_coverage import CoverageReport
    from .pytest_differences import DifferencesReport

# The fixtures import the rest, so that test runs that do not use them are not slowed down.

MARKER = (
    "mockvoice(seed=..., audio='any', limits='documented', keys='listed', retry_after='always',"
    " strict_fields=True, edition={...}, faults=[502], strict=False, fail_on_violation=True):"
    " settings of this test's mockvoice sandbox"
)
_SETTINGS = ("seed", "audio", "limits", "keys", "retry_after", "strict_fields", "edition")
_ARGUMENTS = (*_SETTINGS, "faults", "strict", "fail_on_violation")


@dataclass
class _Usage:
    """Use of the fixture by one test; `report` is saved before the sandbox is reset."""

    control: Control
    failed: bool = False
    report: str = ""


_USAGE = pytest.StashKey[_Usage]()
_REPORTED = pytest.StashKey[dict[str, tuple[str, str]]]()  # by URL, the last request so far
_COVERAGE: pytest.StashKey[CoverageReport] = pytest.StashKey()
_DIFFERENCES: pytest.StashKey[DifferencesReport] = pytest.StashKey()


def pytest_addoption(parser: pytest.Parser) -> None:
    """Add the options of the command line and of the ini file."""
    group = parser.getgroup("mockvoice")
    group.addoption(
        "--mockvoice-report",
        action="store_true",
        help="print the contract coverage of the tests (ini: mockvoice_report)",
    )
    group.addoption(
        "--mockvoice-report-file",
        metavar="FILE",
        help="write the contract coverage to a file: .md, .json, .xml (JUnit), else as text",
    )
    group.addoption(
        "--mockvoice-min",
        metavar="PERCENT",
        help="fail if the contract coverage is lower (ini: mockvoice_min)",
    )
    group.addoption(
        "--mockvoice-upstream",
        metavar="NAME=URL",
        action="append",
        default=[],
        help="forward the requests of a provider to its live service, and print where the mock"
        " would have responded differently (repeatable)",
    )
    parser.addini(
        "mockvoice_strict",
        "fail tests with unfired faults, unfinished sequences or internal errors of mockvoice",
        type="bool",
        default=True,
    )
    parser.addini(
        "mockvoice_fail_on_violation",
        "fail tests with requests that violate the contract or match no operation",
        type="bool",
        default=False,
    )
    parser.addini(
        "mockvoice_providers",
        "additional providers: acme=path.yaml or acme=path.yaml:module",
        type="linelist",
        default=[],
    )
    parser.addini(
        "mockvoice_config",
        "configuration file of the server (default: MOCKVOICE_CONFIG, else mockvoice.yaml in the"
        " root folder); off reads none",
        default="",
    )
    parser.addini(
        "mockvoice_report", "print the contract coverage of the tests", type="bool", default=False
    )
    parser.addini("mockvoice_min", "minimum contract coverage in percent", default="")


def pytest_configure(config: pytest.Config) -> None:
    """Register the marker, and the report of the coverage if it is requested."""
    config.addinivalue_line("markers", MARKER)
    minimum = config.getoption("mockvoice_min") or config.getini("mockvoice_min")
    options = config.getoption("mockvoice_report"), config.getoption("mockvoice_report_file")
    if minimum or any(options) or config.getini("mockvoice_report"):
        from .pytest_coverage import CoverageReport

        report = CoverageReport(config, minimum)
        config.stash[_COVERAGE] = report
        config.pluginmanager.register(report, "mockvoice coverage")
    if upstream := config.getoption("mockvoice_upstream"):
        if os.environ.get("MOCKVOICE_URL"):
            raise pytest.UsageError(
                "--mockvoice-upstream needs a server of its own, but MOCKVOICE_URL is set: start"
                " that server with --upstream"
            )
        from .pytest_differences import DifferencesReport

        differences = DifferencesReport(config, upstream)
        config.stash[_DIFFERENCES] = differences
        config.pluginmanager.register(differences, "mockvoice differences")


def pytest_report_header(config: pytest.Config) -> str | None:
    """Name the configuration file."""
    path = _config_file(config)
    return f"mockvoice: settings from {path} (mockvoice_config = off reads none)" if path else None


def _config_file(config: pytest.Config) -> str | None:
    """Return the configuration file of the server that the tests start, or None."""
    name = config.getini("mockvoice_config")
    if name == "off" or os.environ.get("MOCKVOICE_URL"):
        return None
    default = config.rootpath / "mockvoice.yaml"
    variable = os.environ.get("MOCKVOICE_CONFIG")
    if name:
        return str(config.rootpath / name)
    return variable or (str(default) if default.is_file() else None)


@pytest.fixture(scope="session")
def mockvoice_server(pytestconfig: pytest.Config) -> Iterator[Control]:
    """Yield the server of this test process: at MOCKVOICE_URL if set, else a new one."""
    from . import connect, serve
    from .client.control import Namespace
    from .config.settings import SettingsError
    from .openapi.normalize import ContractError

    url = os.environ.get("MOCKVOICE_URL")
    coverage = pytestconfig.stash.get(_COVERAGE, None)
    differences = pytestconfig.stash.get(_DIFFERENCES, None)
    settings = {"upstream": differences.upstream} if differences else {}
    namespace = Namespace()
    if url:
        if coverage:
            coverage.shared = True
        control = connect(url).in_namespace(namespace)
        yield control
        _delete(control, namespace.names, pytestconfig)
    else:
        providers = pytestconfig.getini("mockvoice_providers")
        with ExitStack() as stack:
            try:
                control = stack.enter_context(
                    serve(providers=providers, config=_config_file(pytestconfig), **settings)
                )
            except (SettingsError, ContractError) as error:
                pytest.fail(str(error), pytrace=False)
            yield control.in_namespace(namespace)
            if coverage:
                coverage.add(control)
            if differences:
                differences.add(control)


@pytest.fixture
def mockvoice(request: pytest.FixtureRequest, mockvoice_server: Control) -> Iterator[Control]:
    """Yield a sandbox for one test, which is verified afterwards."""
    import re
    from zlib import crc32

    from .client.control import Namespace

    node: pytest.Item = request.node
    settings = _marker_arguments(node)
    checks = _checks(request.config, settings)
    faults = settings.pop("faults", ())
    namespace = Namespace()
    name = namespace.unique(re.sub(r"[^A-Za-z0-9._-]+", "-", node.name)[:48])
    control = mockvoice_server.in_namespace(namespace, name)
    # The sandbox name differs in each run; the random seed does not.
    control.reset(**{"seed": crc32(node.nodeid.encode()), **settings})
    for fault in faults:
        control.request("POST", "/faults", fault)
    usage = node.stash[_USAGE] = _Usage(control)
    yield control
    problems = "" if usage.failed else _verify(control, checks)
    if problems:
        usage.report = control.report()
    else:
        del node.stash[_USAGE]
    _delete(control, {name, *namespace.names}, request.config)
    if problems:
        pytest.fail(problems, pytrace=False)


def _delete(control: Control, names: Iterable[str], config: pytest.Config) -> None:
    """Delete the sandboxes with these names, and report what would be deleted with them.

    The coverage of a server of its own outlasts them.
    """
    from .client.control import ControlError, Namespace

    coverage = config.stash.get(_COVERAGE, None)
    differences = config.stash.get(_DIFFERENCES, None)
    for name in names:
        with suppress(ControlError):  # evicted, or deleted by a test
            if coverage and coverage.shared:
                coverage.add(control.in_namespace(Namespace(), name))
            if differences:
                differences.add(control.in_namespace(Namespace(), name))
            control.delete_sandbox(name)


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


def _checks(config: pytest.Config, settings: dict[str, Any]) -> list[str]:
    """Return the methods that verify a sandbox after a test, by the marker or the ini file."""
    methods = {"strict": "verify", "fail_on_violation": "verify_requests"}
    selected = {name: settings.pop(name, config.getini(f"mockvoice_{name}")) for name in methods}
    return [methods[name] for name in methods if selected[name]]


def _verify(control: Control, checks: Iterable[str]) -> str:
    problems = []
    for name in checks:
        try:
            getattr(control, name)()
        except AssertionError as error:
            problems.append(str(error))
    return "\n".join(problems)


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
    names: list[str] = getattr(item, "fixturenames", [])
    if "mockvoice_server" in names and "mockvoice" not in names:
        _add_journals(item, report)
    return report


def _add_journals(item: pytest.Item, report: pytest.TestReport) -> None:
    """Report the requests of one test to each sandbox that it has from a fixture of its own."""
    from .client.control import Control

    fixtures: dict[str, Any] = getattr(item, "funcargs", {})
    reported = item.config.stash.setdefault(_REPORTED, {})
    for name, control in fixtures.items():
        if isinstance(control, Control):
            if report.failed:
                text = _report(control, reported.get(control.url, ("", "")))
                report.sections.append((f"mockvoice journal ({name})", text))
            if report.when == "teardown":
                with suppress(ConnectionError):  # stopped with the last test
                    reported[control.url] = _last_request(control)


def _last_request(control: Control) -> tuple[str, str]:
    """Return the id and the time of the newest request, "" if there is none."""
    listed = control.request("GET", "/requests", limit=1)["requests"]
    return (listed[0]["id"], listed[0]["at"]) if listed else ("", "")


def _report(control: Control, last: tuple[str, str] = ("", "")) -> str:
    """Return the report of the requests after the last one of the tests before."""
    try:
        # After a reset, another request may have its id.
        listed = control.request("GET", "/requests")["requests"] if last[0] else []
        known = any((entry["id"], entry["at"]) == last for entry in listed)
        return control.report(since=last[0] if known else None)
    except ConnectionError as error:
        return str(error)

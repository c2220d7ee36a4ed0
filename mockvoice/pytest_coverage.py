"""Pytest plugin for `--mockvoice-report`: the contract coverage of a test run."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from .client.control import Control
from .coverage import merge, percentage, render, shortfall
from .fields import CoverageFormat
from .models import Coverage

_OUTPUT = "mockvoice_coverage"  # in what an xdist worker sends to the main process
_FORMATS: dict[str, CoverageFormat] = {
    ".md": "markdown",
    ".json": "json",
    ".xml": "junit",
}  # else text


class CoverageReport:
    """Collects the coverage of all servers, those of xdist workers included, and reports it.

    `shared` is set if the server outlives the run and serves others: then only the sandboxes of the
    fixtures are added. `minimum` is a text in percent, "" for none.
    """

    def __init__(self, config: pytest.Config, minimum: str) -> None:
        self.shared = False
        self._config = config
        try:
            self._minimum = percentage(minimum) if minimum else None
        except ValueError as error:
            raise pytest.UsageError(f"mockvoice_min {error}") from None
        self._coverage = merge([])

    def add(self, control: Control) -> None:
        """Add the coverage of a sandbox, or of a server."""
        self._add(control.coverage())

    def _add(self, coverage: Coverage) -> None:
        self._coverage = merge([self._coverage, coverage])

    @pytest.hookimpl(optionalhook=True)
    def pytest_testnodedown(self, node: Any) -> None:
        """Add the coverage of an xdist worker; one that crashed sends none."""
        output = getattr(node, "workeroutput", {})
        if _OUTPUT in output:
            self._add(Coverage.of(output[_OUTPUT]))

    @pytest.hookimpl(trylast=True)  # after the teardown of the server
    def pytest_sessionfinish(self, session: pytest.Session) -> None:
        """Send the coverage to the main process, or write the file and apply the minimum."""
        config = self._config
        if hasattr(config, "workeroutput"):
            config.workeroutput[_OUTPUT] = self._coverage.described()
            return
        if config.option.collectonly:
            return
        file = config.getoption("mockvoice_report_file")
        if file:
            path = config.invocation_params.dir / file
            format = _FORMATS.get(Path(file).suffix, "text")
            text = render(self._coverage, format, self._minimum)
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(f"{text}\n", encoding="utf-8")
        if self._shortfall and session.exitstatus == pytest.ExitCode.OK:
            session.exitstatus = pytest.ExitCode.TESTS_FAILED

    @property
    def _shortfall(self) -> str:
        return "" if self._minimum is None else shortfall(self._coverage, self._minimum)

    def pytest_terminal_summary(self, terminalreporter: pytest.TerminalReporter) -> None:
        """Print the coverage after the results of the tests."""
        if self._config.option.collectonly:
            return
        terminalreporter.section("mockvoice coverage")
        terminalreporter.write_line(render(self._coverage))
        if self._shortfall:
            terminalreporter.write_line(f"FAILED: {self._shortfall}", red=True)

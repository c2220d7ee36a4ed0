"""Pytest plugin for `--mockvoice-upstream`: differences between live services and the mock."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

import pytest

from .client.control import Control
from .config.settings import pair
from .differences import merge, render
from .models import Differences

_OUTPUT = "mockvoice_differences"  # in what an xdist worker sends to the main process


class DifferencesReport:
    """Collects the differences of all servers, those of xdist workers included, and reports them.

    `upstream` are the URLs of the live services by provider, from texts such as `telnyx=URL`.
    """

    def __init__(self, config: pytest.Config, upstream: Iterable[str]) -> None:
        self._config = config
        try:
            self.upstream: Mapping[str, str] = dict(map(pair, upstream))
        except ValueError as error:
            raise pytest.UsageError(
                f"--mockvoice-upstream must be NAME=URL, such as"
                f" telnyx=https://api.telnyx.com/v2; got {error}"
            ) from None
        self._differences = merge([])

    def add(self, control: Control) -> None:
        """Add the differences of a sandbox, or of a server."""
        self._add(control.differences())

    def _add(self, differences: Differences) -> None:
        self._differences = merge([self._differences, differences])

    @pytest.hookimpl(optionalhook=True)
    def pytest_testnodedown(self, node: Any) -> None:
        """Add the differences of an xdist worker; one that crashed sends none."""
        output = getattr(node, "workeroutput", {})
        if _OUTPUT in output:
            self._add(Differences.of(output[_OUTPUT]))

    @pytest.hookimpl(trylast=True)  # after the teardown of the server
    def pytest_sessionfinish(self) -> None:
        """Send the differences to the main process."""
        if hasattr(self._config, "workeroutput"):
            self._config.workeroutput[_OUTPUT] = self._differences.described()

    def pytest_terminal_summary(self, terminalreporter: pytest.TerminalReporter) -> None:
        """Print the differences after the results of the tests."""
        if not self._config.option.collectonly:
            terminalreporter.section("mockvoice differences")
            terminalreporter.write_line(render(self._differences))

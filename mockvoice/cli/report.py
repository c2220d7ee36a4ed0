"""Command `report`: the contract coverage of a server, or its differences from live services."""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING, get_args

from .commands import Command, UsageError, add_server_arguments, fail, with_sandbox

if TYPE_CHECKING:
    from ..client.control import Control


@with_sandbox
def report(control: Control, options: argparse.Namespace) -> int:
    """Show the operations, documented statuses and fault kinds that your tests have exercised.

    The percentage is the share of the documented statuses of all called operations that a request
    got, from any cause. Counts the requests to all sandboxes since the server started, whether they
    were reset or deleted since; with --sandbox, those to one.

    With --differences, show what the mock would have responded differently than the live services
    of `serve --upstream`, to the requests in the journal.
    """
    from .. import coverage

    if options.differences:
        return _report_differences(control, options)
    if options.fail_on:
        raise UsageError("--fail-on needs --differences")
    if options.clear:
        if options.min is not None:
            raise UsageError("--clear deletes the coverage; it cannot be combined with --min")
        control.request("DELETE", "/coverage")
        return 0
    covered = control.coverage(all=options.all)
    print(coverage.render(covered, options.format, options.min))
    failure = "" if options.min is None else coverage.shortfall(covered, options.min)
    return fail(failure) if failure else 0


def _report_differences(control: Control, options: argparse.Namespace) -> int:
    from .. import differences

    if options.clear or options.all or options.min is not None:
        raise UsageError("--differences cannot be combined with --clear, --all or --min")
    if options.format not in get_args(differences.DifferencesFormat):
        raise UsageError(f"--differences has no format {options.format}")
    found = control.differences()
    print(differences.render(found, options.format))
    failure = differences.failure(found, options.fail_on) if options.fail_on else ""
    return fail(failure) if failure else 0


def _percentage(text: str) -> float:
    from ..coverage import percentage

    try:
        return percentage(text)
    except ValueError as error:
        raise argparse.ArgumentTypeError(str(error)) from None


def _add_report_arguments(parser: argparse.ArgumentParser) -> None:
    from ..fields import CoverageFormat

    add_server_arguments(parser)
    parser.add_argument(
        "--format",
        choices=get_args(CoverageFormat),
        default="text",
        help="output format: %(choices)s (default: %(default)s)",
    )
    parser.add_argument(
        "--min",
        metavar="PERCENT",
        type=_percentage,
        help="exit with code 1 if the coverage is lower",
    )
    parser.add_argument(
        "--all",
        action="store_true",
        help="count operations that were never called too, and providers that were not used",
    )
    parser.add_argument(
        "--differences",
        action="store_true",
        help="show the differences from the live services instead of the coverage",
    )
    parser.add_argument(
        "--fail-on",
        choices=("status", "shape"),
        help="with --differences, exit with code 1 if a status differs; shape: or a member, a type,"
        " the form of an id or an error code",
    )
    parser.add_argument(
        "--clear", action="store_true", help="begin anew instead of showing the coverage"
    )


COMMANDS = (Command(report, _add_report_arguments, "mockvoice report --format markdown --min 80"),)

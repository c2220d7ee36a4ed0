"""Commands `requests` and `reset`: show the journal, restore the initial state."""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING, get_args

from ..models import Part
from .commands import (
    Command,
    UsageError,
    add_json_argument,
    add_server_arguments,
    print_json,
    with_control,
    with_sandbox,
)

if TYPE_CHECKING:
    from ..client.control import Control

_FILTERS = {  # query parameters of `GET /requests` by flag
    "--provider": "provider",
    "--operation": "operation",
    "--status": "status",
    "--since": "since",
    "--limit": "limit",
    "--internal-errors": "internal_error",
}


@with_sandbox
def requests(control: Control, options: argparse.Namespace) -> None:
    """Show received requests with their responses and violations, oldest first."""
    from .. import report
    from ..models import RecordedRequest, RecordedRequests

    flags = [flag for flag, name in _FILTERS.items() if getattr(options, name) is not None]
    if options.clear:
        if flags:
            raise UsageError(f"--clear deletes all requests; it cannot be combined with {flags[0]}")
        control.request("DELETE", "/requests")
        return
    scope = control.provider(options.provider) if options.provider else control
    if options.operation:
        scope.check_operation(options.operation)
    query = {_FILTERS[flag]: getattr(options, _FILTERS[flag]) for flag in flags}
    journal = control.request("GET", "/requests", **query)
    if "json" in options:
        print_json(journal)
        return
    entries = RecordedRequests(map(RecordedRequest.of, journal["requests"]), journal["evicted"])
    print(report.summary(entries) if options.short else report.report(entries))


def _add_requests_arguments(parser: argparse.ArgumentParser) -> None:
    add_server_arguments(parser)
    add_json_argument(parser)
    parser.add_argument("--provider", metavar="NAME", help="only requests to this provider")
    parser.add_argument(
        "--operation",
        help="only requests to this operation: an operationId, or 'POST /clone-voice'",
    )
    parser.add_argument("--status", type=int, help="only requests with this response status")
    parser.add_argument(
        "--since", metavar="ID|TIME", help="only requests after this request or time (RFC 3339)"
    )
    parser.add_argument("--limit", metavar="N", type=int, help="only the N most recent requests")
    parser.add_argument(
        "--internal-errors",
        dest="internal_error",
        action="store_const",
        const="true",
        help="only requests that caused an internal error of mockvoice",
    )
    parser.add_argument("--short", action="store_true", help="print one line per request")
    parser.add_argument(
        "--clear", action="store_true", help="delete all requests instead of showing them"
    )


@with_control
def reset(control: Control, options: argparse.Namespace) -> None:
    """Restore the initial state of a sandbox, or parts of it."""
    control.reset(*options.only)


def _add_reset_arguments(parser: argparse.ArgumentParser) -> None:
    add_server_arguments(parser)
    parser.add_argument(
        "--only",
        metavar="PART",
        nargs="+",
        choices=get_args(Part),
        default=(),
        help="reset only these parts: %(choices)s",
    )


COMMANDS = (
    Command(requests, _add_requests_arguments, "mockvoice requests --provider telnyx --status 422"),
    Command(reset, _add_reset_arguments, "mockvoice reset --only faults requests"),
)

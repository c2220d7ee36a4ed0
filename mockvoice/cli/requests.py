"""Commands `requests` and `reset`: show the journal, restore the initial state."""

from __future__ import annotations

import argparse
import json
import os
import re
import sys
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, get_args

from .commands import (
    Command,
    UsageError,
    add_json_argument,
    add_server_arguments,
    check_sandbox,
    print_json,
    print_report,
    with_control,
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


@with_control
def requests(control: Control, options: argparse.Namespace) -> None:
    """Show received requests with their responses and violations, oldest first.

    With --follow, also every later one, once it has ended. Statuses, violations and hints have
    colors on a terminal, unless NO_COLOR is set.
    """
    flags = [flag for flag, name in _FILTERS.items() if getattr(options, name) is not None]
    _check_flags(options, flags)
    if not options.follow:
        check_sandbox(control)
    if options.clear:
        control.request("DELETE", "/requests")
        return
    scope = control.provider(options.provider) if options.provider else control
    if options.operation:
        scope.check_operation(options.operation)
    query = {_FILTERS[flag]: getattr(options, _FILTERS[flag]) for flag in flags}
    if options.follow:
        _follow(control, options, query)
    else:
        _print_journal(control.request("GET", "/requests", **query), options)


def _check_flags(options: argparse.Namespace, filters: list[str]) -> None:
    """Raise UsageError for flags that contradict each other."""
    if options.clear and (others := [*filters, *(["--follow"] if options.follow else [])]):
        raise UsageError(f"--clear deletes all requests; it cannot be combined with {others[0]}")
    if options.all_sandboxes and not options.follow:
        raise UsageError("--all-sandboxes needs --follow")
    if options.all_sandboxes and (given := {"--since", "--limit"}.intersection(filters)):
        raise UsageError(f"--all-sandboxes cannot be combined with {min(given)}")


def _print_journal(journal: Mapping[str, Any], options: argparse.Namespace) -> None:
    from ..models import RecordedRequest, RecordedRequests
    from ..report import report, summary

    if "json" in options:
        print_json(journal)
        return
    entries = RecordedRequests(map(RecordedRequest.of, journal["requests"]), journal["evicted"])
    print_report(summary(entries) if options.short else report(entries))


def _follow(control: Control, options: argparse.Namespace, query: dict[str, Any]) -> None:
    """Print the journal, then each event, until the user or the server ends it."""
    from ..client.events import follow

    token = os.environ.get("MOCKVOICE_CONTROL_TOKEN", "")
    filters = {name: text for name, text in query.items() if name not in ("since", "limit")}
    printed = set[tuple[str, str]]()
    if options.all_sandboxes:
        filters |= {"sandbox": "*", "after": "0"}
    elif control.name and control.name not in control.sandboxes:
        print(f"mockvoice: waiting for the sandbox {control.name}", file=sys.stderr)
    for event in follow(control.url, token, filters):
        if event.name == "open" and not options.all_sandboxes:
            # Listed after the stream has begun, so that no request is missing.
            for entry in control.request("GET", "/requests", **query)["requests"]:
                printed.add((entry["id"], entry["at"]))
                _print_entry(entry, options)
        elif event.name == "dropped":
            _print_dropped(event.data["count"], options)
        elif event.name == "cleared":
            _print_cleared(event.data["sandbox"], options)
        elif event.name == "request" and (event.data["id"], event.data["at"]) not in printed:
            _print_entry(event.data, options)


def _print_entry(entry: Mapping[str, Any], options: argparse.Namespace) -> None:
    """Print one journal entry: as lines of text, or as one line of JSON."""
    from ..models import RecordedRequest, RecordedRequests
    from ..report import request_details, summary

    if "json" in options:
        print(json.dumps(entry, ensure_ascii=False), flush=True)
        return
    request = RecordedRequest.of(entry)
    text = (
        summary(RecordedRequests([request]))
        if options.short
        else "\n".join(request_details(request))
    )
    sandbox = f"~{request.sandbox}  " if options.all_sandboxes and request.sandbox else ""
    print_report(f"{sandbox}{text}")


def _print_dropped(count: int, options: argparse.Namespace) -> None:
    if "json" in options:
        print(json.dumps({"dropped": count}), flush=True)
    else:
        print_report(f"({count} request{'s' * (count != 1)} evicted before being shown)")


def _print_cleared(sandbox: str, options: argparse.Namespace) -> None:
    if "json" in options:
        print(json.dumps({"cleared": sandbox}), flush=True)
    else:
        name = f"~{sandbox}  " if options.all_sandboxes and sandbox not in ("", "*") else ""
        print_report(f"{name}(journal cleared)")


def _status(text: str) -> str:
    if not re.fullmatch("[1-5]([0-9][0-9]|xx)", text.lower()):
        raise argparse.ArgumentTypeError(
            f"must be a status such as 404, or a class such as 4xx; got {text!r}"
        )
    return text


def _add_requests_arguments(parser: argparse.ArgumentParser) -> None:
    add_server_arguments(parser)
    add_json_argument(parser)
    parser.add_argument("--provider", metavar="NAME", help="only requests to this provider")
    parser.add_argument(
        "--operation",
        help="only requests to this operation: an operationId, or 'POST /clone-voice'",
    )
    parser.add_argument(
        "--status",
        metavar="STATUS",
        type=_status,
        help="only requests with this response status: 404, or 4xx for all from 400 to 499",
    )
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
    parser.add_argument(
        "--follow", action="store_true", help="also show later requests, until interrupted"
    )
    parser.add_argument(
        "--all-sandboxes", action="store_true", help="follow the requests to all sandboxes"
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
    from ..fields import Part

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
    Command(requests, _add_requests_arguments, "mockvoice requests --follow --status 4xx"),
    Command(reset, _add_reset_arguments, "mockvoice reset --only faults requests"),
)

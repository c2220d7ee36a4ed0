"""The verbs that ask a running server, or put it back to the start."""

from __future__ import annotations

import argparse
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any, get_args

from ..client.models import Part, SampleFormat
from .commands import (
    Command,
    UsageError,
    add_json_argument,
    add_server_arguments,
    fail,
    print_json,
    url,
    with_control,
)

if TYPE_CHECKING:
    from ..client.control import Control

_POLL = 0.1  # seconds between two looks at whether the server is there


# --- is it there? --------------------------------------------------------------------------------


def wait(options: argparse.Namespace) -> int:
    """Wait until a server answers: exit code 0 when it does, 1 when the time is up."""
    where, until = url(options), time.monotonic() + options.timeout
    print(f"waiting for {where}", flush=True)
    while True:
        left = until - time.monotonic()
        try:
            told = _health(where, max(left, _POLL))
        except ConnectionError as error:
            if left <= _POLL:
                return fail(f"{error} (waited {options.timeout:g} s)")
            time.sleep(_POLL)
        else:
            print(_healthy(where, told))
            return 0


def _wait_takes(parser: argparse.ArgumentParser) -> None:
    add_server_arguments(parser)
    _takes_timeout(parser, 30.0)


def health(options: argparse.Namespace) -> int:
    """Tell whether a server is there: exit code 0 and a line, or 1 and why not."""
    where = url(options)
    try:
        told = _health(where, options.timeout)
    except ConnectionError as error:
        return fail(error)
    if "json" in options:
        print_json(told)
    else:
        print(_healthy(where, told))
    return 0


def _health_takes(parser: argparse.ArgumentParser) -> None:
    add_server_arguments(parser)
    _takes_timeout(parser, 5.0)
    add_json_argument(parser)


def _takes_timeout(parser: argparse.ArgumentParser, seconds: float) -> None:
    parser.add_argument(
        "--timeout",
        metavar="SECONDS",
        type=float,
        default=seconds,
        help="after which it is given up (%(default)g)",
    )


def _health(where: str, timeout: float) -> dict[str, Any]:
    from ..client.control import connect

    told: dict[str, Any] = connect(where, timeout).request("GET", "/health")
    return told


def _healthy(where: str, told: dict[str, Any]) -> str:
    return f"mockvoice {told['version']} answers at {where}: {', '.join(told['providers'])}"


# --- what was sent? ------------------------------------------------------------------------------

_FILTERS = ("provider", "operation", "status", "since", "limit", "internal_error")


@with_control
def requests(control: Control, options: argparse.Namespace) -> None:
    """Show what was sent to the providers and what came of it, oldest first."""
    from ..client import report
    from ..client.models import RecordedRequest

    wanted = {name: value for name in _FILTERS if (value := getattr(options, name)) is not None}
    if options.clear:
        if wanted:
            raise UsageError(
                f"--clear forgets all requests; it goes without --{next(iter(wanted))}"
            )
        control.request("DELETE", "/requests")
        return
    scope = control.provider(options.provider) if options.provider else control
    if options.operation:
        scope.check_operation(options.operation)
    told = control.request("GET", "/requests", **wanted)
    if "json" in options:
        print_json(told)
        return
    if told["evicted"]:
        print(f"({told['dropped']} older ones were dropped)")
    found = map(RecordedRequest.of, told["requests"])
    print(report.short(found) if options.short else report.report(found))


def _requests_takes(parser: argparse.ArgumentParser) -> None:
    add_server_arguments(parser)
    add_json_argument(parser)
    parser.add_argument("--provider", metavar="NAME", help="to this one")
    parser.add_argument("--operation", help="to this one: an operationId, or 'POST /clone-voice'")
    parser.add_argument("--status", type=int, help="answered so")
    parser.add_argument("--since", metavar="ID|TIME", help="after this request, or this moment")
    parser.add_argument("--limit", metavar="N", type=int, help="the newest so many")
    parser.add_argument(
        "--internal-errors",
        dest="internal_error",
        action="store_const",
        const="true",
        help="at which mockvoice itself failed",
    )
    parser.add_argument("--short", action="store_true", help="a line for each")
    parser.add_argument("--clear", action="store_true", help="show nothing, and forget them all")


# --- begin anew ----------------------------------------------------------------------------------


@with_control
def reset(control: Control, options: argparse.Namespace) -> None:
    """Put a sandbox back to the start, or parts of it."""
    control.reset(*options.only)


def _reset_takes(parser: argparse.ArgumentParser) -> None:
    add_server_arguments(parser)
    parser.add_argument(
        "--only", metavar="PART", nargs="+", choices=get_args(Part), default=(), help="%(choices)s"
    )


# --- samples -------------------------------------------------------------------------------------


@with_control
def sample(control: Control, options: argparse.Namespace) -> None:
    """Make a valid voice sample, in a file or on standard output."""
    if options.output is None and sys.stdout.isatty():
        raise UsageError("sound is nothing for a terminal; name a file with -o, or use a pipe")
    sound = control.sample(options.format, seconds=options.seconds, voice=options.voice)
    if options.output is None:
        sys.stdout.buffer.write(sound)
        return
    try:
        Path(options.output).write_bytes(sound)
    except OSError as error:
        raise UsageError(f"cannot write {options.output}: {error.strerror}") from None


def _sample_takes(parser: argparse.ArgumentParser) -> None:
    add_server_arguments(parser)
    formats = get_args(SampleFormat)
    parser.add_argument("format", metavar="FORMAT", choices=formats, help="%(choices)s")
    parser.add_argument("-o", "--output", metavar="FILE", help="standard output unless given")
    parser.add_argument(
        "--seconds", type=float, default=6.0, help="how long it plays (%(default)g)"
    )
    parser.add_argument("--voice", metavar="NAME", help="whose sound it is; each has its own")


COMMANDS = (
    Command(wait, _wait_takes, "mockvoice wait --timeout 60"),
    Command(health, _health_takes, "mockvoice health --url http://127.0.0.1:4010"),
    Command(requests, _requests_takes, "mockvoice requests --provider telnyx --status 422"),
    Command(reset, _reset_takes, "mockvoice reset --only faults requests"),
    Command(sample, _sample_takes, "mockvoice sample wav --seconds 3 -o sample.wav"),
)

"""Commands `wait` and `health`: check that a server is running."""

from __future__ import annotations

import argparse
import time
from typing import Any

from .commands import (
    Command,
    add_json_argument,
    add_server_arguments,
    fail,
    print_json,
    sandbox_url,
)

_POLL_INTERVAL = 0.1  # seconds


def wait(options: argparse.Namespace) -> int:
    """Wait until a server is ready.

    Exits with 0 as soon as it responds, or with 1 after the timeout.
    """
    url, deadline = sandbox_url(options), time.monotonic() + options.timeout
    print(f"waiting for {url}", flush=True)
    while True:
        remaining = deadline - time.monotonic()
        try:
            status = _health(url, max(remaining, _POLL_INTERVAL))
        except ConnectionError as error:
            if remaining <= _POLL_INTERVAL:
                return fail(f"{error} (waited {options.timeout:g} s)")
            time.sleep(_POLL_INTERVAL)
        else:
            print(_ready(url, status))
            return 0


def _add_wait_arguments(parser: argparse.ArgumentParser) -> None:
    add_server_arguments(parser)
    _add_timeout_argument(parser, 30.0)


def health(options: argparse.Namespace) -> int:
    """Check once that a server is ready: exit code 0 if it is, otherwise 1 and the reason."""
    url = sandbox_url(options)
    try:
        status = _health(url, options.timeout)
    except ConnectionError as error:
        return fail(error)
    if "json" in options:
        print_json(status)
    else:
        print(_ready(url, status))
    return 0


def _add_health_arguments(parser: argparse.ArgumentParser) -> None:
    add_server_arguments(parser)
    _add_timeout_argument(parser, 5.0)
    add_json_argument(parser)


def _add_timeout_argument(parser: argparse.ArgumentParser, default: float) -> None:
    parser.add_argument(
        "--timeout",
        metavar="SECONDS",
        type=float,
        default=default,
        help="give up after this time (default: %(default)g)",
    )


def _health(url: str, timeout: float) -> dict[str, Any]:
    from ..client.control import connect

    status: dict[str, Any] = connect(url, timeout).request("GET", "/health")
    return status


def _ready(url: str, status: dict[str, Any]) -> str:
    return f"mockvoice {status['version']} is ready at {url}: {', '.join(status['providers'])}"


COMMANDS = (
    Command(wait, _add_wait_arguments, "mockvoice wait --timeout 60"),
    Command(health, _add_health_arguments, "mockvoice health --url http://127.0.0.1:4010"),
)

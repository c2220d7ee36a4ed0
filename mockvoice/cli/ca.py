"""Command `ca`: the certificate that clients of TLS have to trust."""

from __future__ import annotations

import argparse
import sys
from typing import TYPE_CHECKING, get_args

from .commands import Command, UsageError, add_server_arguments, with_control, write_output

if TYPE_CHECKING:
    from ..client.control import Control


@with_control
def ca(control: Control, options: argparse.Namespace) -> None:
    """Write the certificate of a server's CA to a file or to standard output.

    Clients that trust it reach the mock with https. The private key never leaves the server.
    """
    if options.format == "p12" and options.output is None and sys.stdout.isatty():
        raise UsageError("refusing to write a trust store to a terminal; use -o FILE or a pipe")
    write_output(options.output, control.ca(options.format))


def _add_arguments(parser: argparse.ArgumentParser) -> None:
    from ..fields import CAFormat

    add_server_arguments(parser)
    parser.add_argument(
        "-o", "--output", metavar="FILE", help="file to write (default: standard output)"
    )
    parser.add_argument(
        "--format",
        choices=get_args(CAFormat),
        default="pem",
        help="pem: for most clients; p12: a trust store for Java (default: %(default)s)",
    )


COMMANDS = (Command(ca, _add_arguments, "mockvoice ca -o ca.pem"),)

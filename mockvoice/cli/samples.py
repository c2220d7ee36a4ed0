"""Command `sample`: generate a voice sample."""

from __future__ import annotations

import argparse
import sys
from typing import TYPE_CHECKING, get_args

from .commands import Command, UsageError, add_server_arguments, with_control, write_output

if TYPE_CHECKING:
    from ..client.control import Control


@with_control
def sample(control: Control, options: argparse.Namespace) -> None:
    """Generate a valid voice sample and write it to a file or to standard output."""
    if options.output is None and sys.stdout.isatty():
        raise UsageError("refusing to write audio to a terminal; use -o FILE or a pipe")
    audio = control.sample(options.format, seconds=options.seconds, voice=options.voice)
    write_output(options.output, audio)


def _add_arguments(parser: argparse.ArgumentParser) -> None:
    from ..fields import SampleFormat

    add_server_arguments(parser)
    formats = get_args(SampleFormat)
    parser.add_argument("format", metavar="FORMAT", choices=formats, help="%(choices)s")
    parser.add_argument(
        "-o", "--output", metavar="FILE", help="file to write (default: standard output)"
    )
    parser.add_argument(
        "--seconds", type=float, default=6.0, help="duration of the sample (default: %(default)g)"
    )
    parser.add_argument(
        "--voice", metavar="NAME", help="name of the voice; each voice has its own sound"
    )


COMMANDS = (Command(sample, _add_arguments, "mockvoice sample wav --seconds 3 -o sample.wav"),)

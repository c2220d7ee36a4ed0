"""Command `validate`: check a configuration file."""

from __future__ import annotations

import argparse
import sys

from ..config.settings import SettingsError
from .commands import Command, add_provider_argument, providers


def validate(options: argparse.Namespace) -> int:
    """Check a configuration file.

    Exits with 0 if `serve` accepts the file, otherwise with 1 and one line per error.
    """
    from ..config.file import read, summary

    try:
        settings = read(options.file, providers(options))
    except SettingsError as error:
        print(error, file=sys.stderr)
        return 1
    print(f"{options.file}: ok ({summary(settings)})")
    return 0


def _add_arguments(parser: argparse.ArgumentParser) -> None:
    add_provider_argument(parser)
    parser.add_argument("file", metavar="FILE")


COMMANDS = (Command(validate, _add_arguments, "mockvoice validate mockvoice.yaml"),)

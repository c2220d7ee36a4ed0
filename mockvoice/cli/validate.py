"""The verb that checks a configuration file."""

from __future__ import annotations

import argparse
import sys

from ..config.settings import SettingsError
from .commands import Command, add_provider_argument, providers


def validate(options: argparse.Namespace) -> int:
    """Check a configuration file.

    Ends with 0 where serve can use it, else with 1 and a line for each thing that is wrong.
    """
    from ..config.file import read, summary

    try:
        found = read(options.file, providers(options))
    except SettingsError as error:
        print(error, file=sys.stderr)
        return 1
    print(f"{options.file}: ok ({summary(found)})")
    return 0


def _takes(parser: argparse.ArgumentParser) -> None:
    add_provider_argument(parser)
    parser.add_argument("file", metavar="FILE")


COMMANDS = (Command(validate, _takes, "mockvoice validate mockvoice.yaml"),)

"""The verb that checks a configuration file."""

from __future__ import annotations

import argparse
import sys

from ..settings import SettingsError
from .verb import Verb, providers, takes_providers


def validate(options: argparse.Namespace) -> int:
    """Check a configuration file.

    Ends with 0 where serve can use it, else with 1 and a line for each thing that is wrong.
    """
    from ..config import read, told

    try:
        found = read(options.file, providers(options))
    except SettingsError as error:
        print(error, file=sys.stderr)
        return 1
    print(f"{options.file}: ok ({told(found)})")
    return 0


def _takes(parser: argparse.ArgumentParser) -> None:
    takes_providers(parser)
    parser.add_argument("file", metavar="FILE")


VERBS = (Verb(validate, _takes, "mockvoice validate mockvoice.yaml"),)

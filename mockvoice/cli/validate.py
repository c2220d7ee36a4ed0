"""Command `validate`: check a configuration file or a recording."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from ..config.settings import SettingsError
from .commands import Command, add_provider_argument, providers

if TYPE_CHECKING:
    from ..provider import Provider


def validate(options: argparse.Namespace) -> int:
    """Check a configuration file, or a recording for --replay.

    Exits with 0 if `serve` accepts the file, otherwise with 1 and one line per error.
    """
    try:
        found = _recording(options) or _configuration(options)
    except SettingsError as error:
        print(error, file=sys.stderr)
        return 1
    print(f"{options.file}: ok ({found})")
    return 0


def _configuration(options: argparse.Namespace) -> str:
    from ..config.file import read, summary

    return summary(read(options.file, providers(options)))


def _recording(options: argparse.Namespace) -> str:
    """Return the summary of a recording, "" for a file that is none. Raises SettingsError."""
    from ..upstream import recording

    try:
        text = Path(options.file).read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError):
        return ""  # reported as a configuration file
    if not recording.is_recording(text):
        return ""
    exchanges = recording.load(options.file)
    served = [*providers(options)]
    for edition in dict.fromkeys(exchange.data.get("edition", "") for exchange in exchanges):
        own = [one for one in exchanges if one.data.get("edition", "") == edition]
        recording.check(options.file, own, [_selected(one, edition) for one in served])
    return recording.summary(exchanges)


def _selected(provider: Provider, edition: str) -> Provider:
    """Return the provider in an edition, if it has it."""
    return provider.select(edition) if edition in provider.editions else provider


def _add_arguments(parser: argparse.ArgumentParser) -> None:
    add_provider_argument(parser)
    parser.add_argument("file", metavar="FILE")


COMMANDS = (Command(validate, _add_arguments, "mockvoice validate mockvoice.yaml"),)

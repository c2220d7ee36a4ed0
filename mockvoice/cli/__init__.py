"""Command line interface: each command is a function with its argument definitions."""

from __future__ import annotations

import argparse
import io
import os
import sys
from collections.abc import Sequence
from pathlib import Path

from .. import __version__
from ..config.settings import SettingsError
from ..errors import StoreUnavailable
from ..openapi.normalize import ContractError
from . import (
    ca,
    contracts,
    diff,
    faults,
    health,
    report,
    requests,
    samples,
    sandboxes,
    serve,
    state,
    transfer,
    validate,
)
from .commands import Command, UsageError

COMMANDS: tuple[Command, ...] = (
    *serve.COMMANDS,
    *validate.COMMANDS,
    *contracts.COMMANDS,
    *diff.COMMANDS,
    *health.COMMANDS,
    *requests.COMMANDS,
    *report.COMMANDS,
    *samples.COMMANDS,
    *ca.COMMANDS,
    *faults.COMMANDS,
    *state.COMMANDS,
    *sandboxes.COMMANDS,
    *transfer.COMMANDS,
)


def main(arguments: Sequence[str] | None = None) -> int:
    """Run a command and return its exit code: 0 success, 1 negative result, 2 usage error."""
    arguments = sys.argv[1:] if arguments is None else arguments
    for name in ("stdout", "stderr"):  # None if the shell has closed it: `>&-`
        if getattr(sys, name) is None:
            setattr(sys, name, Path(os.devnull).open("w"))  # noqa: SIM115 - open until the end
    options = _parser(arguments).parse_args(arguments)
    if isinstance(sys.stdout, io.TextIOWrapper):  # escape characters that a terminal cannot show
        sys.stdout.reconfigure(errors="backslashreplace")
    try:
        code: int = options.run(options)
        sys.stdout.flush()
    except BrokenPipeError:  # the reader, such as `head`, closed our output
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0
    except KeyboardInterrupt:
        return 130
    except StoreUnavailable as error:
        print(f"mockvoice: {error}", file=sys.stderr)
        return 1
    except (UsageError, SettingsError, ContractError, OSError) as error:
        for line in str(error).splitlines():
            print(f"mockvoice: {line}", file=sys.stderr)
        return 2
    return code


def _parser(arguments: Sequence[str]) -> argparse.ArgumentParser:
    """Build the parser for a command line.

    It knows the command that the command line begins with, or all commands if there is no such
    command. Those that are not named get no arguments: defining all sixty takes longer than most
    commands run.
    """
    named = [command for command in COMMANDS if command.name.split()[0] in arguments[:1]]
    parser = argparse.ArgumentParser(
        prog="mockvoice",
        description="A local mock server for four voice-cloning APIs.",
        epilog="Run `mockvoice COMMAND --help` for details. Exit codes: 0 success,"
        " 1 negative result, 2 usage error.",
    )
    parser.add_argument("--version", action="version", version=f"mockvoice {__version__}")
    parsers = {"": parser}
    groups = {"": parser.add_subparsers(metavar="COMMAND", required=True)}
    for command in named or COMMANDS:
        group, _, word = command.name.rpartition(" ")
        if group not in groups:
            groups[group] = parsers[group].add_subparsers(metavar="COMMAND")
        parsers[command.name] = groups[group].add_parser(
            word,
            help=command.help,
            description=command.description,
            epilog=f"example: {command.example}",
            allow_abbrev=False,  # a new flag must not change the meaning of existing scripts
        )
        if all(part in arguments for part in command.name.split()):
            command.add_arguments(parsers[command.name])
        parsers[command.name].set_defaults(run=command.run)
    return parser

"""The command line: one plain function for each verb, and beside it what the verb takes."""

from __future__ import annotations

import argparse
import io
import os
import sys
from collections.abc import Collection, Sequence

from .. import __version__
from ..config.settings import SettingsError
from ..openapi.normalize import ContractError
from . import contracts, faults, serve, server, validate
from .commands import Command, UsageError

COMMANDS: tuple[Command, ...] = (
    *serve.COMMANDS,
    *validate.COMMANDS,
    *contracts.COMMANDS,
    *server.COMMANDS,
    *faults.COMMANDS,
)


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command; its exit code: 0 well, 1 the answer is no, 2 used wrongly."""
    given = sys.argv[1:] if arguments is None else arguments
    options = _parser({*given}).parse_args(given)
    if isinstance(sys.stdout, io.TextIOWrapper):  # what a terminal cannot show is shown somehow
        sys.stdout.reconfigure(errors="backslashreplace")
    try:
        code: int = options.run(options)
        sys.stdout.flush()
    except BrokenPipeError:  # who read the output has had enough
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0
    except KeyboardInterrupt:
        return 130
    except (UsageError, SettingsError, ContractError, OSError) as error:
        for line in str(error).splitlines():
            print(f"mockvoice: {line}", file=sys.stderr)
        return 2
    return code


def _parser(words: Collection[str]) -> argparse.ArgumentParser:
    """The parser of a command that has these words: a verb that is not one of them takes nothing.

    To tell argparse of sixty flags takes longer than most verbs do.
    """
    parser = argparse.ArgumentParser(
        prog="mockvoice",
        description="A local server that behaves like four voice-cloning APIs.",
        epilog="`mockvoice COMMAND --help` tells more. Exit codes: 0 well, 1 the answer is no,"
        " 2 used wrongly.",
    )
    parser.add_argument("--version", action="version", version=f"mockvoice {__version__}")
    made = {"": parser}
    below = {"": parser.add_subparsers(metavar="COMMAND", required=True)}
    for command in COMMANDS:
        above, _, word = command.name.rpartition(" ")
        if above not in below:
            below[above] = made[above].add_subparsers(metavar="COMMAND")
        made[command.name] = below[above].add_parser(
            word,
            help=command.help,
            description=command.description,
            epilog=f"example: {command.example}",
            allow_abbrev=False,  # a script is to mean the same with the flags of tomorrow
        )
        if all(each in words for each in command.name.split()):
            command.add_arguments(made[command.name])
        made[command.name].set_defaults(run=command.run)
    return parser

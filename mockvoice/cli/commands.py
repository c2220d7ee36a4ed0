"""What a verb of the command line is, and what several of them have in common."""

from __future__ import annotations

import argparse
import json
import os
import sys
from collections.abc import Callable
from functools import wraps
from inspect import cleandoc
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from ..config.settings import file_in_use, load

if TYPE_CHECKING:
    from ..client.control import Control
    from ..provider import Provider

# What else is needed is imported late: `mockvoice health` runs every few seconds in a container.


class UsageError(ValueError):
    """A command that cannot be meant."""


class Command(NamedTuple):
    """What a verb does, what it takes, and a line to copy; name and help are those of `run`.

    `run` returns the exit code, 0 or 1 (the answer is no); what it raises ends with 2.
    """

    run: Callable[[argparse.Namespace], int]
    add_arguments: Callable[[argparse.ArgumentParser], None]
    example: str

    @property
    def name(self) -> str:
        """Its words: `faults add`."""
        return self.run.__name__.replace("_", " ")

    @property
    def description(self) -> str:
        """All that there is to say of it."""
        return cleandoc(self.run.__doc__ or "")

    @property
    def help(self) -> str:
        """Its one sentence, without the full stop."""
        return self.description.split("\n\n")[0].replace("\n", " ").removesuffix(".")


def add_server_arguments(parser: argparse.ArgumentParser) -> None:
    """Which server, and which of its sandboxes."""
    # Without defaults: those of `faults add` would hide what was given to `faults`.
    parser.add_argument(
        "--url",
        default=argparse.SUPPRESS,
        help="where the server is (MOCKVOICE_URL, else at the port that `serve` would take here)",
    )
    parser.add_argument(
        "--sandbox",
        metavar="NAME",
        default=argparse.SUPPRESS,
        help="one of its sandboxes, in place of the default one",
    )


def add_json_argument(parser: argparse.ArgumentParser) -> None:
    """Whether a machine reads the output."""
    parser.add_argument("--json", action="store_true", default=argparse.SUPPRESS, help="as JSON")


def add_provider_argument(parser: argparse.ArgumentParser) -> None:
    """Which providers there are besides the built-in ones."""
    parser.add_argument(
        "--provider",
        dest="providers",
        metavar="NAME=FILE[:MODULE]",
        action="append",
        default=[],
        help="a provider of your own: acme=acme.yaml, with functions acme=acme.yaml:acme"
        " (may be repeated)",
    )


def url(options: argparse.Namespace) -> str:
    """The address of the sandbox that is meant: `http://127.0.0.1:4010/~name`.

    Raises ConnectionError for what is no URL.
    """
    from ..client.transports import sandbox_path, split_url

    given = getattr(options, "url", "") or os.environ.get("MOCKVOICE_URL")
    server, path = split_url(given or f"http://127.0.0.1:{load({}, file=_port_of_file()).port}")
    return server + (sandbox_path(options.sandbox) if "sandbox" in options else path)


def _port_of_file() -> dict[str, Any]:
    path = file_in_use()
    if not path:
        return {}
    from ..config.yaml import (  # late: few have a file, and YAML takes 50 ms
        UnreadableFile,
        YAMLDocument,
    )

    try:
        found = YAMLDocument.read(path).value
    except UnreadableFile:
        return {}  # no server runs with it; `serve` tells why
    return {"port": found["port"]} if isinstance(found, dict) and "port" in found else {}


def providers(options: argparse.Namespace) -> list[Provider]:
    """All providers, with those of `takes_providers`; their modules may lie where this is run."""
    from ..providers import served

    if options.providers:
        sys.path.insert(0, str(Path.cwd()))
    return served(options.providers)


def with_control(
    run: Callable[[Control, argparse.Namespace], None],
) -> Callable[[argparse.Namespace], int]:
    """A verb that speaks to a running server; no is the answer where it refuses or is not there."""

    @wraps(run)
    def connected(options: argparse.Namespace) -> int:
        from ..client.control import ControlError, connect

        where = url(options)
        try:
            run(connect(where), options)
        except BrokenPipeError:
            raise  # whoever reads our output, not the server
        except (ConnectionError, ControlError) as error:
            return fail(error)
        return 0

    return connected


def fail(reason: object) -> int:
    """Say why the answer is no; its exit code."""
    print(f"mockvoice: {reason}", file=sys.stderr)
    return 1


def print_json(value: Any) -> None:
    """Print what a machine is to read; a person can."""
    print(json.dumps(value, indent=2, ensure_ascii=False))

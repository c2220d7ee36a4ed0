"""The `Command` type, and arguments and helpers that several commands share."""

from __future__ import annotations

import argparse
import json
import os
import sys
from collections.abc import Callable
from dataclasses import Field
from functools import wraps
from inspect import cleandoc
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from ..config.settings import file_in_use, flag, load, pair, table, variable

if TYPE_CHECKING:
    from ..client.control import Control
    from ..provider import Provider

# The functions import the rest, because `mockvoice health` runs every few seconds in a container.


_SHOWN = 20  # sandboxes in a message


class UsageError(ValueError):
    """Arguments that contradict each other or cannot be used."""


class Command(NamedTuple):
    """A command: its function, its arguments, and an example; `run` provides name and help.

    `run` returns the exit code, 0 or 1. Exceptions that `main` handles exit with 2.
    """

    run: Callable[[argparse.Namespace], int]
    add_arguments: Callable[[argparse.ArgumentParser], None]
    example: str

    @property
    def name(self) -> str:
        """The words of the command: `faults add`."""
        return self.run.__name__.rstrip("_").replace("_", " ")

    @property
    def description(self) -> str:
        """The full help text."""
        return cleandoc(self.run.__doc__ or "")

    @property
    def help(self) -> str:
        """The summary line of the help text, without the full stop."""
        return self.description.split("\n\n")[0].replace("\n", " ").removesuffix(".")


def add_server_arguments(parser: argparse.ArgumentParser) -> None:
    """Add `--url` and `--sandbox`."""
    # Without defaults, because those of `faults add` would override the flags of `faults`.
    parser.add_argument(
        "--url",
        default=argparse.SUPPRESS,
        help="URL of the server (default: MOCKVOICE_URL, or the port that `serve` would use here)",
    )
    parser.add_argument(
        "--sandbox",
        metavar="NAME",
        default=argparse.SUPPRESS,
        help="use this sandbox instead of the default one",
    )


def add_json_argument(parser: argparse.ArgumentParser) -> None:
    """Add `--json`."""
    parser.add_argument("--json", action="store_true", default=argparse.SUPPRESS, help="print JSON")


def add_provider_argument(parser: argparse.ArgumentParser) -> None:
    """Add `--provider` for providers other than the built-in ones."""
    parser.add_argument(
        "--provider",
        dest="providers",
        metavar="NAME=FILE[:MODULE]",
        action="append",
        default=[],
        help="add a provider: acme=acme.yaml, or acme=acme.yaml:acme with the handlers of a module"
        " (repeatable)",
    )


def add_contract_arguments(parser: argparse.ArgumentParser) -> None:
    """Add `--edition` and `--contract`, which `serve` has as settings."""
    for setting in _contract_settings():
        parser.add_argument(
            flag(setting),
            dest=setting.name,
            metavar="NAME=VALUE",
            type=name_and_value,
            action="append",
            default=argparse.SUPPRESS,
            help=f"{setting.metadata['help']} ({variable(setting)})",
        )


def _contract_settings() -> list[Field[Any]]:
    """Return the settings that select contracts."""
    return [setting for setting in table() if setting.name in ("edition", "contracts")]


def name_and_value(text: str) -> tuple[str, str]:
    """Return the parts of `NAME=VALUE`."""
    try:
        return pair(text)
    except ValueError:
        raise argparse.ArgumentTypeError(f"must be NAME=VALUE; got {text!r}") from None


def sandbox_url(options: argparse.Namespace) -> str:
    """Return the URL of the selected sandbox: `http://127.0.0.1:4010/~name`.

    Raises ConnectionError for an invalid URL.
    """
    from ..client.transports import sandbox_path, split_url

    url = getattr(options, "url", "") or os.environ.get("MOCKVOICE_URL")
    server, path = split_url(url or f"http://127.0.0.1:{load({}, file=_port_from_file()).port}")
    return server + (sandbox_path(options.sandbox) if "sandbox" in options else path)


def _port_from_file() -> dict[str, Any]:
    path = file_in_use()
    if not path:
        return {}
    from ..config.yaml import (  # here: the YAML parser takes 50 ms to import, and few use a file
        UnreadableFile,
        YAMLDocument,
    )

    try:
        settings = YAMLDocument.read(path, os.environ).value
    except UnreadableFile:
        return {}  # no server can use this file; `serve` reports the error
    if isinstance(settings, dict) and "port" in settings:
        return {"port": settings["port"]}
    return {}


def selected_providers(options: argparse.Namespace) -> list[Provider]:
    """Return all providers, each in the edition that flags and variables select.

    Raises SettingsError or ContractError.
    """
    from ..mock import Mock

    names = [setting.name for setting in _contract_settings() if setting.name in options]
    settings = load({name: getattr(options, name) for name in names})
    return [*Mock(settings, providers(options)).providers.values()]


def providers(options: argparse.Namespace) -> list[Provider]:
    """Return all providers; modules of `--provider` may be in the current directory."""
    from ..providers import served

    if options.providers:
        sys.path.insert(0, str(Path.cwd()))
    return served(options.providers)


def with_control(
    run: Callable[[Control, argparse.Namespace], int | None],
) -> Callable[[argparse.Namespace], int]:
    """Wrap a command that needs a running server; exit code 1 if it is missing or refuses.

    The command returns its exit code, or None for success.
    """

    @wraps(run)
    def run_connected(options: argparse.Namespace) -> int:
        from ..client.control import ControlError, connect

        url = sandbox_url(options)
        try:
            return run(connect(url), options) or 0
        except BrokenPipeError:
            raise  # from our own output, not from the server
        except (ConnectionError, ControlError) as error:
            return fail(error)

    return run_connected


def with_sandbox(
    run: Callable[[Control, argparse.Namespace], int | None],
) -> Callable[[argparse.Namespace], int]:
    """Wrap a command about the state of a sandbox, which has to exist; see `with_control`."""

    @wraps(run)
    def run_checked(control: Control, options: argparse.Namespace) -> int | None:
        check_sandbox(control)
        return run(control, options)

    return with_control(run_checked)


def check_sandbox(control: Control) -> None:
    """Raise ControlError if the sandbox does not exist: most often its name is mistyped."""
    if not control.name or control.name in (names := control.sandboxes):
        return
    from ..client.control import ControlError
    from ..text import did_you_mean

    existing = [name for name in names if name]
    hint = did_you_mean(control.name, existing)
    suggestion = f" ({hint})" if hint else ""
    shown = ", ".join(existing[-_SHOWN:]) or "none but the default one"
    more = f", and {len(existing) - _SHOWN} older ones" if len(existing) > _SHOWN else ""
    raise ControlError(
        f"there is no sandbox {control.name}{suggestion}; existing sandboxes: {shown}{more}"
    )


def fail(reason: object) -> int:
    """Print a reason to stderr and return exit code 1."""
    print(f"mockvoice: {reason}", file=sys.stderr)
    return 1


def write_output(path: str | None, content: bytes) -> None:
    """Write to a file, or to standard output if there is no path. Raises UsageError."""
    if path is None:
        sys.stdout.buffer.write(content)
        return
    try:
        Path(path).write_bytes(content)
    except OSError as error:
        raise UsageError(f"cannot write {path}: {error.strerror}") from None


def print_report(text: str) -> None:
    """Print a report, in color on a terminal."""
    from ..color import is_colored, paint

    print(paint(text) if is_colored(sys.stdout) else text, flush=True)


def parse_json(text: str) -> Any:
    """Parse the value of an argument. Raises ArgumentTypeError."""
    try:
        return json.loads(text)
    except ValueError as error:
        raise argparse.ArgumentTypeError(f"invalid JSON {text!r}: {error}") from None


def print_json(value: Any) -> None:
    """Print indented JSON."""
    print(json.dumps(value, indent=2, ensure_ascii=False))

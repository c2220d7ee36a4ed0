"""Command `serve`: run the mock server."""

from __future__ import annotations

import argparse
import signal
import sys
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from ..config.settings import FILE, file_in_use, is_flag, kinds, load, table, variable
from .commands import Command, add_provider_argument, providers

if TYPE_CHECKING:
    from ..provider import Provider


def serve(options: argparse.Namespace) -> int:
    """Serve all providers until stopped.

    Prints name, base URL and authentication header of each provider. Every setting is also an
    environment variable (MOCKVOICE_PORT) and a key of the YAML file. Flags override environment
    variables, which override the file.
    """
    # First of all: the kernel drops signals to PID 1 of a container that it does not handle.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
    from ..http.server import Server, bind
    from ..mock import Mock

    arguments = vars(options)
    names = [setting.name for setting in table() if setting.name in arguments]
    served = providers(options)
    file = _read_file(options.config, served)
    settings = load({name: arguments[name] for name in names}, file=file)
    mock = Mock(settings, served)
    server = Server(mock, bind(settings.host, settings.port))
    if not options.quiet:
        for provider in mock.providers.values():
            operation = next(iter(provider.document.operations.values()))
            credential = operation.security.example if operation.security else ""
            print(f"{provider.name:<10} {server.url}{provider.base_path:<14} {credential}".rstrip())
        print(f"{'mockvoice':<10} {server.url}{mock.control.base_path}")
    sys.stdout.flush()
    server.serve_forever()
    return 0


def _read_file(path: str | None, providers: list[Provider]) -> Mapping[str, Any]:
    """Read the configuration file, if there is one, and report that it is used."""
    path = path or file_in_use()
    if not path:
        return {}
    from ..config.file import read, summary

    settings = read(path, providers)
    print(f"mockvoice: settings are from {path} ({summary(settings)})", file=sys.stderr)
    return settings


def _add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--config",
        metavar="FILE",
        help=f"YAML configuration file (default: MOCKVOICE_CONFIG, or {FILE} if it exists)",
    )
    parser.add_argument("--quiet", action="store_true", help="do not print the providers")
    add_provider_argument(parser)
    for setting in filter(is_flag, table()):
        options: dict[str, Any] = {"type": kinds()[setting.name]}
        if kinds()[setting.name] is bool:
            options = {"action": argparse.BooleanOptionalAction}
        elif setting.metadata["choices"]:
            options["choices"] = setting.metadata["choices"]
        else:
            options["metavar"] = setting.name.upper()
        parser.add_argument(
            "--" + setting.name.replace("_", "-"),
            dest=setting.name,
            default=argparse.SUPPRESS,
            help=f"{setting.metadata['help']} (default: {setting.default}; {variable(setting)})",
            **options,
        )


COMMANDS = (Command(serve, _add_arguments, "mockvoice serve --port 0 --log text"),)

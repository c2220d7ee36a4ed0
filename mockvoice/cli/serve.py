"""The verb that serves."""

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

    Prints a line for each: its name, its base URL, and the header that lets a request in. Every
    setting is also an environment variable (MOCKVOICE_PORT) and a key of a YAML file; the flag
    wins over the variable, that over the file.
    """
    # At once: the first process of a container gets no signal that it does not handle.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
    from ..http.server import Server, bind
    from ..provider import Mock

    given = vars(options)
    flags = {setting.name: given[setting.name] for setting in table() if setting.name in given}
    served = providers(options)
    settings = load(flags, file=_from_file(options.config, served))
    mock = Mock(settings, served)
    server = Server(mock, bind(settings.host, settings.port))
    for provider in () if options.quiet else mock.providers.values():
        operation = next(iter(provider.document.operations.values()))
        credential = operation.credential.example if operation.credential else ""
        print(f"{provider.name:<10} {server.url}{provider.base_path:<14} {credential}".rstrip())
    sys.stdout.flush()
    server.serve_forever()
    return 0


def _from_file(path: str | None, providers: list[Provider]) -> Mapping[str, Any]:
    """What the file says that was named, or that is here; and tell of it, lest it surprises."""
    path = path or file_in_use()
    if not path:
        return {}
    from ..config.file import read, summary

    found = read(path, providers)
    print(f"mockvoice: settings are from {path} ({summary(found)})", file=sys.stderr)
    return found


def _takes(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--config",
        metavar="FILE",
        help=f"YAML file with settings ({FILE} where there is one; MOCKVOICE_CONFIG)",
    )
    parser.add_argument("--quiet", action="store_true", help="print nothing at the start")
    add_provider_argument(parser)
    for setting in filter(is_flag, table()):
        more: dict[str, Any] = {"type": kinds()[setting.name]}
        if kinds()[setting.name] is bool:
            more = {"action": argparse.BooleanOptionalAction}
        elif setting.metadata["choices"]:
            more["choices"] = setting.metadata["choices"]
        else:
            more["metavar"] = setting.name.upper()
        parser.add_argument(
            "--" + setting.name.replace("_", "-"),
            dest=setting.name,
            default=argparse.SUPPRESS,
            help=f"{setting.metadata['help']} ({setting.default}; {variable(setting)})",
            **more,
        )


COMMANDS = (Command(serve, _takes, "mockvoice serve --port 0 --log text"),)

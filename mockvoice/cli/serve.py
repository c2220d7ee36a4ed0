"""Command `serve`: run the mock server."""

from __future__ import annotations

import argparse
import gc
import os
import signal
import sys
from collections.abc import Mapping
from dataclasses import Field
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..config.settings import (
    FILE,
    Settings,
    SettingsError,
    file_in_use,
    flag,
    is_flag,
    is_pairs,
    kinds,
    load,
    table,
    variable,
)
from .commands import Command, add_provider_argument, name_and_value, providers

if TYPE_CHECKING:
    from socket import socket

    from ..mock import Mock
    from ..provider import Provider
    from .reload import Reloader


def serve(options: argparse.Namespace) -> int:
    """Serve all providers until stopped.

    Prints name, base URL and authentication header of each provider. Every setting is also an
    environment variable (MOCKVOICE_PORT) and a key of the YAML file. Flags override environment
    variables, which override the file.
    """
    # First of all: the kernel drops signals to PID 1 of a container that it does not handle.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
    # Until the server runs: what is made at startup lives until the end, and searching it for
    # garbage takes a twentieth of the time.
    gc.disable()
    from ..http.hosts import CONTROL
    from ..http.server import Server, address, bind_all
    from .reload import Reloader

    options.config = options.config or file_in_use()
    mock, files = _load(options)
    settings = mock.settings
    if settings.workers > 1:
        _check_workers(settings)
        mock.ca.generate()
        mock.read_contracts()  # which all processes then share
    reloader = Reloader(mock, files, partial(_load, options)) if options.reload else None
    listeners = bind_all(settings.host, settings.port, settings.workers)
    url = address(listeners[0])
    if not options.quiet:
        for provider in mock.providers.values():
            key = provider.outline.key_example
            line = f"{provider.name:<10} {url}{provider.base_path:<14} {key:<30}"
            print(f"{line} {provider.contract_title}{_live(mock, provider.name)}")
        print(f"{'mockvoice':<10} {url}{CONTROL}")
    sys.stdout.flush()
    worker = 0
    if settings.workers > 1:
        from ..http.workers import supervise

        number = supervise(settings.workers)
        if number is None:
            return 0
        worker = number
    if reloader:
        _serve_and_reload(mock, listeners[0], reloader)
    else:
        Server(mock, listeners[worker]).serve_forever()
    return 0


def _live(mock: Mock, provider: str) -> str:
    """Return where the responses of a provider come from, "" if from the mock."""
    if not mock.live or not (source := mock.live.source(provider)):
        return ""
    return f", {'replayed from' if mock.live.replays(provider) else 'forwarded to'} {source}"


def _serve_and_reload(mock: Mock, listener: socket, reloader: Reloader) -> None:
    """Serve until a signal; when files change, serve the mock that they describe instead."""
    from ..http.server import Server

    following: Mock | None = mock
    while following:
        # The server closes its copy; connections wait at the other one meanwhile.
        following = Server(following, listener.dup()).serve_forever(reloader.poll)
        gc.collect()  # closes connections that were accepted while the server stopped
        if following:
            reloader.report()


def _load(options: argparse.Namespace) -> tuple[Mock, list[Path]]:
    """Return the mock that options, environment and files describe, and these files."""
    from ..mock import Mock

    arguments = vars(options)
    names = [setting.name for setting in table() if setting.name in arguments]
    served = providers(options)
    file = _read_file(options.config, served)
    settings = load({name: arguments[name] for name in names}, file=file)
    if options.reload and (settings.workers > 1 or settings.store != "memory"):
        raise SettingsError("--reload needs --workers 1 and --store memory, whose state it resets")
    mock = Mock(settings, served)
    for provider in mock.providers.values():
        _ = provider.outline  # is read on first use: here, before the port is in use
    contracts = [provider.contract for provider in mock.providers.values() if provider.contract]
    modules = [text.rpartition(":")[2] for text in options.providers if text.endswith(".py")]
    return mock, [
        *([Path(options.config)] if options.config else []),
        *contracts,
        *map(Path, modules),
    ]


def _check_workers(settings: Settings) -> None:
    """Raise SettingsError if several processes would not be one mock."""
    if not hasattr(os, "fork"):
        raise SettingsError("workers must be 1 on this system, which cannot fork processes")
    if settings.store == "memory":
        raise SettingsError(
            f"workers must be 1 with --store memory, which is the memory of one process; got"
            f" {settings.workers}: add --store redis://HOST:6379/0, or remove --workers"
        )


def _read_file(path: str | None, providers: list[Provider]) -> Mapping[str, Any]:
    """Read the configuration file, if there is one, and report that it is used."""
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
    parser.add_argument(
        "--reload",
        action="store_true",
        help="reload the configuration file and contracts when they change; this resets all state",
    )
    parser.add_argument("--quiet", action="store_true", help="do not print the providers")
    add_provider_argument(parser)
    for setting in filter(is_flag, table()):
        options: dict[str, Any] = {"type": kinds()[setting.name]}
        if is_pairs(setting):
            options = {"type": name_and_value, "action": "append", "metavar": "NAME=VALUE"}
        elif kinds()[setting.name] is bool:
            options = {"action": argparse.BooleanOptionalAction}
        elif setting.metadata["choices"]:
            options["choices"] = setting.metadata["choices"]
        else:
            options["metavar"] = setting.name.upper()
        parser.add_argument(
            flag(setting),
            dest=setting.name,
            default=argparse.SUPPRESS,
            help=f"{setting.metadata['help']} ({_default(setting)}{variable(setting)})",
            **options,
        )


def _default(setting: Field[Any]) -> str:
    return "" if is_pairs(setting) else f"default: {setting.default}; "


COMMANDS = (Command(serve, _add_arguments, "mockvoice serve --port 0 --log text"),)

"""The command line."""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Sequence
from typing import Any, get_type_hints

from . import __version__
from .settings import Settings, SettingsError, is_flag, load, table, variable


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command; returns its exit code."""
    parser = _parser()
    options = parser.parse_args(arguments)
    try:
        code: int = options.run(options)
    except (SettingsError, OSError) as error:
        print(f"mockvoice: {error}", file=sys.stderr)
        return 2
    return code


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="mockvoice", description="A local server that behaves like four voice-cloning APIs."
    )
    parser.add_argument("--version", action="version", version=f"mockvoice {__version__}")
    verbs = parser.add_subparsers(metavar="COMMAND", required=True)
    serve = verbs.add_parser(
        "serve",
        help="serve all providers",
        description="Serve all providers until stopped. Every flag is also an environment"
        " variable (MOCKVOICE_PORT) and a key of a YAML file; the flag wins.",
    )
    serve.set_defaults(run=_serve)
    serve.add_argument("--config", metavar="FILE", help="YAML file with settings")
    _add_settings(serve)
    routes = verbs.add_parser("routes", help="list every operation that is served")
    routes.set_defaults(run=_routes)
    return parser


def _routes(options: argparse.Namespace) -> int:
    """Every operation, and whether what it answers depends on what was sent before."""
    from .providers import built_in

    for provider in built_in():
        for operation in provider.document.operations.values():
            path = provider.base_path + operation.path
            remembers = "remembers" if operation.id in provider.remembering else "always the same"
            print(f"{operation.method:<6} {path:<55} {operation.id:<28} {remembers}")
    return 0


def _add_settings(parser: argparse.ArgumentParser) -> None:
    """One flag for each setting that fits one word."""
    kinds = get_type_hints(Settings)
    for setting in table():
        if not is_flag(setting):
            continue
        flag = "--" + setting.name.replace("_", "-")
        more: dict[str, Any] = {"type": kinds[setting.name]}
        if kinds[setting.name] is bool:
            more = {"action": argparse.BooleanOptionalAction}
        elif setting.metadata["choices"]:
            more["choices"] = setting.metadata["choices"]
        else:
            more["metavar"] = setting.name.upper()
        parser.add_argument(
            flag,
            dest=setting.name,
            default=argparse.SUPPRESS,
            help=f"{setting.metadata['help']} ({setting.default}; {variable(setting)})",
            **more,
        )


def _serve(options: argparse.Namespace) -> int:
    from .http.server import Server, bind  # here: the other commands start faster without
    from .provider import Mock
    from .providers import built_in

    given = vars(options)
    flags = {setting.name: given[setting.name] for setting in table() if setting.name in given}
    settings = load(flags, file=options.config or os.environ.get("MOCKVOICE_CONFIG"))
    mock = Mock(settings, built_in())
    server = Server(mock, bind(settings.host, settings.port))
    for provider in mock.providers.values():
        operation = next(iter(provider.document.operations.values()))
        credential = operation.credential.example if operation.credential else ""
        print(f"{provider.name:<10} {server.url}{provider.base_path:<14} {credential}".rstrip())
    sys.stdout.flush()
    server.serve_forever()
    return 0

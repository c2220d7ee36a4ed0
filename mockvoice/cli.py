"""The command line."""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from . import __version__
from .settings import SettingsError, is_flag, kinds, load, table, variable

if TYPE_CHECKING:
    from .provider import Provider

FILE = "mockvoice.yaml"  # read where serve is started


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command; returns its exit code."""
    parser = _parser()
    options = parser.parse_args(arguments)
    try:
        code: int = options.run(options)
    except (SettingsError, OSError) as error:
        for line in str(error).splitlines():
            print(f"mockvoice: {line}", file=sys.stderr)
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
    serve.add_argument(
        "--config",
        metavar="FILE",
        help=f"YAML file with settings ({FILE} where there is one; MOCKVOICE_CONFIG)",
    )
    _add_settings(serve)
    routes = verbs.add_parser("routes", help="list every operation that is served")
    routes.set_defaults(run=_routes)
    validate = verbs.add_parser(
        "validate",
        help="check a configuration file",
        description="Check a configuration file: exit code 0 when serve can use it, else 1 and"
        " a line for each thing that is wrong.",
    )
    validate.set_defaults(run=_validate)
    validate.add_argument("file", metavar="FILE")
    return parser


def _validate(options: argparse.Namespace) -> int:
    from .config import read, told
    from .providers import built_in

    try:
        found = read(options.file, built_in())
    except SettingsError as error:
        print(error, file=sys.stderr)
        return 1
    print(f"{options.file}: ok ({told(found)})")
    return 0


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
    for setting in table():
        if not is_flag(setting):
            continue
        flag = "--" + setting.name.replace("_", "-")
        more: dict[str, Any] = {"type": kinds()[setting.name]}
        if kinds()[setting.name] is bool:
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


def _from_file(path: str | None, providers: list[Provider]) -> Mapping[str, Any]:
    """What the file says that was named, or that is here; and tell of it, lest it surprises."""
    path = path or os.environ.get("MOCKVOICE_CONFIG") or (FILE if Path(FILE).is_file() else None)
    if not path:
        return {}
    from .config import read, told

    found = read(path, providers)
    print(f"mockvoice: settings are from {path} ({told(found)})", file=sys.stderr)
    return found


def _serve(options: argparse.Namespace) -> int:
    from .http.server import Server, bind  # here: the other commands start faster without
    from .provider import Mock
    from .providers import built_in

    given = vars(options)
    flags = {setting.name: given[setting.name] for setting in table() if setting.name in given}
    providers = built_in()
    settings = load(flags, file=_from_file(options.config, providers))
    mock = Mock(settings, providers)
    server = Server(mock, bind(settings.host, settings.port))
    for provider in mock.providers.values():
        operation = next(iter(provider.document.operations.values()))
        credential = operation.credential.example if operation.credential else ""
        print(f"{provider.name:<10} {server.url}{provider.base_path:<14} {credential}".rstrip())
    sys.stdout.flush()
    server.serve_forever()
    return 0

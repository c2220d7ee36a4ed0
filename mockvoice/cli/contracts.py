"""Commands `env`, `routes` and `errors`: describe the providers; no server needed."""

from __future__ import annotations

import argparse
import json
import shlex
import sys
from collections.abc import Collection, Iterator
from itertools import groupby
from pathlib import Path
from typing import TYPE_CHECKING, Any

from .commands import (
    Command,
    UsageError,
    add_contract_arguments,
    add_json_argument,
    add_provider_argument,
    add_server_arguments,
    print_json,
    sandbox_url,
    selected_providers,
    with_control,
    write_output,
)

if TYPE_CHECKING:
    from ..client.control import Control
    from ..openapi.document import Operation
    from ..provider import Provider

_FORMATS = ("shell", "json", "github")


def env(options: argparse.Namespace) -> int:
    """Print environment variables that point SDKs to a server: base URLs and API keys.

    The server need not be running. Use `shell` with eval, and `github` with `>> $GITHUB_ENV`.
    Prints a warning for each provider whose clients read no variable for the base URL. With --proxy
    the variables make the server the proxy of all clients instead, so that they reach it with the
    real URLs; --ca-file needs a running server.
    """
    from ..client.control import environment

    url = sandbox_url(options)
    served = selected_providers(options)
    if options.ca_file and not options.proxy:
        raise UsageError("--ca-file needs --proxy")
    if options.proxy:
        return _proxy_env(options, url, served)
    for provider in served:
        if "base_url" not in provider.env_variables.values():
            print(
                f"mockvoice: warning: clients of {provider.name} read no environment variable for"
                " the base URL; pass it in code:"
                f' {provider.base_url_argument}="{url}{provider.base_path}"',
                file=sys.stderr,
            )
    variables = environment(url, [(item.env_variables, item.base_path) for item in served])
    _print_variables(options.format, variables)
    return 0


def _proxy_env(options: argparse.Namespace, url: str, served: list[Provider]) -> int:
    """Print proxy and CA variables and API keys, and write the file of CAs."""
    from ..client.control import ANY_KEY
    from ..client.intercept import proxy_variables, with_system_roots

    variables = proxy_variables(url, options.ca_file and str(Path(options.ca_file).absolute()))
    for provider in served:
        keys = [name for name, use in provider.env_variables.items() if use == "api_key"]
        variables |= dict.fromkeys(keys, ANY_KEY)

    def run(control: Control, options: argparse.Namespace) -> None:
        write_output(options.ca_file, with_system_roots(control.ca()))

    failed = with_control(run)(options) if options.ca_file else 0
    if not failed:
        _print_variables(options.format, variables)
    return failed


def _print_variables(format: str, variables: dict[str, str]) -> None:
    if format == "json":
        print_json(variables)
        return
    for name, value in variables.items():
        print(f"export {name}={shlex.quote(value)}" if format == "shell" else f"{name}={value}")


def _add_env_arguments(parser: argparse.ArgumentParser) -> None:
    add_server_arguments(parser)
    add_provider_argument(parser)
    add_contract_arguments(parser)
    parser.add_argument(
        "--format",
        choices=_FORMATS,
        default="shell",
        help="output format: %(choices)s (default: %(default)s)",
    )
    parser.add_argument(
        "--proxy", action="store_true", help="make the server the proxy of all clients"
    )
    parser.add_argument(
        "--ca-file",
        metavar="FILE",
        help="with --proxy: write the CAs of the system and that of the server to this file, and"
        " print the variables that make clients trust it",
    )


def routes(options: argparse.Namespace) -> int:
    """List all operations and whether their responses depend on earlier requests."""
    from ..control.api import OPEN
    from ..mock import control_document

    control = control_document()
    operations = []
    if options.name != control.name:
        operations = [
            _route(provider.name, provider.base_path, operation, provider.stateful_operations)
            for provider, operation in _operations(options, selected_providers(options))
        ]
    if options.name in (None, control.name):
        changing = control.operations.keys() - OPEN.keys()
        operations += [
            _route(control.name, control.base_path, operation, changing)
            for operation in control.operations.values()
        ]
    if "json" in options:
        print_json({"routes": operations})
        return 0
    for route in operations:
        stateful = "stateful" if route["stateful"] else "stateless"
        print(f"{route['method']:<6} {route['path']:<55} {route['operation']:<28} {stateful}")
    return 0


def _route(
    name: str, base_path: str, operation: Operation, stateful: Collection[str]
) -> dict[str, Any]:
    return {
        **_identify(name, base_path, operation),
        "summary": operation.summary,
        "statuses": [*operation.responses],
        "stateful": operation.id in stateful,
    }


def errors(options: argparse.Namespace) -> int:
    """List all documented errors of all operations and how to provoke them.

    Some errors depend on the account: change it with PUT /__mockvoice/accounts/PROVIDER/KEY. Errors
    that no request provokes can be injected with a request header or with `mockvoice faults add`.
    """
    from ..documented_errors import documented_errors

    served = selected_providers(options)
    listed = [
        {
            **_identify(provider.name, provider.base_path, operation),
            **error._asdict(),
            "inject_with": f"Prefer: code={error.status}",
        }
        for provider, operation in _operations(options, served)
        for error in documented_errors(provider, operation)
    ]
    if "json" in options:
        print_json({"errors": listed})
        return 0
    for title, group in groupby(listed, _title):
        print(title)
        for error in group:
            print(f"  {error['status']}  {error['description']}")
            print(f"       {json.dumps(error['example'], ensure_ascii=False)}")
            for cause in error["provoked_by"] or [f"inject with {error['inject_with']}"]:
                print(f"       - {cause}")
    return 0


def _title(item: dict[str, Any]) -> str:
    return f"{item['provider']} {item['operation']}  {item['method']} {item['path']}"


def _operations(
    options: argparse.Namespace, served: list[Provider]
) -> Iterator[tuple[Provider, Operation]]:
    """Yield the operations of the selected provider, or of all providers."""
    names = [provider.name for provider in served]
    if options.name not in (None, *names):
        from ..client.control import unknown_name

        raise UsageError(unknown_name("provider", options.name, names))
    for provider in served:
        if options.name in (None, provider.name):
            for operation in provider.document.operations.values():
                yield provider, operation


def _identify(name: str, base_path: str, operation: Operation) -> dict[str, Any]:
    """Return the properties that identify an operation in JSON output."""
    return {
        "provider": name,
        "operation": operation.id,
        "method": operation.method,
        "path": base_path + operation.path,
    }


def _add_list_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("name", metavar="PROVIDER", nargs="?", help="only this provider")
    add_provider_argument(parser)
    add_contract_arguments(parser)
    add_json_argument(parser)


COMMANDS = (
    Command(env, _add_env_arguments, 'eval "$(mockvoice env)"'),
    Command(routes, _add_list_arguments, "mockvoice routes telnyx"),
    Command(errors, _add_list_arguments, "mockvoice errors supertone"),
)

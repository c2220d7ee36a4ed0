"""The verbs that tell what is served; none of them needs a server."""

from __future__ import annotations

import argparse
import json
import shlex
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from .commands import (
    Command,
    UsageError,
    add_json_argument,
    add_provider_argument,
    add_server_arguments,
    print_json,
    providers,
    url,
)

if TYPE_CHECKING:
    from ..openapi.document import Operation
    from ..provider import Provider

_FORMATS = ("shell", "json", "github")


def env(options: argparse.Namespace) -> int:
    """Print the variables that lead SDKs to a server: base URLs, and keys that will do.

    No server need run there. `shell` is for `eval`, `github` for `>> $GITHUB_ENV`.
    """
    from ..client.control import environment

    served = [(p.name, p.aliases, p.base_path) for p in providers(options)]
    variables = environment(url(options), served)
    if options.format == "json":
        print_json(variables)
        return 0
    for name, value in variables.items():
        if options.format == "shell":
            print(f"export {name}={shlex.quote(value)}")
        else:
            print(f"{name}={value}")
    return 0


def _env_takes(parser: argparse.ArgumentParser) -> None:
    add_server_arguments(parser)
    add_provider_argument(parser)
    parser.add_argument("--format", choices=_FORMATS, default="shell", help="%(default)s")


def routes(options: argparse.Namespace) -> int:
    """List every operation, and whether what it answers depends on what was sent before."""
    found = [
        {
            **_named(provider, operation),
            "summary": operation.summary,
            "statuses": [*operation.responses],
            "stateful": operation.id in provider.stateful_operations,
        }
        for provider, operation in _operations(options, providers(options))
    ]
    if "json" in options:
        print_json({"routes": found})
        return 0
    for each in found:
        stateful = "stateful" if each["stateful"] else "stateless"
        print(f"{each['method']:<6} {each['path']:<55} {each['operation']:<28} {stateful}")
    return 0


def errors(options: argparse.Namespace) -> int:
    """List every documented error of every operation, and what provokes it.

    What an account may do is changed with PUT /__mockvoice/accounts/PROVIDER/KEY. What nothing
    provokes is asked for with a request header, or by `mockvoice faults add`.
    """
    from ..documented_errors import documented_errors

    found = [
        {
            **_named(provider, operation),
            **refusal._asdict(),
            "inject_with": f"Prefer: code={refusal.status}",
        }
        for provider, operation in _operations(options, providers(options))
        for refusal in documented_errors(provider, operation)
    ]
    if "json" in options:
        print_json({"errors": found})
        return 0
    before = ""
    for each in found:
        title = f"{each['provider']} {each['operation']}  {each['method']} {each['path']}"
        if title != before:
            print(title)
            before = title
        print(f"  {each['status']}  {each['description']}")
        print(f"       {json.dumps(each['example'], ensure_ascii=False)}")
        for way in each["provoked_by"] or [f"asked for: {each['inject_with']}"]:
            print(f"       - {way}")
    return 0


def _operations(
    options: argparse.Namespace, served: list[Provider]
) -> Iterator[tuple[Provider, Operation]]:
    """The operations of the provider that is named, else of all."""
    names = [each.name for each in served]
    if options.name not in (None, *names):
        raise UsageError(f"there is no provider {options.name}; there are {', '.join(names)}")
    for provider in served:
        if options.name in (None, provider.name):
            for operation in provider.document.operations.values():
                yield provider, operation


def _named(provider: Provider, operation: Operation) -> dict[str, Any]:
    """Which operation it is, for machines."""
    return {
        "provider": provider.name,
        "operation": operation.id,
        "method": operation.method,
        "path": provider.base_path + operation.path,
    }


def _takes(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("name", metavar="PROVIDER", nargs="?", help="only of this one")
    add_provider_argument(parser)
    add_json_argument(parser)


COMMANDS = (
    Command(env, _env_takes, 'eval "$(mockvoice env)"'),
    Command(routes, _takes, "mockvoice routes telnyx"),
    Command(errors, _takes, "mockvoice errors supertone"),
)

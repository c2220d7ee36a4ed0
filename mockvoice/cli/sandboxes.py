"""Commands `sandboxes` and `sandboxes delete`."""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING

from .commands import Command, add_json_argument, add_server_arguments, print_json, with_control

if TYPE_CHECKING:
    from ..client.control import Control


@with_control
def sandboxes(control: Control, options: argparse.Namespace) -> None:
    """List the sandboxes of the server, oldest first, with their URLs and numbers of requests."""
    listed = control.request("GET", "/sandboxes")
    if "json" in options:
        print_json(listed)
        return
    names = [sandbox["name"] or "(default)" for sandbox in listed["sandboxes"]]
    width = max(map(len, names))
    for name, sandbox in zip(names, listed["sandboxes"], strict=True):
        count = sandbox["requests"]
        print(f"{name:<{width}}  {sandbox['url']}  {count} request{'s' * (count != 1)}")


def _add_list_arguments(parser: argparse.ArgumentParser) -> None:
    add_server_arguments(parser)
    add_json_argument(parser)


@with_control
def sandboxes_delete(control: Control, options: argparse.Namespace) -> None:
    """Delete sandboxes with everything in them."""
    for name in options.names:
        control.delete_sandbox(name)


def _add_delete_arguments(parser: argparse.ArgumentParser) -> None:
    add_server_arguments(parser)
    parser.add_argument("names", metavar="NAME", nargs="+", help="name of a sandbox")


COMMANDS = (
    Command(sandboxes, _add_list_arguments, "mockvoice sandboxes"),
    Command(sandboxes_delete, _add_delete_arguments, "mockvoice sandboxes delete my-test"),
)

"""Commands `export` and `import`: a sandbox as a configuration file."""

from __future__ import annotations

import argparse
import os
import sys
from functools import partial
from typing import TYPE_CHECKING

from ..config.settings import table
from .commands import (
    Command,
    UsageError,
    add_json_argument,
    add_server_arguments,
    print_json,
    with_control,
    with_sandbox,
    write_output,
)

if TYPE_CHECKING:
    from ..client.control import Control

_OF_SANDBOX = (
    "seed",
    "audio",
    "limits",
    "keys",
    "retry_after",
    "strict_fields",
    "edition",
    "clock",
    "accounts",
    "voices",
    "faults",
)


@with_sandbox
def export(control: Control, options: argparse.Namespace) -> None:
    """Write a sandbox as a configuration file: voices, accounts, faults, clock, seed and settings.

    `mockvoice import` and `mockvoice serve --config` load it. API keys and other secrets are masked
    unless --with-keys is given. Uploaded files are left out unless --with-samples is given; the
    journal and the counts of faults always are.
    """
    flags = {"keys": options.with_keys, "samples": options.with_samples}
    query = {name: "true" for name, is_given in flags.items() if is_given}
    write_output(options.output, control.request("GET", "/export", **query))


def _add_export_arguments(parser: argparse.ArgumentParser) -> None:
    add_server_arguments(parser)
    parser.add_argument(
        "-o", "--output", metavar="FILE", help="file to write (default: standard output)"
    )
    parser.add_argument(
        "--with-keys", action="store_true", help="write API keys and other secrets as they are"
    )
    parser.add_argument(
        "--with-samples", action="store_true", help="write the uploaded files of voices, in base64"
    )


@with_control
def import_(control: Control, options: argparse.Namespace) -> None:
    """Replace the state of a sandbox by that of a configuration file.

    Settings of the server in the file, such as `port`, are ignored.
    """
    from ..config.yaml import YAMLDocument, read_mapping

    load, kind = partial(YAMLDocument.read, options.file, os.environ), "a mapping, as in seed: 7"
    content = read_mapping(options.file, load, kind, UsageError)
    server_settings = {setting.name for setting in table()} - {*_OF_SANDBOX}
    ignored = [name for name in content if name in server_settings]
    state = {name: value for name, value in content.items() if name not in ignored}
    counts = control.request("POST", "/import", state)
    if ignored:
        names = ", ".join(ignored)
        print(f"mockvoice: ignored settings of the server: {names}", file=sys.stderr)
    if "json" in options:
        print_json(counts)
    else:
        words = [f"{n} {noun if n != 1 else noun[:-1]}" for noun, n in counts.items()]
        print(f"imported {', '.join(words)}")


def _add_import_arguments(parser: argparse.ArgumentParser) -> None:
    add_server_arguments(parser)
    add_json_argument(parser)
    parser.add_argument("file", metavar="FILE", help="a configuration file")


COMMANDS = (
    Command(export, _add_export_arguments, "mockvoice export --sandbox my-test -o state.yaml"),
    Command(import_, _add_import_arguments, "mockvoice import state.yaml"),
)

"""The verbs for failures on request."""

from __future__ import annotations

import argparse
import json
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Literal, get_args, get_origin, get_type_hints
from urllib.parse import quote

from ..client.models import FaultFields, expand_fault
from .commands import Command, add_json_argument, add_server_arguments, print_json, with_control

if TYPE_CHECKING:
    from ..client.control import Control

# A flag for each field of a fault; their types are those of the client.
FIELDS: Mapping[str, str] = {
    "provider": "at this one; at all of them unless given",
    "operation": "at this one: an operationId, or 'POST /clone-voice'",
    "match": 'for such requests: {"fields": {"name": "x"}, "headers": {...}, "account": "KEY"}',
    "times": "so often; until it is removed unless given",
    "skip": "let the first so many pass",
    "every": "from there on at every so-manieth",
    "probability": "by chance: 0 never, 1 always",
    "expires_in": "seconds after which it is gone",
    "kind": "how: %(choices)s",
    "status": "with this status; the contract's own error unless given",
    "body": "with this body, as JSON",
    "headers": 'with these headers too: {"x-name": "value"}',
    "retry_after": "seconds after which to try again, as the reply is to tell",
    "when": "before: nothing is done; after: it is done, and yet the client sees a failure",
    "seconds": "how long, for delay, timeout and drip",
    "jitter": "by how much that varies",
    "distribution": "in which way: %(choices)s",
    "bytes": "after how many truncate cuts",
    "fraction": "after which part truncate cuts: 0.5",
}


@with_control
def faults(control: Control, options: argparse.Namespace) -> None:
    """List the faults that are set, with how often each fired."""
    from ..client import report

    told = control.request("GET", "/faults")
    if "json" in options:
        print_json(told)
    else:
        print("\n".join(map(report.fault, told["faults"])) or "no fault is set")


@with_control
def faults_add(control: Control, options: argparse.Namespace) -> None:
    """Make requests fail.

    WHAT is a status (502), a kind (reset), a fault as JSON, or a JSON list of what comes in turn
    ('[502, "reset", "ok"]'); the flags are its fields, and win over the JSON.
    """
    from ..client import report

    given = vars(options)
    flags = {name: given[name] for name in FIELDS if name in given}
    told = control.request("POST", "/faults", {**expand_fault(options.what), **flags})
    if "json" in options:
        print_json(told)
    else:
        print(report.fault(told))


def _json(text: str) -> Any:
    """JSON, or text that is none."""
    try:
        return json.loads(text)
    except ValueError:
        return text


def _takes(parser: argparse.ArgumentParser) -> None:
    add_server_arguments(parser)
    add_json_argument(parser)


def _add_takes(parser: argparse.ArgumentParser) -> None:
    _takes(parser)
    parser.add_argument("what", metavar="WHAT", nargs="?", type=_json, default={}, help="see above")
    kinds = {"provider": str, **get_type_hints(FaultFields)}
    for name, help in FIELDS.items():
        kind = kinds[name]
        more: dict[str, Any] = {"metavar": name.upper(), "type": _json}
        if kind in (int, float, str):
            more["type"] = kind
        elif get_origin(kind) is Literal:
            more = {"metavar": name.upper(), "choices": get_args(kind)}
        parser.add_argument(
            "--" + name.replace("_", "-"), dest=name, default=argparse.SUPPRESS, help=help, **more
        )


@with_control
def faults_remove(control: Control, options: argparse.Namespace) -> None:
    """Remove faults by their ids."""
    for id in options.ids:
        control.request("DELETE", f"/faults/{quote(id, safe='')}")


def _remove_takes(parser: argparse.ArgumentParser) -> None:
    add_server_arguments(parser)
    parser.add_argument("ids", metavar="ID", nargs="+", help="as the list has it: fault_1")


@with_control
def faults_clear(control: Control, options: argparse.Namespace) -> None:
    """Remove all faults."""
    control.clear_faults()


COMMANDS = (
    Command(faults, _takes, "mockvoice faults --json"),
    Command(faults_add, _add_takes, "mockvoice faults add 502 --provider telnyx --times 2"),
    Command(faults_remove, _remove_takes, "mockvoice faults remove fault_1"),
    Command(faults_clear, add_server_arguments, "mockvoice faults clear"),
)

"""Commands `faults`, `faults add`, `faults remove` and `faults clear`."""

from __future__ import annotations

import argparse
import json
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Literal, get_args, get_origin, get_type_hints
from urllib.parse import quote

from ..faults.shorthand import is_name, shorthand_fields
from .commands import (
    Command,
    add_json_argument,
    add_server_arguments,
    parse_json,
    print_json,
    with_control,
    with_sandbox,
)

if TYPE_CHECKING:
    from ..client.control import Control

# Help for the flag of each fault field; the type of a flag comes from the client model.
FIELDS: Mapping[str, str] = {
    "provider": "only requests to this provider (default: all)",
    "operation": "only requests to this operation: an operationId, or 'POST /clone-voice'",
    "match": "only requests with these properties:"
    ' {"fields": {"name": "x"}, "headers": {...}, "account": "KEY"}',
    "times": "fire this many times (default: until removed)",
    "skip": "skip the first N matches",
    "every": "then fire on every Nth match",
    "probability": "fire with this probability, from 0 to 1",
    "expires_in": "expire after this many seconds",
    "kind": "kind of fault: %(choices)s",
    "status": "response status (default: the documented error)",
    "body": "response body, as JSON or text (default: the documented error)",
    "headers": 'additional response headers: {"x-name": "value"}',
    "retry_after": "seconds to send as Retry-After; below 1 in retry-after-ms",
    "when": "fail before or after the operation takes effect",
    "seconds": "duration of delay, timeout and drip",
    "jitter": "half width, standard deviation or sigma of the duration",
    "distribution": "distribution of the duration: %(choices)s",
    "bytes": "number of body bytes that truncate sends",
    "fraction": "fraction of the body that truncate sends: 0.5",
    "certificate": "defect of the certificate that tls presents: %(choices)s",
    "code": "code with which close ends a WebSocket",
    "reason": "reason with which close ends a WebSocket",
    "frame": "frame of the server, from 1, on which the fault acts in a WebSocket",
    "set": 'values that reply sets in the response, by JSON Pointer: {"/data/status": "pending"}',
    "remove": 'JSON Pointers that reply removes from the response: ["/data/label"]',
}


@with_sandbox
def faults(control: Control, options: argparse.Namespace) -> None:
    """List the faults with the number of times that each fired."""
    from .. import report

    listed = control.request("GET", "/faults")
    if "json" in options:
        print_json(listed)
    else:
        print("\n".join(map(report.fault_line, listed["faults"])) or "no faults")


def _add_list_arguments(parser: argparse.ArgumentParser) -> None:
    add_server_arguments(parser)
    add_json_argument(parser)


def faults_add(options: argparse.Namespace) -> int:
    """Add a fault: make requests fail.

    FAULT is a status (502), a kind (reset), ok, a JSON object with the fields of a fault, or a
    JSON list for a sequence ('[502, "reset", "ok"]'). Flags override fields of the JSON object.
    """
    arguments = vars(options)
    options.fields = {name: arguments[name] for name in FIELDS if name in arguments}
    if options.fault is None and not options.fields:
        # Without this check a fault without fields would match all requests.
        options.usage_error("FAULT or at least one field is required, such as 502 or --kind reset")
    return _add(options)


@with_control
def _add(control: Control, options: argparse.Namespace) -> None:
    from .. import report

    fault = options.fault
    if options.fields:
        fault = {**shorthand_fields({} if fault is None else fault), **options.fields}
    added = control.request("POST", "/faults", fault)
    if "json" in options:
        print_json(added)
    else:
        print(report.fault_line(added))


def _json_or_text(text: str) -> Any:
    try:
        return json.loads(text)
    except ValueError:
        return text


def _fault(text: str) -> Any:
    """Parse FAULT: JSON, or the name of a kind."""
    return text if is_name(text) else parse_json(text)


def _add_add_arguments(parser: argparse.ArgumentParser) -> None:
    from ..fields import FaultFields

    _add_list_arguments(parser)
    parser.set_defaults(usage_error=parser.error)
    parser.add_argument("fault", metavar="FAULT", nargs="?", type=_fault, help="see above")
    types = {"provider": str, **get_type_hints(FaultFields)}
    for name, help in FIELDS.items():
        parse = _json_or_text if name == "body" else parse_json
        options: dict[str, Any] = {"metavar": name.upper(), "type": parse}
        if types[name] in (int, float, str):
            options["type"] = types[name]
        elif get_origin(types[name]) is Literal:
            options = {"metavar": name.upper(), "choices": get_args(types[name])}
        flag = "--" + name.replace("_", "-")
        parser.add_argument(flag, dest=name, default=argparse.SUPPRESS, help=help, **options)


@with_sandbox
def faults_remove(control: Control, options: argparse.Namespace) -> None:
    """Remove faults by id."""
    for id in options.ids:
        control.request("DELETE", f"/faults/{quote(id, safe='')}")


def _add_remove_arguments(parser: argparse.ArgumentParser) -> None:
    add_server_arguments(parser)
    parser.add_argument("ids", metavar="ID", nargs="+", help="id of a fault, such as fault_1")


@with_sandbox
def faults_clear(control: Control, options: argparse.Namespace) -> None:
    """Remove all faults."""
    control.clear_faults()


COMMANDS = (
    Command(faults, _add_list_arguments, "mockvoice faults --json"),
    Command(faults_add, _add_add_arguments, "mockvoice faults add 502 --provider telnyx --times 2"),
    Command(faults_remove, _add_remove_arguments, "mockvoice faults remove fault_1"),
    Command(faults_clear, add_server_arguments, "mockvoice faults clear"),
)

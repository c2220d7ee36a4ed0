"""Commands `voices`, `accounts` and `clock`: show and change the state of a sandbox."""

from __future__ import annotations

import argparse
import json
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

from ..state.accounts import EVERY_KEY
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

_STATE = ("tier", "credit", "trial_ended", "models", "limits")


def _add_list_arguments(parser: argparse.ArgumentParser) -> None:
    add_server_arguments(parser)
    add_json_argument(parser)


# --- voices --------------------------------------------------------------------------------------


@with_sandbox
def voices(control: Control, options: argparse.Namespace) -> None:
    """List the voices and other records of a sandbox, oldest first."""
    presets = "true" if options.presets else None
    listed = control.request(
        "GET", "/voices", provider=options.provider, collection=options.collection, presets=presets
    )
    if "json" in options:
        print_json(listed)
        return
    if listed["evicted"]:
        print(f"({listed['evicted']} older records evicted)")
    print("\n".join(map(_voice_line, listed["voices"])) or "no voices")


def _voice_line(voice: Mapping[str, Any]) -> str:
    names = [str(text) for name, text in voice["data"].items() if name in ("name", "voice_name")]
    account = "" if voice["account"] == "*" else f"account {voice['account']}"
    parts = [voice["provider"], voice["collection"], voice["id"], *map(json.dumps, names), account]
    return "  ".join(filter(None, parts))


def _add_record_filters(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--provider", metavar="NAME", help="only records of this provider")
    parser.add_argument("--collection", metavar="NAME", help="only records of this collection")


def _add_voices_arguments(parser: argparse.ArgumentParser) -> None:
    _add_list_arguments(parser)
    _add_record_filters(parser)
    parser.add_argument(
        "--presets", action="store_true", help="include the presets that every account starts with"
    )


@with_control
def voices_add(control: Control, options: argparse.Namespace) -> None:
    """Add a voice or another record; missing properties get valid values."""
    members = {"provider": options.name, "collection": options.kind, "data": options.data}
    members |= {"id": options.id, "account": options.account}
    seed = {name: value for name, value in members.items() if value is not None}
    added = control.request("POST", "/voices", seed)
    if "json" in options:
        print_json(added)
    else:
        print(_voice_line(added))


def _add_voice_arguments(parser: argparse.ArgumentParser) -> None:
    _add_list_arguments(parser)
    # The names of attributes differ from those of the flags of `voices`, which has defaults.
    parser.add_argument("name", metavar="PROVIDER", help="name of a provider")
    parser.add_argument("--id", help="id of the record (default: a new one)")
    parser.add_argument(
        "--collection",
        dest="kind",
        metavar="NAME",
        help="collection of the provider (default: its cloned voices)",
    )
    parser.add_argument(
        "--account", metavar="KEY", help="API key that owns the record (default: every key sees it)"
    )
    parser.add_argument(
        "--data", metavar="JSON", type=parse_json, help='properties: {"name": "narrator"}'
    )


@with_sandbox
def voices_delete(control: Control, options: argparse.Namespace) -> None:
    """Delete the voices or other records with an id; presets come back with a reset."""
    path = f"/voices/{quote(options.id, safe='')}"
    control.request("DELETE", path, provider=options.provider, collection=options.collection)


def _add_delete_arguments(parser: argparse.ArgumentParser) -> None:
    add_server_arguments(parser)
    parser.add_argument("id", metavar="ID", help="id of a record")
    _add_record_filters(parser)


@with_sandbox
def voices_clear(control: Control, options: argparse.Namespace) -> None:
    """Delete all records; an account gets its presets back with its next request."""
    control.request("DELETE", "/voices")


# --- accounts ------------------------------------------------------------------------------------


@with_sandbox
def accounts(control: Control, options: argparse.Namespace) -> None:
    """List the API keys that a sandbox has seen, with the state of their accounts."""
    listed = control.request("GET", "/accounts", provider=options.provider)
    if "json" in options:
        print_json(listed)
    else:
        print("\n".join(map(_account_line, listed["accounts"])) or "no accounts")


def _account_line(account: Mapping[str, Any]) -> str:
    state = "  ".join(f"{name}={json.dumps(account[name])}" for name in (*_STATE, "listed"))
    return f"{account['provider']}  {account['key']}  {state}"


def _add_accounts_arguments(parser: argparse.ArgumentParser) -> None:
    _add_list_arguments(parser)
    parser.add_argument("--provider", metavar="NAME", help="only accounts of this provider")


@with_sandbox
def accounts_show(control: Control, options: argparse.Namespace) -> None:
    """Show the state of an API key, or what new keys start with ('*')."""
    _print_account(control.request("GET", _account_path(options)), options)


@with_control
def accounts_add(control: Control, options: argparse.Namespace) -> None:
    """Add an API key, which is then valid where the setting `keys` is `listed`."""
    if options.key == EVERY_KEY:
        options.usage_error("KEY must be one API key; '*' stands for every key")
    _print_account(control.request("PUT", _account_path(options), _state(options)), options)


@with_control
def accounts_set(control: Control, options: argparse.Namespace) -> None:
    """Change the state of an API key, or of every key ('*'); other fields stay as they are."""
    state = _state(options)
    if not state:
        flags = ", ".join(f"--{name.replace('_', '-')}" for name in _STATE)
        options.usage_error(f"at least one of {flags} is required")
    _print_account(control.request("PUT", _account_path(options), state), options)


def _state(options: argparse.Namespace) -> dict[str, Any]:
    """Return the fields of an account for which there are flags."""
    return {name: value for name, value in vars(options).items() if name in _STATE}


def _account_path(options: argparse.Namespace) -> str:
    return f"/accounts/{quote(options.name, safe='')}/{quote(options.key, safe='')}"


def _print_account(account: Mapping[str, Any], options: argparse.Namespace) -> None:
    if "json" in options:
        print_json(account)
    else:
        print(_account_line(account))


def _add_account_arguments(parser: argparse.ArgumentParser) -> None:
    _add_list_arguments(parser)
    parser.add_argument("name", metavar="PROVIDER", help="name of a provider")
    parser.add_argument("key", metavar="KEY", help="API key, or '*' for every key")


def _add_set_arguments(parser: argparse.ArgumentParser) -> None:
    _add_account_arguments(parser)
    parser.set_defaults(usage_error=parser.error)
    helps = {
        "tier": "subscription plan",
        "credit": "balance in the provider's unit; null is unlimited",
        "trial_ended": "true once the free trial is over",
        "models": 'enabled models: ["faseeh-v1-preview"]; null enables all',
        "limits": 'limits by name: {"requests": {"max": 3, "per": 60}}',
    }
    for name, help in helps.items():
        parser.add_argument(
            "--" + name.replace("_", "-"),
            dest=name,
            metavar="TIER" if name == "tier" else "JSON",
            type=str if name == "tier" else parse_json,
            default=argparse.SUPPRESS,
            help=help,
        )


# --- clock ---------------------------------------------------------------------------------------


@with_sandbox
def clock(control: Control, options: argparse.Namespace) -> None:
    """Show the time of a sandbox, and whether it is frozen."""
    _print_clock(control.request("GET", "/clock"), options)


@with_control
def clock_freeze(control: Control, options: argparse.Namespace) -> None:
    """Stop the clock, now or at a time."""
    _print_clock(control.request("POST", "/clock", {"freeze": options.time or True}), options)


@with_control
def clock_advance(control: Control, options: argparse.Namespace) -> None:
    """Move the clock forward."""
    _print_clock(control.request("POST", "/clock", {"advance": options.seconds}), options)


@with_control
def clock_run(control: Control, options: argparse.Namespace) -> None:
    """Let a frozen clock run again."""
    _print_clock(control.request("POST", "/clock", {"freeze": None}), options)


def _print_clock(state: Mapping[str, Any], options: argparse.Namespace) -> None:
    if "json" in options:
        print_json(state)
    else:
        print(f"{state['now']}{' (frozen)' if state['frozen'] else ''}")


def _add_freeze_arguments(parser: argparse.ArgumentParser) -> None:
    _add_list_arguments(parser)
    parser.add_argument(
        "time", metavar="TIME", nargs="?", help="2024-01-01T00:00:00Z (default: the current time)"
    )


def _add_advance_arguments(parser: argparse.ArgumentParser) -> None:
    _add_list_arguments(parser)
    parser.add_argument("seconds", metavar="SECONDS", type=float, help="seconds to move forward")


COMMANDS = (
    Command(voices, _add_voices_arguments, "mockvoice voices --provider telnyx"),
    Command(
        voices_add,
        _add_voice_arguments,
        """mockvoice voices add telnyx --data '{"name": "narrator"}'""",
    ),
    Command(voices_delete, _add_delete_arguments, "mockvoice voices delete retell-Cimo"),
    Command(voices_clear, add_server_arguments, "mockvoice voices clear"),
    Command(accounts, _add_accounts_arguments, "mockvoice accounts"),
    Command(accounts_show, _add_account_arguments, "mockvoice accounts show supertone '*'"),
    Command(accounts_add, _add_set_arguments, "mockvoice accounts add telnyx KEY"),
    Command(accounts_set, _add_set_arguments, "mockvoice accounts set supertone KEY --tier free"),
    Command(clock, _add_list_arguments, "mockvoice clock"),
    Command(clock_freeze, _add_freeze_arguments, "mockvoice clock freeze 2024-01-01T00:00:00Z"),
    Command(clock_advance, _add_advance_arguments, "mockvoice clock advance 60"),
    Command(clock_run, _add_list_arguments, "mockvoice clock run"),
)

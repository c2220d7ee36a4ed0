"""Every setting once: name, default, help; flags, environment, file and docs come from here."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import Field, dataclass, field, fields
from pathlib import Path
from typing import Any, get_origin, get_type_hints

BYTES_PER_MB = 1024 * 1024


class SettingsError(ValueError):
    """A setting is unknown or has a value that it cannot have."""


def _setting(default: Any, help: str, *choices: str) -> Any:
    metadata = {"help": help, "choices": choices}
    if isinstance(default, dict):
        return field(default_factory=lambda: dict(default), metadata=metadata)
    return field(default=default, metadata=metadata)


@dataclass(frozen=True, slots=True)
class Settings:
    """How a server behaves. A flag wins over the environment, that over a file, that over this."""

    host: str = _setting("127.0.0.1", "address to listen on")
    port: int = _setting(4010, "port to listen on; 0 takes a free one and prints it")
    seed: int = _setting(0, "what ids and chance are drawn from")
    audio: str = _setting(
        "strict",
        "strict: a sample must be audio by its bytes; any: every file will do",
        "strict",
        "any",
    )
    limits: str = _setting(
        "off",
        "documented: the rate and concurrency limits the providers publish; off: none",
        "off",
        "documented",
    )
    diagnostics: bool = _setting(True, "explain refusals in X-Mockvoice-* response headers")
    max_body_mb: int = _setting(64, "largest request body that is read, in MB")
    keep_mb: int = _setting(64, "MB of uploaded files kept; beyond that the oldest are given up")
    max_voices: int = _setting(10_000, "records kept; beyond that the oldest is dropped")
    max_accounts: int = _setting(10_000, "API keys remembered; beyond that the oldest is dropped")
    max_faults: int = _setting(1_000, "faults kept; beyond that the oldest is dropped")
    max_requests: int = _setting(
        1_000, "requests that the journal keeps; beyond that the oldest is dropped"
    )
    journal_mb: int = _setting(16, "MB that the journal keeps, files aside")
    max_sandboxes: int = _setting(
        1_000, "sandboxes besides the default one; beyond that the oldest is dropped"
    )
    max_file_mb: Mapping[str, float] = _setting(
        {}, "largest file at a provider, in MB, in place of the documented size: {telnyx: 2}"
    )
    accounts: Mapping[str, Mapping[str, Mapping[str, Any]]] = _setting(
        {}, "state of single API keys: {retell: {key_broke: {trial_ended: true}}}"
    )


def table() -> list[Field[Any]]:
    """All settings in the order in which they are documented."""
    return list(fields(Settings))


def is_flag(setting: Field[Any]) -> bool:
    """Whether a setting can be given as one word: on the command line or in the environment."""
    return get_origin(get_type_hints(Settings)[setting.name]) is None


def variable(setting: Field[Any]) -> str:
    """The environment variable of a setting: `MOCKVOICE_PORT`."""
    return f"MOCKVOICE_{setting.name.upper()}"


def load(
    flags: Mapping[str, Any],
    environ: Mapping[str, str] = os.environ,
    file: str | None = None,
) -> Settings:
    """Settings from flags over environment over a YAML file over defaults.

    Raises SettingsError, naming the setting, for one that is unknown or has an impossible value.
    """
    found: dict[str, Any] = {}
    if file:
        found.update(_from_file(file))
    for setting in table():
        if is_flag(setting) and (text := environ.get(variable(setting))) is not None:
            found[setting.name] = _from_text(setting, text, variable(setting))
    found.update(flags)
    for setting in table():
        if setting.name in found:
            _check(setting, found[setting.name])
    return Settings(**found)


def _from_file(path: str) -> Mapping[str, Any]:
    import yaml  # only where there is a file

    try:
        loaded = yaml.safe_load(Path(path).read_text(encoding="utf-8")) or {}
    except (OSError, yaml.YAMLError) as error:
        raise SettingsError(f"{path}: {error}") from None
    known = {setting.name for setting in table()}
    if not isinstance(loaded, dict) or (unknown := sorted(loaded.keys() - known)):
        what = f"unknown setting {unknown[0]!r}" if isinstance(loaded, dict) else "not a mapping"
        raise SettingsError(f"{path}: {what}; settings are {', '.join(sorted(known))}")
    return loaded


def _from_text(setting: Field[Any], text: str, where: str) -> Any:
    kind = get_type_hints(Settings)[setting.name]
    if kind is bool:
        if text.lower() not in ("true", "false", "1", "0", "yes", "no"):
            raise SettingsError(f"{where} must be true or false; got {text!r}")
        return text.lower() in ("true", "1", "yes")
    try:
        return kind(text)
    except ValueError:
        raise SettingsError(f"{where} must be a whole number; got {text!r}") from None


def _check(setting: Field[Any], value: Any) -> None:
    kind = get_type_hints(Settings)[setting.name]
    wanted = kind if is_flag(setting) else dict
    if not isinstance(value, wanted) or (isinstance(value, bool) and wanted is not bool):
        name = {int: "a whole number", str: "text", bool: "true or false"}.get(wanted, "a mapping")
        raise SettingsError(f"{setting.name} must be {name}; got {value!r}")
    choices = setting.metadata["choices"]
    if choices and value not in choices:
        raise SettingsError(f"{setting.name} must be {' or '.join(choices)}; got {value!r}")
    if setting.name == "accounts":
        _check_accounts(value)


def _check_accounts(accounts: Mapping[Any, Any]) -> None:
    """Whether keys have states; what a state may be is known where its provider is."""
    for provider, keys in accounts.items():
        if not isinstance(keys, dict):
            raise SettingsError(f"accounts.{provider} must be a mapping; got {keys!r}")
        for key in keys:
            if not isinstance(key, str):
                raise SettingsError(f"accounts.{provider}: the key {key!r} must be text; quote it")

"""Every setting once: name, default, help; flags, environment, file and docs come from here."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import Field, dataclass, field, fields
from functools import cache
from pathlib import Path
from typing import Any, get_origin, get_type_hints

BYTES_PER_MB = 1024 * 1024
FILE = "mockvoice.yaml"  # read where serve is started

# In MOCKVOICE_PORT it was set by nobody: Kubernetes (for a Service called mockvoice) and links of
# Docker tell so where that service is.
_ADDRESS = "tcp://"

_BOOLEANS = {
    **dict.fromkeys(("true", "yes", "on", "1"), True),
    **dict.fromkeys(("false", "no", "off", "0"), False),
}


class SettingsError(ValueError):
    """Settings are not as they must be; a line for each thing that is wrong."""


def _setting(
    default: Any,
    help: str,
    *choices: str,
    min_count: int | None = None,
    max_count: int | None = None,
) -> Any:
    metadata = {"help": help, "choices": choices, "min": min_count, "max": max_count}
    if isinstance(default, dict):
        return field(default_factory=lambda: dict(default), metadata=metadata)
    return field(default=default, metadata=metadata)


@dataclass(frozen=True, slots=True)
class Settings:
    """How a server behaves. A flag wins over the environment, that over a file, that over this."""

    host: str = _setting("127.0.0.1", "address to listen on")
    port: int = _setting(
        4010, "port to listen on; 0 takes a free one and prints it", min_count=0, max_count=65535
    )
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
    log: str = _setting(
        "off", "print a line a request: text for people, json for machines", "off", "text", "json"
    )
    max_body_mb: int = _setting(64, "largest request body that is read, in MB", min_count=0)
    upload_cache_mb: int = _setting(
        64, "MB of uploaded files kept; beyond that the oldest are given up", min_count=0
    )
    max_voices: int = _setting(
        10_000, "records kept; beyond that the oldest is dropped", min_count=0
    )
    max_accounts: int = _setting(
        10_000, "API keys remembered; beyond that the oldest is dropped", min_count=0
    )
    max_faults: int = _setting(1_000, "faults kept; beyond that the oldest is dropped", min_count=0)
    max_requests: int = _setting(
        1_000, "requests that the journal keeps; beyond that the oldest is dropped", min_count=0
    )
    journal_mb: int = _setting(16, "MB that the journal keeps, files aside", min_count=0)
    max_sandboxes: int = _setting(
        1_000, "sandboxes besides the default one; beyond that the oldest is dropped", min_count=1
    )
    max_file_mb: Mapping[str, float] = _setting(
        {}, "largest file at a provider, in MB, in place of the documented size: {telnyx: 2}"
    )
    accounts: Mapping[str, Mapping[str, Mapping[str, Any]]] = _setting(
        {}, "state of single API keys: {retell: {key_broke: {trial_ended: true}}}"
    )
    voices: Sequence[Mapping[str, Any]] = _setting(
        (), "what every sandbox begins with: [{provider: telnyx, data: {name: narrator}}]"
    )
    faults: Sequence[Mapping[str, Any]] = _setting(
        (), "how every sandbox begins to fail: [{provider: retell, status: 502, times: 2}]"
    )


def table() -> list[Field[Any]]:
    """All settings in the order in which they are documented."""
    return list(fields(Settings))


@cache
def kinds() -> Mapping[str, Any]:
    """The type of each setting by its name."""
    return get_type_hints(Settings)


def is_flag(setting: Field[Any]) -> bool:
    """Whether a setting can be given as one word: on the command line or in the environment."""
    return get_origin(kinds()[setting.name]) is None


def variable(setting: Field[Any]) -> str:
    """The environment variable of a setting: `MOCKVOICE_PORT`."""
    return f"MOCKVOICE_{setting.name.upper()}"


def file_in_use(environ: Mapping[str, str] = os.environ) -> str | None:
    """The configuration file of a server that is started here, where there is one."""
    return environ.get("MOCKVOICE_CONFIG") or (FILE if Path(FILE).exists() else None)


def load(
    flags: Mapping[str, Any],
    environ: Mapping[str, str] = os.environ,
    file: Mapping[str, Any] | None = None,
) -> Settings:
    """Settings from flags over environment over what a file says (config.py) over defaults.

    Raises SettingsError, naming the setting, for one that has an impossible value.
    """
    found = dict(file or {})
    for setting in filter(is_flag, table()):
        text = environ.get(variable(setting))
        if text is not None and not text.startswith(_ADDRESS):
            found[setting.name] = _from_text(setting, text, variable(setting))
    found.update(flags)
    for setting in filter(is_flag, table()):
        if setting.name in found:
            _check(setting, found[setting.name])
    return Settings(**found)


def _from_text(setting: Field[Any], text: str, where: str) -> Any:
    kind = kinds()[setting.name]
    if kind is bool:
        if text.lower() not in _BOOLEANS:
            raise SettingsError(f"{where} must be true or false; got {text!r}")
        return _BOOLEANS[text.lower()]
    try:
        return kind(text)
    except ValueError:
        raise SettingsError(f"{where} must be a whole number; got {text!r}") from None


def _check(setting: Field[Any], value: Any) -> None:
    kind = kinds()[setting.name]
    if type(value) is not kind:
        name = {int: "a whole number", str: "text", bool: "true or false"}[kind]
        raise SettingsError(f"{setting.name} must be {name}; got {value!r}")
    choices, min_count, max_count = (setting.metadata[word] for word in ("choices", "min", "max"))
    if choices and value not in choices:
        raise SettingsError(f"{setting.name} must be {' or '.join(choices)}; got {value!r}")
    if min_count is not None and value < min_count:
        raise SettingsError(f"{setting.name} must be at least {min_count}; got {value}")
    if max_count is not None and value > max_count:
        raise SettingsError(f"{setting.name} must be at most {max_count}; got {value}")

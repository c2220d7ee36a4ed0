"""Settings, each defined once with name, default and help.

Flags, environment variables, the configuration file and the documentation derive from here.
"""

from __future__ import annotations

import os
import re
from collections.abc import Mapping, Sequence
from dataclasses import Field, dataclass, field, fields
from functools import cache
from pathlib import Path
from typing import Any, get_origin, get_type_hints

SECRET = ("control_token", "store")  # settings that no message shows
BEARER_SYNTAX = "a bearer token: letters, digits, - . _ ~ + /, and = at the end"  # RFC 6750
BYTES_PER_MB = 1024 * 1024
FILE = "mockvoice.yaml"  # read in the working directory of `serve`

# Kubernetes (for a Service named mockvoice) and Docker links set MOCKVOICE_PORT to a URL.
_SERVICE_URL = "tcp://"

_BOOLEANS = {
    **dict.fromkeys(("true", "yes", "on", "1"), True),
    **dict.fromkeys(("false", "no", "off", "0"), False),
}


class SettingsError(ValueError):
    """Invalid settings, one line for each violation."""


def _setting(
    default: Any,
    help: str,
    *choices: str,
    min_value: int | None = None,
    max_value: int | None = None,
    pattern: str | None = None,
    syntax: str = "",
    flag: str = "",
) -> Any:
    metadata = {
        "help": help,
        "choices": choices,
        "min": min_value,
        "max": max_value,
        "pattern": pattern,
        "syntax": syntax,
        "flag": flag,
    }
    if isinstance(default, dict):
        return field(default_factory=lambda: dict(default), metadata=metadata)
    return field(default=default, metadata=metadata)


@dataclass(frozen=True, slots=True)
class Settings:
    """Settings of a server. Flags override the environment, then the file, then the defaults."""

    host: str = _setting("127.0.0.1", "address to listen on")
    port: int = _setting(
        4010, "port to listen on; 0 selects a free port and prints it", min_value=0, max_value=65535
    )
    workers: int = _setting(
        1, "number of processes; more than one needs a shared --store", min_value=1
    )
    control_token: str = _setting(
        "",
        "bearer token that the control API requires; none by default",
        pattern=r"^([A-Za-z0-9._~+/-]+=*)?$",  # RFC 6750, section 2.1
        syntax=BEARER_SYNTAX,
    )
    seed: int = _setting(0, "random seed for ids and probabilities")
    audio: str = _setting(
        "strict",
        "strict: the bytes of a sample must be audio; any: every file is accepted",
        "strict",
        "any",
    )
    limits: str = _setting(
        "off",
        "documented: enforce the rate and concurrency limits that providers publish; off: none",
        "off",
        "documented",
    )
    keys: str = _setting(
        "any",
        "listed: only the API keys in accounts, or added later, are valid; any: every key",
        "any",
        "listed",
    )
    strict_fields: bool = _setting(
        False,
        "reject what real servers are reported to reject although no document says so, such as"
        " parts named files[] at Retell",
    )
    retry_after: str = _setting(
        "documented",
        "documented: a 429 has Retry-After only if the contract documents it; always: every 429 of"
        " a rate limit has it",
        "documented",
        "always",
    )
    pending_seconds: int = _setting(
        2,
        "seconds on the clock of a sandbox until a voice of an asynchronous model is ready",
        min_value=0,
    )
    diagnostics: bool = _setting(
        True, "explain rejected requests in X-Mockvoice-* response headers"
    )
    inspector: str = _setting(
        "on", "serve the inspector, a web page, and the events that it shows", "on", "off"
    )
    log: str = _setting(
        "off",
        "print one line per request: text for people, json for machines",
        "off",
        "text",
        "json",
    )
    max_body_mb: int = _setting(
        64, "maximum size of a request body with files (multipart) in MB", min_value=0
    )
    max_json_mb: int = _setting(
        4, "maximum size of any other request body, and of all text fields, in MB", min_value=0
    )
    read_timeout: int = _setting(
        30,
        "seconds to wait for the rest of a request before closing the connection",
        min_value=1,
    )
    upload_cache_mb: int = _setting(
        48, "size of the cache of uploaded files in MB; the oldest are evicted", min_value=0
    )
    max_voices: int = _setting(
        10_000, "maximum number of records; the oldest are evicted", min_value=0
    )
    max_accounts: int = _setting(
        10_000, "maximum number of API keys; the oldest are evicted", min_value=0
    )
    max_faults: int = _setting(
        1_000, "maximum number of faults; the oldest are evicted", min_value=0
    )
    max_requests: int = _setting(
        1_000, "maximum number of journal entries; the oldest are evicted", min_value=0
    )
    journal_mb: int = _setting(
        16,
        "memory for the journals of all sandboxes in MB, without uploaded files; the oldest entries"
        " of the sandbox that holds the most are evicted",
        min_value=0,
    )
    max_sandboxes: int = _setting(
        1_000,
        "maximum number of sandboxes besides the default one; the oldest are evicted",
        min_value=1,
    )
    store: str = _setting(
        "memory",
        "memory, or the URL of a Redis or Valkey server that several processes share:"
        " redis://host:6379/0, rediss:// with TLS, unix:///path",
        pattern=r"^(memory|(rediss?|unix)://.*)$",
        syntax="memory, or a URL: redis://host:6379/0, rediss://..., unix:///path",
    )
    store_prefix: str = _setting(
        "mockvoice",
        "beginning of all keys in a shared store; separates deployments",
        pattern=r"^[A-Za-z0-9._-]{1,64}$",
        syntax="1 to 64 letters, digits and . _ -",
    )
    store_wait: int = _setting(0, "seconds to wait for a shared store at startup", min_value=0)
    sandbox_ttl: int = _setting(
        86_400,
        "seconds without requests after which a sandbox in a shared store is deleted; 0: never",
        min_value=0,
    )
    tls_ca_cert: str = _setting(
        "",
        "PEM file with the certificate of the CA that signs the certificates of TLS connections;"
        " by default each server has a CA of its own",
    )
    tls_ca_key: str = _setting("", "PEM file with the private key of tls_ca_cert")
    unknown_hosts: str = _setting(
        "refuse",
        "refuse: proxy requests to hosts of no provider get a 502; tunnel: https reaches the host",
        "refuse",
        "tunnel",
    )
    open_proxy: bool = _setting(
        False,
        "allow unknown_hosts: tunnel on an address that other machines can reach",
    )
    upstream_ca: str = _setting(
        "",
        "PEM file with the CAs that may sign the certificates of upstreams; by default those of"
        " SSL_CERT_FILE, else those of the system",
    )
    upstream_timeout: int = _setting(
        60, "seconds to wait for the response of an upstream, and for each part of it", min_value=1
    )
    record: str = _setting(
        "", "file to which the exchanges with upstreams are appended, as YAML without secrets"
    )
    replay: str = _setting(
        "", "file of --record whose responses are sent in place of those of the live services"
    )
    hosts: Mapping[str, Sequence[str]] = _setting(
        {},
        "more host names of a provider, or of the mock itself, in proxy and TLS requests:"
        " {telnyx: [telnyx.internal], mockvoice: [mock.example.com]}",
    )
    edition: Mapping[str, str] = _setting(
        {}, "edition of the contract of a provider, or latest: {telnyx: latest}", flag="edition"
    )
    contracts: Mapping[str, str] = _setting(
        {},
        "OpenAPI document that replaces the contract of a provider: {telnyx: telnyx.json}",
        flag="contract",
    )
    upstream: Mapping[str, str] = _setting(
        {},
        "URL of the live service to which the requests of a provider are forwarded:"
        " {telnyx: https://api.telnyx.com/v2}",
        flag="upstream",
    )
    max_file_mb: Mapping[str, float] = _setting(
        {}, "maximum file size of a provider in MB, replaces the documented one: {telnyx: 2}"
    )
    clock: Mapping[str, str] = _setting(
        {},
        "clock of every new sandbox: {freeze: 2024-01-01T00:00:00Z}, or {start: ...} and running",
    )
    accounts: Mapping[str, Mapping[str, Mapping[str, Any]]] = _setting(
        {}, "state of API keys: {retell: {key_broke: {trial_ended: true}}}"
    )
    voices: Sequence[Mapping[str, Any]] = _setting(
        (), "records in every new sandbox: [{provider: telnyx, data: {name: narrator}}]"
    )
    faults: Sequence[Any] = _setting(
        (), "faults in every new sandbox: [{provider: retell, status: 502, times: 2}]"
    )


_PAIRS = frozenset(setting.name for setting in fields(Settings) if setting.metadata["flag"])


def table() -> list[Field[Any]]:
    """Return all settings in the order of the documentation."""
    return list(fields(Settings))


@cache
def kinds() -> Mapping[str, Any]:
    """Return the type of each setting by name."""
    return get_type_hints(Settings)


def is_scalar(setting: Field[Any]) -> bool:
    """Return True for a setting with a scalar value."""
    return get_origin(kinds()[setting.name]) is None


def is_pairs(setting: Field[Any]) -> bool:
    """Return True for a setting that is a text for each provider.

    Its flag is repeated (`--edition telnyx=latest`); its variable separates them with commas.
    """
    return setting.name in _PAIRS


def is_flag(setting: Field[Any]) -> bool:
    """Return True for a setting that has a flag and a variable."""
    return is_scalar(setting) or is_pairs(setting)


def flag(setting: Field[Any]) -> str:
    """Return the flag of a setting: `--max-voices`."""
    return "--" + (setting.metadata["flag"] or setting.name).replace("_", "-")


def pair(text: str) -> tuple[str, str]:
    """Return the parts of `NAME=VALUE`. Raises ValueError."""
    name, equals, value = text.strip().partition("=")
    if not (name and equals and value):
        raise ValueError(text)
    return name, value


def variable(setting: Field[Any]) -> str:
    """Return the environment variable of a setting: `MOCKVOICE_PORT`."""
    return f"MOCKVOICE_{setting.name.upper()}"


def file_in_use(environ: Mapping[str, str] = os.environ) -> str | None:
    """Return the configuration file that `serve` reads in this directory, or None."""
    return environ.get("MOCKVOICE_CONFIG") or (FILE if Path(FILE).exists() else None)


def load(
    flags: Mapping[str, Any],
    environ: Mapping[str, str] = os.environ,
    file: Mapping[str, Any] | None = None,
) -> Settings:
    """Return settings from flags, environment variables, a file's content and defaults.

    Raises SettingsError, which names the setting, for an invalid value.
    """
    values = dict(file or {})
    for setting in filter(is_scalar, table()):
        text = environ.get(variable(setting))
        if text is not None and not text.startswith(_SERVICE_URL):
            values[setting.name] = _from_text(setting, text, variable(setting))
    for setting in filter(is_pairs, table()):
        pairs = _pairs(environ.get(variable(setting), ""), variable(setting))
        values[setting.name] = {**values.get(setting.name, {}), **pairs}
    for name, value in flags.items():
        values[name] = {**values[name], **dict(value)} if name in _PAIRS else value
    for setting in filter(is_scalar, table()):
        if setting.name in values:
            _check(setting, values[setting.name])
    if bool(values.get("tls_ca_cert")) != bool(values.get("tls_ca_key")):
        raise SettingsError("tls_ca_cert and tls_ca_key must be set together")
    settings = Settings(**values)
    if settings.unknown_hosts == "tunnel" and not (settings.open_proxy or _is_loopback(settings)):
        raise SettingsError(
            f"unknown_hosts: tunnel on {settings.host} would let every machine that reaches this"
            " port use it as a proxy; set host: 127.0.0.1, or open_proxy: true to allow it"
        )
    return settings


def _is_loopback(settings: Settings) -> bool:
    return settings.host in ("localhost", "::1") or settings.host.startswith("127.")


def _pairs(text: str, name: str) -> dict[str, str]:
    try:
        return dict(pair(part) for part in text.split(",") if part.strip())
    except ValueError as error:
        raise SettingsError(f"{name} must be NAME=VALUE,NAME=VALUE; got {error}") from None


def _from_text(setting: Field[Any], text: str, name: str) -> Any:
    kind = kinds()[setting.name]
    if kind is bool:
        if text.lower() not in _BOOLEANS:
            raise SettingsError(f"{name} must be true or false; got {text!r}")
        return _BOOLEANS[text.lower()]
    try:
        return kind(text)
    except ValueError:
        raise SettingsError(f"{name} must be a whole number; got {text!r}") from None


def _check(setting: Field[Any], value: Any) -> None:
    kind = kinds()[setting.name]
    if type(value) is not kind:
        name = {int: "a whole number", str: "text", bool: "true or false"}[kind]
        received = "" if setting.name in SECRET else f"; got {value!r}"
        raise SettingsError(f"{setting.name} must be {name}{received}")
    choices, minimum, maximum = (setting.metadata[key] for key in ("choices", "min", "max"))
    if choices and value not in choices:
        raise SettingsError(f"{setting.name} must be {' or '.join(choices)}; got {value!r}")
    if minimum is not None and value < minimum:
        raise SettingsError(f"{setting.name} must be at least {minimum}; got {value}")
    if maximum is not None and value > maximum:
        raise SettingsError(f"{setting.name} must be at most {maximum}; got {value}")
    pattern = setting.metadata["pattern"]
    if pattern and not re.fullmatch(pattern, value):
        raise SettingsError(f"{setting.name} must be {setting.metadata['syntax']}")

"""The file `mockvoice.yaml`: read with the line of every value, checked by one JSON Schema."""

from __future__ import annotations

import json
import os
import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import Field
from functools import partial
from math import isfinite
from typing import Any

from ..control.accounts import account_schema
from ..errors import ValidationFailed, Violation
from ..faults.validation import fault_violations
from ..mock import Mock
from ..openapi.document import Document
from ..openapi.normalize import ContractError
from ..openapi.schema import Schema, SchemaStore
from ..provider import LATEST, Provider
from ..seeding import make_records, read_time
from ..state.ids import Ids
from ..text import escape
from ..types import JSON, Node
from .settings import SECRET, Settings, SettingsError, is_scalar, kinds, table
from .yaml import Diagnostic, UnreadableFile, YAMLDocument


def read(path: str, providers: Iterable[Provider]) -> Mapping[str, Any]:
    """Return the settings, accounts, records and faults of a file that the providers accept.

    Raises SettingsError with one line for each defect:
    `mockvoice.yaml:7: faults[0].kind must be one of status, delay; got "delai"`
    """
    try:
        document = YAMLDocument.read(path, os.environ)
    except UnreadableFile as error:
        raise SettingsError(f"{path}:{error}") from None
    mock = _mock(document.value, providers)
    file_schema = _compiled(mock.control, mock.providers)
    content: Any = file_schema.coerce(document.value)
    diagnostics = document.diagnostics + [
        Diagnostic(document.location(violation.pointer), _with_hint(violation.message, violation))
        for violation in _violations(content, file_schema, mock.control, mock.providers)
        if not document.is_unread(violation.pointer)
    ]
    if diagnostics:
        diagnostics.sort(key=lambda diagnostic: diagnostic.location.line)
        lines = [
            " ".join(f"{path}:{diagnostic}".splitlines()) for diagnostic in diagnostics
        ]  # a key may have several lines
        raise SettingsError("\n".join(dict.fromkeys(lines)))
    settings: Mapping[str, Any] = content
    return settings


def check(settings: Mapping[str, Any], providers: Iterable[Provider]) -> None:
    """Raise SettingsError for initial state given in Python that a file could not have either."""
    scalars = {setting.name for setting in table() if is_scalar(setting)}
    content = {name: value for name, value in settings.items() if name not in scalars}
    if foreign := [violation.sentence for violation in _not_json(content, "")]:
        raise SettingsError("\n".join(foreign))
    if content:
        mock = _mock(content, providers)
        file_schema = _compiled(mock.control, mock.providers)
        violations = _violations(content, file_schema, mock.control, mock.providers)
        if lines := dict.fromkeys(_with_hint(broken.sentence, broken) for broken in violations):
            raise SettingsError("\n".join(lines))


def _not_json(value: Any, pointer: str) -> Iterator[Violation]:
    """Yield a violation for each value that JSON does not have, such as infinity or a set."""
    if isinstance(value, Mapping):
        for name, member in value.items():
            yield from _not_json(member, f"{pointer}/{escape(str(name))}")
            if not isinstance(name, str):
                yield Violation("file", pointer, "type", f"must have text keys; got {name!r}")
    elif isinstance(value, list | tuple):
        for i, item in enumerate(value):
            yield from _not_json(item, f"{pointer}/{i}")
    elif isinstance(value, float) and not isfinite(value):
        yield Violation("file", pointer, "type", f"must be a number that JSON has; got {value}")
    elif value is not None and not isinstance(value, str | bool | int | float):
        name = type(value).__name__
        yield Violation("file", pointer, "type", f"must be JSON; got an object of type {name}")


def _mock(content: Any, providers: Iterable[Provider]) -> Mock:
    """Return a mock with the editions and contracts of a file, as far as they can be used."""
    served = [*providers]
    with suppress(ContractError, AttributeError, TypeError, ValueError):
        edition, contracts = content.get("edition", {}), content.get("contracts", {})
        return Mock(Settings(edition=dict(edition), contracts=dict(contracts)), served)
    return Mock(Settings(), served)


def _with_hint(message: str, violation: Violation) -> str:
    return f"{message}; {violation.hint}" if violation.hint else message


def summary(content: Mapping[str, Any]) -> str:
    """Return the counts of what a file has besides settings: `2 accounts, 1 voice, 3 faults`."""
    counts = {
        "account": sum(len(keys) for keys in content.get("accounts", {}).values()),
        "voice": len(content.get("voices", ())),
        "fault": len(content.get("faults", ())),
    }
    return ", ".join(f"{count} {noun}{'s' * (count != 1)}" for noun, count in counts.items())


# --- the schema of the file ----------------------------------------------------------------------

_TYPES = {int: "integer", str: "string", bool: "boolean"}
_WORDS = "#/components/schemas/"


def schema(control: Document, providers: Mapping[str, Provider]) -> Node:
    """Return the JSON Schema (2020-12) of the file, from the settings and the control API."""
    words: Node = control.schemas.node("#/components/schemas")
    shapes = _shapes(providers, words)
    members = {
        setting.name: {
            "description": setting.metadata["help"],
            **(_plain(setting) if is_scalar(setting) else shapes[setting.name]),
        }
        for setting in table()
    }
    file_schema = {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "mockvoice.yaml",
        "description": "Settings of mockvoice and the initial state of its sandboxes.",
        "type": "object",
        "additionalProperties": False,
        "properties": members,
        "$defs": {name: words[name] for name in sorted(_used(members, words))},
    }
    rewritten: Node = json.loads(json.dumps(file_schema).replace(_WORDS, "#/$defs/"))
    return rewritten


def _plain(setting: Field[Any]) -> Node:
    """Return the schema of a setting with a scalar value."""
    choices = setting.metadata["choices"]
    bounds = {"minimum": setting.metadata["min"], "maximum": setting.metadata["max"]}
    return {
        **({"enum": [*choices]} if choices else {"type": _TYPES[kinds()[setting.name]]}),
        **{keyword: bound for keyword, bound in bounds.items() if bound is not None},
        **({"pattern": setting.metadata["pattern"]} if setting.metadata["pattern"] else {}),
        "default": setting.default,
    }


def _shapes(providers: Mapping[str, Provider], words: Node) -> Mapping[str, Node]:
    """Return the schemas of the other settings; `words` are those of the control API."""

    def by_provider(members: Mapping[str, Node]) -> Node:
        return {"type": "object", "additionalProperties": False, "properties": {**members}}

    editions = {
        name: {"enum": [*provider.editions, LATEST]}
        for name, provider in providers.items()
        if provider.editions
    }
    accounts = {
        name: {
            "type": "object",
            "additionalProperties": account_schema(provider, words["AccountState"]),
        }
        for name, provider in providers.items()
    }
    path, megabytes = {"type": "string", "minLength": 1}, {"type": "number", "exclusiveMinimum": 0}
    host = {"type": "string", "pattern": r"^[A-Za-z0-9]([A-Za-z0-9.-]{0,251}[A-Za-z0-9])?$"}
    hosts = {"type": "array", "items": host}
    return {
        "hosts": by_provider(dict.fromkeys([*providers, "mockvoice"], hosts)),
        "edition": by_provider(editions),
        "contracts": by_provider(dict.fromkeys(providers, path)),
        "upstream": by_provider(dict.fromkeys(providers, path)),
        "max_file_mb": by_provider(dict.fromkeys(providers, megabytes)),
        "clock": words["InitialClock"],
        "accounts": by_provider(accounts),
        "voices": {"type": "array", "items": {"$ref": f"{_WORDS}RecordSeed"}},
        "faults": {"type": "array", "items": {"$ref": f"{_WORDS}FaultOrSequence"}},
    }


def _used(node: Node, words: Node) -> set[str]:
    """Return the names of the schemas that a schema refers to, directly or through others."""
    used = set[str]()
    pending = [node]
    while pending:
        names = set(re.findall(rf'"{_WORDS}(\w+)"', json.dumps(pending.pop())))
        pending += [words[name] for name in names - used]
        used |= names
    return used


def _compiled(control: Document, providers: Mapping[str, Provider]) -> Schema:
    document = {"openapi": "3.1.0", **schema(control, providers)}
    return SchemaStore("mockvoice.schema", document).compile("#")


def _without_secret(violation: Violation) -> Violation:
    """Return a violation without the value of a secret setting."""
    name = violation.pointer.removeprefix("/")
    if name not in SECRET:
        return violation
    (setting,) = (setting for setting in table() if setting.name == name)
    return violation._replace(message=f"must be {setting.metadata['syntax']}", received=None)


def content_violations(
    content: JSON, control: Document, providers: Mapping[str, Provider]
) -> Iterator[Violation]:
    """Yield the violations of the content of a file that was sent to the control API."""
    file_schema = _compiled(control, providers)
    for violation in _violations(content, file_schema, control, providers):
        yield violation._replace(location="body")


def _violations(
    content: JSON, file_schema: Schema, control: Document, providers: Mapping[str, Provider]
) -> Iterator[Violation]:
    """Yield violations of the schema, then values that no provider can use."""
    violations = file_schema.violations(content, "file")
    yield from map(_without_secret, violations)
    # Up to the member of an item: /voices/0/samples
    broken = {"/".join(violation.pointer.split("/")[:4]) for violation in violations}
    if isinstance(content, dict) and not any(at.startswith("/clock") for at in broken):
        for name, text in content.get("clock", {}).items():
            yield from _rejected(partial(read_time, f"/clock/{name}", text))
    if isinstance(content, dict) and isinstance(content.get("upstream"), dict):
        yield from _unusable_upstreams(content["upstream"], broken)
    for i, fault in enumerate(_list(content, "faults")):
        yield from fault_violations(control, providers, fault, "file", f"/faults/{i}")
    for i, voice in enumerate(_list(content, "voices")):
        members = ("provider", "collection", "id", "account", "created_at", "data", "samples")
        if not broken.intersection([f"/voices/{i}", *(f"/voices/{i}/{name}" for name in members)]):
            make = partial(make_records, providers, voice, Ids("", "", 0), 0.0)
            for violation in _rejected(make):
                yield violation._replace(pointer=f"/voices/{i}{violation.pointer}")


def _unusable_upstreams(urls: Mapping[str, Any], broken: set[str]) -> Iterator[Violation]:
    """Yield a violation for each URL that satisfies the schema and cannot be used."""
    from ..upstream.forward import url_problem  # here: few files have an upstream

    for name, url in urls.items():
        pointer = f"/upstream/{escape(name)}"
        if pointer not in broken and (message := url_problem(url)):
            yield Violation("file", pointer, "format", message)


def _list(content: JSON, name: str) -> Sequence[JSON]:
    value = content.get(name) if isinstance(content, dict) else ()
    return value if isinstance(value, list | tuple) else ()


def _rejected(make: Callable[[], object]) -> Sequence[Violation]:
    try:
        make()
    except ValidationFailed as problem:
        return problem.violations
    return ()

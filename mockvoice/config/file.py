"""The file `mockvoice.yaml`: read with the line of every value, checked by one JSON Schema."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import Field
from functools import partial
from typing import Any

from ..control.accounts import limit_violations
from ..errors import ValidationFailed, Violation
from ..faults.validation import fault_violations
from ..mock import Mock
from ..openapi.normalize import JSON, Node
from ..openapi.schema import SchemaStore, escape
from ..provider import Provider
from ..seeding import make_records
from ..state.ids import Ids
from .settings import Settings, SettingsError, is_flag, kinds, table
from .yaml import Diagnostic, UnreadableFile, YAMLDocument


def read(path: str, providers: Iterable[Provider]) -> Mapping[str, Any]:
    """What a file says: settings, and accounts, voices and faults that fit the providers.

    Raises SettingsError with a line for each thing that is wrong:
    `mockvoice.yaml:7: faults[0].kind must be one of status, delay; got "delai"`
    """
    try:
        found = YAMLDocument.read(path)
    except UnreadableFile as error:
        raise SettingsError(f"{path}:{error}") from None
    wrong = found.wrong + [
        Diagnostic(found.location(each.pointer), _hinted(each.message, each))
        for each in _violations(found.value, Mock(Settings(), providers))
        if each.pointer not in found.unread
    ]
    if wrong:
        wrong.sort(key=lambda each: each.location.line)
        lines = [
            " ".join(f"{path}:{each}".splitlines()) for each in wrong
        ]  # a key may have several
        raise SettingsError("\n".join(dict.fromkeys(lines)))
    said: Mapping[str, Any] = found.value
    return said


def check(settings: Mapping[str, Any], providers: Iterable[Provider]) -> None:
    """Raise SettingsError for what a file might not say either, of settings given in Python."""
    words = {setting.name for setting in table() if is_flag(setting)}
    given = {name: value for name, value in settings.items() if name not in words}
    if given:
        wrong = _violations(given, Mock(Settings(), providers))
        if lines := dict.fromkeys(_hinted(each.sentence, each) for each in wrong):
            raise SettingsError("\n".join(lines))


def _hinted(told: str, violation: Violation) -> str:
    return f"{told}; {violation.hint}" if violation.hint else told


def told(found: Mapping[str, Any]) -> str:
    """How much a file says besides settings: `2 accounts, 1 voice, 3 faults`."""
    counts = {
        "account": sum(len(keys) for keys in found.get("accounts", {}).values()),
        "voice": len(found.get("voices", ())),
        "fault": len(found.get("faults", ())),
    }
    return ", ".join(f"{count} {noun}{'s' * (count != 1)}" for noun, count in counts.items())


# --- what it may say -----------------------------------------------------------------------------

_TYPES = {int: "integer", str: "string", bool: "boolean"}
_WORDS = "#/components/schemas/"


def schema(mock: Mock) -> Node:
    """The JSON Schema (2020-12) of the file, made of the settings and the control API's words."""
    words: Node = mock.control.schemas.node("#/components/schemas")
    shapes = _shapes([*mock.providers])
    members = {
        setting.name: {
            "description": setting.metadata["help"],
            **(_plain(setting) if is_flag(setting) else shapes[setting.name]),
        }
        for setting in table()
    }
    whole = {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "mockvoice.yaml",
        "description": "How mockvoice behaves, and what each of its sandboxes begins with.",
        "type": "object",
        "additionalProperties": False,
        "properties": members,
        "$defs": {name: words[name] for name in sorted(_used(members, words))},
    }
    made: Node = json.loads(json.dumps(whole).replace(_WORDS, "#/$defs/"))
    return made


def _plain(setting: Field[Any]) -> Node:
    """The schema of a setting that is one word."""
    choices = setting.metadata["choices"]
    bounds = {"minimum": setting.metadata["min"], "maximum": setting.metadata["max"]}
    return {
        **({"enum": [*choices]} if choices else {"type": _TYPES[kinds()[setting.name]]}),
        **{word: bound for word, bound in bounds.items() if bound is not None},
        "default": setting.default,
    }


def _shapes(providers: list[str]) -> Mapping[str, Node]:
    """The schemas of the other settings."""

    def by_provider(each: Node) -> Node:
        members = dict.fromkeys(providers, each)
        return {"type": "object", "additionalProperties": False, "properties": members}

    state = {"$ref": f"{_WORDS}AccountState"}
    return {
        "max_file_mb": by_provider({"type": "number", "exclusiveMinimum": 0}),
        "accounts": by_provider({"type": "object", "additionalProperties": state}),
        "voices": {"type": "array", "items": {"$ref": f"{_WORDS}RecordSeed"}},
        "faults": {"type": "array", "items": {"$ref": f"{_WORDS}FaultOrSequence"}},
    }


def _used(node: Node, words: Node) -> set[str]:
    """The words that a schema refers to, and those that these refer to."""
    found = set[str]()
    left = [node]
    while left:
        named = set(re.findall(rf'"{_WORDS}(\w+)"', json.dumps(left.pop())))
        left += [words[name] for name in named - found]
        found |= named
    return found


def _violations(found: JSON, mock: Mock) -> Iterator[Violation]:
    """What breaks the schema; then what no provider can use."""
    schemas = SchemaStore("mockvoice.schema", {"openapi": "3.1.0", **schema(mock)})
    violations = schemas.compile("#").violations(found, "file")
    yield from violations
    broken = {"/".join(each.pointer.split("/")[:3]) for each in violations}  # /voices/0
    for i, fault in enumerate(_list(found, "faults")):
        yield from fault_violations(mock.control, mock.providers, fault, "file", f"/faults/{i}")
    if isinstance(found, dict) and not any(each.startswith("/accounts") for each in broken):
        for provider, keys in found.get("accounts", {}).items():
            for key, state in keys.items():
                at = f"/accounts/{provider}/{escape(key)}"
                yield from limit_violations(mock.providers[provider], state, "file", at)
    for i, voice in enumerate(_list(found, "voices")):
        if f"/voices/{i}" not in broken:
            for each in _refused(partial(make_records, mock.providers, voice, Ids("", "", 0), 0.0)):
                yield each._replace(pointer=f"/voices/{i}{each.pointer}")


def _list(found: JSON, name: str) -> Sequence[JSON]:
    value = found.get(name) if isinstance(found, dict) else ()
    return value if isinstance(value, list | tuple) else ()


def _refused(check: Callable[[], object]) -> Sequence[Violation]:
    try:
        check()
    except ValidationFailed as problem:
        return problem.violations
    return ()

"""Write YAML 1.2 with PyYAML, which writes YAML 1.1."""

from __future__ import annotations

import re
from typing import Any

import yaml


class _Dumper(yaml.SafeDumper):
    """Quotes text that is a number in YAML 1.2 but not in YAML 1.1."""


_Dumper.add_implicit_resolver("number", re.compile(r"[-+.0-9].*", re.DOTALL), [*"-+.0123456789"])


def _text(dumper: yaml.SafeDumper, value: str) -> yaml.ScalarNode:
    # PyYAML folds quoted text at the line breaks of YAML 1.1, and reads a space where a lone
    # U+0085 was; in double quotes it escapes them.
    style = '"' if re.search("[\x85\u2028\u2029]", value) else None
    return dumper.represent_scalar("tag:yaml.org,2002:str", value, style)


_Dumper.add_representer(str, _text)


def to_yaml(value: Any) -> str:
    """Return a value as YAML 1.2."""
    text: str = yaml.dump(value, Dumper=_Dumper, allow_unicode=True, sort_keys=False)
    return text

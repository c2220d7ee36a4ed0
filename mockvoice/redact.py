"""Keep what opens doors out of what is shown: keys, passwords, tokens."""

from __future__ import annotations

import re
from hashlib import blake2b
from typing import Any

_SECRET = re.compile(
    r"authorization|cookie|api[-_]?key|secret|(?<!page_)token$|passw|credential", re.IGNORECASE
)
_LONG = 8  # characters: a shorter key may be part of any word


def redacted(key: str) -> str:
    """A key that tells accounts apart and opens none: `sk_t…3f2a9c`."""
    shown = key[: min(4, len(key) // 3)]
    return f"{shown}…{blake2b(key.encode(), digest_size=3).hexdigest()}"


def is_secret(name: str) -> bool:
    """Whether a member or header of this name sounds like one that holds a secret."""
    return _SECRET.search(name) is not None


def without_secrets(value: Any, key: str = "") -> Any:
    """JSON with all that sounds like a secret redacted, and this key wherever it stands."""
    if isinstance(value, dict):
        return {
            name: hidden(each) if is_secret(name) else without_secrets(each, key)
            for name, each in value.items()
        }
    if isinstance(value, list | tuple):
        return [without_secrets(each, key) for each in value]
    if len(key) >= _LONG and isinstance(value, str):
        return value.replace(key, redacted(key))
    return value


def hidden(value: Any) -> Any:
    """JSON with every text and number redacted."""
    if isinstance(value, dict):
        return {name: hidden(each) for name, each in value.items()}
    if isinstance(value, list | tuple):
        return [hidden(each) for each in value]
    if value is None or isinstance(value, bool) or value == "":
        return value
    return redacted(value if isinstance(value, str) else repr(value))

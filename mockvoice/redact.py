"""Keep what opens doors out of what is shown: keys, passwords, tokens."""

from __future__ import annotations

import re
from hashlib import blake2b
from typing import Any

_SECRET = re.compile(
    r"authorization|cookie|api[-_]?key|secret|(?<!page_)token$|passw|credential", re.IGNORECASE
)
_LONG = 8  # characters: a shorter key may be part of any word


def mask_key(key: str) -> str:
    """A key that tells accounts apart and opens none: `sk_t…3f2a9c`."""
    shown = key[: min(4, len(key) // 3)]
    return f"{shown}…{blake2b(key.encode(), digest_size=3).hexdigest()}"


def is_secret(name: str) -> bool:
    """Whether a member or header of this name sounds like one that holds a secret."""
    return _SECRET.search(name) is not None


def redact(value: Any, key: str = "") -> Any:
    """JSON with all that sounds like a secret redacted, and this key wherever it stands."""
    if isinstance(value, dict):
        return {
            name: mask(each) if is_secret(name) else redact(each, key)
            for name, each in value.items()
        }
    if isinstance(value, list | tuple):
        return [redact(each, key) for each in value]
    if len(key) >= _LONG and isinstance(value, str):
        return value.replace(key, mask_key(key))
    return value


def mask(value: Any) -> Any:
    """JSON with every text and number redacted."""
    if isinstance(value, dict):
        return {name: mask(each) for name, each in value.items()}
    if isinstance(value, list | tuple):
        return [mask(each) for each in value]
    if value is None or isinstance(value, bool) or value == "":
        return value
    return mask_key(value if isinstance(value, str) else repr(value))

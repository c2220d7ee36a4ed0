"""Mask keys, passwords and tokens in everything that is shown."""

from __future__ import annotations

import re
from hashlib import blake2b
from typing import Any

_SECRET = re.compile(
    r"authorization|cookie|api[-_]?key|secret|(?<!page_)token$|passw|credential", re.IGNORECASE
)
_MIN_KEY = 8  # characters: a shorter key may be part of any word


def mask_key(key: str) -> str:
    """Return a masked key, which identifies an account but cannot be used: `sk_t…3f2a9c`."""
    shown = key[: min(4, len(key) // 3)]
    return f"{shown}…{blake2b(key.encode(), digest_size=3).hexdigest()}"


def is_secret(name: str) -> bool:
    """Return True for the name of a member or header that usually holds a secret."""
    return _SECRET.search(name) is not None


def redact(value: Any, key: str = "") -> Any:
    """Return JSON with secret members masked, and the key masked wherever it occurs."""
    if isinstance(value, dict):
        return {
            name: mask(member) if is_secret(name) else redact(member, key)
            for name, member in value.items()
        }
    if isinstance(value, list | tuple):
        return [redact(item, key) for item in value]
    if len(key) >= _MIN_KEY and isinstance(value, str):
        return value.replace(key, mask_key(key))
    return value


def mask(value: Any) -> Any:
    """Return JSON with every text and number masked."""
    if isinstance(value, dict):
        return {name: mask(member) for name, member in value.items()}
    if isinstance(value, list | tuple):
        return [mask(item) for item in value]
    if value is None or isinstance(value, bool) or value == "":
        return value
    return mask_key(value if isinstance(value, str) else repr(value))

"""Helpers for text: short values, suggestions, JSON Pointers and numbers."""

from __future__ import annotations

import json
from collections.abc import Iterable
from difflib import get_close_matches
from itertools import islice
from math import isfinite

from .types import JSON

_encoder = json.JSONEncoder(ensure_ascii=False)
_MAX_NAME = 64  # characters: a longer name gets no suggestion, so that comparing stays cheap
_MAX_CANDIDATES = 256


def brief(value: JSON, max_length: int = 60) -> str:
    """Return a value as JSON, cut to `max_length` characters.

    Encoding stops at that length, so a large value costs no more than a small one.
    """
    text = ""
    for chunk in _encoder.iterencode(value):
        text += chunk[: max_length + 1]
        if len(text) > max_length:
            return text[: max_length - 3] + "..."
    return text


def closest_match(name: str, candidates: Iterable[str]) -> str:
    """Return the candidate most similar to a name, or "" if none is similar."""
    if len(name) > _MAX_NAME:
        return ""
    named = (candidate for candidate in candidates if len(candidate) <= _MAX_NAME)
    short = [*islice(named, _MAX_CANDIDATES)]
    low = name.lower().replace("-", "_")
    for candidate in short:
        other = candidate.lower().replace("-", "_")
        contained = len(low) > 2 and (low in other or other in low)
        if contained or low.rstrip("s") == other.rstrip("s"):
            return candidate
    return next(iter(get_close_matches(name, short, 1, cutoff=0.65)), "")


def did_you_mean(name: str, candidates: Iterable[str]) -> str:
    """Return the hint that suggests the closest candidate, or ""."""
    match = closest_match(name, candidates)
    return f"did you mean {match}?" if match else ""


def escape(segment: str) -> str:
    """Escape one segment of a JSON Pointer (RFC 6901)."""
    return segment.replace("~", "~0").replace("/", "~1")


def unescape(segment: str) -> str:
    """Undo `escape`."""
    return segment.replace("~1", "/").replace("~0", "~")


def finite_float(text: str) -> float:
    """Return the number that a text spells. Raises ValueError for 1e400: JSON has no infinity."""
    number = float(text)
    if not isfinite(number):
        raise ValueError(f"the number {text[:20]} is out of range")
    return number

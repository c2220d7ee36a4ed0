"""Helpers for text: short values, suggestions, request lines, JSON Pointers and numbers."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable
from itertools import islice
from math import isfinite

from .types import JSON

_encoder = json.JSONEncoder(ensure_ascii=False)
_MAX_NAME = 64  # characters: a longer name gets no suggestion, so that comparing stays cheap
_MAX_CANDIDATES = 256
MAX_SENTENCE = 1000
_SENTENCE_END = re.compile(r"[.?!\u061f\u06d4\u3002\uff01\uff1f]+(\s+|$)")  # also Arabic, Chinese


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
    from difflib import get_close_matches  # here: only error messages need it

    if len(name) > _MAX_NAME:
        return ""
    named = (candidate for candidate in candidates if len(candidate) <= _MAX_NAME)
    short = [*islice(named, _MAX_CANDIDATES)]
    low = name.lower().replace("-", "_")
    contained = [
        candidate
        for candidate in short
        for other in [candidate.lower().replace("-", "_")]
        if (len(low) > 2 and (low in other or other in low)) or low.rstrip("s") == other.rstrip("s")
    ]
    best = get_close_matches(name, contained or short, 1, cutoff=0.0 if contained else 0.65)
    return best[0] if best else ""


def did_you_mean(name: str, candidates: Iterable[str]) -> str:
    """Return the hint that suggests the closest candidate, or ""."""
    match = closest_match(name, candidates)
    return f"did you mean {match}?" if match else ""


def request_line(
    *,
    id: str,
    provider: str,
    operation: str,
    method: str,
    path: str,
    status: int | None,
    fault: str = "",
    attempt: int | None = None,
    client_closed: float | None = None,
) -> str:
    """Return a request and its outcome in one line; `fault` has the kinds and ids of faults."""
    target = f"{provider or '(no provider)'} {operation or '(no operation)'}"
    shown = path if path.isprintable() else repr(path)
    outcome = "no response" if status is None else str(status)
    if fault:
        outcome += f", {fault}"
    if attempt:
        outcome += f", attempt {attempt}"
    if client_closed is not None:
        outcome += f", client closed the connection after {client_closed:.2g} s"
    return f"{id}  {target}  {method} {shown}  -> {outcome}"


def split_sentences(text: str, *, flush: bool = False) -> tuple[str, str]:
    """Split a text that arrives in parts: the sentences that are complete, and the rest.

    With `flush` all of it counts as complete, and so does a text over MAX_SENTENCE characters.
    """
    end = len(text)
    if not flush and end <= MAX_SENTENCE:
        end = max((match.end() for match in _SENTENCE_END.finditer(text)), default=0)
    return text[:end].strip(), text[end:]


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

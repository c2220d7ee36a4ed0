"""Colors of reports and logs on terminals."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from typing import TextIO

_GREEN, _YELLOW, _RED, _CYAN = 32, 33, 31, 36
_RULES: Mapping[str, int] = {
    r"(?<=  -> )[23]\d\d\b": _GREEN,
    r"(?<=  -> )4\d\d\b": _YELLOW,
    r"(?<=  -> )(?:5\d\d\b|no response)": _RED,
    r"^ +violation in .*": _YELLOW,
    r"^ +hint: .*": _CYAN,
    r"^ +internal error: .*": _RED,
}


def is_colored(stream: TextIO) -> bool:
    """Return True for a terminal, unless NO_COLOR is set (https://no-color.org)."""
    if os.environ.get("NO_COLOR") or os.environ.get("TERM") == "dumb":
        return False
    return stream.isatty()


def paint(text: str) -> str:
    """Return a report or log line with statuses, violations, hints and errors in color."""
    for pattern, color in _RULES.items():
        text = re.sub(pattern, rf"\033[{color}m\g<0>\033[0m", text, flags=re.MULTILINE)
    return text

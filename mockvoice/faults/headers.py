"""Faults in the headers of a request: `X-Mockvoice-Fault` and `Prefer: code=`."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

from ..errors import InvalidControlHeader, Violation
from ..redact import FAULT_HEADER
from ..types import JSON

HEADER_RULE = "header"  # the id of a fault from a header
FAULT_HEADERS = frozenset({FAULT_HEADER.encode(), b"prefer"})
_PREFER_CODE = re.compile(r'\s*code="?([45]\d\d)"?\s*', re.ASCII | re.IGNORECASE)


def header_faults(
    header: Callable[[str], str],
    parse: Callable[[bytes], JSON],
    violations: Callable[[JSON, str], list[Violation]],
) -> list[dict[str, Any]]:
    """Return the faults in the headers of a request, as JSON.

    Raises InvalidControlHeader.
    """
    faults = []
    text, pointer = header(FAULT_HEADER), f"/{FAULT_HEADER}"
    if text:
        try:
            data = parse(text.encode("latin-1"))
        except ValueError as error:
            violation = Violation("header", pointer, "format", str(error), "JSON", text)
            raise InvalidControlHeader("", violation) from None
        if found := violations(data, pointer):
            raise InvalidControlHeader("", *found)
        faults.append(data)
    codes = map(_PREFER_CODE.fullmatch, re.split("[,;]", header("prefer")))
    return [*faults, *({"status": int(code[1])} for code in codes if code)]

"""Faults in the headers of a request: `X-Mockvoice-Fault` and `Prefer: code=`."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from hashlib import blake2b

from ..errors import InvalidControlHeader, Violation
from ..redact import FAULT_HEADER
from ..types import JSON
from .rules import FaultRule
from .shorthand import is_name

HEADER_RULE = "header"  # the id of a fault from a header, as clients see it
FAULT_HEADERS = frozenset({FAULT_HEADER.encode(), b"prefer"})
_PREFER_CODE = re.compile(r'\s*code="?([45]\d\d)"?\s*', re.ASCII | re.IGNORECASE)


def header_faults(
    header: Callable[[str], str],
    parse: Callable[[bytes], JSON],
    violations: Callable[[JSON, str], list[Violation]],
) -> list[JSON]:
    """Return the faults in the headers of a request, as JSON or in shorthand.

    Raises InvalidControlHeader.
    """
    faults: list[JSON] = []
    text, pointer = header(FAULT_HEADER), f"/{FAULT_HEADER}"
    if text:
        try:
            data = text if is_name(text) else parse(text.encode("latin-1"))
        except ValueError as error:
            violation = Violation("header", pointer, "format", str(error), "JSON", text)
            raise InvalidControlHeader("", violation) from None
        if found := violations(data, pointer):
            raise InvalidControlHeader("", *found)
        faults.append(data)
    codes = map(_PREFER_CODE.fullmatch, re.split("[,;]", header("prefer")))
    return [*faults, *(int(code[1]) for code in codes if code)]


def header_rule(fault: JSON, now: float) -> FaultRule:
    """Return the rule for a fault in a header. Equal faults have the same id: they count together.

    So the items of a sequence are used by the attempts of a client, which send equal headers.
    """
    digest = blake2b(json.dumps(fault, sort_keys=True).encode(), digest_size=8).hexdigest()
    return FaultRule.of(f"{HEADER_RULE}/{digest}", fault, now)

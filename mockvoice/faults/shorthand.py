"""The shorthand of faults: a status (502), a kind ("reset"), "ok", or a list of them."""

from __future__ import annotations

from collections.abc import Mapping
from string import digits
from typing import Any

OK = "ok"  # in a sequence: this request succeeds
_JSON_STARTS = ("{", "[", '"', "-", *digits)


def expand_fault(fault: Any) -> Mapping[str, Any]:
    """Return the fields of a fault given in shorthand, also of the items of its sequence."""
    expanded = shorthand_fields(fault)
    if "sequence" not in expanded:
        return expanded
    items = [item if item == OK else shorthand_fields(item) for item in expanded["sequence"]]
    return {**expanded, "sequence": items}


def shorthand_fields(fault: Any) -> Mapping[str, Any]:
    """Return the fields of a fault given in shorthand; the items of its sequence stay as given.

    A list is a sequence, whose items are shorthands, mappings of fields, or "ok" to let a request
    pass; "ok" alone is a sequence of one item.
    """
    if isinstance(fault, Mapping):
        return fault
    if isinstance(fault, list | tuple):
        return {"sequence": fault}
    if fault == OK:
        return {"sequence": [OK]}
    return {"kind" if isinstance(fault, str) else "status": fault}


def is_name(text: str) -> bool:
    """Return True if the text of a fault is the bare name of a kind, or "ok", and not JSON."""
    return not text.startswith(_JSON_STARTS)

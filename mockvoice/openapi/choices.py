"""Choose the branch of `oneOf` or `anyOf` that a value was most likely meant for."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from ..types import JSON, Node

if TYPE_CHECKING:
    from jsonschema_rs import ValidationError

Failures = Sequence["ValidationError"]  # of one branch


def closest_branch(error: ValidationError, branches: Sequence[Node]) -> int | None:
    """Return the index of the branch that a value comes closest to.

    That is the one with the fewest constants that differ, the fewest missing members, and the most
    constants that match. None if the value has the type or constant of no branch, or satisfies
    several.
    """
    failures: Sequence[Failures] = error.kind.value or ()
    if not all(failures):
        return None
    return min(
        (i for i, failed in enumerate(failures) if _has_type(error, failed)),
        key=lambda i: _distance(error, failures[i], branches[i]),
        default=None,
    )


def is_ambiguous(error: ValidationError) -> bool:
    """Return True if a value has the type or constant of several branches."""
    return sum(_has_type(error, failed) for failed in error.kind.value or ()) > 1


def merged_choices(error: ValidationError) -> tuple[str, list[JSON] | None]:
    """Return several lists of constants as one `enum`, and several types as one `type`."""
    own = [
        inner
        for failed in error.kind.value or ()
        for inner in failed
        if inner.instance_path == error.instance_path
    ]
    total = sum(len(failed) for failed in error.kind.value or ())
    rules = {inner.kind.name for inner in own}
    if own and len(own) == total and (rules <= {"const", "enum"} or rules == {"type"}):
        choices: list[JSON] = []
        for inner in own:
            value: Any = inner.kind.value
            choices += value if isinstance(value, list) else [value]
        return ("type" if rules == {"type"} else "enum"), [*dict.fromkeys(choices)]
    return error.kind.name, None


def branch_names(branches: Sequence[Any]) -> list[str]:
    """Return the names of branches: those of their schemas, their titles, or their numbers."""
    return [
        branch.get("$ref", "").rpartition("/")[2] or branch.get("title") or f"form {number}"
        for number, branch in enumerate(branches, 1)
    ]


def selected_hint(error: ValidationError) -> str:
    """Return the name of the branch that a discriminator has selected, "" if there is none."""
    path = [*error.evaluation_path]
    for i, step in enumerate(path[:-3]):
        if step == "allOf" and path[i + 2] in ("then", "else") and path[i + 3] == "$ref":
            location = (error.absolute_keyword_location or "").partition("#/components/schemas/")[2]
            return f"checked as {location.partition('/')[0]}" if location else ""
    return ""


def _has_type(error: ValidationError, failed: Failures) -> bool:
    """Return True if a value has the type or constant that a branch requires of it."""
    return not any(
        inner.kind.name in ("type", "const", "enum") and inner.instance_path == error.instance_path
        for inner in failed
    )


def _distance(error: ValidationError, failed: Failures, branch: Node) -> tuple[int, ...]:
    depth = len(error.instance_path) + 1
    differing = {
        str(inner.instance_path[-1])
        for inner in failed
        if inner.kind.name in ("const", "enum", "pattern") and len(inner.instance_path) == depth
    }
    sent = error.instance if isinstance(error.instance, dict) else {}
    matching = [
        name
        for name, member in branch.get("properties", {}).items()
        if name in sent and name not in differing and member.keys() & {"const", "enum", "x-choices"}
    ]
    missing = sum(
        inner.kind.name == "required" and inner.instance_path == error.instance_path
        for inner in failed
    )
    return len(differing), missing, -len(matching), len(failed)

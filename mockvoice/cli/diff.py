"""Command `diff`: what changed between two contracts."""

from __future__ import annotations

import argparse
from itertools import groupby
from pathlib import Path
from typing import TYPE_CHECKING, Any

from .commands import Command, UsageError, add_provider_argument, print_json, providers

if TYPE_CHECKING:
    from ..openapi.diff import Difference
    from ..openapi.document import Document
    from ..provider import Provider

_FORMATS = ("text", "json", "markdown")
_SIGNS = {"added": "+", "removed": "-", "changed": "~"}


def diff(options: argparse.Namespace) -> int:
    """List what changed from one contract to another, and mark breaking changes.

    A contract is a file, a provider (its default edition) or an edition: telnyx@2026-07-16,
    telnyx@latest. A change is breaking if a client of the older contract may fail with the newer
    one. Exits with 0 if nothing differs, otherwise with 1.
    """
    from ..openapi.diff import differences

    served = {provider.name: provider for provider in providers(options)}
    found = differences(_document(options.old, served), _document(options.new, served))
    if options.format == "json":
        print_json(_described(options, found))
    elif found:
        print(_report(options, found))
    return 1 if found else 0


def _document(name: str, served: dict[str, Provider]) -> Document:
    """Return a contract by the name of a file or an edition."""
    from ..client.control import unknown_name
    from ..openapi.document import Document

    provider, _, edition = name.partition("@")
    if provider in served:
        return served[provider].select(edition).document
    path = Path(name)
    if not path.is_file():
        raise UsageError(f"{unknown_name('file or provider', provider, served)}")
    return Document(path.stem, path.read_text(encoding="utf-8"), path.name)


def _described(options: argparse.Namespace, found: list[Difference]) -> dict[str, Any]:
    return {
        "old": options.old,
        "new": options.new,
        "breaking": sum(difference.breaking for difference in found),
        "changes": [difference._asdict() for difference in found],
    }


def _report(options: argparse.Namespace, found: list[Difference]) -> str:
    """Return the changes as text or Markdown, by operation."""
    markdown = options.format == "markdown"
    breaking = sum(difference.breaking for difference in found)
    title = f"{options.old} -> {options.new}: {_count(len(found), 'change')}, {breaking} breaking"
    lines = [f"## {title}" if markdown else title]
    for operation, group in groupby(found, lambda difference: difference.operation):
        lines += ["", f"### `{operation}`" if markdown else operation]
        lines += [""] * markdown
        lines += [_line(difference, markdown=markdown) for difference in group]
    return "\n".join(lines)


def _count(number: int, noun: str) -> str:
    return f"{number} {noun}{'s' * (number != 1)}"


def _line(difference: Difference, *, markdown: bool) -> str:
    if markdown:
        location = f"`{difference.location}`: " if difference.location else ""
        return f"- {'**breaking** ' * difference.breaking}{location}{difference.message}"
    location = f"{difference.location}: " if difference.location else ""
    breaking = "  (breaking)" if difference.breaking else ""
    return f"  {_SIGNS[difference.change]} {location}{difference.message}{breaking}"


def _add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("old", metavar="OLD", help="file, provider, or PROVIDER@EDITION")
    parser.add_argument("new", metavar="NEW", help="file, provider, or PROVIDER@EDITION")
    add_provider_argument(parser)
    parser.add_argument(
        "--format",
        choices=_FORMATS,
        default="text",
        help="output format: %(choices)s (default: %(default)s)",
    )


COMMANDS = (Command(diff, _add_arguments, "mockvoice diff telnyx telnyx@latest"),)

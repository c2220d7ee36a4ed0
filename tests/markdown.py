"""The pages of the documentation as code blocks, tables, headings and links."""

from __future__ import annotations

import re
from functools import cache, cached_property
from pathlib import Path
from typing import NamedTuple

ROOT = Path(__file__).parents[1]

_FENCE = re.compile(r'^```(\w*)(?: title="([^"]+)")?\n(.*?)^```$', re.DOTALL | re.MULTILINE)
_TABLE = re.compile(r"(?:^\|.*\n)+", re.MULTILINE)
_HEADING = re.compile(r"^#+ (.+)$", re.MULTILINE)
_INLINE_CODE = re.compile(r"`([^`\n]+)`")
_LINK = re.compile(r"(?<!!)\[[^\]]+\]\(([^)\s]+)\)")
_DEFINITION = re.compile(r"^\[([^\]]+)\]: (\S+)", re.MULTILINE)
_REFERENCE = re.compile(r"\[[^\]]+\]\[([^\]]+)\]|\[([a-z0-9-]+)\](?![\[(:])")


class Block(NamedTuple):
    """A fenced code block; `title` is the file or kind named in its info string, or ""."""

    page: str
    line: int
    language: str
    title: str
    text: str

    def __str__(self) -> str:
        return f"{self.page}:{self.line} {self.language} {self.title}".rstrip()


class Page:
    """One Markdown file, named by its path from the root of the repository."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.path = ROOT / name
        self.text = self.path.read_text(encoding="utf-8")

    @cached_property
    def blocks(self) -> list[Block]:
        return [
            Block(self.name, self.text.count("\n", 0, fence.start()) + 1, *map(str, groups))
            for fence in _FENCE.finditer(self.text)
            for groups in [[fence[1], fence[2] or "", fence[3]]]
        ]

    def block(self, title: str) -> Block:
        """Return the block with a title; there must be exactly one."""
        (block,) = [block for block in self.blocks if block.title == title]
        return block

    @cached_property
    def prose(self) -> str:
        """The text without code blocks."""
        return _FENCE.sub("", self.text)

    def section(self, title: str) -> str:
        """Return the text below a heading of the second level."""
        return self.text.partition(f"\n## {title}\n")[2].partition("\n## ")[0]

    @property
    def tables(self) -> list[str]:
        return _TABLE.findall(self.prose)

    @property
    def inline_code(self) -> list[str]:
        return _INLINE_CODE.findall(self.prose)

    @cached_property
    def anchors(self) -> set[str]:
        """The anchors of the headings, as GitHub forms them."""
        headings = [heading.replace("`", "").lower() for heading in _HEADING.findall(self.prose)]
        return {re.sub(r"[^\w\- ]", "", heading).replace(" ", "-") for heading in headings}

    @cached_property
    def _without_code(self) -> str:
        return _INLINE_CODE.sub("", self.prose)

    @property
    def links(self) -> list[str]:
        """The targets of all links and link definitions."""
        definitions = [target for _, target in _DEFINITION.findall(self.prose)]
        return [*_LINK.findall(self._without_code), *_LINK.findall(self.prose), *definitions]

    @property
    def undefined_references(self) -> set[str]:
        """The labels of reference links that have no definition."""
        defined = {label.lower() for label, _ in _DEFINITION.findall(self.prose)}
        used = {first or second for first, second in _REFERENCE.findall(self._without_code)}
        return {label for label in used if label.lower() not in defined}


@cache
def page(name: str) -> Page:
    """Return a page by its path from the root of the repository."""
    return Page(name)


def pages() -> list[Page]:
    """Return all pages."""
    folders = [ROOT, ROOT / "docs", ROOT / "docs/providers", ROOT / "examples"]
    paths = [path for folder in folders for path in sorted(folder.glob("*.md"))]
    return [page(path.relative_to(ROOT).as_posix()) for path in paths]


def rows(table: str) -> list[list[str]]:
    """Return the cells of a table, without its header."""
    lines = table.splitlines()[2:]
    return [[cell.strip() for cell in re.split(r"(?<!\\)\|", line)[1:-1]] for line in lines]


def names(cell: str) -> list[str]:
    """Return the inline code of a cell."""
    return _INLINE_CODE.findall(cell)

"""Write the generated tables and reports into the documentation.

Run it with `python -m tests.update_docs` after changing a text that the documentation shows.
"""

from __future__ import annotations

from pathlib import Path
from tempfile import TemporaryDirectory

from .markdown import page
from .test_docs import GENERATED, failure_report, header
from .test_recipes import reported_coverage


def replace(name: str, old: str, new: str) -> None:
    path = page(name).path
    path.write_text(path.read_text(encoding="utf-8").replace(old, new), encoding="utf-8")


def replace_block(name: str, title: str, text: str) -> None:
    fence = f'```text title="{title}"\n'
    replace(name, f"{fence}{page(name).block(title).text}```", f"{fence}{text}```")


def main() -> None:
    for name, make in GENERATED.items():
        text = make()
        (table,) = [table for table in page(name).tables if header(table) == header(text)]
        replace(name, table, text)
    with TemporaryDirectory() as folder:
        replace_block("README.md", "report", failure_report(Path(folder)))
        replace_block("examples/README.md", "coverage", reported_coverage(Path(folder, "example")))


if __name__ == "__main__":
    main()

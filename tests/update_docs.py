"""Write the generated tables and the failure report into the documentation.

Run it with `python -m tests.update_docs` after changing a text that the documentation shows.
"""

from __future__ import annotations

from pathlib import Path
from tempfile import TemporaryDirectory

from .markdown import page
from .test_docs import GENERATED, failure_report, header


def replace(name: str, old: str, new: str) -> None:
    path = page(name).path
    path.write_text(path.read_text(encoding="utf-8").replace(old, new), encoding="utf-8")


def main() -> None:
    for name, make in GENERATED.items():
        text = make()
        (table,) = [table for table in page(name).tables if header(table) == header(text)]
        replace(name, table, text)
    with TemporaryDirectory() as folder:
        report = failure_report(Path(folder))
    fence = '```text title="report"\n'
    replace(
        "README.md", f"{fence}{page('README.md').block('report').text}```", f"{fence}{report}```"
    )


if __name__ == "__main__":
    main()

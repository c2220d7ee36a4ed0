"""A part of Telnyx's Java SDK that compiles in minutes: its client with the tested services only.

The SDK has two million lines of generated Kotlin. Every service is a member of the client, so
without the other members most of the files are not needed.
"""

from __future__ import annotations

import re
import shutil
from collections.abc import Iterator, Sequence
from pathlib import Path

_SERVICE = re.compile(r"\b(\w+)Service(?:Async)?(?:Impl)?\b")
_IMPORT = re.compile(r"^import (com\.\w+\.sdk\.[\w.]+)$", re.MULTILINE)


def copy_part(checkout: Path, tests: Sequence[Path], target: Path) -> None:
    """Copy tests, and the part of the SDK that they need, to `test` and `src` of a folder."""
    for name in ("src", "test"):
        shutil.rmtree(target / name, ignore_errors=True)
    texts = {Path(test.parent.name, test.name): test.read_text(encoding="utf-8") for test in tests}
    for test, text in texts.items():
        _write(target / "test" / test, text)
    services = {test.name.partition("Service")[0] for test in tests}
    roots = [checkout / f"{part}/src/main/kotlin" for part in _parts(checkout)]
    pending = [path for root in roots for path in shared(root)]
    pending += [path for text in texts.values() for path in imported(text, roots)]
    copied: set[Path] = set()
    while pending:
        path = pending.pop()
        if path not in copied:
            copied.add(path)
            text = path.read_text(encoding="utf-8")
            if path.parent.name == "client":
                text = without_other_services(text, services)
            pending += imported(text, roots)
            root = next(root for root in roots if path.is_relative_to(root))
            _write(target / "src" / path.relative_to(root), text)


def _parts(checkout: Path) -> list[str]:
    """Return the modules of the SDK that a client with OkHttp consists of."""
    wanted = ("-core", "-lib", "-client-okhttp")
    return [path.name for path in sorted(checkout.iterdir()) if path.name.endswith(wanted)]


def shared(root: Path) -> Iterator[Path]:
    """Yield the files that every service needs."""
    for path in root.rglob("*.kt"):
        if not {"models", "services"} & {*path.relative_to(root).parts}:
            yield path


def without_other_services(text: str, services: set[str]) -> str:
    """Return the source of a client without the members for services that are not listed."""
    imports, start, members = text.partition(
        "\ninterface " if "\ninterface " in text else "\nclass "
    )
    lines = [line for line in imports.split("\n") if _is_kept(line, services)]
    blocks = [block for block in members.split("\n\n") if _is_kept(block, services)]
    return "\n".join(lines) + start + _closed("\n\n".join(blocks))


def _is_kept(text: str, services: set[str]) -> bool:
    return not {match[1] for match in _SERVICE.finditer(text)} - services - {"", "Executor"}


def _closed(text: str) -> str:
    """Return a class with the closing braces that its last member, if left out, had as well."""
    return text.rstrip() + "\n}" * (text.count("{") - text.count("}")) + "\n"


def imported(text: str, roots: Sequence[Path]) -> Iterator[Path]:
    """Yield the files of the classes that a file imports; all of a package of models."""
    for match in _IMPORT.finditer(text):
        folder, _, name = match[1].replace(".", "/").rpartition("/")
        for root in roots:
            if "/models/" in folder:
                yield from (root / folder).glob("*.kt")
            elif (root / folder / f"{name}.kt").is_file():
                yield root / folder / f"{name}.kt"


def _write(path: Path, text: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding="utf-8")

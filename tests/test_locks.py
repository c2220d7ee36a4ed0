"""The lock files cover pyproject.toml, with hashes and without the address of a registry."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

ROOT = Path(__file__).parents[1]
PYPROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())
RUN = PYPROJECT["project"]["dependencies"]
EXTRAS = PYPROJECT["project"]["optional-dependencies"]
GROUPS = PYPROJECT["dependency-groups"]
LOCKS = {
    "build.lock": GROUPS["build"],
    "dev.lock": RUN + EXTRAS["tls"] + EXTRAS["upstream"] + GROUPS["dev"],
    "image.lock": RUN + EXTRAS["redis"] + EXTRAS["tls"] + EXTRAS["upstream"],
    "tests/sdk/old_editions.lock": GROUPS["old-sdks"],
    "tests/fuzz/schemathesis.lock": GROUPS["schemathesis"],
}
HASH = r"--hash=sha256:[0-9a-f]{64}"
ENTRY = re.compile(rf"([\w.-]+)==([\w.+!]+)(?: ; (.+?))?((?: {HASH})+)")

every_lock = pytest.mark.parametrize("lock", LOCKS)


def entries(lock: str) -> list[tuple[str, str, str]]:
    """Return name, version and marker of each locked package; fail on any other line."""
    text = re.sub(r"^ *#.*\n", "", (ROOT / lock).read_text(), flags=re.MULTILINE)
    lines = re.sub(r" \\\n *", " ", text).splitlines()
    matches = [ENTRY.fullmatch(line) for line in lines]
    unknown = [line for line, match in zip(lines, matches, strict=True) if not match]
    assert not unknown, unknown
    return [(canonicalize_name(m[1]), m[2], m[3] or "") for m in matches if m]


def test_every_lock_file_is_listed() -> None:
    found = [*ROOT.glob("*.lock"), *(ROOT / "tests").glob("*/*.lock")]
    assert {path.relative_to(ROOT).as_posix() for path in found} == set(LOCKS)


@every_lock
def test_lock_covers_pyproject(lock: str) -> None:
    locked = entries(lock)
    for requirement in map(Requirement, LOCKS[lock]):
        name = canonicalize_name(requirement.name)
        versions = [version for other, version, _ in locked if other == name]
        assert versions, f"{name} is not in {lock}: run `make lock`"
        for version in versions:
            assert requirement.specifier.contains(version), (
                f"{lock} has {name} {version}, pyproject.toml wants {requirement}: run `make lock`"
            )


@every_lock
def test_lock_names_no_registry(lock: str) -> None:
    assert "://" not in (ROOT / lock).read_text()


# Its metadata asks for Python 3.12; the tests run it on 3.11 too.
@pytest.mark.parametrize("lock", ["dev.lock", "tests/sdk/old_editions.lock"])
def test_supertone_is_locked_for_every_python(lock: str) -> None:
    assert [marker for name, _, marker in entries(lock) if name == "supertone"] == [""]


@pytest.mark.parametrize("lock", ["build.lock", "image.lock"])
def test_development_uses_the_versions_of_the_image(lock: str) -> None:
    development = {name: version for name, version, _ in entries("dev.lock")}
    for name, version, _ in entries(lock):
        assert development.get(name, version) == version, f"{name}: run `make lock`"

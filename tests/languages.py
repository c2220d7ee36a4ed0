"""The test helpers of docs/other-languages.md for Go and Java: `make languages` runs them."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest

from .cli.processes import clean_environ, serving
from .markdown import ROOT, page

Change = tuple[str, str]


def write_blocks(folder: Path, suffix: str, *changes: Change) -> None:
    """Write the documented files of one language to a folder, with texts replaced."""
    for block in page("docs/other-languages.md").blocks:
        if block.title.endswith(suffix):
            text = block.text
            for old, new in changes:
                text = text.replace(old, new)
            (folder / block.title).write_text(text, encoding="utf-8")


def check_helper(
    folder: Path,
    suffix: str,
    *command: str,
    unfired: Change,
    failing: Change,
    always: Change = ("", ""),
) -> None:
    """Check that the documented test passes, and that the helper explains tests that fail.

    `unfired` changes the test so that its fault does not fire, `failing` so that it expects another
    result; `always` is a change for all runs.
    """

    def run(change: Change = ("", "")) -> tuple[int, str]:
        write_blocks(folder, suffix, always, change)
        done = subprocess.run(
            command,
            cwd=folder,
            env=clean_environ(MOCKVOICE_URL=url),
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            timeout=300,
            check=False,
        )
        return done.returncode, done.stdout

    with serving() as (_, url):
        code, output = run()
        assert code == 0, output
        assert "request_1" not in output
        code, output = run(unfired)
        assert code != 0
        assert "faults never fired" in output
        assert "fired for 0 of 0 matching requests" in output
        assert "request_1" in output
        code, output = run(failing)
        assert code != 0
        assert "faults never fired" not in output
        assert "-> 502, status (fault_1)" in output


def program(name: str, install: str) -> str:
    """Return the path of a program; skip the test where it is missing."""
    found = shutil.which(name)
    if found is None:
        pytest.skip(f"{name} is missing: install {install}")
    return found


def test_go_helper(tmp_path: Path) -> None:
    go = program("go", "Go 1.22 or newer")
    (tmp_path / "go.mod").write_text("module voices\n\ngo 1.22\n")
    check_helper(
        tmp_path,
        ".go",
        go,
        "test",
        unfired=('"listVoices", "status"', '"getVoice", "status"'),
        failing=('"200 OK"', '"299 OK"'),
    )


def test_go_helper_is_formatted_and_vetted(tmp_path: Path) -> None:
    gofmt, go = program("gofmt", "Go 1.22 or newer"), program("go", "Go 1.22 or newer")
    (tmp_path / "go.mod").write_text("module voices\n\ngo 1.22\n")
    write_blocks(tmp_path, ".go")
    for command in ([gofmt, "-l", "."], [go, "vet", "."]):
        done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)
        assert (done.returncode, done.stdout) == (0, ""), done.stderr


def test_java_helper(tmp_path: Path) -> None:
    maven = program("mvn", "Java 17 or newer with Maven")
    shutil.copy(ROOT / "tests/java/pom.xml", tmp_path)
    check_helper(
        tmp_path,
        ".java",
        maven,
        "--batch-mode",
        "--quiet",
        "test",
        unfired=('"listVoices", "status"', '"getVoice", "status"'),
        failing=("assertEquals(200", "assertEquals(299"),
    )

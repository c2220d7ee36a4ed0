"""Command `sample`."""

from __future__ import annotations

import pty
import subprocess
from os import close
from pathlib import Path

from mockvoice import Control
from mockvoice.audio.detect import seconds, sniff

from .processes import MOCKVOICE, check_output, clean_environ, run


def test_sample_writes_to_file_or_stdout(mock: Control, tmp_path: Path) -> None:
    file = tmp_path / "sample.ogg"
    arguments = ["sample", "ogg", "--seconds", "2", "--voice", "other", "--url", mock.url]
    assert check_output(*arguments, "--output", str(file)) == ""
    audio = mock.sample("ogg", seconds=2, voice="other")
    assert file.read_bytes() == audio
    assert subprocess.check_output([*MOCKVOICE, *arguments], env=clean_environ()) == audio
    wav = subprocess.check_output(
        [*MOCKVOICE, "sample", "wav"], env=clean_environ(MOCKVOICE_URL=mock.url)
    )
    assert (sniff(wav).format, seconds(wav, "wav")) == ("wav", 6.0)


def test_unwritable_file_exits_with_2(server: str, tmp_path: Path) -> None:
    result = run("sample", "wav", "-o", str(tmp_path), MOCKVOICE_URL=server)
    assert result.returncode == 2
    assert result.stderr == f"mockvoice: cannot write {tmp_path}: Is a directory\n"


def test_sample_refuses_to_write_to_terminal(server: str) -> None:
    controller, terminal = pty.openpty()
    result = subprocess.run(
        [*MOCKVOICE, "sample", "wav", "--url", server],
        stdout=terminal,
        stderr=subprocess.PIPE,
        text=True,
        check=False,
        env=clean_environ(),
    )
    close(controller)
    close(terminal)
    assert result.returncode == 2
    assert result.stderr == (
        "mockvoice: refusing to write audio to a terminal; use -o FILE or a pipe\n"
    )

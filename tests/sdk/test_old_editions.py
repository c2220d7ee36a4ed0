"""Older editions of the official SDKs, in an environment of their own (`make .venv-old/ready`)."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from mockvoice.http.server import Server

from ..conftest import Serve, newest, newest_files

ROOT = Path(__file__).parents[2]
RequestContext = Callable[..., Any]


@pytest.fixture
def call(tmp_path: Path) -> RequestContext:
    def run(name: str, url: str, sample: bytes) -> Any:
        path = tmp_path / "sample"
        path.write_bytes(sample)
        python, script = ROOT / ".venv-old/bin/python", Path(__file__).with_name("old_editions.py")
        command: list[str | Path] = [python, script, name, url, path]
        done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=True)
        return json.loads(done.stdout)

    return run


def test_the_documented_sample_of_telnyx_runs_word_for_word(
    call: RequestContext, serve: Serve
) -> None:
    data = call("telnyx_sample", serve(audio="any").url, b"Example data")
    assert data["name"] == "name"
    assert data["language"] == "lkf-Lz1vLbBu-9uDh-9AHaOS2D-Cbf"
    assert data["id"] == data["provider_voice_id"]


def test_the_documented_bytes_are_no_audio(call: RequestContext, server: Server) -> None:
    assert call("telnyx_sample", server.url, b"Example data")["error"] == "BadRequestError"


def test_an_empty_file_is_told_by_the_old_edition_too(call: RequestContext, server: Server) -> None:
    assert call("telnyx_sample", server.url, b"")["error"] == "UnprocessableEntityError"


def test_the_documented_design_clones_word_for_word(call: RequestContext, server: Server) -> None:
    data = call("telnyx_design", server.url, b"")
    assert data["source_voice_design_id"] == "550e8400-e29b-41d4-a716-446655440000"


def test_files_with_brackets_are_files(call: RequestContext, server: Server, wav: bytes) -> None:
    voice = call("retell_brackets", server.url, wav)
    assert voice["voice_id"].startswith("custom_voice_")
    stored = newest(server)
    assert stored.id == voice["voice_id"]
    assert [upload.filename for upload in newest_files(server)] == ["upload", "b.wav"]


@pytest.mark.parametrize(
    ("sample", "error"),
    [(b"", "BadRequestErrorResponse"), (b"text", "UnsupportedMediaTypeErrorResponse")],
)
def test_an_old_edition_of_supertone_reads_its_own_errors(
    call: RequestContext, server: Server, wav: bytes, sample: bytes, error: str
) -> None:
    assert call("supertone_sentence", server.url, wav)["voice_id"]
    told = call("supertone_sentence", server.url, sample)
    assert told["error"] == error
    assert isinstance(json.loads(told["body"])["message"], str)

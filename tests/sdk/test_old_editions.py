"""Older versions of the official SDKs, in a separate environment (`make .venv-old/ready`)."""

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
Call = Callable[..., Any]


@pytest.fixture
def call(tmp_path: Path) -> Call:
    def run(name: str, url: str, sample: bytes) -> Any:
        path = tmp_path / "sample"
        path.write_bytes(sample)
        python, script = ROOT / ".venv-old/bin/python", Path(__file__).with_name("old_editions.py")
        command: list[str | Path] = [python, script, name, url, path]
        result = subprocess.run(command, capture_output=True, text=True, timeout=60, check=True)
        return json.loads(result.stdout)

    return run


def test_documented_telnyx_sample_runs_unchanged(call: Call, serve: Serve) -> None:
    data = call("telnyx_sample", serve(audio="any").url, b"Example data")
    assert data["name"] == "name"
    assert data["language"] == "lkf-Lz1vLbBu-9uDh-9AHaOS2D-Cbf"
    assert data["id"] == data["provider_voice_id"]


def test_documented_telnyx_sample_is_invalid_audio(call: Call, server: Server) -> None:
    assert call("telnyx_sample", server.url, b"Example data")["error"] == "BadRequestError"


def test_empty_file_with_old_telnyx_sdk_returns_422(call: Call, server: Server) -> None:
    assert call("telnyx_sample", server.url, b"")["error"] == "UnprocessableEntityError"


def test_documented_telnyx_design_sample_runs_unchanged(call: Call, server: Server) -> None:
    data = call("telnyx_design", server.url, b"")
    assert data["source_voice_design_id"] == "550e8400-e29b-41d4-a716-446655440000"


def test_old_retell_sdk_sends_files_with_brackets(call: Call, server: Server, wav: bytes) -> None:
    voice = call("retell_brackets", server.url, wav)
    assert voice["voice_id"].startswith("custom_voice_")
    stored = newest(server)
    assert stored.id == voice["voice_id"]
    assert [upload.filename for upload in newest_files(server)] == ["upload", "b.wav"]


@pytest.mark.parametrize(
    ("sample", "error"),
    [(b"", "BadRequestErrorResponse"), (b"text", "UnsupportedMediaTypeErrorResponse")],
)
def test_old_supertone_sdk_parses_errors(
    call: Call, server: Server, wav: bytes, sample: bytes, error: str
) -> None:
    assert call("supertone_string_message", server.url, wav)["voice_id"]
    response = call("supertone_string_message", server.url, sample)
    assert response["error"] == error
    assert isinstance(json.loads(response["body"])["message"], str)

"""`mockvoice serve --reload`."""

from __future__ import annotations

import shutil
from contextlib import suppress
from pathlib import Path

import httpx

import mockvoice

from ..contract.contracts import SPECS
from .processes import run, start_server

KEY = {"authorization": "Bearer KEY"}


def names(url: str) -> list[str]:
    return [voice.data["voice_name"] for voice in mockvoice.connect(url).retell.voices]


def voice(name: str) -> str:
    return f"voices: [{{provider: retell, data: {{voice_name: {name}}}}}]\n"


def test_changed_file_is_reloaded_and_state_reset(tmp_path: Path) -> None:
    file = tmp_path / "mockvoice.yaml"
    file.write_text(voice("first"))
    with start_server("--reload", cwd=tmp_path) as server:
        assert "settings are from mockvoice.yaml" in server.error_line()
        mock = mockvoice.connect(server.url)
        mock.fail(502)
        assert names(server.url) == ["first"]
        with httpx.stream("GET", f"{server.url}/__mockvoice/events") as events:
            file.write_text(voice("second"))
            assert "settings are from mockvoice.yaml" in server.error_line()
            assert server.error_line() == (
                "mockvoice: reloaded mockvoice.yaml; the state of all sandboxes was reset"
            )
            with suppress(httpx.RemoteProtocolError):
                events.read()  # ends
        assert names(server.url) == ["second"]
        assert mock.faults == []  # over the same client, which connects again
        assert server.stop() == (0, "", "")


def test_invalid_file_keeps_the_old_state(tmp_path: Path) -> None:
    file = tmp_path / "mockvoice.yaml"
    file.write_text(voice("first"))
    with start_server("--reload", cwd=tmp_path) as server:
        server.error_line()
        mock = mockvoice.connect(server.url)
        mock.fail(502)
        file.write_text("sede: 1\n")
        assert server.error_line().startswith("mockvoice: mockvoice.yaml:1: sede is not a known")
        unchanged = "mockvoice: not reloaded; the server continues as it was"
        assert server.error_line() == unchanged
        assert (names(server.url), len(mock.faults)) == (["first"], 1)
        file.unlink()
        assert "mockvoice.yaml: No such file or directory" in server.error_line()
        assert server.error_line() == unchanged
        file.write_text(voice("third"))
        server.error_line()
        assert server.error_line().startswith("mockvoice: reloaded mockvoice.yaml")
        assert names(server.url) == ["third"]


def test_changed_port_is_reported(tmp_path: Path) -> None:
    file = tmp_path / "state.yaml"
    file.write_text("seed: 1\n")
    with start_server("--reload", "--config", str(file), "--host", "localhost") as server:
        server.error_line()
        file.write_text("seed: 2\nhost: 127.0.0.1\n")  # the flag takes precedence
        server.error_line()
        assert server.error_line().startswith(f"mockvoice: reloaded {file}")


def test_changed_contract_is_reloaded(tmp_path: Path) -> None:
    contract = tmp_path / "acme.yaml"
    shutil.copy(next((SPECS / "faseeh").glob("*.yaml")), contract)
    with start_server("--reload", "--provider", f"acme={contract}") as server:
        url = f"{server.url}/__mockvoice/specs/acme"
        contract.write_text(contract.read_text() + "# changed\n")
        assert server.error_line().startswith(f"mockvoice: reloaded {contract}")
        assert httpx.get(url).text.endswith("# changed\n")
        for invalid in ("openapi: 3.1.0\npaths: [\n", "openapi: 3.1.0\npaths: 5\n"):
            contract.write_text(invalid)
            assert server.error_line().startswith("mockvoice: ")
            assert server.error_line() == "mockvoice: not reloaded; the server continues as it was"
        assert httpx.get(url).text.endswith("# changed\n")


def test_reload_needs_the_store_in_memory() -> None:
    result = run("serve", "--reload", "--store", "redis://127.0.0.1:1/0", "--store-wait", "0")
    assert result.returncode == 2
    assert "--reload needs --workers 1 and --store memory" in result.stderr

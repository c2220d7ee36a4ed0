"""Commands `export` and `import`."""

from __future__ import annotations

import json
from pathlib import Path

import httpx

import mockvoice
from mockvoice import Control

from .processes import check_output, run


def test_exported_sandbox_is_imported_into_another_server(mock: Control, tmp_path: Path) -> None:
    source = mock.sandbox("source")
    source.retell.add_voice({"voice_name": "costs $5"}, id="custom_1", account="key_secret_1")
    source.supertone.account("key_secret_1", tier="free")
    source.telnyx.sequence([502, "ok"])
    source.clock.freeze("2024-01-01T00:00:00Z")
    file = str(tmp_path / "state.yaml")
    export = ["export", "--sandbox", "source", "--url", mock.url]
    assert check_output(*export, "--with-keys", "-o", file) == ""
    assert check_output(*export, "--with-keys") == Path(file).read_text(encoding="utf-8")
    assert "key_secret_1" not in check_output(*export)
    assert check_output("validate", file).endswith("ok (1 account, 1 voice, 1 fault)\n")
    with mockvoice.serve() as other:
        imported = check_output("import", file, "--sandbox", "copy", "--url", other.url)
        assert imported == "imported 1 account, 1 voice, 1 fault\n"
        copy = other.sandbox("copy")
        headers = {"authorization": "Bearer key_secret_1"}
        voice = httpx.get(f"{copy.retell.base_url}/get-voice/custom_1", headers=headers).json()
        assert voice["voice_name"] == "costs $5"
        assert copy.supertone.account("key_secret_1").tier == "free"
        assert copy.clock.now == source.clock.now
        assert [fault.data for fault in copy.faults] == [fault.data for fault in source.faults]
        counts = json.loads(check_output("import", file, "--json", MOCKVOICE_URL=other.url))
        assert counts == {"accounts": 1, "voices": 1, "faults": 1}


def test_import_reads_variables_and_ignores_settings_of_the_server(
    mock: Control, tmp_path: Path
) -> None:
    (tmp_path / "mockvoice.yaml").write_text(
        'port: 8080\nlog: text\nvoices: [{provider: retell, data: {voice_name: "${VOICE}"}}]\n'
    )
    file = str(tmp_path / "mockvoice.yaml")
    result = run("import", file, MOCKVOICE_URL=mock.url, VOICE="narrator")
    assert (result.returncode, result.stdout) == (0, "imported 0 accounts, 1 voice, 0 faults\n")
    assert result.stderr == "mockvoice: ignored settings of the server: port, log\n"
    assert mock.voices[0].data["voice_name"] == "narrator"


def test_invalid_files_are_explained(mock: Control, tmp_path: Path) -> None:
    file = tmp_path / "state.yaml"
    for text, code, message in [
        ("seed: [", 2, f"{file}:2:1: the file must be YAML"),
        ("seed: ${UNSET}", 2, f"{file}:1: seed refers to the environment variable UNSET"),
        ("- 1", 2, f"{file} must be a mapping, as in seed: 7; got [1]"),
        ("sede: 1", 1, "sede is not a property of a sandbox"),
        ("faults: [{kind: delai}]", 1, "faults.0.kind must be one of"),
    ]:
        file.write_text(text)
        result = run("import", str(file), MOCKVOICE_URL=mock.url)
        assert (result.returncode, result.stdout) == (code, "")
        assert result.stderr.startswith(f"mockvoice: {message}"), result.stderr
    missing = run("import", str(tmp_path / "none.yaml"), MOCKVOICE_URL=mock.url)
    assert missing.returncode == 2
    assert "none.yaml: No such file or directory" in missing.stderr

"""The command `diff`."""

from __future__ import annotations

import json
from pathlib import Path

from ..contract.contracts import SPECS
from .processes import run

OLD = SPECS / "supertone/0.9.0.yaml"


def test_equal_contracts_print_nothing_and_exit_with_0() -> None:
    for pair in (("supertone", "supertone@0.9.0"), ("supertone@latest", "supertone@0.9.6")):
        done = run("diff", *pair)
        assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
    assert run("diff", "supertone", str(OLD)).returncode == 0
    as_json = json.loads(run("diff", "supertone", str(OLD), "--format", "json").stdout)
    assert as_json == {"old": "supertone", "new": str(OLD), "breaking": 0, "changes": []}


def test_differences_are_listed_by_operation_and_exit_with_1() -> None:
    done = run("diff", "supertone", "supertone@0.9.6")
    assert done.returncode == 1
    first, _, operation, *lines = done.stdout.splitlines()
    assert first.startswith("supertone -> supertone@0.9.6: ")
    assert first.endswith(" breaking")
    assert operation == "POST /v1/custom-voices/cloned-voice"
    assert lines[0] == "  ~ response 400 message: type changed from object, string to object"
    assert "  ~ response 200 description: no longer required  (breaking)" in lines


def test_differences_as_json_and_markdown() -> None:
    found = json.loads(run("diff", "supertone", "supertone@latest", "--format", "json").stdout)
    assert found["breaking"] == sum(change["breaking"] for change in found["changes"])
    assert {
        "operation": "GET /v1/custom-voices/{voice_id}",
        "location": "response 200 description",
        "change": "changed",
        "message": "no longer required",
        "breaking": True,
        "before": None,
        "after": None,
    } in found["changes"]
    text = run("diff", "supertone", "supertone@latest", "--format", "markdown").stdout
    assert text.startswith("## supertone -> supertone@latest: ")
    assert "\n### `GET /v1/custom-voices/{voice_id}`\n" in text
    assert "\n- **breaking** `response 200 description`: no longer required\n" in text


def test_two_files_are_compared(tmp_path: Path) -> None:
    changed = tmp_path / "changed.yaml"
    changed.write_text(OLD.read_text().replace("maxLength: 300", "maxLength: 200"))
    done = run("diff", str(OLD), str(changed))
    assert "request text: maxLength changed from 300 to 200  (breaking)" in done.stdout


def test_unknown_contract_exits_with_2(tmp_path: Path) -> None:
    done = run("diff", "supertune", "supertone")
    assert done.returncode == 2
    assert "unknown file or provider supertune (did you mean supertone?)" in done.stderr
    done = run("diff", "supertone", "supertone@1")
    assert "supertone has no edition 1; available: 0.9.0, 0.9.6" in done.stderr
    (tmp_path / "bad.yaml").write_text("[]")
    assert run("diff", "supertone", "bad.yaml", cwd=tmp_path).returncode == 2

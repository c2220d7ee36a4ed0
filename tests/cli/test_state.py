"""Commands `voices`, `accounts` and `clock`."""

from __future__ import annotations

import json

import httpx
import pytest

from mockvoice import Control
from mockvoice.redact import mask_key

from .processes import check_output, run


def test_voices_are_listed_added_and_cleared(mock: Control) -> None:
    assert check_output("voices", "--url", mock.url) == "no voices\n"
    added = check_output(
        "voices", "add", "retell", "--id", "custom_1", "--account", "key_mine",
        "--data", '{"voice_name": "narrator"}', "--url", mock.url,
    )  # fmt: skip
    line = f'retell  voices  custom_1  "narrator"  account {mask_key("key_mine")}\n'
    assert added == line
    design = json.loads(
        check_output("voices", "add", "telnyx", "--collection", "voice_designs", "--json",
                     MOCKVOICE_URL=mock.url)
    )  # fmt: skip
    listed = check_output("voices", MOCKVOICE_URL=mock.url)
    assert listed.startswith(line)
    assert f"telnyx  voice_designs  {design['id']}  " in listed
    assert check_output("voices", "--provider", "retell", MOCKVOICE_URL=mock.url) == line
    of_collection = check_output("voices", "--collection", "voice_designs", MOCKVOICE_URL=mock.url)
    assert line not in of_collection
    presets = json.loads(check_output("voices", "--presets", "--json", MOCKVOICE_URL=mock.url))
    assert len(presets["voices"]) > 2
    assert check_output("voices", "clear", MOCKVOICE_URL=mock.url) == ""
    assert mock.voices == []


def test_invalid_voice_is_explained(mock: Control) -> None:
    result = run("voices", "add", "retell", "--data", '{"voice_nam": 1}', MOCKVOICE_URL=mock.url)
    assert result.returncode == 1
    assert "data.voice_nam is not a known field" in result.stderr
    assert "did you mean voice_name?" in result.stderr
    invalid = run("voices", "add", "retell", "--data", "{", MOCKVOICE_URL=mock.url)
    assert invalid.returncode == 2
    assert "argument --data: invalid JSON '{'" in invalid.stderr


def test_accounts_are_listed_shown_and_changed(mock: Control) -> None:
    assert check_output("accounts", "--url", mock.url) == "no accounts\n"
    httpx.get(f"{mock.retell.base_url}/list-voices", headers={"authorization": "Bearer key_used"})
    command = ["accounts", "set", "supertone", "key_free", "--tier", "free", "--credit", "2.5"]
    changed = check_output(*command, "--url", mock.url)
    assert changed.startswith(f'supertone  {mask_key("key_free")}  tier="free"  credit=2.5  ')
    shown = check_output("accounts", "show", "supertone", "key_free", MOCKVOICE_URL=mock.url)
    assert shown == changed
    every = ["accounts", "set", "faseeh", "*", "--models", '["faseeh-mini-v1-preview"]']
    assert check_output(*every, MOCKVOICE_URL=mock.url).startswith("faseeh  *  ")
    lines = check_output("accounts", MOCKVOICE_URL=mock.url).splitlines()
    assert [line.split("  ")[:2] for line in lines] == [
        ["retell", mask_key("key_used")],
        ["supertone", mask_key("key_free")],
        ["faseeh", "*"],
    ]
    of_provider = check_output("accounts", "--provider", "faseeh", "--json", MOCKVOICE_URL=mock.url)
    (account,) = json.loads(of_provider)["accounts"]
    assert account["models"] == ["faseeh-mini-v1-preview"]
    assert mock.faseeh.account("key_new").models == ["faseeh-mini-v1-preview"]


@pytest.mark.parametrize(
    ("flags", "code", "message"),
    [
        ([], 2, "at least one of --tier, --credit, --trial-ended, --models, --limits is required"),
        (["--credit", "lots"], 2, "argument --credit: invalid JSON 'lots'"),
        (["--tier", "fre"], 1, "did you mean free?"),
    ],
)
def test_invalid_account_state_is_explained(
    mock: Control, flags: list[str], code: int, message: str
) -> None:
    result = run("accounts", "set", "supertone", "KEY", *flags, MOCKVOICE_URL=mock.url)
    assert (result.returncode, result.stdout) == (code, "")
    assert message in result.stderr


def test_clock_is_shown_frozen_advanced_and_run(mock: Control) -> None:
    frozen = check_output("clock", "freeze", "2024-01-01T00:00:00Z", "--url", mock.url)
    assert frozen == "2024-01-01T00:00:00Z (frozen)\n"
    advanced = check_output("clock", "advance", "90.5", MOCKVOICE_URL=mock.url)
    assert advanced == "2024-01-01T00:01:30.500Z (frozen)\n"
    assert check_output("clock", MOCKVOICE_URL=mock.url) == advanced
    state = json.loads(check_output("clock", "--json", MOCKVOICE_URL=mock.url))
    assert state == {"now": "2024-01-01T00:01:30.500Z", "frozen": True}
    assert check_output("clock", "run", MOCKVOICE_URL=mock.url).startswith("2024-01-01T00:01:3")
    assert check_output("clock", "freeze", MOCKVOICE_URL=mock.url).endswith(" (frozen)\n")
    wrong = run("clock", "freeze", "tomorrow", MOCKVOICE_URL=mock.url)
    assert wrong.returncode == 1
    assert "freeze must be a date and time" in wrong.stderr

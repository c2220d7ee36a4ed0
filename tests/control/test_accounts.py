"""List accounts over the control API; the rest is in tests/test_accounts.py."""

from __future__ import annotations

from typing import Any

import pytest

from mockvoice.redact import mask_key

from ..conftest import Box


def accounts(box: Box, **query: Any) -> list[tuple[str, str]]:
    listed = box.control.get("/accounts", params=query).json()["accounts"]
    return [(account["provider"], account["key"]) for account in listed]


def test_used_and_changed_accounts_are_listed_oldest_first(box: Box) -> None:
    assert accounts(box) == []
    box.http.get("/retell/list-voices", headers={"Authorization": "Bearer key_used"})
    box.http.get("/retell/list-voices")  # without a key
    box.put("supertone", "key_free", tier="free")
    box.put("supertone", "*", credit=1)
    used, free = mask_key("key_used"), mask_key("key_free")
    assert accounts(box) == [("retell", used), ("supertone", free), ("supertone", "*")]
    assert accounts(box, provider="retell") == [("retell", used)]
    listed = box.control.get("/accounts").json()["accounts"]
    assert listed[1] == box.control.get("/accounts/supertone/key_free").json()
    assert (listed[1]["tier"], listed[1]["credit"]) == ("free", 1)
    box.control.post("/reset", json={"only": ["accounts"]})
    assert accounts(box) == []


@pytest.mark.parametrize("key", ["a/b", "\u00e9\U0001f600", "x" * 1000])
def test_any_key_is_listed(box: Box, key: str) -> None:
    box.put("retell", key.replace("/", "%2F"), trial_ended=True)
    assert accounts(box) == [("retell", mask_key(key))]


def test_unknown_provider_returns_400(box: Box) -> None:
    response = box.control.get("/accounts", params={"provider": "retel"})
    assert response.status_code == 400
    assert "did you mean retell?" in response.text

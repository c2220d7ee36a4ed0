"""Reset of a sandbox and of its parts."""

from __future__ import annotations

from typing import Any

import pytest

from ..conftest import Box

BEARER = {"Authorization": "Bearer K"}
SUPERTONE = {"x-sup-api-key": "K"}
LIST = "/retell/list-voices"
DESIGNS = "/telnyx/v2/voice_designs"
DESIGN = {"name": "narrator", "text": "Hello", "prompt": "Calm."}
FRESH = {"faults": 0, "requests": 0, "voices": 0, "accounts": "starter", "clock": False}
FULL = {"faults": 1, "requests": 2, "voices": 1, "accounts": "pro", "clock": True}


def fill(box: Box) -> None:
    """Change every part of a sandbox."""
    box.inject(operation="cloneVoice")
    box.http.get(LIST, headers=BEARER)
    box.control.post("/voices", json={"provider": "retell"})
    box.put("supertone", "K", tier="pro")
    box.clock(freeze="2024-01-01T00:00:00Z")
    box.http.post(DESIGNS, headers=BEARER, json=DESIGN)


def state(box: Box) -> dict[str, Any]:
    """Return the state of every part of a sandbox."""
    headers = {"Authorization": "Bearer ids"}
    design = box.http.post(DESIGNS, headers=headers, json=DESIGN).json()["data"]
    return {
        "faults": len(box.control.get("/faults").json()["faults"]),
        "requests": len(box.requests()) - 1,
        "voices": len(box.voices(provider="retell")),
        "accounts": box.control.get("/accounts/supertone/K").json()["tier"],
        "clock": box.control.get("/clock").json()["frozen"],
        "ids": design["id"],
    }


def test_reset_restores_every_part(box: Box) -> None:
    first = box.http.post(DESIGNS, headers=BEARER, json=DESIGN).json()["data"]["id"]
    fill(box)
    assert box.control.post("/reset").status_code == 204
    assert state(box) == {**FRESH, "ids": first}


@pytest.mark.parametrize("part", [*FRESH, "ids"])
def test_reset_of_one_part_keeps_the_others(box: Box, part: str) -> None:
    box.control.post("/reset")
    first = box.http.post(DESIGNS, headers=BEARER, json=DESIGN).json()["data"]["id"]
    box.control.post("/reset")
    fill(box)
    assert box.control.post("/reset", json={"only": [part]}).status_code == 204
    after = state(box)
    assert (after.pop("ids") == first) == (part == "ids")
    assert after == {**FULL, **({part: FRESH[part]} if part in FRESH else {})}


def test_reset_of_no_part_changes_settings_only(box: Box) -> None:
    fill(box)
    assert box.control.post("/reset", json={"only": [], "audio": "any"}).status_code == 204
    assert state(box).items() >= FULL.items()
    path, sample = "/supertone/v1/custom-voices/cloned-voice", {"files": b"Example data"}
    cloned = box.http.post(path, headers=SUPERTONE, data={"name": "n"}, files=sample)
    assert cloned.status_code == 200


def test_reset_changes_settings_of_one_sandbox(box: Box) -> None:
    settings = {"seed": 7, "audio": "any", "limits": "documented"}
    assert box.control.post("/reset", json=settings).status_code == 204
    path, sample = "/supertone/v1/custom-voices/cloned-voice", {"files": b"Example data"}
    with Box(box.server, f"{box.name}-other") as other:
        changed, unchanged = [
            [
                sandbox.http.post(path, headers=SUPERTONE, data={"name": "n"}, files=sample)
                for _ in range(11)
            ]
            for sandbox in (box, other)
        ]
        assert [response.status_code for response in changed] == [200] * 10 + [429]
        assert {response.status_code for response in unchanged} == {415}
        ids = [
            sandbox.http.post(DESIGNS, headers=BEARER, json=DESIGN).json()["data"]["id"]
            for sandbox in (box, other)
        ]
    assert ids[0] != ids[1]


def test_reset_with_integral_float_seed_equals_integer_seed(box: Box) -> None:
    ids = []
    for seed in (7, 7.0):
        assert box.control.post("/reset", json={"seed": seed}).status_code == 204
        design = box.http.post(DESIGNS, headers=BEARER, json=DESIGN).json()["data"]
        ids.append(design["id"])
    assert ids[0] == ids[1]


@pytest.mark.parametrize(
    ("body", "pointer", "hint"),
    [
        ({"only": ["voice"]}, "/only/0", "did you mean voices?"),
        ({"only": "faults"}, "/only", ""),
        ({"seed": "x"}, "/seed", ""),
        ({"audio": "none"}, "/audio", ""),
        ({"limit": "off"}, "/limit", "did you mean limits?"),
    ],
)
def test_invalid_reset_returns_400_and_changes_nothing(
    box: Box, body: dict[str, Any], pointer: str, hint: str
) -> None:
    fill(box)
    response = box.control.post("/reset", json=body)
    assert response.status_code == 400
    (violation,) = response.json()["violations"]
    assert (violation["pointer"], violation["hint"]) == (pointer, hint)
    assert state(box).items() >= FULL.items()

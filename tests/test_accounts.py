"""Accounts: tier, credit, trial, models, and rate and concurrency limits."""

from __future__ import annotations

from contextlib import ExitStack
from pathlib import Path
from typing import Any

import httpx
import pytest

from mockvoice.openapi.normalize import ContractError
from mockvoice.provider import Provider

from .conftest import Box, Serve, encoded
from .faults.raw import Raw

WAV = encoded("wav", 0.1)
BEARER = {"Authorization": "Bearer K"}
SUPERTONE = {"x-sup-api-key": "K"}
FASEEH = {"x-api-key": "K"}
LIST = "/retell/list-voices"
SPEECH = "/supertone/v1/text-to-speech/a4cf2a1b8e7d"
SAY = {"text": "hello", "language": "en"}
CLOCK = "2024-01-01T00:00:00Z"


@pytest.fixture
def limited(box: Box) -> Box:
    """Sandbox with documented limits, Retry-After and a frozen clock."""
    box.control.post("/reset", json={"limits": "documented", "retry_after": "always"})
    box.clock(freeze=CLOCK)
    return box


def clone_supertone(box: Box, key: str = "K") -> httpx.Response:
    path, headers = "/supertone/v1/custom-voices/cloned-voice", {"x-sup-api-key": key}
    return box.http.post(path, headers=headers, data={"name": "n"}, files={"files": WAV})


def clone_retell(box: Box) -> httpx.Response:
    form = {"voice_name": "n", "voice_provider": "elevenlabs"}
    return box.http.post("/retell/clone-voice", headers=BEARER, data=form, files={"files": WAV})


def clone_faseeh(box: Box, model: str = "faseeh-v1-preview") -> httpx.Response:
    form = {"text": "t", "stability": "0.5", "name": "n", "model": model}
    files = {"voice_file": WAV, "reference_audio_file": WAV}
    return box.http.post("/faseeh/api/v1/voices/clone", headers=FASEEH, data=form, files=files)


def say_faseeh(box: Box, model: str = "faseeh-v1-preview") -> httpx.Response:
    body = {"voice_id": "ar-najdi-male-2", "text": "hello", "streaming": False}
    path = f"/faseeh/api/v1/text-to-speech/{model}"
    return box.http.post(path, headers=FASEEH, json=body)


# --- state ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("provider", "state", "message", "hint"),
    [
        (
            "telnyx",
            {"credit": 0},
            "credit has no effect at Telnyx; fields with an effect: limits; got 0",
            "",
        ),
        (
            "retell",
            {"tier": "free"},
            "tier has no effect at Retell; fields with an effect: trial_ended, limits; got",
            "",
        ),
        (
            "supertone",
            {"tier": "creater"},
            "tier must be one of free, starter, creator, pro, enterprise; got",
            "did you mean creator?",
        ),
        ("supertone", {"models": []}, "models has no effect at Supertone", ""),
        ("faseeh", {"tier": "pro"}, "tier must be one of basic, starter, growth; got", ""),
        ("faseeh", {"trial_ended": True}, "trial_ended has no effect at Faseeh (Munsit)", ""),
        (
            "supertone",
            {"limits": {"clone": {"max": 1}}},
            "limits.clone is not a known field; known fields: clones, speeches, requests",
            "did you mean clones?",
        ),
    ],
)
def test_account_state_without_effect_returns_400_and_changes_nothing(
    box: Box, provider: str, state: dict[str, Any], message: str, hint: str
) -> None:
    path = f"/accounts/{provider}/K"
    before = box.control.get(path).json()
    refused = box.control.put(path, json={**state, "limits": state.get("limits", {})})
    assert refused.status_code == 400
    (violation,) = refused.json()["violations"]
    assert violation["message"].startswith(message)
    assert violation["hint"] == hint
    assert box.control.get(path).json() == before


@pytest.mark.parametrize(
    ("declared", "message"),
    [
        (
            {"account": {"plan": "free"}},
            "acme: accounts have no field plan; available: tier, credit, trial_ended",
        ),
        (
            {"tiers": ("free", "pro"), "account": {"tier": "fre"}},
            r"acme: the tier of a new account must be one of tiers \(free, pro\); got fre",
        ),
    ],
)
def test_provider_with_an_impossible_account_is_rejected(
    declared: dict[str, Any], message: str
) -> None:
    with pytest.raises(ContractError, match=message):
        Provider("acme", **declared)


def test_listed_account_fields_and_tiers_are_accepted(box: Box) -> None:
    values = {"credit": 1, "trial_ended": True, "models": ["m"], "limits": {"requests": {"max": 9}}}
    for provider in box.control.get("/providers").json()["providers"]:
        name, tiers = provider["name"], provider["tiers"]
        assert bool(tiers) == ("tier" in provider["account_fields"])
        for field in provider["account_fields"]:
            for value in tiers if field == "tier" else [values[field]]:
                box.put(name, "K", **{field: value})
                state = box.control.get(f"/accounts/{name}/K").json()
                assert state[field] == value or field == "limits"


def test_clone_with_free_tier_returns_403(box: Box) -> None:
    box.put("supertone", "K", tier="free")
    refused = clone_supertone(box)
    assert (refused.status_code, refused.json()["message"]["error"]) == (403, "Forbidden")
    assert box.http.post(SPEECH, headers=SUPERTONE, json=SAY).status_code == 200
    assert clone_supertone(box, "other").status_code == 200
    box.put("supertone", "K", tier="pro")
    assert clone_supertone(box).status_code == 200


def test_speech_without_credit_returns_402_until_topped_up(box: Box) -> None:
    box.put("supertone", "K", credit=0.5)
    statuses = [box.http.post(SPEECH, headers=SUPERTONE, json=SAY).status_code for _ in range(3)]
    assert statuses == [200, 402, 402]
    credits = box.http.get("/supertone/v1/credits", headers=SUPERTONE).json()
    assert credits["balance"] == pytest.approx(0.2)
    assert box.control.get("/accounts/supertone/K").json()["credit"] == credits["balance"]
    box.put("supertone", "K", credit=0.3)
    assert box.http.post(SPEECH, headers=SUPERTONE, json=SAY).status_code == 200
    box.put("supertone", "K", credit=None)
    assert box.http.post(SPEECH, headers=SUPERTONE, json=SAY).status_code == 200
    assert box.http.get("/supertone/v1/credits", headers=SUPERTONE).json() == {"balance": None}


def test_paid_operations_without_credit_return_402_and_lists_200(box: Box) -> None:
    box.put("faseeh", "K", credit=0)
    assert clone_faseeh(box).status_code == say_faseeh(box).status_code == 402
    assert box.http.get("/faseeh/api/v1/voices", headers=FASEEH).status_code == 200
    box.put("faseeh", "K", credit=0.0001)
    refused = say_faseeh(box)
    assert refused.status_code == 402
    assert refused.json()["errorMessage"].endswith("Required: $0.0005, Available: $0.0001")


def test_disabled_model_returns_403(box: Box) -> None:
    box.put("faseeh", "K", models=["faseeh-mini-v1-preview"])
    assert clone_faseeh(box).status_code == say_faseeh(box).status_code == 403
    mini = "faseeh-mini-v1-preview"
    assert clone_faseeh(box, mini).status_code == say_faseeh(box, mini).status_code == 200
    box.put("faseeh", "K", models=None)
    assert clone_faseeh(box).status_code == 200


def test_clone_after_trial_returns_402(box: Box) -> None:
    box.put("retell", "K", trial_ended=True)
    assert clone_retell(box).status_code == 402
    assert box.http.get(LIST, headers=BEARER).status_code == 200
    box.put("retell", "K", trial_ended=False)
    assert clone_retell(box).status_code == 201


def test_put_account_keeps_omitted_fields(box: Box) -> None:
    key = "sk_live_of_a_customer/1"
    path = f"/accounts/supertone/{key.replace('/', '%2F')}"
    assert box.control.put(path, json={"tier": "pro"}).status_code == 200
    changed = box.control.put(path, json={"credit": 5, "limits": {"clones": {"max": 1}}})
    assert changed.json() == box.control.get(path).json()
    assert changed.json()["key"].startswith("sk_l…")
    assert key not in changed.text
    assert {k: changed.json()[k] for k in ("tier", "credit", "trial_ended", "models")} == {
        "tier": "pro",
        "credit": 5,
        "trial_ended": False,
        "models": None,
    }
    assert clone_supertone(box, key).status_code == 200
    assert clone_supertone(box, key).status_code == 429


@pytest.mark.parametrize(
    ("provider", "state", "pointer", "hint"),
    [
        ("supertone", {"limits": {"clone": {"max": 1}}}, "/limits/clone", "did you mean clones?"),
        ("telnyx", {"limits": {"clones": {"max": 1}}}, "/limits/clones", ""),
        ("faseeh", {"limits": {"request": {"max": 1}}}, "/limits/request", "mean requests?"),
        ("faseeh", {"limits": {"concurrency": {"max": -1}}}, "/limits/concurrency/max", ""),
        ("faseeh", {"limits": {"concurrency": {}}}, "/limits/concurrency/max", ""),
        (
            "faseeh",
            {"limits": {"concurrency": {"max": 1, "per": 0}}},
            "/limits/concurrency/per",
            "",
        ),
        ("retell", {"credits": 5}, "/credits", "did you mean credit?"),
        ("retell", {"credit": "5"}, "/credit", ""),
    ],
)
def test_invalid_account_state_returns_400_and_changes_nothing(
    box: Box, provider: str, state: dict[str, Any], pointer: str, hint: str
) -> None:
    before = box.control.get(f"/accounts/{provider}/K").json()
    response = box.control.put(f"/accounts/{provider}/K", json=state)
    assert response.status_code == 400
    (violation,) = response.json()["violations"]
    assert violation["pointer"] == pointer
    assert hint in violation["hint"]
    assert box.control.get(f"/accounts/{provider}/K").json() == before


@pytest.mark.parametrize("provider", ["telnix", "mockvoice"])
def test_account_of_unknown_provider_returns_404(box: Box, provider: str) -> None:
    response = box.control.get(f"/accounts/{provider}/K")
    assert response.status_code == 404
    assert response.json()["detail"] == (
        f"unknown provider {provider}; available: faseeh, retell, supertone, telnyx"
    )


# --- limits -----------------------------------------------------------------------------------


def test_eleventh_clone_within_a_minute_returns_429(limited: Box) -> None:
    for _ in range(10):
        assert clone_supertone(limited).status_code == 200
    refused = clone_supertone(limited)
    assert (refused.status_code, refused.headers["retry-after"]) == (429, "60")
    assert refused.json()["message"]["message"] == "rate limit exceeded"
    assert clone_supertone(limited, "other").status_code == 200
    limited.clock(advance=59.5)
    refused = clone_supertone(limited)
    assert (refused.status_code, refused.headers["retry-after"]) == (429, "1")
    limited.clock(advance=0.5)
    assert [clone_supertone(limited).status_code for _ in range(11)] == [200] * 10 + [429]


def test_rate_limit_window_slides(limited: Box) -> None:
    for _ in range(10):
        assert clone_supertone(limited).status_code == 200
        limited.clock(advance=5)
    refused = clone_supertone(limited)
    assert (refused.status_code, refused.headers["retry-after"]) == (429, "10")
    limited.clock(advance=10)
    assert [clone_supertone(limited).status_code for _ in range(2)] == [200, 429]


def test_rejected_requests_count_against_the_limit_and_injected_faults_do_not(limited: Box) -> None:
    limited.put("supertone", "K", tier="free")
    assert [clone_supertone(limited).status_code for _ in range(11)] == [403] * 10 + [429]
    limited.clock(advance=60)
    limited.inject(status=500, times=20)
    assert {clone_supertone(limited).status_code for _ in range(20)} == {500}
    limited.put("supertone", "K", tier="starter")
    assert clone_supertone(limited).status_code == 200


@pytest.mark.parametrize(("tier", "max_count"), [("free", 20), ("creator", 30), ("pro", 60)])
def test_speech_rate_limit_depends_on_tier(limited: Box, tier: str, max_count: int) -> None:
    limited.put("supertone", "K", tier=tier)
    statuses = [
        limited.http.post(SPEECH, headers=SUPERTONE, json=SAY).status_code
        for _ in range(max_count + 1)
    ]
    assert statuses == [200] * max_count + [429]


def test_limits_are_off_by_default(box: Box) -> None:
    assert {clone_supertone(box).status_code for _ in range(12)} == {200}


def test_account_limit_replaces_documented_limit(limited: Box) -> None:
    limited.put("supertone", "K", limits={"clones": {"max": 2.0, "per": 10}})
    assert [clone_supertone(limited).status_code for _ in range(3)] == [200, 200, 429]
    limited.clock(advance=10)
    assert clone_supertone(limited).status_code == 200


every_provider = pytest.mark.parametrize(
    ("path", "key"),
    [
        ("/telnyx/v2/voice_clones", BEARER),
        (LIST, BEARER),
        ("/supertone/v1/credits", SUPERTONE),
        ("/faseeh/api/v1/models", FASEEH),
    ],
)


@every_provider
def test_requests_limit_works_at_every_provider(box: Box, path: str, key: dict[str, str]) -> None:
    box.control.post("/reset", json={"retry_after": "always"})
    box.clock(freeze=CLOCK)
    box.put(path.split("/")[1], "K", limits={"requests": {"max": 2, "per": 30}})
    responses = [box.http.get(path, headers=key) for _ in range(3)]
    assert [response.status_code for response in responses] == [200, 200, 429]
    assert responses[2].headers["retry-after"] == "30"
    other = {name: value.replace("K", "other") for name, value in key.items()}
    assert box.http.get(path, headers=other).status_code == 200


def test_telnyx_sends_rate_limit_headers(box: Box) -> None:
    box.clock(freeze=CLOCK)
    box.put("telnyx", "K", limits={"requests": {"max": 2, "per": 30}})
    sent = []
    for _ in range(3):
        headers = box.http.get("/telnyx/v2/voice_clones", headers=BEARER).headers
        sent.append([headers[f"x-ratelimit-{name}"] for name in ("limit", "remaining", "reset")])
        box.clock(advance=10)
    assert sent == [["2", "1", "30"], ["2", "0", "20"], ["2", "0", "10"]]


def test_limit_of_zero_rejects_every_request(box: Box) -> None:
    box.put("retell", "K", limits={"requests": {"max": 0, "per": 7}})
    assert box.http.get(LIST, headers=BEARER).status_code == 429


# --- concurrency ------------------------------------------------------------------------------


def begin_clones(stack: ExitStack, box: Box, count: int) -> list[Raw]:
    """Return connections with requests that a fault keeps in progress."""
    fault = box.inject(kind="delay", seconds=60, operation="cloneVoice")
    connections = [stack.enter_context(Raw(box.url)) for _ in range(count)]
    for connection in connections:
        connection.begin("/faseeh/api/v1/voices/clone", x_api_key="K")
        connection.end()
    while box.fault(fault)["hits"] < count:
        continue
    return connections


@pytest.mark.parametrize(("tier", "max_count"), [("basic", 2), ("starter", 5), ("growth", 10)])
def test_requests_over_concurrency_of_plan_return_429(
    limited: Box, tier: str, max_count: int
) -> None:
    limited.put("faseeh", "K", tier=tier)
    with ExitStack() as stack:
        first, *_ = begin_clones(stack, limited, max_count)
        refused = limited.http.get("/faseeh/api/v1/voices", headers=FASEEH)
        assert refused.status_code == 429
        assert refused.json()["errorMessage"] == (
            f"Concurrency limit reached. Current: {max_count + 1}, Maximum: {max_count}"
        )
        other = {"x-api-key": "other"}
        assert limited.http.get("/faseeh/api/v1/voices", headers=other).status_code == 200
        first.close()
        while limited.http.get("/faseeh/api/v1/voices", headers=FASEEH).status_code == 429:
            continue


def test_concurrency_limit_rejects_the_newest_request(limited: Box) -> None:
    """However long each of them is delayed."""
    limited.inject(kind="delay", seconds=0.3, operation="cloneVoice")
    with ExitStack() as stack:
        connections = [stack.enter_context(Raw(limited.url)) for _ in range(3)]
        for connection in connections:
            connection.begin("/faseeh/api/v1/voices/clone", x_api_key="K")
            connection.end()
        assert [connection.receive().status for connection in connections] == [400, 400, 429]


def test_closed_connections_free_concurrency(limited: Box) -> None:
    with ExitStack() as stack:
        begin_clones(stack, limited, 2)
    while limited.http.get("/faseeh/api/v1/voices", headers=FASEEH).status_code == 429:
        continue
    statuses = [entry["status"] for entry in limited.requests() if entry["method"] == "POST"]
    assert statuses == [None, None]


# --- Retry-After ------------------------------------------------------------------------------


@every_provider
def test_rate_limit_has_no_retry_after_where_it_is_undocumented(
    box: Box, path: str, key: dict[str, str]
) -> None:
    box.put(path.split("/")[1], "K", limits={"requests": {"max": 0, "per": 7}})
    refused = box.http.get(path, headers=key)
    assert refused.status_code == 429
    assert "retry-after" not in refused.headers
    box.control.post("/reset", json={"only": [], "retry_after": "always"})
    assert box.http.get(path, headers=key).headers["retry-after"] == "7"
    box.control.post("/reset", json={"only": [], "retry_after": "documented"})
    assert "retry-after" not in box.http.get(path, headers=key).headers


def test_rate_limit_has_retry_after_where_the_contract_documents_it(
    serve: Serve, tmp_path: Path
) -> None:
    contract = tmp_path / "acme.yaml"
    contract.write_text(
        """
openapi: 3.1.0
info: {title: Acme, version: '1'}
paths:
  /ping:
    get:
      operationId: ping
      responses:
        '200': {description: Pong.}
        '429':
          description: Too many requests.
          headers: {Retry-After: {schema: {type: integer}}}
"""
    )
    account = {"acme": {"*": {"limits": {"requests": {"max": 0, "per": 7}}}}}
    server = serve(providers=[Provider("acme", contract=contract)], accounts=account)
    response = httpx.get(f"{server.url}/acme/ping")
    assert (response.status_code, response.headers["retry-after"]) == (429, "7")


def early(box: Box) -> list[float | None]:
    return [entry["early"] for entry in box.requests()]


def test_journal_reports_seconds_before_retry_after_of_a_limit(limited: Box) -> None:
    limited.put("supertone", "K", limits={"clones": {"max": 1, "per": 60}})
    for wait in (0, 20, 40, 0):
        limited.clock(advance=wait)
        clone_supertone(limited)
    # The second response has Retry-After: 40, which the third request respects. The fourth request
    # follows a success.
    assert [entry["status"] for entry in limited.requests()] == [200, 429, 200, 429]
    assert early(limited) == [None, None, 0, None]
    limited.clock(advance=45)
    clone_supertone(limited)
    assert limited.last()["early"] == 15


@pytest.mark.parametrize(
    ("fault", "expected"),
    [
        ({"retry_after": 30}, 20),
        ({"retry_after": 10}, 0),
        ({"retry_after": 10.25}, 1),  # sent as 11
        ({"retry_after": 0.5}, 0),
        ({"headers": {"Retry-After": "30"}}, 20),
        ({"headers": {"retry-after-ms": "12500", "Retry-After": "99"}}, 2.5),
        ({"headers": {"Retry-After": "Tue, 21 Jul 2026 07:28:00 GMT"}}, None),
        ({"headers": {"Retry-After": "soon"}}, None),
        ({"headers": {"Retry-After": "nan"}}, None),
        ({"headers": {"Retry-After": "inf"}}, None),
        ({}, None),
    ],
)
def test_journal_reports_seconds_before_retry_after_of_a_fault(
    box: Box, fault: dict[str, Any], expected: float | None
) -> None:
    box.clock(freeze=CLOCK)
    box.inject(status=503, times=1, **fault)
    box.http.get(LIST, headers=BEARER)
    box.clock(advance=10)
    other = {"Authorization": "Bearer other"}
    box.http.get("/retell/get-concurrency", headers=BEARER)  # another operation
    box.http.get(LIST, headers=other)  # another account
    box.http.get(LIST, headers=BEARER)
    box.http.get(LIST, headers=BEARER)
    assert early(box) == [None, None, None, expected, None]


def test_configured_accounts_return_on_reset(serve: Serve) -> None:
    accounts = {"supertone": {"K": {"limits": {"clones": {"max": 1, "per": 60}}, "credit": 7}}}
    with Box(serve(accounts=accounts), "configured") as box:
        assert [clone_supertone(box).status_code for _ in range(2)] == [200, 429]
        box.put("supertone", "K", limits={})
        assert clone_supertone(box).status_code == 200
        box.control.post("/reset", json={"only": ["accounts"]})
        assert box.control.get("/accounts/supertone/K").json()["credit"] == 7
        assert [clone_supertone(box).status_code for _ in range(2)] == [200, 429]

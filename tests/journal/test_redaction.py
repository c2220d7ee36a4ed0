"""Secrets in the journal and in the control API."""

from __future__ import annotations

import json

from ..conftest import Box, encoded

WAV = encoded("wav", 0.25)
BEARER = {"Authorization": "Bearer K"}
LIST = "/retell/list-voices"
UPLOAD = "/telnyx/v2/voice_clones/from_upload"
DESIGNS = "/telnyx/v2/voice_designs"
DESIGN = {"name": "narrator", "text": "Hello", "prompt": "Calm."}


def test_secrets_are_masked_everywhere(box: Box) -> None:
    secrets = [f"sk_live_{number:012}_verysecret" for number in range(20)]
    key, *others = secrets
    query = {"api_key": others[:2], "token": others[2]}
    headers = {
        "Authorization": f"Bearer {key}",
        "Cookie": f"session={others[3]}",
        "x-api-key": others[4],
        "Proxy-Authorization": f"Basic {others[5]}",
        "X-Client-Secret": others[6],
        "X-Mockvoice-Fault": json.dumps({"status": 500, "match": {"account": key}, "times": 1}),
        "X-Echo": f"key={key}",
    }
    body = {
        **DESIGN,
        "text": f"my key is {key}",
        "apiKey": [others[7], {"deep": others[8]}],
        "password": {"x": others[9]},
        "access_token": 123454321,
        "nested": [{"client_secret": others[10]}],
    }
    invalid = {**body, "prompt": {"secret": others[11]}, "name": {"api-key": others[12]}}
    without_fault = {name: text for name, text in headers.items() if "Fault" not in name}
    for sent in (body, invalid):
        for sent_headers in (headers, without_fault):
            box.http.post(DESIGNS, params=query, headers=sent_headers, json=sent)
    form = {"name": "n", "credentials": others[13]}
    box.http.post(UPLOAD, headers=headers, data=form, files={"audio_file": WAV})
    basic = {"Authorization": f"Basic {others[14]}"}
    box.http.get(LIST, headers=basic)
    box.http.get(f"/supertone/v1/credits?x={key}", headers={"x-sup-api-key": key})
    box.control.post("/voices", json={"provider": "retell", "data": {"token": others[15]}})
    box.put("supertone", key, tier="pro")
    box.inject(match={"account": key, "headers": {"authorization": f"Bearer {key}"}})
    shown = "".join(
        box.control.get(path, params={"presets": True} if path == "/voices" else {}).text
        for path in ("/requests", "/voices", f"/accounts/supertone/{key}", "/faults")
    )
    assert [secret for secret in (*secrets, "123454321") if secret in shown] == []
    assert "sk_l…" in shown


def test_names_that_resemble_secrets_are_not_masked(box: Box) -> None:
    box.http.post(DESIGNS, headers=BEARER, json={**DESIGN, "max_new_tokens": 100})
    assert box.last()["fields"]["max_new_tokens"] == 100
    path = "/supertone/v1/voices?next_page_token=abc"
    box.http.get(path, headers={"x-sup-api-key": "K"})
    assert box.last()["query"] == {"next_page_token": "abc"}


def test_masked_keys_still_distinguish_accounts(box: Box) -> None:
    for key in ("one", "two", "one"):
        box.http.get(LIST, headers={"Authorization": f"Bearer {key}"})
    first, second, third = [entry["account"] for entry in box.requests()]
    assert first == third != second


def test_rejection_does_not_echo_secrets(box: Box) -> None:
    sent = {**DESIGN, "prompt": {"api_key": "sk_live_0123456789"}}
    response = box.http.post(DESIGNS, headers=BEARER, json=sent)
    assert response.status_code == 422
    assert "sk_live_0123456789" not in response.text + str(response.headers)

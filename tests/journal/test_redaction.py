"""Secrets in the journal and in the control API."""

from __future__ import annotations

import json
from urllib.parse import quote

import pytest

from mockvoice.http.server import Server, bind

from ..conftest import Box, encoded
from ..state.serializing import make_mock

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


def everything_shown(box: Box) -> str:
    """Return the text of all that the control API returns about requests and faults."""
    paths = "/requests", "/faults", "/verification", "/report"
    return "".join(box.control.get(path).text for path in paths)


SECRET = "sk_live_a/b+0123456789=="


@pytest.mark.parametrize(
    "headers",
    [
        {"X-Auth-Key": SECRET},
        {"X-Auth": SECRET},
        {"Auth-Token": SECRET},
        {"X-Mockvoice-Fault": json.dumps({"match": {"account": SECRET}})},
        {"X-Mockvoice-Fault": json.dumps({"match": {"headers": {"x-api-key": SECRET}}})},
        {"X-Mockvoice-Fault": json.dumps({"match": {"fields": {"password": SECRET}}})},
        {"X-Mockvoice-Fault": json.dumps({"mach": {"secret": SECRET}})},
        {"X-Mockvoice-Fault": f"status=500; account={SECRET}"},
    ],
)
def test_secrets_in_headers_are_masked_wherever_they_occur(
    box: Box, headers: dict[str, str]
) -> None:
    headers = {**headers, "Authorization": "Bearer K"}
    sent = {**DESIGN, "text": f"my key is {SECRET}", "x": [{SECRET: 1}]}
    box.http.post(DESIGNS, headers=headers, json=sent)
    box.http.get(LIST, headers={**headers, "X-Echo": SECRET}, params={"q": SECRET})
    box.http.get(f"/retell/get-voice/{quote(SECRET, safe='')}", headers=headers)
    shown = everything_shown(box)
    for form in ("sk_live", "0123456789"):
        assert form not in shown


def test_short_account_in_a_fault_header_is_masked(box: Box) -> None:
    fault = {"match": {"account": "short"}, "status": 500}
    box.http.get(LIST, headers={**BEARER, "X-Mockvoice-Fault": json.dumps(fault)})
    assert "short" not in everything_shown(box)
    assert json.loads(box.last()["headers"]["x-mockvoice-fault"])["status"] == 500


@pytest.mark.parametrize("name", ["key", "signature", "X-Amz-Signature", "access_key"])
def test_secrets_in_query_are_masked_wherever_they_occur(box: Box, name: str) -> None:
    box.http.get(f"{LIST}/{SECRET}", headers=BEARER, params={name: SECRET, "q": f"a {SECRET}"})
    assert "sk_live" not in everything_shown(box)


def test_key_is_masked_as_the_name_of_a_member(box: Box) -> None:
    key = "sk_live_0123456789"
    sent = {**DESIGN, "by_key": {key: "value"}, key: 1}
    box.http.post(DESIGNS, headers={"Authorization": f"Bearer {key}"}, json=sent)
    fields = box.last()["fields"]
    assert key not in everything_shown(box)
    assert "value" in fields["by_key"].values()


def test_fault_masks_matched_secrets_in_its_other_members(box: Box) -> None:
    box.inject(status=500, match={"account": SECRET}, body={"echo": [SECRET]})
    assert "sk_live" not in everything_shown(box)


@pytest.mark.parametrize("format", ["text", "json"])
def test_log_masks_keys_in_paths(capsys: pytest.CaptureFixture[str], format: str) -> None:
    key = "sk_live_0123456789"
    with Server(make_mock(log=format), bind("127.0.0.1", 0)) as server:
        with Box(server, "logged") as box:
            box.http.get(f"/retell/get-voice/{key}", headers={"Authorization": f"Bearer {key}"})
            box.http.get(f"/retell/get-voice/{key}?key={key}")
    printed = capsys.readouterr().out  # complete, since the server has stopped
    assert printed.count("/get-voice/sk_l") == 2
    assert key not in printed


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

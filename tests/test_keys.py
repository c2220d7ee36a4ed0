"""The setting `keys: listed`: any key that is not in `accounts` gets the provider's 401."""

from __future__ import annotations

import httpx
import pytest

import mockvoice
from mockvoice import Control

from .cli.processes import invoke
from .conftest import Box, Serve
from .contract.contracts import OPERATIONS, Operation

WITH_KEY = [op for op in OPERATIONS if op.credential and op.contract.name != "mockvoice"]


@pytest.fixture
def control(box: Box) -> Control:
    """A sandbox in which only listed keys are valid."""
    control = mockvoice.connect(box.url)
    control.reset(keys="listed")
    return control


def status(control: Control, key: str) -> int:
    headers = {"Authorization": f"Bearer {key}"}
    return httpx.get(f"{control.retell.base_url}/list-voices", headers=headers).status_code


@pytest.mark.parametrize("operation", WITH_KEY, ids=str)
def test_unlisted_key_gets_the_documented_401(control: Control, operation: Operation) -> None:
    url = f"{control.url}{operation.contract.base_path}{operation.path}"
    response = httpx.request(operation.method, url, headers=operation.credential)
    assert response.status_code == 401
    schema = operation.responses[401]["content"]["application/json"]["schema"]
    assert not operation.contract.errors(schema, response.json())
    assert f"/accounts/{operation.contract.name}/KEY" in response.headers["x-mockvoice-hint"]
    assert control.requests.last.hint.startswith("the setting keys is listed: add the key")


def test_official_sdks_raise_their_authentication_error(control: Control) -> None:
    from retell import AuthenticationError as RetellAuthenticationError
    from retell import Retell
    from telnyx import AuthenticationError, Telnyx

    with (
        Telnyx(api_key="key_1", base_url=control.telnyx.base_url, max_retries=0) as telnyx,
        Retell(api_key="key_1", base_url=control.retell.base_url, max_retries=0) as retell,
    ):
        with pytest.raises(AuthenticationError):
            telnyx.voice_clones.list()
        with pytest.raises(RetellAuthenticationError):
            retell.voice.list()
        control.telnyx.add_account("key_1")
        assert telnyx.voice_clones.list().data == []
        with pytest.raises(RetellAuthenticationError):
            retell.voice.list()


def test_added_keys_are_valid_until_the_accounts_are_reset(control: Control) -> None:
    assert status(control, "key_1") == 401
    assert not control.retell.account("key_1").listed  # looking at it does not add it
    assert status(control, "key_1") == 401
    control.retell.account(trial_ended=True)  # "*" is not a key
    assert status(control, "*") == status(control, "key_1") == 401
    added = control.retell.add_account("key_1")
    assert (added.listed, added.trial_ended) == (True, True)
    control.retell.account("key_2", trial_ended=False)
    assert [status(control, key) for key in ("key_1", "key_2", "key_3")] == [200, 200, 401]
    control.reset("accounts")
    assert status(control, "key_1") == 401
    control.reset(keys="any")
    assert status(control, "key_1") == 200
    control.reset(keys="listed")
    assert control.add_account("key_4")["faseeh"].listed
    assert status(control, "key_4") == 200


def test_configured_keys_are_valid(serve: Serve) -> None:
    server = serve(keys="listed", accounts={"retell": {"*": {}, "key_1": {}}})
    control = mockvoice.connect(server.url)
    for sandbox in (control, control.sandbox("other")):
        assert [status(sandbox, key) for key in ("key_1", "key_2", "*")] == [200, 401, 401]
    control.reset(keys="any")
    assert status(control, "key_2") == 200
    assert status(control.sandbox("other"), "key_2") == 401
    control.reset()
    assert status(control, "key_2") == 200  # "from now on", as for audio and limits


def test_fault_precedes_an_unlisted_key(control: Control) -> None:
    control.retell.fail(503, times=1)
    assert [status(control, "key_1") for _ in range(2)] == [503, 401]


def test_unlisted_key_changes_and_limits_nothing(control: Control) -> None:
    control.retell.limit(1, per=60)
    voice = {"provider_voice_id": "x", "voice_name": "n", "voice_provider": "minimax"}
    url = f"{control.retell.base_url}/add-community-voice"
    headers = {"Authorization": "Bearer key_1"}
    statuses = [httpx.post(url, headers=headers, json=voice).status_code for _ in range(3)]
    assert statuses == [401, 401, 401]
    assert not [*control.retell.voices]


def test_key_is_added_on_the_command_line(control: Control) -> None:
    added = invoke("accounts", "add", "retell", "key_secret_1", MOCKVOICE_URL=control.url)
    assert "listed=true" in added.stdout
    assert status(control, "key_secret_1") == 200
    refused = invoke("accounts", "add", "retell", "*", MOCKVOICE_URL=control.url)
    assert refused.returncode == 2
    assert "KEY must be one API key; '*' stands for every key" in refused.stderr

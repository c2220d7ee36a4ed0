"""The start of a server: contracts are read when they are needed, those of users at once."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import httpx
import pytest

import mockvoice
from mockvoice.http.server import Server, bind
from mockvoice.openapi.normalize import ContractError
from mockvoice.provider import Provider
from mockvoice.providers import built_in

from ..state.serializing import make_mock

pytestmark = pytest.mark.memory

EDITIONS = [
    pytest.param(provider.select(edition), id=f"{provider.name}@{edition}")
    for provider in built_in()
    for edition in provider.editions
]
KEY = {"Authorization": "Bearer K"}


def read_contracts(providers: Mapping[str, Provider]) -> set[str]:
    """Return the names of the providers whose contracts were read."""
    return {name for name, provider in providers.items() if "document" in vars(provider)}


@pytest.mark.parametrize("provider", EDITIONS)
def test_outline_states_what_the_contract_states(provider: Provider) -> None:
    outline, document = provider.outline, provider.document
    assert not outline.operations
    assert outline.key_example == document.key_example != ""
    for name in ("name", "file", "title", "edition", "servers", "base_path"):
        assert getattr(outline, name) == getattr(document, name)


def test_contract_is_read_for_the_first_request_of_its_provider() -> None:
    mock = make_mock()
    with Server(mock, bind("127.0.0.1", 0)) as server:
        assert httpx.get(f"{server.url}/health").is_success
        assert not read_contracts(mock.providers)
        assert httpx.get(f"{server.url}/retell/list-voices", headers=KEY).is_success
        assert read_contracts(mock.providers) == {"retell"}
        httpx.get(f"{server.url}/__mockvoice/providers")
        assert read_contracts(mock.providers) == {*mock.providers}


def test_host_of_a_provider_is_known_before_its_contract_is_read() -> None:
    mock = make_mock()
    with Server(mock, bind("127.0.0.1", 0)) as server:
        headers = {"Host": "api.telnyx.com", **KEY}
        assert httpx.get(f"{server.url}/v2/voice_clones", headers=headers).is_success
        assert read_contracts(mock.providers) == {"telnyx"}


def test_read_contracts_leaves_none_for_the_first_requests() -> None:
    mock = make_mock()
    mock.read_contracts()
    assert read_contracts(mock.providers) == {*mock.providers}
    assert "control" in vars(mock)


BROKEN: Any = {
    "openapi": "3.1.0",
    "info": {"title": "t", "version": "1"},
    "paths": {"/voices": {"get": {"operationId": "list", "responses": {}}}},
}


@pytest.mark.parametrize("argument", ["contracts", "providers"])
def test_invalid_contract_of_a_user_prevents_the_start(tmp_path: Path, argument: str) -> None:
    path = tmp_path / "broken.json"
    path.write_text(json.dumps(BROKEN))
    settings: dict[str, Any] = {
        "contracts": {"contracts": {"telnyx": str(path)}},
        "providers": {"providers": [f"acme={path}"]},
    }
    with pytest.raises(ContractError, match="GET /voices documents no success"):
        mockvoice.create_app(**settings[argument])

"""Health, providers and contracts."""

from __future__ import annotations

import pytest
import yaml

from mockvoice import __version__

from ..conftest import Box
from ..contract.contracts import CONTRACTS, Contract


def test_health_is_served_at_two_paths(box: Box) -> None:
    for path in ("/health", "/__mockvoice/health"):
        assert box.http.get(path).json() == {
            "status": "ok",
            "version": __version__,
            "providers": ["faseeh", "retell", "supertone", "telnyx"],
        }


def test_providers_are_listed_with_their_operations(box: Box) -> None:
    listed = box.control.get("/providers").json()["providers"]
    providers = {provider["name"]: provider for provider in listed}
    assert providers["telnyx"]["base_url"] == f"{box.url}/telnyx/v2"
    assert providers["telnyx"]["auth_header"] == "authorization: Bearer KEY"
    assert providers["supertone"]["auth_header"] == "x-sup-api-key: KEY"
    operations = providers["retell"]["operations"]
    (clone,) = [operation for operation in operations if operation["id"] == "cloneVoice"]
    assert (clone["method"], clone["path"]) == ("POST", "/clone-voice")
    assert clone["statuses"] == [201, 400, 401, 402, 429, 500]
    assert clone["stateful"]


@pytest.mark.parametrize("contract", CONTRACTS, ids=str)
def test_spec_returns_the_contract_file_unchanged(box: Box, contract: Contract) -> None:
    response = box.control.get(f"/specs/{contract.name}")
    assert response.headers["content-type"] == "application/yaml"
    assert response.text == contract.path.read_text()
    assert yaml.safe_load(response.text)["openapi"]


@pytest.mark.parametrize("name", [contract.name for contract in CONTRACTS])
def test_spec_matches_its_schema_in_the_contract(box: Box, name: str) -> None:
    contract = Contract("mockvoice")
    operation = contract.document["paths"]["/specs/{provider}"]["get"]
    (content,) = operation["responses"]["200"]["content"].values()
    parsed = yaml.load(box.control.get(f"/specs/{name}").text, yaml.BaseLoader)
    assert contract.errors(content["schema"], parsed) == []


def test_spec_of_unknown_provider_returns_404(box: Box) -> None:
    response = box.control.get("/specs/acme")
    assert response.status_code == 404
    assert response.json()["detail"].startswith("unknown provider acme; available: faseeh,")

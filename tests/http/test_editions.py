"""Editions of a contract: selection, routing, and what depends on the edition."""

from __future__ import annotations

import json
from typing import Any

import httpx
import pytest

import mockvoice
from mockvoice.openapi.normalize import ContractError
from mockvoice.providers import built_in

from ..conftest import Box, Serve
from ..contract.contracts import NAMES, editions
from ..state.serializing import calls_of, make_mock

KEY = {"x-sup-api-key": "K"}
CLONE = "/supertone/v1/custom-voices/cloned-voice"
PYTHON = {"user-agent": "speakeasy-sdk/python 0.2.3 2.686.7 0.9.6 supertone"}
NEWEST = {"supertone": "0.9.6"}


def upload(http: httpx.Client, samples: dict[str, bytes], format: str = "flac") -> int:
    sample = {"files": samples[format]}
    return http.post(CLONE, headers=KEY, data={"name": "n"}, files=sample).status_code


def in_use(box: Box) -> dict[str, str]:
    listed = box.control.get("/providers").json()["providers"]
    return {provider["name"]: provider["edition"] for provider in listed}


@pytest.mark.parametrize("name", NAMES)
def test_bundled_editions_are_declared_oldest_first(name: str) -> None:
    (provider,) = [provider for provider in built_in() if provider.name == name]
    files = editions(name)
    assert [*provider.editions] == [contract.edition for contract in files]
    dates = [contract.document["info"]["x-date"] for contract in files]
    assert dates == sorted(dates)
    for edition in provider.editions:
        assert provider.select(edition).document.edition == edition


@pytest.mark.parametrize("provider", built_in(), ids=lambda provider: provider.name)
def test_every_handler_has_an_operation_in_an_edition(provider: Any) -> None:
    known = {
        operation
        for edition in provider.editions
        for operation in provider.select(edition).document.operations
    }
    assert provider.handlers.keys() <= known


def test_default_is_the_oldest_edition(box: Box, samples: dict[str, bytes]) -> None:
    assert in_use(box)["supertone"] == "0.9.0"
    assert upload(box.http, samples) == 415


def test_setting_selects_the_edition_of_the_server(serve: Serve, samples: dict[str, bytes]) -> None:
    for edition in ("0.9.6", "latest"):
        with Box(serve(edition={"supertone": edition}), "other") as box:
            assert in_use(box)["supertone"] == "0.9.6"
            assert upload(box.http, samples) == 200


def test_reset_selects_the_edition_of_one_sandbox(box: Box, samples: dict[str, bytes]) -> None:
    assert upload(box.http, samples) == 415
    assert box.control.post("/reset", json={"edition": {"supertone": "latest"}}).is_success
    assert in_use(box)["supertone"] == "0.9.6"
    assert upload(box.http, samples) == 200
    with Box(box.server, f"{box.name}-other") as other:
        assert upload(other.http, samples) == 415
    box.control.post("/reset")  # keeps the edition, as it keeps `audio`
    assert upload(box.http, samples) == 200
    box.control.post("/reset", json={"edition": {"supertone": "0.9.0"}})
    assert upload(box.http, samples) == 415


def test_reset_keeps_the_editions_of_other_providers(serve: Serve) -> None:
    with Box(serve(edition={"supertone": "latest"}), "other") as box:
        box.control.post("/reset", json={"edition": {"retell": "2026-08"}})
        assert in_use(box)["supertone"] == "0.9.6"


@pytest.mark.parametrize(
    ("edition", "message"),
    [
        (
            {"supertone": "0.9.5"},
            "edition.supertone must be one of 0.9.0, 0.9.6, latest; got 0.9.5",
        ),
        (
            {"supertune": "latest"},
            "edition.supertune must be one of faseeh, retell, supertone, tel",
        ),
    ],
)
def test_reset_rejects_unknown_editions(box: Box, edition: dict[str, str], message: str) -> None:
    response = box.control.post("/reset", json={"edition": edition})
    assert response.status_code == 400
    assert response.json()["detail"].startswith(message)
    assert in_use(box)["supertone"] == "0.9.0"


def test_unknown_edition_in_settings_is_an_error() -> None:
    with pytest.raises(ContractError, match=r"supertone has no edition 1; available: 0\.9\.0"):
        make_mock(edition={"supertone": "1"})
    with pytest.raises(ContractError, match="unknown provider supertune; did you mean supertone"):
        make_mock(edition={"supertune": "latest"})


def test_editions_that_nobody_selects_are_not_read(serve: Serve) -> None:
    mock = serve().mock
    assert [provider.edition for provider in mock.providers.values()] == [
        next(iter(provider.editions)) for provider in built_in()
    ]
    newer = mock.select_one("supertone", "latest")
    assert "document" not in vars(newer)


def test_request_in_a_sandbox_of_another_edition_is_routed_again_once(
    box: Box, samples: dict[str, bytes]
) -> None:
    box.control.post("/reset", json={"edition": NEWEST})
    calls = calls_of(box.server.mock)
    calls.clear()
    assert [upload(box.http, samples) for _ in range(2)] == [200, 200]
    assert calls == {"begin": 3, "commit": 2}
    assert [entry["id"] for entry in box.requests()] == ["request_1", "request_2"]


def test_change_by_another_process_is_noticed(serve: Serve, samples: dict[str, bytes]) -> None:
    """The store decides: what this process remembers of a sandbox may be out of date."""
    server = serve()
    with Box(server, "shared") as box:
        assert upload(box.http, samples) == 415
        server.mock.remember_editions("shared", NEWEST)
        assert upload(box.http, samples) == 415


def test_fault_names_are_those_of_the_edition(box: Box) -> None:
    fault = {"provider": "supertone", "operation": "create_cloned_voice", "status": 429}
    box.control.post("/reset", json={"edition": NEWEST})
    box.inject(**fault)
    assert box.http.post(CLONE, headers=KEY).status_code == 429


def test_seeded_record_satisfies_the_contract_of_the_edition(box: Box) -> None:
    seed = {"provider": "supertone", "id": "mine", "data": {"description": None}}
    assert box.control.post("/voices", json=seed).status_code == 400
    box.control.post("/reset", json={"edition": NEWEST})
    assert box.control.post("/voices", json=seed).status_code == 201
    voice = box.http.get("/supertone/v1/custom-voices/mine", headers=KEY)
    assert voice.json()["description"] is None


def test_edition_that_configured_voices_do_not_fit_is_rejected(serve: Serve) -> None:
    voices = [{"provider": "supertone", "id": "mine", "data": {"description": None}}]
    with Box(serve(edition=NEWEST, voices=voices), "other") as box:
        assert [voice["id"] for voice in box.voices(provider="supertone", presets="false")]
        response = box.control.post("/reset", json={"edition": {"supertone": "0.9.0"}})
        assert response.status_code == 400
        detail = response.json()["detail"]
        assert detail.startswith("edition makes the voices of the settings invalid: data.descript")


# --- the SDK of a newer edition ------------------------------------------------------------------


def test_rejected_request_of_a_newer_sdk_gets_a_hint(box: Box, samples: dict[str, bytes]) -> None:
    def hint(**headers: str) -> str:
        sample = {"files": samples["flac"]}
        sent = {**KEY, **headers}
        response = box.http.post(CLONE, headers=sent, data={"name": "n"}, files=sample)
        return str(response.headers.get("x-mockvoice-hint", ""))

    newer = "the SDK (python 0.2.3) is of edition 0.9.6 or newer, and edition 0.9.0 is in use"
    assert newer in hint(**PYTHON)
    assert "--edition supertone=0.9.6" in hint(**PYTHON)
    stainless = {"x-stainless-lang": "python", "x-stainless-package-version": "1.0.0"}
    assert "(python 1.0.0)" in hint(**stainless)
    for older in ({}, {"user-agent": "speakeasy-sdk/python 0.1.2 2.686.7 0.8.69 supertone"}):
        assert "edition" not in hint(**older)
    box.control.post("/reset", json={"edition": NEWEST})
    assert hint(**PYTHON) == ""


def test_unknown_path_gets_the_hint_but_unknown_record_does_not(box: Box) -> None:
    def hint(path: str) -> str:
        response = box.http.get(f"/supertone/v1/{path}", headers={**KEY, **PYTHON})
        assert response.status_code == 404
        return str(response.headers.get("x-mockvoice-hint", ""))

    assert "is of edition 0.9.6" in hint("no-such-path")
    assert hint("custom-voices/nobody") == ""
    box.control.post("/reset", json={"edition": NEWEST})
    assert "edition" not in hint("no-such-path")


# --- Python --------------------------------------------------------------------------------------


def test_python_client_selects_an_edition(samples: dict[str, bytes]) -> None:
    with mockvoice.serve(edition={"supertone": "latest"}) as mock:
        assert mock.supertone.edition == "0.9.6"
        sandbox = mock.sandbox("other")
        sandbox.reset(edition={"supertone": "0.9.0"})
        assert (sandbox.supertone.edition, mock.supertone.edition) == ("0.9.0", "0.9.6")


def test_invalid_edition_in_python_is_a_settings_error() -> None:
    with pytest.raises(mockvoice.config.settings.SettingsError) as caught:
        mockvoice.create_app(edition={"supertone": "0.9.5"})
    assert "edition.supertone must be one of 0.9.0, 0.9.6, latest" in str(caught.value)


def test_spec_is_the_one_of_the_sandbox(box: Box) -> None:
    box.control.post("/reset", json={"edition": NEWEST})
    assert "x-edition: '0.9.6'" in box.control.get("/specs/supertone").text
    error = box.http.post(CLONE, headers=KEY, files={"a": b"b"}).headers["x-mockvoice-violations"]
    assert json.loads(error)[0]["source"].startswith("supertone/0.9.6.yaml#/")

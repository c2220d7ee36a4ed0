"""A document of the user replaces a bundled contract; handlers keep working."""

from __future__ import annotations

import json
import logging
from copy import deepcopy
from pathlib import Path
from typing import Any

import httpx
import pytest

import mockvoice
from mockvoice import Control

from ..cli.processes import invoke, serving
from ..conftest import Serve
from .contracts import CONTRACTS, Contract, Operation, operations

PROVIDERS = [contract for contract in CONTRACTS if contract.edition]
(TELNYX,) = [contract for contract in PROVIDERS if contract.name == "telnyx"]
KEY = {"Authorization": "Bearer K", "x-sup-api-key": "K", "x-api-key": "K"}
DESIGN = "550e8400-e29b-41d4-a716-446655440000"


def plain(node: Any) -> Any:
    """Return a document without our extensions and examples, as vendors publish theirs."""
    if isinstance(node, dict):
        ours = ("x-", "example")
        return {k: plain(v) for k, v in node.items() if not str(k).startswith(ours)}
    return [plain(item) for item in node] if isinstance(node, list) else node


def foreign(contract: Contract) -> Any:
    """Return a vendor-like document: JSON, other components, one more and one fewer operation."""
    document = plain(deepcopy(contract.document))
    document["info"] = {"title": "Vendor API", "version": "9.9"}
    document["paths"] = dict([*document["paths"].items()][:-1])
    document["paths"]["/new-things/{id}"] = {
        "get": {
            "operationId": "getNewThing",
            "parameters": [
                {"name": "id", "in": "path", "required": True, "schema": {"type": "string"}}
            ],
            "responses": {
                "200": {
                    "description": "A thing.",
                    "content": {"application/json": {"schema": {"$ref": "#/components/schemas/N"}}},
                },
                "default": {"description": "Anything else."},
            },
        }
    }
    thing = {"type": "object", "required": ["size"], "properties": {"size": {"type": "integer"}}}
    document["components"].setdefault("schemas", {})["N"] = thing
    return document


def relaxed(node: Any) -> Any:
    """Return a document whose requests require no members."""
    if isinstance(node, dict):
        kept = {k: relaxed(v) for k, v in node.items() if k not in ("required", "default")}
        return kept | ({"required": True} if node.get("required") is True else {})
    return [relaxed(item) for item in node] if isinstance(node, list) else node


def write(folder: Path, document: Any) -> str:
    file = folder / "vendor.json"
    file.write_text(json.dumps(document))
    return str(file)


def bodies(operation: Operation, wav: bytes) -> list[dict[str, Any]]:
    """Return bodies, empty and plausible ones."""
    members = {"name": "n", "language": "en", "gender": "male", "provider": "telnyx"}
    members |= {"voice_name": "n", "voice_provider": "elevenlabs", "text": "Hello my friend"}
    files = dict.fromkeys(("audio_file", "files", "voice_file", "reference_audio_file"), wav)
    if operation.body and operation.body[0] == "multipart/form-data":
        return [{}, {"data": members}, {"files": files}, {"data": members, "files": files}]
    voice = {"voice": "Telnyx.Natural.Armon", "voice_design_id": DESIGN, "prompt": "p"}
    return [{}, {"json": {}}, {"json": []}, {"json": members}, {"json": members | voice}]


@pytest.mark.slow
@pytest.mark.parametrize("change", [foreign, lambda contract: relaxed(foreign(contract))])
@pytest.mark.parametrize("contract", PROVIDERS, ids=str)
def test_no_request_to_a_replaced_contract_is_an_internal_error(
    tmp_path: Path, contract: Contract, change: Any, wav: bytes
) -> None:
    file = write(tmp_path, change(contract))
    with mockvoice.serve(contracts={contract.name: file}) as mock:
        base = mock.provider(contract.name).base_url
        with httpx.Client(headers=KEY) as http:
            for operation in operations([contract]):
                for ids in (DESIGN, "x"):
                    path = operation.path
                    for parameter in operation.parameters:
                        path = path.replace(f"{{{parameter['name']}}}", ids)
                    for body in bodies(operation, wav):
                        status = http.request(operation.method, base + path, **body).status_code
                        assert status < 500, f"{operation} {body}"
        assert not [entry for entry in mock.requests if entry.internal_error]


def test_handlers_and_new_operations_are_served(
    tmp_path: Path, wav: bytes, caplog: pytest.LogCaptureFixture
) -> None:
    file = write(tmp_path, foreign(TELNYX))
    with mockvoice.serve(contracts={"telnyx": file}) as mock:
        with httpx.Client(base_url=mock.telnyx.base_url, headers=KEY) as http:
            form = {"name": "n", "language": "en"}
            sample = {"audio_file": wav}
            cloned = http.post("/voice_clones/from_upload", data=form, files=sample)
            assert cloned.status_code == 201
            assert http.get("/voice_clones").json()["data"] == [cloned.json()["data"]]
            assert http.get("/new-things/7").json() == {"size": 0}
            assert http.get("/text-to-speech/voices").status_code == 404  # not in the document
            assert mock.telnyx.edition == "9.9"
            missing = http.post(
                "/voice_clones/from_upload", data=form, files={"sample": wav}
            ).json()["errors"][0]
            assert missing["source"] == {"pointer": "/audio_file"}
            (violation,) = mock.requests.last.violations
            assert violation.rule == "required"
        mock.verify()
    assert "vendor.json has no operations listVoices, " in caplog.text


def test_field_that_a_handler_needs_is_named_if_the_document_does_not_require_it(
    tmp_path: Path,
) -> None:
    file = write(tmp_path, relaxed(foreign(TELNYX)))
    with mockvoice.serve(contracts={"telnyx": file}) as mock:
        url = f"{mock.telnyx.base_url}/text-to-speech/speech"
        response = httpx.post(url, headers=KEY, json={"voice": "Telnyx.Natural.Armon"})
        assert response.status_code == 422
        assert response.json() == {"errors": {"text": ["is required"]}}
        mock.verify()


def test_response_that_the_document_contradicts_is_a_warning(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    document = foreign(TELNYX)
    clone = document["components"]["schemas"]["VoiceDesignSummary"]
    clone["required"] = ["color"]
    with mockvoice.serve(contracts={"telnyx": write(tmp_path, document)}) as mock:
        for _ in range(2):
            body = {"name": "n", "text": "t", "prompt": "p"}
            url = f"{mock.telnyx.base_url}/voice_designs"
            assert httpx.post(url, headers=KEY, json=body).status_code == 201
        mock.verify()
    warnings = [r.message for r in caplog.records if r.levelno == logging.WARNING]
    (warning,) = [message for message in warnings if "createVoiceDesign" in message]
    assert "the response 201 of createVoiceDesign is not as vendor.json documents it" in warning
    assert "data.color is required" in warning


def test_edition_selects_what_handlers_do_beside_the_document(tmp_path: Path, serve: Serve) -> None:
    contracts = {"telnyx": write(tmp_path, foreign(TELNYX))}
    mock = serve(contracts=contracts, edition={"telnyx": "latest"}).mock
    assert mock.providers["telnyx"].document.edition == "9.9"
    assert mock.providers["telnyx"].edition == [*mock.providers["telnyx"].editions][-1]


# --- the command line ----------------------------------------------------------------------------


def test_contract_flag_replaces_the_contract(tmp_path: Path) -> None:
    file = write(tmp_path, foreign(TELNYX))
    with serving("--contract", f"telnyx={file}") as (lines, url):
        (line,) = [line for line in lines if line.startswith("telnyx")]
        assert line.split("KEY")[1].strip() == "contract vendor.json (9.9)"
        assert httpx.get(f"{url}/telnyx/v2/new-things/1", headers=KEY).status_code == 200
    routes = invoke("routes", "telnyx", "--contract", f"telnyx={file}").stdout
    assert "/telnyx/v2/new-things/{id}" in routes
    assert "/text-to-speech/voices" not in routes


@pytest.mark.parametrize(
    ("argument", "message"),
    [
        ("telnyx", "argument --contract: must be NAME=VALUE; got 'telnyx'"),
        ("telnyx=no.json", "mockvoice: the contract of telnyx does not exist: no.json"),
        ("telnix=no.json", "contracts names the unknown provider telnix; did you mean telnyx?"),
        ("telnyx=bad.json", "mockvoice: bad.json must be an OpenAPI document; got []"),
    ],
)
def test_invalid_contract_exits_with_2(tmp_path: Path, argument: str, message: str) -> None:
    (tmp_path / "bad.json").write_text("[]")
    done = invoke("serve", "--port", "0", "--contract", argument, cwd=tmp_path)
    assert done.returncode == 2
    assert message in done.stderr


def test_invalid_edition_variable_exits_with_2() -> None:
    done = invoke("serve", "--port", "0", MOCKVOICE_EDITION="supertone")
    assert done.returncode == 2
    assert "MOCKVOICE_EDITION must be NAME=VALUE,NAME=VALUE; got supertone" in done.stderr


def test_edition_flag_overrides_the_variable_by_provider() -> None:
    variable = "supertone=0.9.6,telnyx=latest"
    with serving("--edition", "supertone=0.9.0", MOCKVOICE_EDITION=variable) as (_, url):
        control: Control = mockvoice.connect(url)
        assert control.supertone.edition == "0.9.0"

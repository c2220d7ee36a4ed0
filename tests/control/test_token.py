"""The setting `control_token`: a bearer token for the control API."""

from __future__ import annotations

from collections.abc import Iterator

import httpx
import pytest

import mockvoice
from mockvoice.client.control import ControlError, connect
from mockvoice.control.api import PUBLIC

from ..cli.processes import invoke, serving
from ..conftest import Serve
from ..contract.contracts import OPERATIONS, Operation, check

TOKEN = "s3cret-token.for~tests"
CONTROL = [operation for operation in OPERATIONS if operation.contract.name == "mockvoice"]


@pytest.fixture
def client(serve: Serve) -> Iterator[httpx.Client]:
    server = serve(control_token=TOKEN)
    with httpx.Client(base_url=server.url, event_hooks={"response": [check]}) as client:
        yield client


def path(operation: Operation) -> str:
    """Return a path of the operation, relative to the server."""
    path = operation.path.replace("{format}", "wav").replace("{provider}", "telnyx")
    return "/__mockvoice" + path.replace("{id}", "x").replace("{key}", "k")


@pytest.mark.parametrize(
    "authorization",
    ["", "Bearer", "Bearer wrong", f"Bearer {TOKEN}x", f"Basic {TOKEN}", "Bearer s\xe9cret"],
)
def test_request_without_the_token_returns_401(client: httpx.Client, authorization: str) -> None:
    headers = [(b"authorization", authorization.encode("latin-1"))] if authorization else []
    for operation in CONTROL:
        response = client.request(operation.method, path(operation), headers=headers)
        if operation.node["operationId"] in PUBLIC:
            assert response.status_code == 200
        else:
            assert response.status_code == 401
            assert response.headers["www-authenticate"] == "Bearer"
            assert "MOCKVOICE_CONTROL_TOKEN" in response.json()["detail"]
            assert TOKEN not in response.text


def test_request_with_the_token_is_accepted(client: httpx.Client) -> None:
    for scheme in ("Bearer", "bearer"):
        headers = {"authorization": f"{scheme} {TOKEN}"}
        assert client.get("/~box/__mockvoice/requests", headers=headers).status_code == 200
    foreign = {"authorization": f"Bearer {TOKEN}", "origin": "https://evil.example"}
    assert client.get("/__mockvoice/requests", headers=foreign).status_code == 403


def test_providers_do_not_require_the_token(client: httpx.Client) -> None:
    headers = {"authorization": "Bearer KEY"}
    assert client.get("/retell/list-voices", headers=headers).status_code == 200
    assert client.get("/unknown").status_code == 404


def test_python_clients_send_the_token(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("MOCKVOICE_CONTROL_TOKEN", raising=False)
    assert mockvoice.create_app(control_token=TOKEN).control.requests == []
    with mockvoice.serve(control_token=TOKEN) as mock:
        mock.retell.fail(502)
        assert mockvoice.connect(mock.url, control_token=TOKEN).requests == []
        with pytest.raises(ControlError, match="requires `Authorization: Bearer`"):
            connect(mock.url).reset()
        monkeypatch.setenv("MOCKVOICE_CONTROL_TOKEN", TOKEN)
        connect(mock.url).reset()


def test_commands_read_the_token_from_the_environment() -> None:
    with serving(MOCKVOICE_CONTROL_TOKEN=TOKEN) as (_, url):
        assert invoke("health", "--url", url).returncode == 0
        refused = invoke("reset", "--url", url)
        assert (refused.returncode, refused.stdout) == (1, "")
        assert "MOCKVOICE_CONTROL_TOKEN" in refused.stderr
        assert invoke("reset", "--url", url, MOCKVOICE_CONTROL_TOKEN=TOKEN).returncode == 0


@pytest.mark.slow  # runs pytest
def test_plugin_reads_the_token_from_the_environment(
    pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch
) -> None:
    pytester.makepyfile("def test_reset(mockvoice):\n    mockvoice.reset()\n")
    with mockvoice.serve(control_token=TOKEN) as mock:
        monkeypatch.setenv("MOCKVOICE_URL", mock.url)
        monkeypatch.setenv("MOCKVOICE_CONTROL_TOKEN", TOKEN)
        pytester.runpytest_subprocess().assert_outcomes(passed=1)


@pytest.mark.parametrize("token", ["two words", "sécret", "===x", "a\nb"])
def test_token_that_no_header_can_carry_is_rejected_and_not_printed(
    token: str, pytester: pytest.Pytester
) -> None:
    file = pytester.path / "mockvoice.yaml"
    file.write_text(f"control_token: {token!r}\n", encoding="utf-8")
    by_variable = invoke("serve", MOCKVOICE_CONTROL_TOKEN=token)
    by_file = invoke("serve", "--config", str(file))
    for result in (by_variable, by_file):
        assert result.returncode == 2
        assert "control_token must be a bearer token: letters, digits" in result.stderr
        assert token not in result.stdout + result.stderr


def test_token_of_the_wrong_type_is_not_printed(pytester: pytest.Pytester) -> None:
    file = pytester.path / "mockvoice.yaml"
    file.write_text("control_token: 8675309\n")
    result = invoke("validate", str(file))
    assert "control_token must be a bearer token" in result.stdout + result.stderr
    assert "8675309" not in result.stdout + result.stderr

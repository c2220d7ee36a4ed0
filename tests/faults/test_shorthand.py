"""The shorthand of faults means the same in every front end, alone and in lists."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import httpx
import pytest

import mockvoice
from mockvoice import Control
from mockvoice.client.control import ControlError
from mockvoice.config.file import read
from mockvoice.config.settings import SettingsError
from mockvoice.providers import built_in

from ..cli.processes import invoke
from ..conftest import Box

KEY = {"Authorization": "Bearer K"}
LIST = "/retell/list-voices"
FULL = {"status": 503, "retry_after": 1}
SHORTHANDS: list[tuple[Any, dict[str, Any]]] = [
    (502, {"status": 502}),
    ("reset", {"kind": "reset"}),
    ("ok", {"sequence": ["ok"]}),
    ([502, "reset", "ok"], {"sequence": [{"status": 502}, {"kind": "reset"}, "ok"]}),
    ([429, FULL], {"sequence": [{"status": 429}, FULL]}),
    ({"sequence": [502, "ok"]}, {"sequence": [{"status": 502}, "ok"]}),
    (FULL, FULL),
]


@pytest.fixture
def mock(box: Box) -> Control:
    return mockvoice.connect(box.url)


every_shorthand = pytest.mark.parametrize(("fault", "expanded"), SHORTHANDS, ids=str)


def from_python(mock: Control, fault: Any, folder: Path) -> list[Any]:
    if isinstance(fault, dict) and "sequence" in fault:
        mock.sequence(fault["sequence"])
    elif isinstance(fault, dict):
        mock.fail(**fault)
    else:
        mock.fail(fault)
    return [added.data for added in mock.faults]


def from_http(mock: Control, fault: Any, folder: Path) -> list[Any]:
    mock.request("POST", "/faults", fault)
    return [added.data for added in mock.faults]


def from_command_line(mock: Control, fault: Any, folder: Path) -> list[Any]:
    text = fault if isinstance(fault, str) else json.dumps(fault)
    assert invoke("faults", "add", text, MOCKVOICE_URL=mock.url).returncode == 0
    return [added.data for added in mock.faults]


def from_file(mock: Control, fault: Any, folder: Path) -> list[Any]:
    file = folder / "mockvoice.yaml"
    file.write_text(f"faults:\n  - {json.dumps(fault)}\n")
    return [f.data for f in mockvoice.create_app(**read(str(file), built_in())).control.faults]


def from_settings(mock: Control, fault: Any, folder: Path) -> list[Any]:
    return [added.data for added in mockvoice.create_app(faults=[fault]).control.faults]


@every_shorthand
@pytest.mark.parametrize(
    "front_end", [from_python, from_http, from_command_line, from_file, from_settings]
)
def test_shorthand_is_the_same_fault_in_every_front_end(
    mock: Control, tmp_path: Path, front_end: Any, fault: Any, expanded: dict[str, Any]
) -> None:
    assert front_end(mock, fault, tmp_path) == [expanded]


@every_shorthand
def test_shorthand_in_a_header_acts_like_the_fault(
    box: Box, fault: Any, expanded: dict[str, Any]
) -> None:
    header = fault if isinstance(fault, str) else json.dumps(fault)
    acted: list[Any] = []
    for value in (header, json.dumps(expanded)):
        box.control.post("/reset")
        for _ in range(3):
            try:
                headers = {**KEY, "X-Mockvoice-Fault": value}
                acted.append(box.http.get(LIST, headers=headers).status_code)
            except httpx.TransportError as error:
                acted.append(type(error))
    assert acted[:3] == acted[3:]


@pytest.mark.parametrize("text", ["reset", '"reset"'])
def test_name_in_a_header_needs_no_quotes(box: Box, text: str) -> None:
    with pytest.raises(httpx.ReadError):
        box.http.get(LIST, headers={**KEY, "X-Mockvoice-Fault": text})
    assert box.last()["fault"] == {"id": "header", "kind": "reset"}
    assert box.last()["headers"]["x-mockvoice-fault"] == '"reset"'


def test_attempts_with_the_same_header_use_one_sequence(box: Box) -> None:
    """A client sends the same headers with every attempt."""
    headers = {**KEY, "X-Mockvoice-Fault": '[502, "ok", 503]'}
    statuses = [box.http.get(LIST, headers=headers).status_code for _ in range(5)]
    assert statuses == [502, 200, 503, 200, 200]
    other = {**KEY, "X-Mockvoice-Fault": '[502, "ok"]'}
    assert box.http.get(LIST, headers=other).status_code == 502
    box.control.delete("/faults")
    assert box.http.get(LIST, headers=headers).status_code == 502


def test_counts_of_a_header_fault_hold_across_requests(box: Box) -> None:
    fault = {"status": 503, "skip": 1, "every": 2, "times": 2}
    headers = {**KEY, "X-Mockvoice-Fault": json.dumps(fault)}
    statuses = [box.http.get(LIST, headers=headers).status_code for _ in range(6)]
    assert statuses == [200, 503, 200, 503, 200, 200]


def test_ok_in_a_header_exempts_the_request_from_faults(box: Box) -> None:
    id = box.inject(status=503)
    headers = {**KEY, "X-Mockvoice-Fault": "ok"}
    assert [box.http.get(LIST, headers=headers).status_code for _ in range(2)] == [200, 200]
    headers = {**KEY, "X-Mockvoice-Fault": '["ok"]'}
    assert box.http.get(LIST, headers=headers).status_code == 200
    assert box.fault(id)["matched"] == 0
    assert box.http.get(LIST, headers=headers).status_code == 503  # the list is used up


def test_unknown_name_is_rejected_with_all_accepted_ones(mock: Control, tmp_path: Path) -> None:
    accepted = "must be one of ok, status, delay, timeout, reset, disconnect"
    with pytest.raises(ControlError, match=accepted):
        mock.retell.fail(["rset"])  # type: ignore[list-item]
    refused = invoke("faults", "add", "rset", MOCKVOICE_URL=mock.url)
    assert accepted in refused.stderr
    assert refused.stderr.endswith("did you mean reset?\n")
    file = tmp_path / "mockvoice.yaml"
    file.write_text("faults:\n  - rset\n  - [502, okay]\n")
    with pytest.raises(SettingsError) as caught:
        read(str(file), built_in())
    first, second = str(caught.value).splitlines()
    assert first.startswith(f"{file}:2: faults[0] {accepted}")
    assert second.startswith(f"{file}:3: faults[1][1] {accepted}")


def test_other_types_are_rejected_with_the_accepted_forms(box: Box) -> None:
    response = box.control.post("/faults", json=True)
    assert response.json()["detail"] == (
        "the body must be a status such as 502, a kind such as reset, ok, an object, or a list;"
        " got true"
    )

"""`mockvoice env`, `routes`, `errors`: what is told without a server is so with one."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import httpx
import pytest

from mockvoice import Control, errors

from ..contract.contracts import CONTRACTS, OPERATIONS, Operation
from .processes import told

NOWHERE = "http://127.0.0.1:9"


# --- env -----------------------------------------------------------------------------------------


def test_the_environment_is_the_same_without_a_server_as_with_one(mock: Control) -> None:
    env = json.loads(told("env", "--format", "json", "--url", mock.url))
    assert env == mock.env()
    other = json.loads(told("env", "--format", "json", "--sandbox", "one", MOCKVOICE_URL=mock.url))
    assert other == mock.sandbox("one").env()


def test_a_shell_takes_the_environment_as_it_is(mock: Control) -> None:
    printed = told("env", "--url", f"{NOWHERE}/~one")
    script = f"{printed}echo $TELNYX_BASE_URL $RETELL_API_KEY"
    done = subprocess.run(["sh", "-c", script], capture_output=True, text=True, check=True)
    assert done.stdout == f"{NOWHERE}/~one/telnyx/v2 test\n"


def test_the_environment_is_that_of_the_usual_place_unless_told() -> None:
    lines = told("env", "--format", "github", MOCKVOICE_PORT="4020").splitlines()
    assert lines[0] == "MOCKVOICE_URL=http://127.0.0.1:4020"
    assert "SUPERTONE_BASE_URL=http://127.0.0.1:4020/supertone" in lines
    assert told("env").startswith("export MOCKVOICE_URL=http://127.0.0.1:4010\n")


# --- routes --------------------------------------------------------------------------------------


def test_routes_lists_every_operation_and_whether_it_remembers() -> None:
    lines = told("routes").splitlines()
    listed = {tuple(line.split()[:3]): line.split(maxsplit=3)[3] for line in lines}
    assert len(lines) == len(OPERATIONS)
    for operation in OPERATIONS:
        path = operation.contract.base_path + operation.path
        stateful = listed[operation.method, path, operation.node["operationId"]]
        assert stateful in ("stateful", "stateless")
    assert listed["GET", "/telnyx/v2/voice_clones", "listVoiceClones"] == "stateful"
    assert listed["GET", "/faseeh/api/v1/models", "listModels"] == "always the same"


def test_routes_are_those_of_one_provider_for_machines_too() -> None:
    lines = told("routes", "retell").splitlines()
    found = json.loads(told("routes", "retell", "--json"))["routes"]
    assert [each["operation"] for each in found] == [line.split()[2] for line in lines]
    assert found[0] == {
        "provider": "retell",
        "operation": "cloneVoice",
        "method": "POST",
        "path": "/retell/clone-voice",
        "summary": found[0]["summary"],
        "statuses": [201, 400, 401, 402, 429, 500],
        "stateful": True,
    }


# --- errors --------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def listed() -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = json.loads(told("errors", "--json"))["errors"]
    return found


def test_every_documented_error_is_listed_with_its_example(listed: list[dict[str, Any]]) -> None:
    found = [(each["provider"], each["operation"], each["status"]) for each in listed]
    documented = [
        (operation.contract.name, operation.node["operationId"], status)
        for operation in OPERATIONS
        for status in sorted(operation.responses)
        if status >= 400 and operation.contract.name != "mockvoice"
    ]
    assert sorted(found) == sorted(documented)
    contracts = {each.name: each for each in CONTRACTS}
    for each in listed:
        contract = contracts[each["provider"]]
        node = contract.document["paths"][each["path"].removeprefix(contract.base_path)]
        response = contract.resolve(node[each["method"].lower()]["responses"][str(each["status"])])
        (content,) = response["content"].values()
        examples = [each["value"] for each in content.get("examples", {}).values()]
        assert each["example"] in [content.get("example"), *examples]


def test_people_read_what_provokes_each() -> None:
    title, *lines = told("errors", "supertone").splitlines()
    assert title == "supertone create_cloned_voice  POST /supertone/v1/custom-voices/cloned-voice"
    at = lines.index("  404  Unknown voice.")
    assert lines[at + 2] == "       - asked for: Prefer: code=404"
    at = lines.index("  413  The file is larger than 3 MB.")
    assert json.loads(lines[at + 1])["message"]["message"] == "File too large"
    assert lines[at + 2].startswith(
        "       - a file or body that is too large (files: over 3145728"
    )
    assert lines[at + 3].startswith("  415  ")


CLONES = {
    "createVoiceCloneFromUpload": {"name": "n", "language": "en"},
    "createVoiceClone": {
        "name": "n",
        "voice_design_id": "550e8400-e29b-41d4-a716-446655440000",
        "language": "en",
        "gender": "male",
    },
    "retell cloneVoice": {"voice_name": "n", "voice_provider": "elevenlabs"},
    "create_cloned_voice": {"name": "n"},
    "faseeh cloneVoice": {
        "name": "n",
        "text": "Hello there",
        "stability": "0.5",
        "model": "faseeh-v1-preview",
    },
}
FILES = {
    "createVoiceCloneFromUpload": ["audio_file"],
    "retell cloneVoice": ["files"],
    "create_cloned_voice": ["files"],
    "faseeh cloneVoice": ["voice_file", "reference_audio_file"],
}


class Clone:
    """A request for a clone that would succeed, until something is changed in it."""

    def __init__(self, mock: Control, operation: Operation) -> None:
        name = operation.node["operationId"]
        name = name if name in CLONES else f"{operation.contract.name} {name}"
        sample = mock.sample("wav", seconds=1)
        self.handle = mock.provider(operation.contract.name)
        self.url = f"{mock.url}{operation.contract.base_path}{operation.path}"
        self.headers = dict(operation.credential)
        self.fields = dict(CLONES[name])
        self.files = dict.fromkeys(FILES.get(name, []), ("s.wav", sample))

    def sent(self, content: bytes | None = None, **headers: str) -> httpx.Response:
        sent: dict[str, Any] = {"json": self.fields}
        if content is not None:
            sent = {"content": content}
        elif self.files:
            sent = {"data": self.fields, "files": self.files}
        return httpx.post(self.url, headers={**self.headers, **headers}, **sent)


def without_key(clone: Clone) -> httpx.Response:
    clone.headers.clear()
    return clone.sent()


def without_fields(clone: Clone) -> httpx.Response:
    clone.fields.clear()
    return clone.sent()


def unreadable(clone: Clone) -> httpx.Response:
    kind = "multipart/form-data; boundary=b" if clone.files else "application/json"
    return clone.sent(b"--b\r\n{", **{"content-type": kind})


def as_text(clone: Clone) -> httpx.Response:
    return clone.sent(b"text", **{"content-type": "text/plain"})


def no_audio(clone: Clone) -> httpx.Response:
    clone.files = dict.fromkeys(clone.files, ("s.wav", b"Example data"))
    return clone.sent()


def too_large(clone: Clone) -> httpx.Response:
    clone.files = dict.fromkeys(clone.files, ("s.wav", bytes(20 * 1024 * 1024 + 1)))
    return clone.sent()


def of_nothing(clone: Clone) -> httpx.Response:
    clone.fields["voice_design_id"] = "550e8400-e29b-41d4-a716-446655440001"
    return clone.sent()


def cannot_pay(clone: Clone) -> httpx.Response:
    clone.handle.account(credit=0, trial_ended=True)
    return clone.sent()


def may_not(clone: Clone) -> httpx.Response:
    clone.handle.account(tier="free", models=[])
    return clone.sent()


def too_often(clone: Clone) -> httpx.Response:
    clone.handle.limit(0, per=60)
    return clone.sent()


PROVOKED: dict[type[errors.Problem], Callable[[Clone], httpx.Response]] = {
    errors.Unauthenticated: without_key,
    errors.ValidationFailed: without_fields,
    errors.MalformedBody: unreadable,
    errors.UnsupportedMediaType: as_text,
    errors.InvalidAudio: no_audio,
    errors.PayloadTooLarge: too_large,
    errors.NotFound: of_nothing,
    errors.PaymentRequired: cannot_pay,
    errors.Forbidden: may_not,
    errors.RateLimited: too_often,
}


def clones() -> list[Operation]:
    return [each for each in OPERATIONS if "clone" in each.path and each.method == "POST"]


@pytest.mark.parametrize("operation", clones(), ids=str)
def test_what_is_said_to_provoke_an_error_of_a_clone_does(
    mock: Control, listed: list[dict[str, Any]], operation: Operation
) -> None:
    path = f"{operation.contract.base_path}{operation.path}"
    own = [each for each in listed if (each["method"], each["path"]) == ("POST", path)]
    assert Clone(mock, operation).sent().is_success
    for each in own:
        for way in each["provoked_by"]:
            (problem,) = [kind for kind in PROVOKED if way.startswith(kind.provoked_by)]
            mock.reset()
            assert PROVOKED[problem](Clone(mock, operation)).status_code == each["status"], way
        mock.reset()
        name, _, value = each["inject_with"].partition(": ")
        asked = Clone(mock, operation).sent(**{name: value})
        assert (asked.status_code, asked.json()) == (each["status"], each["example"])
    assert sum(bool(each["provoked_by"]) for each in own) >= 3


ACME = """
openapi: 3.1.0
info: {title: Acme, version: '1'}
security: [{key: []}]
paths:
  /songs/{id}:
    get:
      operationId: getSong
      parameters:
        - {name: id, in: path, required: true, schema: {type: integer}}
        - {name: sort, in: query, schema: {enum: [up, down]}}
      responses:
        '200': {description: ok}
        '400': {description: wrong}
        '401': {description: no key}
        '402': {description: no money}
        '403': {description: no right}
        '404': {description: none}
        '503': {description: busy}
  /songs:
    post: {operationId: addSong, responses: {'200': {description: ok}, '403': {description: no}}}
components:
  securitySchemes: {key: {type: http, scheme: bearer}}
"""
MOCK = """
from mockvoice.errors import Forbidden, NotFound, PaymentRequired
from mockvoice.provider import Provider

ADDING = {"addSong", "addSongs"}

async def admit(ctx):
    if ctx.account.tier == "trial":
        raise PaymentRequired
    if ctx.operation.id in ADDING and not ctx.account.credit:
        raise Forbidden

provider = Provider("acme", admit=admit, raises=[PaymentRequired("tier is trial")])

@provider.operation("getSong", raises=[NotFound("no such song")])
async def get_song(ctx):
    raise NotFound(f"no song {ctx.parameters['id']}")

@provider.operation("addSong", raises=[Forbidden("credit is 0")])
async def add_song(ctx):
    return {}
"""


def test_other_providers_are_told_of_as_the_built_in_ones(tmp_path: Path) -> None:
    (tmp_path / "acme.yaml").write_text(ACME)
    (tmp_path / "acme_mock.py").write_text(MOCK)
    key = ["a key that is missing, empty or of another scheme (authorization: Bearer KEY)"]
    bare: dict[tuple[str, int], list[str]] = {
        ("getSong", 400): [
            "a path with a parameter that breaks its rule (id=x)",
            "a field or parameter that is missing or breaks its rule (sort=x)",
        ],
        ("getSong", 401): key,
        ("getSong", 402): [],
        ("getSong", 403): [],
        ("getSong", 404): [],
        ("getSong", 503): [],
        ("addSong", 403): [],
    }
    own = {
        **bare,
        ("getSong", 402): ["an account that cannot pay (tier is trial)"],
        ("getSong", 404): ["an id of nothing that the account has (no such song)"],
        ("addSong", 403): ["what the account may not do or use (credit is 0)"],
    }
    for given, expected in (("acme=acme.yaml", bare), ("acme=acme.yaml:acme_mock", own)):
        found = json.loads(told("errors", "acme", "--json", "--provider", given, cwd=tmp_path))
        ways = {(e["operation"], e["status"]): e["provoked_by"] for e in found["errors"]}
        assert ways == expected
    routes = told("routes", "acme", "--provider", "acme=acme.yaml", cwd=tmp_path)
    assert routes.splitlines()[0].split()[:3] == ["GET", "/acme/songs/{id}", "getSong"]
    env = told("env", "--provider", "acme=acme.yaml", cwd=tmp_path)
    assert "export ACME_BASE_URL=http://127.0.0.1:4010/acme\n" in env

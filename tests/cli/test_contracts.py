"""Commands `env`, `routes` and `errors`: their output matches a running server."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import httpx
import pytest

from mockvoice import Control, errors

from ..contract.contracts import CONTRACTS, OPERATIONS, Operation
from .processes import check_output, run

UNUSED_URL = "http://127.0.0.1:9"


# --- env -----------------------------------------------------------------------------------------


def env(*arguments: str, cwd: Path | None = None, **environment: str) -> str:
    """Return the output of `mockvoice env`, which also prints warnings to stderr."""
    result = run("env", *arguments, cwd=cwd, **environment)
    assert result.returncode == 0
    return result.stdout


def test_env_is_the_same_as_control_env(mock: Control) -> None:
    variables = json.loads(env("--format", "json", "--url", mock.url))
    assert variables == mock.env()
    other = json.loads(env("--format", "json", "--sandbox", "one", MOCKVOICE_URL=mock.url))
    assert other == mock.sandbox("one").env()


def test_env_output_is_valid_shell() -> None:
    script = f"{env('--url', f'{UNUSED_URL}/~one')}echo $TELNYX_BASE_URL $RETELL_API_KEY"
    result = subprocess.run(["sh", "-c", script], capture_output=True, text=True, check=True)
    assert result.stdout == f"{UNUSED_URL}/~one/telnyx/v2 test\n"


def test_env_proxy_makes_clients_use_the_mock(mock: Control, tmp_path: Path) -> None:
    file = tmp_path / "ca.pem"
    arguments = ["env", "--proxy", "--url", mock.url, "--sandbox", "one"]
    script = check_output(*arguments, "--ca-file", "ca.pem", cwd=tmp_path)
    assert file.read_bytes().endswith(mock.ca())
    fetch = 'import httpx; print(httpx.get("https://api.telnyx.com/v2/voice_clones").status_code)'
    command = f"{script}exec {sys.executable} -c '{fetch}'"
    result = subprocess.run(["sh", "-c", command], capture_output=True, text=True, check=True)
    assert result.stdout == "401\n"
    assert [request.path for request in mock.sandbox("one").requests] == ["/telnyx/v2/voice_clones"]

    proxy = mock.url.replace("//", "//one:x@")
    variables = json.loads(check_output(*arguments, "--format", "json"))
    assert variables["HTTPS_PROXY"] == variables["https_proxy"] == proxy
    assert variables["NO_PROXY"] == "localhost,127.0.0.1,::1"
    assert variables["TELNYX_API_KEY"] == "test"
    assert not {"SSL_CERT_FILE", "TELNYX_BASE_URL"} & variables.keys()


def test_env_proxy_errors(tmp_path: Path) -> None:
    result = run("env", "--ca-file", "ca.pem")
    assert (result.returncode, result.stderr) == (2, "mockvoice: --ca-file needs --proxy\n")
    file = tmp_path / "ca.pem"
    result = run("env", "--proxy", "--ca-file", str(file), "--url", UNUSED_URL)
    assert (result.returncode, result.stdout) == (1, "")
    assert "no mockvoice server at" in result.stderr
    assert not file.exists()


def test_env_uses_default_url_or_port_variable() -> None:
    lines = env("--format", "github", MOCKVOICE_PORT="4020").splitlines()
    assert lines[0] == "MOCKVOICE_URL=http://127.0.0.1:4020"
    assert "RETELL_BASE_URL=http://127.0.0.1:4020/retell" in lines
    assert env().startswith("export MOCKVOICE_URL=http://127.0.0.1:4010\n")


def test_env_prints_only_variables_that_clients_read_and_warns() -> None:
    result = run("env", "--format", "json", "--url", f"{UNUSED_URL}/~one")
    assert json.loads(result.stdout).keys() == {
        "MOCKVOICE_URL",
        "TELNYX_BASE_URL",
        "TELNYX_API_KEY",
        "RETELL_BASE_URL",
        "RETELL_API_KEY",
    }
    warning = (
        "mockvoice: warning: clients of {} read no environment variable for the base URL;"
        ' pass it in code: {}="{}"'
    )
    assert result.stderr.splitlines() == [
        warning.format("faseeh", "base_url", f"{UNUSED_URL}/~one/faseeh/api/v1"),
        warning.format("supertone", "server_url", f"{UNUSED_URL}/~one/supertone"),
    ]


# --- routes --------------------------------------------------------------------------------------


def test_routes_lists_every_operation_as_stateful_or_stateless() -> None:
    lines = check_output("routes").splitlines()
    listed = {tuple(line.split()[:3]): line.split(maxsplit=3)[3] for line in lines}
    assert len(lines) == len(OPERATIONS)
    for operation in OPERATIONS:
        path = operation.contract.base_path + operation.path
        stateful = listed[operation.method, path, operation.node["operationId"]]
        assert stateful in ("stateful", "stateless")
    assert listed["GET", "/telnyx/v2/voice_clones", "listVoiceClones"] == "stateful"
    assert listed["GET", "/retell/get-concurrency", "getConcurrency"] == "stateless"


def test_routes_of_one_provider_as_text_and_json() -> None:
    lines = check_output("routes", "retell").splitlines()
    routes = json.loads(check_output("routes", "retell", "--json"))["routes"]
    assert [route["operation"] for route in routes] == [line.split()[2] for line in lines]
    assert routes[0] == {
        "provider": "retell",
        "operation": "cloneVoice",
        "method": "POST",
        "path": "/retell/clone-voice",
        "summary": routes[0]["summary"],
        "statuses": [201, 400, 401, 402, 429, 500],
        "stateful": True,
    }


# --- errors --------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def listed() -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = json.loads(check_output("errors", "--json"))["errors"]
    return found


def test_errors_lists_every_documented_error_with_example(listed: list[dict[str, Any]]) -> None:
    found = [(error["provider"], error["operation"], error["status"]) for error in listed]
    documented = [
        (operation.contract.name, operation.node["operationId"], status)
        for operation in OPERATIONS
        for status in sorted(operation.responses)
        if status >= 400 and operation.contract.name != "mockvoice"
    ]
    assert sorted(found) == sorted(documented)
    contracts = {contract.name: contract for contract in CONTRACTS}
    for error in listed:
        contract = contracts[error["provider"]]
        path = contract.document["paths"][error["path"].removeprefix(contract.base_path)]
        responses = path[error["method"].lower()]["responses"]
        (content,) = contract.resolve(responses[str(error["status"])])["content"].values()
        examples = [example["value"] for example in content.get("examples", {}).values()]
        assert error["example"] in [content.get("example"), *examples]


def test_errors_text_lists_causes() -> None:
    title, *lines = check_output("errors", "supertone").splitlines()
    assert title == "supertone create_cloned_voice  POST /supertone/v1/custom-voices/cloned-voice"
    index = lines.index("  404  Unknown voice.")
    assert lines[index + 2] == "       - inject with Prefer: code=404"
    index = lines.index("  413  The file is larger than 3 MB.")
    assert json.loads(lines[index + 1])["message"]["message"] == "File too large"
    assert lines[index + 2].startswith(
        f"       - {errors.PayloadTooLarge.provoked_by} (files: over 3145728"
    )
    assert lines[index + 3].startswith("  415  ")


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
    """A clone request that succeeds, unless a test changes it."""

    def __init__(self, mock: Control, operation: Operation) -> None:
        name = operation.node["operationId"]
        name = name if name in CLONES else f"{operation.contract.name} {name}"
        sample = mock.sample("wav", seconds=1)
        self.provider = mock.provider(operation.contract.name)
        self.url = f"{mock.url}{operation.contract.base_path}{operation.path}"
        self.headers = dict(operation.credential)
        self.fields = dict(CLONES[name])
        self.files = dict.fromkeys(FILES.get(name, []), ("s.wav", sample))

    def send(self, content: bytes | None = None, **headers: str) -> httpx.Response:
        body: dict[str, Any] = {"json": self.fields}
        if content is not None:
            body = {"content": content}
        elif self.files:
            body = {"data": self.fields, "files": self.files}
        return httpx.post(self.url, headers={**self.headers, **headers}, **body)


def send_without_key(clone: Clone) -> httpx.Response:
    clone.headers.clear()
    return clone.send()


def send_without_fields(clone: Clone) -> httpx.Response:
    clone.fields.clear()
    return clone.send()


def send_malformed_body(clone: Clone) -> httpx.Response:
    kind = "multipart/form-data; boundary=b" if clone.files else "application/json"
    return clone.send(b"--b\r\n{", **{"content-type": kind})


def send_as_text(clone: Clone) -> httpx.Response:
    return clone.send(b"text", **{"content-type": "text/plain"})


def send_invalid_audio(clone: Clone) -> httpx.Response:
    clone.files = dict.fromkeys(clone.files, ("s.wav", b"Example data"))
    return clone.send()


def send_large_file(clone: Clone) -> httpx.Response:
    clone.files = dict.fromkeys(clone.files, ("s.wav", bytes(20 * 1024 * 1024 + 1)))
    return clone.send()


def send_unknown_design(clone: Clone) -> httpx.Response:
    clone.fields["voice_design_id"] = "550e8400-e29b-41d4-a716-446655440001"
    return clone.send()


def send_without_credit(clone: Clone) -> httpx.Response:
    if clone.provider.name == "retell":
        clone.provider.account(trial_ended=True)
    else:
        clone.provider.account(credit=0)
    return clone.send()


def send_as_free_tier(clone: Clone) -> httpx.Response:
    if clone.provider.name == "supertone":
        clone.provider.account(tier="free")
    else:
        clone.provider.account(models=[])
    return clone.send()


def send_over_limit(clone: Clone) -> httpx.Response:
    clone.provider.limit(0, per=60)
    return clone.send()


REQUESTS: dict[type[errors.Problem], Callable[[Clone], httpx.Response]] = {
    errors.Unauthenticated: send_without_key,
    errors.ValidationFailed: send_without_fields,
    errors.MalformedBody: send_malformed_body,
    errors.UnsupportedMediaType: send_as_text,
    errors.InvalidAudio: send_invalid_audio,
    errors.PayloadTooLarge: send_large_file,
    errors.NotFound: send_unknown_design,
    errors.PaymentRequired: send_without_credit,
    errors.Forbidden: send_as_free_tier,
    errors.RateLimited: send_over_limit,
}


def clones() -> list[Operation]:
    return [item for item in OPERATIONS if "clone" in item.path and item.method == "POST"]


@pytest.mark.parametrize("operation", clones(), ids=str)
def test_clone_errors_are_provoked_as_listed(
    mock: Control, listed: list[dict[str, Any]], operation: Operation
) -> None:
    path = f"{operation.contract.base_path}{operation.path}"
    documented = [error for error in listed if (error["method"], error["path"]) == ("POST", path)]
    assert Clone(mock, operation).send().is_success
    for error in documented:
        for cause in error["provoked_by"]:
            (problem,) = [kind for kind in REQUESTS if cause.startswith(kind.provoked_by)]
            mock.reset()
            response = REQUESTS[problem](Clone(mock, operation))
            assert response.status_code == error["status"], cause
        mock.reset()
        name, _, value = error["inject_with"].partition(": ")
        injected = Clone(mock, operation).send(**{name: value})
        assert (injected.status_code, injected.json()) == (error["status"], error["example"])
    assert sum(bool(error["provoked_by"]) for error in documented) >= 3


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

def admit(ctx):
    if ctx.account.tier == "trial":
        raise PaymentRequired
    if ctx.operation.id in ADDING and not ctx.account.credit:
        raise Forbidden

provider = Provider(
    "acme",
    admit=admit,
    raises=[PaymentRequired("tier is trial")],
    account={"tier": "", "credit": None},
)

@provider.operation("getSong", raises=[NotFound("no such song")])
def get_song(ctx):
    raise NotFound(f"no song {ctx.parameters['id']}")

@provider.operation("addSong", raises=[Forbidden("credit is 0")])
def add_song(ctx):
    return {}
"""


def test_contract_commands_accept_additional_providers(tmp_path: Path) -> None:
    (tmp_path / "acme.yaml").write_text(ACME)
    (tmp_path / "acme_mock.py").write_text(MOCK)
    key = [f"{errors.Unauthenticated.provoked_by} (authorization: Bearer KEY)"]
    contract_only: dict[tuple[str, int], list[str]] = {
        ("getSong", 400): [
            f"{errors.InvalidPath.provoked_by} (id=x)",
            f"{errors.ValidationFailed.provoked_by} (sort=x)",
        ],
        ("getSong", 401): key,
        ("getSong", 402): [],
        ("getSong", 403): [],
        ("getSong", 404): [],
        ("getSong", 503): [],
        ("addSong", 403): [],
    }
    with_module = {
        **contract_only,
        ("getSong", 402): [f"{errors.PaymentRequired.provoked_by} (tier is trial)"],
        ("getSong", 404): [f"{errors.NotFound.provoked_by} (no such song)"],
        ("addSong", 403): [f"{errors.Forbidden.provoked_by} (credit is 0)"],
    }
    for provider, expected in (
        ("acme=acme.yaml", contract_only),
        ("acme=acme.yaml:acme_mock", with_module),
    ):
        arguments = ["errors", "acme", "--json", "--provider", provider]
        listed = json.loads(check_output(*arguments, cwd=tmp_path))["errors"]
        causes = {(error["operation"], error["status"]): error["provoked_by"] for error in listed}
        assert causes == expected
    routes = check_output("routes", "acme", "--provider", "acme=acme.yaml", cwd=tmp_path)
    assert routes.splitlines()[0].split()[:3] == ["GET", "/acme/songs/{id}", "getSong"]
    variables = env("--provider", "acme=acme.yaml", cwd=tmp_path)
    assert "export ACME_BASE_URL=http://127.0.0.1:4010/acme\n" in variables

"""The programs of docs/interception.md reach the mock, in each language."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
import yaml

from mockvoice import Control
from mockvoice.client.intercept import proxy_variables
from mockvoice.config.settings import table, variable
from mockvoice.providers import built_in

from .cli.processes import MOCKVOICE, clean_environ
from .markdown import page
from .sdk.test_node import FOLDER as NODE_TESTS

pytestmark = pytest.mark.slow

PAGE = page("docs/interception.md")


@pytest.fixture
def mock(control: Control) -> Control:
    """The sandbox of the Java program, in its initial state like the default one."""
    control.reset()
    sandbox = control.sandbox("java")
    sandbox.reset()
    return sandbox


def write(title: str, mock: Control, folder: Path) -> Path:
    """Write a block with the port of the mock, and the CA of the mock."""
    (folder / "ca.pem").write_bytes(mock.ca())
    file = folder / title
    port = str(urlsplit(mock.url).port)
    file.write_text(PAGE.block(title).text.replace("4010", port))
    return file


def run(*command: str, cwd: Path, **environ: str) -> str:
    result = subprocess.run(
        command,
        cwd=cwd,
        env=clean_environ(**environ),
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert result.returncode == 0, result.stderr
    return result.stdout


def missing(tool: str) -> pytest.MarkDecorator:
    return pytest.mark.skipif(not shutil.which(tool), reason=f"needs {tool}")


@missing("node")
def test_node_reaches_the_mock_through_the_proxy(mock: Control, tmp_path: Path) -> None:
    (tmp_path / "node_modules").symlink_to(NODE_TESTS / "node_modules")
    file = write("proxy.mjs", mock, tmp_path)
    variables = proxy_variables(mock.url, str(tmp_path / "ca.pem"))
    assert run("node", str(file), cwd=tmp_path, **variables) == "ar-najdi-male-2\n"
    mock.faseeh.assert_called("listVoices", times=1)


@missing("node")
def test_node_reaches_the_mock_by_host(mock: Control, tmp_path: Path) -> None:
    (tmp_path / "node_modules").symlink_to(NODE_TESTS / "node_modules")
    file = write("hosts.mjs", mock, tmp_path)
    ca = str(tmp_path / "ca.pem")
    assert run("node", str(file), cwd=tmp_path, NODE_EXTRA_CA_CERTS=ca) == "ar-najdi-male-2\n"
    mock.sandbox("").faseeh.assert_called("listVoices", times=1)


@missing("go")
def test_go_reaches_the_mock(mock: Control, tmp_path: Path) -> None:
    file = write("main.go", mock, tmp_path)
    variables = proxy_variables(mock.url, str(tmp_path / "ca.pem"))
    cache = {"GOCACHE": str(tmp_path / "cache"), "GOFLAGS": "-mod=mod", "GOTOOLCHAIN": "local"}
    assert run("go", "run", str(file), cwd=tmp_path, **variables, **cache) == "200 OK\n"
    mock.faseeh.assert_called("listVoices", times=1)


@missing("java")
def test_java_reaches_the_mock(mock: Control, tmp_path: Path) -> None:
    write("Client.java", mock, tmp_path)
    script = write("java.sh", mock, tmp_path).read_text()
    command = f'mockvoice() {{ {" ".join(MOCKVOICE)} "$@"; }}\nset -e\n{script}'
    assert run("sh", "-c", command, cwd=tmp_path, MOCKVOICE_URL=mock.url) == "200\n"
    mock.faseeh.assert_called("listVoices", times=1)


# --- containers ----------------------------------------------------------------------------------

HOSTS = {server.host for provider in built_in() for server in provider.document.servers}
SETTINGS = {variable(setting) for setting in table()}


def recipe(title: str) -> Any:
    return yaml.safe_load(PAGE.block(title).text)


def test_compose_file_gives_the_mock_the_hosts_of_providers() -> None:
    services = recipe("compose.yaml")["services"]
    mock, app = services["mockvoice"], services["app"]
    assert {*mock["networks"]["default"]["aliases"]} <= HOSTS
    assert mock["environment"] == {"MOCKVOICE_PORT": 443}
    assert "http://mockvoice:443/__mockvoice/ca.pem" in app["command"]
    assert app["environment"]["SSL_CERT_FILE"] in app["command"]


def test_pod_resolves_the_hosts_of_providers_to_its_sidecar() -> None:
    spec = recipe("pod.yaml")["spec"]
    (aliases,), (mock,), (tests,) = (
        spec[name] for name in ("hostAliases", "initContainers", "containers")
    )
    assert (aliases["ip"], {*aliases["hostnames"]} <= HOSTS) == ("127.0.0.1", True)
    settings = {item["name"]: item["value"] for item in mock["env"]}
    assert {*settings} <= SETTINGS
    assert mock["startupProbe"]["httpGet"]["port"] == int(settings["MOCKVOICE_PORT"]) == 443
    (mounted,) = mock["volumeMounts"]
    assert settings["MOCKVOICE_TLS_CA_CERT"] == f"{mounted['mountPath']}/tls.crt"
    (file,) = tests["volumeMounts"]  # without the key
    assert (file["subPath"], file["mountPath"]) == ("tls.crt", tests["env"][0]["value"])


def test_github_workflow_uses_the_proxy_in_one_step_only() -> None:
    job = recipe("test.yml")["jobs"]["test"]
    assert "env" not in job
    (variables,) = [step["env"] for step in job["steps"] if "env" in step]
    expected = proxy_variables("http://127.0.0.1:4010", "ca.pem")
    assert {name: str(value) for name, value in variables.items()}.items() <= expected.items()

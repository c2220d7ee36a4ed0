"""The manifests and commands of docs/scaling.md, run as far as possible."""

from __future__ import annotations

import re
import shlex
from collections.abc import Mapping
from typing import Any

import httpx
import pytest
import yaml

from mockvoice.config.settings import is_flag, table, variable

from .cli.processes import serving
from .conftest import encoded
from .markdown import page
from .redis_server import RedisServer

PAGE = page("docs/scaling.md")
COMPOSE = yaml.safe_load(PAGE.block("compose.yaml").text)["services"]
MANIFESTS = [*yaml.safe_load_all(PAGE.block("mockvoice.yml").text)]
VARIABLES = {variable(setting) for setting in table() if is_flag(setting)}


def manifest(kind: str, name: str) -> Any:
    (found,) = [m for m in MANIFESTS if (m["kind"], m["metadata"]["name"]) == (kind, name)]
    return found


def container(name: str) -> Any:
    (found,) = manifest("Deployment", name)["spec"]["template"]["spec"]["containers"]
    return found


def environment() -> list[Mapping[str, str]]:
    """Return the variables of the mock in both manifests."""
    listed = {item["name"]: item["value"] for item in container("mockvoice")["env"]}
    return [COMPOSE["mockvoice"]["environment"], listed]


@pytest.mark.slow
@pytest.mark.parametrize("number", range(2), ids=["compose", "kubernetes"])
def test_mock_of_the_manifest_uses_the_store(redis_server: RedisServer, number: int) -> None:
    variables = dict(environment()[number])
    assert variables.keys() <= VARIABLES
    assert re.fullmatch(r"redis://[\w-]+:6379/0", variables["MOCKVOICE_STORE"])
    variables["MOCKVOICE_STORE"] = redis_server.url
    with serving(**variables, MOCKVOICE_STORE_PREFIX=f"scaling{number}") as (_, url):
        probe = container("mockvoice")["readinessProbe"]["httpGet"]
        assert httpx.get(f"{url}{probe['path']}").status_code == 200
        form = {"voice_name": "n", "voice_provider": "elevenlabs"}
        response = httpx.post(
            f"{url}/retell/clone-voice",
            headers={"Authorization": "Bearer K"},
            data=form,
            files={"files": encoded("wav", 0.05)},
        )
        assert response.status_code == 201
    assert redis_server.client().exists(f"scaling{number}:schema")


@pytest.mark.slow
def test_redis_of_the_manifests_starts() -> None:
    _, *options = shlex.split(COMPOSE["store"]["command"])
    for arguments in (options, container("mockvoice-store")["args"]):
        with RedisServer(*arguments) as server:
            policy: Any = server.client().config_get("maxmemory-policy")
            assert policy == {"maxmemory-policy": "noeviction"}


def test_services_name_the_ports_and_labels_of_their_pods() -> None:
    for name in ("mockvoice", "mockvoice-store"):
        service, deployment = manifest("Service", name)["spec"], manifest("Deployment", name)
        pod = deployment["spec"]["template"]
        assert service["selector"] == pod["metadata"]["labels"]
        assert deployment["spec"]["selector"]["matchLabels"] == pod["metadata"]["labels"]
        (port,) = container(name)["ports"]
        assert service["ports"][0]["targetPort"] == port["containerPort"]
    hosts = [variables["MOCKVOICE_STORE"] for variables in environment()]
    assert hosts == ["redis://store:6379/0", "redis://mockvoice-store:6379/0"]


def test_commands_have_valid_flags() -> None:
    (block,) = [block for block in PAGE.blocks if block.language == "sh"]
    flags = {f"--{setting.name.replace('_', '-')}" for setting in table() if is_flag(setting)}
    assert {*re.findall(r"--[\w-]+", block.text)} <= flags

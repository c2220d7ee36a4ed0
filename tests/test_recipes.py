"""The recipes of the README for continuous integration: read, and run as far as they can be."""

from __future__ import annotations

import json
import re
import subprocess
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

import httpx
import pytest
import yaml

from mockvoice import __version__
from mockvoice.config.settings import Settings, is_flag, table, variable

from .cli.processes import run, serving
from .sdk.test_node import node
from .test_docs import ROOT, blocks, section

CI = section("In CI")
BLOCKS = [yaml.safe_load(block) for block in blocks("yaml", CI)]
IMAGE = "registry.example.com/mockvoice"
MOCK = re.compile(r"http://(?:127\.0\.0\.1|mockvoice):4010\b")
OWN = {"npm ci", "npm test"}  # of the application under test

CLONE = """
import Telnyx from 'telnyx';
const audio_file = await fetch(`${process.env.MOCK}/__mockvoice/samples/wav?seconds=1`);
const request = { audio_file, name: 'n', language: 'en', gender: 'male', provider: 'telnyx' };
await new Telnyx().voiceClones.createFromUpload({ voice_clone_upload_request: request });
"""


@dataclass(frozen=True)
class Recipe:
    """What a recipe says, wherever its platform wants it said."""

    image: str
    app: Mapping[str, str]  # the variables of the tests
    settings: Mapping[str, str] = field(default_factory=dict)  # the variables of the mock
    commands: list[str] = field(default_factory=list)
    paths: list[str] = field(default_factory=list)  # that are looked at


def github() -> Recipe:
    (found,) = [each for each in BLOCKS if "jobs" in each]
    assert found[True] == "push"  # `on` is a truth to YAML 1.1
    job = found["jobs"]["test"]
    service = job["services"]["mockvoice"]
    assert service["ports"] == ["4010:4010"]
    commands = [step["run"] for step in job["steps"] if "run" in step]
    return Recipe(service["image"], job["env"], service.get("env", {}), commands)


def gitlab() -> Recipe:
    (found,) = [each for each in BLOCKS if "script" in each.get("test", {})]
    (service,) = found["test"]["services"]
    assert service["alias"] == "mockvoice"
    job = found["test"]
    return Recipe(service["name"], job["variables"], service["variables"], job["script"])


def compose() -> Recipe:
    (found,) = [each for each in BLOCKS if "app" in each.get("services", {})]
    mock, app = found["services"]["mockvoice"], found["services"]["app"]
    assert app["depends_on"] == {"mockvoice": {"condition": "service_healthy"}}
    kind, *command = mock["healthcheck"]["test"]
    assert kind == "CMD"
    commands = [" ".join(command), app["command"]]
    return Recipe(mock["image"], app["environment"], mock["environment"], commands)


def kubernetes() -> Recipe:
    (found,) = [each for each in BLOCKS if each.get("kind") == "Job"]
    pod = found["spec"]["template"]["spec"]
    (mock,), (tests,) = pod["initContainers"], pod["containers"]
    assert mock["restartPolicy"] == "Always"
    probes = [mock[probe]["httpGet"] for probe in ("startupProbe", "readinessProbe")]
    assert {probe["port"] for probe in probes} == {4010}
    env = {each["name"]: each["value"] for each in tests["env"]}
    return Recipe(mock["image"], env, paths=[probe["path"] for probe in probes])


recipes = pytest.mark.parametrize("recipe", [github, gitlab, compose, kubernetes])


def test_the_section_holds_nothing_but_these_recipes() -> None:
    assert len(BLOCKS) == 4
    assert "build it" in CI


@recipes
def test_a_recipe_runs_the_image_with_settings_that_are(recipe: Callable[[], Recipe]) -> None:
    told = recipe()
    assert told.image == IMAGE
    assert {*told.settings} <= {variable(each) for each in table() if is_flag(each)}


@recipes
def test_the_variables_of_a_recipe_lead_the_sdk_to_the_mock(recipe: Callable[[], Recipe]) -> None:
    told = recipe()
    with serving(**told.settings) as (_, url):
        app = {name: MOCK.sub(url, value) for name, value in told.app.items()}
        printed = json.loads(run("env", "--format", "json", "--url", url).stdout)
        assert app.items() <= printed.items()
        node("--input-type=module", "-", script=CLONE, MOCK=url, **app)
        (voice,) = httpx.get(f"{url}/__mockvoice/voices").json()["voices"]
        assert voice["data"]["name"] == "n"


@recipes
def test_a_recipe_finds_the_mock_healthy(recipe: Callable[[], Recipe]) -> None:
    told = recipe()
    asked = {*told.commands} - OWN
    assert asked or told.paths
    with serving(**told.settings) as (_, url):
        for command in asked:
            first, *more = MOCK.sub(url, command).split()
            if first == "mockvoice":
                done = run(*more, MOCKVOICE_URL=url)
            else:
                assert f"{url}/health" in more
                done = subprocess.run([first, *more], capture_output=True, text=True, check=False)
            assert (done.returncode, "retell" in done.stdout) == (0, True), done.stderr
        for path in told.paths:
            assert httpx.get(url + path).status_code == 200


def test_the_lines_for_testcontainers_are_javascript(tmp_path: Path) -> None:
    (script,) = blocks("javascript", CI)
    file = tmp_path / "voices.mjs"
    file.write_text(script)
    node("--check", str(file))
    assert f"GenericContainer('{IMAGE}')" in script
    assert set(re.findall(r"\b\d{4}\b", script)) == {str(Settings().port)}


def test_the_image_is_of_this_version_and_on_this_port() -> None:
    told = (ROOT / "Dockerfile").read_text()
    assert f"\nARG VERSION={__version__}\n" in told
    assert f"\nEXPOSE {Settings().port}\n" in told
    (script,) = blocks("sh", CI)
    assert script.splitlines() == [
        f"docker build -t {IMAGE} .",
        f"docker run --rm -p {Settings().port}:{Settings().port} {IMAGE}",
    ]

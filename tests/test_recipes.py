"""The recipes of docs/ci.md and the examples: parsed, and run as far as possible."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

import httpx
import pytest
import yaml

from mockvoice import __version__
from mockvoice.config.settings import Settings, is_flag, table, variable

from .cli.processes import clean_environ, run, serving
from .markdown import ROOT, page
from .sdk.test_node import FOLDER as NODE_TESTS
from .sdk.test_node import node

pytestmark = pytest.mark.slow

CI = page("docs/ci.md")
DOCUMENTS = [yaml.safe_load(block.text) for block in CI.blocks if block.language == "yaml"]
EXAMPLES = ROOT / "examples"
IMAGE = "registry.example.com/mockvoice"
MOCK = re.compile(r"http://(?:127\.0\.0\.1|mockvoice):4010\b")
APPLICATION_COMMANDS = {"npm ci", "npm test"}

REPORT = re.compile(r"docker exec .* mockvoice (report .*) >>|curl .*/__mockvoice/coverage")

CLONE = """
import Telnyx from 'telnyx';
const audio_file = await fetch(`${process.env.MOCK}/__mockvoice/samples/wav?seconds=1`);
const request = { audio_file, name: 'n', language: 'en', gender: 'male', provider: 'telnyx' };
await new Telnyx().voiceClones.createFromUpload({ voice_clone_upload_request: request });
"""


@dataclass(frozen=True)
class Recipe:
    """The parts of a recipe, independent of its platform.

    `app` are the environment variables of the tests, `settings` those of the mock, `paths` the
    targets of HTTP probes.
    """

    image: str
    app: Mapping[str, str]
    settings: Mapping[str, str] = field(default_factory=dict)
    commands: list[str] = field(default_factory=list)
    paths: list[str] = field(default_factory=list)


def github() -> Recipe:
    (document,) = [document for document in DOCUMENTS if "jobs" in document]
    assert document[True] == "push"  # YAML 1.1 reads `on` as true
    job = document["jobs"]["test"]
    service = job["services"]["mockvoice"]
    assert service["ports"] == ["4010:4010"]
    commands = [step["run"] for step in job["steps"] if "run" in step]
    return Recipe(service["image"], job["env"], service.get("env", {}), commands)


def gitlab() -> Recipe:
    (document,) = [document for document in DOCUMENTS if "script" in document.get("test", {})]
    (service,) = document["test"]["services"]
    assert service["alias"] == "mockvoice"
    job = document["test"]
    return Recipe(service["name"], job["variables"], service["variables"], job["script"])


def compose() -> Recipe:
    (document,) = [document for document in DOCUMENTS if "app" in document.get("services", {})]
    mock, app = document["services"]["mockvoice"], document["services"]["app"]
    assert app["depends_on"] == {"mockvoice": {"condition": "service_healthy"}}
    kind, *command = mock["healthcheck"]["test"]
    assert kind == "CMD"
    commands = [" ".join(command), app["command"]]
    return Recipe(mock["image"], app["environment"], mock["environment"], commands)


def kubernetes() -> Recipe:
    (document,) = [document for document in DOCUMENTS if document.get("kind") == "Job"]
    pod = document["spec"]["template"]["spec"]
    (mock,), (tests,) = pod["initContainers"], pod["containers"]
    assert mock["restartPolicy"] == "Always"
    probes = [mock[probe]["httpGet"] for probe in ("startupProbe", "readinessProbe")]
    assert {probe["port"] for probe in probes} == {4010}
    env = {entry["name"]: entry["value"] for entry in tests["env"]}
    return Recipe(mock["image"], env, paths=[probe["path"] for probe in probes])


recipes = pytest.mark.parametrize("make", [github, gitlab, compose, kubernetes])


def test_page_has_exactly_these_recipes() -> None:
    assert len(DOCUMENTS) == 4
    assert {block.language for block in CI.blocks} == {"yaml", "sh", "js"}
    assert "build it" in CI.text


@recipes
def test_recipe_uses_the_image_and_existing_settings(make: Callable[[], Recipe]) -> None:
    recipe = make()
    assert recipe.image == IMAGE
    assert {*recipe.settings} <= {variable(setting) for setting in table() if is_flag(setting)}


@recipes
def test_recipe_points_the_sdk_at_the_mock(make: Callable[[], Recipe]) -> None:
    recipe = make()
    with serving(**recipe.settings) as (_, url):
        app = {name: MOCK.sub(url, value) for name, value in recipe.app.items()}
        printed = json.loads(run("env", "--format", "json", "--url", url).stdout)
        assert app.items() <= printed.items()
        node("--input-type=module", "-", script=CLONE, MOCK=url, **app)
        (voice,) = httpx.get(f"{url}/__mockvoice/voices").json()["voices"]
        assert voice["data"]["name"] == "n"


@recipes
def test_recipe_checks_the_health_of_the_mock(make: Callable[[], Recipe]) -> None:
    recipe = make()
    checks = {
        command
        for command in {*recipe.commands} - APPLICATION_COMMANDS
        if not REPORT.match(command)
    }
    assert checks or recipe.paths
    with serving(**recipe.settings) as (_, url):
        for command in checks:
            first, *more = MOCK.sub(url, command).split()
            if first == "mockvoice":
                done = run(*more, MOCKVOICE_URL=url)
            else:
                assert f"{url}/health" in more
                done = subprocess.run([first, *more], capture_output=True, text=True, check=False)
            assert (done.returncode, "retell" in done.stdout) == (0, True), done.stderr
        for path in recipe.paths:
            assert httpx.get(url + path).status_code == 200


@pytest.mark.parametrize("make", [github, gitlab])
def test_recipe_reports_the_contract_coverage(make: Callable[[], Recipe], tmp_path: Path) -> None:
    recipe = make()
    (match,) = filter(None, map(REPORT.match, recipe.commands))
    with serving(**recipe.settings) as (_, url):
        for key in ({}, {"authorization": "Bearer KEY"}):
            httpx.get(f"{url}/telnyx/v2/voice_clones", headers=key)
        if match[1]:
            done = run(*match[1].split(), MOCKVOICE_URL=url)
            assert (done.returncode, done.stderr) == (0, "")
            assert "| `listVoiceClones` | 200 (1), 401 (1) | 422 |" in done.stdout
        else:
            subprocess.run(MOCK.sub(url, match[0]).split(), cwd=tmp_path, check=True)
            assert json.loads((tmp_path / "coverage.json").read_text())["percent"] == 66.6


def test_gitlab_extracts_the_percentage_from_the_log() -> None:
    (pattern,) = re.findall(r"`coverage: '/(.*?)/'`", CI.text)
    found = re.search(pattern, example_coverage())
    assert found
    assert float(found[1]) == 50


def test_testcontainers_recipe_is_valid_javascript(tmp_path: Path) -> None:
    script = CI.block("voices.mjs").text
    file = tmp_path / "voices.mjs"
    file.write_text(script)
    node("--check", str(file))
    assert f"GenericContainer('{IMAGE}')" in script
    assert set(re.findall(r"\b\d{4}\b", script)) == {str(Settings().port)}


def test_image_has_this_version_and_port() -> None:
    dockerfile = (ROOT / "Dockerfile").read_text()
    assert f"\nARG VERSION={__version__}\n" in dockerfile
    assert f"\nEXPOSE {Settings().port}\n" in dockerfile
    (script,) = [block.text for block in CI.blocks if block.language == "sh"]
    assert script.splitlines() == [
        f"docker build -t {IMAGE} .",
        f"docker run --rm -p 127.0.0.1:{Settings().port}:{Settings().port} {IMAGE}",
    ]


# --- examples ------------------------------------------------------------------------------------


def run_python_example(folder: Path, **environment: str) -> str:
    """Run the tests of the example in a copy of it, and return what pytest prints."""
    shutil.copytree(EXAMPLES / "python", folder)
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-p", "no:asyncio", "--mockvoice-report"],
        cwd=folder,
        env=clean_environ(**environment),
        capture_output=True,
        text=True,
        check=False,
    )
    tests = (folder / "test_narrators.py").read_text().count("\ndef test_")
    assert f"{tests} passed" in done.stdout, done.stdout + done.stderr
    return done.stdout


def example_coverage() -> str:
    """Return the documented contract coverage of the example."""
    return page("examples/README.md").block("coverage").text


def reported_coverage(folder: Path) -> str:
    """Return what `mockvoice report` prints after the tests of the example."""
    with serving() as (_, url):
        run_python_example(folder, MOCKVOICE_URL=url)
        return run("report", MOCKVOICE_URL=url).stdout


def test_python_example_passes_and_prints_the_documented_coverage(tmp_path: Path) -> None:
    assert example_coverage() in run_python_example(tmp_path / "own")
    reported = reported_coverage(tmp_path / "shared")
    assert reported == example_coverage(), "run `python -m tests.update_docs`"


def test_node_example_passes(tmp_path: Path) -> None:
    folder = shutil.copytree(
        EXAMPLES / "node", tmp_path / "node", ignore=shutil.ignore_patterns("node_modules")
    )
    (folder / "node_modules").symlink_to(NODE_TESTS / "node_modules")
    with serving() as (_, url):
        test = str(folder / "narrators.test.mjs")
        output = node("--test", "--test-reporter=tap", test, MOCKVOICE_URL=url)
    tests = (folder / "narrators.test.mjs").read_text().count("\ntest(")
    counts = dict(re.findall(r"^# (\w+) (\d+)$", output, re.MULTILINE))
    assert counts["pass"] == counts["tests"] == str(tests), output


def test_node_example_uses_the_tested_sdk() -> None:
    example = json.loads((EXAMPLES / "node/package.json").read_text())
    tested = json.loads((NODE_TESTS / "package.json").read_text())
    assert example["dependencies"].items() <= tested["devDependencies"].items()
    assert example["engines"] == tested["engines"]


def test_compose_example_runs_both_examples() -> None:
    services = yaml.safe_load((EXAMPLES / "compose.yaml").read_text())["services"]
    mock = services.pop("mockvoice")
    assert (EXAMPLES / mock["build"] / "Dockerfile").is_file()
    assert {*services} == {path.name for path in EXAMPLES.iterdir() if path.is_dir()}
    with serving() as (_, url):
        _, *health = mock["healthcheck"]["test"]
        assert run(*health[1:], MOCKVOICE_URL=url).returncode == 0
        for name, service in services.items():
            assert service["environment"] == {
                "MOCKVOICE_URL": f"http://mockvoice:{Settings().port}"
            }
            assert service["depends_on"] == {"mockvoice": {"condition": "service_healthy"}}
            for volume in service["volumes"]:
                assert (EXAMPLES / volume.split(":")[0]).is_dir()
            commands = f"docker compose --file examples/compose.yaml run --rm {name}"
            assert commands in page("examples/README.md").text

"""The workflows, forms and hooks of `.github` and `.pre-commit-config.yaml`."""

from __future__ import annotations

import re
import shlex
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

ROOT = Path(__file__).parents[1]
GITHUB = ROOT / ".github"


def documents(folder: str) -> dict[str, Any]:
    """Return the YAML files of a folder of `.github` by name."""
    return {path.name: yaml.safe_load(path.read_text()) for path in (GITHUB / folder).glob("*.yml")}


WORKFLOWS = documents("workflows")
FORMS = documents("ISSUE_TEMPLATE")
TARGETS = set(re.findall(r"^([a-z][\w-]*):(?!=)", (ROOT / "Makefile").read_text(), re.MULTILINE))

every_workflow = pytest.mark.parametrize("name", WORKFLOWS)


def steps(name: str) -> Iterator[dict[str, Any]]:
    for job in WORKFLOWS[name]["jobs"].values():
        yield from job.get("steps", [])


def make_targets(command: str) -> set[str]:
    """Return the targets that a command of a workflow or of a hook makes."""
    make, *words = shlex.split(command.partition(">>")[0])
    assert make == "make", command
    return {word for word in words if not word.startswith("-") and "=" not in word}


def test_the_workflows_are_these() -> None:
    assert set(WORKFLOWS) == {"nightly.yml", "release.yml", "test.yml"}


@every_workflow
def test_workflow_runs_only_existing_make_targets(name: str) -> None:
    for step in steps(name):
        for command in step.get("run", "").splitlines():
            targets = make_targets(command)
            assert targets, command
            assert targets <= TARGETS, command


@every_workflow
def test_workflow_permits_reading_and_jobs_name_what_they_write(name: str) -> None:
    assert WORKFLOWS[name]["permissions"] == {"contents": "read"}
    written = {
        job: {permission for permission, level in found["permissions"].items() if level == "write"}
        for job, found in WORKFLOWS[name]["jobs"].items()
        if "permissions" in found
    }
    publishing = {"pypi": {"id-token"}, "image": {"packages"}}
    assert written == (publishing if name == "release.yml" else {})


@every_workflow
def test_workflow_pins_actions_by_major_version(name: str) -> None:
    for step in steps(name):
        if "uses" in step:
            assert re.fullmatch(r"[\w-]+/[\w-]+@(release/)?v\d+", step["uses"]), step["uses"]


# An expression inside a script is replaced before a shell sees it: a tag could hold a command.
@every_workflow
def test_workflow_passes_values_to_scripts_as_variables(name: str) -> None:
    assert not [step["run"] for step in steps(name) if "${{" in step.get("run", "")]


@every_workflow
def test_every_job_has_a_time_limit(name: str) -> None:
    for job in WORKFLOWS[name]["jobs"].values():
        assert "timeout-minutes" in job or "uses" in job


def test_matrix_starts_at_the_oldest_supported_python() -> None:
    matrix = WORKFLOWS["test.yml"]["jobs"]["test"]["strategy"]["matrix"]
    assert matrix["os"] == ["ubuntu-latest", "macos-latest", "windows-latest"]
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    assert project["requires-python"] == f">={matrix['python'][0]}"
    assert matrix["python"] == [f"3.{minor}" for minor in range(11, 15)]


def test_tests_on_linux_require_the_programs_that_make_installs() -> None:
    (installed, test) = [step for step in steps("test.yml") if "if" in step or "env" in step]
    assert (installed["run"], installed["if"]) == ("make programs", "runner.os == 'Linux'")
    assert test["run"] == "make test"
    makefile = (ROOT / "Makefile").read_text()
    programs = re.findall(r"^PROGRAMS := (.*)", makefile, re.MULTILINE)[0].replace(" ", ",")
    on_linux = f"${{{{ runner.os == 'Linux' && '{programs}' || '' }}}}"
    assert test["env"] == {"MOCKVOICE_REQUIRE": on_linux}
    assert f"MOCKVOICE_REQUIRE={programs}" in (ROOT / ".ci/run").read_text()


def test_release_publishes_only_what_was_tested() -> None:
    jobs = WORKFLOWS["release.yml"]["jobs"]
    assert jobs["test"]["uses"] == "./.github/workflows/test.yml"
    assert "workflow_call" in WORKFLOWS["test.yml"][True]  # `on` is a boolean in YAML 1.1
    for name in ("pypi", "image"):
        assert jobs[name]["needs"] == ["test", "dist"]


def test_release_passes_arguments_that_the_dockerfile_declares() -> None:
    (build,) = [
        step["with"]
        for step in steps("release.yml")
        if step.get("uses", "").startswith("docker/build-push-action@")
    ]
    passed = {line.partition("=")[0] for line in build["build-args"].splitlines()}
    dockerfile = (ROOT / "Dockerfile").read_text()
    assert passed == set(re.findall(r"^ARG (\w+)", dockerfile, re.MULTILINE))
    assert re.findall(r"^FROM (\S+)", dockerfile, re.MULTILINE) == ["${BASE}", "${BASE}"]
    assert build["platforms"] == "linux/amd64,linux/arm64"
    assert (build["sbom"], build["provenance"]) == (True, "mode=max")


@pytest.mark.parametrize("name", sorted(FORMS.keys() - {"config.yml"}))
def test_issue_form_asks_each_question_once(name: str) -> None:
    form = FORMS[name]
    assert form["name"]
    assert form["description"]
    questions = [field for field in form["body"] if field["type"] != "markdown"]
    ids = [field["id"] for field in questions]
    assert len({*ids}) == len(ids)
    assert all(field["attributes"]["label"] for field in questions)


def test_hooks_run_only_existing_make_targets() -> None:
    config = yaml.safe_load((ROOT / ".pre-commit-config.yaml").read_text())
    hooks = [hook for repository in config["repos"] for hook in repository["hooks"]]
    assert hooks
    for hook in hooks:
        assert make_targets(hook["entry"]) <= TARGETS

"""Run generated tests with the test runner of their language; the checkout is not changed."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple
from urllib.parse import urlsplit
from urllib.request import urlopen
from xml.etree import ElementTree as ET

from ..cli.processes import clean_environ
from ..environments import (
    SDKS,
    Unavailable,
    node_environment,
    pip_install,
    program,
    python_environment,
)
from .kotlin import copy_part

HOOKS = Path(__file__).parent / "hooks"
PYTHON_TOOLS = (
    "aiohttp==3.14.5",
    "httpx-aiohttp==0.1.12",
    "pytest==8.4.2",
    "pytest-asyncio==1.2.0",
    "pytest-xdist==3.8.0",
    "respx==0.22.0",
)
NODE_TOOLS = {"@swc/core": "1.16.22", "@swc/jest": "0.2.39", "jest": "30.5.2", "ws": "8.18.3"}


class Checkout(NamedTuple):
    """A checkout of an SDK, and those of its tests that a mock can serve."""

    path: Path
    language: str
    provider: str
    tests: Sequence[Path]


class Result(NamedTuple):
    """The result of one test: "passed", "failed" or "skipped", and the reason."""

    file: str
    name: str
    outcome: str
    reason: str = ""


def run_python(checkout: Checkout, base_url: str) -> list[Result]:
    """Run tests with pytest, and a plugin that runs skipped ones."""
    python = python_environment(f"vendor-{checkout.provider}", PYTHON_TOOLS)
    pip_install(python, ["--editable", str(checkout.path)])
    report = _new_file("vendor-python.xml")
    command: list[str | Path] = [python, "-m", "pytest", "--quiet", "-n", "0", "-p", "unskip"]
    command += ["-p", "no:cacheprovider", f"--junitxml={report}", *checkout.tests]
    variables = {"PYTHONPATH": str(HOOKS), "PYTHONDONTWRITEBYTECODE": "1"}
    output = _run(command, checkout.path, base_url, **variables)
    return [*_junit_results(_existing(report, output))]


def run_node(checkout: Checkout, base_url: str) -> list[Result]:
    """Run tests with Jest, and a setup file that runs skipped ones."""
    package = json.loads((checkout.path / "package.json").read_text(encoding="utf-8"))
    packages = {**NODE_TOOLS, **package.get("dependencies", {})}
    folder = node_environment(f"vendor-{checkout.provider}", packages)
    modules = folder / "node_modules"
    name = re.escape(package["name"])
    config = {
        "rootDir": str(checkout.path),
        "roots": ["<rootDir>/src", "<rootDir>/tests"],
        "modulePaths": [str(modules)],
        "moduleNameMapper": {
            f"^{name}$": "<rootDir>/src/index.ts",
            f"^{name}/(.*)$": "<rootDir>/src/$1",
        },
        "transform": {r"\.[tj]sx?$": str(modules / "@swc/jest")},
        "setupFilesAfterEnv": [str(HOOKS / "unskip.js")],
        "cacheDirectory": str(folder / "cache"),
    }
    report = _new_file("vendor-node.json")
    command: list[str | Path] = [program("node", "Node.js 20 or newer")]
    command += [modules / "jest/bin/jest.js", "--runInBand"]
    command += ["--config", json.dumps(config), "--json", f"--outputFile={report}"]
    output = _run([*command, *checkout.tests], checkout.path, base_url)
    suites = json.loads(_existing(report, output).read_text(encoding="utf-8"))["testResults"]
    return [*_jest_results(suites)]


def _jest_results(suites: Sequence[Mapping[str, Any]]) -> Iterator[Result]:
    for suite in suites:
        file = Path(suite["name"]).name
        if not suite["assertionResults"]:
            yield Result(file, "", "failed", suite["message"])
        for test in suite["assertionResults"]:
            outcome = test["status"] if test["status"] in ("passed", "failed") else "skipped"
            yield Result(file, test["title"], outcome, "".join(test["failureMessages"][:1]))


def run_go(checkout: Checkout, base_url: str) -> list[Result]:
    """Run tests with `go test`, which reads changed copies of their files: an overlay."""
    go = program("go", "Go 1.22 or newer")
    folder = SDKS / "vendor-go"
    folder.mkdir(parents=True, exist_ok=True)
    replaced = {str(checkout.path / "sandbox_test.go"): str(HOOKS / "sandbox_test.go")}
    files: dict[str, str] = {}
    for test in checkout.tests:
        text = test.read_text(encoding="utf-8")
        files.update(dict.fromkeys(re.findall(r"^func (Test\w+)\(", text, re.MULTILINE), test.name))
        copy = folder / test.name
        copy.write_text(re.sub(r"\bt\.Skip\(.*\)", "freshSandbox(t)", text), encoding="utf-8")
        replaced[str(test)] = str(copy)
    overlay = folder / "overlay.json"
    overlay.write_text(json.dumps({"Replace": replaced}), encoding="utf-8")
    command = [go, "test", "-vet=off", "-count=1", "-json", f"-overlay={overlay}"]
    output = _run([*command, "-run", f"^({'|'.join(files)})$", "."], checkout.path, base_url)
    results = [*_go_results(output, files)]
    if not results:
        raise Unavailable(f"go test failed:\n{output[-2000:]}")
    return results


def _go_results(output: str, files: Mapping[str, str]) -> Iterator[Result]:
    printed: dict[str, str] = {}
    outcomes = {"pass": "passed", "fail": "failed", "skip": "skipped"}
    for line in output.splitlines():
        event = json.loads(line) if line.startswith("{") else {}
        name = event.get("Test", "")
        if name in files and event["Action"] == "output":
            printed[name] = printed.get(name, "") + event["Output"].partition("=== ")[0]
        elif name in files and event["Action"] in outcomes:
            yield Result(files[name], name, outcomes[event["Action"]], printed.get(name, ""))


def run_java(checkout: Checkout, base_url: str) -> list[Result]:
    """Run tests with Maven. The clients of the tests have no base URL: the mock is their proxy."""
    maven = program("mvn", "Java 17 or newer with Maven")
    folder = SDKS / f"vendor-java-{checkout.provider}"
    folder.mkdir(parents=True, exist_ok=True)
    copy_part(checkout.path, checkout.tests, folder)
    hooks = HOOKS / "java"
    shutil.copy(hooks / "pom.xml", folder)
    shutil.copy(hooks / "FreshSandbox.kt", folder / "test")
    server = urlsplit(base_url)
    with urlopen(f"http://{server.netloc}/__mockvoice/ca.p12", timeout=10) as response:
        (folder / "ca.p12").write_bytes(response.read())
    proxy = f"-Dhttps.proxyHost={server.hostname} -Dhttps.proxyPort={server.port}"
    proxy += f" -Djavax.net.ssl.trustStore={folder / 'ca.p12'}"
    reports = folder / "target/surefire-reports"
    shutil.rmtree(reports, ignore_errors=True)
    command = [maven, "--batch-mode", f"-Dproxy={proxy}", f"-Dhooks={hooks}", "test"]
    output = _run(command, folder, base_url)
    found = sorted(reports.glob("TEST-*.xml"))
    if not found:
        raise Unavailable(f"{maven} failed:\n{output[-2000:]}")
    return [result for report in found for result in _junit_results(report)]


def _run(command: Sequence[str | Path], cwd: Path, base_url: str, **variables: str) -> str:
    """Run a test runner and return its output. Its exit code only says that tests failed."""
    reset = f"http://{urlsplit(base_url).netloc}/__mockvoice/reset"
    environ = clean_environ(TEST_API_BASE_URL=base_url, MOCKVOICE_RESET=reset, **variables)
    done = subprocess.run(
        command,
        cwd=cwd,
        env=environ,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
    )
    return done.stdout


def _new_file(name: str) -> Path:
    """Return the path of a report that does not exist yet."""
    SDKS.mkdir(exist_ok=True)
    path = SDKS / name
    path.unlink(missing_ok=True)
    return path


def _existing(report: Path, output: str) -> Path:
    if not report.exists():
        raise Unavailable(f"the test runner made no report:\n{output[-2000:]}")
    return report


def _junit_results(report: Path) -> Iterator[Result]:
    """Yield the results in a JUnit file."""
    for case in ET.parse(report).getroot().iter("testcase"):
        problems = [child for child in case if child.tag in ("failure", "error")]
        outcome = "failed" if problems else "passed"
        if case.find("skipped") is not None:
            outcome = "skipped"
        reason = "\n".join(
            f"{child.get('message') or ''}\n{child.text or ''}" for child in problems
        )
        yield Result(
            case.get("classname", "").rpartition(".")[2], case.get("name", ""), outcome, reason
        )


RUNNERS: Mapping[str, Callable[[Checkout, str], list[Result]]] = {
    "python": run_python,
    "node": run_node,
    "go": run_go,
    "java": run_java,
}

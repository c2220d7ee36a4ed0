"""Tell one story with each client of `clients.yaml`: `make sdk-matrix`.

    python -m tests.matrix.run            all clients
    python -m tests.matrix.run node go    those of a provider, language, package or edition

Packages are installed in `.sdks/`. A program prints each step that it has finished; afterwards the
journal of its sandbox must have the requests of its story.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import yaml

import mockvoice
from mockvoice import Control
from mockvoice.models import RecordedRequest

from ..cli.processes import clean_environ, serving
from ..environments import (
    SDKS,
    Unavailable,
    install,
    make_once,
    node_environment,
    program,
    python_environment,
)

FOLDER = Path(__file__).parent
STORIES = FOLDER / "stories"
COLUMNS = ("clone", "list", "speech", "stream", "delete", "unknown", "invalid", "retry")
# The operation `failing` ran once before the step that sends it three times.
RETRIES: Sequence[Any] = ("ok", {"status": 429, "retry_after": 0.001}, "reset", "ok")


class Story(NamedTuple):
    """Steps of a program, and the requests that the mock has to see: see `clients.yaml`."""

    provider: str
    steps: Sequence[str]
    requests: Sequence[Sequence[str | int | None]]
    failing: str = ""


class Client(NamedTuple):
    """One version of a client, and the program that tells a story with it.

    `needs` are packages that it imports and does not bring along, installed before it; `options`
    are those of pip. `intercept` is true for a client whose base URL is hard-coded.
    """

    language: str
    package: str
    version: str
    edition: str
    story: Story
    program: str
    variables: Mapping[str, str] = {}
    needs: Mapping[str, str] = {}
    options: Sequence[str] = ()
    intercept: bool = False


class Outcome(NamedTuple):
    """The steps that a client has finished, and the reason if these are not all."""

    client: Client
    steps: Sequence[str] = ()
    problem: str = ""


def read_clients(words: Sequence[str] = ()) -> list[Client]:
    """Return the clients that any of the words selects; all of them without words."""
    data = yaml.safe_load((FOLDER / "clients.yaml").read_text(encoding="utf-8"))
    stories = {name: Story(**story) for name, story in data["stories"].items()}
    clients = [
        Client(**{**client, "story": stories[client["story"]]}) for client in data["clients"]
    ]
    return [client for client in clients if not words or {*words} & _words(client)]


def _words(client: Client) -> set[str]:
    return {client.story.provider, client.language, client.package, client.edition}


# --- commands ------------------------------------------------------------------------------------


def python_command(client: Client) -> list[str | Path]:
    """Return the command that runs a Python story."""
    name = f"{client.package}-{client.version}"
    needs = [f"{package}=={version}" for package, version in client.needs.items()]
    package = [*client.options, f"{client.package}=={client.version}"]
    python = python_environment(name, *([needs] if needs else []), package)
    return [python, "-P", STORIES / client.program]


def node_command(client: Client) -> list[str | Path]:
    """Return the command that runs a Node story; it is copied next to `node_modules`."""
    name = f"{client.package}-{client.version}"
    folder = node_environment(name, {client.package: client.version, **client.needs})
    return [program("node", "Node.js 20 or newer"), _copied(client, folder)]


def go_command(client: Client) -> list[str | Path]:
    """Return the command that runs a Go story, after building it."""
    go = program("go", "Go 1.22 or newer")
    folder = SDKS / "go" / client.package.replace("/", "-")

    def make() -> None:
        module = f"module story\n\ngo 1.22\n\nrequire {client.package} {client.version}\n"
        (folder / "go.mod").write_text(module, encoding="utf-8")

    make_once(folder, client.version, make)
    _copied(client, folder)
    for arguments in (["mod", "tidy"], ["build", "-o", "story", "."]):
        install([go, *arguments], folder)
    return [folder / "story"]


def java_command(client: Client) -> list[str | Path]:
    """Return the command that runs a Java story, after compiling it."""
    maven = program("mvn", "Java 17 or newer with Maven")
    java = program("java", "Java 17 or newer")
    folder = SDKS / "java" / client.package.replace(":", "-")
    (folder / "src").mkdir(parents=True, exist_ok=True)
    shutil.copy(STORIES / "pom.xml", folder)
    _copied(client, folder / "src")
    goals = ["compile", "dependency:build-classpath", "-Dmdep.outputFile=classpath"]
    install([maven, "--batch-mode", "--quiet", f"-Dversion={client.version}", *goals], folder)
    classpath = (folder / "classpath").read_text(encoding="utf-8")
    return [java, "-cp", f"{folder / 'target/classes'}{os.pathsep}{classpath}", "Story"]


def _copied(client: Client, folder: Path) -> Path:
    return Path(shutil.copy(STORIES / client.program, folder))


COMMANDS: Mapping[str, Callable[[Client], list[str | Path]]] = {
    "python": python_command,
    "node": node_command,
    "go": go_command,
    "java": java_command,
}


# --- stories -------------------------------------------------------------------------------------


def run_client(client: Client, server: Control, folder: Path) -> Outcome:
    """Install a client and tell its story."""
    try:
        return tell(client, COMMANDS[client.language](client), server, folder)
    except Unavailable as error:
        return Outcome(client, (), f"not run: {error}")


def tell(client: Client, command: Sequence[str | Path], server: Control, folder: Path) -> Outcome:
    """Tell the story of a client in a sandbox of its own, and check the journal.

    The folder has the sample, and is the one in which the program runs.
    """
    story = client.story
    name = "-".join(
        part for part in (client.language, client.package.rpartition("/")[2], client.version)
    )
    sandbox = server.sandbox(name.replace(":", "-"))
    sandbox.reset(edition={story.provider: client.edition})
    if story.failing:
        sandbox.provider(story.provider).sequence(RETRIES, operation=story.failing)
    done = subprocess.run(
        command,
        cwd=folder,
        env=clean_environ(**_variables(client, sandbox, folder)),
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=300,
        check=False,
    )
    steps = [line for line in done.stdout.splitlines() if line in story.steps]
    return Outcome(client, steps, _problem(client, sandbox, done))


def _variables(client: Client, sandbox: Control, folder: Path) -> dict[str, str]:
    variables = {
        "MOCKVOICE_URL": sandbox.url,
        "SAMPLE": str(folder / "sample.wav"),
        "NO_COLOR": "1",
        **client.variables,
    }
    return {**variables, **(_proxy(sandbox, folder) if client.intercept else {})}


def _proxy(sandbox: Control, folder: Path) -> dict[str, str]:
    """Return the variables that make the mock the proxy of a program."""
    ca = folder / "ca.pem"
    ca.write_bytes(sandbox.ca())
    url = sandbox.url.rpartition("/~")[0].replace("http://", f"http://{sandbox.name}:x@")
    return {"HTTPS_PROXY": url, "SSL_CERT_FILE": str(ca), "REQUESTS_CA_BUNDLE": str(ca)}


def _problem(client: Client, sandbox: Control, done: subprocess.CompletedProcess[str]) -> str:
    """Return why the story failed; "" if it passed."""
    if done.returncode:
        return f"exit code {done.returncode}\n{done.stdout[-2000:]}\n{sandbox.report()}"
    found = [[r.operation, _end(r), r.attempt] for r in sandbox.requests]
    expected = [[*request] for request in client.story.requests]
    if found != expected:
        return f"expected the requests\n{_lines(expected)}\nbut the journal has\n{_lines(found)}"
    return ""


def _end(request: RecordedRequest) -> int | str | None:
    """Return the status of a request, or the fault that broke it."""
    return request.fault.kind if request.status is None and request.fault else request.status


def _lines(requests: Sequence[Sequence[Any]]) -> str:
    return "\n".join(f"  {operation} {end} {attempt}" for operation, end, attempt in requests)


# --- report --------------------------------------------------------------------------------------


def table(outcomes: Sequence[Outcome]) -> str:
    """Return the outcomes in Markdown, one client in each line."""
    lines = ["| provider | edition | language | package | version | " + " | ".join(COLUMNS) + " |"]
    lines.append("|---" * (5 + len(COLUMNS)) + "|")
    for client, steps, problem in outcomes:
        cells = [
            client.story.provider,
            client.edition,
            client.language,
            client.package,
            client.version,
        ]
        cells += [_cell(column, client, steps) for column in COLUMNS]
        lines.append("| " + " | ".join(cells) + " |" + (" see below" if problem else ""))
    return "\n".join(lines)


def _cell(column: str, client: Client, steps: Sequence[str]) -> str:
    if column not in client.story.steps:
        return "-"
    return "ok" if column in steps else "**no**"


def main(words: Sequence[str]) -> int:
    """Run the selected clients and print the table; return 1 if one of them failed."""
    clients = read_clients(words)
    if not clients:
        everything = sorted(set[str]().union(*map(_words, read_clients())))
        sys.stderr.write(f"no client matches {' '.join(words)}: {', '.join(everything)}\n")
        return 2
    with serving() as (_, url), tempfile.TemporaryDirectory() as folder:
        server = mockvoice.connect(url)
        (Path(folder) / "sample.wav").write_bytes(server.sample())
        outcomes = []
        for client in clients:
            sys.stderr.write(f"{client.language} {client.package} {client.version}\n")
            outcomes.append(run_client(client, server, Path(folder)))
    print(table(outcomes))
    failed = [outcome for outcome in outcomes if outcome.problem]
    for client, _, problem in failed:
        print(f"\n{client.language} {client.package} {client.version}: {problem}")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))

"""The documentation: code blocks run, tables match the code, links resolve."""

from __future__ import annotations

import argparse
import json
import os
import re
import shlex
import subprocess
import sys
import tomllib
from collections.abc import Callable, Iterable, Iterator
from functools import partial
from pathlib import Path
from urllib.parse import urlsplit

import httpx
import pytest
import yaml

import mockvoice
from mockvoice import Control, __version__, errors
from mockvoice import provider as provider_api
from mockvoice.cli import COMMANDS
from mockvoice.config.settings import Settings, is_flag, is_scalar, table, variable
from mockvoice.config.yaml import YAMLDocument
from mockvoice.differences import render
from mockvoice.faults.kinds import KINDS
from mockvoice.faults.shorthand import expand_fault
from mockvoice.models import Differences, UpstreamDifference
from mockvoice.providers import built_in
from mockvoice.pytest_plugin import MARKER
from mockvoice.redact import mask_key
from mockvoice.upstream.recording import document

from . import bench_peers
from .cli.processes import MOCKVOICE, clean_environ, free_port, run, serving, start_server
from .contract.contracts import CONTRACTS, NAMES, OPERATIONS, Contract, Operation, editions
from .markdown import ROOT, Block, Page, names, page, pages, rows
from .sdk.test_node import node

pytestmark = pytest.mark.slow

PAGES = pages()
BLOCKS = [block for page in PAGES for block in page.blocks]
CONTROL = Contract("mockvoice")
SCHEMAS = CONTROL.document["components"]["schemas"]
URL = "http://127.0.0.1:4010"
PYTEST = ["-m", "pytest", "-q", "-p", "no:asyncio", "-p", "no:cacheprovider", "--strict-config"]


def by_language(language: str) -> list[Block]:
    return [block for block in BLOCKS if block.language == language]


def python(*arguments: str | Path, cwd: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, *arguments],
        cwd=cwd,
        env=clean_environ(),
        capture_output=True,
        text=True,
        check=False,
    )


@pytest.fixture(scope="module")
def server() -> Iterator[str]:
    with serving() as (_, url):
        yield url


@pytest.fixture
def url(server: str) -> str:
    """The URL of a server whose default sandbox is new."""
    mockvoice.connect(server).reset()
    return server


@pytest.fixture
def bin(tmp_path: Path) -> str:
    """A PATH that has the command `mockvoice`."""
    command = tmp_path / "bin/mockvoice"
    command.parent.mkdir()
    command.write_text(f'#!/bin/sh\nexec {shlex.join(MOCKVOICE)} "$@"\n')
    command.chmod(0o755)
    return f"{command.parent}:{os.environ['PATH']}"


# --- code blocks ---------------------------------------------------------------------------------

# The tests of each kind of block: its language and, where it matters, its title or page.
CHECKED_BLOCKS = [
    r".* bash",
    r".* console",
    r".* python( \w+\.py)?",
    r".* ini pytest\.ini",
    r".* js",
    r".* json \w+",
    r"docs/providers/\S+ json",
    r".* yaml mockvoice\.yaml",
    r"docs/your-own-provider\.md\S+ yaml (acme|talk)\.yaml",
    r"docs/command-line\.md\S+ sh job\.sh",
    r"README\.md\S+ text report",
    r"docs/command-line\.md\S+ text log",
    r"docs/upstream\.md\S+ (text differences|yaml exchange)",
    r"examples/README\.md\S+ text coverage",  # test_recipes.py
    r"docs/other-languages\.md\S+ js \w+(\.test)?\.mjs",  # test_other_languages.py
    r"docs/other-languages\.md\S+ (go|java) \w+\.\w+",  # languages.py
    r"docs/architecture\.md\S+ (text layout|mermaid)",
    r"docs/scaling\.md\S+ (sh|yaml \S+)",  # test_scaling.py
    r"docs/ci\.md\S+ (sh|yaml|js voices\.mjs)",  # test_recipes.py
    r"docs/interception\.md\S+ (go|java|js|sh|yaml) .*",  # test_interception_page.py
    r"CONTRIBUTING\.md\S+ diff [\w ]+",  # test_contributing.py
]


@pytest.mark.parametrize("block", BLOCKS, ids=str)
def test_code_block_has_a_check(block: Block) -> None:
    assert any(re.fullmatch(pattern, str(block)) for pattern in CHECKED_BLOCKS)


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_every_fence_is_a_block(page: Page) -> None:
    assert page.text.count("\n```") == 2 * len(page.blocks)


@pytest.mark.parametrize("block", by_language("bash"), ids=str)
def test_bash_block_succeeds(block: Block, url: str, bin: str, tmp_path: Path) -> None:
    written = set(re.findall(r"(?:--output|-o) (\S+)", block.text))
    for sample in set(re.findall(r"@(\S+\.wav)", block.text)) - written:
        (tmp_path / sample).write_bytes(mockvoice.connect(url).sample("wav"))
    script = "set -e\n" + block.text.replace(URL, url)
    done = subprocess.run(
        ["bash", "-c", script],
        cwd=tmp_path,
        env=clean_environ(PATH=bin, MOCKVOICE_PORT=str(urlsplit(url).port)),
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout or "/reset" in script  # a reset answers 204
    if "providers/" not in block.page:  # where curl runs without --fail
        assert done.stdout.count("narrator") >= script.count("=narrator")
    assert not mockvoice.connect(url).request("GET", "/requests", internal_error="true")["requests"]
    assert not [
        request
        for request in mockvoice.connect(url).requests
        if (request.status or 0) >= 400 and not request.fault
    ]


def write_files(page: Page, folder: Path) -> None:
    """Write the titled blocks of a page as files."""
    for block in page.blocks:
        if "." in block.title:
            (folder / block.title).write_text(block.text)


@pytest.mark.parametrize(
    "block",
    [b for b in by_language("python") if not b.title],
    ids=str,
)
def test_python_script_succeeds(block: Block, url: str, tmp_path: Path) -> None:
    write_files(page(block.page), tmp_path)
    for sample in re.findall(r'open\("(\S+\.wav)"', block.text):
        (tmp_path / sample).write_bytes(mockvoice.connect(url).sample("wav"))
    (tmp_path / "script.py").write_text(block.text.replace(URL, url))
    done = python("script.py", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert done.stdout.count("\n") >= block.text.count("print(")


@pytest.mark.parametrize(
    "name", [page.name for page in PAGES if any(b.title.startswith("test_") for b in page.blocks)]
)
def test_pytest_blocks_pass(name: str, tmp_path: Path) -> None:
    write_files(page(name), tmp_path)
    # The configuration file of a page is an example of its own.
    options = ["-o", "mockvoice_strict=true", "-o", "mockvoice_config=off"]
    done = python(*PYTEST, *options, cwd=tmp_path)
    tests = sum(block.text.count("def test_") for block in page(name).blocks)
    assert f"{tests} passed" in done.stdout, done.stdout + done.stderr


def run_mypy(folder: Path) -> subprocess.CompletedProcess[str]:
    """Check all files of a folder as strictly as the package."""
    return python("-m", "mypy", "--strict", "--cache-dir", ROOT / ".mypy_cache", folder, cwd=ROOT)


def test_python_blocks_are_well_typed(tmp_path: Path) -> None:
    for number, block in enumerate(by_language("python")):
        (tmp_path / f"block_{number}.py").write_text(f"# {block}\n{block.text}")
    done = run_mypy(tmp_path)
    assert done.returncode == 0, done.stdout


def test_wrong_names_are_errors_to_a_type_checker(tmp_path: Path) -> None:
    wrong = [
        "mock.telnix",
        "mock.telnyx.fail('resett')",
        "mock.telnyx.fail(502, retry_afer=1)",
        "mock.telnyx.sequence([502], operatoin='x')",
        "mock.telnyx.account('key', teir='free')",
        "mock.requests.last.stauts",
        "mock.sample('aiff')",
    ]
    lines = ["import mockvoice", "mock = mockvoice.connect('x')", *wrong]
    (tmp_path / "wrong.py").write_text("\n".join(lines))
    output = run_mypy(tmp_path).stdout
    reported = {int(number) for number in re.findall(r"wrong\.py:(\d+): error", output)}
    assert reported == {*range(3, 3 + len(wrong))}, output


@pytest.mark.parametrize("block", [b for b in by_language("js") if not b.title], ids=str)
def test_javascript_block_prints_its_comments(block: Block, url: str) -> None:
    printed = node("--input-type=module", "-", script=block.text.replace(URL, url))
    expected = re.findall(r"^console\.log.*; // (.*)$", block.text, re.MULTILINE)
    assert expected
    assert printed.splitlines() == expected


@pytest.mark.parametrize("block", by_language("json"), ids=str)
def test_json_block_is_valid(block: Block) -> None:
    value = json.loads(block.text)
    if block.title:
        assert CONTROL.errors({"$ref": f"#/components/schemas/{block.title}"}, value) == []
        assert CONTROL.errors(SCHEMAS[block.title], value) == []
    else:
        listed = json.loads(run("errors", Path(block.page).stem, "--json").stdout)["errors"]
        assert value in [error["example"] for error in listed]


def test_json_faults_are_accepted(url: str) -> None:
    for block in by_language("json"):
        if block.title == "Fault":
            mockvoice.connect(url).request("POST", "/faults", json.loads(block.text))


@pytest.mark.parametrize(
    "block", [b for b in by_language("yaml") if b.title == "mockvoice.yaml"], ids=str
)
def test_configuration_block_is_valid(block: Block, tmp_path: Path) -> None:
    (tmp_path / block.title).write_text(block.text)
    done = run("validate", block.title, cwd=tmp_path)
    assert done.returncode == 0, done.stderr


def test_configuration_file_has_its_effect(tmp_path: Path) -> None:
    text = page("docs/configuration.md").block("mockvoice.yaml").text
    file, content = tmp_path / "mockvoice.yaml", yaml.safe_load(text)
    file.write_text(text)
    schema = re.match(r"# yaml-language-server: \$schema=(\S+)\n", text)
    assert schema
    assert (ROOT / schema[1]).is_file()
    with serving("--config", str(file)) as (_, url):
        mock = mockvoice.connect(f"{url}/~reader")
        for fault, expected in zip(mock.faults, content["faults"], strict=True):
            account = expected.get("match", {}).get("account")
            masked = {"match": {"account": mask_key(account)}} if account else {}
            assert fault.data == {**expected, **masked}
        for voice, expected in zip(mock.voices, content["voices"], strict=True):
            assert voice.provider == expected["provider"]
            assert voice.data == {**voice.data, **expected["data"]}
            assert voice.id == expected.get("id", voice.id)
        for provider, keys in content["accounts"].items():
            for key, state in keys.items():
                info = mock.provider(provider).account(key)
                assert {name: getattr(info, name) for name in state} == state
        mock.clear_faults()
        clone = mock.retell.base_url + "/clone-voice"
        trial = {"authorization": "Bearer key_trial"}
        form = {"voice_name": "n", "voice_provider": "elevenlabs"}
        rejected = httpx.post(clone, headers=trial, data=form, files={"files": b"Example data"})
        assert rejected.status_code == 402


def test_provider_of_your_own_is_served(tmp_path: Path) -> None:
    own = page("docs/your-own-provider.md")
    write_files(own, tmp_path)
    (argument,) = {*re.findall(r"acme=acme\.yaml:\w+", own.text)}
    with serving("--provider", argument, cwd=tmp_path) as (_, url):
        acme = mockvoice.connect(url).provider("acme")
        assert acme.base_url == f"{url}/acme/v9"
        assert httpx.post(f"{acme.base_url}/songs", json={"name": "x"}).status_code == 201
        (song,) = httpx.get(f"{acme.base_url}/songs").json()["songs"]
        assert acme.voices[song["id"]].data == song
        assert httpx.post(f"{acme.base_url}/songs", json={}).json() == {"error": "wrong"}
    with serving("--provider", "acme=acme.yaml", cwd=tmp_path) as (_, url):
        assert httpx.get(f"{url}/acme/v9/songs").json() == {}


def test_shell_job_runs(bin: str, tmp_path: Path) -> None:
    done = subprocess.run(
        ["sh", "-e", "-c", page("docs/command-line.md").block("job.sh").text],
        cwd=tmp_path,
        env=clean_environ(PATH=bin, MOCKVOICE_PORT=str(free_port())),
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert "retell cloneVoice  POST /retell/clone-voice  -> 503, status (fault_1)" in done.stdout
    logged = (tmp_path / "requests.jsonl").read_text().splitlines()
    assert [json.loads(line)["status"] for line in logged] == [503, 201]


def test_log_line_is_real() -> None:
    documented = page("docs/command-line.md").block("log").text
    with start_server("--log", "text") as server:
        headers = {"authorization": "Bearer KEY"}
        for _ in range(2):
            httpx.get(f"{server.url}/supertone/v1/custom-voices", headers=headers)
        _, output, _ = server.stop()
    varying = re.compile(r"^\S+|[\d.]+ ms")  # the time and the duration
    assert varying.sub("", output.splitlines()[-1]) == varying.sub("", documented.rstrip())


def failure_report(folder: Path) -> str:
    """Return what pytest reports of the README's test with a wrong field."""
    test = page("README.md").block("test_voices.py").text.replace('"language"', '"lang"')
    (folder / "test_voices.py").write_text(test)
    done = python(*PYTEST, cwd=folder)
    assert done.returncode == 1, done.stdout + done.stderr
    section = done.stdout.partition("mockvoice journal ")[2].partition("\n")[2]
    return section.partition("\n====")[0] + "\n"


def test_failure_report_is_real(tmp_path: Path) -> None:
    documented = page("README.md").block("report").text
    check_generated("README.md", documented, failure_report(tmp_path))


# --- commands ------------------------------------------------------------------------------------


def check_mockvoice_command(arguments: list[str]) -> None:
    """Parse a command; argparse exits if it is wrong."""
    if arguments[:1] in ([], ["COMMAND"]):
        return
    for length in (2, 1):
        for command in COMMANDS:
            if command.name.split() == arguments[:length]:
                parser = argparse.ArgumentParser(prog=" ".join(["mockvoice", *arguments]))
                command.add_arguments(parser)
                only_mentioned = len(arguments) <= length
                if not only_mentioned and not any(map(str.isupper, arguments)):
                    parser.parse_args(arguments[length:])
                return
    pytest.fail(f"unknown command: mockvoice {' '.join(arguments)}")


def check_make_target(target: str) -> None:
    makefile = (ROOT / "Makefile").read_text()
    assert re.search(rf"^{target}:.*##", makefile, re.MULTILINE), f"make {target}"


def check_command(line: str) -> None:
    words = shlex.split(line, comments=True)
    while re.match(r"\w+=", words[0]):
        assert words[0].partition("=")[0] in variables(), line
        del words[0]
    program, arguments = words[0], words[1:]
    if program == "mockvoice":
        check_mockvoice_command(arguments)
    elif program == "make":
        check_make_target(arguments[0])
    else:
        assert program in ("pip", "pytest", "npm", "docker"), line
        for path in re.findall(r"\bexamples/\S+", line):
            assert (ROOT / path).exists(), line


@pytest.mark.parametrize("block", by_language("console"), ids=str)
def test_console_block_has_valid_commands(block: Block) -> None:
    for line in block.text.splitlines():
        assert line.startswith("$ ")
        check_command(line.removeprefix("$ "))


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_inline_commands_are_valid(page: Page) -> None:
    for code in page.inline_code:
        if page.name != "CHANGELOG.md" and re.match(r"(mockvoice|make) \S", code):
            check_command(code)


def variables() -> set[str]:
    flags = {variable(setting) for setting in table() if is_flag(setting)}
    return flags | {"MOCKVOICE_URL", "MOCKVOICE_CONFIG"}


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_environment_variables_exist(page: Page) -> None:
    renamed = {"MOCKVOICE_KEEP_MB"} if page.name == "CHANGELOG.md" else set()
    assert set(re.findall(r"\bMOCKVOICE_[A-Z_]+\b", page.text)) <= variables() | renamed


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_paths_exist(page: Page) -> None:
    # To be written, a pattern, and in a wheel.
    written = {"specs/acme/1.0.0.yaml", "specs/globex/1.0.0.yaml"}  # by the walkthroughs
    examples = {*written, "specs/PROVIDER/EDITION.yaml", "mockvoice/specs/"}
    for code in page.inline_code:
        if re.match(r"(mockvoice|specs|tests|docs|examples)/", code) and code not in examples:
            assert (ROOT / code).exists(), code


def test_the_two_commands_come_first() -> None:
    first = next(block for block in page("README.md").blocks)
    assert first.language == "console"
    assert [line.split("#")[0].split() for line in first.text.splitlines()] == [
        ["$", "make", "run"],
        ["$", "make", "test"],
    ]


# --- links ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_links_resolve(page: Page) -> None:
    assert not page.undefined_references
    for link in page.links:
        parts = urlsplit(link)
        if parts.scheme:
            assert (parts.scheme, bool(parts.hostname)) == ("https", True), link
            continue
        target = (page.path.parent / parts.path).resolve() if parts.path else page.path
        assert target.exists(), link
        assert target.is_relative_to(ROOT), link
        if parts.fragment:
            name = target.relative_to(ROOT).as_posix()
            (linked,) = [other for other in PAGES if other.name == name]
            assert parts.fragment in linked.anchors, link


def test_readme_links_every_page() -> None:
    assert {page.name for page in PAGES} - {"README.md"} <= {*page("README.md").links}


def test_readme_has_at_most_200_lines() -> None:
    assert page("README.md").text.count("\n") <= 200


def test_docs_ship_in_the_sdist() -> None:
    pyproject = tomllib.loads((ROOT / "pyproject.toml").read_text())
    included = pyproject["tool"]["hatch"]["build"]["targets"]["sdist"]["include"]
    assert {Path(page.name).parts[0] for page in PAGES} <= {*included}


def test_recording_is_as_shown(tmp_path: Path) -> None:
    shown = page("docs/upstream.md").block("exchange").text
    (tmp_path / "recording.yaml").write_text(shown)
    done = run("validate", "recording.yaml", cwd=tmp_path)
    assert done.stdout == "recording.yaml: ok (1 exchange with retell)\n", done.stderr
    assert document(yaml.safe_load(shown)) == shown


def test_report_of_differences_is_as_shown() -> None:
    one = UpstreamDifference(
        provider="retell",
        edition="2026-08",
        operation="cloneVoice",
        status=201,
        kind="added",
        location="/quality",
        live="high",
        mock=None,
        requests=3,
        example="request_7",
    )
    found = Differences(41, 0, {"retell": "https://api.retellai.com"}, (one,))
    assert page("docs/upstream.md").block("differences").text == render(found) + "\n"


# --- tables --------------------------------------------------------------------------------------

Check = Callable[[str], None]
TABLES: dict[tuple[str, str], Check] = {}


def describes(name: str, header: str) -> Callable[[Check], Check]:
    """Make a function the check of the table with this header on a page."""

    def register(check: Check) -> Check:
        TABLES[name, header] = check
        return check

    return register


@describes("docs/trust.md", "edition | compared with | operations | differences inside operations")
def _compared_editions(table: str) -> None:
    bundled = [f"{one.name}@{edition}" for one in built_in() for edition in one.editions]
    assert sorted(first_names(table)) == sorted(bundled)


@describes("docs/trust.md", "SDK | versions")
def _compared_sdks(table: str) -> None:
    groups = tomllib.loads((ROOT / "pyproject.toml").read_text())["dependency-groups"]
    node_sdks = json.loads((ROOT / "tests/node/package.json").read_text())["devDependencies"]
    python_sdks = " ".join([*groups["dev"], *groups["old-sdks"]])
    for name, versions in rows(table):
        package, language = name.split(", ")
        for version in versions.split(", "):
            if language == "Node":
                assert node_sdks[package] == version
            else:
                assert f"{package}=={version}" in python_sdks


@describes("docs/trust.md", "provider | never compared with the live service")
def _uncompared_providers(table: str) -> None:
    assert sorted(first_names(table)) == sorted(provider.name for provider in built_in())


@describes("docs/upstream.md", "kind | difference")
def _difference_kinds(table: str) -> None:
    assert first_names(table) == SCHEMAS["DifferenceKind"]["enum"]


@describes("docs/upstream.md", "problem | response")
def _upstream_problems(table: str) -> None:
    kinds = (errors.UpstreamFailed, errors.UpstreamTimeout)
    assert [int(row[1]) for row in rows(table)] == [kind.statuses[0] for kind in kinds]


PROVIDER_PAGES = [p for p in PAGES if p.path.parent.name == "providers"]
DOCUMENTED_TABLES = [
    (page.name, table) for page in PAGES if page not in PROVIDER_PAGES for table in page.tables
]


def header(table: str) -> str:
    return table.partition("\n")[0].strip("| ")


@pytest.mark.parametrize(
    ("name", "table"), DOCUMENTED_TABLES, ids=[f"{n} {header(t)}" for n, t in DOCUMENTED_TABLES]
)
def test_table_matches_the_code(name: str, table: str) -> None:
    TABLES[name, header(table)](table)


def test_every_checked_table_exists() -> None:
    assert {(name, header(table)) for name, table in DOCUMENTED_TABLES} == {*TABLES}
    assert len(DOCUMENTED_TABLES) == len(TABLES)


@describes("docs/scaling.md", "store | mock, 1 KB | mock, 100 KB | Redis, 1 KB | Redis, 100 KB")
def _capacity(table: str) -> None:
    """The capacities of the page follow from the figures in its table."""
    _, *shared = (re.findall(r"([\d.]+) ms", row) for row in table.splitlines()[2:])
    prose = " ".join(page("docs/scaling.md").prose.split())
    documented = re.findall(
        r"about ([\d,]+) uploads of 1 KB per second, or ([\d,]+) of 100 KB", prose
    )
    replica, engine = [[int(number.replace(",", "")) for number in pair] for pair in documented]
    for size in (0, 1):
        mock = [1000 / float(row[size]) for row in shared]
        assert min(mock) <= replica[size] <= max(mock)
        redis = [1000 / float(row[size + 2]) for row in shared]
        assert engine[size] == pytest.approx(max(redis), rel=0.05)


@describes(
    "docs/performance.md",
    "server | 1 KB | 100 KB | 2 MB | memory at rest | memory after | startup",
)
def _peers(table: str) -> None:
    """The table is one that `make bench-peers` prints, of the servers whose versions are fixed."""
    assert table.splitlines()[:2] == [*bench_peers.table({})]
    assert [row[0] for row in rows(table)] == [peer.name for peer in bench_peers.PEERS]
    pom = (ROOT / "tests/peers/pom.xml").read_text(encoding="utf-8").partition("<artifactItems>")[2]
    package = (ROOT / "tests/peers/package.json").read_text(encoding="utf-8")
    versions = re.findall(r"\b\d+\.\d+\.\d+\b", page("docs/performance.md").prose)
    assert versions == re.findall(r"\b\d+\.\d+\.\d+\b", pom + package)


def table_text(*lines: str) -> str:
    return "".join(f"{line}\n" for line in lines)


def check_generated(name: str, documented: str, expected: str) -> None:
    assert documented == expected, (
        f"run `python -m tests.update_docs`, or paste into {name}:\n{expected}"
    )


def properties(schema: str) -> list[str]:
    return [*SCHEMAS[schema]["properties"]]


def first_names(table: str) -> list[str]:
    return [name for row in rows(table) for name in names(row[0])]


@describes("README.md", "provider | base URL | SDK setting")
def _base_urls(table: str) -> None:
    with mockvoice.serve() as mock:
        environment = mock.env()
        for title, base_url, setting in rows(table):
            provider = mock.provider(title.split()[0].lower())
            assert names(base_url) == [provider.base_url.replace(mock.url, URL)]
            for name in re.findall(r"[A-Z]+_BASE_URL", setting):
                assert environment[name] == provider.base_url
    assert len(rows(table)) == len(CONTRACTS) - 1


@describes("README.md", "page | read it to")
def _pages(table: str) -> None:
    linked = re.findall(r"\((\S+)\)", table)
    assert {*linked} == {p.name for p in PAGES if p.path.parent == ROOT / "docs"}


@describes("docs/editions.md", "provider | default edition | other editions")
def _editions(table: str) -> None:
    documented = [
        (page[0].rpartition("/")[2].removesuffix(".md)"), names(default), names(others))
        for *page, default, others in rows(table)
    ]
    assert sorted(documented) == [
        (name, [default.edition], [contract.edition for contract in newer])
        for name in NAMES
        for default, *newer in [editions(name)]
    ]


@describes("docs/testing.md", "marker argument | default")
def _marker_arguments(table: str) -> None:
    assert first_names(table) == re.findall(r"(\w+)=", MARKER)


@describes("docs/testing.md", "pytest option | default")
def _pytest_options(table: str) -> None:
    with_help = python("-m", "pytest", "--help", cwd=ROOT).stdout
    assert first_names(table) == re.findall(r"^ +(mockvoice_\w+) ", with_help, re.MULTILINE)


def method_names(table: str) -> set[str]:
    return {
        name for row in rows(table) for code in names(row[0]) for name in re.findall(r"^\w+", code)
    }


@describes("docs/testing.md", "on `mockvoice` and on each provider")
def _shared_methods(table: str) -> None:
    with mockvoice.serve() as mock:
        for name in method_names(table):
            assert hasattr(type(mock), name), name
            assert hasattr(type(mock.telnyx), name), name


@describes("docs/testing.md", "only on a provider")
def _provider_methods(table: str) -> None:
    with mockvoice.serve() as mock:
        for name in method_names(table):
            assert hasattr(mock.telnyx, name), name
            assert not hasattr(mock, name), name


@describes("docs/testing.md", "only on `mockvoice`")
def _control_methods(table: str) -> None:
    with mockvoice.serve() as mock:
        documented = method_names(table)
        for name in documented:
            assert hasattr(mock, name), name
            assert not hasattr(mock.telnyx, name), name
        others = {*method_names(page("docs/testing.md").tables[-3])} | {
            "check_operation",
            "in_namespace",
        }
        public = {name for name in dir(Control) if not name.startswith("_")}
        assert public - documented - others == set()


@describes("docs/faults.md", "field | default")
def _fault_fields(table: str) -> None:
    fields = first_names(table)
    assert {*fields} == {*properties("Fault"), *properties("Sequence")}
    assert len({*fields}) == len(fields)
    defaults = {k: v.get("default") for k, v in SCHEMAS["Fault"]["properties"].items()}
    for name in ("skip", "every", "probability"):
        assert re.search(rf"`{name}`[^|]*\|[^|]*\b{defaults[name]}\b", table)
    assert f"up to {SCHEMAS['Seconds']['maximum']}" in table


@describes("docs/faults.md", "shorthand | short for")
def _fault_shorthand(table: str) -> None:
    for shorthand, meaning in rows(table):
        expanded = expand_fault(json.loads(shorthand.strip("`")))
        if meaning.startswith("`"):
            assert expanded == json.loads(meaning.strip("`"))
        else:
            assert expanded == {"sequence": ["ok"]}


def test_sequence_fields_are_documented() -> None:
    (text,) = re.findall(r"A sequence takes .*?\n\n", page("docs/faults.md").text, re.DOTALL)
    target, item = text.split("Its items take")
    assert names(target) == [name for name in properties("Sequence") if name != "sequence"]
    assert names(item) == properties("SequenceItem")


def test_every_fault_kind_has_a_section_with_an_example() -> None:
    kinds = SCHEMAS["Kind"]["enum"]
    assert kinds == [*KINDS]
    section = page("docs/faults.md").section("Kinds")
    assert re.findall(r"^### `(\w+)`$", section, re.MULTILINE) == kinds
    examples = re.findall(r'^```json title="Fault"\n(.*?)\n```', section, re.DOTALL | re.MULTILINE)
    assert [json.loads(text).get("kind", "status") for text in examples] == kinds


@describes("docs/faults.md", "kind | on a WebSocket the client sees")
def _frame_faults(table: str) -> None:
    described = {name for row in rows(table) for name in names(row[0])} - {"frame"}
    assert described == {*KINDS} - {"tls"}


@describes("docs/faults.md", "operation | success | errors")
def _clone_errors(table: str) -> None:
    clones = [op for op in OPERATIONS if "clone" in op.path and op.method == "POST"]
    assert len(clones) == len(rows(table)) == 5
    for operation in clones:
        name = f"{operation.contract.name.capitalize()} `{operation.method} {operation.path}`"
        (row,) = [row for row in rows(table) if row[0] == name]
        statuses = {int(status) for status in re.findall(r"\b[2-5]\d\d\b", " ".join(row[1:]))}
        assert 401 in statuses
        assert statuses <= set(operation.responses)


@describes("docs/configuration.md", "in an export")
def _export_members(table: str) -> None:
    described = [name for row in rows(table) for name in names(row[0])]
    assert described == [*SCHEMAS["SandboxFile"]["properties"]]


@describes("docs/configuration.md", "text in the file | value")
def _references(table: str) -> None:
    values = [
        YAMLDocument(names(row[0])[0], environ).value
        for environ in ({"NAME": "x"}, {"NAME": ""})
        for row in rows(table)
    ]
    assert values == ["x", "x", "$", {}, "default", "$"]


@describes("docs/sandboxes-and-accounts.md", "field | meaning")
def _account_fields(table: str) -> None:
    assert [names(row[0])[0] for row in rows(table)] == properties("AccountState")


def control_operations() -> str:
    operations = [
        f"| `{op.method} {op.path}` | {op.node['summary']} |"
        for op in OPERATIONS
        if op.contract.name == "mockvoice"
    ]
    return table_text("| operation | |", "|---|---|", *operations)


def parameter_names(operation_id: str) -> list[str]:
    """Return the query parameters of an operation of the control API."""
    (operation,) = [op for op in OPERATIONS if op.node["operationId"] == operation_id]
    return [item["name"] for item in operation.parameters if item["in"] == "query"]


@describes("docs/control-api.md", "parameter")
def _journal_filters(table: str) -> None:
    assert first_names(table) == parameter_names("listRequests")


@describes("docs/control-api.md", "parameter of a stream")
def _stream_parameters(table: str) -> None:
    filters = parameter_names("listRequests")
    assert first_names(table) == [n for n in parameter_names("streamEvents") if n not in filters]


def _schema_fields(table: str, schema: str) -> None:
    assert sorted(first_names(table)) == sorted(SCHEMAS[schema]["required"])


@describes("docs/control-api.md", "field of an entry")
def _entry_fields(table: str) -> None:
    _schema_fields(table, "JournalEntry")


@describes("docs/control-api.md", "field of an operation")
def _coverage_fields(table: str) -> None:
    _schema_fields(table, "OperationCoverage")


@describes("docs/control-api.md", "field of a violation")
def _violation_fields(table: str) -> None:
    _schema_fields(table, "Violation")


def commands() -> str:
    lines = [f"| `{cmd.name}` | {cmd.help} | `{cmd.example}` |" for cmd in COMMANDS]
    return table_text("| command | what it does | example |", "|---|---|---|", *lines)


@describes("docs/command-line.md", "commands that contact a server")
def _server_options(table: str) -> None:
    help = run("requests", "--help").stdout
    for flag in re.findall(r"--\w+", table):
        assert flag in help
    with serving() as (_, url):
        port = str(urlsplit(url).port)
        assert run("health", "--url", url).returncode == 0
        assert run("health", MOCKVOICE_URL=url).returncode == 0
        assert run("health", MOCKVOICE_PORT=port).returncode == 0
    assert str(Settings().port) in table


@describes("docs/command-line.md", "exit code")
def _exit_codes(table: str) -> None:
    unused = f"http://127.0.0.1:{free_port()}"
    codes = [run("routes"), run("health", "--url", unused), run("health", "--no-such-flag")]
    assert [row[0] for row in rows(table)] == [str(done.returncode) for done in codes]
    assert codes[1].stderr.count("\n") == 1


def settings() -> str:
    lines = []
    for setting in table():
        name = f"`{variable(setting)}`" if is_flag(setting) else "file only"
        value = getattr(Settings(), setting.name)
        default = str(value).lower() if is_scalar(setting) else json.dumps(value)
        lines.append(f"| `{setting.name}` | {name} | `{default}` | {setting.metadata['help']} |")
    return table_text("| setting | environment | default | |", "|---|---|---|---|", *lines)


def fault_kinds() -> str:
    lines = [f"| `{name}` | {kind.summary} |" for name, kind in KINDS.items()]
    return table_text("| kind | what the client sees |", "|---|---|", *lines)


def provider_data() -> str:
    lines = [
        f"| `{p.name}` | {_names([*p.account, 'limits'])} | {_names(p.tiers)} |"
        f" {_names(p.collections)} |"
        for p in built_in()
    ]
    heading = "| provider | fields | tiers | collections |"
    return table_text(heading, "|---|---|---|---|", *lines)


def _names(texts: Iterable[str]) -> str:
    return ", ".join(f"`{text}`" for text in texts)


# The tables that are made of the code's own texts.
GENERATED: dict[str, Callable[[], str]] = {
    "docs/faults.md": fault_kinds,
    "docs/control-api.md": control_operations,
    "docs/command-line.md": commands,
    "docs/configuration.md": settings,
    "docs/sandboxes-and-accounts.md": provider_data,
}
for _name, _make in GENERATED.items():
    TABLES[_name, header(_make())] = partial(check_generated, _name, expected=_make())


@describes("docs/architecture.md", "dependency | used for")
def _dependencies(table: str) -> None:
    pyproject = tomllib.loads((ROOT / "pyproject.toml").read_text())
    project = pyproject["project"]
    required = [re.split("[<>=]", name)[0] for name in project["dependencies"]]
    required += [
        f"{re.split('[^a-z]', names[0])[0]} (extra `{extra}`)"
        for extra, names in project["optional-dependencies"].items()
    ]
    assert [name for row in rows(table) for name in row[0].split(", ")] == required


@describes("docs/interception.md", "provider | hosts")
def _hosts(table: str) -> None:
    assert rows(table) == [
        [provider.name.capitalize(), ", ".join(f"`{s.host}`" for s in provider.document.servers)]
        for provider in built_in()
    ]


@describes("docs/architecture.md", "you want to change | look at")
def _places(table: str) -> None:
    for row in rows(table):
        assert [path for path in names(row[1]) if (ROOT / path).exists()] == names(row[1])


@describes("CHANGELOG.md", "area | old name | new name")
def _renames(table: str) -> None:
    sources = [*(ROOT / "mockvoice").rglob("*.py"), *(ROOT / "specs").glob("mockvoice*")]
    text = "\n".join(path.read_text(encoding="utf-8") for path in sources)
    for area, old, new in rows(table):
        if area == "providers":
            for name in re.findall(r"\b[A-Z]\w+", new):
                assert hasattr(provider_api, name) or hasattr(errors, name), name
            for name in re.findall(r"\b[A-Z]\w+", old):
                assert not hasattr(provider_api, name), name
                assert not hasattr(errors, name), name
        for code in names(new):
            for name in re.findall(r"[a-z][a-z_-]+", code.lower()):
                assert name.removeprefix("mockvoice_") in text.lower(), name


@pytest.mark.parametrize("page", PROVIDER_PAGES, ids=lambda page: page.name)
def test_provider_page_lists_every_operation(page: Page) -> None:
    contract = page.path.stem
    operations = [op for op in OPERATIONS if op.contract.name == contract]
    listed = []
    table = next(table for table in page.tables if "`POST /" in table)
    title = [cell.strip().lower() for cell in table.partition("\n")[0].split("|")[1:-1]]
    for row in rows(table):
        cells = dict(zip(title, row, strict=True))
        (operation,) = [op for op in operations if _documents(row, op)]
        listed.append(operation)
        success = re.findall(r"\b2\d\d\b", cells["success"])
        assert {int(status) for status in success} <= {*operation.responses}
        rejected = {int(status) for status in re.findall(r"\d{3}", cells.get("errors", ""))}
        assert rejected <= {*operation.responses}, row
    assert sorted(map(str, listed)) == sorted(map(str, operations))


def _documents(row: list[str], operation: Operation) -> bool:
    code = [name.partition("?")[0] for cell in row[:2] for name in names(cell)]
    return {operation.node["operationId"], f"{operation.method} {operation.path}"} == {*code}


@pytest.mark.parametrize("page", PROVIDER_PAGES, ids=lambda page: page.name)
def test_provider_page_lists_errors_that_can_be_injected(page: Page) -> None:
    contract = page.path.stem
    table = next(t for t in page.tables if header(t).lower().startswith("status"))
    statuses = {int(row[0][:3]) for row in rows(table) if row[0][:3].isdigit()}
    documented = {
        status
        for op in OPERATIONS
        if op.contract.name == contract
        for status in op.responses
        if status >= 400
    }
    assert documented <= statuses
    with mockvoice.serve() as mock, httpx.Client() as client:
        urls = [
            (route.partition(" ")[0], mock.provider(contract).base_url + route.partition(" ")[2])
            for route in mock.provider(contract).operations.values()
        ]
        for status, code in {(row[0][:3], row[1].rstrip("*")) for row in rows(table)}:
            if not status.isdigit():
                continue
            bodies = []
            for method, url in urls:
                prefer = {"Prefer": f"code={status}"}
                response = client.request(method, url, headers=prefer)
                assert response.status_code == int(status)
                bodies.append(response.text)
            if re.fullmatch(r"\d{5}", code):
                assert any(code in body for body in bodies), (status, code)


# --- architecture --------------------------------------------------------------------------------


def layout() -> set[str]:
    """The files and folders in the picture of the package."""
    found, folders = set(), [""]
    for line in page("docs/architecture.md").block("layout").text.splitlines():
        name = line.split()[0]
        depth = (len(line) - len(line.lstrip())) // 2
        folders = [*folders[:depth], name]
        found.add("".join(folders))
    return found


def test_layout_shows_the_package() -> None:
    package = ROOT / "mockvoice"
    modules = {
        path.relative_to(ROOT).as_posix()
        for path in package.rglob("*.py")
        if path.name != "__init__.py" or path.parent == package
    }
    shown = {name for name in layout() if name.endswith(".py")}
    assert modules - shown == set(), "add to the layout in docs/architecture.md"
    assert shown - modules == set(), "remove from the layout in docs/architecture.md"


def test_lifecycle_names_modules_in_order() -> None:
    (block,) = by_language("mermaid")
    named = re.findall(r"\w+\.py", block.text)
    modules = {path.name for path in (ROOT / "mockvoice").rglob("*.py")}
    assert {*named} - modules == set()


def test_changelog_has_this_version() -> None:
    headings = re.findall(r"^## \[(.+?)\]", page("CHANGELOG.md").text, re.MULTILINE)
    assert headings[0] == "Unreleased"
    assert __version__ in headings or headings == ["Unreleased"]

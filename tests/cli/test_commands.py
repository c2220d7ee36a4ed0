"""Behavior that all commands share."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
from collections.abc import Iterator

import pytest

from mockvoice import __version__
from mockvoice.cli import COMMANDS
from mockvoice.cli.commands import Command

from .processes import MOCKVOICE, check_output, clean_environ, free_port, run, serving


def test_version_flag() -> None:
    assert check_output("--version") == f"mockvoice {__version__}\n"


def test_help_lists_all_commands() -> None:
    help = check_output("--help", COLUMNS="200")
    for command in COMMANDS:
        if " " not in command.name:
            assert re.search(rf"^    {command.name}\s", help, re.MULTILINE)
            assert command.help in help


@pytest.mark.parametrize("command", COMMANDS, ids=lambda command: command.name)
def test_command_help_has_summary_and_example(command: Command) -> None:
    help = check_output(*command.name.split(), "--help", COLUMNS="200")
    assert help.startswith(f"usage: mockvoice {command.name} [-h]")
    assert f"{command.help}." in help
    assert f"\nexample: {command.example}\n" in help


NEEDS_SERVER = [
    ["health"],
    ["wait", "--timeout", "0.1"],
    ["requests"],
    ["reset"],
    ["sample", "wav"],
    ["faults"],
    ["faults", "add", "502"],
    ["faults", "remove", "fault_1"],
    ["faults", "clear"],
    ["voices"],
    ["voices", "add", "telnyx"],
    ["voices", "delete", "retell-Cimo"],
    ["voices", "clear"],
    ["accounts"],
    ["accounts", "show", "telnyx", "KEY"],
    ["accounts", "set", "supertone", "KEY", "--credit", "1"],
    ["clock"],
    ["clock", "freeze"],
    ["clock", "advance", "1"],
    ["clock", "run"],
    ["sandboxes"],
    ["sandboxes", "delete", "x"],
    ["export"],
]


@pytest.mark.parametrize("arguments", NEEDS_SERVER, ids=" ".join)
def test_missing_server_exits_with_1(arguments: list[str]) -> None:
    url = f"http://127.0.0.1:{free_port()}"
    result = run(*arguments, MOCKVOICE_URL=url)
    assert result.returncode == 1
    assert result.stderr.startswith(f"mockvoice: no mockvoice server at {url}: ")
    assert "Connection refused; start one with `mockvoice serve`" in result.stderr
    assert result.stderr.count("\n") == 1


@pytest.mark.parametrize(
    ("arguments", "environment", "message"),
    [
        ([], {}, "the following arguments are required: COMMAND"),
        (["speak"], {}, "invalid choice: 'speak'"),
        (["health", "--tim", "1"], {}, "unrecognized arguments: --tim 1"),
        (
            ["health", "--url", "ftp://host"],
            {},
            "invalid server URL ftp://host: expected a URL such as http://127.0.0.1:4010",
        ),
        (["health"], {"MOCKVOICE_URL": "http://a:b"}, "invalid server URL http://a:b"),
        (["reset"], {"MOCKVOICE_PORT": "x"}, "MOCKVOICE_PORT must be a whole number; got 'x'"),
        (["env", "--url", "http://["], {}, "invalid server URL http://[: expected"),
        (
            ["routes", "acme"],
            {},
            "unknown provider acme; available: faseeh, retell, supertone, telnyx",
        ),
        (["routes", "telnix"], {}, "unknown provider telnix (did you mean telnyx?); available: "),
        (["errors", "mockvoice"], {}, "unknown provider mockvoice; available: faseeh, retell"),
        (["reset", "--only", "all"], {}, "invalid choice: 'all'"),
        (["sample", "aiff"], {}, "invalid choice: 'aiff'"),
        (["faults", "add", "--times", "x"], {}, "invalid int value: 'x'"),
        (["faults", "add", "--when", "never"], {}, "invalid choice: 'never'"),
    ],
)
def test_usage_error_exits_with_2(
    arguments: list[str], environment: dict[str, str], message: str
) -> None:
    result = run(*arguments, **environment)
    assert result.returncode == 2
    assert message in result.stderr
    assert "Traceback" not in result.stderr


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (
            ["requests", "--operation", "cloneVoices"],
            "unknown operation cloneVoices (did you mean cloneVoice?); available: ",
        ),
        (["requests", "--provider", "acme"], "unknown provider acme; available: faseeh, retell"),
        (["requests", "--since", "now"], "since must be the id of a request, or a time; got now"),
        (["requests", "--limit", "0"], "limit must be at least 1; got 0"),
        (
            ["faults", "add", "rest"],
            'wrong_type, drip, close, reply; got "rest"; did you mean reset?',
        ),
        (["faults", "add", "1.5"], "the body must be a status such as 502, a kind such as reset"),
        (["faults", "add", '{"retry_afer": 1}'], "did you mean retry_after?"),
        (["faults", "add", "[502, 7]"], "item 1 must be at least 400; got 7"),
        (["faults", "add", "502", "--operation", "cloneVoices"], "did you mean cloneVoice?"),
        (["faults", "remove", "a/b"], "there is no fault a/b"),
        (["sample", "wav", "--seconds", "301"], "seconds must be at most 300"),
        (["reset", "--sandbox", "a b"], 'dashes and underscores; got "a b"'),
    ],
)
def test_server_error_exits_with_1_and_its_message(
    server: str, arguments: list[str], message: str
) -> None:
    result = run(*arguments, MOCKVOICE_URL=server)
    assert result.returncode == 1
    assert result.stderr.startswith("mockvoice: ")
    assert message in result.stderr
    assert result.stderr.count("\n") == 1


def test_broken_pipe_exits_quietly() -> None:
    reader, writer = os.pipe()
    os.close(reader)
    with os.fdopen(writer, "wb") as stdout:
        result = subprocess.run(
            [*MOCKVOICE, "errors"],
            stdout=stdout,
            stderr=subprocess.PIPE,
            check=False,
            env=clean_environ(),
        )
    assert (result.returncode, result.stderr) == (0, b"")


def test_unencodable_characters_are_escaped(server: str) -> None:
    check_output("faults", "add", '{"headers": {"x-name": "é"}}', MOCKVOICE_URL=server)
    output = check_output("faults", MOCKVOICE_URL=server, PYTHONIOENCODING="ascii")
    assert r'{"x-name": "\xe9"}' in output


@pytest.fixture
def default_sigint() -> Iterator[None]:
    """Restore SIGINT handling: background jobs of a shell ignore it, and subprocesses inherit."""
    handler = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, handler)


@pytest.mark.usefixtures("default_sigint")
def test_keyboard_interrupt_exits_quietly_with_130() -> None:
    with subprocess.Popen(
        [*MOCKVOICE, "wait", "--url", f"http://127.0.0.1:{free_port()}"],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env=clean_environ(),
    ) as process:
        assert process.stdout
        process.stdout.readline()
        process.send_signal(signal.SIGINT)
        assert process.communicate(timeout=5) == ("", "")
        assert process.returncode == 130


def test_health_does_not_import_heavy_modules() -> None:
    with serving() as (_, url):
        command = [sys.executable, "-X", "importtime", *MOCKVOICE[1:], "health", "--url", url]
        result = subprocess.run(
            command, capture_output=True, text=True, check=True, env=clean_environ()
        )
    imported = {line.rpartition("|")[2].strip() for line in result.stderr.splitlines()}
    assert "mockvoice.client.control" in imported
    heavy = {"asyncio", "jsonschema_rs", "python_multipart", "starlette", "uvicorn", "yaml"}
    assert not imported & {*heavy, "mockvoice.fields", "mockvoice.models"}

"""What all verbs have in common."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Iterator

import pytest

from mockvoice import __version__
from mockvoice.cli import COMMANDS
from mockvoice.cli.commands import Command

from .processes import MOCKVOICE, free_port, run, serving, surroundings, told


def test_the_version_is_printed() -> None:
    assert told("--version") == f"mockvoice {__version__}\n"


def test_the_help_lists_the_verbs() -> None:
    help = told("--help", COLUMNS="200")
    for verb in COMMANDS:
        if " " not in verb.name:
            assert f"    {verb.name} " in help
            assert verb.help in help


@pytest.mark.parametrize("verb", COMMANDS, ids=lambda verb: verb.name)
def test_every_verb_tells_what_it_does_with_an_example(verb: Command) -> None:
    help = told(*verb.name.split(), "--help", COLUMNS="200")
    assert help.startswith(f"usage: mockvoice {verb.name} [-h]")
    assert f"{verb.help}." in help
    assert f"\nexample: {verb.example}\n" in help


ASKING = [
    ["health"],
    ["wait", "--timeout", "0.1"],
    ["requests"],
    ["reset"],
    ["sample", "wav"],
    ["faults"],
    ["faults", "add", "502"],
    ["faults", "remove", "fault_1"],
    ["faults", "clear"],
]


@pytest.mark.parametrize("arguments", ASKING, ids=" ".join)
def test_where_no_server_is_the_answer_is_no(arguments: list[str]) -> None:
    url = f"http://127.0.0.1:{free_port()}"
    done = run(*arguments, MOCKVOICE_URL=url)
    assert done.returncode == 1
    assert done.stderr.startswith(f"mockvoice: no mockvoice answers at {url}: ")
    assert "Connection refused; start one with `mockvoice serve`" in done.stderr
    assert done.stderr.count("\n") == 1


@pytest.mark.parametrize(
    ("arguments", "environment", "wrong"),
    [
        ([], {}, "the following arguments are required: COMMAND"),
        (["speak"], {}, "invalid choice: 'speak'"),
        (["health", "--tim", "1"], {}, "unrecognized arguments: --tim 1"),
        (
            ["health", "--url", "ftp://host"],
            {},
            "no mockvoice can be at ftp://host: that is no URL",
        ),
        (["health"], {"MOCKVOICE_URL": "http://a:b"}, "no mockvoice can be at http://a:b"),
        (["reset"], {"MOCKVOICE_PORT": "x"}, "MOCKVOICE_PORT must be a whole number; got 'x'"),
        (["env", "--url", "http://["], {}, "no mockvoice can be at http://[: that is no URL"),
        (["routes", "acme"], {}, "there is no provider acme; there are faseeh, retell"),
        (["errors", "mockvoice"], {}, "there is no provider mockvoice; there are faseeh"),
        (["reset", "--only", "all"], {}, "invalid choice: 'all'"),
        (["sample", "aiff"], {}, "invalid choice: 'aiff'"),
        (["faults", "add", "--times", "x"], {}, "invalid int value: 'x'"),
        (["faults", "add", "--when", "never"], {}, "invalid choice: 'never'"),
    ],
)
def test_what_cannot_be_meant_is_told(
    arguments: list[str], environment: dict[str, str], wrong: str
) -> None:
    done = run(*arguments, **environment)
    assert done.returncode == 2
    assert wrong in done.stderr
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize(
    ("arguments", "wrong"),
    [
        (["requests", "--operation", "cloneVoices"], "did you mean cloneVoice? there are"),
        (["requests", "--provider", "acme"], "there is no provider acme; there are faseeh"),
        (["requests", "--since", "now"], "since must be the id of a request, or a time; got now"),
        (["requests", "--limit", "0"], "limit must be at least 1; got 0"),
        (["faults", "add", "rest"], "kind must be one of status, delay, timeout, reset"),
        (["faults", "add", "1.5"], "status must be a whole number; got 1.5"),
        (["faults", "add", '{"retry_afer": 1}'], "did you mean retry_after?"),
        (["faults", "add", "[502, 7]"], "sequence"),
        (["faults", "add", "502", "--operation", "cloneVoices"], "did you mean cloneVoice?"),
        (["faults", "remove", "a/b"], "there is no fault a/b"),
        (["sample", "wav", "--seconds", "301"], "seconds must be at most 300"),
        (["reset", "--sandbox", "a b"], 'dashes and underscores; got "a b"'),
    ],
)
def test_what_a_server_refuses_is_told_in_its_words(
    server: str, arguments: list[str], wrong: str
) -> None:
    done = run(*arguments, MOCKVOICE_URL=server)
    assert done.returncode == 1
    assert done.stderr.startswith("mockvoice: ")
    assert wrong in done.stderr
    assert done.stderr.count("\n") == 1


def test_a_reader_that_has_had_enough_is_no_reason_to_complain() -> None:
    reader, writer = os.pipe()
    os.close(reader)
    with os.fdopen(writer, "wb") as output:
        done = subprocess.run(
            [*MOCKVOICE, "errors"],
            stdout=output,
            stderr=subprocess.PIPE,
            check=False,
            env=surroundings(),
        )
    assert (done.returncode, done.stderr) == (0, b"")


def test_what_a_terminal_cannot_show_is_shown_somehow(server: str) -> None:
    told("faults", "add", '{"headers": {"x-name": "é"}}', MOCKVOICE_URL=server)
    shown = told("faults", MOCKVOICE_URL=server, PYTHONIOENCODING="ascii")
    assert r'{"x-name": "\xe9"}' in shown


@pytest.fixture
def keyboard() -> Iterator[None]:
    """A shell's background job ignores its interrupts, and so would what it starts."""
    usual = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, usual)


@pytest.mark.usefixtures("keyboard")
def test_a_verb_is_stopped_by_the_keyboard_without_a_word() -> None:
    with subprocess.Popen(
        [*MOCKVOICE, "wait", "--url", f"http://127.0.0.1:{free_port()}"],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env=surroundings(),
    ) as process:
        assert process.stdout
        process.stdout.readline()
        process.send_signal(signal.SIGINT)
        assert process.communicate(timeout=5) == ("", "")
        assert process.returncode == 130


def test_a_health_check_imports_nothing_that_it_does_not_need() -> None:
    with serving() as (_, url):
        command = [sys.executable, "-X", "importtime", *MOCKVOICE[1:], "health", "--url", url]
        done = subprocess.run(
            command, capture_output=True, text=True, check=True, env=surroundings()
        )
    imported = {line.rpartition("|")[2].strip() for line in done.stderr.splitlines()}
    assert "mockvoice.client.control" in imported
    heavy = {"asyncio", "jsonschema_rs", "python_multipart", "starlette", "uvicorn", "yaml"}
    assert not imported & heavy

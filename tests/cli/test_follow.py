"""`mockvoice requests --follow`, and colors on terminals."""

from __future__ import annotations

import json
import os
import pty
import re
import signal
import subprocess
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import ClassVar

import httpx
import pytest

import mockvoice
from mockvoice import Control
from mockvoice.client.control import ControlError
from mockvoice.client.events import follow

from .processes import MOCKVOICE, clean_environ, run, start_server

KEY = {"authorization": "Bearer KEY"}


class Follower:
    """A running `mockvoice requests --follow`."""

    def __init__(self, process: subprocess.Popen[str]) -> None:
        self.process = process

    def line(self) -> str:
        """Return the next line of its output."""
        assert self.process.stdout
        return self.process.stdout.readline().rstrip("\n")

    def end(self) -> tuple[int, str, str]:
        """Wait for its end; return the exit code, and the rest of stdout and stderr."""
        stdout, stderr = self.process.communicate(timeout=10)
        return self.process.returncode, stdout, stderr


@contextmanager
def following(url: str, *arguments: str) -> Iterator[Follower]:
    with subprocess.Popen(
        [*MOCKVOICE, "requests", "--follow", "--url", url, *arguments],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env=clean_environ(),
    ) as process:
        try:
            yield Follower(process)
        finally:
            process.kill()


def send(mock: Control, *, key: bool = True) -> None:
    httpx.get(f"{mock.retell.base_url}/list-voices", headers=KEY if key else {})


def line(number: int, status: int) -> str:
    return f"request_{number}  retell listVoices  GET /retell/list-voices  -> {status}"


def test_follow_prints_the_journal_and_later_requests(mock: Control) -> None:
    send(mock)
    with following(mock.url, "--short") as follower:
        assert follower.line() == line(1, 200)
        for number in (2, 3):
            send(mock, key=False)
            assert follower.line() == line(number, 401)
        follower.process.send_signal(signal.SIGINT)
        assert follower.end() == (130, "", "")


def test_follow_prints_details_like_the_report(mock: Control) -> None:
    with following(mock.url) as follower:
        httpx.post(f"{mock.telnyx.base_url}/voice_clones", headers=KEY, json={"name": "n"})
        report = mock.report().splitlines()
        assert [follower.line() for _ in report] == report


def test_follow_applies_filters(mock: Control) -> None:
    send(mock, key=False)
    send(mock, key=False)
    with following(mock.url, "--short", "--status", "4xx", "--limit", "1") as follower:
        assert follower.line() == line(2, 401)
        send(mock)
        send(mock, key=False)
        assert follower.line() == line(4, 401)


def test_follow_prints_one_json_object_per_line(mock: Control) -> None:
    with following(mock.url, "--json") as follower:
        send(mock)
        assert json.loads(follower.line()) == mock.request("GET", "/requests/request_1")
        mock.reset()
        assert json.loads(follower.line()) == {"cleared": mock.name}


def test_follow_shows_all_sandboxes() -> None:
    with mockvoice.serve() as mock:
        send(mock.sandbox("one"))
        with following(mock.url, "--all-sandboxes", "--short") as follower:
            assert follower.line() == f"~one  {line(1, 200)}"
            send(mock)
            assert follower.line() == line(1, 200)
            send(mock.sandbox("two"))
            assert follower.line() == f"~two  {line(1, 200)}"
            mock.sandbox("two").reset()
            assert follower.line() == "~two  (journal cleared)"


def test_follow_waits_for_a_sandbox_that_does_not_exist_yet() -> None:
    with mockvoice.serve() as mock, following(mock.url, "--sandbox", "new", "--short") as follower:
        assert follower.process.stderr
        assert follower.process.stderr.readline() == "mockvoice: waiting for the sandbox new\n"
        send(mock.sandbox("new"))
        assert follower.line() == line(1, 200)


def test_follow_continues_after_a_reset(mock: Control) -> None:
    send(mock)
    with following(mock.url, "--short") as follower:
        assert follower.line() == line(1, 200)
        mock.reset()
        assert follower.line() == "(journal cleared)"
        send(mock)
        assert follower.line() == line(1, 200)


def test_follow_ends_with_exit_code_1_when_the_server_stops() -> None:
    with start_server() as server, following(server.url, "--short") as follower:
        send(mockvoice.connect(server.url))
        assert follower.line() == line(1, 200)
        assert server.stop()[0] == 0
        code, _, stderr = follower.end()
    assert code == 1
    assert stderr.startswith(f"mockvoice: no mockvoice server at {server.url}: ")


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--clear", "--follow"], "--clear deletes all requests; it cannot be combined with --f"),
        (["--all-sandboxes"], "--all-sandboxes needs --follow"),
        (
            ["--all-sandboxes", "--follow", "--limit", "1"],
            "--all-sandboxes cannot be combined with --limit",
        ),
    ],
)
def test_contradicting_flags_are_usage_errors(arguments: list[str], message: str) -> None:
    with mockvoice.serve() as mock:
        result = run("requests", *arguments, MOCKVOICE_URL=mock.url)
    assert (result.returncode, result.stdout) == (2, "")
    assert result.stderr.startswith(f"mockvoice: {message}")


@pytest.mark.parametrize("status", ["4x", "404x", "xxx", "600", "ok"])
def test_invalid_status_is_a_usage_error(status: str) -> None:
    result = run("requests", "--status", status)
    assert result.returncode == 2
    expected = f"must be a status such as 404, or a class such as 4xx; got '{status}'"
    assert f"argument --status: {expected}" in result.stderr


# --- the client ----------------------------------------------------------------------------------


class Breaking(BaseHTTPRequestHandler):
    """Ends the first connection within an event, sends another one on the second."""

    resumed_at: ClassVar[list[str | None]] = []

    def do_GET(self) -> None:
        self.resumed_at.append(self.headers["last-event-id"])
        self.send_response(200)
        self.send_header("content-type", "text/event-stream")
        self.end_headers()
        number = 10 + len(self.resumed_at)
        event = f'event: request\nid: {number}\ndata: {{"n": {number}}}\n\n'
        self.wfile.write(b"retry: 500\nid: 5\n\n" if number == 11 else b"")
        self.wfile.write(event.encode())
        self.wfile.write(b"event: request\nid: 99\nda")

    def log_message(self, *arguments: object) -> None:
        """Print nothing."""


def test_broken_stream_continues_after_the_last_event() -> None:
    with ThreadingHTTPServer(("127.0.0.1", 0), Breaking) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        events = follow(f"http://127.0.0.1:{server.server_port}", "", {})
        received = [next(events) for _ in range(3)]
        server.shutdown()
        thread.join()
    assert [event.data for event in received] == [None, {"n": 11}, {"n": 12}]
    assert Breaking.resumed_at == [None, "11"]


def test_rejected_stream_raises_the_reason() -> None:
    with (
        mockvoice.serve(control_token="t") as mock,
        pytest.raises(ControlError, match="requires `Authorization: Bearer`"),
    ):
        next(follow(mock.url, "", {}))


# --- colors --------------------------------------------------------------------------------------


def on_terminal(*arguments: str, **environment: str) -> str:
    """Return what a command prints to a terminal."""
    terminal, standard_output = pty.openpty()
    with subprocess.Popen(
        [*MOCKVOICE, *arguments],
        stdout=standard_output,
        env=clean_environ(TERM="xterm", **environment),
    ) as process:
        os.close(standard_output)
        data = b""
        try:
            while chunk := os.read(terminal, 65536):
                data += chunk
        except OSError:  # how Linux reports the end
            pass
        process.wait(10)
    os.close(terminal)
    return data.decode().replace("\r\n", "\n")


def test_requests_have_colors_on_a_terminal_only(mock: Control) -> None:
    send(mock)
    httpx.post(f"{mock.telnyx.base_url}/voice_clones", headers=KEY, json={"nam": "n"})
    mock.retell.sequence([503, "reset"])
    send(mock)
    with pytest.raises(httpx.HTTPError):
        send(mock)
    colored = on_terminal("requests", MOCKVOICE_URL=mock.url)
    for code, text in ((32, "200"), (33, "422"), (31, "503"), (31, "no response")):
        assert f"-> \033[{code}m{text}\033[0m" in colored
    assert "\033[33m    violation in body: " in colored
    assert "\033[36m    hint: " in colored
    plain = run("requests", MOCKVOICE_URL=mock.url).stdout
    assert re.sub(r"\033\[\d+m", "", colored) == plain
    assert "\033" not in on_terminal("requests", MOCKVOICE_URL=mock.url, NO_COLOR="1")
    assert "\033" not in on_terminal("requests", "--json", MOCKVOICE_URL=mock.url)

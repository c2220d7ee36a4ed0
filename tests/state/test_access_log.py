"""The access log: one line for each request."""

from __future__ import annotations

import json
import os
from contextlib import redirect_stdout

import pytest

from mockvoice.state.access_log import MAX_WAITING, access_log

from .requests import make_entry

ENTRY = make_entry(7, status=201, milliseconds=1.25)
FAULTY = make_entry(8, fault="fault_1", kind="reset", milliseconds=0.5)
GONE = make_entry(9, fault="fault_2", kind="delay", client_closed=0.2, milliseconds=200.0)


def lines(format: str, capsys: pytest.CaptureFixture[str]) -> list[str]:
    print_line = access_log(format)
    assert print_line
    print_line("", ENTRY)
    print_line("box", FAULTY)
    print_line("", GONE)
    print_line.close(10)
    return capsys.readouterr().out.splitlines()


def test_off_prints_nothing() -> None:
    assert access_log("off") is None


def test_text_has_sandbox_operation_status_and_fault(capsys: pytest.CaptureFixture[str]) -> None:
    first, second, third = lines("text", capsys)
    assert first == "1970-01-01T00:00:00Z  request_7  acme clone  POST /clone  -> 201  1.2 ms"
    assert second == (
        "1970-01-01T00:00:00Z  ~box  request_8  acme clone  POST /clone"
        "  -> no response, reset (fault_1)  0.5 ms"
    )
    assert third.endswith(
        "-> no response, delay (fault_2), client closed the connection after 0.2 s  200.0 ms"
    )


def test_json_has_the_names_of_the_journal(capsys: pytest.CaptureFixture[str]) -> None:
    first, second, third = map(json.loads, lines("json", capsys))
    assert first == {
        "at": "1970-01-01T00:00:00Z",
        "id": "request_7",
        "sandbox": "",
        "provider": "acme",
        "operation": "clone",
        "method": "POST",
        "path": "/clone",
        "account": first["account"],
        "status": 201,
        "fault": None,
        "client_closed": None,
        "milliseconds": 1.25,
        "reason": "",
        "hint": "",
    }
    assert second["sandbox"] == "box"
    assert second["fault"] == {"id": "fault_1", "kind": "reset"}
    assert third["client_closed"] == 0.2


def test_unprintable_paths_are_escaped(capsys: pytest.CaptureFixture[str]) -> None:
    print_line = access_log("text")
    assert print_line
    entry = make_entry(1)
    print_line("", type(entry)(1, "acme", "", "", "GET", "/a\x1b[2J", b"", (), 0.0))
    print_line.close(10)
    line = capsys.readouterr().out
    assert "\x1b" not in line
    assert "acme (no operation)  GET '/a\\x1b[2J'" in line


def test_closed_pipe_fails_no_request() -> None:
    read, write = os.pipe()
    os.close(read)
    print_line = access_log("text")
    assert print_line
    pipe = os.fdopen(write, "w")
    with redirect_stdout(pipe):
        print_line("", ENTRY)
        print_line.close(10)
    pipe.close()


def test_lines_that_nobody_reads_are_dropped_and_counted() -> None:
    read, write = os.pipe()
    with os.fdopen(read) as reader, os.fdopen(write, "w") as writer, redirect_stdout(writer):
        log = access_log("json")
        assert log
        for _ in range(MAX_WAITING + 5000):
            log("", ENTRY)
        lines = iter(reader)
        # 100 more than may wait, so that the rest fits into the pipe while nobody reads it.
        first = [json.loads(next(lines)) for _ in range(MAX_WAITING + 100)]
        log("", ENTRY)
        log.close(10)
        writer.close()
        rest = [json.loads(line) for line in lines]
    printed = [*first, *rest]
    dropped = sum(line.get("dropped", 0) for line in printed)
    assert dropped > 0
    assert sum("id" in line for line in printed) + dropped == MAX_WAITING + 5001

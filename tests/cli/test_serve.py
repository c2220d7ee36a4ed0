"""`mockvoice serve`."""

from __future__ import annotations

import json
import os
import signal
import socket
from pathlib import Path
from urllib.parse import urlsplit

import httpx
import pytest

from mockvoice import __version__

from .processes import free_port, run, serving, started, told

KEY = {"authorization": "Bearer KEY"}


def test_serve_prints_a_line_for_each_provider_and_answers() -> None:
    with serving() as (lines, url):
        assert [line.split()[0] for line in lines] == [
            "faseeh",
            "retell",
            "supertone",
            "telnyx",
            "mockvoice",
        ]
        assert lines[3].split()[1:] == [f"{url}/telnyx/v2", "authorization:", "Bearer", "KEY"]
        health = httpx.get(f"{url}/__mockvoice/health").json()
        assert health == {
            "status": "ok",
            "version": __version__,
            "providers": ["faseeh", "retell", "supertone", "telnyx"],
        }


def test_a_flag_wins_over_the_environment_and_that_over_a_file(tmp_path: Path) -> None:
    file = tmp_path / "mockvoice.yaml"
    file.write_text("audio: any\nlimits: documented\naccounts: {supertone: {k: {tier: free}}}\n")
    key = {"x-sup-api-key": "k"}
    sample = {"files": b"Example data"}
    with serving("--config", str(file), "--audio", "strict", MOCKVOICE_AUDIO="any") as (_, url):
        path = f"{url}/supertone/v1/custom-voices/cloned-voice"
        assert httpx.post(path, headers=key, files=sample).status_code == 403
        other = {"x-sup-api-key": "other"}
        refused = httpx.post(path, headers=other, files=sample, data={"name": "n"})
        assert refused.status_code == 415
    with serving(MOCKVOICE_AUDIO="any") as (_, url):
        path = f"{url}/supertone/v1/custom-voices/cloned-voice"
        assert httpx.post(path, headers=key, files=sample, data={"name": "n"}).status_code == 200


def test_a_port_that_is_taken_is_told_with_what_to_do() -> None:
    with serving() as (_, url):
        port = url.rpartition(":")[2]
        done = run("serve", "--port", port)
        assert done.returncode == 2
        assert done.stderr == (
            f"mockvoice: cannot listen on 127.0.0.1 port {port}: Address already in use;"
            " stop what listens there, or choose another --port (0 takes a free one)\n"
        )


@pytest.mark.parametrize(
    ("arguments", "environment", "told"),
    [
        (["--audio", "loud"], {}, "invalid choice: 'loud'"),
        (["--port", "x"], {}, "invalid int value: 'x'"),
        (["--speed", "1"], {}, "unrecognized arguments"),
        ([], {"MOCKVOICE_PORT": "x"}, "MOCKVOICE_PORT must be a whole number; got 'x'"),
        ([], {"MOCKVOICE_AUDIO": "x"}, "audio must be strict or any; got 'x'"),
        ([], {"MOCKVOICE_DIAGNOSTICS": "x"}, "MOCKVOICE_DIAGNOSTICS must be true or false"),
        ([], {"MOCKVOICE_PORT": "-1"}, "port must be at least 0; got -1"),
        (["--port", "65536"], {}, "port must be at most 65535; got 65536"),
        (["--max-sandboxes", "0"], {}, "max_sandboxes must be at least 1; got 0"),
    ],
)
def test_a_setting_that_cannot_be_is_told_by_its_name(
    arguments: list[str], environment: dict[str, str], told: str
) -> None:
    done = run("serve", *arguments, **environment)
    assert done.returncode == 2
    assert told in done.stderr
    assert "Traceback" not in done.stderr


def test_the_port_that_kubernetes_tells_is_no_setting() -> None:
    """Where there is a Service called mockvoice, it sets MOCKVOICE_PORT."""
    there = {"MOCKVOICE_PORT": "tcp://10.96.0.1:4010"}
    with serving(**there) as (_, url):
        assert httpx.get(f"{url}/health").status_code == 200
    waited = run("wait", "--timeout", "0", MOCKVOICE_URL="", **there)
    assert waited.stdout.startswith("waiting for http://127.0.0.1:4010\n")


ACME = """
openapi: 3.1.0
info: {title: Acme, version: '1'}
servers: [{url: 'https://api.acme.example/v9'}]
paths:
  /songs:
    get: {operationId: listSongs, responses: {'200': {description: ok}}}
"""
MOCK = """
from mockvoice.provider import Provider

provider = Provider("acme")

@provider.operation("listSongs")
async def list_songs(call):
    return ["one"]
"""


def test_other_providers_are_served_with_modules_from_where_it_is_started(tmp_path: Path) -> None:
    (tmp_path / "acme.yaml").write_text(ACME)
    (tmp_path / "acme_mock.py").write_text(MOCK)
    given = ["--provider", "acme=acme.yaml:acme_mock", "--provider", "twin=acme.yaml"]
    with serving(*given, cwd=tmp_path) as (lines, url):
        assert [line.split()[:2] for line in lines[:2]] == [
            ["acme", f"{url}/acme/v9"],
            ["twin", f"{url}/twin/v9"],
        ]
        assert httpx.get(f"{url}/acme/v9/songs").json() == ["one"]
        assert httpx.get(f"{url}/twin/v9/songs").status_code == 200


@pytest.mark.parametrize(
    ("given", "told"),
    [
        ("acme", "a provider is given as acme=path.yaml or acme=path.yaml:module"),
        ("acme=no.yaml", "the contract of acme is not there: no file no.yaml"),
        ("telnyx=acme.yaml", "there is a provider telnyx already; choose another name"),
        ("acme=bad.yaml", "acme: not an OpenAPI document"),
        ("acme=acme.yaml:no_such", "the module of acme cannot be imported: No module named"),
        ("acme=acme.yaml:bad.py", "the module of acme cannot be imported: NameError: name 'x'"),
    ],
)
def test_a_provider_that_cannot_be_served_is_told(tmp_path: Path, given: str, told: str) -> None:
    (tmp_path / "acme.yaml").write_text(ACME)
    (tmp_path / "bad.yaml").write_text("[]")
    (tmp_path / "bad.py").write_text("x\n")
    done = run("serve", "--port", "0", "--provider", given, cwd=tmp_path)
    assert done.returncode == 2
    assert done.stderr.startswith(f"mockvoice: {told}")
    assert done.stderr.count("\n") == 1


def send(url: str) -> None:
    """A request that succeeds, one that is refused, and one that is never answered."""
    assert httpx.get(f"{url}/retell/list-voices", headers=KEY).status_code == 200
    other = f"{url}/~one/retell/get-voice/a%0Ab"
    assert httpx.get(other, headers=KEY).status_code == 422
    asked = {**KEY, "x-mockvoice-fault": '{"kind": "disconnect"}'}
    with pytest.raises(httpx.RemoteProtocolError):
        httpx.get(f"{url}/retell/list-voices", headers=asked)


def test_a_log_for_people_has_a_line_for_each_request() -> None:
    with started("--log", "text") as server:
        send(server.url)
        code, output, errors = server.stop()
    assert (code, errors) == (0, "")
    assert [line.split("  ")[1:-1] for line in output.splitlines()] == [
        ["request_1", "retell listVoices", "GET /retell/list-voices", "-> 200"],
        ["~one", "request_1", "retell getVoice", r"GET '/retell/get-voice/a\nb'", "-> 422"],
        [
            "request_2",
            "retell listVoices",
            "GET /retell/list-voices",
            "-> no reply, disconnect (header)",
        ],
    ]


def test_a_log_for_machines_is_json_without_secrets() -> None:
    with started(MOCKVOICE_LOG="json") as server:
        send(server.url)
        lines = [*map(json.loads, server.stop()[1].splitlines())]
    assert [line["status"] for line in lines] == [200, 422, None]
    assert [line["sandbox"] for line in lines] == ["", "one", ""]
    last = lines[-1]
    assert last.pop("milliseconds") > 0
    assert last.pop("at").endswith("Z")
    assert "KEY" not in last.pop("account")
    assert last == {
        "id": "request_2",
        "sandbox": "",
        "provider": "retell",
        "operation": "listVoices",
        "method": "GET",
        "path": "/retell/list-voices",
        "status": None,
        "fault": {"id": "header", "kind": "disconnect"},
    }


def test_nothing_is_logged_unless_inject_with() -> None:
    with started() as server:
        send(server.url)
        assert server.stop() == (0, "", "")


def test_a_server_may_start_without_a_word() -> None:
    port = str(free_port())
    with started("--port", port, "--quiet", "--log", "json") as server:
        told("wait", MOCKVOICE_PORT=port)
        send(f"http://127.0.0.1:{port}")
        code, output, errors = server.stop()
    assert (code, errors) == (0, "")
    assert [json.loads(line)["id"] for line in output.splitlines()][-1] == "request_2"


@pytest.mark.parametrize("by", [signal.SIGTERM, signal.SIGINT])
def test_a_server_stops_concurrency_and_well_whatever_hangs(by: signal.Signals) -> None:
    with started() as server:
        place = urlsplit(server.url).hostname, urlsplit(server.url).port

        def sent(text: str) -> socket.socket:
            client = socket.create_connection(place, timeout=5)
            client.sendall(text.replace("\n", "\r\n").encode())
            return client

        get = "GET /retell/list-voices HTTP/1.1\nHost: x\nAuthorization: Bearer KEY\n"
        upload = "POST /retell/clone-voice HTTP/1.1\nHost: x\nContent-Length: 9\n\nx"
        clients = [sent(f"{get}\n"), sent(get), sent(upload)]
        clients[0].recv(65536)  # and now it is idle, to be used again
        for kind in ("timeout", "delay", "drip"):
            fault = json.dumps({"kind": kind, "seconds": 600})
            clients.append(sent(f"{get}X-Mockvoice-Fault: {fault}\n\n"))
        clients[-1].recv(1)
        # All of them have arrived: a later one was answered.
        assert httpx.get(f"{server.url}/health").status_code == 200
        assert server.stop(by) == (0, "", "")
        for client in clients:
            client.close()


def test_it_is_stopped_while_it_starts(tmp_path: Path) -> None:
    """As the first process of a container it is not stopped by a signal that it does not handle."""
    file = tmp_path / "mockvoice.yaml"
    os.mkfifo(file)
    with started("--quiet", "--config", str(file)) as server:
        with file.open("w"):  # it opens when the server has opened it too
            assert server.stop() == (0, "", "")

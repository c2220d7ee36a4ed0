"""Command `serve`."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
from pathlib import Path
from urllib.parse import urlsplit

import httpx
import pytest

from mockvoice import __version__

from .processes import check_output, clean_environ, free_port, run, serving, start_server

KEY = {"authorization": "Bearer KEY"}


def test_serve_prints_one_line_per_provider() -> None:
    with serving() as (lines, url):
        assert [line.split()[0] for line in lines] == [
            "faseeh",
            "retell",
            "supertone",
            "telnyx",
            "mockvoice",
        ]
        url_and_key = [f"{url}/telnyx/v2", "authorization:", "Bearer", "KEY"]
        assert lines[3].split()[1:] == [*url_and_key, "edition", "2026-03-20"]
        health = httpx.get(f"{url}/__mockvoice/health").json()
        assert health == {
            "status": "ok",
            "version": __version__,
            "providers": ["faseeh", "retell", "supertone", "telnyx"],
        }


def test_flag_overrides_variable_overrides_file(tmp_path: Path) -> None:
    file = tmp_path / "mockvoice.yaml"
    file.write_text("audio: any\nlimits: documented\naccounts: {supertone: {k: {tier: free}}}\n")
    key = {"x-sup-api-key": "k"}
    sample = {"files": b"Example data"}
    with serving("--config", str(file), "--audio", "strict", MOCKVOICE_AUDIO="any") as (_, url):
        path = f"{url}/supertone/v1/custom-voices/cloned-voice"
        assert httpx.post(path, headers=key, files=sample).status_code == 403
        other = {"x-sup-api-key": "other"}
        rejected = httpx.post(path, headers=other, files=sample, data={"name": "n"})
        assert rejected.status_code == 415
    with serving(MOCKVOICE_AUDIO="any") as (_, url):
        path = f"{url}/supertone/v1/custom-voices/cloned-voice"
        assert httpx.post(path, headers=key, files=sample, data={"name": "n"}).status_code == 200


def test_port_in_use_exits_with_2_and_advice() -> None:
    with serving() as (_, url):
        port = url.rpartition(":")[2]
        result = run("serve", "--port", port)
        assert result.returncode == 2
        assert result.stderr == (
            f"mockvoice: cannot listen on 127.0.0.1 port {port}: Address already in use;"
            " stop the program that uses it, or choose another --port (0 takes a free one)\n"
        )


@pytest.mark.parametrize(
    ("host", "reason"),
    [
        ("192.0.2.1", "Cannot assign requested address"),  # RFC 5737: no machine has it
        ("::zz", "Name or service not known"),
        ("é..b", "not a valid host name"),
    ],
)
def test_unbindable_host_exits_with_2_and_advice(host: str, reason: str) -> None:
    result = run("serve", "--port", "0", "--host", host)
    assert result.returncode == 2
    assert result.stderr == (
        f"mockvoice: cannot listen on {host} port 0: {reason};"
        " --host must be an address of this machine, such as 127.0.0.1 or 0.0.0.0\n"
    )


@pytest.mark.parametrize(("value", "explained"), [("off", False), ("ON", True), ("no", False)])
def test_boolean_variable_accepts_on_and_off(value: str, *, explained: bool) -> None:
    with serving(MOCKVOICE_DIAGNOSTICS=value) as (_, url):
        response = httpx.post(f"{url}/retell/clone-voice", headers=KEY)
        assert ("x-mockvoice-violations" in response.headers) is explained


@pytest.mark.parametrize(
    ("arguments", "environment", "message"),
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
def test_invalid_setting_exits_with_2_and_its_name(
    arguments: list[str], environment: dict[str, str], message: str
) -> None:
    result = run("serve", *arguments, **environment)
    assert result.returncode == 2
    assert message in result.stderr
    assert "Traceback" not in result.stderr


def test_port_variable_from_kubernetes_is_ignored() -> None:
    """Kubernetes sets MOCKVOICE_PORT for a Service called mockvoice."""
    environment = {"MOCKVOICE_PORT": "tcp://10.96.0.1:4010"}
    with serving(**environment) as (_, url):
        assert httpx.get(f"{url}/health").status_code == 200
    waited = run("wait", "--timeout", "0", MOCKVOICE_URL="", **environment)
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
async def list_songs(ctx):
    return ["one"]
"""


def test_provider_modules_are_imported_from_current_directory(tmp_path: Path) -> None:
    (tmp_path / "acme.yaml").write_text(ACME)
    (tmp_path / "acme_mock.py").write_text(MOCK)
    flags = ["--provider", "acme=acme.yaml:acme_mock", "--provider", "twin=acme.yaml"]
    with serving(*flags, cwd=tmp_path) as (lines, url):
        assert [line.split()[:2] for line in lines[:2]] == [
            ["acme", f"{url}/acme/v9"],
            ["twin", f"{url}/twin/v9"],
        ]
        assert httpx.get(f"{url}/acme/v9/songs").json() == ["one"]
        assert httpx.get(f"{url}/twin/v9/songs").status_code == 200


@pytest.mark.parametrize(
    ("provider", "message"),
    [
        ("acme", "a provider must be acme=path.yaml or acme=path.yaml:module"),
        ("acme=no.yaml", "the contract of acme does not exist: no.yaml"),
        ("telnyx=acme.yaml", "a provider named telnyx exists; choose another name"),
        ("acme=bad.yaml", "bad.yaml must be an OpenAPI document"),
        ("acme=acme.yaml:no_such", "the module of acme cannot be imported: No module named"),
        ("acme=acme.yaml:bad.py", "the module of acme cannot be imported: NameError: name 'x'"),
    ],
)
def test_invalid_provider_exits_with_2(tmp_path: Path, provider: str, message: str) -> None:
    (tmp_path / "acme.yaml").write_text(ACME)
    (tmp_path / "bad.yaml").write_text("[]")
    (tmp_path / "bad.py").write_text("x\n")
    result = run("serve", "--port", "0", "--provider", provider, cwd=tmp_path)
    assert result.returncode == 2
    assert result.stderr.startswith(f"mockvoice: {message}")
    assert result.stderr.count("\n") == 1


def send(url: str) -> None:
    """Send a request that succeeds, one that is rejected, and one without a response."""
    assert httpx.get(f"{url}/retell/list-voices", headers=KEY).status_code == 200
    other = f"{url}/~one/retell/get-voice/a%0Ab"
    assert httpx.get(other, headers=KEY).status_code == 422
    disconnect = {**KEY, "x-mockvoice-fault": '{"kind": "disconnect"}'}
    with pytest.raises(httpx.RemoteProtocolError):
        httpx.get(f"{url}/retell/list-voices", headers=disconnect)


def test_text_log_has_one_line_per_request() -> None:
    with start_server("--log", "text") as server:
        send(server.url)
        code, stdout, stderr = server.stop()
    assert (code, stderr) == (0, "")
    assert [line.split("  ")[1:-1] for line in stdout.splitlines()] == [
        ["request_1", "retell listVoices", "GET /retell/list-voices", "-> 200"],
        ["~one", "request_1", "retell getVoice", r"GET '/retell/get-voice/a\nb'", "-> 422"],
        [
            "request_2",
            "retell listVoices",
            "GET /retell/list-voices",
            "-> no response, disconnect (header)",
        ],
    ]


def test_json_log_masks_keys() -> None:
    with start_server(MOCKVOICE_LOG="json") as server:
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
        "client_closed": None,
        "reason": "",
        "hint": "",
    }


def test_log_is_off_by_default() -> None:
    with start_server() as server:
        send(server.url)
        assert server.stop() == (0, "", "")


def test_quiet_prints_only_the_log() -> None:
    port = str(free_port())
    with start_server("--port", port, "--quiet", "--log", "json") as server:
        check_output("wait", MOCKVOICE_PORT=port)
        send(f"http://127.0.0.1:{port}")
        code, stdout, stderr = server.stop()
    assert (code, stderr) == (0, "")
    assert [json.loads(line)["id"] for line in stdout.splitlines()][-1] == "request_2"


@pytest.mark.parametrize("signum", [signal.SIGTERM, signal.SIGINT])
def test_server_stops_immediately_with_open_connections(signum: signal.Signals) -> None:
    with start_server() as server:
        address = urlsplit(server.url).hostname, urlsplit(server.url).port

        def send_raw(text: str) -> socket.socket:
            client = socket.create_connection(address, timeout=5)
            client.sendall(text.replace("\n", "\r\n").encode())
            return client

        get = "GET /retell/list-voices HTTP/1.1\nHost: x\nAuthorization: Bearer KEY\n"
        upload = "POST /retell/clone-voice HTTP/1.1\nHost: x\nContent-Length: 9\n\nx"
        clients = [send_raw(f"{get}\n"), send_raw(get), send_raw(upload)]
        clients[0].recv(65536)  # now an idle keep-alive connection
        for kind in ("timeout", "delay", "drip"):
            fault = json.dumps({"kind": kind, "seconds": 600})
            clients.append(send_raw(f"{get}X-Mockvoice-Fault: {fault}\n\n"))
        clients[-1].recv(1)
        # A later request was answered, so the server has received all of them.
        assert httpx.get(f"{server.url}/health").status_code == 200
        assert server.stop(signum) == (0, "", "")
        for client in clients:
            client.close()


def test_server_stops_during_startup(tmp_path: Path) -> None:
    """PID 1 of a container must handle SIGTERM itself from the beginning."""
    file = tmp_path / "mockvoice.yaml"
    os.mkfifo(file)
    with start_server("--quiet", "--config", str(file)) as server:
        with file.open("w"):  # blocks until the server opens the file
            assert server.stop() == (0, "", "")


@pytest.mark.parametrize("log", ["json", "text"])
def test_unread_log_blocks_neither_requests_nor_sigterm(log: str) -> None:
    """The server froze after 257 requests."""
    with start_server("--log", log) as server:
        with httpx.Client(base_url=server.url) as client:
            for _ in range(300):  # a pipe holds 64 KB
                assert client.get(f"/retell/{'x' * 900}").status_code == 404
        assert server.stop_without_reading() == 0


@pytest.mark.parametrize("closed", [">&-", "2>&-", "<&- >&- 2>&-"])
def test_server_starts_with_closed_output(closed: str) -> None:
    port = free_port()
    command = f"exec {sys.executable} -m mockvoice serve --port {port} --log json {closed}"
    with subprocess.Popen(
        command, shell=True, stdout=subprocess.PIPE, stderr=subprocess.PIPE, env=clean_environ()
    ) as process:
        check_output("wait", MOCKVOICE_PORT=str(port))
        assert httpx.get(f"http://127.0.0.1:{port}/retell/list-voices").status_code == 401
        process.terminate()
        stdout, stderr = process.communicate(timeout=5)
    assert (process.returncode, stderr) == (0, b"")
    assert bool(stdout) is (closed == "2>&-")


INTERRUPTED = """
import os, signal, sys
sys.argv[1:] = {arguments!r}
class Finder:
    def find_spec(self, name, path=None, target=None):
        if name == {module!r}:
            os.kill(os.getpid(), {signum})
sys.meta_path.insert(0, Finder())
from mockvoice.__main__ import main
sys.exit(main())
"""


@pytest.mark.parametrize(
    "module", ["mockvoice.cli", "argparse", "mockvoice.http.server", "uvicorn", "starlette.routing"]
)
@pytest.mark.parametrize(("signum", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 0)])
def test_signal_during_imports_ends_the_server_quietly(
    module: str, signum: signal.Signals, code: int
) -> None:
    """Ctrl-C within a tenth of a second printed a traceback; SIGTERM was lost in containers."""
    arguments = ["serve", "--port", "0", "--quiet"]
    script = INTERRUPTED.format(arguments=arguments, module=module, signum=int(signum))
    result = subprocess.run(
        [sys.executable, "-c", script],
        capture_output=True,
        text=True,
        timeout=30,
        check=False,
        env=clean_environ(),
    )
    assert (result.returncode, result.stdout, result.stderr) == (code, "", "")

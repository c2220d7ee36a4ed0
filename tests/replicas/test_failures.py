"""A shared store that fails: at startup, at run time, and with a process that dies."""

from __future__ import annotations

import os
import signal
import socket
import socketserver
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import httpx
import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

from mockvoice.state.redis_client import SCHEMA

from ..cli.processes import run, serving, start_server
from ..conftest import encoded
from ..redis_server import RedisServer, free_port

pytestmark = pytest.mark.slow

BEARER = {"Authorization": "Bearer K"}
FORM = {"voice_name": "n", "voice_provider": "elevenlabs"}
SLOW = {"headers": {"x-slow": "yes"}}  # of requests that `start_clone` sends
WAV = encoded("wav", 0.05)
SECONDS = 30.0  # for what should happen soon


@pytest.fixture
def engine() -> Iterator[RedisServer]:
    """Redis server for one test, which may kill it."""
    with RedisServer() as server:
        yield server


def wait_until(condition: Callable[[], bool], pause: float = 0.05) -> None:
    """Poll until a condition holds."""
    end = time.monotonic() + SECONDS
    while not condition():
        assert time.monotonic() < end
        time.sleep(pause)


def clone(url: str) -> httpx.Response:
    path = f"{url}/retell/clone-voice"
    return httpx.post(path, headers=BEARER, data=FORM, files={"files": WAV}, timeout=30)


def health(url: str) -> int:
    return httpx.get(f"{url}/__mockvoice/health", timeout=30).status_code


# --- startup -------------------------------------------------------------------------------------


def test_unavailable_store_exits_with_1_and_advice() -> None:
    port = free_port()
    result = run("serve", "--port", "0", "--store", f"redis://user:hidden@127.0.0.1:{port}/0")
    assert result.returncode == 1
    assert result.stdout == ""
    (line,) = result.stderr.splitlines()
    assert line.startswith(f"mockvoice: the store redis://127.0.0.1:{port}/0 is not available: ")
    assert "Connection refused" in line
    assert "check that it runs, or wait for it with --store-wait SECONDS" in line
    assert "hidden" not in line


def test_store_wait_waits_for_the_server(engine: RedisServer) -> None:
    engine.kill()
    later = threading.Timer(0.5, engine.start)
    later.start()
    with serving("--store", engine.url, "--store-wait", "30") as (_, url):
        assert health(url) == 200
    later.join()


def test_store_wait_ends_with_an_error() -> None:
    url = f"redis://127.0.0.1:{free_port()}/0"
    result = run("serve", "--port", "0", "--store", url, "--store-wait", "1")
    assert result.returncode == 1
    assert "is not available" in result.stderr


@pytest.mark.parametrize(
    ("url", "message"),
    [
        ("redis:/localhost", "store must be memory, or a URL"),
        ("http://localhost", "store must be memory, or a URL"),
        ("redis://:hidden@localhost:port/0", "--store redis://localhost:port/0 is not a valid URL"),
        ("redis://u:hid/den@localhost:6379/0", "is not a valid URL"),
    ],
)
def test_invalid_url_is_rejected_without_its_password(url: str, message: str) -> None:
    result = run("serve", "--port", "0", "--store", url)
    assert result.returncode in (1, 2)
    assert message in result.stderr
    assert "hid" not in result.stderr


def test_other_schema_exits_with_1_and_advice(engine: RedisServer) -> None:
    engine.client().set("mockvoice:schema", "99")
    result = run("serve", "--port", "0", "--store", engine.url)
    assert result.returncode == 1
    assert f"has schema 99, and this version of mockvoice needs schema {SCHEMA}" in result.stderr
    assert "select another --store-prefix" in result.stderr
    other = ("--store-prefix", "other")
    with serving("--store", engine.url, *other) as (_, url):
        assert health(url) == 200


class OldServer(socketserver.StreamRequestHandler):
    """A Redis server as far as the check of its version goes, which real ones are too new for."""

    def handle(self) -> None:
        while header := self.rfile.readline():
            words = [self._word() for _ in range(int(header[1:]))]
            self.wfile.write(self._reply(words[0].upper()))

    def _word(self) -> bytes:
        size = int(self.rfile.readline()[1:])
        return self.rfile.read(size + 2)[:-2]

    def _reply(self, command: bytes) -> bytes:
        if command == b"INFO":
            info = b"# Server\r\nredis_version:5.0.14\r\n"
            return b"$%d\r\n%s\r\n" % (len(info), info)
        if command == b"GET":
            return b"$-1\r\n"
        return b"-ERR unknown command `%s`, with args beginning with:\r\n" % command


def test_old_server_exits_with_1_and_the_versions_that_work() -> None:
    with socketserver.ThreadingTCPServer(("127.0.0.1", 0), OldServer) as old:
        thread = threading.Thread(target=old.serve_forever)
        thread.start()
        url = f"redis://127.0.0.1:{old.server_address[1]}/0"
        result = run("serve", "--port", "0", "--store", url)
        old.shutdown()
        thread.join()
    assert result.returncode == 1
    expected = f"{url} is Redis 5.0.14; --store needs Redis 7 or Valkey 8, or newer"
    assert result.stderr == f"mockvoice: {expected}\n"


def test_schema_that_changes_at_run_time_is_503(engine: RedisServer) -> None:
    with serving("--store", engine.url) as (_, url):
        client = engine.client()
        client.flushall()
        client.set("mockvoice:schema", "99")
        response = clone(url)
        assert response.status_code == 503
        assert "has schema 99" in response.json()["detail"]


def test_wrong_password_exits_with_1_and_never_shows_it() -> None:
    with RedisServer("--requirepass", "the-right-one") as engine:
        url = f"redis://:hidden@127.0.0.1:{engine.port}/0"
        result = run("serve", "--port", "0", "--store", url)
        assert result.returncode == 1
        assert "rejects the login" in result.stderr
        assert "hidden" not in result.stderr
        right = f"redis://:the-right-one@127.0.0.1:{engine.port}/0"
        with serving("--store", right) as (lines, address):
            assert clone(address).status_code == 201
            engine.kill()
            response = clone(address)
            assert response.status_code == 503
            assert "the-right-one" not in response.text + "".join(lines)


def test_tls_is_verified(tmp_path: Path) -> None:
    certificate, key = make_certificate(tmp_path)
    port = free_port()
    options = ("--tls-port", str(port), "--tls-auth-clients", "no")
    files = (
        "--tls-cert-file",
        certificate,
        "--tls-key-file",
        key,
        "--tls-ca-cert-file",
        certificate,
    )
    with RedisServer(*options, *files):
        url = f"rediss://:hidden@localhost:{port}/0"
        result = run("serve", "--port", "0", "--store", url)
        assert result.returncode == 1
        assert "certificate" in result.stderr
        assert "hidden" not in result.stderr
        trusted = f"rediss://localhost:{port}/0?ssl_ca_certs={certificate}"
        with serving("--store", trusted) as (_, address):
            assert clone(address).status_code == 201


def make_certificate(folder: Path) -> tuple[str, str]:
    """Return a certificate for localhost, and its key."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "localhost")])
    now = datetime.now(UTC)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName("localhost")]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .sign(key, hashes.SHA256())
    )
    encoding = serialization.Encoding.PEM
    (folder / "cert.pem").write_bytes(certificate.public_bytes(encoding))
    (folder / "key.pem").write_bytes(
        key.private_bytes(encoding, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    )
    return str(folder / "cert.pem"), str(folder / "key.pem")


# --- run time ------------------------------------------------------------------------------------


def test_lost_store_is_503_and_recovers(engine: RedisServer) -> None:
    with serving("--store", engine.url) as (_, url):
        assert clone(url).status_code == 201
        engine.kill()
        response = clone(url)
        assert response.status_code == 503
        assert response.headers["content-type"] == "application/problem+json"
        assert response.headers["retry-after"] == "1"
        assert response.json()["title"] == "Service Unavailable"
        assert f"the store {engine.url} is not available" in response.json()["detail"]
        assert health(url) == 503
        assert httpx.get(f"{url}/__mockvoice/requests").status_code == 503
        engine.start()
        assert clone(url).status_code == 201
        assert health(url) == 200
        entries = httpx.get(f"{url}/__mockvoice/requests").json()["requests"]
        assert [entry["status"] for entry in entries] == [201]


def test_request_that_lost_the_store_is_not_applied_later(engine: RedisServer) -> None:
    """Its operation was executed, and then its changes could not be stored."""
    with serving("--store", engine.url) as (_, url):
        fault = {"kind": "delay", "seconds": 1, "when": "before", "match": SLOW}
        httpx.post(f"{url}/__mockvoice/faults", json=fault)
        with start_clone(url) as response:
            wait_until(lambda: has_begun(engine))
            engine.kill()
            engine.start()
            assert b" 503 " in response() or b" 201 " in response()
        assert httpx.get(f"{url}/__mockvoice/voices").json()["voices"] == []
        assert httpx.get(f"{url}/__mockvoice/requests").json()["requests"] == []


def test_slow_store_is_503(engine: RedisServer) -> None:
    with serving("--store", engine.url) as (_, url):
        assert clone(url).status_code == 201
        assert engine.process
        engine.process.send_signal(signal.SIGSTOP)
        try:
            response = clone(url)
        finally:
            engine.process.send_signal(signal.SIGCONT)
        assert response.status_code == 503
        assert "did not respond within 10 s" in response.json()["detail"]
        assert clone(url).status_code == 201


def test_full_store_is_503_and_a_reset_frees_its_memory(engine: RedisServer) -> None:
    with serving("--store", engine.url) as (_, url):
        assert clone(url).status_code == 201
        client = engine.client()
        client.config_set("maxmemory", "1")
        response = clone(url)
        assert response.status_code == 503
        assert "is out of memory: raise maxmemory" in response.json()["detail"]
        entries = httpx.get(f"{url}/__mockvoice/requests").json()["requests"]
        assert [entry["status"] for entry in entries] == [201]  # nothing was applied in part
        assert httpx.post(f"{url}/__mockvoice/reset").status_code == 204
        client.config_set("maxmemory", "0")
        assert clone(url).status_code == 201
        assert len(httpx.get(f"{url}/__mockvoice/voices").json()["voices"]) == 1


def test_requests_of_a_killed_replica_do_not_count_as_running(engine: RedisServer) -> None:
    with (
        serving("--store", engine.url) as (_, healthy),
        start_server("--store", engine.url) as dying,
    ):
        limits = {"requests": {"max": 1, "per": None}}
        account = f"{healthy}/__mockvoice/accounts/retell/K"
        assert httpx.put(account, json={"limits": limits}).status_code == 200
        fault = {"kind": "delay", "seconds": 60, "when": "before", "match": SLOW}
        httpx.post(f"{healthy}/__mockvoice/faults", json=fault)
        with start_clone(dying.url):
            wait_until(lambda: has_begun(engine))
            wait_until(lambda: clone(healthy).status_code == 429)
            dying.kill()
        wait_until(lambda: clone(healthy).status_code == 201, pause=1.0)


class start_clone:  # noqa: N801 - used as a function
    """Send a request, and read its response later."""

    def __init__(self, url: str) -> None:
        host, port = url.removeprefix("http://").split(":")
        request = httpx.Request(
            "POST",
            f"{url}/retell/clone-voice",
            headers={**BEARER, **SLOW["headers"]},
            data=FORM,
            files={"files": WAV},
        )
        head = "".join(f"{name}: {value}\r\n" for name, value in request.headers.items())
        self._connection = socket.create_connection((host, int(port)), timeout=SECONDS)
        self._connection.sendall(
            f"POST /retell/clone-voice HTTP/1.1\r\n{head}\r\n".encode() + request.read()
        )

    def __enter__(self) -> Callable[[], bytes]:
        return lambda: self._connection.recv(4096)

    def __exit__(self, *_: object) -> None:
        self._connection.close()


def has_begun(engine: RedisServer) -> bool:
    return any(engine.client().hlen(key) for key in engine.client().keys("mockvoice:running:*"))


def test_environment_variable_selects_the_store(engine: RedisServer) -> None:
    with serving(MOCKVOICE_STORE=engine.url, MOCKVOICE_STORE_PREFIX="team") as (_, url):
        assert clone(url).status_code == 201
    assert engine.client().exists("team:schema")


def test_idle_sandboxes_expire(engine: RedisServer) -> None:
    with serving("--store", engine.url, "--sandbox-ttl", "100") as (_, url):
        assert clone(f"{url}/~idle").status_code == 201
        client = engine.client()
        keys = [*client.scan_iter("mockvoice:s:idle:*")]
        assert len(keys) > 10
        assert all(0 < client.ttl(key) <= 100 for key in keys)
        for key in keys:
            client.expire(key, 0)
        assert httpx.get(f"{url}/~idle/__mockvoice/requests").json()["requests"] == []


def test_memory_store_imports_no_client_of_redis() -> None:
    code = (
        "import sys, mockvoice\n"
        "with mockvoice.serve() as mock: mock.requests\n"
        "assert not {'redis', 'hiredis', 'mockvoice.state.redis'} & sys.modules.keys()"
    )
    subprocess.run([sys.executable, "-c", code], check=True, env=os.environ)


def test_expired_sandboxes_make_room_for_new_ones(engine: RedisServer) -> None:
    with serving("--store", engine.url, "--max-sandboxes", "2") as (_, url):
        for name in ("one", "two"):
            assert clone(f"{url}/~{name}").status_code == 201
        client = engine.client()
        for key in [*client.scan_iter("mockvoice:s:two:*")]:
            client.unlink(key)
        assert clone(f"{url}/~three").status_code == 201
        left = httpx.get(f"{url}/~one/__mockvoice/requests").json()["requests"]
        assert len(left) == 1

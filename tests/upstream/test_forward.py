"""Forwarding: what reaches the live service, and what the client sees."""

from __future__ import annotations

import asyncio
import json
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
import trustme

from mockvoice import create_app
from mockvoice.config.settings import SettingsError
from mockvoice.http.server import Server
from mockvoice.openapi.normalize import ContractError

from ..cli.processes import invoke, run
from ..conftest import Serve
from .stand_in import Received, Reply, StandIn, as_json, stand_in

KEY = "sk_test_forwarded_4711"
AUTHORIZATION = {"authorization": f"Bearer {KEY}"}
VOICES = "/retell/list-voices"


@pytest.fixture
def retell(live: StandIn, serve: Serve) -> Server:
    return serve(upstream={"retell": f"{live.url}/base"}, max_body_mb=1, max_json_mb=1)


def entry(server: Server, **filters: Any) -> Any:
    url = f"{server.url}/__mockvoice/requests"
    return httpx.get(url, params={"limit": 1, **filters}).json()["requests"][-1]


# --- what reaches the live service ---------------------------------------------------------------


def test_request_reaches_the_upstream_with_credentials_and_without_control_headers(
    live: StandIn, retell: Server
) -> None:
    live.reply = lambda request: as_json([{"voice_id": "from-live"}])
    headers = {
        **AUTHORIZATION,
        "x-mockvoice-sandbox": "box",
        "x-own": "kept",
        "connection": "x-hop",
        "x-hop": "1",
        "te": "trailers",
    }
    response = httpx.get(f"{retell.url}{VOICES}?a=1%2F2&b=%20", headers=headers)

    assert response.json() == [{"voice_id": "from-live"}]
    (received,) = live.received
    assert (received.method, received.target) == ("GET", "/base/list-voices?a=1%2F2&b=%20")
    assert received.header("authorization") == AUTHORIZATION["authorization"]
    assert received.header("host") == live.url.removeprefix("http://")
    assert received.header("x-own") == "kept"
    assert received.header("accept-encoding") == "identity"
    assert (received.header("via") or "").startswith("1.1 mockvoice-")
    names = {name.lower() for name, _ in received.headers}
    assert not names & {"x-mockvoice-sandbox", "x-hop", "te", "transfer-encoding"}


def test_sandbox_in_the_path_is_not_sent(live: StandIn, retell: Server) -> None:
    httpx.get(f"{retell.url}/~box{VOICES}/%7Eme%2Fyou", headers=AUTHORIZATION)
    assert live.received[0].target == "/base/list-voices/%7Eme%2Fyou"


def test_intercepted_url_reaches_the_upstream(live: StandIn, retell: Server) -> None:
    with httpx.Client(proxy=retell.url.replace("//", "//box:x@")) as client:
        client.get("http://api.retellai.com/get-voice/a%2Fb", headers=AUTHORIZATION)
    (received,) = live.received
    assert received.target == "/base/get-voice/a%2Fb"
    assert received.header("proxy-authorization") is None


def test_upload_is_sent_byte_for_byte(live: StandIn, retell: Server, wav: bytes) -> None:
    form = b'--X\r\ncontent-disposition: form-data; name="files"; filename="a.wav"\r\n\r\n'
    body = b"preamble\r\n" + form + wav + b"\r\n--X--\r\nepilogue"

    def chunks() -> Iterator[bytes]:
        yield body[:1000]
        yield body[1000:]

    for content in (body, chunks()):
        httpx.post(
            f"{retell.url}/retell/clone-voice",
            content=content,
            headers={**AUTHORIZATION, "content-type": "multipart/form-data; boundary=X"},
        )
    assert [request.body for request in live.received] == [body, body]


def test_malformed_body_and_unknown_path_reach_the_upstream(live: StandIn, retell: Server) -> None:
    live.reply = lambda request: as_json({"from": "live"}, 418)
    broken = httpx.post(
        f"{retell.url}/retell/clone-voice",
        content=b"no form",
        headers={"content-type": "multipart/form-data; boundary=X"},
    )
    unknown = httpx.request("PROPFIND", f"{retell.url}/retell/unknown")
    assert (broken.status_code, unknown.status_code) == (418, 501)  # 501 is of Python's server
    assert [request.body for request in live.received] == [b"no form"]


def test_body_over_the_bounds_is_rejected_here(live: StandIn, retell: Server) -> None:
    response = httpx.post(
        f"{retell.url}/retell/search-community-voice",
        content=b" " * (1024 * 1024 + 1),
        headers={**AUTHORIZATION, "content-type": "application/json"},
    )
    assert response.status_code >= 400
    assert "raise the setting max_" in response.headers["x-mockvoice-hint"]
    assert not live.received


def test_other_providers_are_mocked(live: StandIn, retell: Server) -> None:
    response = httpx.get(f"{retell.url}/supertone/v1/voices", headers={"x-sup-api-key": KEY})
    assert response.status_code == 200
    assert entry(retell)["upstream"] == ""
    assert not live.received


# --- what the client sees ------------------------------------------------------------------------


def test_response_is_unchanged(live: StandIn, retell: Server) -> None:
    body = b'{ "spaces":  [1,\t2] }\n'
    headers = (
        ("content-type", "application/json; charset=utf-8"),
        ("set-cookie", "a=1"),
        ("set-cookie", "b=2"),
        ("date", "Thu, 01 Jan 2015 00:00:00 GMT"),
        ("keep-alive", "timeout=5"),
        ("x-ratelimit-remaining", "7"),
    )
    live.reply = lambda request: Reply(202, body, headers)
    response = httpx.get(f"{retell.url}{VOICES}", headers=AUTHORIZATION)

    assert (response.status_code, response.content) == (202, body)
    assert response.headers["content-type"] == "application/json; charset=utf-8"
    assert response.headers.get_list("set-cookie") == ["a=1", "b=2"]
    assert "Thu, 01 Jan 2015 00:00:00 GMT" in response.headers.get_list("date")
    assert response.headers["x-ratelimit-remaining"] == "7"
    assert "keep-alive" not in response.headers


@pytest.mark.parametrize("status", [204, 304, 404])
def test_response_without_body_is_unchanged(live: StandIn, retell: Server, status: int) -> None:
    live.reply = lambda request: Reply(status, b"", (("etag", '"1"'),))
    for method in ("HEAD", "GET"):
        response = httpx.request(method, f"{retell.url}{VOICES}", headers=AUTHORIZATION)
        assert (response.status_code, response.content) == (status, b"")
        assert response.headers["etag"] == '"1"'


def test_audio_is_streamed_as_it_arrives(live: StandIn, retell: Server) -> None:
    read = threading.Event()

    def pieces() -> Iterator[bytes]:
        yield b"first"
        assert read.wait(20)  # only once the client has the piece before
        yield b"second"

    audio = (("content-type", "audio/mpeg"),)
    live.reply = lambda request: Reply(headers=audio, pieces=pieces())
    with httpx.stream("GET", f"{retell.url}{VOICES}", headers=AUTHORIZATION) as response:
        arriving = response.iter_raw()
        assert next(arriving) == b"first"
        read.set()
        assert next(arriving) == b"second"
    assert (entry(retell)["status"], entry(retell)["upstream"]) == (200, f"{live.url}/base")


def test_compressed_response_is_passed_on(live: StandIn, retell: Server) -> None:
    headers = (("content-type", "application/json"), ("content-encoding", "zstd-of-our-own"))
    live.reply = lambda request: Reply(200, b"\x00\x01", headers)
    with httpx.stream("GET", f"{retell.url}{VOICES}", headers=AUTHORIZATION) as response:
        assert b"".join(response.iter_raw()) == b"\x00\x01"
        assert response.headers["content-encoding"] == "zstd-of-our-own"


def test_large_json_is_streamed(live: StandIn, retell: Server) -> None:
    body = json.dumps(["x" * 1000] * 1500).encode()
    assert len(body) > 1024 * 1024
    live.reply = lambda request: Reply(200, body)
    response = httpx.get(f"{retell.url}{VOICES}", headers=AUTHORIZATION)
    assert response.content == body


def test_response_that_breaks_off_breaks_off_here(live: StandIn, retell: Server) -> None:
    audio = (("content-type", "audio/mpeg"),)
    live.reply = lambda request: Reply(200, b"half", audio, content_length=8)
    with pytest.raises(httpx.RemoteProtocolError):
        httpx.get(f"{retell.url}{VOICES}", headers=AUTHORIZATION)
    assert "broke off the connection" in entry(retell)["hint"]


def test_path_beside_the_base_path_is_not_forwarded(live: StandIn, serve: Serve) -> None:
    server = serve(upstream={"telnyx": live.url})
    response = httpx.get(f"{server.url}/telnyx/voice_clones", headers=AUTHORIZATION)
    assert response.status_code == 404
    assert "the base URL" in response.headers["x-mockvoice-hint"]
    assert not live.received


def test_path_with_needless_escapes_is_forwarded(live: StandIn, retell: Server) -> None:
    httpx.get(f"{retell.url}/%72etell/get-voice/a%20b", headers=AUTHORIZATION)
    assert live.received[0].target == "/base/get-voice/a%20b"


# --- errors --------------------------------------------------------------------------------------


def problem(response: httpx.Response) -> Any:
    assert response.headers["content-type"] == "application/problem+json"
    assert response.json()["status"] == response.status_code
    return response.json()


def free_url() -> str:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return f"http://127.0.0.1:{probe.getsockname()[1]}"


def test_refused_connection_is_502_that_names_the_upstream(serve: Serve) -> None:
    url = free_url()
    server = serve(upstream={"retell": url})
    found = problem(httpx.get(f"{server.url}{VOICES}", headers=AUTHORIZATION))
    assert (found["status"], found["upstream"]) == (502, url)
    assert found["detail"].startswith(f"cannot connect to {url}: ")
    assert entry(server)["status"] == 502


def test_slow_upstream_is_504(live: StandIn, serve: Serve) -> None:
    stop = threading.Event()
    live.reply = lambda request: as_json({"stopped": stop.wait(20)})
    server = serve(upstream={"retell": live.url}, upstream_timeout=1)
    found = problem(httpx.get(f"{server.url}{VOICES}", headers=AUTHORIZATION))
    stop.set()
    assert (found["status"], found["upstream"]) == (504, live.url)
    assert found["detail"] == f"{live.url} did not respond in 1 seconds"
    assert found["hint"] == "raise upstream_timeout"


def test_response_that_stalls_is_504(live: StandIn, serve: Serve) -> None:
    stop = threading.Event()

    def pieces() -> Iterator[bytes]:
        yield b'{"voice_id": '
        stop.wait(20)

    live.reply = lambda request: Reply(pieces=pieces())
    server = serve(upstream={"retell": live.url}, upstream_timeout=1)
    found = problem(httpx.get(f"{server.url}{VOICES}", headers=AUTHORIZATION))
    stop.set()
    assert found["status"] == 504


def test_invalid_status_is_502(live: StandIn, retell: Server) -> None:
    live.reply = lambda request: Reply(799)
    found = problem(httpx.get(f"{retell.url}{VOICES}", headers=AUTHORIZATION))
    assert (found["status"], "sent the status 799" in found["detail"]) == (502, True)


def test_untrusted_certificate_is_502_and_a_private_ca_is_accepted(
    serve: Serve, tmp_path: Path
) -> None:
    ca, file = trustme.CA(), tmp_path / "ca.pem"
    ca.cert_pem.write_to_path(str(file))
    with stand_in(ca) as live:
        live.reply = lambda request: as_json([])
        untrusted = serve(upstream={"retell": live.url})
        found = problem(httpx.get(f"{untrusted.url}{VOICES}", headers=AUTHORIZATION))
        trusted = serve(upstream={"retell": live.url}, upstream_ca=str(file))
        assert httpx.get(f"{trusted.url}{VOICES}", headers=AUTHORIZATION).json() == []
    assert found["status"] == 502
    assert found["detail"].startswith(f"the certificate of {live.url} is not trusted: ")
    assert "upstream_ca" in found["hint"]


def test_client_that_leaves_is_recorded(live: StandIn, retell: Server) -> None:
    stop = threading.Event()
    live.reply = lambda request: as_json({"stopped": stop.wait(20)})
    with pytest.raises(httpx.ReadTimeout):
        httpx.get(f"{retell.url}{VOICES}", headers=AUTHORIZATION, timeout=0.2)
    events = f"{retell.url}/__mockvoice/events?after=0"
    with httpx.stream("GET", events) as stream:  # waits for the entry
        line = next(line for line in stream.iter_lines() if line.startswith("data:"))
    stop.set()
    left = json.loads(line.removeprefix("data:"))
    assert left["status"] is None
    assert left["client_closed"] > 0


# --- faults --------------------------------------------------------------------------------------


def inject(server: Server, **fault: Any) -> None:
    httpx.post(f"{server.url}/__mockvoice/faults", json=fault).raise_for_status()


def test_fault_before_reaches_nothing_and_after_hides_the_live_response(
    live: StandIn, retell: Server
) -> None:
    inject(retell, status=503, when="before", times=1)
    inject(retell, status=502, when="after", times=1)
    statuses = [
        (httpx.get(f"{retell.url}{VOICES}", headers=AUTHORIZATION).status_code, len(live.received))
        for _ in range(3)
    ]
    assert statuses == [(503, 0), (502, 1), (200, 2)]


def test_fault_edits_the_live_response(live: StandIn, retell: Server) -> None:
    live.reply = lambda request: as_json({"voice_id": "live", "voice_name": "a"})
    inject(retell, kind="reply", operation="getVoice", set={"/voice_name": "edited"})
    response = httpx.get(f"{retell.url}/retell/get-voice/live", headers=AUTHORIZATION)
    assert response.json() == {"voice_id": "live", "voice_name": "edited"}
    inject(retell, kind="truncate", operation="listVoices")
    with pytest.raises(httpx.RemoteProtocolError):
        httpx.get(f"{retell.url}{VOICES}", headers=AUTHORIZATION)


def test_fault_cannot_edit_more_than_the_bounds(live: StandIn, retell: Server) -> None:
    live.reply = lambda request: Reply(200, bytes(1024 * 1024 + 1))
    inject(retell, kind="reply", operation="listVoices", set={"/0/voice_name": "edited"})
    found = problem(httpx.get(f"{retell.url}{VOICES}", headers=AUTHORIZATION))
    assert "sent more than 1048576 bytes, which a fault has to change" in found["detail"]
    assert "max_body_mb" in found["hint"]


def test_invalid_fault_header_is_rejected_here(live: StandIn, retell: Server) -> None:
    headers = {**AUTHORIZATION, "x-mockvoice-fault": "reste"}
    assert httpx.get(f"{retell.url}{VOICES}", headers=headers).status_code == 400
    assert not live.received


# --- loops and settings --------------------------------------------------------------------------


@pytest.mark.memory
def test_upstream_that_is_the_server_itself_is_rejected_at_startup() -> None:
    port = free_url().rpartition(":")[2]
    done = run("serve", "--port", port, "--upstream", f"retell=http://localhost:{port}")
    assert done.returncode == 2
    assert f"upstream.retell: http://localhost:{port} is this server itself" in done.stderr


def test_loop_through_another_server_is_502(live: StandIn, serve: Serve) -> None:
    server = serve(upstream={"retell": live.url})

    def back(request: Received) -> Reply:
        headers = {name: value for name, value in request.headers if name.lower() != "host"}
        returned = httpx.get(f"{server.url}/retell{request.target}", headers=headers)
        content_type = (("content-type", returned.headers["content-type"]),)
        return Reply(returned.status_code, returned.content, content_type)

    live.reply = back
    found = problem(httpx.get(f"{server.url}{VOICES}", headers=AUTHORIZATION))
    assert found["detail"] == "the upstream of retell leads back to this server"
    assert len(live.received) == 1


@pytest.mark.memory
@pytest.mark.parametrize(
    ("url", "message"),
    [
        ("ftp://host", "must be a URL"),
        ("http://host:port", "must be a URL"),
        ("host", "must be a URL"),
        ("https://user:secret@host", "must have no user, query or fragment"),
        ("https://host/?key=secret", "must have no user, query or fragment"),
    ],
)
def test_invalid_upstream_is_rejected_without_showing_it(url: str, message: str) -> None:
    with pytest.raises(SettingsError, match=f"upstream.retell {message}") as error:
        create_app(upstream={"retell": url})
    assert "secret" not in str(error.value)
    flag = invoke("serve", "--port", "0", "--upstream", f"retell={url}")
    assert (flag.returncode, "secret" in flag.stderr) == (2, False)
    assert message in flag.stderr


@pytest.mark.memory
def test_upstream_of_an_unknown_provider_is_rejected() -> None:
    with pytest.raises((SettingsError, ContractError), match=r"retel.*retell"):
        create_app(upstream={"retel": "https://api.example.com"})


@pytest.mark.memory
def test_unusable_ca_file_is_rejected() -> None:
    url = {"retell": "https://api.example.com"}
    with pytest.raises(SettingsError, match="upstream_ca: there is no file /none"):
        create_app(upstream=url, upstream_ca="/none")
    with pytest.raises(SettingsError, match=r"upstream_ca: .* has no certificate in PEM format"):
        create_app(upstream=url, upstream_ca=__file__)


@pytest.mark.memory
def test_application_in_process_forwards_without_proxy_variables(
    live: StandIn, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("HTTP_PROXY", "http_proxy", "ALL_PROXY"):
        monkeypatch.setenv(name, free_url())
    live.reply = lambda request: as_json([])
    app = create_app(upstream={"retell": live.url})

    async def call() -> httpx.Response:
        transport = httpx.ASGITransport(app)
        async with httpx.AsyncClient(transport=transport, base_url="http://mock") as client:
            return await client.get(VOICES, headers=AUTHORIZATION)

    assert [asyncio.run(call()).json() for _ in range(2)] == [[], []]  # in two event loops
    assert app.control.requests.last.upstream == live.url


@pytest.mark.memory
def test_missing_package_is_named() -> None:
    script = (
        "import sys\nsys.modules['httpx'] = None\nimport mockvoice\n"
        "mockvoice.create_app(upstream={'retell': 'https://api.example.com'})"
    )
    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=False
    )
    assert "upstream needs a package: pip install 'mockvoice[upstream]'" in done.stderr


@pytest.mark.memory
def test_httpx_is_not_imported_without_an_upstream() -> None:
    script = (
        "import sys, mockvoice\nwith mockvoice.serve(): pass\n"
        "assert not {'httpx', 'mockvoice.upstream.forward'} & {*sys.modules}, sys.modules.keys()"
    )
    subprocess.run([sys.executable, "-c", script], check=True)

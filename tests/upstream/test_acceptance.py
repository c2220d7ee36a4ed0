"""The stories of docs/upstream.md, through processes, sockets and TLS."""

from __future__ import annotations

import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import httpx
import pytest
import trustme

import mockvoice

from ..cli.processes import ServeProcess, check_output, clean_environ, run, serving, start_server
from ..redis_server import RedisServer
from .stand_in import Received, Reply, StandIn, as_json, stand_in
from .stories import telnyx_story

if TYPE_CHECKING:
    from telnyx import Telnyx

pytestmark = [pytest.mark.slow, pytest.mark.memory]  # each test starts processes

KEY = "sk_live_acceptance_4711"
TOKEN = "live-access-token-0815"
SIGNATURE = "X-Amz-Signature-0123456789"
PASSWORD = "correct-horse-battery"
SECRETS = (KEY, TOKEN, SIGNATURE, PASSWORD)

CLONE = {
    "record_type": "voice_clone",
    "id": "vc_live_0001",  # another form of id
    "name": "narrator",
    "language": "en",
    "gender": "male",
    "label": None,
    "created_at": "2026-11-21T20:00:00Z",
    "updated_at": "2026-11-21T20:00:00Z",
    "provider": "Telnyx",
    "provider_supported_models": ["Qwen3TTS"],
    "provider_voice_id": "vc_live_0001",
    "model_id": "Qwen3TTS",
    "status": "active",
    "source_voice_design_id": None,
    "source_voice_design_version": None,
    "quality": "studio",  # a new property
    "access_token": TOKEN,
    "sample_url": f"https://cdn.example.com/a.wav?X-Amz-Credential=a&{SIGNATURE}",
}
ERROR = {"errors": [{"code": "90404", "title": "Nothing", "detail": f"No clone for {KEY}."}]}


def deviating(request: Received) -> Reply:
    """Reply as a live service that has moved on."""
    if request.method == "POST":
        return as_json({"data": CLONE}, 201)
    if request.method == "DELETE":
        return as_json(ERROR, 404)  # a renamed error code
    return Reply(206, b"{}")  # an undocumented status


@pytest.fixture
def ca() -> trustme.CA:
    return trustme.CA()


@pytest.fixture
def ca_file(ca: trustme.CA, tmp_path: Path) -> Path:
    file = tmp_path / "ca.pem"
    ca.cert_pem.write_to_path(str(file))
    return file


@pytest.fixture
def live(ca: trustme.CA) -> Iterator[StandIn]:
    with stand_in(ca) as service:
        service.reply = deviating
        yield service


def client(url: str) -> Telnyx:
    from telnyx import Telnyx

    headers = {"x-password": PASSWORD}
    base_url = f"{url}/telnyx/v2"
    return Telnyx(api_key=KEY, base_url=base_url, max_retries=0, default_headers=headers)


def deviating_story(url: str, wav: bytes) -> None:
    from telnyx import APIStatusError

    with client(url) as telnyx:
        telnyx.voice_clones.create_from_upload(
            voice_clone_upload_request={
                "audio_file": ("a.wav", wav, "audio/wav"),
                "name": "narrator",
                "language": "en",
                "gender": "male",
                "provider": "telnyx",
            }
        )
        with pytest.raises(APIStatusError):
            telnyx.voice_clones.delete("00000000-0000-4000-8000-000000000000")
        telnyx.voice_clones.list()


def outputs(server: ServeProcess) -> dict[str, str]:
    """Return everything that a server shows, by its name."""
    url = server.url
    pages = {path: httpx.get(f"{url}/__mockvoice{path}").text for path in PAGES}
    pages["events"] = httpx.get(f"{url}/__mockvoice/events?after=0&timeout=0.2").text
    for format in ("text", "markdown", "json"):
        pages[f"report {format}"] = check_output(
            "report", "--differences", "--format", format, "--url", url
        )
    pages["requests"] = check_output("requests", "--url", url)
    pages["requests json"] = check_output("requests", "--json", "--url", url)
    return pages


PAGES = (
    "/requests",
    "/differences",
    "/report",
    "/voices",
    "/accounts",
    "/coverage",
    "/verification",
    "/export",
    "/",
)


def test_each_deviation_is_one_line_and_no_secret_is_shown(
    live: StandIn, ca_file: Path, wav: bytes, tmp_path: Path
) -> None:
    recording = tmp_path / "recording.yaml"
    arguments = ["--upstream", f"telnyx={live.url}/v2", "--upstream-ca", str(ca_file)]
    with start_server(*arguments, "--record", str(recording), "--log", "json") as server:
        deviating_story(server.url, wav)
        shown = outputs(server)
        lines = shown["report text"].splitlines()
        code, stdout, stderr = server.stop()
    for line in (
        '  createVoiceCloneFromUpload 201: added /data/quality: live "studio", mock none',
        '  createVoiceCloneFromUpload 201: format /data/id: live "vc_live_0001", mock "',
        '  deleteVoiceClone 404: code /errors/0/code: live "90404", mock "10005"',
        "  listVoiceClones 206: status: live 206, mock 200",
    ):
        assert sum(shown_line.startswith(line) for shown_line in lines) == 1, (line, lines)
    assert "the status 206 is not documented" in shown["/requests"]
    shown |= {"log": stdout, "stderr": stderr, "recording": recording.read_text()}
    shown["startup"] = "".join(server.lines)
    assert (code, stderr) == (0, "")
    for name, text in shown.items():
        assert [secret for secret in SECRETS if secret in text] == [], name
    assert {request.header("authorization") for request in live.received} == {f"Bearer {KEY}"}
    assert f", forwarded to {live.url}/v2\n" in shown["startup"]


def test_agreement_with_another_mock_over_tls(wav: bytes, tmp_path: Path) -> None:
    ca_file = tmp_path / "ca.pem"
    with serving("--seed", "4711") as (_, service):
        ca_file.write_bytes(mockvoice.connect(service).ca())
        upstream = f"telnyx={service.replace('http:', 'https:')}/telnyx/v2"
        with serving("--upstream", upstream, "--upstream-ca", str(ca_file)) as (_, url):
            with client(url) as telnyx:
                telnyx_story(telnyx, wav)
            output = check_output("report", "--differences", "--fail-on", "shape", "--url", url)
    assert output == "no differences in 41 requests\n"


def test_private_ca_is_taken_from_the_environment(live: StandIn, ca_file: Path, wav: bytes) -> None:
    with serving("--upstream", f"telnyx={live.url}", SSL_CERT_FILE=str(ca_file)) as (_, url):
        deviating_story(url, wav)
    assert len(live.received) == 3


def test_newer_edition_of_the_service_shows_what_changed(wav: bytes, tmp_path: Path) -> None:
    with serving("--edition", "telnyx=latest") as (_, service):
        with serving("--upstream", f"telnyx={service}/telnyx/v2") as (_, url):
            with client(url) as telnyx:
                telnyx.voice_clones.create_from_upload(
                    voice_clone_upload_request={
                        "audio_file": wav,
                        "name": "narrator",
                        "language": "en",
                        "gender": "male",
                        "provider": "telnyx",
                        "model_id": "Ultra",
                    }
                )
            done = run("report", "--differences", "--fail-on", "status", "--url", url)
            entries = httpx.get(f"{url}/__mockvoice/requests").text
    assert done.returncode == 1
    assert "createVoiceCloneFromUpload 202: status: live 202, mock 201" in done.stdout
    assert "the status 202 is not documented" in entries


@pytest.mark.redis
def test_workers_forward_record_and_replay_as_one(
    wav: bytes, tmp_path: Path, redis_server: RedisServer
) -> None:
    recording = tmp_path / "recording.yaml"
    shared = ("--workers", "2", "--store", redis_server.url, "--store-prefix", tmp_path.name)
    with serving("--seed", "4711") as (_, service):
        upstream = f"telnyx={service}/telnyx/v2"
        arguments = ("--upstream", upstream, "--record", str(recording))
        with serving(*shared, *arguments) as (_, url):
            with client(url) as telnyx:
                ids = telnyx_story(telnyx, wav)
            output = check_output("report", "--differences", "--url", url)
            mockvoice.connect(url).reset()
    assert output == "no differences in 41 requests\n"
    with serving(*shared, "--replay", str(recording)) as (_, url):
        with client(url) as telnyx:
            assert telnyx_story(telnyx, wav) == ids


def test_pytest_output_has_no_secret(live: StandIn, ca_file: Path, tmp_path: Path) -> None:
    (tmp_path / "test_clones.py").write_text(
        """
import os
from telnyx import Telnyx

def test_list(mockvoice):
    key = os.environ["LIVE_KEY"]
    Telnyx(api_key=key, base_url=mockvoice.telnyx.base_url).voice_clones.list()
    assert mockvoice.telnyx.requests.last.status == 200  # fails: the live service returns 206
"""
    )
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "--mockvoice-upstream", f"telnyx={live.url}"],
        cwd=tmp_path,
        env=clean_environ(SSL_CERT_FILE=str(ca_file), LIVE_KEY=KEY),
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 1
    assert re.search(r"listVoiceClones 206: status: live 206, mock 200", done.stdout), done.stdout
    assert KEY not in done.stdout + done.stderr

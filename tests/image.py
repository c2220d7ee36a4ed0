"""Tests of the container image: `make image-test`.

Environment: CONTAINER is the engine, IMAGE the image, IMAGE_RUN_FLAGS extra flags for `run`.
"""

from __future__ import annotations

import json
import os
import re
import shlex
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest
from retell import Retell
from telnyx import BadRequestError, Telnyx

from mockvoice import __version__

from .cli.processes import check_output
from .sdk.test_telnyx import upload

ENGINE = shlex.split(os.environ.get("CONTAINER", "docker"))
IMAGE = os.environ.get("IMAGE", "mockvoice")
RUN = ["run", *shlex.split(os.environ.get("IMAGE_RUN_FLAGS", ""))]
RESTRICTED = ["--read-only", "--user", "10001", "--cap-drop", "all"]
MAX_SIZE = 58  # MB above the base image, 15 of them for the CA of TLS connections
MAX_STOP_TIME = 1.0  # seconds
UNITS = {"": 1, "B": 1, "kB": 1e3, "MB": 1e6}


def engine(*arguments: str) -> str:
    """Run the container engine and return its output; fail with its error output."""
    result = subprocess.run(
        [*ENGINE, *arguments], capture_output=True, text=True, timeout=60, check=False
    )
    assert result.returncode == 0, f"{shlex.join([*ENGINE, *arguments])}: {result.stderr}"
    return result.stdout.strip()


def inside(*command: str) -> subprocess.CompletedProcess[str]:
    """Run another command in the image."""
    run = [*ENGINE, *RUN, "--rm", *RESTRICTED, "--entrypoint", command[0], IMAGE, *command[1:]]
    return subprocess.run(run, capture_output=True, text=True, timeout=60, check=True)


@dataclass(frozen=True)
class Container:
    """A running container, unprivileged and read-only, with a published port."""

    id: str
    url: str


@contextmanager
def running(*flags: str) -> Iterator[Container]:
    publish = ["--publish", "127.0.0.1::4010"]
    id = engine(*RUN, "--detach", *publish, *RESTRICTED, *flags, IMAGE)
    try:
        yield Container(id, f"http://{engine('port', id, '4010').splitlines()[0]}")
    finally:
        engine("rm", "--force", id)


@contextmanager
def ready(*flags: str) -> Iterator[Container]:
    with running(*flags) as container:
        check_output("wait", "--url", container.url)
        yield container


def clone(container: Container, audio: bytes) -> None:
    """Clone a voice with the SDKs of two providers."""
    with Telnyx(api_key="KEY_test", base_url=f"{container.url}/telnyx/v2") as client:
        assert upload(client, audio).name == "narrator"
    with Retell(api_key="key_test", base_url=f"{container.url}/retell") as client:
        voice = client.voice.clone(files=[audio], voice_name="n", voice_provider="elevenlabs")
        assert voice.voice_name == "n"


def test_health_check_succeeds() -> None:
    begin = time.monotonic()
    with running() as container:
        health = "starting"
        while health == "starting" and time.monotonic() < begin + 30:
            if "podman" in ENGINE[-1]:  # without systemd it does not run health checks itself
                subprocess.run([*ENGINE, "healthcheck", "run", container.id], check=False)
            health = engine("inspect", "--format", "{{.State.Health.Status}}", container.id)
        print(f"\nhealthy after {time.monotonic() - begin:.2f} s")
        assert health == "healthy"


def test_sdks_clone_through_published_port(wav: bytes) -> None:
    with ready() as container:
        clone(container, wav)
        memory = engine("exec", container.id, "grep", "VmRSS", "/proc/1/status")
        print(f"\nmemory: {int(memory.split()[1]) / 1024:.0f} MB")
        with pytest.raises(BadRequestError):
            clone(container, b"Example data")


ALIAS = """
import ssl, urllib.request
url = "http://api.faseeh.ai:443/__mockvoice/ca.pem"
context = ssl.create_default_context(cadata=urllib.request.urlopen(url).read().decode())
request = urllib.request.Request(
    "https://api.faseeh.ai/api/v1/voices", headers={"x-api-key": "KEY"})
print(urllib.request.urlopen(request, context=context).status)
"""


def test_another_container_reaches_the_mock_by_the_hosts_of_providers() -> None:
    network = engine("network", "create", f"mockvoice-{os.getpid()}")
    try:
        join = ["--network", network, "--network-alias", "api.faseeh.ai"]
        port = ["--sysctl", "net.ipv4.ip_unprivileged_port_start=0", "--env", "MOCKVOICE_PORT=443"]
        id = engine(*RUN, "--detach", *RESTRICTED, *join, *port, IMAGE)
        try:
            wait = ["mockvoice", "wait", "--url", "http://127.0.0.1:443"]
            engine("exec", id, *wait)
            client = ["--rm", "--network", network, "--entrypoint", "/opt/mockvoice/bin/python"]
            assert engine(*RUN, *client, IMAGE, "-c", ALIAS) == "200"
        finally:
            engine("rm", "--force", id)
    finally:
        engine("network", "rm", network)


def test_config_file_in_volume_is_used(tmp_path: Path) -> None:
    file = tmp_path / "mockvoice.yaml"
    file.write_text("audio: any\n")
    with ready("--volume", f"{file}:/config/mockvoice.yaml:ro,z") as container:
        clone(container, b"Example data")


def test_container_stops_within_a_second() -> None:
    with ready() as container:
        begin = time.monotonic()
        engine("stop", container.id)
        took = time.monotonic() - begin
        print(f"\nstopped in {took:.2f} s")
        assert took < MAX_STOP_TIME
        code = engine("inspect", "--format", "{{.State.ExitCode}}", container.id)
        assert code in ("0", "143")


def test_image_size() -> None:
    sizes = "{{.Size}}\t{{.CreatedBy}}"
    added = 0.0
    history = engine("history", "--no-trunc", "--human=false", "--format", sizes, IMAGE)
    for line in history.splitlines():
        size, _, instruction = line.partition("\t")
        number, unit = re.findall(r"^([\d.]+) ?(\w*)$", size)[0]
        added += float(number) * UNITS[unit]
        if "COPY" in instruction:  # the first layer above the base image
            break
    print(f"\nlayers above the base: {added / 1e6:.1f} MB")
    assert 0 < added / 1e6 < MAX_SIZE


def test_image_contains_only_runtime_packages_with_bytecode() -> None:
    script = "import importlib.metadata as m; print(*(dist.name for dist in m.distributions()))"
    installed = inside("/opt/mockvoice/bin/python", "-c", script).stdout.split()
    assert {"mockvoice", "uvicorn", "httptools"} <= {*installed}
    assert not {"pip", "setuptools", "wheel", "hatchling", "uvloop"} & {*installed}
    start = inside("/opt/mockvoice/bin/python", "-v", "-c", "import mockvoice.http.server").stderr
    assert "mockvoice/http/__pycache__/server" in start
    assert not re.findall(r"code object from /opt/mockvoice\S*\.py$", start, re.MULTILINE)


def test_image_labels_user_and_port() -> None:
    config = json.loads(engine("image", "inspect", "--format", "{{json .Config}}", IMAGE))
    label = {
        name.rpartition(".")[2]: value
        for name, value in config["Labels"].items()
        if name.startswith("org.opencontainers.image.")
    }
    assert (label["title"], label["version"]) == ("mockvoice", __version__)
    assert label["description"]
    assert label["licenses"] == "MIT"
    assert config["User"].split(":")[0] == "10001"
    assert list(config["ExposedPorts"]) == ["4010/tcp"]

"""The image, built and run by a container engine: `make image-test`.

CONTAINER names the engine, IMAGE the image, IMAGE_RUN_FLAGS what `run` needs besides.
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
LOCKED = ["--read-only", "--user", "10001", "--cap-drop", "all"]
LARGEST, LONGEST = 40, 1.0  # MB above the base; seconds to stop
BYTES = {"": 1, "B": 1, "kB": 1e3, "MB": 1e6}


def engine(*arguments: str) -> str:
    """What the engine prints; when it fails, so does the test, with what the engine says."""
    done = subprocess.run(
        [*ENGINE, *arguments], capture_output=True, text=True, timeout=60, check=False
    )
    assert done.returncode == 0, f"{shlex.join([*ENGINE, *arguments])}: {done.stderr}"
    return done.stdout.strip()


def inside(*command: str) -> subprocess.CompletedProcess[str]:
    """What another command of the image does."""
    run = [*ENGINE, *RUN, "--rm", *LOCKED, "--entrypoint", command[0], IMAGE, *command[1:]]
    return subprocess.run(run, capture_output=True, text=True, timeout=60, check=True)


@dataclass(frozen=True)
class Container:
    """The image, locked up as far as it goes, with its port published."""

    id: str
    url: str


@contextmanager
def running(*flags: str) -> Iterator[Container]:
    publish = ["--publish", "127.0.0.1::4010"]
    id = engine(*RUN, "--detach", *publish, *LOCKED, *flags, IMAGE)
    try:
        yield Container(id, f"http://{engine('port', id, '4010').splitlines()[0]}")
    finally:
        engine("rm", "--force", id)


@contextmanager
def answering(*flags: str) -> Iterator[Container]:
    with running(*flags) as container:
        check_output("wait", "--url", container.url)
        yield container


def clone(container: Container, audio: bytes) -> None:
    """Clone a voice with the SDKs of two providers."""
    with Telnyx(api_key="KEY_test", base_url=f"{container.url}/telnyx/v2") as client:
        assert upload(client, audio).name == "narrator"
    with Retell(api_key="key_test", base_url=f"{container.url}/retell") as client:
        made = client.voice.clone(files=[audio], voice_name="n", voice_provider="elevenlabs")
        assert made.voice_name == "n"


def test_its_health_turns_healthy() -> None:
    begin = time.monotonic()
    with running() as container:
        health = "starting"
        while health == "starting" and time.monotonic() < begin + 30:
            if "podman" in ENGINE[-1]:  # it needs systemd to do so by itself
                subprocess.run([*ENGINE, "healthcheck", "run", container.id], check=False)
            health = engine("inspect", "--format", "{{.State.Health.Status}}", container.id)
        print(f"\nhealthy after {time.monotonic() - begin:.2f} s")
        assert health == "healthy"


def test_the_sdks_clone_through_the_published_port(wav: bytes) -> None:
    with answering() as container:
        clone(container, wav)
        memory = engine("exec", container.id, "grep", "VmRSS", "/proc/1/status")
        print(f"\nmemory: {int(memory.split()[1]) / 1024:.0f} MB")
        with pytest.raises(BadRequestError):
            clone(container, b"Example data")


def test_a_file_in_config_is_read(tmp_path: Path) -> None:
    file = tmp_path / "mockvoice.yaml"
    file.write_text("audio: any\n")
    with answering("--volume", f"{file}:/config/mockvoice.yaml:ro,z") as container:
        clone(container, b"Example data")


def test_it_stops_concurrency() -> None:
    with answering() as container:
        begin = time.monotonic()
        engine("stop", container.id)
        took = time.monotonic() - begin
        print(f"\nstopped in {took:.2f} s")
        assert took < LONGEST
        code = engine("inspect", "--format", "{{.State.ExitCode}}", container.id)
        assert code in ("0", "143")


def test_it_is_small() -> None:
    sizes = "{{.Size}}\t{{.CreatedBy}}"
    added = 0.0
    history = engine("history", "--no-trunc", "--human=false", "--format", sizes, IMAGE)
    for line in history.splitlines():
        size, _, made_by = line.partition("\t")
        number, unit = re.findall(r"^([\d.]+) ?(\w*)$", size)[0]
        added += float(number) * BYTES[unit]
        if "COPY" in made_by:  # the first thing that we add to the base
            break
    print(f"\nlayers above the base: {added / 1e6:.1f} MB")
    assert 0 < added / 1e6 < LARGEST


def test_it_holds_only_what_runs_compiled() -> None:
    script = "import importlib.metadata as m; print(*(each.name for each in m.distributions()))"
    installed = inside("/opt/mockvoice/bin/python", "-c", script).stdout.split()
    assert {"mockvoice", "uvicorn", "httptools"} <= {*installed}
    assert not {"pip", "setuptools", "wheel", "hatchling", "uvloop"} & {*installed}
    start = inside("/opt/mockvoice/bin/python", "-v", "-c", "import mockvoice.http.server").stderr
    assert "mockvoice/http/__pycache__/server" in start
    assert not re.findall(r"code object from /opt/mockvoice\S*\.py$", start, re.MULTILINE)


def test_it_says_what_it_is_and_runs_as_nobody() -> None:
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

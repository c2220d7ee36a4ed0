"""Commands `wait` and `health`."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path
from socket import create_server

import pytest

from mockvoice import __version__

from .processes import MOCKVOICE, check_output, clean_environ, free_port, run, start_server

SERVED = "faseeh, retell, supertone, telnyx"


def test_wait_returns_when_server_is_ready() -> None:
    port = str(free_port())
    url = f"http://127.0.0.1:{port}"
    with subprocess.Popen(
        [*MOCKVOICE, "wait"],
        stdout=subprocess.PIPE,
        text=True,
        env=clean_environ(MOCKVOICE_PORT=port),
    ) as process:
        assert process.stdout
        assert process.stdout.readline() == f"waiting for {url}\n"
        with start_server("--port", port):
            output, _ = process.communicate(timeout=30)
    assert output == f"mockvoice {__version__} is ready at {url}: {SERVED}\n"
    assert process.returncode == 0


def test_wait_exits_with_1_after_timeout() -> None:
    url = f"http://127.0.0.1:{free_port()}"
    result = run("wait", "--url", url, "--timeout", "0.2")
    assert (result.returncode, result.stdout) == (1, f"waiting for {url}\n")
    assert result.stderr.endswith("start one with `mockvoice serve` (waited 0.2 s)\n")


def test_unresponsive_port_is_not_healthy() -> None:
    with create_server(("127.0.0.1", 0)) as listener:
        url = f"http://127.0.0.1:{listener.getsockname()[1]}"
        for command in ("health", "wait"):
            result = run(command, "--url", url, "--timeout", "0.2")
            assert result.returncode == 1
            assert f"no mockvoice server at {url}: timed out" in result.stderr


def test_health_prints_one_line_or_json(server: str) -> None:
    line = f"mockvoice {__version__} is ready at {server}: {SERVED}\n"
    assert check_output("health", "--url", server) == line
    assert check_output("health", MOCKVOICE_URL=server.removeprefix("http://")) == line
    assert check_output("wait", "--url", server) == f"waiting for {server}\n{line}"
    health = json.loads(check_output("health", "--json", "--url", server))
    assert health == {
        "status": "ok",
        "version": __version__,
        "providers": SERVED.split(", "),
    }


def test_port_of_configuration_file_is_used(server: str, tmp_path: Path) -> None:
    port = server.rpartition(":")[2]
    (tmp_path / "mockvoice.yaml").write_text(f"port: {port}\nlimits: documented\n")
    assert check_output("health", cwd=tmp_path).endswith(f"is ready at {server}: {SERVED}\n")
    (tmp_path / "mockvoice.yaml").rename(tmp_path / "ci.yaml")
    assert server in check_output("health", cwd=tmp_path, MOCKVOICE_CONFIG="ci.yaml")
    # The variable overrides the file.
    (tmp_path / "mockvoice.yaml").write_text("port: 1\n")
    assert server in check_output("health", cwd=tmp_path, MOCKVOICE_PORT=port)


@pytest.mark.parametrize("text", ["", "- port", "port: [", "audio: any"])
def test_file_without_port_means_default_port(tmp_path: Path, text: str) -> None:
    (tmp_path / "mockvoice.yaml").write_text(text)
    result = run("wait", "--timeout", "0", cwd=tmp_path)
    assert result.stdout.splitlines()[0] == "waiting for http://127.0.0.1:4010"


def test_invalid_port_in_file_exits_with_2(tmp_path: Path) -> None:
    (tmp_path / "mockvoice.yaml").write_text("port: high\n")
    result = run("health", cwd=tmp_path)
    assert (result.returncode, result.stdout) == (2, "")
    assert "port must be a whole number; got 'high'" in result.stderr

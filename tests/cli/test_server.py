"""`mockvoice wait`, `health`, `requests`, `reset`, `sample`."""

from __future__ import annotations

import json
import pty
import subprocess
from os import close
from pathlib import Path
from socket import create_server

import httpx
import pytest

from mockvoice import Control, __version__
from mockvoice.audio.detect import seconds, sniff

from .processes import MOCKVOICE, free_port, run, started, surroundings, told

KEY = {"authorization": "Bearer KEY"}
SERVED = "faseeh, retell, supertone, telnyx"


def test_a_server_is_waited_for() -> None:
    port = str(free_port())
    url = f"http://127.0.0.1:{port}"
    with subprocess.Popen(
        [*MOCKVOICE, "wait"],
        stdout=subprocess.PIPE,
        text=True,
        env=surroundings(MOCKVOICE_PORT=port),
    ) as waiting:
        assert waiting.stdout
        assert waiting.stdout.readline() == f"waiting for {url}\n"
        with started("--port", port):
            output, _ = waiting.communicate(timeout=30)
    assert output == f"mockvoice {__version__} answers at {url}: {SERVED}\n"
    assert waiting.returncode == 0


def test_waiting_has_an_end() -> None:
    url = f"http://127.0.0.1:{free_port()}"
    done = run("wait", "--url", url, "--timeout", "0.2")
    assert (done.returncode, done.stdout) == (1, f"waiting for {url}\n")
    assert done.stderr.endswith("start one with `mockvoice serve` (waited 0.2 s)\n")


def test_what_listens_and_does_not_answer_is_not_healthy() -> None:
    with create_server(("127.0.0.1", 0)) as listener:
        url = f"http://127.0.0.1:{listener.getsockname()[1]}"
        for verb in ("health", "wait"):
            done = run(verb, "--url", url, "--timeout", "0.2")
            assert done.returncode == 1
            assert f"no mockvoice answers at {url}: timed out" in done.stderr


def test_a_healthy_server_says_so_in_a_line(server: str) -> None:
    line = f"mockvoice {__version__} answers at {server}: {SERVED}\n"
    assert told("health", "--url", server) == line
    assert told("health", MOCKVOICE_URL=server.removeprefix("http://")) == line
    assert told("wait", "--url", server) == f"waiting for {server}\n{line}"
    health = json.loads(told("health", "--json", "--url", server))
    assert health == {
        "status": "ok",
        "version": __version__,
        "providers": SERVED.split(", "),
    }


def test_the_server_of_the_configuration_file_is_found(server: str, tmp_path: Path) -> None:
    port = server.rpartition(":")[2]
    (tmp_path / "mockvoice.yaml").write_text(f"port: {port}\nlimits: documented\n")
    assert told("health", cwd=tmp_path).endswith(f"answers at {server}: {SERVED}\n")
    (tmp_path / "mockvoice.yaml").rename(tmp_path / "ci.yaml")
    assert server in told("health", cwd=tmp_path, MOCKVOICE_CONFIG="ci.yaml")
    # The variable wins over the file.
    (tmp_path / "mockvoice.yaml").write_text("port: 1\n")
    assert server in told("health", cwd=tmp_path, MOCKVOICE_PORT=port)


@pytest.mark.parametrize("text", ["", "- port", "port: [", "audio: any"])
def test_a_file_without_a_port_leads_to_the_usual_one(tmp_path: Path, text: str) -> None:
    (tmp_path / "mockvoice.yaml").write_text(text)
    done = run("wait", "--timeout", "0", cwd=tmp_path)
    assert done.stdout.splitlines()[0] == "waiting for http://127.0.0.1:4010"


def test_a_port_that_is_none_is_told(tmp_path: Path) -> None:
    (tmp_path / "mockvoice.yaml").write_text("port: high\n")
    done = run("health", cwd=tmp_path)
    assert (done.returncode, done.stdout) == (2, "")
    assert "port must be a whole number; got 'high'" in done.stderr


def clone(mock: Control, name: str) -> None:
    httpx.post(
        f"{mock.retell.base_url}/clone-voice",
        headers=KEY,
        data={"voice_name": name, "voice_provider": "elevenlabs"},
        files={"files": ("s.wav", mock.sample(seconds=1))},
    )


def test_what_was_sent_is_shown_with_what_was_wrong_with_it(mock: Control) -> None:
    assert told("requests", "--url", mock.url) == "no request has come\n"
    clone(mock, "narrator")
    httpx.post(f"{mock.telnyx.base_url}/voice_clones", headers=KEY, json={"name": "n"})
    shown = told("requests", "--url", mock.url)
    assert shown == f"{mock.report()}\n"
    assert 'voice_name = "narrator"' in shown
    assert "wrong in the body: voice_design_id is required" in shown
    assert told("requests", "--short", "--url", mock.url).splitlines() == [
        "request_1  retell cloneVoice  POST /retell/clone-voice  -> 201",
        "request_2  telnyx createVoiceClone  POST /telnyx/v2/voice_clones  -> 422",
    ]


@pytest.mark.parametrize(
    ("arguments", "numbers"),
    [
        ([], [1, 2, 3]),
        (["--provider", "retell"], [1, 3]),
        (["--operation", "cloneVoice"], [1, 3]),
        (["--operation", "GET /voice_clones"], [2]),
        (["--status", "401"], [2]),
        (["--since", "request_1"], [2, 3]),
        (["--since", "2024-01-01T00:00:00Z"], [1, 2, 3]),
        (["--limit", "1"], [3]),
        (["--limit", "1", "--provider", "telnyx"], [2]),
        (["--failed"], []),
        (["--sandbox", "other"], []),
    ],
)
def test_requests_are_chosen(mock: Control, arguments: list[str], numbers: list[int]) -> None:
    clone(mock, "a")
    httpx.get(f"{mock.telnyx.base_url}/voice_clones")
    clone(mock, "b")
    found = json.loads(told("requests", "--json", *arguments, MOCKVOICE_URL=mock.url))
    assert [each["id"] for each in found["requests"]] == [f"request_{n}" for n in numbers]
    assert found["evicted"] == 0


def test_requests_are_forgotten_all_or_none(mock: Control) -> None:
    clone(mock, "a")
    done = run("requests", "--clear", "--status", "201", MOCKVOICE_URL=mock.url)
    assert done.returncode == 2
    assert done.stderr == "mockvoice: --clear forgets all requests; it goes without --status\n"
    assert len(mock.requests) == 1
    assert told("requests", "--clear", MOCKVOICE_URL=mock.url) == ""
    assert mock.requests == []


def test_what_the_journal_dropped_is_told() -> None:
    with started("--max-requests", "2") as server:
        for _ in range(5):
            httpx.get(f"{server.url}/retell/list-voices")
        shown = told("requests", "--short", "--url", server.url).splitlines()
    assert shown[0] == "(3 older ones were dropped)"
    assert [line.split()[0] for line in shown[1:]] == ["request_4", "request_5"]


def test_a_sandbox_is_put_back_to_the_start_or_parts_of_it(mock: Control) -> None:
    other = mock.sandbox("other")
    for each in (mock, other):
        each.reset()
        clone(each, "a")
        each.telnyx.fail(502)
    assert told("reset", "--only", "faults", "requests", MOCKVOICE_URL=mock.url) == ""
    assert (mock.requests, mock.faults, len(mock.voices)) == ([], [], 1)
    told("reset", MOCKVOICE_URL=other.url)
    assert (len(mock.voices), len(other.voices), other.faults) == (1, 0, [])
    told("reset", "--sandbox", "", MOCKVOICE_URL=other.url)
    assert len(mock.voices) == 0


def test_a_sample_goes_into_a_file_or_a_pipe(mock: Control, tmp_path: Path) -> None:
    file = tmp_path / "sample.ogg"
    given = ["sample", "ogg", "--seconds", "2", "--voice", "other", "--url", mock.url]
    assert told(*given, "--output", str(file)) == ""
    sound = mock.sample("ogg", seconds=2, voice="other")
    assert file.read_bytes() == sound
    assert subprocess.check_output([*MOCKVOICE, *given], env=surroundings()) == sound
    wav = subprocess.check_output(
        [*MOCKVOICE, "sample", "wav"], env=surroundings(MOCKVOICE_URL=mock.url)
    )
    assert (sniff(wav).format, seconds(wav, "wav")) == ("wav", 6.0)


def test_a_file_that_cannot_be_written_is_told(server: str, tmp_path: Path) -> None:
    done = run("sample", "wav", "-o", str(tmp_path), MOCKVOICE_URL=server)
    assert done.returncode == 2
    assert done.stderr == f"mockvoice: cannot write {tmp_path}: Is a directory\n"


def test_no_sound_goes_to_a_terminal(server: str) -> None:
    ours, theirs = pty.openpty()
    done = subprocess.run(
        [*MOCKVOICE, "sample", "wav", "--url", server],
        stdout=theirs,
        stderr=subprocess.PIPE,
        text=True,
        check=False,
        env=surroundings(),
    )
    close(ours)
    close(theirs)
    assert done.returncode == 2
    assert done.stderr == (
        "mockvoice: sound is nothing for a terminal; name a file with -o, or use a pipe\n"
    )

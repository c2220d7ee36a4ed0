"""The plugin, in other people's tests: each runs a small suite of its own."""

from __future__ import annotations

import os
import re
from pathlib import Path

import pytest

from .cli.processes import serving, surroundings

GOLDEN = Path(__file__).parent / "golden"

CLONE = """
import httpx
import pytest

def clone(mock, name="narrator", audio=None, **fields):
    return httpx.post(
        f"{mock.retell.base_url}/clone-voice",
        headers={"authorization": "Bearer KEY"},
        data={"voice_name": name, "voice_provider": "elevenlabs", **fields},
        files={"files": ("s.wav", audio or mock.sample(seconds=1))},
    )
"""


@pytest.fixture(autouse=True)
def _as_outside(pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in os.environ.keys() - surroundings().keys():
        monkeypatch.delenv(name)
    monkeypatch.setenv("COLUMNS", "80")
    monkeypatch.setenv("PYTEST_ADDOPTS", "-p no:asyncio")


def test_every_test_has_a_sandbox_of_its_own(pytester: pytest.Pytester) -> None:
    pytester.makepyfile(
        CLONE
        + """
@pytest.mark.parametrize("time", range(3))
def test_clone(mockvoice, time):
    assert mockvoice.voices == []
    assert mockvoice.requests == []
    voice = clone(mockvoice).json()
    assert mockvoice.retell.voices[voice["voice_id"]].data["voice_name"] == "narrator"
    assert [each.status for each in mockvoice.retell.requests] == [201]
    assert mockvoice.telnyx.requests == []
"""
    )
    pytester.runpytest().assert_outcomes(passed=3)


def test_a_test_draws_the_same_at_every_run(pytester: pytest.Pytester) -> None:
    pytester.makepyfile(
        CLONE
        + """
@pytest.mark.parametrize("time", range(2))
def test_own(mockvoice, time):
    print("own", clone(mockvoice).json()["voice_id"])

@pytest.mark.mockvoice(seed=7)
@pytest.mark.parametrize("time", range(2))
def test_seeded(mockvoice, time):
    print("seeded", clone(mockvoice).json()["voice_id"])
"""
    )
    runs = [pytester.runpytest("-s").stdout.str() for _ in range(2)]
    own, again = (re.findall(r"own (\S+)", run) for run in runs)
    assert own == again
    assert len({*own}) == 2
    seeded = [re.findall(r"seeded (\S+)", run) for run in runs]
    assert len({*seeded[0], *seeded[1]}) == 1


def test_the_marker_says_how_the_mock_behaves(pytester: pytest.Pytester) -> None:
    pytester.makepyfile(
        CLONE
        + """
pytestmark = pytest.mark.mockvoice(audio="any", limits="documented")

def test_any(mockvoice):
    assert clone(mockvoice, audio=b"Example data").status_code == 201

@pytest.mark.mockvoice(audio="strict", strict=False)
def test_strict(mockvoice):
    mockvoice.fail("reset")
    mockvoice.clear_faults()
    mockvoice.telnyx.fail(502)
    assert clone(mockvoice, audio=b"Example data").status_code == 400
"""
    )
    pytester.runpytest("--strict-markers").assert_outcomes(passed=2)


def test_a_project_may_be_lenient(pytester: pytest.Pytester) -> None:
    pytester.makeini("[pytest]\nmockvoice_strict = false\n")
    pytester.makepyfile("def test_it(mockvoice):\n    mockvoice.telnyx.fail(502)\n")
    pytester.runpytest().assert_outcomes(passed=1)


def test_code_that_builds_its_own_client_is_caught(pytester: pytest.Pytester) -> None:
    pytester.makepyfile(
        application="""
        import os, httpx

        def voices():
            headers = {"authorization": f"Bearer {os.environ['RETELL_API_KEY']}"}
            return httpx.get(f"{os.environ['RETELL_BASE_URL']}/list-voices", headers=headers)
        """,
        test_application="""
        import os
        from application import voices

        def test_it(mockvoice, monkeypatch):
            assert mockvoice.env(monkeypatch) == mockvoice.env()
            assert voices().status_code == 200
            mockvoice.retell.assert_called("GET /list-voices", times=1)

        def test_what_was_set_is_put_back(mockvoice):
            assert "RETELL_API_KEY" not in os.environ
        """,
    )
    pytester.runpytest().assert_outcomes(passed=2)


def test_unittest_classes_can_have_it(pytester: pytest.Pytester) -> None:
    pytester.makepyfile(
        CLONE
        + """
import unittest

class TestVoices(unittest.TestCase):
    @pytest.fixture(autouse=True)
    def _mock(self, mockvoice):
        self.mock = mockvoice

    def test_clones(self):
        self.assertEqual(clone(self.mock).status_code, 201)

    def test_fails(self):
        self.mock.retell.fail(402)
        self.assertEqual(clone(self.mock).status_code, 201)
"""
    )
    result = pytester.runpytest()
    result.assert_outcomes(passed=1, failed=1)
    result.stdout.fnmatch_lines(["*mockvoice journal*", "request_1  retell cloneVoice*402*"])


ASYNCIO = """
import asyncio, httpx, pytest

async def ask(mock):
    async with httpx.AsyncClient(headers={"authorization": "Bearer KEY"}) as client:
        return await client.get(f"{mock.retell.base_url}/list-voices")

@pytest.mark.MARK
async def test_calls_and_control_go_together(mockvoice):
    fault = mockvoice.retell.fail(503, times=1)
    assert [(await ask(mockvoice)).status_code for _ in range(2)] == [503, 200]
    assert fault.hits == 1

@pytest.mark.MARK
async def test_waiting_belongs_into_a_thread(mockvoice):
    task = asyncio.ensure_future(ask(mockvoice))
    with pytest.raises(RuntimeError, match="asyncio.to_thread"):
        mockvoice.wait_for_requests(1)
    (request,) = await asyncio.to_thread(mockvoice.wait_for_requests, 1)
    assert request.status == 200
    await task
"""


@pytest.mark.parametrize("plugin", ["asyncio", "anyio"])
def test_async_tests_can_have_it(
    pytester: pytest.Pytester, plugin: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("PYTEST_ADDOPTS")
    pytester.makeini("[pytest]\nasyncio_default_fixture_loop_scope = function\n")
    pytester.makepyfile(ASYNCIO.replace("MARK", plugin))
    pytester.makeconftest(
        'import pytest\n@pytest.fixture\ndef anyio_backend():\n    return "asyncio"\n'
    )
    pytester.runpytest().assert_outcomes(passed=2)


MANY = (
    CLONE
    + """
@pytest.mark.parametrize("number", range(12))
def test_clone(mockvoice, number):
    mockvoice.retell.fail(502, times=1)
    assert [clone(mockvoice, f"n{number}").status_code for _ in range(2)] == [502, 201]
    assert [each.data["voice_name"] for each in mockvoice.voices] == [f"n{number}"]
"""
)


def test_workers_have_a_server_each_or_share_one(
    pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch
) -> None:
    pytester.makepyfile(MANY)
    pytester.runpytest_subprocess("-n", "2").assert_outcomes(passed=12)
    with serving() as (_, url):
        monkeypatch.setenv("MOCKVOICE_URL", url)
        pytester.runpytest_subprocess("-n", "2").assert_outcomes(passed=12)
        pytester.runpytest_subprocess().assert_outcomes(passed=12)


def test_a_provider_of_the_project_is_served_as_the_built_in_ones(
    pytester: pytest.Pytester,
) -> None:
    pytester.makeini("[pytest]\nmockvoice_providers = acme=acme.yaml:acme_mock\n")
    pytester.makefile(".yaml", acme=ACME)
    pytester.makepyfile(
        acme_mock=ACME_MOCK,
        test_acme="""
        import httpx, pytest

        def test_songs(mockvoice):
            acme = mockvoice.provider("acme")
            assert httpx.get(f"{acme.base_url}/songs").json() == {"songs": []}
            acme.fail(503, operation="addSong", times=1)
            answers = [httpx.post(f"{acme.base_url}/songs", json={"name": "n"}) for _ in range(2)]
            assert [each.status_code for each in answers] == [503, 200]
            assert acme.voices[answers[1].json()["id"]].data["name"] == "n"
            assert mockvoice.env()["ACME_BASE_URL"] == acme.base_url
            acme.assert_called("POST /songs", times=2)
            assert httpx.post(f"{acme.base_url}/songs", json={}).status_code == 400
            assert acme.requests.last.violations[0].message == "name is required"
        """,
    )
    pytester.syspathinsert()
    pytester.runpytest().assert_outcomes(passed=1)


ACME = """
openapi: 3.1.0
info: {title: Acme}
servers: [{url: https://acme.example/v9}]
paths:
  /songs:
    get:
      operationId: listSongs
      responses: {'200': {description: ok, content: {application/json: {schema: {type: object}}}}}
    post:
      operationId: addSong
      requestBody:
        required: true
        content:
          application/json:
            schema: {type: object, required: [name], properties: {name: {type: string}}}
      responses:
        '200': {description: ok, content: {application/json: {schema: {type: object}}}}
        '400': {description: no, content: {application/json: {schema: {type: object}}}}
"""

ACME_MOCK = """
from mockvoice.provider import Provider, RequestContext

provider = Provider("acme", "Acme")

@provider.operation("listSongs")
async def list_songs(ctx: RequestContext):
    return {"songs": [each.data for each in await ctx.all("songs")]}

@provider.operation("addSong")
async def add_song(ctx: RequestContext):
    if ctx.fields["name"] == "broken":
        raise RuntimeError("a mistake in acme_mock.py")
    id = ctx.sandbox.ids.token("song", 8)
    record = await ctx.add("songs", id, {"id": id, **ctx.fields})
    return record.data
"""


FAILING = {
    "refused": """
def test_clone(mockvoice):
    assert clone(mockvoice, audio=b"Example data", voice_provider="elevenlab").status_code == 201
""",
    "never_fired": """
def test_clone(mockvoice):
    mockvoice.retell.fail(502, operation="cloneVoice", match={"fields": {"voice_name": "x"}})
    assert clone(mockvoice).status_code == 201
""",
    "unfinished": """
def test_clone(mockvoice):
    mockvoice.retell.sequence([502, "reset", "ok"])
    assert clone(mockvoice).status_code == 502
""",
    "failed_and_never_fired": """
def test_clone(mockvoice):
    mockvoice.telnyx.fail(502)
    assert clone(mockvoice).status_code == 502
""",
    "our_mistake": """
def test_song(mockvoice):
    acme = mockvoice.provider("acme")
    assert httpx.post(f"{acme.base_url}/songs", json={"name": "broken"}).status_code == 500
""",
    "not_called": """
def test_clone(mockvoice):
    clone(mockvoice)
    mockvoice.retell.assert_called("cloneVoice", times=2, fields={"voice_name": "narrator"})
""",
    "waited": """
def test_clone(mockvoice):
    clone(mockvoice)
    mockvoice.wait_for_requests(2, timeout=0.05)
""",
    "wrong_operation": """
def test_clone(mockvoice):
    mockvoice.retell.fail(502, operation="cloneVoices")
""",
    "wrong_field": """
def test_clone(mockvoice):
    mockvoice.retell.fail(502, retry_afer=1)
""",
    "wrong_provider": """
def test_clone(mockvoice):
    mockvoice.retel.fail(502)
""",
    "wrong_marker": """
@pytest.mark.mockvoice(sead=1)
def test_clone(mockvoice):
    pass
""",
}


@pytest.mark.parametrize("kind", FAILING)
def test_the_report_of_a_failed_test_tells_the_whole_story(
    pytester: pytest.Pytester, kind: str
) -> None:
    pytester.makeini("[pytest]\nmockvoice_providers = acme=acme.yaml:acme_mock\n")
    pytester.makefile(".yaml", acme=ACME)
    pytester.makepyfile(acme_mock=ACME_MOCK, test_story=CLONE + FAILING[kind])
    pytester.syspathinsert()
    result = pytester.runpytest("--tb=short", "-p", "no:randomly")
    assert result.ret == pytest.ExitCode.TESTS_FAILED
    report = _steady(result.stdout.str(), pytester.path)
    path = GOLDEN / f"{kind}.txt"
    if os.environ.get("GOLDEN") == "write":
        path.write_text(report)
    assert report == path.read_text(), "GOLDEN=write writes it anew; read the difference"


def _steady(report: str, folder: Path) -> str:
    """What is not the same at every run, replaced."""
    report = report[report.index("collected") :].replace(str(folder), "FOLDER")
    for pattern, steady in (
        (r"127\.0\.0\.1:\d+", "127.0.0.1:PORT"),
        (r"(/~[\w.-]+)-[0-9a-f]{8}\b", r"\1-TOKEN"),
        (r" in \d+\.\d+s", " in TIME"),
        (r"=+( .+ in TIME) =+", r"==\1 =="),
        (r'File ".*/(mockvoice/|site-packages/)', r'File "\1'),
        (r"(mockvoice:\w+\.py):\d+", r"\1:LINE"),
        (
            r"^(    mockvoice failed:)? +[~^]+\n",
            "",
        ),  # where Python points to differs with its version
        (r'(mockvoice/\S+", line )\d+', r"\1LINE"),
    ):
        report = re.sub(pattern, steady, report, flags=re.MULTILINE)
    return report


def test_a_server_that_is_not_there_is_told(
    pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MOCKVOICE_URL", "http://127.0.0.1:1")
    pytester.makepyfile("def test_it(mockvoice):\n    pass\n")
    result = pytester.runpytest()
    result.assert_outcomes(errors=1)
    result.stdout.fnmatch_lines(["*no mockvoice answers at http://127.0.0.1:1:*mockvoice serve*"])


def test_a_run_that_does_not_ask_for_it_loads_nothing_of_it(pytester: pytest.Pytester) -> None:
    pytester.makepyfile(
        """
        import sys

        def test_it():
            loaded = {name for name in sys.modules if name.startswith("mockvoice")}
            assert loaded == {"mockvoice", "mockvoice.pytest_plugin"}
            assert not {"starlette", "uvicorn", "yaml", "jsonschema_rs"} & sys.modules.keys()
        """
    )
    pytester.runpytest_subprocess().assert_outcomes(passed=1)

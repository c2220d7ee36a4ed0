"""The pytest plugin: each test runs a small test suite with pytester."""

from __future__ import annotations

import os
import re
import textwrap
from pathlib import Path

import pytest

import mockvoice

from .cli.processes import clean_environ, serving

pytestmark = pytest.mark.slow  # each test runs pytest

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
def _clean_environment(pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in os.environ.keys() - clean_environ().keys():
        monkeypatch.delenv(name)
    monkeypatch.setenv("COLUMNS", "80")
    monkeypatch.setenv("PYTEST_ADDOPTS", "-p no:asyncio")


def test_each_test_has_its_own_sandbox(pytester: pytest.Pytester) -> None:
    pytester.makepyfile(
        CLONE
        + """
@pytest.mark.parametrize("time", range(3))
def test_clone(mockvoice, time):
    assert mockvoice.voices == []
    assert mockvoice.requests == []
    voice = clone(mockvoice).json()
    assert mockvoice.retell.voices[voice["voice_id"]].data["voice_name"] == "narrator"
    assert [request.status for request in mockvoice.retell.requests] == [201]
    assert mockvoice.telnyx.requests == []
"""
    )
    pytester.runpytest().assert_outcomes(passed=3)


def test_ids_are_the_same_in_every_run(pytester: pytest.Pytester) -> None:
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


TWO_SANDBOXES = """
    def test_it(mockvoice, mockvoice_server):
        for control in (mockvoice, mockvoice_server):
            other = control.sandbox("other")
            assert other.name.startswith("other-")
            assert control.sandbox("other").name == other.name
            assert other.voices == []
            voice = clone(other).json()["voice_id"]
            print("voice", voice)
            assert [v.id for v in control.sandbox("other").voices] == [voice]
            assert control.sandbox("other").sandbox("other").voices[0].id == voice
        assert mockvoice.sandbox("other").name != mockvoice_server.sandbox("other").name
        assert mockvoice.voices == []
"""


def test_sandboxes_of_the_fixtures_are_unique_to_a_run_and_deleted(
    pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch
) -> None:
    pytester.makepyfile(CLONE + textwrap.dedent(TWO_SANDBOXES))
    with mockvoice.serve() as server:
        monkeypatch.setenv("MOCKVOICE_URL", server.url)
        literal = server.sandbox("other")
        literal.telnyx.add_voice()
        voices = []
        for _ in range(2):
            result = pytester.runpytest_subprocess("-s")
            result.assert_outcomes(passed=1)
            voices.append(re.findall(r"voice (\S+)", result.stdout.str()))
        assert voices[0] == voices[1]  # ids repeat, although names do not
        assert server.sandboxes == ["", "other"]
        assert literal.name == "other"
        assert len(literal.voices) == 1


def test_test_may_delete_its_own_sandbox(pytester: pytest.Pytester) -> None:
    pytester.makepyfile("def test_it(mockvoice):\n    mockvoice.delete_sandbox(mockvoice.name)\n")
    pytester.runpytest().assert_outcomes(passed=1)


def test_marker_changes_settings(pytester: pytest.Pytester) -> None:
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


def test_strict_can_be_disabled_in_ini_file(pytester: pytest.Pytester) -> None:
    pytester.makeini("[pytest]\nmockvoice_strict = false\n")
    pytester.makepyfile("def test_it(mockvoice):\n    mockvoice.telnyx.fail(502)\n")
    pytester.runpytest().assert_outcomes(passed=1)


CONFIGURED = (
    CLONE
    + """
def test_voice_and_audio(mockvoice):
    assert [voice.data["voice_name"] for voice in mockvoice.retell.voices] == ["configured"]
    assert clone(mockvoice, audio=b"Example data").status_code == 201

@pytest.mark.mockvoice(audio="strict")
def test_marker_overrides_the_file(mockvoice):
    assert clone(mockvoice, audio=b"Example data").status_code == 400
"""
)
CONFIGURATION = """
audio: any
workers: 4
voices: [{provider: retell, data: {voice_name: configured}}]
"""


def test_fixture_reads_the_configuration_file(
    pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch
) -> None:
    pytester.makefile(".yaml", mockvoice=CONFIGURATION)
    pytester.makepyfile(CONFIGURED)
    result = pytester.runpytest()
    result.assert_outcomes(passed=2)
    result.stdout.fnmatch_lines(["mockvoice: settings from */mockvoice.yaml (*= off reads none)"])
    folder = pytester.mkdir("other")
    pytester.runpytest(folder, pytester.path, "-k", "voice").assert_outcomes(passed=2)
    monkeypatch.setenv("MOCKVOICE_AUDIO", "strict")  # an environment variable overrides the file
    pytester.runpytest().assert_outcomes(passed=1, failed=1)


def test_configuration_file_can_be_named_and_turned_off(
    pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch
) -> None:
    pytester.makefile(".yaml", mockvoice="voices: []\naudio: strict", other=CONFIGURATION)
    pytester.makepyfile(CONFIGURED)
    pytester.runpytest("-o", "mockvoice_config=other.yaml").assert_outcomes(passed=2)
    result = pytester.runpytest("-o", "mockvoice_config=off")
    result.assert_outcomes(passed=1, failed=1)
    assert "settings from" not in result.stdout.str()
    monkeypatch.setenv("MOCKVOICE_CONFIG", "other.yaml")
    pytester.runpytest().assert_outcomes(passed=2)


def test_invalid_configuration_file_is_reported_with_its_lines(pytester: pytest.Pytester) -> None:
    pytester.makefile(".yaml", mockvoice="audio: anny\nvoices: [{provider: retel}]")
    pytester.makepyfile(CONFIGURED)
    result = pytester.runpytest()
    result.assert_outcomes(errors=2)
    result.stdout.fnmatch_lines(
        [
            "*/mockvoice.yaml:1: audio must be one of strict, any; got *did you mean any?",
            "*/mockvoice.yaml:2: voices?0?.provider must be one of *did you mean retell?",
        ]
    )
    assert "Traceback" not in result.stdout.str()


def test_server_fixture_adds_the_journal_to_a_failure(pytester: pytest.Pytester) -> None:
    pytester.makepyfile(
        CLONE
        + """
@pytest.fixture(scope="module")
def narrator(mockvoice_server):
    return mockvoice_server.sandbox("narrator")

def test_passes(mockvoice_server, narrator):
    assert clone(mockvoice_server, "before").status_code == 201
    assert clone(narrator, "earlier").status_code == 201

def test_fails(mockvoice_server):
    assert clone(mockvoice_server, "this", voice_provider="elevenlab").status_code == 201

def test_fails_after_a_reset(narrator):
    narrator.reset()
    assert clone(narrator, "other").status_code == 500
"""
    )
    result = pytester.runpytest("-p", "no:randomly")
    result.assert_outcomes(passed=1, failed=2)
    result.stdout.fnmatch_lines(
        [
            "*mockvoice journal (mockvoice_server)*",
            "request_2  retell cloneVoice  POST /retell/clone-voice  -> 400",
            "    voice_name = ?this?",
            "    hint: did you mean elevenlabs?",
            "*mockvoice journal (narrator)*",
            "request_1  retell cloneVoice  POST /retell/clone-voice  -> 201",
            "    voice_name = ?other?",
        ]
    )
    output = result.stdout.str()
    assert output.count("mockvoice journal") == 3
    assert 'voice_name = "before"' not in output
    assert 'voice_name = "earlier"' not in output


def test_env_redirects_code_that_builds_its_own_client(pytester: pytest.Pytester) -> None:
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

        def test_variables_are_restored(mockvoice):
            assert "RETELL_API_KEY" not in os.environ
        """,
    )
    pytester.runpytest().assert_outcomes(passed=2)


def test_fixture_in_unittest_classes(pytester: pytest.Pytester) -> None:
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

async def list_voices(mock):
    async with httpx.AsyncClient(verify=False, headers={"authorization": "Bearer KEY"}) as client:
        return await client.get(f"{mock.retell.base_url}/list-voices")

@pytest.mark.MARK
async def test_requests_and_control_calls(mockvoice):
    fault = mockvoice.retell.fail(503, times=1)
    assert [(await list_voices(mockvoice)).status_code for _ in range(2)] == [503, 200]
    assert fault.hits == 1

@pytest.mark.MARK
async def test_wait_in_a_thread(mockvoice):
    task = asyncio.ensure_future(list_voices(mockvoice))
    with pytest.raises(RuntimeError, match="asyncio.to_thread"):
        mockvoice.wait_for_requests(1)
    (request,) = await asyncio.to_thread(mockvoice.wait_for_requests, 1)
    assert request.status == 200
    await task
"""


@pytest.mark.parametrize("plugin", ["asyncio", "anyio"])
def test_fixture_in_async_tests(
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
    assert [voice.data["voice_name"] for voice in mockvoice.voices] == [f"n{number}"]
"""
)


@pytest.mark.slow  # three pytest runs with workers
def test_xdist_workers_with_own_or_shared_server(
    pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch
) -> None:
    pytester.makepyfile(MANY)
    pytester.runpytest_subprocess("-n", "2").assert_outcomes(passed=12)
    with serving() as (_, url):
        monkeypatch.setenv("MOCKVOICE_URL", url)
        pytester.runpytest_subprocess("-n", "2").assert_outcomes(passed=12)
        pytester.runpytest_subprocess().assert_outcomes(passed=12)


def test_provider_from_ini_file(
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
            url, song = f"{acme.base_url}/songs", {"name": "n"}
            first, second = (httpx.post(url, json=song) for _ in range(2))
            assert (first.status_code, second.status_code) == (503, 200)
            assert acme.voices[second.json()["id"]].data["name"] == "n"
            assert mockvoice.env()["ACME_BASE_URL"] == acme.base_url
            acme.assert_called("POST /songs", times=2)
            assert httpx.post(url, json={}).status_code == 400
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
    return {"songs": [song.data for song in await ctx.all("songs")]}

@provider.operation("addSong")
async def add_song(ctx: RequestContext):
    if ctx.fields["name"] == "broken":
        raise RuntimeError("a bug in acme_mock.py")
    id = ctx.ids.token("song", 8)
    record = ctx.add("songs", id, {"id": id, **ctx.fields})
    return record.data
"""


def test_marker_adds_faults(pytester: pytest.Pytester) -> None:
    """Each item is one fault; a list in the list is a sequence."""
    pytester.makepyfile(
        CLONE
        + """
@pytest.mark.mockvoice(faults=[{"provider": "telnyx", "status": 503}, [502, "ok"]], strict=False)
def test_clone(mockvoice):
    assert [clone(mockvoice).status_code for _ in range(3)] == [502, 201, 201]
    assert [fault.hits for fault in mockvoice.faults] == [0, 1]

@pytest.mark.mockvoice(faults=["rset"])
def test_unknown_name(mockvoice):
    pass
"""
    )
    result = pytester.runpytest()
    result.assert_outcomes(passed=1, errors=1)
    result.stdout.fnmatch_lines(["*must be one of ok, status, delay*did you mean reset?"])


VIOLATIONS = """
def wrong(mock, **fields):
    return clone(mock, voice_provider="elevenlab", **fields)

def test_violation(mockvoice):
    wrong(mockvoice)

def test_no_operation(mockvoice):
    httpx.get(f"{mockvoice.retell.base_url}/nowhere")

def test_expected(mockvoice):
    with mockvoice.expect_violation() as requests:
        wrong(mockvoice)
        httpx.get(f"{mockvoice.retell.base_url}/nowhere")
    assert [request.status for request in requests] == [400, 404]

def test_expected_by_a_provider_with_pointer_and_operation(mockvoice):
    with mockvoice.retell.expect_violation("cloneVoice", pointer="/voice_provider"):
        wrong(mockvoice)

def test_expected_with_an_error_of_the_client(mockvoice):
    with pytest.raises(httpx.HTTPStatusError), mockvoice.expect_violation():
        wrong(mockvoice).raise_for_status()

def test_other_violation_than_the_expected_one(mockvoice):
    with mockvoice.expect_violation(pointer="/voice_provider"):
        wrong(mockvoice)
        clone(mockvoice, name="")

def test_violation_after_the_block(mockvoice):
    with mockvoice.expect_violation():
        wrong(mockvoice)
    mockvoice.reset("requests")
    wrong(mockvoice)

def test_valid(mockvoice):
    mockvoice.retell.fail(502, times=1)
    assert [clone(mockvoice).status_code for _ in range(2)] == [502, 201]

@pytest.mark.mockvoice(fail_on_violation=False)
def test_allowed(mockvoice):
    wrong(mockvoice)
"""


def test_violations_fail_tests_unless_they_are_expected(pytester: pytest.Pytester) -> None:
    pytester.makeini("[pytest]\nmockvoice_fail_on_violation = true\n")
    pytester.makepyfile(CLONE + VIOLATIONS)
    result = pytester.runpytest("-p", "no:randomly")
    result.assert_outcomes(passed=9, errors=4)
    result.stdout.fnmatch_lines(
        [
            "request violated the contract: request_1  retell cloneVoice *-> 400",
            "    violation in body: voice_provider must be one of *",
            "        rule: retell*.yaml#/*",
            "    hint: did you mean elevenlabs?",
            "if this is expected, send it inside mockvoice.expect_violation()",
        ]
    )
    result.stdout.fnmatch_lines(
        [
            "request matched no operation: request_1  retell (no operation)  GET *-> 404",
            "    hint: *the base URL of Retell*",
        ]
    )
    result.stdout.fnmatch_lines(
        ["ERROR *::test_other_violation_than_the_expected_one*", "ERROR *after_the_block*"]
    )


def test_violations_do_not_fail_tests_by_default(pytester: pytest.Pytester) -> None:
    pytester.makepyfile(
        CLONE
        + """
def test_violation(mockvoice):
    clone(mockvoice, voice_provider="elevenlab")

@pytest.mark.mockvoice(fail_on_violation=True, strict=False)
def test_fails(mockvoice):
    mockvoice.retell.fail(502, operation="listVoices")
    clone(mockvoice, voice_provider="elevenlab")

@pytest.mark.mockvoice(fail_on_violation=True)
def test_fails_for_both_reasons(mockvoice):
    mockvoice.retell.fail(502, operation="listVoices")
    clone(mockvoice, voice_provider="elevenlab")
"""
    )
    result = pytester.runpytest("-p", "no:randomly")
    result.assert_outcomes(passed=3, errors=2)
    result.stdout.fnmatch_lines(["fault never fired: *", "request violated the contract: *"])


FAILURES = {
    "violation": """
@pytest.mark.mockvoice(fail_on_violation=True)
def test_clone(mockvoice):
    clone(mockvoice, voice_provider="elevenlab")
""",
    "missing_violation": """
def test_clone(mockvoice):
    with mockvoice.expect_violation("cloneVoice", pointer="/voice_provider"):
        clone(mockvoice)
""",
    "rejected_request": """
def test_clone(mockvoice):
    assert clone(mockvoice, audio=b"Example data", voice_provider="elevenlab").status_code == 201
""",
    "unfired_fault": """
def test_clone(mockvoice):
    mockvoice.retell.fail(502, operation="cloneVoice", match={"fields": {"voice_name": "x"}})
    assert clone(mockvoice).status_code == 201
""",
    "unfinished_sequence": """
def test_clone(mockvoice):
    mockvoice.retell.sequence([502, "reset", "ok"])
    assert clone(mockvoice).status_code == 502
""",
    "failed_with_unfired_fault": """
def test_clone(mockvoice):
    mockvoice.telnyx.fail(502)
    assert clone(mockvoice).status_code == 502
""",
    "internal_error": """
def test_song(mockvoice):
    acme = mockvoice.provider("acme")
    assert httpx.post(f"{acme.base_url}/songs", json={"name": "broken"}).status_code == 500
""",
    "assert_called": """
def test_clone(mockvoice):
    clone(mockvoice)
    mockvoice.retell.assert_called("cloneVoice", times=2, fields={"voice_name": "narrator"})
""",
    "wait_timeout": """
def test_clone(mockvoice):
    clone(mockvoice)
    mockvoice.wait_for_requests(2, timeout=0.05)
""",
    "unknown_operation": """
def test_clone(mockvoice):
    mockvoice.retell.fail(502, operation="cloneVoices")
""",
    "unknown_fault_field": """
def test_clone(mockvoice):
    mockvoice.retell.fail(502, retry_afer=1)
""",
    "unknown_provider": """
def test_clone(mockvoice):
    mockvoice.retel.fail(502)
""",
    "unknown_marker_argument": """
@pytest.mark.mockvoice(sead=1)
def test_clone(mockvoice):
    pass
""",
}


@pytest.mark.parametrize("name", FAILURES)
def test_report_of_failed_test(pytester: pytest.Pytester, name: str) -> None:
    pytester.makeini("[pytest]\nmockvoice_providers = acme=acme.yaml:acme_mock\n")
    pytester.makefile(".yaml", acme=ACME)
    pytester.makepyfile(acme_mock=ACME_MOCK, test_clone=CLONE + FAILURES[name])
    pytester.syspathinsert()
    result = pytester.runpytest("--tb=short", "-p", "no:randomly")
    assert result.ret == pytest.ExitCode.TESTS_FAILED
    report = _normalize(result.stdout.str(), pytester.path)
    path = GOLDEN / f"{name}.txt"
    if os.environ.get("GOLDEN") == "write":
        path.write_text(report)
    assert report == path.read_text(), "GOLDEN=write updates the file; review the diff"


def _normalize(report: str, folder: Path) -> str:
    """Replace values that differ between runs and Python versions."""
    report = report[report.index("collected") :].replace(str(folder), "FOLDER")
    for pattern, replacement in (
        (r"127\.0\.0\.1:\d+", "127.0.0.1:PORT"),
        (r"(/~[\w.-]+)-[0-9a-f]{12}\b", r"\1-TOKEN"),
        (r" in \d+\.\d+s", " in TIME"),
        (r"=+( .+ in TIME) =+", r"==\1 =="),
        (r'File ".*/(mockvoice/|site-packages/)', r'File "\1'),
        (r"(mockvoice:\w+\.py):\d+", r"\1:LINE"),
        # Underlines in tracebacks depend on the Python version.
        (r"^(    internal error:)? +[~^]+\n", ""),
        (r'(mockvoice/\S+", line )\d+', r"\1LINE"),
    ):
        report = re.sub(pattern, replacement, report, flags=re.MULTILINE)
    return report


def test_missing_server_is_an_error(
    pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MOCKVOICE_URL", "http://127.0.0.1:1")
    pytester.makepyfile("def test_it(mockvoice):\n    pass\n")
    result = pytester.runpytest()
    result.assert_outcomes(errors=1)
    result.stdout.fnmatch_lines(["*no mockvoice server at http://127.0.0.1:1:*mockvoice serve*"])


def test_unused_plugin_imports_nothing(pytester: pytest.Pytester) -> None:
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

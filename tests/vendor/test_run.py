"""Runs of vendors' tests: what is a checkout, the part of a Java SDK that is compiled, results."""

from __future__ import annotations

from pathlib import Path

import pytest

from mockvoice import Control, serve

from ..environments import Unavailable
from ..markdown import ROOT
from .kotlin import copy_part
from .run import KNOWN, find_checkout, main, resource, summary
from .runners import HOOKS, Result, _go_results, _jest_results, _junit_results

CLIENT = """\
package com.telnyx.sdk.client

import com.telnyx.sdk.core.Options
import com.telnyx.sdk.services.blocking.FaxService
import com.telnyx.sdk.services.blocking.VoiceCloneService

/** The client. */
interface TelnyxClient {

    fun options(): Options

    fun voiceClones(): VoiceCloneService

    interface WithRawResponse {

        fun voiceClones(): VoiceCloneService.WithRawResponse

        /** Fax machines. */
        fun faxes(): FaxService.WithRawResponse
    }
}
"""


@pytest.fixture
def java(tmp_path: Path) -> Path:
    """A checkout of a Java SDK with two services."""
    sdk = "telnyx-core/src/{}/kotlin/com/telnyx/sdk"
    main, test = tmp_path / sdk.format("main"), tmp_path / sdk.format("test")
    models = "import com.telnyx.sdk.models.voiceclones.VoiceClone\n"
    files = {
        tmp_path / "build.gradle.kts": 'group = "com.telnyx.sdk"\n',
        main / "client/TelnyxClient.kt": CLIENT,
        main / "core/Options.kt": "class Options\n",
        main / "models/voiceclones/VoiceClone.kt": "class VoiceClone\n",
        main / "models/voiceclones/Gender.kt": "class Gender\n",
        main / "models/faxes/Fax.kt": "class Fax\n",
        main / "services/blocking/VoiceCloneService.kt": models,
        main / "services/blocking/FaxService.kt": "interface FaxService\n",
        test / "services/blocking/VoiceCloneServiceTest.kt": models,
        test / "services/blocking/FaxServiceTest.kt": "class FaxServiceTest\n",
    }
    for path, text in files.items():
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    return tmp_path


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("test_voice_clones.py", "voiceclone"),
        ("voice-clones.test.ts", "voiceclone"),
        ("voiceclone_test.go", "voiceclone"),
        ("VoiceCloneServiceTest.kt", "voiceclone"),
        ("VoiceCloneServiceAsyncTest.kt", "voiceclone"),
        ("text-to-speech.test.ts", "texttospeech"),
        ("voicesdkcallreport_test.go", "voicesdkcallreport"),
    ],
)
def test_resource_of_a_test_file_is_spelled_alike(name: str, expected: str) -> None:
    assert resource(Path(name)) == expected


def test_checkout_has_the_tests_that_the_mock_can_serve(java: Path) -> None:
    checkout = find_checkout(java)
    assert (checkout.language, checkout.provider) == ("java", "telnyx")
    assert [test.name for test in checkout.tests] == ["VoiceCloneServiceTest.kt"]


def test_folder_that_is_no_checkout_is_named(tmp_path: Path) -> None:
    with pytest.raises(Unavailable, match="is no checkout of an SDK of telnyx or retell"):
        find_checkout(tmp_path)
    (tmp_path / "go.mod").write_text("module github.com/team-telnyx/telnyx-go/v4\n")
    with pytest.raises(Unavailable, match=r"has no generated tests of voices, such as \*_test.go"):
        find_checkout(tmp_path)
    assert str(main([str(tmp_path)])).startswith(str(tmp_path))
    assert str(main([""])).startswith("usage: make vendor-tests SDK=path")


def test_part_of_an_sdk_has_no_other_services(java: Path, tmp_path: Path) -> None:
    target = tmp_path / "part"
    copy_part(java, find_checkout(java).tests, target)
    copied = {path.name for path in target.rglob("*.kt")}
    services = {"VoiceCloneService.kt", "VoiceCloneServiceTest.kt"}
    assert copied == services | {"TelnyxClient.kt", "Options.kt", "VoiceClone.kt", "Gender.kt"}
    client = (target / "src/com/telnyx/sdk/client/TelnyxClient.kt").read_text()
    assert "Fax" not in client
    assert client.count("fun voiceClones()") == 2
    assert client.count("{") == client.count("}")


def test_results_of_each_test_runner(tmp_path: Path) -> None:
    report = tmp_path / "junit.xml"
    report.write_text(
        "<testsuite><testcase classname='tests.TestA' name='a'/>"
        "<testcase classname='tests.TestA' name='b'><failure message='422'>text</failure>"
        "</testcase>"
        "<testcase classname='tests.TestA' name='c'><skipped/></testcase></testsuite>"
    )
    passed, failed = Result("TestA", "a", "passed"), Result("TestA", "b", "failed", "422\ntext")
    assert [*_junit_results(report)] == [passed, failed, Result("TestA", "c", "skipped")]
    suite = {
        "name": "/x/a.test.ts",
        "assertionResults": [{"status": "failed", "title": "a", "failureMessages": ["422"]}],
    }
    broken = {"name": "/x/b.test.ts", "assertionResults": [], "message": "syntax"}
    assert [*_jest_results([suite, broken])] == [
        Result("a.test.ts", "a", "failed", "422"),
        Result("b.test.ts", "", "failed", "syntax"),
    ]
    output = (
        '{"Action":"output","Test":"TestA","Output":"=== RUN TestA\\n"}\n'
        '{"Action":"output","Test":"TestA","Output":"422\\n"}\n{"Action":"fail","Test":"TestA"}\n'
        '{"Action":"fail"}\nFAIL\n'
    )
    assert [*_go_results(output, {"TestA": "a_test.go"})] == [
        Result("a_test.go", "TestA", "failed", "422\n")
    ]


def test_summary_counts_known_failures_and_prints_others(java: Path) -> None:
    results = [
        Result("A", "passes", "passed"),
        Result("A", "retrieveSpeech", "failed", "Error: 400\nTextToSpeechOverWs is a WebSocket"),
        Result("B", "list", "failed", "name is required"),
    ]
    text = summary(find_checkout(java), results)
    assert "all         1        2        0" in text
    assert "1 failed: an HTTP request for a WebSocket" in text
    assert "B list\n  name is required" in text
    assert "retrieveSpeech" not in text


def test_plugin_runs_skipped_tests_each_with_a_fresh_sandbox(
    mockvoice: Control, pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MOCKVOICE_RESET", f"{mockvoice.url}/__mockvoice/reset")
    monkeypatch.setenv("MOCKVOICE_URL", mockvoice.url)
    monkeypatch.syspath_prepend(HOOKS)
    pytester.makepyfile("""
        import os

        import pytest

        import mockvoice

        @pytest.mark.skip(reason="Mock server tests are disabled")
        @pytest.mark.parametrize("number", [1, 2])
        def test_voice(number):
            mock = mockvoice.connect(os.environ["MOCKVOICE_URL"])
            assert [voice for voice in mock.retell.voices if voice.data["voice_name"] == "x"] == []
            mock.retell.add_voice({"voice_name": "x"})
    """)
    result = pytester.runpytest_inprocess("-p", "unskip", "-p", "no:mockvoice", "-p", "no:asyncio")
    result.assert_outcomes(passed=2)


@pytest.mark.parametrize("provider", KNOWN)
def test_known_failures_are_documented(provider: str) -> None:
    page = (ROOT / f"docs/providers/{provider}.md").read_text(encoding="utf-8")
    for said in KNOWN[provider].values():
        assert f"| {said[0].upper()}{said[1:]} |" in page


@pytest.mark.parametrize("provider", KNOWN)
def test_seeded_records_of_the_vendors_tests_are_valid(provider: str) -> None:
    with serve(config=Path(__file__).with_name(f"{provider}.yaml")) as mock:
        assert mock.provider(provider).voices

"""Run a vendor's generated tests of voices from a checkout: `make vendor-tests SDK=path`.

The tests are marked as skipped because the vendor has no mock server for them. Here they run, each
with a fresh sandbox that has the records of `PROVIDER.yaml`. The checkout is not changed, and needs
no tools of its own: test runners and other dependencies are installed in `.sdks/`.
"""

from __future__ import annotations

import re
import sys
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

from ..cli.processes import serving
from ..environments import Unavailable
from .runners import RUNNERS, Checkout, Result

# The resources that a mock can serve. The other tests of an SDK need other operations.
RESOURCES = {
    "telnyx": ("voiceclone", "voicedesign", "texttospeech", "pronunciationdict"),
    "retell": ("voice", "concurrency"),
}
BASE_PATHS = {"telnyx": "/telnyx/v2", "retell": "/retell"}
LANGUAGES = {
    "pyproject.toml": ("python", "tests/api_resources/test_*.py"),
    "go.mod": ("go", "*_test.go"),
    "build.gradle.kts": ("java", "*-core/src/test/kotlin/com/*/sdk/services/*/*Test.kt"),
    "package.json": ("node", "tests/api-resources/*.test.ts"),
}

# Failures that are no fault of the mock: a pattern of file, name and reason, and what is wrong with
# the test or its SDK. docs/providers/ has the same list.
KNOWN = {
    "telnyx": {
        r"generate_?speech.*text\W+is required": "speech without text and voice",
        r"generate_?speech.*(audio/mpeg|speechresponse|invalid character|reading response)": (
            "speech that is read as JSON"
        ),
        r"(get|retrieve)_?speech.*is a WebSocket": "an HTTP request for a WebSocket",
        r"^\S*design\S* (test_\w+_)?create.*name is required": "a new design without a name",
        r"^\S*dict.*update.*at least 1 member": "a change of a dictionary that changes nothing",
        r"^voiceclone(_test.go|service).*upload.*audio_file is required": (
            "an upload without fields, which the SDK drops"
        ),
        r"^pronunciationdictservice\w* create.*JsonNode type": "a form that the SDK cannot write",
    },
    "retell": {
        r"add_?resource.*public_user_id is required": (
            "a community voice of ElevenLabs without its owner"
        ),
    },
}


def find_checkout(path: Path) -> Checkout:
    """Return what a folder contains. Raises Unavailable if it is no SDK with generated tests."""
    marker = next((name for name in LANGUAGES if (path / name).is_file()), None)
    text = (path / marker).read_text(encoding="utf-8") if marker else ""
    provider = next((name for name in RESOURCES if name in text), None)
    if marker is None or provider is None:
        vendors = " or ".join(RESOURCES)
        files = ", ".join(LANGUAGES)
        raise Unavailable(f"{path} is no checkout of an SDK of {vendors}: it has none of {files}")
    language, pattern = LANGUAGES[marker]
    tests = [file for file in sorted(path.glob(pattern)) if resource(file) in RESOURCES[provider]]
    if not tests:
        raise Unavailable(f"{path} has no generated tests of voices, such as {pattern}")
    return Checkout(path, language, provider, tests)


def resource(test: Path) -> str:
    """Return the resource that a test file is for, spelled alike in all languages: voiceclone."""
    name = re.sub(r"[^a-z]", "", test.name.partition(".")[0].lower())
    return re.sub(r"^test|(service)?(async)?test$", "", name).removesuffix("s")


def run_tests(checkout: Checkout) -> list[Result]:
    """Run the tests of a checkout against a server of their own."""
    config = Path(__file__).with_name(f"{checkout.provider}.yaml")
    with serving("--config", str(config)) as (_, url):
        return RUNNERS[checkout.language](checkout, url + BASE_PATHS[checkout.provider])


def summary(checkout: Checkout, results: Sequence[Result]) -> str:
    """Return a table of the outcomes by file, and the failures: known ones by reason."""
    rows: list[tuple[str, ...]] = [("file", "passed", "failed", "skipped")]
    for file in [*dict.fromkeys(result.file for result in results), "all"]:
        outcomes = Counter(r.outcome for r in results if file in (r.file, "all"))
        rows.append((file, *(str(outcomes[name]) for name in rows[0][1:])))
    width = max(len(row[0]) for row in rows)
    lines = [f"{file:{width}}" + "".join(f"{n:>9}" for n in numbers) for file, *numbers in rows]
    failed = [result for result in results if result.outcome == "failed"]
    reasons = Counter(known_reason(checkout, result) for result in failed)
    lines += ["", *(f"{n} failed: {reason}" for reason, n in reasons.items() if reason)]
    for result in failed:
        if not known_reason(checkout, result):
            lines += ["", f"{result.file} {result.name}", f"  {result.reason.strip()[:1000]}"]
    return "\n".join(lines)


def known_reason(checkout: Checkout, result: Result) -> str:
    """Return what is wrong with a test that fails, or with its SDK; "" if that is not known."""
    text = f"{result.file} {result.name}\n{result.reason}"
    for pattern, reason in KNOWN[checkout.provider].items():
        if re.search(pattern, text, re.IGNORECASE | re.DOTALL):
            return reason
    return ""


def main(arguments: Sequence[str]) -> str | int:
    """Run the tests of the checkout that the arguments name; return the exit code, or an error."""
    if len(arguments) != 1 or not arguments[0]:
        return "usage: make vendor-tests SDK=path, the checkout of an SDK of Telnyx or Retell"
    try:
        checkout = find_checkout(Path(arguments[0]).resolve())
        tests = ", ".join(test.name for test in checkout.tests)
        print(f"{checkout.provider}, {checkout.language}: {tests}", flush=True)
        results = run_tests(checkout)
    except Unavailable as error:
        return str(error)
    print(summary(checkout, results))
    failed = [result for result in results if result.outcome == "failed"]
    return 0 if all(known_reason(checkout, result) for result in failed) else 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))

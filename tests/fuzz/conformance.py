"""Schemathesis on all contracts: `make schemathesis`, or `python -m tests.fuzz.conformance`.

Arguments select contracts: `telnyx` is the default edition, `telnyx@2026-07-16` another one.
It runs every check except those that contradict what the mock is for. The reports that remain and
are not defects are in ACCEPTED, each with its reason; any other one fails the run.
"""

from __future__ import annotations

import argparse
import os
import re
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from ..cli.processes import serving
from ..contract.contracts import CONTRACTS, NEWER, Contract

ROOT = Path(__file__).parents[2]
BIN = ROOT / ".venv-schemathesis" / ("Scripts" if os.name == "nt" else "bin")
EXCLUDED = {
    "ignored_auth": "the mock accepts every key",
    "use_after_free": "other keys see other records, and a reset brings presets back",
    "ensure_resource_availability": "the same",
    "unsupported_method": "405 is not in the documents of the providers",
}


class Report(NamedTuple):
    """A failure that Schemathesis reports: its code, and the status and body of the response."""

    contract: str
    operation: str
    code: str
    response: str


class Accepted(NamedTuple):
    """Reports that are not defects; everything but `code` and `reason` is a pattern."""

    contract: str
    operation: str
    code: str
    response: str
    reason: str


REJECTED, ACCEPTED_INVALID = "ST202", "ST201"  # a valid request was rejected, an invalid one not
_NO_AUDIO = "OpenAPI cannot say that the bytes of a file must be audio; see the provider's page"
_NO_ENUM = "names depend on `--provider`, and an enum would reject those of custom providers"
_NO_MODEL = "the document lists no models, and documents 400 for unknown ones"
_ANY = ".*"  # an operation, or the phase in which several are called
ACCEPTED = [
    Accepted(
        ".*", _ANY, REJECTED, r"4\d\d .*of the multipart body has no name",
        "a part of a form has a name (RFC 7578, section 4.2); no schema says so",
    ),
    Accepted(
        ".*", _ANY, REJECTED, r"400 .*is a WebSocket, which the request does not open",
        "an HTTP client cannot send the valid request, which opens a WebSocket",
    ),
    Accepted(
        "mockvoice", _ANY, REJECTED, r"400 .*must be a WebSocket for a fault of frames",
        "the schema does not know which operations are WebSockets",
    ),
    Accepted("mockvoice", _ANY, REJECTED, r"400 .*provider must be one of", _NO_ENUM),
    Accepted("mockvoice", _ANY, REJECTED, r"400 .*operation must be one of", _NO_ENUM),
    Accepted("mockvoice", _ANY, REJECTED, r"400 .*collection must be one of", _NO_ENUM),
    Accepted("mockvoice", _ANY, REJECTED, r"400 .*limits\..* must be one of", _NO_ENUM),
    Accepted("mockvoice", _ANY, REJECTED, r"400 .*edition\..* must be one of", _NO_ENUM),
    Accepted(
        "mockvoice", _ANY, REJECTED, r"400 .* has no effect at ",
        "providers differ in the fields of accounts; the schema has those of all providers",
    ),
    Accepted(
        "mockvoice", _ANY, REJECTED, r"400 .*since must be the id of a request, or a time",
        "the time may have any precision and no time zone, for which there is no format",
    ),
    Accepted(
        "mockvoice", _ANY, REJECTED, r"400 .*data\.\w+ is required",
        "a complete record has all members of its provider's contract; the schema knows none",
    ),
    Accepted(
        "retell", ".*get-voice.*|Stateful.*", REJECTED, r"422 .*Cannot find requested asset",
        "Retell documents 422, not 404, for a voice that does not exist",
    ),
    Accepted(
        "retell", _ANY, REJECTED, r"400 .*files\.\d+ must (be audio|not be empty)", _NO_AUDIO
    ),
    Accepted(
        "faseeh", _ANY, REJECTED, r"400 .*file is required and must be of audio type", _NO_AUDIO
    ),
    Accepted("faseeh", _ANY, REJECTED, r"400 .*Model not found", _NO_MODEL),
    Accepted(
        "faseeh", "POST /voices/(clone|preview)", ACCEPTED_INVALID, "200 ",
        "null and arrays are sent as text in a form, which is what the fields are",
    ),
    Accepted(
        "faseeh", "Stateful.*", ACCEPTED_INVALID, "200 ",
        "reported with `Invalid component: positive test case`: the request is valid",
    ),
    Accepted(
        "supertone", _ANY, REJECTED, r"4(15|00) .*(Unsupported audio|files must not be empty)",
        _NO_AUDIO,
    ),
    Accepted(
        "supertone", _ANY, REJECTED, r"400 .*(language|style|model) must be one of .* for ",
        "the document does not say which languages, styles and models a voice has",
    ),
    Accepted(
        "supertone", _ANY, REJECTED, r"400 .*end_time must not be before start_time",
        "OpenAPI cannot compare two parameters",
    ),
    Accepted(
        "telnyx", _ANY, REJECTED, r"400 .*No provider is ",
        "the document describes the format of a voice in words, and documents 400 for unknown ones",
    ),
    Accepted(
        "telnyx", _ANY, REJECTED, r"4(00|22) .*audio_file must (be audio|not be empty)",
        _NO_AUDIO,
    ),
    Accepted(
        "telnyx", "POST /voice_clones/from_upload", REJECTED, r"400 .*audio_file is not readable",
        "the file of a form in oneOf is sent without a filename, so it is a text field",
    ),
    Accepted(
        "telnyx", ".*pronunciation_dicts.*|Stateful.*", REJECTED, r"422 .*name already exists",
        "the document says that names are unique; a schema cannot",
    ),
    Accepted(
        "telnyx", "POST /pronunciation_dicts", REJECTED, r"422 .*file must be text in UTF-8",
        "OpenAPI cannot say that a file must be text",
    ),
]  # fmt: skip


def is_accepted(report: Report) -> bool:
    """Return True if a report is in ACCEPTED."""
    return any(
        re.fullmatch(accepted.contract, report.contract)
        and accepted.code == report.code
        and re.fullmatch(accepted.operation, report.operation)
        and re.match(accepted.response, report.response, re.DOTALL)
        for accepted in ACCEPTED
    )


def reports(contract: str, output: str) -> list[Report]:
    """Return the failures in what Schemathesis prints."""
    _, _, failures = output.partition("= FAILURES =")
    failures = re.split(r"^=+ (?:WARNINGS|SUMMARY)", failures, flags=re.MULTILINE)[0]
    found = []
    for section in re.split(r"^_+ (?=\S)", failures, flags=re.MULTILINE)[1:]:
        operation, _, rest = section.partition("\n")
        for case in re.split(r"^\d+\. Test Case ID", rest, flags=re.MULTILINE)[1:]:
            response = re.search(
                r"^\[(\d+ ?)\][^\n]*\n\s*(.*?)\n\nReproduce", case, re.MULTILINE | re.DOTALL
            )
            text = f"{response[1]} {response[2]}" if response else case
            codes = re.findall(r"^- (ST\d+)", case, re.MULTILINE)
            found += [Report(contract, operation.strip(" _"), code, text) for code in codes]
    return found


def label(contract: Contract) -> str:
    """Return the name of a contract, with its edition unless that is the default."""
    return str(contract) if contract in NEWER else contract.name


def run(contract: Contract, examples: int, seconds: int) -> tuple[int, str]:
    """Test one contract with a new server; return the exit code of Schemathesis and its output."""
    edition = ["--edition", f"{contract.name}={contract.edition}"] if contract in NEWER else []
    with serving(*edition) as (_, url), tempfile.TemporaryDirectory() as folder:
        headers = contract_headers(contract)
        command = [
            str(BIN / "schemathesis"), "run", str(contract.path),
            "--url", url + contract.base_path,
            "--checks", "all", "--exclude-checks", ",".join(EXCLUDED),
            "--exclude-operation-id", "streamEvents",  # its response does not end
            "--max-examples", str(examples), "--max-time", str(seconds),
            "--generation-deterministic", "--continue-on-failure", "--no-color",
            "--output-truncate", "false",
            *(part for name, value in headers.items() for part in ("-H", f"{name}: {value}")),
        ]  # fmt: skip
        done = subprocess.run(
            command, cwd=folder, capture_output=True, text=True, check=False, timeout=4 * seconds
        )
    return done.returncode, done.stdout + done.stderr


def contract_headers(contract: Contract) -> dict[str, str]:
    """Return the header with an API key; the control API of this server needs none."""
    for scheme in contract.document["components"].get("securitySchemes", {}).values():
        if contract.name != "mockvoice":
            name = scheme["name"] if scheme["type"] == "apiKey" else "Authorization"
            return {name: "KEY" if scheme["type"] == "apiKey" else "Bearer KEY"}
    return {}


def main(arguments: Sequence[str] | None = None) -> int:
    """Test the contracts, print what is not accepted, and return 1 if there is any."""
    parser = argparse.ArgumentParser(description="Schemathesis on all contracts")
    contracts = {label(contract): contract for contract in (*CONTRACTS, *NEWER)}
    parser.add_argument("contracts", nargs="*", default=[*contracts], metavar="CONTRACT")
    parser.add_argument("--max-examples", type=int, default=20)
    parser.add_argument("--max-time", type=int, default=20, help="seconds for each contract")
    options = parser.parse_args(arguments)
    if unknown := [name for name in options.contracts if name not in contracts]:
        parser.error(f"unknown contract {', '.join(unknown)}; known: {', '.join(contracts)}")
    failed = False
    for name in options.contracts:
        contract = contracts[name]
        begin = time.monotonic()
        code, output = run(contract, options.max_examples, options.max_time)
        found = reports(contract.name, output)
        unexpected = [report for report in found if not is_accepted(report)]
        cases = re.search(r"(\d+) generated", output)
        print(
            f"{name}: {cases[1] if cases else 0} test cases,"
            f" {len(found) - len(unexpected)} accepted reports, {len(unexpected)} others,"
            f" {time.monotonic() - begin:.0f} s",
            flush=True,
        )
        # 1: failures were reported. Without any that we can read, the output has changed.
        if unexpected or code > 1 or not cases or (code == 1 and not found):
            failed = True
            print(output)
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())

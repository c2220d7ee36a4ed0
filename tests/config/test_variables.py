"""References to environment variables in the configuration file: `${NAME}`."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

import mockvoice
from mockvoice.config.yaml import YAMLDocument

from ..cli.processes import invoke, serving

ENVIRON = {"NAME": "value", "PORT": "8080", "EMPTY": "", "YAML": "{a: 1}\nb: [", "REF": "${NAME}"}


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("${NAME}", "value"),
        ("a${NAME}b${NAME}c", "avaluebvaluec"),
        ("'${NAME}'", "value"),
        ('"${NAME}"', "value"),
        ("${PORT}", 8080),  # as if it were written there
        ('"${PORT}"', "8080"),
        ("${PORT}0", 80800),
        ("${UNSET:-default}", "default"),
        ("${UNSET:-5}", 5),
        ("'${UNSET:-a b: c}'", "a b: c"),
        ("${UNSET:-}", None),
        ('"${UNSET:-}"', ""),
        ("${EMPTY:-default}", "default"),
        ('"${EMPTY}"', ""),
        ("${NAME:-default}", "value"),
        ("$${NAME}", "${NAME}"),
        ("$$$${NAME}", "$${NAME}"),
        ("$$${NAME}", "$value"),
        ("costs $5, 10$", "costs $5, 10$"),
        ("$NAME", "$NAME"),
        ("${YAML}", ENVIRON["YAML"]),  # no markup of the file
        ("${REF}", "${NAME}"),  # not again
        ("|\n  ${NAME}\n  $$\n", "value\n$\n"),
    ],
)
def test_references_are_replaced(text: str, value: Any) -> None:
    document = YAMLDocument(f"key: {text}", ENVIRON)
    assert (document.value, document.diagnostics) == ({"key": value}, [])


def test_references_in_keys_lists_and_flow_mappings_are_replaced() -> None:
    document = YAMLDocument('{"${NAME}": ["${PORT}", {b: "x${NAME}"}]}', ENVIRON)
    assert document.value == {"value": ["8080", {"b": "xvalue"}]}


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (
            "${UNSET}",
            (
                "2: audio refers to the environment variable UNSET, which is not set; set it, or"
                " write ${UNSET:-default}"
            ),
        ),
        *(
            (
                text,
                (
                    "2: audio contains ${ but no reference such as ${NAME} or ${NAME:-default};"
                    " write $${ for the characters ${"
                ),
            )
            for text in ("${", "'${}'", "${NAME", "'${NAME-x}'", "'${1}'", "'${A B}'")
        ),
    ],
)
def test_defective_references_are_reported_with_name_and_line(
    tmp_path: Path, text: str, message: str
) -> None:
    (tmp_path / "mockvoice.yaml").write_text(f"port: 0\naudio: {text}\n")
    result = invoke("validate", "mockvoice.yaml", cwd=tmp_path, NAME="x")
    assert (result.returncode, result.stdout) == (1, "")
    assert result.stderr == f"mockvoice.yaml:{message}\n"


def test_file_is_read_with_the_environment(tmp_path: Path) -> None:
    (tmp_path / "mockvoice.yaml").write_text(
        "seed: ${SEED}\naudio: ${AUDIO:-any}\n"
        'voices:\n  - {provider: retell, data: {voice_name: "${VOICE}", gender: male}}\n'
    )
    file = str(tmp_path / "mockvoice.yaml")
    assert "1 voice" in invoke("validate", file, SEED="7", VOICE="narrator").stdout
    with serving("--config", file, SEED="7", VOICE="narrator") as (_, url):
        (voice,) = mockvoice.connect(url).retell.voices
        assert voice.data["voice_name"] == "narrator"
    refused = invoke("validate", file, SEED="x", VOICE="narrator")
    assert refused.stderr == f'{file}:1: seed must be a whole number; got "x"\n'


def test_commands_find_the_port_in_a_variable(tmp_path: Path) -> None:
    (tmp_path / "mockvoice.yaml").write_text("port: ${MY_PORT:-1}\n")
    result = invoke("requests", cwd=tmp_path, MY_PORT="9")
    assert "no mockvoice server at http://127.0.0.1:9: " in result.stderr


@given(st.text(st.characters(min_codepoint=32, max_codepoint=126)))
def test_escaped_text_is_read_as_it_is(text: str) -> None:
    document = YAMLDocument(json.dumps([text.replace("$", "$$")]), {})
    assert (document.value, document.diagnostics) == ([text], [])


def test_contracts_have_no_references() -> None:
    assert YAMLDocument("a: ${NAME} $$").value == {"a": "${NAME} $$"}

"""The configuration file: its diagnostics, and the state that it configures."""

from __future__ import annotations

import json
import re
from pathlib import Path
from tempfile import NamedTemporaryFile
from typing import Any

import httpx
import jsonschema
import pytest
import yaml
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import mockvoice
from mockvoice.config.emitter import to_yaml
from mockvoice.config.file import read, schema
from mockvoice.config.settings import Settings, SettingsError, table
from mockvoice.faults.shorthand import expand_fault
from mockvoice.mock import Mock
from mockvoice.providers import built_in
from mockvoice.redact import mask_key

from ..cli.processes import invoke, serving
from ..conftest import Serve
from ..contract.contracts import SPECS, Contract
from ..contract.strategies import values

PUBLISHED = SPECS / "mockvoice.schema.json"
KINDS = (
    "status, delay, timeout, reset, disconnect, tls, truncate, malformed, empty, wrong_type, drip,"
    " close, reply"
)
PROVIDERS = "faseeh, retell, supertone, telnyx"
STEP = (
    "kind, status, body, headers, retry_after, when, seconds, jitter, distribution, bytes,"
    " fraction, certificate, code, reason, frame, set, remove"
)

# The content of a file, and what is reported after the name of the file.
BROKEN: dict[str, tuple[str | bytes, str]] = {
    "a setting that is none": (
        "audio: any\nsede: 1",
        (
            "2: sede is not a known field; known fields:"
            f" {', '.join(setting.name for setting in table())}; did you mean seed?"
        ),
    ),
    "text for a number": ("port: '1'", '1: port must be a whole number; got "1"'),
    "a truth for a number": ("port: true", "1: port must be a whole number; got true"),
    "a fraction": ("\nport: 1.5", "2: port must be a whole number; got 1.5"),
    "out of bounds": ("port: 70000", "1: port must be at most 65535; got 70000"),
    "none of the choices": (
        "audio: stict",
        '1: audio must be one of strict, any; got "stict"; did you mean strict?',
    ),
    "an old truth": ("diagnostics: yes", '1: diagnostics must be true or false; got "yes"'),
    "too small": (
        "max_file_mb:\n  telnyx: 0",
        "2: max_file_mb.telnyx must be above 0; got 0",
    ),
    "a list for a mapping": ("accounts: []", "1: accounts must be an object; got []"),
    "nothing for a mapping": (
        "accounts:\n#  retell: {}",
        "1: accounts must be an object; got null",
    ),
    "accounts of nobody": (
        "accounts:\n  retell: {}\n  telnix: {key: {}}",
        f"3: accounts.telnix is not a known field; known fields: {PROVIDERS}; did you mean telnyx?",
    ),
    "a number for an account": (
        "accounts: {retell: {k: 5}}",
        "1: accounts.retell.k must be an object; got 5",
    ),
    "a state that is none": (
        "accounts:\n  retell:\n    k:\n      trial: true",
        (
            "4: accounts.retell.k.trial has no effect at Retell; fields with an effect:"
            " trial_ended, limits; got true; did you mean trial_ended?"
        ),
    ),
    "a state that cannot be": (
        "accounts: {faseeh: {123: {credit: no}}}",
        '1: accounts.faseeh.123.credit must be a number or null; got "no"',
    ),
    "a limit without its number": (
        "accounts:\n  supertone: {k: {limits: {\n    clones: {per: 60}}}}",
        "3: accounts.supertone.k.limits.clones.max is required",
    ),
    "a voice of nobody": (
        "voices:\n- provider: telnyx\n- data: {name: n}",
        "3: voices[1].provider is required",
    ),
    "a voice of another": (
        "voices:\n- provider: telnix",
        f"2: voices[0].provider must be one of {PROVIDERS}; got telnix; did you mean telnyx?",
    ),
    "a collection that is none": (
        "voices:\n- provider: telnyx\n  collection: clones",
        (
            "3: voices[0].collection must be one of voice_clones, voice_designs, voices; got"
            " clones; did you mean voice_clones?"
        ),
    ),
    "an id that is none": (
        "voices:\n- provider: telnyx\n  id: narrator",
        '3: voices[0].id must be a UUID; got "narrator"',
    ),
    "data that does not fit": (
        "voices:\n- provider: retell\n  data:\n    voice_name: n\n    gender: loud",
        '5: voices[0].data.gender must be one of male, female; got "loud"',
    ),
    "a kind that is none": (
        "faults:\n- {status: 502}\n- provider: retell\n  kind: resett",
        f'4: faults[1].kind must be one of {KINDS}; got "resett"; did you mean reset?',
    ),
    "a status that is no failure": (
        "faults: [{status: 200}]",
        "1: faults[0].status must be at least 400, unless the kind is reply; got 200",
    ),
    "a fault at nobody": (
        "faults:\n- provider: acme",
        f"2: faults[0].provider must be one of {PROVIDERS}; got acme",
    ),
    "a fault at no operation": (
        "faults:\n- provider: retell\n  operation: clone_voice",
        (
            "3: faults[0].operation must be an operation; got clone_voice; available: cloneVoice,"
            " getVoice, listVoices, addCommunityVoice, searchCommunityVoice, getConcurrency;"
            " did you mean cloneVoice?"
        ),
    ),
    "a wrong turn": (
        "faults:\n- sequence:\n  - ok\n  - kind: delay\n    secs: 1",
        (
            f"5: faults[0].sequence[1].secs is not a known field; known fields: {STEP};"
            " did you mean seconds?"
        ),
    ),
    "a turn that is none": (
        "faults:\n- sequence:\n  - okay",
        (f'3: faults[0].sequence[0] must be one of ok, {KINDS}; got "okay"; did you mean ok?'),
    ),
    "a sequence and more": (
        "faults:\n- sequence: [ok]\n  times: 2",
        (
            "3: faults[0].times is not a known field;"
            " known fields: provider, operation, match, expires_in, sequence"
        ),
    ),
    "a fault that is none": (
        "faults: [true]",
        (
            "1: faults[0] must be a status such as 502, a kind such as reset, ok, an object, or a"
            " list; got true"
        ),
    ),
    "a key twice": (
        "seed: 1\nfaults:\n- kind: reset\n  when: after\n  kind: delay\nseed: 2",
        (
            "5: faults[0].kind is defined twice, first in line 3\n"
            "6: seed is defined twice, first in line 1"
        ),
    ),
    "no mapping": ("- audio: any", '1: the file must be an object; got [{"audio": "any"}]'),
    "a key that is a list": ("? [a]\n: 1", "1: the file has a key that is not text"),
    "a tag": (
        "faults:\n- body: !!binary aGVsbG8=",
        "2: faults[0].body has the tag !!binary, which is not supported",
    ),
    "too large a number": (
        "faults:\n- seconds: 1e999",
        '2: faults[0].seconds cannot be read as float; got "1e999"',
    ),
    "no YAML": (
        "audio: any\nfaults: [\n",
        "3:1: the file must be YAML; while parsing a flow node, did not find expected node content",
    ),
    "a colon too many": (
        "host: a: b",
        "1:8: the file must be YAML; mapping values are not allowed in this context",
    ),
    "a tab": (
        "accounts:\n\tretell: {}",
        (
            "2:1: the file must be YAML; while scanning for the next token, found character that"
            " cannot start any token; indent with spaces, not with tabs"
        ),
    ),
    "two documents": (
        "audio: any\n---\naudio: any",
        (
            "2:1: the file must be YAML; expected a single document in the stream, but found"
            " another document"
        ),
    ),
    "an alias of nothing": (
        "faults: [*it]",
        "1:10: the file must be YAML; found undefined alias",
    ),
    "a character that is none": (
        "host: ä\naudio: \x07",
        "2: the file must be YAML; the character U+0007 is not allowed",
    ),
    "another charset": (
        "audio: any\n# ä".encode("latin-1"),
        "2: the file must be UTF-8; got the byte 0xe4",
    ),
    "an alias in itself": (
        "faults: &a [*a]",
        "1: the alias a must not be inside the value that it refers to",
    ),
    "brackets without end": ("a: " + "[" * 100_000, "1: the file must be at most 100 levels deep"),
    "a billion laughs": (
        "a0: &a0 lol\n" + "".join(f"a{i + 1}: &a{i + 1} [{f'*a{i}, ' * 9}]\n" for i in range(9)),
        "7: the file must have at most 20 million characters, with its aliases expanded",
    ),
    "a long text laughed at": (
        f"a: &a {'l' * 1_000_000}\nb: [{'*a, ' * 1000}]",
        "2: the file must have at most 20 million characters, with its aliases expanded",
    ),
}


@pytest.mark.parametrize(("text", "expected"), BROKEN.values(), ids=[*BROKEN])
def test_validate_reports_name_and_line(tmp_path: Path, text: str | bytes, expected: str) -> None:
    file = tmp_path / "mockvoice.yaml"
    file.write_bytes(text.encode() if isinstance(text, str) else text)
    done = invoke("validate", "mockvoice.yaml", cwd=tmp_path)
    assert done.stderr.splitlines() == [f"mockvoice.yaml:{line}" for line in expected.splitlines()]
    assert (done.returncode, done.stdout) == (1, "")


def test_validate_reports_every_defect_in_line_order(tmp_path: Path) -> None:
    file = tmp_path / "mockvoice.yaml"
    file.write_text("""
faults:
- kind: resett
  kind: reest
- &wrong {provider: retell, operation: getvoice, status: 200}
- *wrong
voices:
- {provider: retell, data: {voice_name: 5}}
- {provider: x}
- {}
audio: !!set {any}
host: 1
""")
    refusal = "mockvoice: mockvoice.yaml:"
    done = invoke("serve", "--port", "0", cwd=tmp_path)
    assert done.returncode == 2
    reported = [line.removeprefix(refusal).split(";")[0] for line in done.stderr.splitlines()]
    assert reported == [
        "4: faults[0].kind is defined twice, first in line 3",
        f"4: faults[0].kind must be one of {KINDS}",
        "5: faults[1].status must be at least 400, unless the kind is reply",
        "5: faults[2].status must be at least 400, unless the kind is reply",
        "5: faults[1].operation must be an operation",
        "5: faults[2].operation must be an operation",
        "8: voices[0].data.voice_name must be text",
        f"9: voices[1].provider must be one of {PROVIDERS}",
        "10: voices[2].provider is required",
        "11: audio has the tag !!set, which is not supported",
        "12: host must be text",
    ]


def test_missing_file_is_reported(tmp_path: Path) -> None:
    for path, why in (
        (tmp_path / "none.yaml", "No such file or directory"),
        (tmp_path, "Is a directory"),
    ):
        done = invoke("validate", str(path))
        assert (done.returncode, done.stderr) == (1, f"{path}: {why}\n")
        done = invoke("serve", "--config", str(path))
        assert (done.returncode, done.stderr) == (2, f"mockvoice: {path}: {why}\n")


@pytest.mark.parametrize("text", ["", "# audio: any\n", "---\n", "\ufeff", "{}"])
def test_empty_file_is_valid(tmp_path: Path, text: str) -> None:
    (tmp_path / "a.yaml").write_text(text)
    done = invoke("validate", "a.yaml", cwd=tmp_path)
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout == "a.yaml: ok (0 accounts, 0 voices, 0 faults)\n"


FRAMES = st.sampled_from(["?", "faults: [?]", "accounts: {retell: {?}}"])


@given(st.text("abn\\:-[]{}&*!#|>'\" \n\t01.~?%,<\x07ä", max_size=60), FRAMES)
def test_any_text_is_read_or_raises_settings_error(text: str, frame: str) -> None:
    with NamedTemporaryFile("w") as file:
        file.write(frame.replace("?", text))
        file.flush()
        try:
            content = read(file.name, built_in())
        except SettingsError as error:
            lines = str(error).splitlines()
            assert lines
            assert all(re.match(rf"{file.name}:\d+:(\d+:)? \S", line) for line in lines)
        else:
            json.dumps(content, allow_nan=False)


def test_serve_prints_the_configuration_file(tmp_path: Path) -> None:
    here, there = tmp_path / "mockvoice.yaml", tmp_path / "other.yaml"
    here.write_text("port: 70")
    there.write_text("accounts: {retell: {a: {}, b: {}}}\nfaults: [{}]")
    stop = ("serve", "--port", "-1")  # what follows the file is refused
    message = "mockvoice: settings are from {} ({})"
    for arguments, environment, name, counts in (
        (stop, {}, "mockvoice.yaml", "0 accounts, 0 voices, 0 faults"),
        (stop, {"MOCKVOICE_CONFIG": "other.yaml"}, "other.yaml", "2 accounts, 0 voices, 1 fault"),
        (
            (*stop, "--config", "other.yaml"),
            {"MOCKVOICE_CONFIG": "mockvoice.yaml"},
            "other.yaml",
            "2 accounts, 0 voices, 1 fault",
        ),
    ):
        done = invoke(*arguments, **environment, cwd=tmp_path)
        assert done.stderr.splitlines()[0] == message.format(name, counts)
        assert "port must be at least 0; got -1" in done.stderr
    here.unlink()
    assert "settings are from" not in invoke(*stop, cwd=tmp_path).stderr


# --- configured state ----------------------------------------------------------------------------

UUID = "0f8fad5b-d9cb-469f-a165-70867728950e"
EVERYTHING = f"""\
host: 127.0.0.1
port: 4010
seed: 7
audio: any
limits: off
keys: any
strict_fields: true
retry_after: documented
pending_seconds: 2
diagnostics: true
max_body_mb: 1
max_json_mb: 1
read_timeout: 30
control_token: ""
upload_cache_mb: 1
max_voices: 100
max_accounts: 100
max_faults: 100
max_requests: 100
journal_mb: 1
inspector: "off"
log: json
max_sandboxes: 10
workers: 1
store: memory
store_prefix: team
store_wait: 0
sandbox_ttl: 3600
hosts: {{telnyx: [telnyx.internal], mockvoice: [mock.test]}}
unknown_hosts: refuse
open_proxy: false
tls_ca_cert: ""
tls_ca_key: ""
edition: {{supertone: latest}}
contracts: {{}}
upstream: {{}}
upstream_ca: ""
upstream_timeout: 60
record: ""
replay: ""
max_file_mb: {{telnyx: 0.5}}
clock: {{start: "2024-01-01T00:00:00Z"}}

accounts:
  retell:
    key_trial: {{trial_ended: true}}
    "*": {{limits: {{requests: {{max: 50, per: 60}}}}}}

voices:
  - provider: telnyx
    id: {UUID}
    account: key
    data: &data {{name: narrator, language: en}}
  - {{provider: telnyx, collection: voice_designs, data: {{name: designed}}}}
  - {{provider: retell, data: {{voice_name: narrator}}}}

faults:
  - {{provider: supertone, operation: list_custom_voices, status: 503, body: &body {{is: *data}}}}
  - provider: faseeh
    operation: GET /voices
    match: {{account: flaky}}
    sequence: [ok, {{kind: status, status: 418, body: *body, headers: {{x-a: b}}}}]
  - {{provider: telnyx, status: 500, probability: 0.5, match: {{account: dice}}}}
"""
BEARER, DICE = {"authorization": "Bearer key"}, {"authorization": "Bearer dice"}


def initial_state(url: str) -> Any:
    """Check the configured state of a new sandbox; return its generated ids and random draws."""
    with httpx.Client(base_url=url) as http:
        assert http.get("/__mockvoice/clock").json()["now"].startswith("2024-01-01T00:0")
        clone = http.get(f"/telnyx/v2/voice_clones/{UUID}", headers=BEARER).json()["data"]
        assert (clone["id"], clone["name"], clone["language"]) == (UUID, "narrator", "en")
        designs = http.get("/telnyx/v2/voice_designs?filter[name]=designed", headers=BEARER)
        (design,) = designs.json()["data"]
        assert http.get(f"/telnyx/v2/voice_designs/{design['id']}", headers=BEARER).is_success
        voices = http.get("/retell/list-voices", headers=BEARER).json()
        (voice,) = [voice for voice in voices if voice["voice_name"] == "narrator"]
        trial = {"authorization": "Bearer key_trial"}
        form = {"voice_name": "n", "voice_provider": "elevenlabs"}
        clone_voice = {"headers": trial, "data": form, "files": {"files": b"sound"}}
        refused = http.post("/retell/clone-voice", **clone_voice)  # type: ignore[arg-type]  # a dict
        assert refused.status_code == 402
        failed = http.get("/supertone/v1/custom-voices", headers={"x-sup-api-key": "k"})
        assert failed.json() == {"is": {"name": "narrator", "language": "en"}}
        flaky = [
            http.get("/faseeh/api/v1/voices", headers={"x-api-key": "flaky"}) for _ in range(3)
        ]
        assert [response.status_code for response in flaky] == [200, 418, 200]
        chance = [http.get("/telnyx/v2/voice_clones", headers=DICE).status_code for _ in range(10)]
        assert {*chance} == {200, 500}
        return design["id"], voice["voice_id"], chance


def test_sandbox_starts_with_state_of_the_file_and_resets_to_it(tmp_path: Path) -> None:
    file = tmp_path / "mockvoice.yaml"
    file.write_text(EVERYTHING)
    assert {*yaml.safe_load(EVERYTHING)} == {setting.name for setting in table()}
    done = invoke("validate", str(file))
    assert done.stdout == f"{file}: ok (2 accounts, 3 voices, 3 faults)\n"
    with serving("--config", str(file)) as (_, url):
        first = initial_state(url)
        httpx.post(
            f"{url}/__mockvoice/voices", json={"provider": "retell"}
        )  # takes no id of theirs
        httpx.post(f"{url}/__mockvoice/reset")
        assert initial_state(url) == first
        other = initial_state(f"{url}/~other")
        assert other != first
        httpx.post(f"{url}/~other/__mockvoice/reset", json={"only": ["faults", "voices"]})
        assert initial_state(f"{url}/~other") == other


def test_configured_state_can_be_deleted_until_reset(serve: Serve) -> None:
    control = f"{serve(voices=[{'provider': 'retell'}], faults=[{}]).url}/__mockvoice"

    def counts() -> list[int]:
        return [len(httpx.get(f"{control}/{name}").json()[name]) for name in ("voices", "faults")]

    assert counts() == [1, 1]
    httpx.delete(f"{control}/voices")
    assert counts() == [0, 1]
    httpx.delete(f"{control}/faults")
    assert counts() == [0, 0]
    httpx.post(f"{control}/reset", json={"only": ["voices"]})
    assert counts() == [1, 0]
    httpx.post(f"{control}/reset")
    assert counts() == [1, 1]


def test_configured_fault_expires_by_the_sandbox_clock(serve: Serve) -> None:
    url = serve(faults=[{"provider": "retell", "status": 503, "expires_in": 60}]).url
    statuses = []
    for step in ({"advance": 59}, {"advance": 2}, None):
        if step:
            httpx.post(f"{url}/__mockvoice/clock", json=step)
        else:
            httpx.post(f"{url}/__mockvoice/reset", json={"only": ["faults"]})
        statuses.append(httpx.get(f"{url}/retell/list-voices", headers=BEARER).status_code)
    assert statuses == [503, 200, 503]


CONTROL = Contract("mockvoice")
FAULT = CONTROL.document["components"]["schemas"]["FaultOrSequence"]
SOMEWHERE = {"provider": "retell", "operation": "cloneVoice"}


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(values(CONTROL, FAULT), max_size=5))
def test_file_accepts_every_fault_of_the_control_api(tmp_path: Path, faults: list[Any]) -> None:
    # The schema does not restrict what these go with: test_tls.py and test_frames.py of faults.
    faults = [f for f in faults if not re.search('"(tls|close|frame)"', json.dumps(f))]
    for fault in filter(lambda fault: isinstance(fault, dict), faults):
        fault |= {name: SOMEWHERE[name] for name in SOMEWHERE if name in fault}
    file = tmp_path / "mockvoice.yaml"
    file.write_text(to_yaml({"faults": faults}))
    control = mockvoice.create_app(**read(str(file), built_in())).control
    expected = [*map(expand_fault, faults)]
    for fault in expected:
        if "account" in fault.get("match", {}):
            fault["match"]["account"] = mask_key(fault["match"]["account"])
    assert [fault.data for fault in control.faults] == expected


# --- in Python, and in editors -------------------------------------------------------------------


def test_python_settings_are_validated_like_the_file() -> None:
    configured: dict[str, Any] = {
        "accounts": {"retell": {"key": {"trial_ended": True}}},
        "faults": [{"times": 1}],
    }
    with mockvoice.serve(**configured, voices=[{"provider": "retell"}]) as mock:
        assert len(mock.voices) == 1
        mock.verify()  # a fault of the settings need not fire
        assert mock.retell.account("key").trial_ended
    with pytest.raises(SettingsError) as caught:
        mockvoice.create_app(
            fauts=[],
            accounts={"faseeh": {"k": {"credit": "x"}}, "supertone": {"k": {"tier": "gold"}}},
            voices=[{"provider": "faseeh", "data": {"nme": "x"}}],
        )
    wrong, tier, unknown, member = str(caught.value).splitlines()
    assert wrong == 'accounts.faseeh.k.credit must be a number or null; got "x"'
    assert tier.startswith("accounts.supertone.k.tier must be one of free, starter")
    assert unknown.endswith("did you mean faults?")
    assert member.endswith("did you mean name?")


@pytest.mark.parametrize(
    ("body", "message"),
    [
        ({"x": [float("inf")]}, "faults.0.body.x.0 must be a number that JSON has; got inf"),
        (float("nan"), "faults.0.body must be a number that JSON has; got nan"),
        ({"x": {1}}, "faults.0.body.x must be JSON; got an object of type set"),
        ({1: 2}, "faults.0.body must have text keys; got 1"),
    ],
    ids=["infinity", "NaN", "set", "number as key"],
)
def test_python_settings_without_json_are_rejected(body: Any, message: str) -> None:
    with pytest.raises(SettingsError) as caught:
        mockvoice.create_app(faults=[{"status": 502, "body": body}])
    assert str(caught.value) == message


EVERYTHING_WRONG = """\
sede: 1
port: x
accounts:
  retell:
    a: {credit: 0}
  supertone:
    b:
      tier: freee
      limits: {clone: {max: 1}}
  telnix: {}
voices:
  - {provider: retell, nam: x, data: {voice_nme: x, gender: robot}}
  - provider: telnyx
    collection: designs
  - provider: telnyx
    collection: voice_designs
    data: {text: known, naem: x}
faults:
  - {status: 200, retry_afer: 1}
  - {provider: retell, operation: clone}
  - {headers: {content-length: "1"}, kind: resett, match: {headers: {x: 5}}}
"""


def test_validate_reports_every_problem_in_one_pass(tmp_path: Path) -> None:
    (tmp_path / "mockvoice.yaml").write_text(EVERYTHING_WRONG)
    done = invoke("validate", "mockvoice.yaml", cwd=tmp_path)
    reported = [line.split(maxsplit=2)[:2] for line in done.stderr.splitlines()]
    assert done.returncode == 1
    assert reported == [
        [f"mockvoice.yaml:{line}:", name]
        for line, name in (
            (1, "sede"),
            (2, "port"),
            (5, "accounts.retell.a.credit"),
            (8, "accounts.supertone.b.tier"),
            (9, "accounts.supertone.b.limits.clone"),
            (10, "accounts.telnix"),
            (12, "voices[0].nam"),
            (12, "voices[0].data.voice_nme"),
            (12, "voices[0].data.gender"),
            (14, "voices[1].collection"),
            (17, "voices[2].data.naem"),
            (19, "faults[0].retry_afer"),
            (19, "faults[0].status"),
            (20, "faults[1].operation"),
            (21, "faults[2].kind"),
            (21, "faults[2].match.headers.x"),
            (21, "faults[2].headers.content-length"),
        )
    ]


def test_published_schema_is_up_to_date() -> None:
    mock = Mock(Settings(), built_in())
    made = json.dumps(schema(mock.control, mock.providers), indent=2, ensure_ascii=False) + "\n"
    assert PUBLISHED.read_text() == made, f"write into {PUBLISHED}:\n{made}"


def test_published_schema_works_with_another_validator() -> None:
    validator = jsonschema.Draft202012Validator(json.loads(PUBLISHED.read_text()))
    validator.check_schema(validator.schema)
    validator.validate({**yaml.safe_load(EVERYTHING), "limits": "off"})
    for name in ("a setting that is none", "a state that is none", "a kind that is none"):
        assert not validator.is_valid(yaml.safe_load(BROKEN[name][0]))

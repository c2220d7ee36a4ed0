"""`Control` with a server in a thread, a server in another process, and an ASGI app."""

from __future__ import annotations

import asyncio
import json
import re
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, HTTPServer
from typing import Any, get_args, get_type_hints

import httpx
import pytest

import mockvoice
from mockvoice import Control, fields, models
from mockvoice.client.control import ControlError, RequestsEvicted
from mockvoice.faults.kinds import Kind

from .cli.processes import invoke, serving
from .conftest import Serve
from .contract.contracts import Contract

KEY = {"authorization": "Bearer KEY"}


def clone(mock: Control, name: str = "narrator", key: str = "KEY") -> httpx.Response:
    return httpx.post(
        f"{mock.retell.base_url}/clone-voice",
        headers={"authorization": f"Bearer {key}"},
        data={"voice_name": name, "voice_provider": "elevenlabs"},
        files={"files": ("s.wav", mock.sample(seconds=1))},
    )


def list_voices(mock: Control, key: str = "KEY") -> int:
    headers = {"authorization": f"Bearer {key}"}
    return httpx.get(f"{mock.retell.base_url}/list-voices", headers=headers).status_code


def test_serve_starts_immediately_and_stops_at_exit() -> None:
    before = {*threading.enumerate()}
    with mockvoice.serve(seed=5) as mock:
        assert clone(mock).status_code == 201
        url = mock.url
    with pytest.raises(ConnectionError, match=f"no mockvoice server at {url}.*mockvoice serve"):
        mockvoice.connect(url)
    assert {*threading.enumerate()} <= before


def test_connect_to_server_in_another_process() -> None:
    with serving() as (_, url):
        mock = mockvoice.connect(url)
        assert mock.url == url
        fault = mock.retell.fail(503, times=1)
        assert [clone(mock).status_code for _ in range(2)] == [503, 201]
        assert (fault.hits, fault.matched) == (1, 1)
        other = mockvoice.connect(f"{url}/~other")
        assert other.url == f"{url}/~other"
        assert other.requests == []
        assert mockvoice.connect(url.removeprefix("http://")).requests.last.status == 201


def test_connect_rejects_provider_path_and_invalid_url(control: Control) -> None:
    with pytest.raises(ConnectionError, match="no mockvoice server at"):
        mockvoice.connect(f"{control.url}/telnyx/v2")
    for url in ("ftp://127.0.0.1", "http://", "http://[", "http://127.0.0.1:port"):
        with pytest.raises(ConnectionError, match=r"^invalid server URL .* such as http://127"):
            mockvoice.connect(url)


class OtherService(BaseHTTPRequestHandler):
    """A server that returns 200 for every path."""

    body = b"{}"

    def do_GET(self) -> None:
        self.send_response(200)
        self.send_header("content-length", str(len(self.body)))
        self.end_headers()
        self.wfile.write(self.body)

    def log_message(self, *_: object) -> None:
        pass


@contextmanager
def other_service(body: bytes = b"{}") -> Iterator[str]:
    """Answer one request with a body; yield the URL."""
    handler = type("Handler", (OtherService,), {"body": body})
    with HTTPServer(("127.0.0.1", 0), handler) as other:
        threading.Thread(target=other.handle_request).start()
        yield f"http://127.0.0.1:{other.server_port}"


def test_connect_rejects_other_services() -> None:
    with other_service() as url:
        with pytest.raises(ConnectionError, match="another service responded"):
            mockvoice.connect(url)


def test_connect_rejects_a_server_of_another_version() -> None:
    """Otherwise the first missing field or path would be the error."""
    health = {"status": "ok", "version": "9.8.7", "providers": []}
    with other_service(json.dumps(health).encode()) as url:
        expected = (
            f"the server at {url} is mockvoice 9.8.7, but this client is mockvoice"
            f" {mockvoice.__version__}; use the same version for both"
        )
        with pytest.raises(ConnectionError, match=f"^{re.escape(expected)}$"):
            mockvoice.connect(url)
    with other_service(json.dumps(health).encode()) as url:
        done = invoke("requests", "--url", url)
        assert (done.returncode, done.stdout) == (1, "")
        assert done.stderr == f"mockvoice: {expected.replace(expected.split()[3], url)}\n"


def test_connect_accepts_a_server_with_another_patch_version() -> None:
    major, minor, *_ = mockvoice.__version__.split(".")
    health = {"status": "ok", "version": f"{major}.{minor}.99", "providers": []}
    with other_service(json.dumps(health).encode()) as url:
        assert mockvoice.connect(url).url == url


def test_request_sends_any_control_api_request(mock: Control) -> None:
    assert mock.request("POST", "/faults", {"status": 502})["id"] == "fault_1"
    assert mock.request("GET", "/requests", limit=1) == {"requests": [], "evicted": 0}
    with pytest.raises(ControlError, match="there is no fault x"):
        mock.request("GET", "/faults/x")


def test_account_of_unchanged_state_is_returned() -> None:
    """By the store of every server, which the serializing one of other tests copies."""
    mock = mockvoice.create_app().control
    for provider in ("telnyx", "retell", "supertone", "faseeh"):
        assert mock.request("GET", f"/accounts/{provider}/K")["limits"] == {}
        assert mock.request("PUT", f"/accounts/{provider}/K", {})["limits"] == {}


def test_asgi_app_needs_no_socket() -> None:
    async def main() -> None:
        app = mockvoice.create_app(seed=5)
        mock = app.control
        fault = mock.retell.fail(503, times=1)
        transport = httpx.ASGITransport(app)
        async with httpx.AsyncClient(transport=transport, headers=KEY) as client:
            url = f"{mock.retell.base_url}/list-voices"
            assert [(await client.get(url)).status_code for _ in range(2)] == [503, 200]
        assert fault.hits == 1
        assert [request.status for request in mock.requests] == [503, 200]
        assert mock.sandbox("other").requests == []
        with pytest.raises(ControlError, match="kind must be one of"):
            mock.fail("bang")  # type: ignore[arg-type]  # invalid on purpose

    asyncio.run(main())


@pytest.mark.parametrize(
    ("kind", "error"),
    [
        ("reset", httpx.ReadError),
        ("disconnect", httpx.RemoteProtocolError),
        ("timeout", httpx.RemoteProtocolError),
        ("truncate", httpx.RemoteProtocolError),
    ],
)
def test_broken_connection_raises_the_error_of_httpx(
    mock: Control, kind: Kind, error: type[httpx.TransportError]
) -> None:
    """An ASGI app raises what a socket leads to, so that code meets `httpx.TransportError`."""

    async def get(control: Control, transport: httpx.AsyncBaseTransport) -> httpx.TransportError:
        control.retell.fail(kind, seconds=0.01)
        url = f"{control.retell.base_url}/list-voices"
        async with httpx.AsyncClient(transport=transport, headers=KEY) as client:
            with pytest.raises(httpx.TransportError) as caught:
                await client.get(url)
        assert caught.value.request.url == url
        return caught.value

    app = mockvoice.create_app()
    in_process = asyncio.run(get(app.control, httpx.ASGITransport(app)))
    over_socket = asyncio.run(get(mock, httpx.AsyncHTTPTransport()))
    assert isinstance(in_process, error)
    assert isinstance(over_socket, error)
    assert isinstance(in_process, ConnectionResetError)
    assert "by a fault" in str(in_process)


def test_fault_as_context_manager_is_removed(mock: Control) -> None:
    with mock.retell.fail(418, body={"tea": True}) as fault:
        assert clone(mock).json() == {"tea": True}
        assert fault.data["status"] == 418
    assert clone(mock).status_code == 201
    with pytest.raises(ControlError, match="there is no fault fault_1"):
        assert fault.hits


def test_fault_as_context_manager_must_fire(mock: Control) -> None:
    with pytest.raises(AssertionError, match=r"^fault never fired: fault_1 "):
        with mock.retell.fail(502):
            pass
    with pytest.raises(ZeroDivisionError):
        with mock.retell.fail(502):
            assert 1 / 0
    assert mock.faults == []


def test_clear_faults_of_one_provider(mock: Control) -> None:
    mock.retell.fail(502)
    mock.telnyx.fail()
    mock.fail("reset", times=1)
    mock.retell.clear_faults()
    assert [fault.data.get("provider") for fault in mock.faults] == ["telnyx", None]
    assert [fault.id for fault in mock.telnyx.faults] == ["fault_2"]
    mock.clear_faults()
    assert mock.faults == []


def test_sequence_with_delay(mock: Control) -> None:
    mock.delay(0.001, operation="GET /list-voices", times=1)
    mock.retell.sequence([502, {"status": 503, "retry_after": 0.5}, "ok"])
    assert [list_voices(mock) for _ in range(4)] == [502, 503, 200, 200]
    first, second, *_ = mock.requests
    assert first.fault
    assert first.fault.kind == "delay, status"
    assert second.response
    assert second.response.headers["retry-after"] == "0"
    assert second.response.headers["retry-after-ms"] == "500"


def test_requests_are_typed(mock: Control) -> None:
    clone(mock)
    httpx.post(f"{mock.retell.base_url}/clone-voice?a=1", headers=KEY, files={"name": (None, "n")})
    request, rejected = mock.retell.requests
    assert mock.requests.last == rejected
    assert (request.operation, request.status, request.fields["voice_name"]) == (
        "cloneVoice",
        201,
        "narrator",
    )
    assert datetime.now(UTC) - request.at < timedelta(minutes=1)
    file = request.files["files"]
    assert (request.files[0], mock.voices[0].uploads["files"]) == (file, file)
    assert (file.filename, file.format, file.seconds) == ("s.wav", "wav", 1.0)
    with pytest.raises(KeyError, match="no file in field audio_file; fields with files: files"):
        request.files["audio_file"]
    assert rejected.query == {"a": "1"}
    assert {violation.pointer for violation in rejected.violations} >= {"/voice_name", "/files"}
    assert rejected.response
    assert rejected.response.body["status"] == "error"
    with pytest.raises(LookupError, match="no requests received"):
        mock.telnyx.requests.last  # noqa: B018 - it raises


def test_voices_by_position_and_id(mock: Control) -> None:
    cloned = clone(mock).json()["voice_id"]
    seeded = mock.retell.add_voice({"voice_name": "seeded"}, id="v1", account="KEY")
    assert seeded.data["voice_name"] == "seeded"
    assert [voice.id for voice in mock.voices] == [cloned, "v1"]
    assert mock.retell.voices["v1"] == mock.voices[1]
    assert "v1" in mock.voices
    assert seeded in mock.voices
    assert "v2" not in mock.voices
    assert mock.telnyx.voices == []
    with pytest.raises(KeyError, match=rf"no voice with id v2; ids: {cloned}, v1"):
        mock.voices["v2"]
    response = httpx.get(f"{mock.retell.base_url}/get-voice/v1", headers=KEY)
    assert response.json()["voice_name"] == "seeded"
    with pytest.raises(ControlError, match="gender must be"):
        mock.retell.add_voice({"gender": 5})
    with pytest.raises(ControlError, match=r"nme is not a known field; .*did you mean name\?"):
        mock.telnyx.add_voice({"nme": "x"})
    mock.retell.delete_voice("v1")
    assert [voice.id for voice in mock.voices] == [cloned]
    with pytest.raises(ControlError, match=f"no record has the id {cloned}"):
        mock.telnyx.delete_voice(cloned)


def test_account_of_one_key_and_of_all_keys(mock: Control) -> None:
    assert mock.retell.account("broke", trial_ended=True).trial_ended
    assert clone(mock, key="broke").status_code == 402
    assert clone(mock).status_code == 201
    assert mock.retell.account(trial_ended=True).key == "*"
    assert [clone(mock, key=key).status_code for key in ("KEY", "new")] == [402, 402]
    mock.retell.account("KEY", trial_ended=False)
    assert [clone(mock, key=key).status_code for key in ("KEY", "newer")] == [201, 402]
    assert mock.retell.account("newer").trial_ended


def test_limit_for_all_keys_and_for_one_key(mock: Control) -> None:
    mock.clock.freeze()
    mock.retell.limit(2, per=60)
    mock.retell.limit(1, per=60, key="slow")
    assert [list_voices(mock) for _ in range(3)] == [200, 200, 429]
    assert [list_voices(mock, "slow") for _ in range(2)] == [200, 429]
    mock.clock.advance(60)
    assert list_voices(mock) == 200
    supertone = mock.supertone.limit(3, name="clones").limits
    assert supertone == {"clones": {"max": 3}}


def test_account_and_limit_at_all_providers(mock: Control) -> None:
    states = mock.account("KEY", trial_ended=True)
    assert {*states} == {"telnyx", "retell", "supertone", "faseeh"}
    assert [name for name, state in states.items() if state.trial_ended] == ["retell"]
    states = mock.account("KEY", tier="creator", credit=1)
    assert [name for name, state in states.items() if state.tier == "creator"] == ["supertone"]
    assert [name for name, state in states.items() if state.credit == 1] == ["faseeh", "supertone"]
    with pytest.raises(ControlError, match=r"unknown tier gold; available: .*creator"):
        mock.account("KEY", tier="gold", credit=2)
    with pytest.raises(ControlError, match=r"unknown account field teir \(did you mean tier\?\)"):
        mock.account("KEY", teir="free")  # type: ignore[call-arg]
    assert mock.supertone.account("KEY").credit == 1
    assert clone(mock).status_code == 402
    mock.limit(1, per=60, key="slow")
    assert [list_voices(mock, "slow") for _ in range(2)] == [200, 429]
    assert mock.supertone.account("slow").limits == {"requests": {"max": 1, "per": 60}}
    seeded = mock.add_voice("telnyx", {"name": "seeded"}, account="KEY")
    assert mock.telnyx.voices[seeded.id] == seeded


def test_assert_called_and_assert_not_called(mock: Control) -> None:
    clone(mock, "a")
    clone(mock, "b")
    assert len(mock.retell.assert_called("cloneVoice", times=2)) == 2
    (request,) = mock.assert_called("POST /clone-voice", fields={"voice_name": "b"}, status=201)
    assert request.fields["voice_name"] == "b"
    mock.telnyx.assert_not_called()
    mock.retell.assert_not_called("listVoices")
    fields = {"voice_provider": "inworld"}
    conditions = 'to cloneVoice with status 201 and fields {"voice_provider": "inworld"}'
    received = r"\. Requests received:\nrequest_1  "
    with pytest.raises(AssertionError, match=f"^expected 1 request {conditions}, got 0{received}"):
        mock.assert_called("cloneVoice", times=1, status=201, fields=fields)
    with pytest.raises(AssertionError, match=r"^expected 0 requests to retell, got 2"):
        mock.retell.assert_not_called()
    with pytest.raises(AssertionError, match=r"^expected at least 1 request to telnyx, got 0"):
        mock.telnyx.assert_called()


def test_report_shows_requests_with_a_wrong_base_url(mock: Control) -> None:
    from telnyx import NotFoundError, Telnyx

    advice = f"the base URL of Telnyx here is {mock.telnyx.base_url}"
    with Telnyx(api_key="sk_live_0123456789", base_url=mock.url, max_retries=0) as client:
        with pytest.raises(NotFoundError, match=advice):
            client.get("/voice_clones", cast_to=httpx.Response)
    line = r"request_1  \(no provider\) \(no operation\)  GET /voice_clones  -> 404, attempt 1\n"
    hint = rf"    hint: .*the base URL of Telnyx here is {mock.telnyx.base_url}; "
    with pytest.raises(AssertionError, match=rf", got 0\. Requests received:\n{line}{hint}"):
        mock.telnyx.assert_called()
    assert re.match(line + hint, mock.report())
    assert mock.telnyx.requests == []


@pytest.fixture(scope="module")
def small() -> Iterator[Control]:
    """Server whose journals have three entries."""
    with mockvoice.serve(max_requests=3) as control:
        yield control


def test_assert_called_counts_evicted_requests(small: Control) -> None:
    mock = small.sandbox("counted")
    for number in range(5):
        clone(mock, f"voice {number}")
    list_voices(mock)
    assert [request.operation for request in mock.assert_called("cloneVoice", times=5)] == [
        "cloneVoice",
        "cloneVoice",
    ]
    mock.retell.assert_called("POST /clone-voice", times=5, status=201)
    mock.retell.assert_called(times=6)
    mock.retell.assert_not_called("getVoice")
    assert len(mock.wait_for_requests(6)) == 3
    with pytest.raises(AssertionError, match=r"expected 3 requests to cloneVoice, got 5\. Reque"):
        mock.assert_called("cloneVoice", times=3)
    with pytest.raises(AssertionError, match=r"\n\(3 older requests evicted\)\nrequest_4  retell"):
        mock.assert_not_called("cloneVoice")
    assert mock.requests.evicted == 3
    assert mock.report().startswith("(3 older requests evicted)\nrequest_4  ")


def test_assertion_about_fields_of_evicted_requests_raises(small: Control) -> None:
    mock = small.sandbox("fields")
    for name in ("a", "a", "b", "b", "c"):
        clone(mock, name)
    message = (
        r'^cannot decide whether there was 2 requests to cloneVoice with fields {"voice_name": "b"}'
        r": 2 requests were evicted from the journal; start the server with a higher max_requests"
    )
    with pytest.raises(RequestsEvicted, match=message):
        mock.assert_called("cloneVoice", times=2, fields={"voice_name": "b"})
    with pytest.raises(RequestsEvicted, match="at least 1 request to cloneVoice with fields"):
        mock.assert_called("cloneVoice", fields={"voice_name": "a"})
    # Evicted requests cannot change these results.
    assert len(mock.assert_called("cloneVoice", fields={"voice_name": "b"})) == 2
    mock.assert_called("listVoices", times=0, fields={"voice_name": "b"})
    with pytest.raises(AssertionError, match=r"expected 1 request .*, got 2"):
        mock.assert_called("cloneVoice", times=1, fields={"voice_name": "b"})


def test_unknown_names_are_rejected_with_closest_match(mock: Control) -> None:
    with pytest.raises(
        ControlError, match=r"\(did you mean cloneVoice\?\); available: cloneVoice, get"
    ):
        mock.retell.assert_not_called("cloneVoices")
    with pytest.raises(
        ControlError, match=r"available: cloneVoice, getVoice.*did you mean cloneVoi"
    ):
        mock.retell.fail(502, operation="cloneVoices")
    with pytest.raises(ControlError, match=r"expires_in.*did you mean retry_after"):
        mock.retell.fail(502, retry_afer=1)  # type: ignore[call-arg]  # invalid on purpose
    with pytest.raises(
        ControlError, match="unknown provider acme; available: faseeh, retell, supertone, telnyx"
    ):
        mock.provider("acme")
    with pytest.raises(
        AttributeError,
        match="Control has no attribute acme: unknown provider acme; available: faseeh",
    ):
        assert mock.acme  # type: ignore[attr-defined]  # invalid on purpose
    with pytest.raises(ControlError, match="format must be one of wav, mp3"):
        mock.sample("aiff")  # type: ignore[arg-type]  # invalid on purpose
    assert mock.retell.operations["cloneVoice"] == "POST /clone-voice"


def test_wait_for_requests(mock: Control) -> None:
    sender = threading.Thread(target=lambda: [list_voices(mock) for _ in range(3)])
    sender.start()
    assert len(mock.retell.wait_for_requests(3)) == 3
    sender.join()
    with pytest.raises(
        TimeoutError, match=r"expected 4 requests to listVoices within 0.01 s, got 3"
    ):
        mock.wait_for_requests(4, 0.01, operation="listVoices")


def test_clock_freeze_advance_and_run(mock: Control) -> None:
    moment = datetime(2024, 1, 1, tzinfo=UTC)
    assert mock.clock.freeze(moment) == moment == mock.clock.now
    assert mock.clock.advance(90) == moment + timedelta(seconds=90)
    assert mock.clock.freeze("2025-01-01T00:00:00Z").year == 2025
    assert mock.clock.run().year == 2025
    assert mock.clock.freeze() <= mock.clock.now


def test_reset_all_or_parts(mock: Control) -> None:
    mock.retell.fail(502)
    first = mock.telnyx.add_voice().id
    mock.reset("faults", "ids")
    assert mock.faults == []
    assert mock.telnyx.add_voice().id == first
    mock.reset(seed=9, audio="any")
    assert mock.voices == []
    assert mock.telnyx.add_voice().id != first
    with pytest.raises(ControlError, match=r"only.0 must be one of faults"):
        mock.reset("everything")  # type: ignore[arg-type]  # invalid on purpose


def test_verify_reports_unfired_faults_and_unfinished_sequences(mock: Control) -> None:
    mock.retell.fail(502, times=2)
    mock.retell.fail(503, operation="listVoices", probability=0.0)
    mock.telnyx.fail(500)
    mock.telnyx.sequence(["ok"])
    list_voices(mock)
    with pytest.raises(AssertionError) as caught:
        mock.verify()
    lines = [line.partition(": fault")[0] for line in str(caught.value).splitlines()]
    assert lines == [
        "fault never fired",  # the second rule: the first rule fires before it
        "fault never fired",
        "sequence not finished (0 of 1 items used)",
    ]


def test_env_points_sdks_to_the_sandbox(mock: Control) -> None:
    env = mock.env()
    assert env["TELNYX_BASE_URL"] == mock.telnyx.base_url == f"{mock.url}/telnyx/v2"
    assert env["RETELL_BASE_URL"] == mock.retell.base_url
    assert env["MOCKVOICE_URL"] == mock.url
    assert {env[name] for name in env if name.endswith("_API_KEY")} == {"test"}


def test_env_has_only_variables_that_clients_read(mock: Control) -> None:
    names = {name for name in mock.env() if name != "MOCKVOICE_URL"}
    assert names == {"TELNYX_BASE_URL", "TELNYX_API_KEY", "RETELL_BASE_URL", "RETELL_API_KEY"}
    listed = mock.request("GET", "/providers")["providers"]
    assert {variable for provider in listed for variable in provider["env"]} == names


def test_sample_in_every_format(mock: Control) -> None:
    for format in get_args(fields.SampleFormat):
        assert mock.sample(format, seconds=0.5) != mock.sample(format, seconds=0.5, voice="other")


def _schema(name: str) -> Any:
    return Contract("mockvoice").document["components"]["schemas"][name]


@pytest.mark.parametrize(
    ("model", "schema", "difference"),
    [
        (fields.FaultFields, "Fault", {"provider"}),
        (fields.Failure, "SequenceItem", set()),
        (fields.Match, "Match", set()),
        (fields.AccountState, "AccountState", set()),
        (models.RecordedRequest, "JournalEntry", set()),
        (models.RecordedViolation, "Violation", {"expected", "received"}),
        (models.Voice, "Record", set()),
        (models.RecordedFile, "Upload", set()),
        (models.AccountInfo, "Account", set()),
    ],
)
def test_models_have_the_fields_of_the_contract(
    model: type, schema: str, difference: set[str]
) -> None:
    hints = get_type_hints(model).keys()
    assert hints ^ _schema(schema)["properties"].keys() == difference


def test_literal_types_have_the_values_of_the_contract() -> None:
    assert [*get_args(Kind)] == _schema("Kind")["enum"]
    paths = Contract("mockvoice").document["paths"]
    (body,) = paths["/reset"]["post"]["requestBody"]["content"].values()
    assert [*get_args(fields.Part)] == body["schema"]["properties"]["only"]["items"]["enum"]
    (format, *_) = paths["/samples/{format}"]["get"]["parameters"]
    assert [*get_args(fields.SampleFormat)] == format["schema"]["enum"]


# --- expected violations -------------------------------------------------------------------------


def test_verify_requests_explains_each_invalid_request(mock: Control) -> None:
    clone(mock)
    mock.verify_requests()
    httpx.get(f"{mock.retell.base_url}/nowhere")
    clone(mock, name="")
    with pytest.raises(AssertionError) as caught:
        mock.verify_requests()
    lines = str(caught.value).splitlines()
    assert lines[0].startswith("request matched no operation: request_2  retell (no operation)")
    assert lines[1].startswith("    hint: the base URL of Retell")
    assert lines[2].startswith("request violated the contract: request_3  retell cloneVoice")
    assert lines[3] == "    violation in body: voice_name must not be empty"
    assert lines[-1] == "if this is expected, send it inside mockvoice.expect_violation()"


def test_verify_requests_cannot_decide_about_evicted_requests(serve: Serve) -> None:
    mock = mockvoice.connect(serve(max_requests=1).url)
    clone(mock)
    mock.verify_requests()
    clone(mock)
    with pytest.raises(AssertionError, match="1 request was evicted from the journal"):
        mock.verify_requests()


def test_expect_violation_selects_requests(mock: Control) -> None:
    with mock.expect_violation() as requests:
        clone(mock)
        clone(mock, name="")
    assert [request.id for request in requests] == ["request_2"]
    mock.verify_requests()
    with (
        pytest.raises(AssertionError, match="that violates the contract at /x, got 0"),
        mock.expect_violation(pointer="/x"),
    ):
        clone(mock, name="")
    with pytest.raises(AssertionError, match="request_3"):
        mock.verify_requests()


def test_expect_violation_fails_although_the_client_failed(mock: Control) -> None:
    with (
        pytest.raises(AssertionError, match="expected a request to listVoices") as caught,
        mock.retell.expect_violation("listVoices"),
    ):
        raise httpx.ConnectError("refused")
    assert isinstance(caught.value.__context__, httpx.ConnectError)
    with pytest.raises(AssertionError, match="the test's own"), mock.expect_violation():
        raise AssertionError("the test's own")
    with (
        pytest.raises(ControlError, match="did you mean listVoices"),
        mock.retell.expect_violation("listVoice"),
    ):
        pass

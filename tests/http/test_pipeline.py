"""The request pipeline, tested with a small provider of its own."""

from __future__ import annotations

import asyncio
import json
import socket
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import httpx
import pytest

from mockvoice.http.server import Server, bind
from mockvoice.provider import Provider, RequestContext, Response
from mockvoice.providers import built_in
from mockvoice.types import JSON

from ..conftest import internal_errors
from ..state.serializing import make_mock

ACME = """
openapi: 3.1.0
info: {title: Acme}
servers: [{url: https://acme.example/v9}]
components: {securitySchemes: {key: {type: http, scheme: bearer}}}
paths:
  /songs:
    get:
      operationId: listSongs
      parameters:
        - {name: tag, in: query, schema: {type: array, items: {type: integer}}}
        - {name: loud, in: query, schema: {type: boolean}}
        - {name: X-Page, in: header, schema: {type: integer, maximum: 9}}
        - {name: since, in: query, required: true, schema: {type: string}}
      responses:
        '200': {description: ok, content: {application/json: {schema: {type: object}}}}
        '400': {description: no, content: {application/json: {example: {oops: wrong}}}}
    post:
      operationId: addSong
      requestBody:
        x-empty-body-hint: a song wants wrapping
        content:
          application/x-www-form-urlencoded:
            schema:
              required: [name]
              properties: {name: {type: string}, bars: {type: integer}, tags: {type: object}}
          application/json: {schema: {type: object}}
      responses:
        '200': {description: ok, content: {application/json: {example: {id: 7}}}}
        '202': {description: later, content: {text/plain: {}}}
        '400': {description: no, content: {application/json: {example: {oops: wrong}}}}
        '500': {description: no, content: {application/json: {example: {oops: broken}}}}
  /shop:
    post:
      operationId: buySongs
      security: [{key: []}]
      responses:
        '200': {description: ok, content: {application/json: {schema: {type: object}}}}
  /songs/{id}:
    get:
      operationId: getSong
      parameters:
        - {name: id, in: path, required: true, schema: {type: integer}}
      responses:
        '200':
          description: ok
          content:
            application/json:
              schema: {type: object, required: [id], properties: {id: {type: integer}}}
        '404': {description: none, content: {application/json: {example: {oops: gone}}}}
    delete:
      responses: {'204': {description: gone}}
  /songs/newest:
    get:
      operationId: newestSong
      responses: {'200': {description: ok, content: {audio/wav: {}}}}
"""


class Acme:
    """The small provider; a test adds the handlers that it needs. `calls` are their contexts."""

    def __init__(self, contract: Path) -> None:
        self.provider = Provider("acme", "Acme", contract=contract, account={"credit": None})
        self.calls: list[RequestContext] = []

    def handle(self, operation: str, result: Any) -> None:
        """Add a handler that returns a result, or the value of a function of the context."""

        async def handler(ctx: RequestContext) -> Any:
            self.calls.append(ctx)
            return result(ctx) if callable(result) else result

        self.provider.operation(operation)(handler)


@pytest.fixture
def acme(tmp_path: Path) -> Acme:
    contract = tmp_path / "acme.yaml"
    contract.write_text(ACME)
    return Acme(contract)


class Client(httpx.Client):
    """A client of the small provider, with the internal errors of its server."""

    def __init__(self, server: Server) -> None:
        super().__init__(base_url=f"{server.url}/acme/v9")
        self._server = server

    @property
    def internal_errors(self) -> list[str]:
        return internal_errors(self._server)


@pytest.fixture
def http(acme: Acme) -> Iterator[Client]:
    # Handlers are looked up for every request, so that tests can still add them.
    mock = make_mock([acme.provider, *built_in()])
    with Server(mock, bind("127.0.0.1", 0)) as server, Client(server) as client:
        yield client


def test_operation_without_handler_returns_the_example_of_the_contract(http: Client) -> None:
    response = http.post("/songs", json={})
    assert (response.status_code, response.json()) == (200, {"id": 7})
    assert http.get("/songs/5").json() == {"id": 0}
    assert not http.internal_errors


def test_credit_that_a_handler_has_spent_is_no_longer_available(acme: Acme, http: Client) -> None:
    acme.handle("buySongs", lambda ctx: {"paid": [ctx.spend(amount) for amount in (2, 2, 1, 1)]})
    control = http.base_url.copy_with(path="/__mockvoice/accounts/acme/K")
    assert httpx.put(control, json={"credit": 3}).status_code == 200
    response = http.post("/shop", headers={"Authorization": "Bearer K"})
    assert response.json() == {"paid": [True, False, True, False]}
    assert httpx.get(control).json()["credit"] == 0


def test_literal_path_precedes_path_with_parameters(acme: Acme, http: Client) -> None:
    acme.handle("newestSong", b"RIFF")
    response = http.get("/songs/newest")
    assert response.content == b"RIFF"
    assert response.headers["content-type"] == "audio/wav"


def test_optional_body_can_be_omitted(acme: Acme, http: Client) -> None:
    acme.handle("addSong", {"id": 1})
    assert http.post("/songs").status_code == 200
    assert acme.calls[0].fields == {}
    assert acme.calls[0].uploads == ()


def test_parameters_have_the_types_of_the_contract(acme: Acme, http: Client) -> None:
    acme.handle("listSongs", {})
    query = "since=x&tag=1&tag=2&loud=true&other=1"
    assert http.get(f"/songs?{query}", headers={"X-Page": "3"}).status_code == 200
    assert http.get("/songs?since=&tag[]=1").status_code == 200
    assert [ctx.parameters for ctx in acme.calls] == [
        {"since": "x", "tag": [1, 2], "loud": True, "X-Page": 3},
        {"since": "", "tag": [1]},
    ]


@pytest.mark.parametrize(
    ("query", "page", "pointer", "message"),
    [
        ("", "1", "/since", "since is required"),
        ("since=x&tag=a", "1", "/tag/0", 'tag.0 must be a whole number; got "a"'),
        ("since=x&loud=yes", "1", "/loud", 'loud must be true or false; got "yes"'),
        ("since=x", "10", "/X-Page", "X-Page must be at most 9; got 10"),
    ],
)
def test_invalid_parameter_returns_400_and_is_explained(
    http: Client, query: str, page: str, pointer: str, message: str
) -> None:
    response = http.get(f"/songs?{query}", headers={"X-Page": page})
    assert (response.status_code, response.json()) == (400, {"oops": "wrong"})
    violations = response.headers["X-Mockvoice-Violations"]
    assert f'"pointer": "{pointer}"' in violations
    assert message.replace('"', '\\"') in violations


def test_invalid_path_parameter_returns_404(http: Client) -> None:
    response = http.get("/songs/abc")
    assert (response.status_code, response.json()) == (404, {"oops": "gone"})


def test_urlencoded_form_is_decoded(acme: Acme, http: Client) -> None:
    acme.handle("addSong", {"id": 1})
    form = {"name": "x", "bars": "3", "tags": '{"a": 1}', "other": "y"}
    assert http.post("/songs", data=form).status_code == 200
    assert acme.calls[0].fields == {"name": "x", "bars": 3, "tags": {"a": 1}, "other": "y"}
    assert http.post("/songs", data={"bars": "x"}).status_code == 400
    repeated = {"name": ["x", "y", "z"]}
    assert (
        "name must be text" in http.post("/songs", data=repeated).headers["x-mockvoice-violations"]
    )


FORM = "application/x-www-form-urlencoded"


@pytest.mark.parametrize(
    ("media_type", "content", "expected"),
    [
        (
            "application/json",
            "{",
            {
                "rule": "body",
                "message": "the body is not valid JSON: Expecting property name enclosed in double"
                " quotes at line 1, column 2",
                "expected": None,
                "received": None,
            },
        ),
        (
            "text/plain",
            "x",
            {
                "rule": "media type",
                "message": "the body has the media type text/plain; expected"
                " application/x-www-form-urlencoded or application/json",
                "expected": [FORM, "application/json"],
                "received": "text/plain",
            },
        ),
    ],
)
def test_unreadable_body_is_a_violation(
    http: Client, media_type: str, content: str, expected: dict[str, JSON]
) -> None:
    response = http.post("/songs", headers={"Content-Type": media_type}, content=content)
    assert (response.status_code, response.json()) == (400, {"oops": "wrong"})
    common = {"location": "body", "pointer": "", "source": "", "hint": ""}
    assert json.loads(response.headers["x-mockvoice-violations"]) == [{**common, **expected}]
    assert "x-mockvoice-hint" not in response.headers


@pytest.mark.parametrize("media_type", [FORM, "application/json"])
def test_empty_body_has_the_hint_of_the_contract(http: Client, media_type: str) -> None:
    response = http.post("/songs", headers={"Content-Type": media_type})
    assert response.status_code == 400
    assert response.headers["x-mockvoice-hint"] == "a song wants wrapping"
    (violation,) = json.loads(response.headers["x-mockvoice-violations"])
    messages = {FORM: "name is required", "application/json": "the body is empty"}
    assert violation["message"] == messages[media_type]


def test_handler_can_choose_a_documented_status(acme: Acme, http: Client) -> None:
    acme.handle("addSong", Response(b"later", status=202, headers={"x-later": "1"}))
    response = http.post("/songs", json={})
    assert (response.status_code, response.text) == (202, "later")
    assert response.headers["x-later"] == "1"
    assert response.headers["content-type"] == "text/plain"


def test_undocumented_status_is_an_internal_error(acme: Acme, http: Client) -> None:
    acme.handle("addSong", Response({}, status=418))
    response = http.post("/songs", json={})
    assert (response.status_code, response.json()) == (500, {"oops": "broken"})


def test_handler_can_stream_a_response(acme: Acme, http: Client) -> None:
    acme.handle("newestSong", lambda ctx: Response(iter([b"RI", b"FF"])))
    response = http.get("/songs/newest")
    assert response.content == b"RIFF"
    assert response.headers["transfer-encoding"] == "chunked"


def test_operation_without_documented_body_returns_none(http: Client) -> None:
    response = http.delete("/songs/1")
    assert (response.status_code, response.content) == (204, b"")
    assert "content-length" not in response.headers


def test_exception_in_handler_returns_documented_500_and_is_recorded(
    acme: Acme, http: Client
) -> None:
    def fail(ctx: RequestContext) -> JSON:
        raise RuntimeError("oh no")

    acme.handle("addSong", fail)
    response = http.post("/songs", json={})
    assert (response.status_code, response.json()) == (500, {"oops": "broken"})
    assert "RuntimeError: oh no" in http.internal_errors[0]
    acme.handle("addSong", {"id": 1})
    assert http.post("/songs", json={}).status_code == 200


def test_response_that_violates_the_contract_is_sent_and_recorded(acme: Acme, http: Client) -> None:
    acme.handle("getSong", {"id": "x"})
    assert http.get("/songs/1").json() == {"id": "x"}
    assert (
        http.internal_errors[0] == 'the response 200 of getSong: id must be a whole number; got "x"'
    )


def test_provider_without_error_function_returns_404_for_unknown_path(http: Client) -> None:
    response = http.get("/nowhere")
    assert response.status_code == 404
    assert response.json() == {"error": "no operation has the path /acme/v9/nowhere"}


def test_disabled_diagnostics_send_no_mockvoice_headers(serve: Any) -> None:
    with httpx.Client(base_url=serve(diagnostics=False).url) as http:
        unknown = http.get("/telnyx/voices")
        invalid = http.post(
            "/telnyx/v2/voice_clones", headers={"Authorization": "Bearer K"}, json={}
        )
        for response in (unknown, invalid):
            assert response.is_client_error
            assert not [name for name in response.headers if name.startswith("x-mockvoice")]


def test_violations_header_is_limited_to_4096_bytes(serve: Any) -> None:
    with httpx.Client(base_url=serve().url) as http:
        body = {"name": "ü" * 5000, "gender": "x" * 5000}
        key = {"Authorization": "Bearer K"}
        response = http.post("/telnyx/v2/voice_clones", headers=key, json=body)
        assert response.status_code == 422
        assert len(response.headers["x-mockvoice-violations"]) <= 4096


def test_path_of_no_provider_returns_404_with_all_base_urls(serve: Any) -> None:
    url = serve().url
    response = httpx.get(f"{url}/v2/voice_clones")
    assert response.status_code == 404
    assert response.headers["content-type"] == "application/problem+json"
    for base in ("telnyx/v2", "retell", "supertone", "faseeh/api/v1", "__mockvoice"):
        assert f"{url}/{base}" in response.headers["x-mockvoice-hint"]


def test_handler_for_unknown_operation_is_skipped_with_a_warning(
    acme: Acme, caplog: pytest.LogCaptureFixture
) -> None:
    acme.handle("noSuchOperation", {})
    _ = acme.provider.document
    assert "acme.yaml has no operation noSuchOperation; skipped" in caplog.text


def test_handler_that_does_not_end_is_cancelled_when_the_server_stops(acme: Acme) -> None:
    started, ended = threading.Event(), list[str]()

    async def wait(ctx: RequestContext) -> JSON:
        started.set()
        try:
            await asyncio.Event().wait()
        except asyncio.CancelledError:
            ended.append(ctx.operation.id)
            raise
        return {}

    acme.provider.operation("newestSong")(wait)
    with socket.socket() as client:
        with Server(make_mock([acme.provider]), bind("127.0.0.1", 0)) as server:
            url = urlsplit(server.url)
            client.connect((url.hostname, url.port))
            client.sendall(b"GET /acme/v9/songs/newest HTTP/1.1\r\nHost: x\r\n\r\n")
            assert started.wait(20)
    assert ended == ["newestSong"]

"""The life of a request, seen with a small provider of the test's own."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from mockvoice.http.server import Server, bind
from mockvoice.openapi.normalize import ContractError
from mockvoice.provider import Provider, RequestContext, Response
from mockvoice.providers import built_in
from mockvoice.types import JSON

from ..conftest import internal_errors
from ..state.serializing import make_mock

ACME = """
openapi: 3.1.0
info: {title: Acme}
servers: [{url: https://acme.example/v9}]
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
    """A server of the small provider, with handlers for as many operations as a test wants."""

    def __init__(self, contract: Path) -> None:
        self.provider = Provider("acme", "Acme", contract=contract)
        self.calls: list[RequestContext] = []

    def answers(self, operation: str, answer: Any) -> None:
        async def handler(call: RequestContext) -> Any:
            self.calls.append(call)
            return answer(call) if callable(answer) else answer

        self.provider.operation(operation)(handler)


@pytest.fixture
def acme(tmp_path: Path) -> Acme:
    contract = tmp_path / "acme.yaml"
    contract.write_text(ACME)
    return Acme(contract)


class Started(httpx.Client):
    """A client of a started server, and what the server did wrong."""

    def __init__(self, server: Server) -> None:
        super().__init__(base_url=f"{server.url}/acme/v9")
        self._server = server

    @property
    def internal_errors(self) -> list[str]:
        return internal_errors(self._server)


@pytest.fixture
def http(acme: Acme) -> Iterator[Started]:
    # The provider is read when the server starts, so handlers may still be added by the test.
    mock = make_mock([acme.provider, *built_in()])
    with Server(mock, bind("127.0.0.1", 0)) as server, Started(server) as client:
        yield client


def test_an_operation_without_a_function_answers_the_example_of_its_contract(
    http: Started,
) -> None:
    response = http.post("/songs", json={})
    assert (response.status_code, response.json()) == (200, {"id": 7})
    assert http.get("/songs/5").json() == {"id": 0}
    assert not http.internal_errors


def test_a_literal_path_wins_over_one_with_parameters(acme: Acme, http: Started) -> None:
    acme.answers("newestSong", b"RIFF")
    response = http.get("/songs/newest")
    assert response.content == b"RIFF"
    assert response.headers["content-type"] == "audio/wav"


def test_a_body_may_be_left_out_where_none_is_required(acme: Acme, http: Started) -> None:
    acme.answers("addSong", {"id": 1})
    assert http.post("/songs").status_code == 200
    assert acme.calls[0].fields == {}
    assert acme.calls[0].uploads == ()


def test_parameters_come_as_the_types_of_the_contract(acme: Acme, http: Started) -> None:
    acme.answers("listSongs", {})
    query = "since=x&tag=1&tag=2&loud=true&other=1"
    assert http.get(f"/songs?{query}", headers={"X-Page": "3"}).status_code == 200
    assert http.get("/songs?since=&tag[]=1").status_code == 200
    assert [call.parameters for call in acme.calls] == [
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
def test_a_wrong_parameter_is_explained(
    http: Started, query: str, page: str, pointer: str, message: str
) -> None:
    response = http.get(f"/songs?{query}", headers={"X-Page": page})
    assert (response.status_code, response.json()) == (400, {"oops": "wrong"})
    explained = response.headers["X-Mockvoice-Violations"]
    assert f'"pointer": "{pointer}"' in explained
    assert message.replace('"', '\\"') in explained


def test_a_wrong_path_parameter_is_an_address_where_nothing_is(http: Started) -> None:
    response = http.get("/songs/abc")
    assert (response.status_code, response.json()) == (404, {"oops": "gone"})


def test_a_urlencoded_form_is_read(acme: Acme, http: Started) -> None:
    acme.answers("addSong", {"id": 1})
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
    ("media_type", "content", "told"),
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
def test_a_body_that_cannot_be_read_is_a_violation_too(
    http: Started, media_type: str, content: str, told: dict[str, JSON]
) -> None:
    response = http.post("/songs", headers={"Content-Type": media_type}, content=content)
    assert (response.status_code, response.json()) == (400, {"oops": "wrong"})
    whole = {"location": "body", "pointer": "", "source": "", "hint": ""}
    assert json.loads(response.headers["x-mockvoice-violations"]) == [{**whole, **told}]
    assert "x-mockvoice-hint" not in response.headers


@pytest.mark.parametrize("media_type", [FORM, "application/json"])
def test_an_empty_body_brings_the_hint_of_its_contract(http: Started, media_type: str) -> None:
    response = http.post("/songs", headers={"Content-Type": media_type})
    assert response.status_code == 400
    assert response.headers["x-mockvoice-hint"] == "a song wants wrapping"
    (told,) = json.loads(response.headers["x-mockvoice-violations"])
    wrong = {FORM: "name is required", "application/json": "the body is empty"}
    assert told["message"] == wrong[media_type]


def test_a_handler_may_choose_among_documented_statuses(acme: Acme, http: Started) -> None:
    acme.answers("addSong", Response(b"later", status=202, headers={"x-later": "1"}))
    response = http.post("/songs", json={})
    assert (response.status_code, response.text) == (202, "later")
    assert response.headers["x-later"] == "1"
    assert response.headers["content-type"] == "text/plain"


def test_a_status_that_is_not_documented_is_our_mistake(acme: Acme, http: Started) -> None:
    acme.answers("addSong", Response({}, status=418))
    response = http.post("/songs", json={})
    assert (response.status_code, response.json()) == (500, {"oops": "broken"})


def test_an_answer_may_be_streamed(acme: Acme, http: Started) -> None:
    acme.answers("newestSong", lambda call: Response(iter([b"RI", b"FF"])))
    response = http.get("/songs/newest")
    assert response.content == b"RIFF"
    assert response.headers["transfer-encoding"] == "chunked"


def test_an_operation_that_documents_no_body_answers_none(http: Started) -> None:
    response = http.delete("/songs/1")
    assert (response.status_code, response.content) == (204, b"")
    assert "content-length" not in response.headers


def test_a_handler_that_fails_is_a_500_in_the_providers_words_and_a_mistake(
    acme: Acme, http: Started
) -> None:
    def fail(call: RequestContext) -> JSON:
        raise RuntimeError("oh no")

    acme.answers("addSong", fail)
    response = http.post("/songs", json={})
    assert (response.status_code, response.json()) == (500, {"oops": "broken"})
    assert "RuntimeError: oh no" in http.internal_errors[0]
    acme.answers("addSong", {"id": 1})
    assert http.post("/songs", json={}).status_code == 200


def test_a_reply_that_does_not_fit_its_contract_is_sent_and_is_a_mistake(
    acme: Acme, http: Started
) -> None:
    acme.answers("getSong", {"id": "x"})
    assert http.get("/songs/1").json() == {"id": "x"}
    assert (
        http.internal_errors[0] == 'the response 200 of getSong: id must be a whole number; got "x"'
    )


def test_a_provider_without_words_still_answers_unknown_paths(http: Started) -> None:
    response = http.get("/nowhere")
    assert response.status_code == 404
    assert response.json() == {"error": "no operation has the path /acme/v9/nowhere"}


def test_diagnostics_can_be_switched_off(serve: Any) -> None:
    with httpx.Client(base_url=serve(diagnostics=False).url) as http:
        lost = http.get("/telnyx/voices")
        wrong = http.post("/telnyx/v2/voice_clones", headers={"Authorization": "Bearer K"}, json={})
        for response in (lost, wrong):
            assert response.is_client_error
            assert not [name for name in response.headers if name.startswith("x-mockvoice")]


def test_an_explanation_fits_into_a_header(serve: Any) -> None:
    with httpx.Client(base_url=serve().url) as http:
        body = {"name": "ü" * 5000, "gender": "x" * 5000}
        key = {"Authorization": "Bearer K"}
        response = http.post("/telnyx/v2/voice_clones", headers=key, json=body)
        assert response.status_code == 422
        assert len(response.headers["x-mockvoice-violations"]) <= 4096


def test_a_path_of_no_provider_names_all_base_urls(serve: Any) -> None:
    url = serve().url
    response = httpx.get(f"{url}/v2/voice_clones")
    assert response.status_code == 404
    assert response.headers["content-type"] == "application/problem+json"
    for base in ("telnyx/v2", "retell", "supertone", "faseeh/api/v1", "__mockvoice"):
        assert f"{url}/{base}" in response.headers["x-mockvoice-hint"]


def test_a_handler_for_no_operation_is_refused(acme: Acme) -> None:
    acme.answers("noSuchOperation", {})
    with pytest.raises(ContractError, match="has no operation noSuchOperation"):
        _ = acme.provider.document

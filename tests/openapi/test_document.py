"""Reading contracts: operations, parameters, bodies and responses."""

from __future__ import annotations

import textwrap
from typing import Any

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st
from jsonschema import Draft202012Validator

from mockvoice.openapi.document import Document, SecurityScheme
from mockvoice.openapi.examples import example
from mockvoice.openapi.normalize import ContractError

PETS = """
openapi: 3.1.0
info: {title: Pets}
servers: [{url: https://pets.example/v3/}]
security: [{key: []}]
paths:
  /pets/{id}:
    parameters:
      - $ref: '#/components/parameters/Id'
    get:
      operationId: getPet
      parameters:
        - {name: 'page[size]', in: query, schema: {type: integer, default: 20}}
        - {name: tag, in: query, schema: {type: array, items: {type: integer}}}
      responses:
        '200':
          $ref: '#/components/responses/Pet'
        '404':
          description: none
          content: {application/json: {example: {oops: 1}}}
        default: {description: whatever}
    post:
      security: []
      requestBody:
        $ref: '#/components/requestBodies/Picture'
      responses: {'204': {description: done}}
components:
  securitySchemes:
    key: {type: apiKey, in: header, name: X-Key}
    bearer: {type: http, scheme: Bearer}
    basic: {type: http, scheme: basic}
  parameters:
    Id: {name: id, in: path, required: true, schema: {type: string}}
  requestBodies:
    Picture:
      required: true
      x-empty-body-hint: a picture needs a frame
      content:
        multipart/form-data:
          schema:
            allOf:
              - $ref: '#/components/schemas/Named'
              - properties:
                  files:
                    type: array
                    items: {type: string, format: binary, x-max-bytes: 3}
  responses:
    Pet:
      description: one
      headers:
        X-Size: {schema: {type: integer}}
      content: {application/json: {schema: {$ref: '#/components/schemas/Named'}}}
  schemas:
    Named: {type: object, properties: {size: {type: number}, born: {type: string}}}
"""


def pets(**changes: str) -> Document:
    text = PETS
    for old, new in changes.items():
        text = text.replace(old, new)
    return Document("pets", text)


def test_operation_without_id_is_named_by_method_and_path() -> None:
    assert [*pets().operations] == ["getPet", "POST /pets/{id}"]


def test_base_path_comes_from_first_server() -> None:
    assert pets().base_path == "/v3"


def test_operation_has_parameters_of_its_path() -> None:
    operation = pets().operations["getPet"]
    assert [(p.name, p.location, p.required, p.default) for p in operation.parameters] == [
        ("id", "path", True, None),
        ("page[size]", "query", False, 20),
        ("tag", "query", False, None),
    ]
    assert operation.parameters[2].field.is_array


def test_form_fields_include_references_and_choices() -> None:
    body = pets().operations["POST /pets/{id}"].bodies["multipart/form-data"]
    assert body.fields["size"].kinds == {"number"}
    files = body.fields["files"]
    assert files.is_array
    assert files.file
    assert files.file.max_bytes == 3
    assert files.file.source.endswith("multipart~1form-data/schema/allOf/1/properties/files/items")


def test_empty_body_hint_is_read() -> None:
    operations = pets().operations
    assert operations["POST /pets/{id}"].empty_body_hint == "a picture needs a frame"
    assert operations["getPet"].empty_body_hint == ""


def test_responses_have_status_headers_and_examples() -> None:
    operation = pets().operations["getPet"]
    assert sorted(operation.responses) == [200, 404]
    assert operation.success.headers["x-size"].is_valid(3)
    assert operation.documented(404) == {"oops": 1}
    assert operation.documented(200) == {"size": 0, "born": "text"}
    assert operation.documented(500) is None


def test_operation_overrides_security_of_document() -> None:
    operations = pets().operations
    assert operations["getPet"].security == SecurityScheme("header", "x-key")
    assert operations["POST /pets/{id}"].security is None
    bearer = pets(**{"security: [{key: []}]": "security: [{bearer: []}]"}).operations["getPet"]
    assert bearer.security == SecurityScheme("bearer", "authorization")


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("[{key: []}]", "[{basic: []}]", "security scheme 'basic' is of an unsupported type"),
        ("{'204': {description: done}}", "{'404': {description: x}}", "documents no success"),
        ("'#/components/responses/Pet'", "'#/components/responses/Cat'", "nothing is defined at"),
        ("openapi: 3.1.0", "openapi: 2.0", "openapi must be 3.0.x or 3.1.x; got 2.0"),
    ],
)
def test_unsupported_contract_raises(old: str, new: str, message: str) -> None:
    with pytest.raises(ContractError, match=message):
        pets(**{old: new})


@pytest.mark.parametrize("text", ["", "a: [", "[]", "!!python/object:os.system {}"])
def test_text_that_is_not_a_contract_raises(text: str) -> None:
    with pytest.raises(ContractError):
        Document("x", text)


def test_dates_are_text() -> None:
    text = textwrap.dedent("""
        openapi: 3.1.0
        paths: {}
        info: {title: 2024-01-01}
    """)
    assert Document("x", text).title == "2024-01-01"


SCHEMAS: st.SearchStrategy[Any] = st.recursive(
    st.one_of(
        st.just({"type": "string"}),
        st.integers(0, 30).map(lambda n: {"type": "string", "minLength": n, "maxLength": n + 3}),
        st.integers(-5, 5).map(lambda n: {"type": "integer", "minimum": n, "maximum": n + 1}),
        st.integers(-5, 5).map(lambda n: {"type": "number", "exclusiveMinimum": n}),
        st.integers(-5, 5).map(lambda n: {"type": "number", "maximum": n}),
        st.sampled_from(["uuid", "date-time", "date", "uri", "email"]).map(
            lambda name: {"type": "string", "format": name}
        ),
        st.just({"type": "boolean"}),
        st.just({"type": ["null", "string"]}),
        st.just({"enum": ["a", "b"]}),
        st.just({"type": "integer", "default": 7}),
        st.just({}),
    ),
    lambda inner: st.one_of(
        st.builds(
            lambda x, n: {"type": "array", "items": x, "minItems": n}, inner, st.integers(0, 2)
        ),
        st.builds(
            lambda a, b: {"type": "object", "required": ["a"], "properties": {"a": a, "b": b}},
            inner,
            inner,
        ),
        st.builds(lambda a, b: {"anyOf": [a, b]}, inner, inner),
    ),
    max_leaves=6,
)


@given(SCHEMAS)
def test_example_is_valid_and_repeatable(schema: Any) -> None:
    text = yaml.safe_dump(
        {"openapi": "3.1.0", "paths": {}, "components": {"schemas": {"X": schema}}}
    )
    schemas = Document("x", text).schemas
    value = example(schemas, schema)
    assert value == example(schemas, schema)
    Draft202012Validator(schema, format_checker=Draft202012Validator.FORMAT_CHECKER).validate(value)


def test_recursive_schema_has_an_example() -> None:
    trees = {"type": "array", "items": {"$ref": "#/components/schemas/Tree"}}
    tree = {"type": "object", "properties": {"trees": trees}}
    text = yaml.safe_dump({"openapi": "3.1.0", "components": {"schemas": {"Tree": tree}}})
    schemas = Document("x", text).schemas
    value = example(schemas, {"$ref": "#/components/schemas/Tree"})
    assert schemas.compile("#/components/schemas/Tree").is_valid(value)

"""Differences between two contracts."""

from __future__ import annotations

import json
from copy import deepcopy
from typing import Any

import pytest

from mockvoice.openapi.diff import Difference, differences
from mockvoice.openapi.document import Document

from ..contract.contracts import CONTRACTS, NEWER

NAME = {"type": "string", "maxLength": 20}
SONG: dict[str, Any] = {
    "type": "object",
    "required": ["name"],
    "properties": {"name": NAME, "genre": {"enum": ["pop", "rock"]}, "tags": {"type": "array"}},
}


def document(
    request: Any = SONG, response: Any = SONG, *, parameters: Any = (), **operation: Any
) -> Document:
    """Return a contract with one operation."""

    def content(schema: Any) -> Any:
        return {"application/json": {"schema": schema}}

    described = {
        "operationId": "addSong",
        "parameters": [*parameters],
        "requestBody": {"content": content(request)},
        "responses": {"200": {"description": "ok", "content": content(response)}},
        **operation,
    }
    components = {"schemas": {"Cat": SONG, "Node": {"properties": {"next": {"$ref": NODE}}}}}
    contract = {"openapi": "3.1.0", "info": {}, "components": components}
    return Document("acme", json.dumps({**contract, "paths": {"/songs": {"post": described}}}))


NODE = "#/components/schemas/Node"


def changed(**members: Any) -> Any:
    """Return the schema of a song with other members."""
    song = deepcopy(SONG)
    song["properties"] |= members
    return song


def described(found: list[Difference]) -> list[str]:
    return [f"{d.location}: {d.message}{' !' * d.breaking}" for d in found]


def test_equal_contracts_have_no_differences() -> None:
    assert differences(document(), document()) == []
    for contract in (*CONTRACTS, *NEWER):
        text = contract.path.read_text()
        old, new = Document("old", text), Document("new", text)
        assert differences(old, new) == []


@pytest.mark.parametrize(
    ("schema", "in_request", "in_response"),
    [
        (changed(size={}), "{0} size: field added", "{0} size: field added"),
        ({**changed(size={}), "required": ["name", "size"]}, "{0} size: field added, required !",
         "{0} size: field added, required"),
        ({**SONG, "required": []}, "{0} name: no longer required",
         "{0} name: no longer required !"),
        ({**SONG, "required": ["name", "tags"]}, "{0} tags: required now !",
         "{0} tags: required now"),
        (changed(genre={"enum": ["pop", "rock", "jazz"]}), "{0} genre: value added: jazz",
         "{0} genre: value added: jazz !"),
        (changed(genre={"enum": ["pop"]}), "{0} genre: value removed: rock !",
         "{0} genre: value removed: rock"),
        (changed(genre={}), "{0} genre: any value is allowed now",
         "{0} genre: any value is allowed now !"),
        (changed(name={"type": "string", "maxLength": 9}),
         "{0} name: maxLength changed from 20 to 9 !", "{0} name: maxLength changed from 20 to 9"),
        (changed(name={"type": "string", "maxLength": 99}),
         "{0} name: maxLength changed from 20 to 99", "{0} name: maxLength changed from 20 to 99"),
        (changed(name={**NAME, "pattern": "^a"}),
         '{0} name: pattern changed from none to "^a" !',
         '{0} name: pattern changed from none to "^a"'),
        (changed(name={**NAME, "type": ["string", "null"]}),
         "{0} name: type changed from string to null, string",
         "{0} name: type changed from string to null, string !"),
        (changed(name={**NAME, "type": "integer"}),
         "{0} name: type changed from string to integer !",
         "{0} name: type changed from string to integer !"),
        ({**SONG, "additionalProperties": False}, "{0}: unknown members are rejected now !",
         "{0}: unknown members are rejected now"),
        (changed(tags={"type": "array", "items": {"type": "string"}}), "", ""),
    ],
)  # fmt: skip
def test_change_of_a_schema_is_breaking_on_one_side(
    schema: Any, in_request: str, in_response: str
) -> None:
    old = document()
    expected = [in_request.format("request")] if in_request else []
    assert described(differences(old, document(request=schema))) == expected
    expected = [in_response.format("response 200")] if in_response else []
    assert described(differences(old, document(response=schema))) == expected


def test_removed_members_are_breaking_on_both_sides() -> None:
    less = {**SONG, "properties": {"name": NAME}}
    lines = described(differences(document(), document(less, less)))
    assert lines == [
        "request genre: field removed !",
        "request tags: field removed !",
        "response 200 genre: field removed !",
        "response 200 tags: field removed !",
    ]


def test_members_of_items_and_of_nested_objects_have_paths() -> None:
    old, new = (
        {"type": "array", "items": {"properties": {"song": song}}}
        for song in (SONG, changed(genre={"enum": ["pop"]}))
    )
    (line,) = described(differences(document(old), document(new)))
    assert line == "request[].song.genre: value removed: rock !"


def test_variants_are_compared_with_what_they_have_in_common() -> None:
    """As Telnyx split one request into variants, some of whose fields became required."""
    variants = [
        {**changed(kind={"enum": [kind]}), "required": ["name", "tags", *more]}
        for kind, more in (("a", []), ("b", ["genre"]))
    ]
    lines = described(differences(document(), document({"oneOf": variants})))
    assert lines == ["request tags: required now !", "request kind: field added"]
    merged = {**changed(kind={"enum": ["a", "b"]}), "required": ["name", "tags"]}
    assert differences(document({"oneOf": variants}), document(merged)) == []


def test_all_of_and_references_are_followed() -> None:
    whole = {"allOf": [{"$ref": "#/components/schemas/Cat"}]}
    assert differences(document(), document(whole, whole)) == []
    node = {"$ref": NODE}
    assert differences(document(node, node), document(node, node)) == []


def test_parameters_statuses_and_operations() -> None:
    page = {"name": "page", "in": "query", "schema": {"type": "integer", "maximum": 9}}
    more = {**page, "schema": {"type": "integer", "maximum": 5}, "required": True}
    size = {"name": "size", "in": "query", "schema": {}}
    old, new = document(parameters=[page]), document(parameters=[more, size])
    assert described(differences(old, new)) == [
        "query page: required now !",
        "query page: maximum changed from 9 to 5 !",
        "query size: parameter added",
    ]
    assert described(differences(new, old))[2] == "query size: parameter removed !"
    accepted = {"202": {"description": "later"}}
    other = document(responses=accepted, operationId="createSong")
    assert described(differences(document(), other)) == [
        ": operationId changed from addSong to createSong",
        "response 200: status removed !",
        "response 202: status added",
    ]
    nothing = Document("acme", json.dumps({"openapi": "3.1.0", "info": {}, "paths": {}}))
    assert described(differences(document(), nothing)) == [": operation removed !"]
    assert described(differences(nothing, document())) == [": operation added"]


def test_frames_of_a_websocket_are_breaking_on_one_side() -> None:
    def socket(client: Any, server: Any) -> Document:
        frames = {"client": client, "server": server}
        return document(**{"x-websocket": frames, "responses": {"101": {"description": "open"}}})

    narrow = changed(name={**NAME, "maxLength": 10})
    assert described(differences(socket(SONG, SONG), socket(narrow, narrow))) == [
        "client frame name: maxLength changed from 20 to 10 !",
        "server frame name: maxLength changed from 20 to 10",
    ]
    wide = changed(genre={"enum": ["pop", "rock", "folk"]})
    assert described(differences(socket(SONG, SONG), socket(wide, wide))) == [
        "client frame genre: value added: folk",
        "server frame genre: value added: folk !",
    ]

"""Request bodies: streaming, limits, and errors in `Body.problem`."""

from __future__ import annotations

import asyncio
import json
from collections.abc import MutableMapping
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mockvoice.errors import MalformedBody, PayloadTooLarge, Problem
from mockvoice.http.body import MAX_DEPTH, MAX_PARTS, MAX_TEXT_BYTES, Body, read_body
from mockvoice.state.uploads import Upload

BOUNDARY = "----formdata-undici-038"
FORM = f"multipart/form-data; boundary={BOUNDARY}"


def read(
    chunks: list[bytes],
    content_type: str = FORM,
    max_bytes: int = 1 << 30,
    *,
    disconnected: bool = False,
) -> Body:
    messages: list[MutableMapping[str, Any]] = [
        {"type": "http.request", "body": chunk, "more_body": True} for chunk in chunks
    ]
    messages.append({"type": "http.disconnect"} if disconnected else {"type": "http.request"})

    async def receive() -> MutableMapping[str, Any]:
        return messages.pop(0)

    return asyncio.run(read_body(receive, content_type, max_bytes))


def part(disposition: str, data: bytes, *headers: str) -> bytes:
    lines = [f"--{BOUNDARY}", f"Content-Disposition: form-data; {disposition}", *headers]
    return "\r\n".join(lines).encode() + b"\r\n\r\n" + data + b"\r\n"


def form(*parts: bytes) -> bytes:
    return b"".join(parts) + f"--{BOUNDARY}--\r\n".encode()


def parts_of(body: Body) -> list[tuple[Any, ...]]:
    assert body.problem is None
    return [
        (name, value.filename, value.content_type, value.data)
        if isinstance(value, Upload)
        else (name, value)
        for name, value in body.parts
    ]


def message(body: Body) -> str:
    assert isinstance(body.problem, Problem)
    return str(body.problem)


NAMES = st.text(st.characters(exclude_categories=["C"], exclude_characters='"\\'), min_size=1)
TEXTS = st.tuples(NAMES, st.text(max_size=30))
FILES = st.tuples(NAMES, NAMES, st.sampled_from(["", "audio/x-wav"]), st.binary(max_size=400))


@given(st.lists(st.one_of(TEXTS, FILES), max_size=6), st.integers(1, 50))
def test_parts_are_independent_of_chunk_size(parts: list[Any], size: int) -> None:
    whole = form(
        *(
            part(f'name="{value[0]}"', value[1].encode())
            if len(value) == 2
            else part(
                f'name="{value[0]}"; filename="{value[1]}"',
                value[3],
                *([f"Content-Type: {value[2]}"] if value[2] else []),
            )
            for value in parts
        )
    )
    chunks = [whole[i : i + size] for i in range(0, len(whole), size)]
    assert parts_of(read(chunks)) == parts


@given(st.binary(max_size=300), st.integers(1, 40))
def test_arbitrary_bytes_never_raise(data: bytes, size: int) -> None:
    chunks = [data[i : i + size] for i in range(0, len(data), size)]
    body = read(chunks, "multipart/form-data; boundary=x")
    assert body.size == len(data)
    assert body.problem or body.parts or data.lstrip(b"\r\n").startswith(b"--x--")


@given(st.integers(min_value=0))
def test_truncated_form_is_malformed(at: int) -> None:
    whole = form(part('name="a"', b"1"), part('name="b"; filename="b.wav"', b"RIFF"))
    end = whole.rindex(b"--")
    assert "closing boundary" in message(read([whole[: 1 + at % (end - 1)]]))


@pytest.mark.parametrize(
    ("content_type", "data", "error"),
    [
        ("multipart/form-data", b"x", "no boundary"),
        ("multipart/form-data; boundary=" + "x" * 300, b"x", "cannot be used"),
        (FORM, b"", "is empty"),
        (FORM, b"hello", "is broken"),
        (FORM, form(part('filename="a.wav"', b"x")), "part 1 of the multipart body has no name"),
        (FORM, form(part('name="a"', b"x"), part('name=""', b"x")), "part 2 of"),
        (FORM, form(part('name="a"', b"\xff")), "the field a is not readable as utf-8"),
        (
            FORM,
            form(part('name="a"', b"x", "Content-Type: text/plain; charset=klingon")),
            "the charset 'klingon' of the field a is unknown",
        ),
        (
            FORM,
            form(part('name="a"', b"\\ud800", "Content-Type: text/plain; charset=unicode_escape")),
            "the field a is not readable as unicode_escape",
        ),
        ("application/x-www-form-urlencoded", b"a=%ff", "the form cannot be read"),
    ],
)
def test_malformed_form_is_explained(content_type: str, data: bytes, error: str) -> None:
    body = read([data], content_type)
    assert isinstance(body.problem, MalformedBody)
    assert error in message(body)


def test_form_with_only_a_closing_boundary_has_no_parts() -> None:
    # As sent by telnyx-node 7 for arguments in the form of an older version.
    body = read([f"--{BOUNDARY}--\r\n".encode()])
    assert parts_of(body) == []


def test_charset_of_a_part_is_used() -> None:
    data = "café".encode("latin-1")
    body = read([form(part('name="a"', data, "Content-Type: text/plain; charset=latin-1"))])
    assert parts_of(body) == [("a", "café")]


def test_part_with_filename_or_audio_type_is_a_file() -> None:
    body = read([
        form(
            part('name="a"; filename="upload"', b"1"),
            part('name="b"', b"2", "Content-Type: audio/wav"),
            part('name="c"', b"3", "Content-Type: text/plain; charset=utf-8"),
        )
    ])  # fmt: skip
    assert parts_of(body) == [("a", "upload", "", b"1"), ("b", "", "audio/wav", b"2"), ("c", "3")]


def test_part_headers_are_read_in_any_order() -> None:
    head = (
        f'--{BOUNDARY}\r\nContent-Type: audio/x-wav\r\nContent-Disposition: form-data; name="a"; '
    )
    body = read([head.encode() + b'filename="a.wav"\r\n\r\nRIFF\r\n' + form()])
    assert parts_of(body) == [("a", "a.wav", "audio/x-wav", b"RIFF")]


def test_body_over_size_limit_is_read_and_discarded() -> None:
    body = read([part('name="a"; filename="a"', bytes(100))] + [bytes(100)] * 50, max_bytes=1000)
    assert isinstance(body.problem, PayloadTooLarge)
    assert message(body) == "the body has more than 1000 bytes"
    assert body.size > 5000
    assert not body.parts
    assert not body.data


def test_form_with_too_many_parts_is_too_large() -> None:
    largest = form(*[part('name="a"', b"")] * MAX_PARTS)
    assert len(parts_of(read([largest]))) == MAX_PARTS
    assert isinstance(read([part('name="a"', b"") + largest]).problem, PayloadTooLarge)


def test_node_buffer_sent_as_one_part_per_byte_has_a_hint() -> None:
    body = read([form(*[part(f'name="audio_file[{i}]"', b"82") for i in range(MAX_PARTS + 1)])])
    assert body.problem
    assert body.problem.hint == (
        "the last part is audio_file[127]; bytes must be sent as one file, in Node as"
        " toFile(bytes, 'a.wav')"
    )
    assert [violation.hint for violation in body.problem.violations] == [body.problem.hint]


def test_text_fields_and_part_headers_are_limited() -> None:
    long = form(part('name="a"', b"x" * (MAX_TEXT_BYTES + 1)))
    assert "the text field a has more than" in message(read([long]))
    assert "is broken" in message(read([form(part('name="a"', b"", "X-Long: " + "x" * 5000))]))
    headers = [f"X-{i}: y" for i in range(9)]
    assert "is broken" in message(read([form(part('name="a"', b"", *headers))]))


def test_disconnected_client_leaves_the_body_incomplete() -> None:
    assert not read([b"--"], disconnected=True).complete


def test_urlencoded_form_has_parts() -> None:
    body = read([b"a=1&b=%C3%A9", b"&a="], "application/x-www-form-urlencoded; charset=utf-8")
    assert parts_of(body) == [("a", "1"), ("b", "é"), ("a", "")]


JSON = st.recursive(
    st.one_of(
        st.none(),
        st.booleans(),
        st.integers(),
        st.floats(allow_nan=False, allow_infinity=False),
        st.text(),
    ),
    lambda inner: st.one_of(st.lists(inner), st.dictionaries(st.text(), inner)),
    max_leaves=10,
)


@given(JSON)
def test_json_is_parsed(value: Any) -> None:
    assert read([json.dumps(value).encode()], "application/json").json() == value


@given(st.binary(max_size=60) | JSON.map(lambda value: json.dumps(value).encode()))
def test_members_of_unvalidated_bodies_never_raise(data: bytes) -> None:
    members = read([data], "application/json").members()
    try:
        value = read([data], "application/json").json()
    except MalformedBody:
        assert members == {}
    else:
        assert members == (value if isinstance(value, dict) else {})


def test_last_of_repeated_members_counts() -> None:
    assert read([form(part('name="a"', b"1"), part('name="a"', b"2"))]).members() == {"a": "2"}
    assert read([b'{"a": 1, "a": 2}'], "application/json").members() == {"a": 2}


@pytest.mark.parametrize(
    ("data", "error"),
    [
        (b"{", "not valid JSON: Expecting property name enclosed in double quotes at line 1"),
        (b"\xff", "not UTF-8: byte 0 is wrong"),
        (b"NaN", "NaN is no JSON number"),
        (b"[" * 100_000, "not usable JSON"),
        (b"[" * (MAX_DEPTH + 1) + b"]" * (MAX_DEPTH + 1), "nested more than 64 deep"),
        (b'"\\ud800"', "half of a surrogate pair"),
        (b"1" * 5000, "not usable JSON"),
    ],
)
def test_unusable_json_is_explained(data: bytes, error: str) -> None:
    with pytest.raises(MalformedBody, match=error):
        read([data], "application/json").json()

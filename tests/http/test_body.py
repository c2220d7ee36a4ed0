"""Bodies are read as they stream in, whatever the pieces; what is broken is told, never raised."""

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


def received(
    pieces: list[bytes], content_type: str = FORM, most: int = 1 << 30, *, gone: bool = False
) -> Body:
    messages: list[MutableMapping[str, Any]] = [
        {"type": "http.request", "body": piece, "more_body": True} for piece in pieces
    ]
    messages.append({"type": "http.disconnect"} if gone else {"type": "http.request"})

    async def receive() -> MutableMapping[str, Any]:
        return messages.pop(0)

    return asyncio.run(read_body(receive, content_type, most))


def part(header: str, data: bytes, *more: str) -> bytes:
    lines = [f"--{BOUNDARY}", f"Content-Disposition: form-data; {header}", *more]
    return "\r\n".join(lines).encode() + b"\r\n\r\n" + data + b"\r\n"


def form(*parts: bytes) -> bytes:
    return b"".join(parts) + f"--{BOUNDARY}--\r\n".encode()


def shown(body: Body) -> list[tuple[Any, ...]]:
    assert body.problem is None
    return [
        (name, value.filename, value.content_type, value.data)
        if isinstance(value, Upload)
        else (name, value)
        for name, value in body.parts
    ]


def told(body: Body) -> str:
    assert isinstance(body.problem, Problem)
    return str(body.problem)


NAMES = st.text(st.characters(exclude_categories=["C"], exclude_characters='"\\'), min_size=1)
TEXTS = st.tuples(NAMES, st.text(max_size=30))
FILES = st.tuples(NAMES, NAMES, st.sampled_from(["", "audio/x-wav"]), st.binary(max_size=400))


@given(st.lists(st.one_of(TEXTS, FILES), max_size=6), st.integers(1, 50))
def test_all_parts_come_through_whatever_the_pieces(parts: list[Any], size: int) -> None:
    whole = form(
        *(
            part(f'name="{each[0]}"', each[1].encode())
            if len(each) == 2
            else part(
                f'name="{each[0]}"; filename="{each[1]}"',
                each[3],
                *([f"Content-Type: {each[2]}"] if each[2] else []),
            )
            for each in parts
        )
    )
    pieces = [whole[i : i + size] for i in range(0, len(whole), size)]
    assert shown(received(pieces)) == parts


@given(st.binary(max_size=300), st.integers(1, 40))
def test_no_bytes_make_reading_fail(data: bytes, size: int) -> None:
    pieces = [data[i : i + size] for i in range(0, len(data), size)]
    body = received(pieces, "multipart/form-data; boundary=x")
    assert body.size == len(data)
    assert body.problem or body.parts or data.lstrip(b"\r\n").startswith(b"--x--")


@given(st.integers(min_value=0))
def test_a_form_that_is_cut_off_anywhere_is_broken(at: int) -> None:
    whole = form(part('name="a"', b"1"), part('name="b"; filename="b.wav"', b"RIFF"))
    end = whole.rindex(b"--")
    assert "closing boundary" in told(received([whole[: 1 + at % (end - 1)]]))


@pytest.mark.parametrize(
    ("content_type", "data", "sentence"),
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
def test_a_broken_form_says_what_is_wrong_with_it(
    content_type: str, data: bytes, sentence: str
) -> None:
    body = received([data], content_type)
    assert isinstance(body.problem, MalformedBody)
    assert sentence in told(body)


def test_the_empty_form_of_node_is_a_form_without_parts() -> None:
    body = received([f"--{BOUNDARY}--\r\n".encode()])  # telnyx-node 7 with the older call's shape
    assert shown(body) == []


def test_a_part_may_name_its_charset() -> None:
    data = "café".encode("latin-1")
    body = received([form(part('name="a"', data, "Content-Type: text/plain; charset=latin-1"))])
    assert shown(body) == [("a", "café")]


def test_a_part_with_a_filename_or_a_type_of_sound_is_a_file() -> None:
    body = received([
        form(
            part('name="a"; filename="upload"', b"1"),
            part('name="b"', b"2", "Content-Type: audio/wav"),
            part('name="c"', b"3", "Content-Type: text/plain; charset=utf-8"),
        )
    ])  # fmt: skip
    assert shown(body) == [("a", "upload", "", b"1"), ("b", "", "audio/wav", b"2"), ("c", "3")]


def test_headers_of_a_part_may_come_in_any_order() -> None:
    head = (
        f'--{BOUNDARY}\r\nContent-Type: audio/x-wav\r\nContent-Disposition: form-data; name="a"; '
    )
    body = received([head.encode() + b'filename="a.wav"\r\n\r\nRIFF\r\n' + form()])
    assert shown(body) == [("a", "a.wav", "audio/x-wav", b"RIFF")]


def test_more_than_the_bound_is_drained_and_not_kept() -> None:
    body = received([part('name="a"; filename="a"', bytes(100))] + [bytes(100)] * 50, most=1000)
    assert isinstance(body.problem, PayloadTooLarge)
    assert told(body) == "the body has more than 1000 bytes"
    assert body.size > 5000
    assert not body.parts
    assert not body.data


def test_parts_are_counted() -> None:
    is_valid = form(*[part('name="a"', b"")] * MAX_PARTS)
    assert len(shown(received([is_valid]))) == MAX_PARTS
    assert isinstance(received([part('name="a"', b"") + is_valid]).problem, PayloadTooLarge)


def test_a_buffer_of_node_is_a_part_for_each_byte_and_is_told_how_to_be_a_file() -> None:
    body = received([form(*[part(f'name="audio_file[{i}]"', b"82") for i in range(MAX_PARTS + 1)])])
    assert body.problem
    assert body.problem.hint == (
        "the last part is audio_file[127]; bytes must be sent as one file, in Node as"
        " toFile(bytes, 'a.wav')"
    )
    assert [each.hint for each in body.problem.violations] == [body.problem.hint]


def test_text_fields_and_part_headers_are_bounded() -> None:
    long = form(part('name="a"', b"x" * (MAX_TEXT_BYTES + 1)))
    assert "the text field a has more than" in told(received([long]))
    assert "is broken" in told(received([form(part('name="a"', b"", "X-Long: " + "x" * 5000))]))
    many = [f"X-{i}: y" for i in range(9)]
    assert "is broken" in told(received([form(part('name="a"', b"", *many))]))


def test_a_client_that_goes_away_is_noticed() -> None:
    assert not received([b"--"], gone=True).complete


def test_a_urlencoded_form_has_parts_too() -> None:
    body = received([b"a=1&b=%C3%A9", b"&a="], "application/x-www-form-urlencoded; charset=utf-8")
    assert shown(body) == [("a", "1"), ("b", "é"), ("a", "")]


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
def test_json_comes_through(value: Any) -> None:
    assert received([json.dumps(value).encode()], "application/json").json() == value


@pytest.mark.parametrize(
    ("data", "sentence"),
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
def test_unusable_json_says_what_is_wrong_with_it(data: bytes, sentence: str) -> None:
    with pytest.raises(MalformedBody, match=sentence):
        received([data], "application/json").json()

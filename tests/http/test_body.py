"""Request bodies: streaming, limits, and errors in `Body.problem`."""

from __future__ import annotations

import asyncio
import json
import time
import tracemalloc
from collections.abc import MutableMapping
from contextlib import suppress
from itertools import pairwise
from random import Random
from typing import Any
from urllib.parse import parse_qsl

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mockvoice.errors import MalformedBody, PayloadTooLarge, Problem
from mockvoice.http.body import (
    MAX_DEPTH,
    MAX_NODES,
    MAX_PARTS,
    MAX_TEXT_BYTES,
    Body,
    read_body,
)
from mockvoice.state.uploads import Upload

BOUNDARY = "----formdata-undici-038"
FORM = f"multipart/form-data; boundary={BOUNDARY}"
URLENCODED = "application/x-www-form-urlencoded"


def read(
    chunks: list[bytes],
    content_type: str = FORM,
    max_bytes: int = 1 << 30,
    max_json: int = 1 << 22,
    *,
    disconnected: bool = False,
) -> Body:
    messages: list[MutableMapping[str, Any]] = [
        {"type": "http.request", "body": chunk, "more_body": True} for chunk in chunks
    ]
    messages.append({"type": "http.disconnect"} if disconnected else {"type": "http.request"})

    async def receive() -> MutableMapping[str, Any]:
        return messages.pop(0)

    return asyncio.run(read_body(receive, content_type, max_bytes, max_json))


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
            'of the charsets utf-8, us-ascii, iso-8859-1, utf-16; got "klingon"',
        ),
        (URLENCODED, b"b=1&a=%ff", "the form cannot be read: the field a is not readable as utf-8"),
        (URLENCODED, b"%ff=", "the form cannot be read"),
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


@pytest.mark.parametrize(
    ("charset", "data"),
    [
        ("latin-1", b"caf\xe9"),
        ("ISO-8859-1", b"caf\xe9"),
        ("utf-16", "café".encode("utf-16")),
        ('"UTF-8"', "café".encode()),
        ("utf8", "café".encode()),
    ],
)
def test_charset_of_a_part_is_used(charset: str, data: bytes) -> None:
    body = read([form(part('name="a"', data, f"Content-Type: text/plain; charset={charset}"))])
    assert parts_of(body) == [("a", "café")]


@pytest.mark.parametrize(
    "charset", ["punycode", "idna", "unicode_escape", "zip", "a\0b", "x" * 999]
)
def test_charset_that_is_not_listed_is_rejected_without_decoding(charset: str) -> None:
    field = part('name="a"', b"a-" * 500_000, f"Content-Type: text/plain; charset={charset}")
    started = time.process_time()
    body = read([form(field)])
    assert time.process_time() - started < 2  # punycode took 94 seconds
    assert isinstance(body.problem, MalformedBody)
    assert "utf-8, us-ascii, iso-8859-1, utf-16" in message(body)


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


@pytest.mark.parametrize("size", [1, 7, 1000])
def test_line_that_begins_like_a_boundary_is_content(size: int) -> None:
    content = f"a\r\n--{BOUNDARY}9\r\n--{BOUNDARY[:-1]}\r\n--{BOUNDARY}-".encode()
    whole = form(part('name="a"', content), part('name="b"; filename="b"', content))
    chunks = [whole[i : i + size] for i in range(0, len(whole), size)]
    assert parts_of(read(chunks)) == [("a", content.decode()), ("b", "b", "", content)]


@pytest.mark.parametrize("size", [1, 7, 1000])
def test_line_breaks_before_a_form_and_text_after_it_are_ignored(size: int) -> None:
    whole = b"\r\n\r\n" + form(part('name="a"', b"1")) + part('name="b"', b"2") + b"the end"
    chunks = [whole[i : i + size] for i in range(0, len(whole), size)]
    assert parts_of(read(chunks)) == [("a", "1")]


@pytest.mark.parametrize(
    ("data", "error"),
    [
        (b"hello", "is broken: it does not begin with `--` and its boundary"),
        (f"--{BOUNDARY}, ".encode(), "neither a line break nor `--` follows its first boundary"),
        (form(part('name="a"', b"", "X Y: 1")), 'is broken: "X Y: 1" is not a header of a part'),
        (part('name="a"', b"").split(b";")[0] + b"x" * 40_000, "have more than 32768 bytes"),
    ],
)
def test_error_of_a_broken_form_names_the_defect(data: bytes, error: str) -> None:
    assert error in message(read([data]))


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
    body = read([b"a=1&b=%C3%A9", b"&a="], f"{URLENCODED}; charset=utf-8")
    assert parts_of(body) == [("a", "1"), ("b", "é"), ("a", "")]


@given(st.text("ab%41C39é+&= ", max_size=40), st.integers(1, 7))
def test_urlencoded_form_is_read_as_python_reads_it(text: str, size: int) -> None:
    data = text.encode()
    pieces = [data[i : i + size] for i in range(0, len(data), size)]
    body = read(pieces, URLENCODED)
    try:
        expected = parse_qsl(text, keep_blank_values=True, errors="strict")
    except UnicodeDecodeError:
        assert "not readable as utf-8" in message(body)
    else:
        assert parts_of(body) == expected


@pytest.mark.parametrize(
    ("data", "problem"),
    [
        (b"a&" * MAX_PARTS, "the form has more than 128 fields"),
        (b"&" * MAX_PARTS, "the form has more than 128 fields"),
        (b"a=%41" + b"%41" * MAX_TEXT_BYTES, "the text field a has more than 1048576 bytes"),
        (b"%41" * 4097, "the name of a form field has more than 4096 bytes"),
    ],
)
def test_urlencoded_form_has_the_limits_of_multipart(data: bytes, problem: str) -> None:
    body = read([data], URLENCODED)
    assert isinstance(body.problem, PayloadTooLarge)
    assert message(body) == problem
    assert not body.parts


def test_large_file_is_in_memory_once_while_it_arrives() -> None:
    data = Random(1).randbytes(20 << 20)
    whole = form(part('name="a"; filename="a"', data))
    chunks = (whole[at : at + 65_536] for at in range(0, len(whole), 65_536))

    async def receive() -> MutableMapping[str, Any]:
        chunk = next(chunks, b"")
        return {"type": "http.request", "body": chunk, "more_body": bool(chunk)}

    tracemalloc.start()
    body = asyncio.run(read_body(receive, FORM, 1 << 26, 1 << 22))
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert parts_of(body) == [("a", "a", "", data)]
    assert peak < 1.5 * len(data)


def test_each_chunk_of_a_urlencoded_form_takes_little_time() -> None:
    """A form of 60 MB of `%41` took 21 seconds and 5 GB at its end."""
    chunks = [b"a="] + [b"%41" * 20_000] * 1000
    times = [time.process_time()]

    async def receive() -> MutableMapping[str, Any]:
        times.append(time.process_time())
        return {"type": "http.request", "body": chunks.pop(0), "more_body": bool(chunks)}

    tracemalloc.start()
    body = asyncio.run(read_body(receive, URLENCODED, 1 << 26, 1 << 26))
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    times.append(time.process_time())
    assert max(after - before for before, after in pairwise(times)) < 2
    assert peak < 20 << 20
    assert isinstance(body.problem, PayloadTooLarge)


@pytest.mark.parametrize("content_type", ["application/json", URLENCODED, "", "text/plain"])
def test_body_without_files_is_limited_by_max_json_mb(content_type: str) -> None:
    body = read([b"a" * 600, b"b" * 600], content_type, max_json=1000)
    assert isinstance(body.problem, PayloadTooLarge)
    assert message(body) == "the body has more than 1000 bytes"
    assert body.problem.hint == "raise the setting max_json_mb"
    assert not body.data
    assert not body.parts


def test_files_are_not_limited_by_max_json_mb_and_text_fields_are() -> None:
    file = part('name="a"; filename="a"', bytes(5000))
    assert read([form(file)], max_json=1000).problem is None
    body = read([form(file, *[part('name="b"', b"x" * 400)] * 3)], max_json=1000)
    assert isinstance(body.problem, PayloadTooLarge)
    assert message(body) == "the text fields have more than 1000 bytes"
    assert body.problem.hint == "raise the setting max_json_mb"


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
        (b"NaN", "NaN is not a JSON number"),
        (b"[" * 100_000, "not usable JSON"),
        (b"[" * (MAX_DEPTH + 1) + b"]" * (MAX_DEPTH + 1), "nested more than 64 deep"),
        (b'"\\ud800"', "half of a surrogate pair"),
        (b"1" * 5000, "not usable JSON"),
        (b"[-1e400]", "the number -1e400 is out of range"),
        (b"-Infinity", "-Infinity is not a JSON number"),
        (b"[" + b"0," * MAX_NODES + b"0]", "has more than 100000 members and items"),
        (b'{"\\"": [' + b"{}," * MAX_NODES + b"{}]}", "has more than 100000 members and items"),
    ],
)
def test_unusable_json_is_explained(data: bytes, error: str) -> None:
    with pytest.raises(MalformedBody, match=error):
        read([data], "application/json").json()


def test_punctuation_in_json_text_is_no_item() -> None:
    value = {"a": ',[{"\\' * MAX_NODES, "b": [1]}
    assert read([json.dumps(value).encode()], "application/json").json() == value


def test_json_of_4_mb_is_parsed_in_less_than_a_quarter_of_a_second() -> None:
    """63 MB took 1.45 seconds."""
    for item in (b"0,", b'"a",', b"{},", b"[0.1e1],", b'"' + b"x," * 5000 + b'",'):
        data = b"[" + item * ((1 << 22) // len(item) - 2) + b"0]"
        body = read([data], "application/json")
        started = time.process_time()
        with suppress(MalformedBody):
            body.json()
        assert time.process_time() - started < 2

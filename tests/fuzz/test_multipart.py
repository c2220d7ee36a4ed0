"""Fuzz the multipart reader: no bytes make it fail, and pieces make no difference."""

from __future__ import annotations

import asyncio
from collections.abc import MutableMapping, Sequence
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from mockvoice.errors import Problem
from mockvoice.http.body import MAX_PARTS, Body, read_body
from mockvoice.state.uploads import Upload

FORM = "multipart/form-data; boundary=zz"
MAX_BYTES = 20_000

# Text with a meaning for a parser of forms, whole and cut short.
TOKENS = [
    *(b"--zz\r\n", b"--zz--\r\n", b"--zz", b"--z", b"--", b"\r\n", b"\r", b"\n", b"\r\n\r\n"),
    *(b'Content-Disposition: form-data; name="a"', b"Content-Disposition: form-data; name=a"),
    *(b'Content-Disposition: form-data; name="f"; filename="a.wav"', b"content-disposition:"),
    *(b"Content-Type: audio/wav", b"Content-Type: text/plain; charset=", b"utf-8", b"utf-16"),
    *(b"punycode", b"idna", b"a\0b", b"Content-Transfer-Encoding: base64", b"filename*=UTF-8''x"),
    *(b":", b";", b"=", b'"', b"\\", b" ", b"\t", b"\0", b"\xff", b"\xc3", b"a" * 300, b"b" * 5000),
]
BODIES = st.lists(st.sampled_from(TOKENS) | st.binary(max_size=20), max_size=40).map(b"".join)
BOUNDARIES = st.sampled_from(["zz", "", "z" * 300, '"zz"', "zz; charset=x", "\xff", "z z"])


def received(pieces: Sequence[bytes], content_type: str = FORM) -> Body:
    messages: list[MutableMapping[str, Any]] = [
        {"type": "http.request", "body": piece, "more_body": True} for piece in pieces
    ]
    messages.append({"type": "http.request", "body": b""})

    async def receive() -> MutableMapping[str, Any]:
        return messages.pop(0)

    return asyncio.run(read_body(receive, content_type, MAX_BYTES, MAX_BYTES))


def cut(data: bytes, size: int) -> list[bytes]:
    return [data[i : i + size] for i in range(0, len(data), size)]


def contents(body: Body) -> list[tuple[Any, ...]]:
    return [
        (name, part.filename, part.content_type, bytes(part.data))
        if isinstance(part, Upload)
        else (name, part)
        for name, part in body.parts
    ]


@given(BODIES, BOUNDARIES)
def test_no_body_makes_the_reader_fail(data: bytes, boundary: str) -> None:
    body = received([data], f"multipart/form-data; boundary={boundary}")
    assert body.complete
    assert body.size == len(data)
    assert isinstance(body.problem, Problem | None)
    assert len(body.parts) <= MAX_PARTS
    for name, part in body.parts:
        assert name
        if isinstance(part, str):
            part.encode()  # no half of a surrogate pair, which no response could contain
        else:
            assert len(part.data) <= len(data)


@given(BODIES, st.integers(1, 80))
def test_pieces_of_a_body_make_no_difference(data: bytes, size: int) -> None:
    whole, pieces = received([data]), received(cut(data, size))
    assert type(whole.problem) is type(pieces.problem)
    assert pieces.size == whole.size
    if whole.problem is None:
        assert contents(whole) == contents(pieces)


VALID = b"".join(
    b'--zz\r\nContent-Disposition: form-data; name="%b"%b\r\n\r\n%b\r\n' % part
    for part in [
        (b"a", b"", b"1"),
        (b"f", b'; filename="a.wav"\r\nContent-Type: audio/wav', b"RIFF\r\n--z\r\n" * 20),
        ("é".encode(), b"\r\nContent-Type: text/plain; charset=utf-8", "é".encode() * 9),
    ]
)


@given(st.data())
def test_mutated_form_is_read_or_rejected(data: st.DataObject) -> None:
    form = bytearray(VALID + b"--zz--\r\n")
    for _ in range(data.draw(st.integers(1, 5))):
        at = data.draw(st.integers(0, len(form)))
        length = data.draw(st.integers(0, 9))
        form[at : at + length] = data.draw(st.sampled_from(TOKENS) | st.binary(max_size=9))
    body = received(cut(bytes(form), 64))
    assert body.problem or body.ended
    assert all(name for name, _ in body.parts)

"""Fuzz the audio readers: no file makes them fail, and no file costs more than a bounded amount."""

from __future__ import annotations

import time
from collections.abc import Callable
from struct import pack
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mockvoice.audio.containers import FILES
from mockvoice.audio.detect import FORMATS, MAX_ELEMENTS, seconds, sniff
from mockvoice.audio.synth import Utterance, mp3, wav
from mockvoice.state.uploads import Upload

from ..conftest import CODECS, encoded

SPEECH = Utterance("The quick brown fox", "narrator")
WAV, MP3 = wav(SPEECH, 24_000), mp3(SPEECH, 24_000)
SYNTHESIZED = {"wav": WAV, "mp3": MP3} | {
    format: b"".join(make(WAV[44:], 24_000)) for format, (_, make) in FILES.items()
}
ENCODED = {format: encoded(format, 0.2) for format in CODECS}
REAL = {format: [ENCODED[format], SYNTHESIZED[format]] for format in FORMATS}
REAL["ogg"].append(encoded("ogg", 0.2, codec="vorbis"))
FLAC = SYNTHESIZED["flac"]
MAX_READS = 20 * MAX_ELEMENTS  # a reader takes at most about ten slices of an element
MAX_COPIED = 1 << 20  # bytes


class Counted(bytes):
    """Bytes that count how often, and how much of them, is read."""

    reads = 0
    copied = 0

    def __getitem__(self, key: Any) -> Any:
        value = super().__getitem__(key)
        self.reads += 1
        self.copied += 1 if isinstance(value, int) else len(value)
        return value


def check(data: bytes) -> None:
    """Read a file as every format, and count the work."""
    counted = Counted(data)
    assert sniff(counted).format
    for format in FORMATS:
        duration = seconds(counted, format)
        assert duration is None or duration >= 0
    assert counted.reads <= MAX_READS
    assert counted.copied <= MAX_COPIED


# --- mutations of real files ---------------------------------------------------------------------

# Words that mean something to a reader, and sizes at which arithmetic goes wrong.
TOKENS = [b"RIFF", b"WAVE", b"fmt ", b"data", b"LIST", b"ID3", b"TAG", b"Xing", b"Info", b"VBRI"]
TOKENS += [b"\xff\xfb\x90\x64", b"\xff\xf3", b"fLaC", b"OggS", b"OpusHead", b"\x01vorbis"]
TOKENS += [b"ftyp", b"moov", b"trak", b"mdia", b"hdlr", b"mdhd", b"mdat", b"soun", b"free"]
TOKENS += [
    pack(order + "I", n) for order in "<>" for n in (0, 1, 7, 8, 2**31 - 1, 2**31, 2**32 - 1)
]
TOKENS += [b"\0" * 8, b"\xff" * 8, b"\x80" * 4, b"\x7f" * 4]
SPLICES = st.sampled_from(TOKENS) | st.binary(max_size=12)
POSITIONS = st.integers(0, 400) | st.integers(0, 10**5)  # headers matter most


@st.composite
def mutated(draw: st.DrawFn, format: str) -> bytes:
    """A real file with pieces overwritten, inserted, removed, repeated, or of another file."""
    data = bytearray(draw(st.sampled_from(REAL[format])))
    for _ in range(draw(st.integers(1, 6))):
        at = draw(POSITIONS) % (len(data) + 1)
        action = draw(st.sampled_from(["overwrite", "insert", "remove", "repeat", "cut", "join"]))
        if action == "overwrite":
            piece = draw(SPLICES)
            data[at : at + len(piece)] = piece
        elif action == "insert":
            data[at:at] = draw(SPLICES)
        elif action == "remove":
            del data[at : at + draw(st.integers(1, 64))]
        elif action == "repeat":
            data[at:at] = data[at : at + draw(st.integers(1, 64))] * draw(st.integers(1, 200))
        elif action == "cut":
            del data[at:]
        else:
            data[at:] = draw(st.sampled_from([*ENCODED.values()]))[at:]
    return bytes(data)


@pytest.mark.parametrize("format", FORMATS)
@given(data=st.data())
def test_mutated_file_is_read_within_bounds(format: str, data: st.DataObject) -> None:
    check(data.draw(mutated(format)))


@given(st.lists(SPLICES, max_size=40).map(b"".join))
def test_tokens_without_a_file_are_read_within_bounds(data: bytes) -> None:
    check(data)


@pytest.mark.parametrize("format", FORMATS)
def test_every_prefix_of_a_file_is_read_within_bounds(format: str) -> None:
    for data in REAL[format]:
        for length in range(600):
            check(data[:length])


@pytest.mark.parametrize("format", FORMATS)
def test_duration_of_real_files(format: str) -> None:
    assert seconds(SYNTHESIZED[format], format) == pytest.approx(SPEECH.length, abs=0.05)
    assert seconds(memoryview(ENCODED[format]), format) == pytest.approx(0.2, abs=0.13)


# --- files that are made to be slow --------------------------------------------------------------


def chunk(name: bytes, content: bytes) -> bytes:
    return name + pack("<I", len(content)) + content


def flac_with_comments(count: int) -> bytes:
    comments = pack("<II", 0, count) + (pack("<I", 3) + b"a=b") * count
    return FLAC[:42] + b"\x04" + len(comments).to_bytes(3, "big") + comments + FLAC[42:]


def wav_with_information(count: int) -> bytes:
    return WAV[:36] + chunk(b"LIST", b"INFO" + chunk(b"IART", b"ab") * count) + WAV[36:]


def mp3_with_tags(count: int) -> bytes:
    frames = (b"TXXX" + pack(">IH", 8, 0) + b"\0a\0bcdef") * count
    size = bytes(len(frames) >> shift & 0x7F for shift in (21, 14, 7, 0))
    return b"ID3\x03\0\0" + size + frames + MP3


def mp3_then_ones() -> bytes:
    return b"ID3\x03\0\0\0\0\0\0" + MP3[:200] + b"\xff" * 20_000_000


def mp3_of_an_hour() -> bytes:
    return MP3 * (30_000_000 // len(MP3))


def wav_of_empty_chunks() -> bytes:
    return WAV[:36] + b"JUNK\0\0\0\0" * 7_500_000 + WAV[36:]


def flac_of_empty_blocks() -> bytes:
    return FLAC[:42] + b"\x04\0\0\0" * 15_000_000


M4A_START = b"\0\0\0\x10ftypM4A \0\0\0\0"


def m4a_of_empty_boxes() -> bytes:
    return M4A_START + b"\0\0\0\x08free" * 7_500_000


def m4a_of_empty_tracks() -> bytes:
    return M4A_START + pack(">I4s", 60_000_008, b"moov") + b"\0\0\0\x08trak" * 7_500_000


def ogg_of_empty_pages() -> bytes:
    page = b"OggS\0\0" + b"\xff" * 8 + bytes(13)
    return SYNTHESIZED["ogg"] + page * (60_000_000 // len(page))


@pytest.mark.parametrize(
    ("make", "duration"),
    [
        (lambda: flac_with_comments(40_000), SPEECH.length),
        (lambda: flac_with_comments(1_700_000), SPEECH.length),
        (lambda: wav_with_information(40_000), SPEECH.length),
        (lambda: mp3_with_tags(40_000), SPEECH.length),
        (mp3_then_ones, 0.024),
        (mp3_of_an_hour, 30_000_000 / 8000),
        (wav_of_empty_chunks, None),
        (flac_of_empty_blocks, SPEECH.length),
        (m4a_of_empty_boxes, None),
        (m4a_of_empty_tracks, None),
        (ogg_of_empty_pages, None),
    ],
)
def test_hostile_file_takes_bounded_work(make: Callable[[], bytes], duration: float | None) -> None:
    data = make()
    check(data)
    started = time.process_time()
    upload = Upload("file", "a", "", memoryview(data))
    found = upload.seconds
    assert time.process_time() - started < 2
    assert found == (None if duration is None else pytest.approx(duration, rel=0.01, abs=0.05))


def test_upload_is_measured_and_hashed_once() -> None:
    content = bytearray(WAV)
    upload = Upload("file", "a.wav", "", memoryview(content))
    first = upload.described()
    content[:] = bytes(len(content))  # what is read again would differ
    assert upload.described() == first

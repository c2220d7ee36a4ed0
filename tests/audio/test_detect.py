"""Detecting audio formats, problems and durations from bytes."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mockvoice.audio.detect import FORMATS, seconds, sniff

from ..conftest import CODECS, encoded


@pytest.mark.parametrize("format", FORMATS)
def test_sniff_detects_real_files(samples: dict[str, bytes], format: str) -> None:
    info = sniff(samples[format])
    assert (info.format, info.problem) == (format, "")


def test_ogg_vorbis_is_accepted() -> None:
    assert sniff(encoded("ogg", codec="vorbis")).problem == ""


@pytest.mark.parametrize("format", FORMATS)
def test_sniff_accepts_memoryview(samples: dict[str, bytes], format: str) -> None:
    assert sniff(memoryview(samples[format])) == sniff(samples[format])


@pytest.mark.parametrize("format", FORMATS)
def test_seconds_of_real_files(samples: dict[str, bytes], format: str) -> None:
    assert seconds(samples[format], format) == pytest.approx(1.0, abs=0.15)


def test_seconds_of_pcm_at_24_khz() -> None:
    assert seconds(bytes(48_000), "pcm") == 1.0


@pytest.mark.parametrize("format", ["text", "unknown", "png", "wav"])
def test_seconds_of_other_files_is_none(format: str) -> None:
    assert seconds(b"Example data", format) is None


@pytest.mark.parametrize("format", FORMATS)
def test_file_cut_off_inside_its_header_has_a_problem(
    samples: dict[str, bytes], format: str
) -> None:
    info = sniff(samples[format][:30])
    assert info.format == format
    assert info.problem


@pytest.mark.parametrize("format", ["wav", "m4a"])
def test_file_shorter_than_its_header_announces_has_a_problem(
    samples: dict[str, bytes], format: str
) -> None:
    assert "cut off" in sniff(samples[format][:-500]).problem


@pytest.mark.parametrize(
    ("data", "format"),
    [
        (b"", "empty"),
        (b"Example data", "text"),
        ("مرحبا بك في فصيح".encode(), "text"),
        ("café".encode()[:-1], "text"),
        (b"\x89PNG\r\n\x1a\n....", "png"),
        (b"%PDF-1.7", "pdf"),
        (b"\x1a\x45\xdf\xa3webm", "webm"),
        (b"\xff\xf1\x50\x80", "aac"),
        (bytes(100), "unknown"),
        (b"RIFF\0\0\0\0AVI LIST", "unknown"),
        (b"\xff\xff\xff\xff", "unknown"),
    ],
)
def test_other_files_are_named(data: bytes, format: str) -> None:
    assert sniff(data).format == format


@pytest.mark.parametrize(
    ("data", "problem"),
    [
        (b"RIFF$   WAVEfmt ", "ends inside its header"),  # as several vendor docs send it
        (b"ID3xx", "ends inside its ID3 tag"),
        (b"ID3\x04\0\0\0\0\0\0", "no sound after its ID3 tag"),
        (b"fLaC\x81\0\0\x22" + bytes(34), "stream information"),
        (b"fLaC\x80\0\0\x22" + bytes(34), "no sound"),
        (b"fLaC\x80\0\0\x22" + bytes(40), "no frame of sound"),
        (b"OggS" + bytes(22) + b"\x01\x08theora__", "no Vorbis"),
        (b"\0\0\0\x10ftypM4A \0\0\0\0", "lacks its index"),
    ],
)
def test_problem_says_what_is_missing(data: bytes, problem: str) -> None:
    assert problem in sniff(data).problem


def test_streamed_wav_without_size_is_valid(samples: dict[str, bytes]) -> None:
    wav = samples["wav"]
    at = wav.index(b"data") + 4
    for size in (b"\0\0\0\0", b"\xff\xff\xff\xff"):
        assert sniff(wav[:at] + size + wav[at + 4 :]).problem == ""


def test_wav_without_sound_or_channels_has_a_problem(samples: dict[str, bytes]) -> None:
    wav = samples["wav"]
    at = wav.index(b"data") + 8
    assert "no sound" in sniff(wav[:at]).problem
    assert "no channels" in sniff(wav[:22] + b"\0\0" + wav[24:]).problem


def test_mp4_without_sound_track_has_a_problem(samples: dict[str, bytes]) -> None:
    assert "no sound track" in sniff(samples["m4a"].replace(b"soun", b"vide")).problem


def test_mp3_with_trailing_tag_is_valid(samples: dict[str, bytes]) -> None:
    mp3 = samples["mp3"]
    bare = mp3[mp3.index(b"\xff\xf3") :]
    assert sniff(bare).problem == ""
    assert sniff(bare + b"TAG" + bytes(125)).problem == ""


@given(st.binary(max_size=200))
def test_sniff_accepts_any_bytes(data: bytes) -> None:
    assert sniff(data).format


@given(st.sampled_from([*CODECS]), st.data())
def test_sniff_accepts_any_prefix(format: str, data: st.DataObject) -> None:
    whole = _SOUND[format]
    cut = data.draw(st.integers(0, len(whole)))
    assert sniff(whole[:cut]).format in (format, "empty", "text", "unknown")


@given(st.sampled_from([*CODECS]), st.integers(0, 300), st.integers(0, 255))
def test_sniff_accepts_any_changed_byte(format: str, at: int, byte: int) -> None:
    changed = bytearray(_SOUND[format])
    changed[at] = byte
    info = sniff(bytes(changed))
    assert info.format
    seconds(bytes(changed), info.format)


_SOUND = {format: encoded(format, 0.2) for format in CODECS}

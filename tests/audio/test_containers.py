"""Lossless files decode to their samples, with decoders of other projects."""

from __future__ import annotations

import io
import re
import tracemalloc
from array import array
from hashlib import md5
from random import Random

import av
import httpx
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from mockvoice.audio.containers import FILES
from mockvoice.audio.detect import FORMATS, seconds, sniff
from mockvoice.http.server import Server

from ..providers.test_telnyx import upload
from .test_synth import decoded

LOSSLESS = ["flac", "ogg", "m4a"]


def sample(http: httpx.Client, format: str, **parameters: str | float) -> bytes:
    response = http.get(f"/__mockvoice/samples/{format}", params=parameters)
    assert response.status_code == 200
    return response.content


@pytest.mark.parametrize("format", LOSSLESS)
@pytest.mark.parametrize("length", [0.1, 2, 30])
def test_lossless_sample_decodes_to_the_wav(http: httpx.Client, format: str, length: float) -> None:
    data = sample(http, format, seconds=length)
    assert decoded(data) == decoded(sample(http, "wav", seconds=length))
    assert seconds(data, format) == length


@pytest.mark.parametrize("format", LOSSLESS)
def test_frames_have_consecutive_timestamps(http: httpx.Client, format: str) -> None:
    with av.open(io.BytesIO(sample(http, format, seconds=30)), "r") as container:
        (stream,) = container.streams
        assert stream.duration == 720_000
        packets = [packet for packet in container.demux(stream) if packet.size]
        starts = [packet.pts for packet in packets]
        assert starts == [*range(0, 720_000, 4096)]
        assert sum(packet.duration or 0 for packet in packets) == 720_000


def test_ogg_pages_are_numbered_and_flagged(
    http: httpx.Client,
) -> None:
    data = sample(http, "ogg", seconds=30)
    pages = [data[match.start() :] for match in re.finditer(rb"OggS\0", data)]
    flags = [page[5] for page in pages]
    assert flags == [2] + [0] * (len(pages) - 2) + [4]
    assert [int.from_bytes(page[18:22], "little") for page in pages] == [*range(len(pages))]
    assert data[28:37] == b"\x7fFLAC\1\0\0\1"  # one more packet of metadata


def test_m4a_duration_is_the_same_in_all_headers(http: httpx.Client) -> None:
    data = sample(http, "m4a", seconds=30)
    for box, at in ((b"mvhd", 20), (b"tkhd", 24), (b"mdhd", 20)):
        start = data.index(box) + at
        assert int.from_bytes(data[start : start + 4], "big") == 720_000, box


@pytest.mark.parametrize("format", FORMATS)
def test_sample_is_repeatable_and_differs_by_voice(http: httpx.Client, format: str) -> None:
    assert sample(http, format) == sample(http, format, voice="mockvoice")
    assert sample(http, format) != sample(http, format, voice="narrator")


@pytest.mark.parametrize("format", FORMATS)
def test_sample_is_accepted_and_recorded_in_the_journal(http: httpx.Client, format: str) -> None:
    response = upload(http, sample(http, format, seconds=6))
    assert response.status_code == 201
    entry = http.get(f"/__mockvoice/requests/{response.headers['x-mockvoice-request']}").json()
    (file,) = entry["files"]
    assert file["format"] == format
    assert file["seconds"] == pytest.approx(6, abs=0.05 if format == "mp3" else 0)  # whole frames


@given(
    st.sampled_from(LOSSLESS),
    st.integers(2, 10_000),
    st.sampled_from([8000, 22050, 24000, 48000, 65535]),
    st.integers(0),
)
@example("flac", 1, 24000, 0)
@example("ogg", 1, 24000, 0)  # no m4a of one sample: FFmpeg takes its length, 1, for that of PCM
@example("flac", 8192, 24000, 0)
@example("ogg", 8192, 24000, 0)
@example("m4a", 8192, 24000, 0)
def test_samples_of_any_length_round_trip(format: str, length: int, rate: int, seed: int) -> None:
    samples = array("h", Random(seed).randbytes(2 * length))
    _, make = FILES[format]
    data = b"".join(make(samples.tobytes(), rate))
    assert decoded(data) == (rate, samples)
    assert sniff(data) == (format, "")
    assert seconds(data, format) == pytest.approx(length / rate)


@pytest.mark.parametrize("format", ["flac", "ogg", "m4a"])
def test_long_file_is_made_in_small_pieces(format: str) -> None:
    """Other requests are handled after each piece; a file of a minute blocked them for 0.4 s."""
    _, make = FILES[format]
    pieces = [*make(bytes(2 * 60 * 24_000), 24_000)]
    assert max(map(len, pieces)) < 20_000
    assert len(pieces) > 60 * 24_000 / 4096


@pytest.mark.parametrize(
    ("format", "copies"), [("wav", 1), ("mp3", 1)] + [(f, 2) for f in LOSSLESS]
)
def test_memory_for_a_sample_is_bounded(server: Server, format: str, copies: int) -> None:
    """Five minutes took 58 MB: samples, swapped samples, frames, and the file twice."""
    url = f"{server.url}/__mockvoice/samples/{format}?seconds=60"
    httpx.get(url)  # fills the caches
    tracemalloc.start()
    with httpx.stream("GET", url) as response:
        size = sum(map(len, response.iter_raw()))
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < (copies + 0.5) * size + 500_000


@pytest.mark.parametrize("format", ["flac", "ogg"])
def test_decoder_detects_damaged_frames(http: httpx.Client, format: str) -> None:
    """So the checksums of what is not damaged are right."""
    whole = sample(http, format)
    damaged = bytearray(whole)
    damaged[len(whole) // 2] ^= 1
    assert len(decoded(bytes(damaged))[1]) < len(decoded(whole)[1])


def test_flac_contains_md5_of_its_samples(http: httpx.Client) -> None:
    information = sample(http, "flac")[8:42]
    assert information[18:] == md5(sample(http, "wav")[44:]).digest()

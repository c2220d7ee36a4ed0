"""Synthesized audio decodes with decoders of other projects."""

from __future__ import annotations

import io
import tracemalloc
from array import array
from collections.abc import Callable
from itertools import pairwise

import av
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mockvoice.audio.detect import sniff
from mockvoice.audio.synth import (
    Utterance,
    mp3,
    mp3_pieces,
    mp3_rate,
    pcm_pieces,
    wav,
    wav_header,
    wav_pieces,
)

MP3_RATES = [8000, 11025, 12000, 16000, 22050, 24000, 32000, 44100, 48000]
HELLO = Utterance("Hello, welcome to our service.", "narrator")


def decoded(data: bytes) -> tuple[int, array[int]]:
    """Return the sample rate and the samples that FFmpeg decodes."""
    samples = array("h")
    with av.open(io.BytesIO(data), "r") as container:
        stream = container.streams.audio[0]
        stream.codec_context.options = {"err_detect": "crccheck+explode"}  # wrong checksums count
        resampler = av.AudioResampler("s16", "mono", stream.rate)
        for frame in container.decode(audio=0):
            for piece in resampler.resample(frame):
                samples.frombytes(bytes(piece.planes[0])[: 2 * piece.samples])
        return stream.rate, samples


@pytest.mark.parametrize("rate", [8000, 16000, 22050, 24000, 44100, 48000])
def test_wav_duration_at_every_rate(rate: int) -> None:
    data = wav(HELLO, rate)
    info, samples = decoded(data)
    assert info == rate
    assert len(samples) / rate == pytest.approx(HELLO.length, abs=0.001)
    assert max(samples) > 4000
    assert sniff(data).problem == ""
    assert data.startswith(wav_header(len(data) - 44, rate))


@pytest.mark.parametrize("rate", MP3_RATES)
def test_mp3_duration_at_every_rate(rate: int) -> None:
    data = mp3(HELLO, rate)
    info, samples = decoded(data)
    assert info == rate
    assert len(samples) / rate == pytest.approx(HELLO.length, abs=0.08)  # whole frames
    assert max(samples) > 2000
    assert sniff(data).problem == ""


@pytest.mark.parametrize("rate", [16000, 24000, 48000])
def test_mp3_has_the_pitch_of_wav(rate: int) -> None:
    tone = Utterance("aaaaaaaaaaaaaaaa", "narrator")
    pitches = []
    for data in (wav(tone, rate), mp3(tone, rate)):
        _, samples = decoded(data)
        middle = samples[len(samples) // 4 : -len(samples) // 4]
        rising = sum(1 for a, b in pairwise(middle) if a < 0 <= b)
        pitches.append(rising * rate / len(middle))
    assert pitches[0] == pytest.approx(next(tone.tones()).pitch, rel=0.05)
    assert pitches[1] == pytest.approx(pitches[0], rel=0.2, abs=rate / 1152)


def test_pieces_add_up_to_the_file() -> None:
    assert b"".join(wav_pieces(HELLO, 24000)) == wav(HELLO, 24000)
    assert wav(HELLO, 24000)[44:] == b"".join(pcm_pieces(HELLO, 24000))
    assert len([*pcm_pieces(HELLO, 24000)]) == len(HELLO.text)
    assert b"".join(mp3_pieces(HELLO, 24000)) == mp3(HELLO, 24000)


@pytest.mark.parametrize(
    ("characters", "rate", "speed"), [(251, 11025, 1.0), (93, 11025, 1.0), (205, 22050, 0.7)]
)
def test_wav_header_counts_the_samples_that_follow(
    characters: int, rate: int, speed: float
) -> None:
    """Lengths that end between two samples; the tones had one more or one less together."""
    data = wav(Utterance("x" * characters, "narrator", speed), rate)
    assert data[:44] == wav_header(len(data) - 44, rate)


@pytest.mark.parametrize("make", [wav, mp3])
def test_long_file_is_made_without_a_copy(make: Callable[[Utterance, int], bytes]) -> None:
    """Pieces that are joined at the end occupy the memory of the file a second time."""
    utterance = Utterance("hello " * 500, "narrator")
    make(utterance, 24_000)  # fills the caches
    tracemalloc.start()
    data = make(utterance, 24_000)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 1.6 * len(data)


def test_mp3_files_can_be_concatenated() -> None:
    """As the SDK of Supertone does with long texts."""
    one, two = mp3(HELLO, 24000), mp3(Utterance("Good bye", "narrator"), 24000)
    lengths = [len(decoded(data)[1]) for data in (one, two, one + two)]
    assert lengths[2] == pytest.approx(lengths[0] + lengths[1], abs=1200)


@given(
    st.text(st.characters(exclude_categories=["Cs"]), max_size=60),
    st.sampled_from("abc"),
    st.floats(0.5, 2),
    st.floats(-24, 24),
    st.floats(0, 3),
)
def test_audio_has_the_length_of_its_utterance(
    text: str, voice: str, speed: float, shift: float, seconds: float
) -> None:
    utterance = Utterance(text, voice, speed, shift, seconds)
    file = wav(utterance, 24000)
    assert file == wav(utterance, 24000)
    assert (len(file) - 44) / 2 / 24000 == pytest.approx(utterance.length, abs=0.001)
    assert sniff(file).problem == ""
    assert sniff(mp3(utterance, 24000)).problem == ""


def test_voices_texts_and_settings_sound_different() -> None:
    utterances = [
        Utterance("Hello there", "a"),
        Utterance("Hello there", "b"),
        Utterance("Hello friend", "a"),
        Utterance("Hello there", "a", speed=1.2),
        Utterance("Hello there", "a", shift=5),
        Utterance("Hello there", "a", seconds=2),
    ]
    assert len({wav(utterance, 24000) for utterance in utterances}) == len(utterances)
    assert len({mp3(utterance, 24000) for utterance in utterances}) == len(utterances)


def test_length_depends_on_text_and_speed() -> None:
    long, short = Utterance("word " * 40, "a"), Utterance("word " * 20, "a")
    assert long.length == pytest.approx(2 * short.length, rel=0.05)
    assert Utterance(long.text, "a", speed=2).length == pytest.approx(long.length / 2, rel=0.05)
    assert Utterance(long.text, "a", seconds=3).length == 3


def test_length_is_bounded() -> None:
    assert Utterance("x" * 10**6, "a").length == 300
    assert len([*Utterance("x" * 10**6, "a").tones()]) == 5000


@pytest.mark.parametrize(
    ("requested", "rate"), [(24000, 24000), (23000, 22050), (96000, 48000), (1, 8000)]
)
def test_mp3_rate_is_the_closest_supported_rate(requested: int, rate: int) -> None:
    assert mp3_rate(requested) == rate


def test_utterance_is_limited_to_300_seconds_and_made_in_small_pieces() -> None:
    for utterance in (
        Utterance("x" * 9000, "v", speed=0.5),
        Utterance("x" * 9000, "v", speed=1e-320),
        Utterance("x" * 9000, "v", seconds=1e9),
    ):
        assert utterance.length == 300
        assert max(map(len, mp3_pieces(utterance, 48_000))) < 16_000
        assert max(map(len, pcm_pieces(utterance, 48_000))) < 16_000

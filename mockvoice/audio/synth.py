"""Synthesize repeatable audio for a text: one tone per character, different for every voice.

The pitch of a tone depends on the voice and the character, a space is silence, and the duration
follows the text. So a test can tell voices and texts apart, and check durations.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from functools import lru_cache
from hashlib import blake2b
from io import BytesIO
from math import pi, sin
from struct import pack
from typing import NamedTuple

CHARACTER_SECONDS = 0.06  # about 1000 characters per minute, the rate of speech
MIN_SECONDS = 0.24
SHORTEST = 0.06  # seconds, whatever was requested
MAX_CHARACTERS = 5000  # five minutes; the rest of a text is not synthesized
MAX_SECONDS = 300.0  # of an utterance, whatever speed or length was requested
LOUDNESS = 8000  # of 32767


class Tone(NamedTuple):
    """One tone of an utterance. `pitch` is in Hz, 0 for silence; the times are in seconds."""

    symbol: str
    pitch: float
    start: float
    seconds: float


class Utterance(NamedTuple):
    """A text spoken by a voice. The same voice, text and settings always give the same audio.

    `speed` divides the duration and `shift` moves the pitch by semitones. `seconds`, unless 0, is
    the duration, whatever the text and the speed.
    """

    text: str
    voice: str
    speed: float = 1.0
    shift: float = 0.0
    seconds: float = 0.0

    @property
    def length(self) -> float:
        """The duration in seconds."""
        natural = max(len(self._spoken) * CHARACTER_SECONDS, MIN_SECONDS) / self.speed
        return round(min(max(self.seconds or natural, SHORTEST), MAX_SECONDS), 3)

    @property
    def _spoken(self) -> str:
        return self.text[:MAX_CHARACTERS] or " "

    def tones(self) -> Iterator[Tone]:
        """Yield the tones in order; their durations add up to `length`."""
        duration = self.length / len(self._spoken)
        for number, character in enumerate(self._spoken):
            pitch = 0.0 if character.isspace() else _pitch(self.voice, character)
            yield Tone(character, pitch * 2 ** (self.shift / 12), number * duration, duration)


@lru_cache(maxsize=4096)
def _pitch(voice: str, character: str) -> float:
    """Return a pitch from 90 to 450 Hz: the voice sets the range, the character the pitch in it."""
    low = 90 + _fraction(voice) * 180
    return low * (1 + 0.66 * _fraction(voice + character))


def _fraction(text: str) -> float:
    digest = blake2b(text.encode("utf-8", "surrogatepass"), digest_size=4).digest()
    return int.from_bytes(digest, "big") / 2**32


def grouped(pieces: Iterable[bytes], size: int) -> Iterator[bytes]:
    """Yield audio in larger pieces: at least `size` bytes each, except for the last one."""
    waiting = b""
    for piece in pieces:
        waiting += piece
        if len(waiting) >= size:
            yield waiting
            waiting = b""
    if waiting:
        yield waiting


def _joined(pieces: Iterable[bytes]) -> bytes:
    """Return all pieces in one, without keeping them until the last one is made."""
    joined = BytesIO()
    joined.writelines(pieces)
    return joined.getvalue()


# --- PCM and WAV ---------------------------------------------------------------------------------


def pcm_pieces(utterance: Utterance, rate: int) -> Iterator[bytes]:
    """Yield 16-bit little-endian mono samples without a header, tone by tone."""
    pitches = [round(tone.pitch) for tone in utterance.tones()]
    samples, done = _samples(utterance, rate), 0
    for number, pitch in enumerate(pitches, start=1):
        end = round(samples * number / len(pitches))
        yield _wave(pitch, end - done, rate)
        done = end


def _samples(utterance: Utterance, rate: int) -> int:
    return round(utterance.length * rate)


def _wave(pitch: int, samples: int, rate: int) -> bytes:
    if not pitch:
        return bytes(2 * samples)
    period = _period(rate // pitch)
    return (period * (2 * samples // len(period) + 1))[: 2 * samples]


@lru_cache(maxsize=1024)
def _period(samples: int) -> bytes:
    """Return one period of a tone with an overtone."""
    turn = 2 * pi / samples
    return b"".join(
        pack("<h", int(LOUDNESS * (sin(turn * i) + 0.5 * sin(2 * turn * i))))
        for i in range(samples)
    )


def wav_header(data_bytes: int, rate: int) -> bytes:
    """Return the 44 bytes of a WAV file before 16-bit mono samples."""
    return (
        b"RIFF"
        + pack("<I", 36 + data_bytes)
        + b"WAVEfmt "
        + pack("<IHHIIHH", 16, 1, 1, rate, 2 * rate, 2, 16)
        + b"data"
        + pack("<I", data_bytes)
    )


def wav(utterance: Utterance, rate: int) -> bytes:
    """Return a WAV file with 16-bit mono samples."""
    return _joined(wav_pieces(utterance, rate))


def wav_pieces(utterance: Utterance, rate: int) -> Iterator[bytes]:
    """Yield the file of `wav`: its header, then tone by tone."""
    yield wav_header(2 * _samples(utterance, rate), rate)
    yield from pcm_pieces(utterance, rate)


# --- MP3 -----------------------------------------------------------------------------------------
#
# A frame of layer III holds 576 (MPEG 2 and 2.5) or twice 576 (MPEG 1) spectral lines. A tone is
# one line that is not zero, so frames are written without analyzing a wave: ISO/IEC 11172-3,
# 2.4.1.7 and Annex B, table B.7 (Huffman code 1).

_LINES = 576
_PIECE_FRAMES = 40  # a frame alone is too little to be sent by itself
_KBITS = 64
# Sample rate: the codes of version and rate in a frame header.
_MP3_RATES = {
    44100: (3, 0),
    48000: (3, 1),
    32000: (3, 2),
    22050: (2, 0),
    24000: (2, 1),
    16000: (2, 2),
    11025: (0, 0),
    12000: (0, 1),
    8000: (0, 2),
}
_KBITS_INDEX = {3: 5, 2: 8, 0: 8}  # 64 kbit/s in the tables of MPEG 1 and of MPEG 2
_GAIN = 198  # 2 ** ((198 - 210) / 4) of full scale


def mp3(utterance: Utterance, rate: int) -> bytes:
    """Return an MP3 file with a constant bit rate."""
    return _joined(mp3_pieces(utterance, rate))


def mp3_pieces(utterance: Utterance, rate: int) -> Iterator[bytes]:
    """Yield the file of `mp3` in pieces of about a second. The rate must come from `mp3_rate`."""
    version, _ = _MP3_RATES[rate]
    lines = _LINES * (2 if version == 3 else 1)
    pitches = [tone.pitch for tone in utterance.tones()]
    frames = max(round(utterance.length * rate / lines), 1)
    for start in range(0, frames, _PIECE_FRAMES):
        yield b"".join(
            _mp3_frame(rate, round(pitches[frame * len(pitches) // frames] * 2 * _LINES / rate))
            for frame in range(start, min(start + _PIECE_FRAMES, frames))
        )


def mp3_rate(rate: int) -> int:
    """Return the MP3 sample rate closest to a rate."""
    return min(_MP3_RATES, key=lambda supported: abs(supported - rate))


@lru_cache(maxsize=1024)
def _mp3_frame(rate: int, line: int) -> bytes:
    """Return a frame with one spectral line; line 0 is silence."""
    version, rate_index = _MP3_RATES[rate]
    mpeg1 = version == 3
    length = (144_000 if mpeg1 else 72_000) * _KBITS // rate
    bits = _Bits()
    bits.add(0x7FF, 11).add(version, 2).add(1, 2).add(1, 1)  # sync, version, layer III, no CRC
    bits.add(_KBITS_INDEX[version], 4).add(rate_index, 2).add(0, 2)
    bits.add(0b11, 2).add(0, 6)  # mono
    bits.add(0, 9 if mpeg1 else 8).add(0, 5 if mpeg1 else 1)  # no reservoir; private bits
    if mpeg1:
        bits.add(0, 4)
    pairs = line // 2 + 1 if line else 0
    sound = _Bits()
    if line:
        for _ in range(pairs - 1):
            sound.add(1, 1)  # a pair of zeros
        sound.add(1, 3 if line % 2 else 2).add(0, 1)  # a pair of zero and one; a plus
    granules = 2 if mpeg1 else 1
    for _ in range(granules):
        bits.add(sound.count, 12).add(pairs, 9).add(_GAIN, 8).add(0, 4 if mpeg1 else 9)
        bits.add(0, 1).add(0b00001_00001_00001, 15).add(7, 4).add(7, 3)  # long blocks, code 1
        bits.add(0, 3 if mpeg1 else 2)
    for _ in range(granules):
        bits.add(sound.value, sound.count)
    return bits.padded(length)


class _Bits:
    """A bit string under construction."""

    def __init__(self) -> None:
        self.value = 0
        self.count = 0

    def add(self, value: int, count: int) -> _Bits:
        self.value = self.value << count | value
        self.count += count
        return self

    def padded(self, length: int) -> bytes:
        return (self.value << (8 * length - self.count)).to_bytes(length, "big")

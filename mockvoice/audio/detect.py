"""Detect the format of a file from its bytes, and how long it plays.

The media type and the filename are ignored: clients send `application/octet-stream`, no type, or
`filename="upload"` for valid audio.

Work is bounded whatever a file contains: readers skip tags without parsing them, look at no more
than MAX_ELEMENTS chunks, blocks, pages, boxes or frames, and never copy the file.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from struct import Struct
from typing import NamedTuple

FORMATS = ("wav", "mp3", "flac", "ogg", "m4a")
PCM_RATE = 24_000  # Hz, of 16-bit mono samples without a header: the previews of Faseeh
MAX_ELEMENTS = 2048
Bytes = bytes | memoryview
TEXT = "text"
UNKNOWN = "unknown"
EMPTY = "empty"


class AudioInfo(NamedTuple):
    """A format name, and the problem that makes a file of this format unusable, if any."""

    format: str
    problem: str = ""


def sniff(data: Bytes) -> AudioInfo:
    """Return the format of a file and check that its header is readable and its sound present.

    The formats are wav, mp3, flac, ogg and m4a. Others are named if their first bytes identify
    them (`webm`, `png`), or are `text`, `empty` or `unknown`.
    """
    if not data:
        return AudioInfo(EMPTY, "the file is empty")
    head = bytes(data[:12])
    for magic, offset, read in _READERS:
        if head.startswith(magic, offset):
            return read(data)
    for magic, name in _OTHERS:
        if head.startswith(magic):
            return AudioInfo(name)
    if head[0] == 0xFF and head[1:2] >= b"\xe0":
        return _mp3(data)
    return AudioInfo(TEXT if _is_text(bytes(data[:512])) else UNKNOWN)


def seconds(data: Bytes, format: str) -> float | None:
    """Return the duration of a file of a known format, or None if it cannot be determined."""
    measure = _DURATIONS.get(format)
    return measure(data) if measure else None


def _is_text(start: bytes) -> bool:
    try:
        text = start.decode()
    except UnicodeDecodeError as error:
        if error.start < len(start) - 3:  # more than a truncated last character
            return False
        text = start[: error.start].decode()
    return all(c.isprintable() or c.isspace() for c in text)


def _big(data: Bytes, at: int, size: int) -> int:
    return int.from_bytes(data[at : at + size], "big")


def _little(data: Bytes, at: int, size: int) -> int:
    return int.from_bytes(data[at : at + size], "little")


# --- WAV -----------------------------------------------------------------------------------------


_CHUNK = Struct("<4sI")  # name and size
_FORMAT = Struct("<2xHII")  # channels, rate, bytes per second


class _Wav(NamedTuple):
    """The fields of a WAV header. `announced` and `received` are the bytes of sound."""

    channels: int
    rate: int
    bytes_per_second: int
    announced: int
    received: int

    @property
    def streamed(self) -> bool:
        """True if the writer did not know the size."""
        return self.announced == 0 or self.announced >= 0x7FFF_FFFF


def _wav_header(data: Bytes) -> _Wav | str:
    """Return the header of a WAV file, or the problem with it."""
    format = (0, 0, 0)
    at = 12
    for _ in range(MAX_ELEMENTS):
        if at + 8 > len(data):
            return "the WAV file ends inside its header"
        name, size = _CHUNK.unpack_from(data, at)
        at += 8
        if name == b"data":
            return _Wav(*format, size, len(data) - at)
        if name == b"fmt ":
            if at + 16 > len(data):
                return "the WAV file ends inside its header"
            format = _FORMAT.unpack_from(data, at)
        at += size + size % 2
    return f"the WAV file has more than {MAX_ELEMENTS} chunks before its sound"


def _wav(data: Bytes) -> AudioInfo:
    if data[8:12] != b"WAVE":
        return AudioInfo(UNKNOWN)
    header = _wav_header(data)
    return AudioInfo("wav", header if isinstance(header, str) else _wav_problem(header))


def _wav_problem(header: _Wav) -> str:
    if not header.channels or not header.rate:
        return "the WAV header has no channels or no sample rate"
    if not header.received:
        return "the WAV file contains no sound"
    if header.announced > header.received and not header.streamed:
        return (
            f"the WAV file is cut off: its header announces {header.announced} bytes of sound,"
            f" {header.received} were received"
        )
    return ""


def _wav_seconds(data: Bytes) -> float | None:
    header = _wav_header(data)
    if isinstance(header, str) or not header.bytes_per_second:
        return None
    size = header.received if header.streamed else min(header.announced, header.received)
    return size / header.bytes_per_second


# --- MP3 -----------------------------------------------------------------------------------------

_MP3_RATES = {3: (44100, 48000, 32000), 2: (22050, 24000, 16000), 0: (11025, 12000, 8000)}
_MP3_KBITS_1 = (0, 32, 40, 48, 56, 64, 80, 96, 112, 128, 160, 192, 224, 256, 320)
_MP3_KBITS_2 = (0, 8, 16, 24, 32, 40, 48, 56, 64, 80, 96, 112, 128, 144, 160)


class _Frame(NamedTuple):
    """An MPEG layer III frame: its length in bytes, and the samples that it decodes to."""

    length: int
    samples: int
    rate: int
    side_information: int  # bytes


def _mp3_frame(data: Bytes, at: int) -> _Frame | None:
    if at + 4 > len(data) or data[at] != 0xFF or data[at + 1] & 0xE0 != 0xE0:
        return None
    version, layer = data[at + 1] >> 3 & 3, data[at + 1] >> 1 & 3
    kbits, rate_index, padding = data[at + 2] >> 4, data[at + 2] >> 2 & 3, data[at + 2] >> 1 & 1
    if version == 1 or layer != 1 or kbits in (0, 15) or rate_index == 3:
        return None
    rate = _MP3_RATES[version][rate_index]
    mono = data[at + 3] >> 6 == 3
    if version == 3:
        return _Frame(
            144_000 * _MP3_KBITS_1[kbits] // rate + padding, 1152, rate, 17 if mono else 32
        )
    return _Frame(72_000 * _MP3_KBITS_2[kbits] // rate + padding, 576, rate, 9 if mono else 17)


def _mp3_start(data: Bytes) -> int:
    """Return the position of the first frame: after the ID3 tag, if any, and its padding."""
    if data[:3] != b"ID3":
        return 0
    size = bytes(data[6:10])
    at = 10 + sum(byte << shift for byte, shift in zip(size, (21, 14, 7, 0), strict=False))
    padding = bytes(data[at : at + 4096])
    return at + len(padding) - len(padding.lstrip(b"\0"))


def _mp3(data: Bytes) -> AudioInfo:
    tagged = data[:3] == b"ID3"
    if tagged and len(data) < 10:
        return AudioInfo("mp3", "the MP3 file ends inside its ID3 tag")
    at = _mp3_start(data)
    frame = _mp3_frame(data, at)
    if not frame:
        if tagged:
            return AudioInfo("mp3", "the MP3 file contains no sound after its ID3 tag")
        return AudioInfo(UNKNOWN)
    end = at + frame.length
    if end > len(data):
        return AudioInfo("mp3", "the MP3 file is cut off inside its first frame")
    if end < len(data) - 4 and not _mp3_frame(data, end):
        if bytes(data[end : end + 6]).startswith((b"TAG", b"APETAG")):
            return AudioInfo("mp3")
        return AudioInfo("mp3", "the first frame of the MP3 file is not followed by another")
    return AudioInfo("mp3")


def _mp3_seconds(data: Bytes) -> float | None:
    """Use the frame count that an encoder stores, else measure the first frames and extrapolate."""
    start = _mp3_start(data)
    first = _mp3_frame(data, start)
    if not first:
        return None
    info = start + 4 + first.side_information
    count = 0
    if data[info : info + 4] in (b"Xing", b"Info"):
        count = _big(data, info + 8, 4) if _big(data, info + 4, 4) & 1 else 0
    elif data[start + 36 : start + 40] == b"VBRI":
        count = _big(data, start + 50, 4)
    if count:
        return count * first.samples / first.rate
    end = len(data) - 128 * (data[-128:-125] == b"TAG")
    at, frames, frame = start, 0, first
    while frames < MAX_ELEMENTS:
        at, frames = at + frame.length, frames + 1
        following = _mp3_frame(data, at)
        if not following:
            return frames * first.samples / first.rate
        frame = following
    return frames * first.samples / first.rate * (end - start) / (at - start)


# --- FLAC (RFC 9639) -----------------------------------------------------------------------------


def _flac(data: Bytes) -> AudioInfo:
    at, last = 4, False
    for _ in range(MAX_ELEMENTS):
        if at + 4 > len(data):
            return AudioInfo("flac", "the FLAC file ends inside its header")
        last, kind, size = bool(data[at] & 0x80), data[at] & 0x7F, _big(data, at + 1, 3)
        if at == 4 and (kind, size) != (0, 34):
            return AudioInfo("flac", "the FLAC file does not begin with its stream information")
        at += 4 + size
        if last:
            break
    else:
        return AudioInfo("flac", f"the FLAC file has more than {MAX_ELEMENTS} metadata blocks")
    if at >= len(data):
        return AudioInfo("flac", "the FLAC file contains no sound")
    if data[at] != 0xFF or data[at + 1 : at + 2] not in (b"\xf8", b"\xf9"):
        return AudioInfo("flac", "no frame of sound follows the FLAC header")
    return AudioInfo("flac")


def _flac_seconds(data: Bytes) -> float | None:
    """Divide the number of samples by their rate; both are in the stream information (8.2)."""
    rate, samples = _big(data, 18, 3) >> 4, _big(data, 21, 5) & 0xF_FFFF_FFFF
    return samples / rate if data[:4] == b"fLaC" and rate and samples else None


# --- Ogg (RFC 3533) ------------------------------------------------------------------------------

_MAX_PAGE = 27 + 255 + 255 * 255  # bytes
_PAGES = 64  # at the end of a file in which the last position is searched


def _ogg_body(data: Bytes, at: int) -> tuple[int, int]:
    """Return the start and the length of the body of the page at a position."""
    count = data[at + 26] if at + 26 < len(data) else 0
    return at + 27 + count, sum(data[at + 27 : at + 27 + count])


def _ogg(data: Bytes) -> AudioInfo:
    at = 0
    for page in range(3):
        if data[at : at + 4] != b"OggS":
            return AudioInfo("ogg", "the Ogg file contains no sound")
        body, length = _ogg_body(data, at)
        if body > len(data) or body + length > len(data):
            return AudioInfo("ogg", "the Ogg file is cut off inside its header")
        if page == 0 and not bytes(data[body : body + 8]).startswith(
            (b"\x01vorbis", b"OpusHead", b"\x7fFLAC", b"Speex   ")
        ):
            return AudioInfo("ogg", "the Ogg file contains no Vorbis, Opus, FLAC or Speex sound")
        at = body + length
    return AudioInfo("ogg")


def _ogg_seconds(data: Bytes) -> float | None:
    """Divide the position of the last page, in samples, by the sample rate of the first."""
    body, _ = _ogg_body(data, 0)
    rate, skipped = _ogg_rate(data, body)
    tail = bytes(data[-2 * _MAX_PAGE :])
    at = len(tail)
    for _ in range(_PAGES):
        at = tail.rfind(b"OggS\0", 0, at)
        if at < 0:
            break
        position = int.from_bytes(tail[at + 6 : at + 14], "little", signed=True)
        if tail[at + 14 : at + 18] == data[14:18] and position >= 0:  # -1: no packet ends here
            return max(position - skipped, 0) / rate if rate else None
    return None


def _ogg_rate(data: Bytes, body: int) -> tuple[int, int]:
    """Return the samples per second, and how many a decoder skips at the start."""
    name = bytes(data[body : body + 8])
    if name.startswith(b"\x01vorbis"):
        return _little(data, body + 12, 4), 0
    if name == b"OpusHead":
        return 48_000, _little(data, body + 10, 2)  # RFC 7845, 4: whatever the input had
    if name.startswith(b"\x7fFLAC"):
        return _big(data, body + 27, 3) >> 4, 0
    if name == b"Speex   ":
        return _little(data, body + 36, 4), 0
    return 0, 0


# --- M4A (ISO/IEC 14496-12) ----------------------------------------------------------------------


class _Box(NamedTuple):
    """A box: its name, and the positions of its content and of its end."""

    name: bytes
    start: int
    end: int


def _boxes(data: Bytes, start: int, end: int, budget: Iterator[int]) -> Iterator[_Box]:
    """Yield the boxes between two positions, as long as the budget lasts."""
    at = start
    while at + 8 <= end and next(budget, None) is not None:
        size, header = _big(data, at, 4), 8
        if size == 1 and at + 16 <= end:
            size, header = _big(data, at + 8, 8), 16
        size = max(size or end - at, header)
        yield _Box(bytes(data[at + 4 : at + 8]), at + header, at + size)
        at += size


def _m4a(data: Bytes) -> AudioInfo:
    budget = iter(range(MAX_ELEMENTS))
    boxes = {}
    for box in _boxes(data, 0, len(data), budget):
        if box.end > len(data):
            return AudioInfo("m4a", "the M4A file is cut off")
        boxes[box.name] = box
    if b"moov" not in boxes or b"mdat" not in boxes:
        return AudioInfo("m4a", "the M4A file lacks its index or its sound; it may be cut off")
    if not _sound_track(data, boxes[b"moov"]):
        return AudioInfo("m4a", "the MP4 file has no sound track")
    return AudioInfo("m4a")


def _sound_track(data: Bytes, index: _Box) -> _Box | None:
    """Return the `mdia` box of the first track of sound."""
    budget = iter(range(MAX_ELEMENTS))
    for track in _boxes(data, index.start, index.end, budget):
        if track.name == b"trak":
            for media in _boxes(data, track.start, track.end, budget):
                if media.name == b"mdia":
                    for box in _boxes(data, media.start, media.end, budget):
                        if box.name == b"hdlr" and data[box.start + 8 : box.start + 12] == b"soun":
                            return media
    return None


def _m4a_seconds(data: Bytes) -> float | None:
    budget = iter(range(MAX_ELEMENTS))
    for index in _boxes(data, 0, len(data), budget):
        media = _sound_track(data, index) if index.name == b"moov" else None
        for box in _boxes(data, media.start, media.end, budget) if media else ():
            if box.name == b"mdhd":
                # Version, flags, two times, units per second, duration; 64 bits in version 1.
                wide = 8 if data[box.start : box.start + 1] == b"\1" else 4
                at = box.start + 4 + 2 * wide
                scale, duration = _big(data, at, 4), _big(data, at + 4, wide)
                known = scale and duration and duration < 256**wide - 1
                return duration / scale if known else None
    return None


_READERS: tuple[tuple[bytes, int, Callable[[Bytes], AudioInfo]], ...] = (
    (b"RIFF", 0, _wav),
    (b"RF64", 0, _wav),
    (b"ID3", 0, _mp3),
    (b"fLaC", 0, _flac),
    (b"OggS", 0, _ogg),
    (b"ftyp", 4, _m4a),
)

_DURATIONS: Mapping[str, Callable[[Bytes], float | None]] = {
    "pcm": lambda data: len(data) / 2 / PCM_RATE,
    "wav": _wav_seconds,
    "mp3": _mp3_seconds,
    "flac": _flac_seconds,
    "ogg": _ogg_seconds,
    "m4a": _m4a_seconds,
}

# Formats that are only named, so that a rejection says what was sent.
_OTHERS: tuple[tuple[bytes, str], ...] = (
    (b"\x1a\x45\xdf\xa3", "webm"),
    (b"FORM", "aiff"),
    (b"#!AMR", "amr"),
    (b"caff", "caf"),
    (b".snd", "au"),
    (b"\x30\x26\xb2\x75", "wma"),
    (b"\xff\xf1", "aac"),
    (b"\xff\xf9", "aac"),
    (b"\x89PNG", "png"),
    (b"\xff\xd8\xff", "jpeg"),
    (b"GIF8", "gif"),
    (b"%PDF", "pdf"),
    (b"PK\x03\x04", "zip"),
    (b"\x1f\x8b", "gzip"),
)

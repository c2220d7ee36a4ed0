"""Tell what a file is by its bytes, and whether it can be heard.

Nothing that a sender claims decides: clients send `application/octet-stream`, no type at all, or
`filename="upload"` for perfectly good audio (fact sheets, "On the wire").
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from struct import unpack_from
from typing import NamedTuple

FORMATS = ("wav", "mp3", "flac", "ogg", "m4a")
PCM_RATE = 24_000  # Hz: the previews of Faseeh are 16-bit mono at this rate (fact sheet "Faseeh")
Bytes = bytes | memoryview
TEXT = "text"
UNKNOWN = "unknown"
EMPTY = "empty"


class AudioInfo(NamedTuple):
    """What was found: a format's name, and what is wrong with the file, if anything."""

    format: str
    problem: str = ""


def sniff(data: Bytes) -> AudioInfo:
    """Tell a file's format, and whether its header can be read and its sound is there.

    The formats are wav, mp3, flac, ogg and m4a; others are named where their first bytes tell
    (`webm`, `png`), or are `text`, `empty` or `unknown`.
    """
    if not data:
        return AudioInfo(EMPTY, "the file is empty")
    head = bytes(data[:12])
    for starts, offset, read in _READERS:
        if head.startswith(starts, offset):
            return read(data)
    for starts, name in _OTHERS:
        if head.startswith(starts):
            return AudioInfo(name)
    if head[0] == 0xFF and head[1:2] >= b"\xe0":
        return _mp3(data)
    return AudioInfo(TEXT if _is_text(bytes(data[:512])) else UNKNOWN)


def seconds(data: Bytes, format: str) -> float | None:
    """How long a file plays, or None where that cannot be told."""
    if format == "pcm":
        return len(data) / 2 / PCM_RATE
    from io import BytesIO  # not needed to serve

    from tinytag import TinyTag, TinyTagException

    if format not in FORMATS:
        return None
    try:
        return TinyTag.get(filename=f"sample.{format}", file_obj=BytesIO(data)).duration
    except TinyTagException:
        return None


def _is_text(start: bytes) -> bool:
    try:
        text = start.decode()
    except UnicodeDecodeError as error:
        if error.start < len(start) - 3:  # not merely a character cut in two
            return False
        text = start[: error.start].decode()
    return all(c.isprintable() or c.isspace() for c in text)


# --- one reader a format: the whole file in, what was heard out ---------------------------------


def _wav(data: Bytes) -> AudioInfo:
    if data[8:12] != b"WAVE":
        return AudioInfo(UNKNOWN)
    channels = rate = 0
    at = 12
    while at + 8 <= len(data):
        name, size = data[at : at + 4], unpack_from("<I", data, at + 4)[0]
        at += 8
        if name == b"fmt ":
            if at + 16 > len(data):
                break
            channels, rate = unpack_from("<HI", data, at + 2)
        elif name == b"data":
            return AudioInfo("wav", _wav_flaw(channels, rate, size, len(data) - at))
        at += size + size % 2
    return AudioInfo("wav", "the WAV file ends inside its header")


def _wav_flaw(channels: int, rate: int, promised: int, arrived: int) -> str:
    if not channels or not rate:
        return "the WAV header names no channels or no sample rate"
    if not arrived:
        return "the WAV file holds no sound"
    streamed = promised == 0 or promised >= 0x7FFF_FFFF  # a writer that could not know the size
    if promised > arrived and not streamed:
        return f"the WAV file is cut off: its header promises {promised} bytes, {arrived} arrived"
    return ""


_MP3_RATES = {3: (44100, 48000, 32000), 2: (22050, 24000, 16000), 0: (11025, 12000, 8000)}
_MP3_KBITS_1 = (0, 32, 40, 48, 56, 64, 80, 96, 112, 128, 160, 192, 224, 256, 320)
_MP3_KBITS_2 = (0, 8, 16, 24, 32, 40, 48, 56, 64, 80, 96, 112, 128, 144, 160)


def _mp3_frame(data: Bytes, at: int) -> int:
    """The length in bytes of the MPEG layer III frame at a place, or 0 where there is none."""
    if at + 4 > len(data) or data[at] != 0xFF or data[at + 1] & 0xE0 != 0xE0:
        return 0
    version, layer = data[at + 1] >> 3 & 3, data[at + 1] >> 1 & 3
    kbits, rate, padding = data[at + 2] >> 4, data[at + 2] >> 2 & 3, data[at + 2] >> 1 & 1
    if version == 1 or layer != 1 or kbits in (0, 15) or rate == 3:
        return 0
    if version == 3:
        return 144_000 * _MP3_KBITS_1[kbits] // _MP3_RATES[3][rate] + padding
    return 72_000 * _MP3_KBITS_2[kbits] // _MP3_RATES[version][rate] + padding


def _mp3(data: Bytes) -> AudioInfo:
    at = 0
    tagged = data[:3] == b"ID3"
    if tagged:
        if len(data) < 10:
            return AudioInfo("mp3", "the MP3 file ends inside its ID3 tag")
        at = 10 + sum(byte << shift for byte, shift in zip(data[6:10], (21, 14, 7, 0), strict=True))
        start = bytes(data[at : at + 4096])
        at += len(start) - len(start.lstrip(b"\0"))  # padding
    length = _mp3_frame(data, at)
    if not length:
        if tagged:
            return AudioInfo("mp3", "the MP3 file holds no sound after its ID3 tag")
        return AudioInfo(UNKNOWN)
    if at + length > len(data):
        return AudioInfo("mp3", "the MP3 file is cut off inside its first frame")
    if at + length < len(data) - 4 and not _mp3_frame(data, at + length):
        if bytes(data[at + length : at + length + 6]).startswith((b"TAG", b"APETAG")):
            return AudioInfo("mp3")
        return AudioInfo("mp3", "the MP3 file's first frame is not followed by another")
    return AudioInfo("mp3")


def _flac(data: Bytes) -> AudioInfo:
    at, last = 4, False
    while not last:
        if at + 4 > len(data):
            return AudioInfo("flac", "the FLAC file ends inside its header")
        last, kind = bool(data[at] & 0x80), data[at] & 0x7F
        size = int.from_bytes(data[at + 1 : at + 4], "big")
        if at == 4 and (kind, size) != (0, 34):
            return AudioInfo("flac", "the FLAC file does not begin with its stream information")
        at += 4 + size
    if at >= len(data):
        return AudioInfo("flac", "the FLAC file holds no sound")
    if data[at] != 0xFF or data[at + 1 : at + 2] not in (b"\xf8", b"\xf9"):
        return AudioInfo("flac", "no frame of sound follows the FLAC header")
    return AudioInfo("flac")


def _ogg(data: Bytes) -> AudioInfo:
    pages = 0
    at = 0
    while pages < 3 and data[at : at + 4] == b"OggS":
        lengths = data[at + 27 : at + 27 + data[at + 26]] if at + 26 < len(data) else b""
        body = at + 27 + len(lengths)
        if at + 26 >= len(data) or body + sum(lengths) > len(data):
            return AudioInfo("ogg", "the OGG file is cut off inside its header")
        if pages == 0 and not bytes(data[body : body + 8]).startswith(
            (b"\x01vorbis", b"OpusHead", b"\x7fFLAC", b"Speex   ")
        ):
            return AudioInfo("ogg", "the OGG file holds no Vorbis, Opus, FLAC or Speex sound")
        pages += 1
        at = body + sum(lengths)
    return AudioInfo("ogg", "" if pages == 3 else "the OGG file holds no sound")


def _boxes(data: Bytes) -> Iterator[tuple[bytes, int, int]]:
    """The top-level boxes of an MP4 file as name, start and size."""
    at = 0
    while at + 8 <= len(data):
        size = int.from_bytes(data[at : at + 4], "big")
        if size == 1 and at + 16 <= len(data):
            size = int.from_bytes(data[at + 8 : at + 16], "big")
        size = size or len(data) - at
        yield bytes(data[at + 4 : at + 8]), at, size
        at += max(size, 8)


def _m4a(data: Bytes) -> AudioInfo:
    found = {}
    for name, at, size in _boxes(data):
        if at + size > len(data):
            return AudioInfo("m4a", "the M4A file is cut off")
        found[name] = bytes(data[at : at + size]) if name == b"moov" else b""
    if b"moov" not in found or b"mdat" not in found:
        return AudioInfo("m4a", "the M4A file lacks its index or its sound; it may be cut off")
    return AudioInfo("m4a", "" if b"soun" in found[b"moov"] else "the MP4 file has no sound track")


_READERS: tuple[tuple[bytes, int, Callable[[Bytes], AudioInfo]], ...] = (
    (b"RIFF", 0, _wav),
    (b"RF64", 0, _wav),
    (b"ID3", 0, _mp3),
    (b"fLaC", 0, _flac),
    (b"OggS", 0, _ogg),
    (b"ftyp", 4, _m4a),
)

# Only named, so that a refusal can say what was sent.
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

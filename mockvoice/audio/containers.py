"""Put samples into lossless files: FLAC, FLAC in Ogg, and ALAC in MP4 (M4A).

All three allow frames that hold the samples as they are; that is what is written here. Such a file
is as large as a WAV, made in milliseconds, and every decoder gives back the very same samples.

Samples are 16-bit little-endian mono, at least one of them, at up to 65535 Hz.
"""

from __future__ import annotations

from array import array
from collections.abc import Callable, Iterator, Mapping
from hashlib import md5
from itertools import groupby
from struct import pack
from zlib import crc32

from .synth import wav

_FRAME = 4096  # samples in a frame, the last one aside: what encoders of FLAC and of ALAC take


def _frames(samples: bytes) -> list[bytes]:
    """The samples, big-endian as both codecs want them, in pieces of one frame."""
    swapped = array("h", samples)
    swapped.byteswap()
    data = swapped.tobytes()
    return [data[at : at + 2 * _FRAME] for at in range(0, len(data), 2 * _FRAME)]


# --- FLAC: RFC 9639 ------------------------------------------------------------------------------


def flac(samples: bytes, rate: int) -> bytes:
    """A FLAC file: the marker, blocks of metadata, frames (RFC 9639, 6)."""
    return b"".join([b"fLaC", *_flac_metadata(samples, rate), *_flac_frames(samples, rate)])


def _flac_metadata(samples: bytes, rate: int) -> tuple[bytes, bytes]:
    """What the sound is (8.2), and who made it (8.6)."""
    shape = rate << 44 | 15 << 36 | len(samples) // 2  # one channel is 0, 16 bits a sample are 15
    digest = md5(samples, usedforsecurity=False).digest()
    sound = pack(">HH6xQ", _FRAME, _FRAME, shape) + digest
    maker = pack("<I9sI", 9, b"mockvoice", 0)
    return pack(">I", len(sound)) + sound, pack(">I", 0x84 << 24 | len(maker)) + maker  # 0x80: last


def _flac_frames(samples: bytes, rate: int) -> Iterator[bytes]:
    """Frames with one verbatim subframe each (9.1, 9.2.4, 9.3)."""
    for number, sound in enumerate(_frames(samples)):
        # Fixed size of blocks; size and rate follow in 16 bits each; mono, 16 bits a sample.
        head = b"\xff\xf8\x7d\x08" + chr(number).encode() + pack(">HH", len(sound) // 2 - 1, rate)
        frame = head + _crc8(head) + b"\x02" + sound
        yield frame + _crc16(frame)


def _crc8(data: bytes) -> bytes:
    """The remainder by x^8 + x^2 + x + 1 (9.1.8); for a few bytes, long division will do."""
    rest = int.from_bytes(data, "big") << 8
    while (over := rest.bit_length() - 9) >= 0:
        rest ^= 0b1_0000_0111 << over
    return rest.to_bytes(1, "big")


def _crc16(data: bytes) -> bytes:
    """The remainder by x^16 + x^15 + x^2 + 1 (9.3), twenty times as fast as byte by byte.

    That is (x + 1)(x^15 + x + 1). The second factor squared k times is x^15s + x^s + 1, s = 2^k, so
    all that stands above bit 15s may be folded down by shifts of the whole number. The other
    factor tells that bits which are set stay odd or even in number.
    """
    rest = int.from_bytes(data, "big") << 16
    odd = rest.bit_count() & 1
    for k in range((len(data) * 8 // 15).bit_length(), -1, -1):
        s = 1 << k
        while high := rest >> 15 * s:
            rest ^= high << 15 * s ^ high << s ^ high
    if rest.bit_count() & 1 != odd:
        rest ^= 0b1000_0000_0000_0011
    return rest.to_bytes(2, "big")


# --- Ogg: RFC 3533, and RFC 9639, 10.1 for the FLAC in it ----------------------------------------

_MIRRORED = bytes(int(f"{byte:08b}"[::-1], 2) for byte in range(256))


def ogg(samples: bytes, rate: int) -> bytes:
    """An Ogg file of FLAC: two packets of metadata, then each frame as one."""
    sound, maker = _flac_metadata(samples, rate)
    first = b"\x7fFLAC" + pack(">BBH", 1, 0, 1) + b"fLaC" + sound  # version 1.0, one more follows
    return b"".join(_pages([first, maker, *_flac_frames(samples, rate)], len(samples) // 2))


def _pages(packets: list[bytes], samples: int) -> Iterator[bytes]:
    """Each packet as a page that tells how many samples there are up to its end."""
    for number, packet in enumerate(packets):
        flags = 2 * (number == 0) | 4 * (number == len(packets) - 1)  # the first, the last
        position = min(max(number - 1, 0) * _FRAME, samples)
        lengths = b"\xff" * (len(packet) // 255) + bytes([len(packet) % 255])
        head = pack("<4sxBqII", b"OggS", flags, position, 1, number)
        rest = bytes([len(lengths)]) + lengths + packet
        yield head + _crc32(head + bytes(4) + rest) + rest


def _crc32(page: bytes) -> bytes:
    """The checksum of a page, little-endian (RFC 3533, 6).

    It has the polynomial of zlib's, but takes bits from the other end and has no ones put in.
    """
    crc = crc32(page.translate(_MIRRORED), 0xFFFF_FFFF) ^ 0xFFFF_FFFF
    return crc.to_bytes(4, "big").translate(_MIRRORED)


# --- M4A -----------------------------------------------------------------------------------------
#
# Boxes: ISO/IEC 14496-12. From Apple's open ALAC: ALACMagicCookieDescription.txt for what stands in
# their `alac`, and codec/ALACEncoder.cpp for the bits of a frame that is not compressed.

_UPRIGHT = pack(">9I", 0x10000, 0, 0, 0, 0x10000, 0, 0, 0, 0x4000_0000)  # a picture not turned


def m4a(samples: bytes, rate: int) -> bytes:
    """An M4A file of ALAC, its index before its sound so that it can be played as it arrives."""
    frames = [_alac_frame(sound) for sound in _frames(samples)]
    kind = _box("ftyp", pack(">4sI12s", b"M4A ", 0, b"M4A mp42isom"))
    index = _index(len(samples) // 2, rate, [len(frame) for frame in frames])
    offset = len(kind) + len(index) + 8  # of the first frame; it stands at the end of the index
    return kind + index[:-4] + pack(">I", offset) + _box("mdat", *frames)


def _alac_frame(sound: bytes) -> bytes:
    """A frame that says how many samples it has and that they are not compressed.

    In bits: 3 single channel, 4 its number, 12 none, 1 the size follows, 2 no shift, 1 escape, 32
    the size, 16 for each sample, 3 end; then up to a whole byte.
    """
    head = 0b1_00_1 << 32 | len(sound) // 2
    bits = (head << 8 * len(sound) | int.from_bytes(sound, "big")) << 3 | 0b111
    return (bits << 6).to_bytes(len(sound) + 8, "big")


def _box(name: str, *content: bytes) -> bytes:
    body = b"".join(content)
    return pack(">I4s", 8 + len(body), name.encode()) + body


def _index(samples: int, rate: int, sizes: list[int]) -> bytes:
    """The box that describes the sound; its last four bytes are for where that begins.

    Fields left out (`x`) are versions, flags, times and what is reserved: all zero.
    """
    count = len(sizes)
    lengths = [_FRAME] * (count - 1) + [samples - _FRAME * (count - 1)]
    runs = [(len([*run]), length) for length, run in groupby(lengths)]
    cookie = pack(">IxBBBBBH8xI", _FRAME, 16, 40, 10, 14, 1, 255, rate)
    codec = _box("alac", pack(">6xH8xHH4xI", 1, 1, 16, rate << 16), _box("alac", bytes(4), cookie))
    table = _box(
        "stbl",
        _box("stsd", pack(">4xI", 1), codec),
        _box("stts", pack(">4xI", len(runs)), *(pack(">II", *run) for run in runs)),
        _box("stsc", pack(">4xIIII", 1, 1, count, 1)),  # all frames are one chunk
        _box("stsz", pack(f">8xI{count}I", count, *sizes)),
        _box("stco", pack(">4xII", 1, 0)),
    )
    here = _box("dinf", _box("dref", pack(">4xI", 1), _box("url ", pack(">I", 1))))
    media = _box(
        "mdia",
        _box("mdhd", pack(">12xIIH2x", rate, samples, 0x55C4)),  # no language
        _box("hdlr", pack(">8x4s13x", b"soun")),
        _box("minf", _box("smhd", bytes(8)), here, table),
    )
    track = pack(">I8xI4xI12xH2x36s8x", 7, 1, samples, 0x100, _UPRIGHT)
    movie = pack(">12xIIIH10x36s24xI", rate, samples, 0x10000, 0x100, _UPRIGHT, 2)
    return _box("moov", _box("mvhd", movie), _box("trak", _box("tkhd", track), media))


# For each format the media type, and what makes a file of samples and their rate.
FILES: Mapping[str, tuple[str, Callable[[bytes, int], bytes]]] = {
    "wav": ("audio/wav", wav),
    "flac": ("audio/flac", flac),
    "ogg": ("audio/ogg", ogg),
    "m4a": ("audio/mp4", m4a),
}

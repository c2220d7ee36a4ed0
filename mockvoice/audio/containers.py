"""Write samples to lossless files: FLAC, FLAC in Ogg, and ALAC in MP4 (M4A).

All three formats allow uncompressed frames, which are used here. Such a file is as large as a WAV
file, and decodes to the same samples. Each function yields a file in pieces that take less than a
millisecond, so that a server can handle other requests in between.

Samples are 16-bit little-endian mono, at least one of them, at up to 65535 Hz.
"""

from __future__ import annotations

from array import array
from collections.abc import Callable, Iterable, Iterator, Mapping
from hashlib import md5
from itertools import chain, groupby
from struct import pack
from zlib import crc32

_FRAME = 4096  # samples in every frame but the last, as encoders of FLAC and ALAC use


def _frames(samples: bytes) -> Iterator[bytes]:
    """Yield the samples in big-endian order, frame by frame."""
    for at in range(0, len(samples), 2 * _FRAME):
        swapped = array("h", samples[at : at + 2 * _FRAME])
        swapped.byteswap()
        yield swapped.tobytes()


# --- FLAC: RFC 9639 ------------------------------------------------------------------------------


def flac(samples: bytes, rate: int) -> Iterator[bytes]:
    """Yield a FLAC file: the marker, metadata blocks and frames (RFC 9639, 6)."""
    yield b"fLaC"
    yield from _flac_metadata(samples, rate)
    yield from _flac_frames(samples, rate)


def _flac_metadata(samples: bytes, rate: int) -> tuple[bytes, bytes]:
    """Return the stream information (8.2) and the name of the encoder (8.6)."""
    properties = (
        rate << 44 | 15 << 36 | len(samples) // 2
    )  # one channel is 0, 16 bits a sample are 15
    digest = md5(samples, usedforsecurity=False).digest()
    sound = pack(">HH6xQ", _FRAME, _FRAME, properties) + digest
    maker = pack("<I9sI", 9, b"mockvoice", 0)
    return pack(">I", len(sound)) + sound, pack(">I", 0x84 << 24 | len(maker)) + maker  # 0x80: last


def _flac_frames(samples: bytes, rate: int) -> Iterator[bytes]:
    """Yield frames with one verbatim subframe each (9.1, 9.2.4, 9.3)."""
    for number, sound in enumerate(_frames(samples)):
        # Fixed block size; size and rate follow in 16 bits each; mono, 16 bits per sample.
        head = b"\xff\xf8\x7d\x08" + chr(number).encode() + pack(">HH", len(sound) // 2 - 1, rate)
        frame = head + _crc8(head) + b"\x02" + sound
        yield frame + _crc16(frame)


def _crc8(data: bytes) -> bytes:
    """Return the remainder by x^8 + x^2 + x + 1 (9.1.8), by long division of a few bytes."""
    rest = int.from_bytes(data, "big") << 8
    while (over := rest.bit_length() - 9) >= 0:
        rest ^= 0b1_0000_0111 << over
    return rest.to_bytes(1, "big")


def _crc16(data: bytes) -> bytes:
    """Return the remainder by x^16 + x^15 + x^2 + 1 (9.3), 20 times as fast as byte by byte.

    The polynomial is (x + 1)(x^15 + x + 1). Squaring the second factor k times gives
    x^15s + x^s + 1 with s = 2^k, so the bits above 15s are folded down by shifts of the whole
    number. The first factor means that the parity of the set bits does not change.
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


def ogg(samples: bytes, rate: int) -> Iterator[bytes]:
    """Yield an Ogg file of FLAC: two metadata packets, then one packet per frame."""
    sound, maker = _flac_metadata(samples, rate)
    first = b"\x7fFLAC" + pack(">BBH", 1, 0, 1) + b"fLaC" + sound  # version 1.0, one more follows
    return _pages(chain([first, maker], _flac_frames(samples, rate)), len(samples) // 2)


def _pages(packets: Iterable[bytes], samples: int) -> Iterator[bytes]:
    """Yield each packet as a page with the number of samples up to its end."""
    last = 1 + -(-samples // _FRAME)
    for number, packet in enumerate(packets):
        flags = 2 * (number == 0) | 4 * (number == last)
        position = min(max(number - 1, 0) * _FRAME, samples)
        lengths = b"\xff" * (len(packet) // 255) + bytes([len(packet) % 255])
        head = pack("<4sxBqII", b"OggS", flags, position, 1, number)
        rest = bytes([len(lengths)]) + lengths + packet
        yield head + _crc32(head + bytes(4) + rest) + rest


def _crc32(page: bytes) -> bytes:
    """Return the checksum of a page, little-endian (RFC 3533, 6).

    It uses the polynomial of zlib.crc32 with the bits in reverse order, without inversion.
    """
    crc = crc32(page.translate(_MIRRORED), 0xFFFF_FFFF) ^ 0xFFFF_FFFF
    return crc.to_bytes(4, "big").translate(_MIRRORED)


# --- M4A -----------------------------------------------------------------------------------------
#
# Boxes: ISO/IEC 14496-12. The `alac` box and uncompressed frames: ALACMagicCookieDescription.txt
# and codec/ALACEncoder.cpp of Apple's open-source ALAC.

_ALAC_BYTES = 8  # of a frame besides its samples
_UPRIGHT = pack(
    ">9I", 0x10000, 0, 0, 0, 0x10000, 0, 0, 0, 0x4000_0000
)  # the identity matrix of a picture


def m4a(samples: bytes, rate: int) -> Iterator[bytes]:
    """Yield an M4A file of ALAC, with the index first so that it can be played while it loads."""
    starts = range(0, len(samples), 2 * _FRAME)
    sizes = [min(len(samples) - at, 2 * _FRAME) + _ALAC_BYTES for at in starts]
    kind = _box("ftyp", pack(">4sI12s", b"M4A ", 0, b"M4A mp42isom"))
    index = _index(len(samples) // 2, rate, sizes)
    offset = len(kind) + len(index) + 8  # of the first frame, stored at the end of the index
    yield kind + index[:-4] + pack(">I", offset) + pack(">I4s", 8 + sum(sizes), b"mdat")
    yield from map(_alac_frame, _frames(samples))


def _alac_frame(sound: bytes) -> bytes:
    """Return a frame with a sample count and uncompressed samples.

    In bits: 3 single channel, 4 channel number, 12 unused, 1 size follows, 2 no shift, 1 escape, 32
    size, 16 per sample, 3 end; then padding to a whole byte.
    """
    head = 0b1_00_1 << 32 | len(sound) // 2
    bits = (head << 8 * len(sound) | int.from_bytes(sound, "big")) << 3 | 0b111
    return (bits << 6).to_bytes(len(sound) + _ALAC_BYTES, "big")


def _box(name: str, *content: bytes) -> bytes:
    body = b"".join(content)
    return pack(">I4s", 8 + len(body), name.encode()) + body


def _index(samples: int, rate: int, sizes: list[int]) -> bytes:
    """Return the box that describes the sound; its last four bytes are the offset of the sound.

    Skipped fields (`x`) are versions, flags, times and reserved bytes, all zero.
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


# The media type of each format, and the function that yields a file of samples at a rate.
FILES: Mapping[str, tuple[str, Callable[[bytes, int], Iterator[bytes]]]] = {
    "flac": ("audio/flac", flac),
    "ogg": ("audio/ogg", ogg),
    "m4a": ("audio/mp4", m4a),
}

"""Handler for `/samples`: synthetic speech in each supported audio format."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from io import BytesIO

from ..audio.synth import Utterance, mp3_pieces, pcm_pieces, wav_pieces
from ..provider import Response
from .context import ControlContext

TEXT = "The quick brown fox jumps over the lazy dog"
SAMPLE_RATE = 24_000  # Hz


async def get_sample(ctx: ControlContext) -> Response:
    format = ctx.parameters["format"]
    utterance = Utterance(TEXT, ctx.parameters["voice"], seconds=ctx.parameters["seconds"])
    if format == "mp3":
        media_type, pieces = "audio/mpeg", mp3_pieces(utterance, SAMPLE_RATE)
    elif format == "wav":
        media_type, pieces = "audio/wav", wav_pieces(utterance, SAMPLE_RATE)
    else:
        from ..audio.containers import FILES  # imported late to keep startup fast

        media_type, encode = FILES[format]
        pieces = encode(await _joined(pcm_pieces(utterance, SAMPLE_RATE)), SAMPLE_RATE)
    return Response(await _joined(pieces), media_type=media_type)


async def _joined(pieces: Iterator[bytes]) -> bytes:
    """Return all pieces, and let the server handle other requests after each."""
    joined = BytesIO()
    for piece in pieces:
        joined.write(piece)
        await asyncio.sleep(0)
    return joined.getvalue()  # not a copy, unlike the bytes of a bytearray

"""Handler for `/samples`: synthetic speech in each supported audio format."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator

from ..audio.synth import Utterance, mp3_pieces, pcm_pieces
from ..provider import Response
from .context import ControlContext

TEXT = "The quick brown fox jumps over the lazy dog"
SAMPLE_RATE = 24_000  # Hz


async def get_sample(ctx: ControlContext) -> Response:
    format = ctx.parameters["format"]
    utterance = Utterance(TEXT, ctx.parameters["voice"], seconds=ctx.parameters["seconds"])
    if format == "mp3":  # encoded directly, without PCM samples
        return Response(await _joined(mp3_pieces(utterance, SAMPLE_RATE)), media_type="audio/mpeg")
    from ..audio.containers import FILES  # imported late to keep startup fast

    media_type, encode = FILES[format]
    samples = await _joined(pcm_pieces(utterance, SAMPLE_RATE))
    return Response(await _joined(encode(samples, SAMPLE_RATE)), media_type=media_type)


async def _joined(pieces: Iterator[bytes]) -> bytes:
    """Return all pieces, and let the server handle other requests after each."""
    joined = bytearray()
    for piece in pieces:
        joined += piece
        await asyncio.sleep(0)
    return bytes(joined)

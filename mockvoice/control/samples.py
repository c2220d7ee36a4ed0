"""Handler for `/samples`: synthetic speech in each supported audio format."""

from __future__ import annotations

from ..audio.synth import Utterance, mp3, pcm
from ..provider import Response
from .context import ControlContext

TEXT = "The quick brown fox jumps over the lazy dog"
SAMPLE_RATE = 24_000  # Hz


async def get_sample(ctx: ControlContext) -> Response:
    format = ctx.parameters["format"]
    utterance = Utterance(TEXT, ctx.parameters["voice"], seconds=ctx.parameters["seconds"])
    if format == "mp3":  # encoded directly, without PCM samples
        return Response(mp3(utterance, SAMPLE_RATE), media_type="audio/mpeg")
    from ..audio.containers import FILES  # imported late to keep startup fast

    media_type, encode = FILES[format]
    return Response(encode(pcm(utterance, SAMPLE_RATE), SAMPLE_RATE), media_type=media_type)

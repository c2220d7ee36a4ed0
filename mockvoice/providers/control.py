"""The control API: see and steer what the mock remembers.

What the contract leaves unsaid: nothing is failed, limited or journalled here, and errors are
`application/problem+json` (RFC 9457).
"""

from __future__ import annotations

from http import HTTPStatus
from typing import Any

from .. import __version__
from ..errors import Problem
from ..openapi.lift import JSON
from ..provider import Answer, Call, Provider
from ..sandbox.accounts import redacted
from ..sandbox.clock import timestamp
from ..sandbox.voices import Record
from ..speech import Utterance, mp3, pcm, wav

SAID = "The quick brown fox jumps over the lazy dog"
SAMPLE_RATE = 24_000  # Hz


def error(problem: Problem, status: int, call: Call) -> JSON:
    """A problem document, with every violation."""
    body: dict[str, Any] = {"title": HTTPStatus(status).phrase, "status": status}
    if problem.sentences:
        body["detail"] = problem.sentences
    if problem.violations:
        body["violations"] = [each.described() for each in problem.violations]
    return body


provider = Provider(
    "mockvoice", "mockvoice control API", error, prefix="", error_type="application/problem+json"
)


@provider.operation("health", remembers=False)
async def health(call: Call) -> JSON:
    names = [name for name in call.mock.providers if name != provider.name]
    return {"status": "ok", "version": __version__, "providers": names}


@provider.operation("listVoices")
async def list_voices(call: Call) -> JSON:
    presets = call.parameters["presets"]
    return {"voices": [_shown(each) for each in call.sandbox.voices if presets or not each.preset]}


def _shown(record: Record) -> JSON:
    return {
        "provider": record.provider,
        "collection": record.collection,
        "id": record.id,
        "account": redacted(record.account),
        "created_at": timestamp(record.created_at),
        "data": record.data,
        "uploads": [upload.described() for upload in record.uploads],
    }


@provider.operation("getSample", remembers=False)
async def get_sample(call: Call) -> Answer:
    utterance = Utterance(SAID, call.parameters["voice"], seconds=call.parameters["seconds"])
    if call.parameters["format"] == "mp3":
        return Answer(mp3(utterance, SAMPLE_RATE), media_type="audio/mpeg")
    return Answer(wav(pcm(utterance, SAMPLE_RATE), SAMPLE_RATE), media_type="audio/wav")

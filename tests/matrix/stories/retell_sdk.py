"""Retell's Python SDK. Retell has no operation that deletes a voice."""

import os
from pathlib import Path

import retell

client = retell.Retell(api_key="KEY", base_url=os.environ["MOCKVOICE_URL"] + "/retell")
sample = Path(os.environ["SAMPLE"]).read_bytes()


def clone(name):
    voice = client.voice.clone(files=[sample], voice_name=name, voice_provider="elevenlabs")
    return voice.voice_id


def ids():
    return [voice.voice_id for voice in client.voice.list()]


def error(kind, call, *arguments):
    try:
        call(*arguments)
    except kind as error:
        return error
    raise AssertionError(f"no {kind.__name__}")


id = clone("narrator")
print("clone")
assert id in ids()
print("list")
error(retell.UnprocessableEntityError, client.voice.retrieve, "custom_voice_unknown")
print("unknown")
invalid = error(retell.BadRequestError, clone, "")
assert "voice_name" in invalid.body["message"], invalid.body
print("invalid")
assert id in ids()
print("retry")

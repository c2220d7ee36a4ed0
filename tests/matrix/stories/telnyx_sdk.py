"""Telnyx's Python SDK; ARGUMENT names the argument that wraps the fields of an upload, if any."""

import os
from pathlib import Path

import telnyx

client = telnyx.Telnyx(api_key="KEY", base_url=os.environ["MOCKVOICE_URL"] + "/telnyx/v2")
sample = Path(os.environ["SAMPLE"]).read_bytes()


def clone(language):
    fields = {"audio_file": sample, "name": "narrator", "language": language, "gender": "male"}
    fields["provider"] = "telnyx"
    argument = os.environ["ARGUMENT"]
    upload = {argument: fields} if argument else fields
    return client.voice_clones.create_from_upload(**upload).data.id


def ids():
    return [voice.id for voice in client.voice_clones.list()]


def error(kind, call, *arguments):
    try:
        call(*arguments)
    except kind as error:
        return error
    raise AssertionError(f"no {kind.__name__}")


id = clone("en")
print("clone")
assert ids() == [id]
print("list")
client.voice_clones.delete(id)
print("delete")
error(telnyx.NotFoundError, client.voice_clones.delete, id)
print("unknown")
invalid = error(telnyx.UnprocessableEntityError, clone, "EN")
assert invalid.body["errors"][0]["source"]["pointer"] == "/language", invalid.body
print("invalid")
assert ids() == []
print("retry")

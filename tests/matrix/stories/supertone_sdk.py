"""Supertone's Python SDK; INVALID names the error that it raises for a 400.

The SDK retries after a 429, but not after a broken connection.
"""

import os
from pathlib import Path

import httpx
from supertone import Supertone, errors
from supertone.utils import BackoffStrategy, RetryConfig

url = os.environ["MOCKVOICE_URL"] + "/supertone"
client = Supertone(api_key="KEY", server_url=url)
sample = Path(os.environ["SAMPLE"]).read_bytes()
backoff = RetryConfig("backoff", BackoffStrategy(1, 10, 1.0, 10_000), retry_connection_errors=True)
client.sdk_configuration.retry_config = backoff


def clone(name):
    files = {"file_name": "sample.wav", "content": sample}
    return client.custom_voices.create_cloned_voice(files=files, name=name).voice_id


def ids():
    return [voice.voice_id for voice in client.custom_voices.list_custom_voices().items]


def error(kind, call, **arguments):
    try:
        call(**arguments)
    except kind as error:
        return error
    raise AssertionError(f"no {kind.__name__}")


id = clone("narrator")
print("clone")
assert ids() == [id]
print("list")
client.custom_voices.delete_custom_voice(voice_id=id)
print("delete")
error(errors.NotFoundErrorResponse, client.custom_voices.get_custom_voice, voice_id=id)
print("unknown")
invalid = error(getattr(errors, os.environ["INVALID"]), clone, name="")
assert "name" in invalid.body, invalid.body
print("invalid")
error(httpx.ReadError, ids)
assert ids() == []
print("retry")

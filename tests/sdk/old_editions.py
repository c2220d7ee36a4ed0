"""Calls made with older SDK versions, executed by the Python of `.venv-old`.

`python old_editions.py NAME URL SAMPLE` calls the function NAME and prints its result as JSON.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any


def telnyx_sample(url: str, audio: Any) -> Any:
    """Telnyx's documented sample, unchanged; 4.99.0 is the last version that supports it."""
    from telnyx import Telnyx

    client = Telnyx(api_key="KEY_test", base_url=f"{url}/telnyx/v2")
    response = client.voice_clones.create_from_upload(
        audio_file=audio,
        language="lkf-Lz1vLbBu-9uDh-9AHaOS2D-Cbf",
        name="name",
    )
    return response.data.to_dict()


def telnyx_design(url: str, audio: Any) -> Any:
    """Telnyx's documented sample for voice designs, unchanged."""
    from telnyx import Telnyx

    client = Telnyx(api_key="KEY_test", base_url=f"{url}/telnyx/v2")
    voice_clone = client.voice_clones.create(
        gender="male",
        language="en",
        name="clone-narrator",
        voice_design_id="550e8400-e29b-41d4-a716-446655440000",
    )
    return voice_clone.data.to_dict()


def retell_brackets(url: str, audio: Any) -> Any:
    """Clone with a Retell SDK that sends `files[]`; 5.57.0 is the last such version."""
    from retell import Retell

    client = Retell(api_key="key_test", base_url=f"{url}/retell")
    voice = client.voice.clone(
        files=[audio, ("b.wav", audio)], voice_name="x", voice_provider="elevenlabs"
    )
    return voice.to_dict()


def supertone_string_message(url: str, audio: Any) -> Any:
    """Clone with a Supertone SDK for API 0.8, whose 400 and 415 errors have a string message."""
    from supertone import Supertone

    with Supertone(api_key="sk_test", server_url=f"{url}/supertone") as client:
        voice = client.custom_voices.create_cloned_voice(
            files={"file_name": "a.wav", "content": audio}, name="n"
        )
        return {"voice_id": voice.voice_id}


if __name__ == "__main__":
    name, url, sample = sys.argv[1:]
    audio = Path(sample).read_bytes()
    try:
        print(json.dumps(globals()[name](url, audio), default=str))
    except Exception as error:
        body = getattr(error, "body", None)
        print(json.dumps({"error": type(error).__name__, "body": body}))

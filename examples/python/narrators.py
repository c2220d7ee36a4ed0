"""An application that clones a voice for each narrator.

Run it with `TELNYX_API_KEY=... fastapi run narrators.py`.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Annotated

from fastapi import Depends, FastAPI, Form, HTTPException, UploadFile
from pydantic import BaseModel
from telnyx import APIConnectionError, APIStatusError, Telnyx

app = FastAPI()


class Narrator(BaseModel):
    """A narrator and the voice that was cloned for it."""

    name: str
    voice_id: str


def get_telnyx() -> Iterator[Telnyx]:
    """Create a client from TELNYX_API_KEY and TELNYX_BASE_URL that retries twice."""
    with Telnyx(max_retries=2, timeout=10) as client:
        yield client


@app.post("/narrators", status_code=201)
def create_narrator(
    name: Annotated[str, Form()],
    recording: UploadFile,
    client: Annotated[Telnyx, Depends(get_telnyx)],
) -> Narrator:
    """Clone a voice from a recording."""
    try:
        clone = client.voice_clones.create_from_upload(
            voice_clone_upload_request={
                "audio_file": (recording.filename, recording.file),
                "name": name,
                "language": "en",
                "gender": "neutral",
                "provider": "telnyx",
            }
        )
    except APIStatusError as error:
        if error.status_code in (400, 422):
            raise HTTPException(422, "The recording cannot be used.") from error
        raise HTTPException(502, "The voice provider failed.") from error
    except APIConnectionError as error:
        raise HTTPException(504, "The voice provider cannot be reached.") from error
    if clone.data is None or clone.data.id is None:
        raise HTTPException(502, "The voice provider returned no voice.")
    return Narrator(name=name, voice_id=clone.data.id)

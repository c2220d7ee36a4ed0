"""The newest official Retell SDK over a real socket."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import retell
from retell import AsyncRetell, Retell

from mockvoice.http.server import Server

from ..conftest import Serve


@pytest.fixture
def client(server: Server) -> Iterator[Retell]:
    with Retell(api_key="key_test", base_url=f"{server.url}/retell", max_retries=0) as client:
        yield client


def test_clone_from_bytes_file_and_tuple(
    client: Retell, samples: dict[str, bytes], tmp_path: Path
) -> None:
    path = tmp_path / "s.mp3"
    path.write_bytes(samples["mp3"])
    with path.open("rb") as file:
        voice = client.voice.clone(
            files=[samples["wav"], ("b.wav", samples["wav"]), file],
            voice_name="narrator",
            voice_provider="elevenlabs",
        )
    assert voice.voice_id.startswith("custom_voice_")
    assert (voice.voice_name, voice.provider) == ("narrator", "elevenlabs")
    assert voice.gender in ("male", "female")


def test_async_client_clones(server: Server, wav: bytes) -> None:
    async def clone() -> Any:
        async with AsyncRetell(api_key="K", base_url=f"{server.url}/retell") as client:
            return await client.voice.clone(files=[wav], voice_name="n", voice_provider="inworld")

    assert asyncio.run(clone()).provider == "inworld"


def test_documented_sample_runs_unchanged_with_audio_any(serve: Serve) -> None:
    url = f"{serve(audio='any').url}/retell"
    client = Retell(api_key="key_test", base_url=url)
    voice_response = client.voice.clone(
        files=[b"Example data"],
        voice_name="x",
        voice_provider="elevenlabs",
    )
    assert voice_response.provider == "elevenlabs"
    client.close()


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"voice_name": ""}, "voice_name must not be empty"),
        ({"voice_name": "x" * 201}, "at most 200"),
        ({"voice_provider": "acme"}, "voice_provider must be one of"),
        ({"files": []}, "files is required"),
        ({"files": [b"Example data"]}, "files.0 must be audio"),
        ({"files": [b"x", b"x"], "voice_provider": "cartesia"}, "at most 1 item for cartesia"),
    ],
)
def test_invalid_field_raises_bad_request_error(
    client: Retell, wav: bytes, changes: dict[str, Any], message: str
) -> None:
    files = [wav if file == b"x" else file for file in changes.get("files", [wav])]
    fields = {"voice_name": "n", "voice_provider": "elevenlabs", **changes, "files": files}
    with pytest.raises(retell.BadRequestError) as caught:
        client.voice.clone(**fields)
    assert isinstance(caught.value.body, dict)
    assert message in caught.value.body["message"]


def test_wrong_auth_scheme_raises_authentication_error(server: Server, wav: bytes) -> None:
    headers = {"Authorization": "Token key_test"}
    url = f"{server.url}/retell"
    with Retell(api_key="key_test", base_url=url, default_headers=headers) as client:
        with pytest.raises(retell.AuthenticationError, match="API key is missing or invalid"):
            client.voice.clone(files=[wav], voice_name="n", voice_provider="elevenlabs")


def test_ended_trial_returns_402(serve: Serve, wav: bytes) -> None:
    url = f"{serve(accounts={'retell': {'key_test': {'trial_ended': True}}}).url}/retell"
    with Retell(api_key="key_test", base_url=url) as client:
        with pytest.raises(retell.APIStatusError, match="Trial has ended") as caught:
            client.voice.clone(files=[wav], voice_name="n", voice_provider="elevenlabs")
    assert caught.value.status_code == 402

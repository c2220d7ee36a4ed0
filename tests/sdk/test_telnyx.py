"""The newest official Telnyx SDK over a real socket."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import telnyx
from telnyx import AsyncTelnyx, Telnyx

from mockvoice.http.server import Server

from ..conftest import Serve

FRIENDLY = "550e8400-e29b-41d4-a716-446655440000"


@pytest.fixture
def client(server: Server) -> Iterator[Telnyx]:
    with Telnyx(api_key="KEY_test", base_url=f"{server.url}/telnyx/v2", max_retries=0) as client:
        yield client


def upload(client: Telnyx, audio: Any, **fields: Any) -> Any:
    request: Any = {  # Any: tests also send invalid fields
        "audio_file": audio,
        "name": "narrator",
        "language": "en",
        "gender": "male",
        "provider": "telnyx",
        **fields,
    }
    return client.voice_clones.create_from_upload(voice_clone_upload_request=request).data


def test_clone_from_bytes(client: Telnyx, wav: bytes) -> None:
    data = upload(client, wav, label="calm", ref_text="hello")
    assert data.id == data.provider_voice_id
    assert (data.name, data.language, data.gender, data.label) == ("narrator", "en", "male", "calm")
    assert data.provider == "Telnyx"
    assert data.provider_supported_models == ["Qwen3TTS"]


def test_clone_from_file_path_and_tuple(
    client: Telnyx, samples: dict[str, bytes], tmp_path: Path
) -> None:
    path = tmp_path / "s.mp3"
    path.write_bytes(samples["mp3"])
    with path.open("rb") as file:
        assert upload(client, file).id
    assert upload(client, path).id
    assert upload(client, ("a.wav", samples["wav"], "audio/wav")).id


def test_clone_from_design(client: Telnyx) -> None:
    clone = client.voice_clones.create(
        voice_clone_request={
            "name": "clone-narrator",
            "voice_design_id": FRIENDLY,
            "language": "en",
            "gender": "male",
        }
    )
    assert clone.data
    assert clone.data.source_voice_design_id == FRIENDLY
    assert clone.data.label == "Speak in a warm, friendly tone"


def test_async_client_clones(server: Server, wav: bytes) -> None:
    async def clone() -> Any:
        async with AsyncTelnyx(api_key="K", base_url=f"{server.url}/telnyx/v2") as client:
            return await client.voice_clones.create_from_upload(
                voice_clone_upload_request={
                    "audio_file": wav,
                    "name": "n",
                    "language": "en",
                    "gender": "male",
                    "provider": "telnyx",
                }
            )

    assert asyncio.run(clone()).data.name == "n"


def test_documented_sample_clones_with_audio_any(serve: Serve) -> None:
    url = f"{serve(audio='any').url}/telnyx/v2"
    with Telnyx(api_key="KEY_test", base_url=url) as client:
        assert upload(client, b"Example data", language="lkf-Lz1vLbBu-9uDh-9AHaOS2D-Cbf").id


@pytest.mark.parametrize(
    ("fields", "pointer"),
    [
        ({"name": ""}, "/name"),
        ({"name": "x" * 256}, "/name"),
        ({"language": "EN"}, "/language"),
        ({"gender": "robot"}, "/gender"),
        ({"provider": "acme"}, "/provider"),
        ({"audio_file": b""}, "/audio_file"),
    ],
)
def test_invalid_field_returns_422_with_pointer(
    client: Telnyx, wav: bytes, fields: dict[str, Any], pointer: str
) -> None:
    with pytest.raises(telnyx.UnprocessableEntityError) as caught:
        upload(client, **{"audio": wav, "audio_file": wav, **fields})
    assert isinstance(caught.value.body, dict)
    assert caught.value.body["errors"][0]["source"]["pointer"] == pointer


@pytest.mark.parametrize("audio", [b"Example data", b"RIFF$   WAVEfmt ", bytes(6 * 2**20)])
def test_invalid_sample_returns_400(client: Telnyx, audio: bytes) -> None:
    with pytest.raises(telnyx.BadRequestError) as caught:
        upload(client, audio)
    assert isinstance(caught.value.body, dict)
    assert caught.value.body["errors"][0]["code"] == "10015"


def test_missing_key_returns_401(server: Server, wav: bytes) -> None:
    """Without a key the SDK sends no Authorization header."""
    with Telnyx(base_url=f"{server.url}/telnyx/v2") as client:
        with pytest.raises(telnyx.AuthenticationError) as caught:
            upload(client, wav)
    assert isinstance(caught.value.body, dict)
    assert caught.value.body["errors"][0]["code"] == "10009"


def test_unknown_design_returns_404(client: Telnyx) -> None:
    with pytest.raises(telnyx.NotFoundError, match="Voice design not found"):
        client.voice_clones.create(
            voice_clone_request={
                "name": "n",
                "voice_design_id": "00000000-0000-4000-8000-000000000000",
                "language": "en",
                "gender": "male",
            }
        )


def test_base_url_without_version_returns_404_with_hint(server: Server, wav: bytes) -> None:
    with Telnyx(api_key="K", base_url=f"{server.url}/telnyx") as client:
        with pytest.raises(telnyx.NotFoundError) as caught:
            upload(client, wav)
    assert f"{server.url}/telnyx/v2" in caught.value.response.headers["x-mockvoice-hint"]

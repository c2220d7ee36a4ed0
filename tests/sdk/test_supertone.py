"""The newest official Supertone SDK over a real socket."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from typing import Any

import pytest
from supertone import Supertone
from supertone.errors import (
    BadRequestErrorResponse,
    ForbiddenErrorResponse,
    PayloadTooLargeErrorResponse,
    TooManyRequestsErrorResponse,
    UnauthorizedErrorResponse,
    UnsupportedMediaTypeErrorResponse,
)

from mockvoice.http.server import Server

from ..conftest import Serve


@pytest.fixture
def client(server: Server) -> Iterator[Any]:
    with Supertone(api_key="sk_test", server_url=f"{server.url}/supertone") as client:
        yield client


def clone(client: Any, content: Any, name: str = "My voice", **file: Any) -> Any:
    files = {"file_name": "a.wav", "content": content, **file}
    return client.custom_voices.create_cloned_voice(files=files, name=name, description="d")


@pytest.mark.parametrize("format", ["wav", "mp3"])
def test_clone_from_wav_and_mp3(client: Any, samples: dict[str, bytes], format: str) -> None:
    assert clone(client, samples[format]).voice_id.startswith("voice_")
    assert clone(client, samples[format], content_type="audio/mpeg").voice_id


def test_async_method_clones(server: Server, wav: bytes) -> None:
    async def clone_async() -> Any:
        async with Supertone(api_key="K", server_url=f"{server.url}/supertone") as client:
            return await client.custom_voices.create_cloned_voice_async(
                files={"file_name": "a.wav", "content": wav}, name="n"
            )

    assert asyncio.run(clone_async()).voice_id


@pytest.mark.parametrize(
    ("name", "size", "error", "status"),
    [
        ("", 0, BadRequestErrorResponse, 400),
        ("x" * 101, 0, BadRequestErrorResponse, 400),
        ("n", 3 * 2**20, PayloadTooLargeErrorResponse, 413),
    ],
)
def test_invalid_request_raises_typed_error(
    client: Any, wav: bytes, name: str, size: int, error: Any, status: int
) -> None:
    with pytest.raises(error) as caught:
        clone(client, wav + bytes(size), name)
    assert caught.value.data.message.status_code == status


@pytest.mark.parametrize("content", [b"Example data", b"fLaC"])
def test_other_audio_format_returns_415(client: Any, content: bytes) -> None:
    with pytest.raises(UnsupportedMediaTypeErrorResponse) as caught:
        clone(client, content)
    assert caught.value.data.message.message.startswith("Unsupported audio format.")


def test_empty_key_returns_401(server: Server, wav: bytes) -> None:
    with Supertone(api_key="", server_url=f"{server.url}/supertone") as client:
        with pytest.raises(UnauthorizedErrorResponse) as caught:
            clone(client, wav)
    assert caught.value.data.message.message == "Invalid API Key"


def test_free_tier_returns_403_and_eleventh_clone_429(serve: Serve, wav: bytes) -> None:
    server = serve(limits="documented", accounts={"supertone": {"free": {"tier": "free"}}})
    with Supertone(api_key="free", server_url=f"{server.url}/supertone") as client:
        with pytest.raises(ForbiddenErrorResponse):
            clone(client, wav)
    with Supertone(api_key="sk_test", server_url=f"{server.url}/supertone") as client:
        for _ in range(10):
            clone(client, wav)
        with pytest.raises(TooManyRequestsErrorResponse, match="rate limit exceeded"):
            clone(client, wav)

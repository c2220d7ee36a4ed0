"""Life cycle of a voice with the official SDKs, sync and async, over a real socket."""

from __future__ import annotations

import asyncio
import inspect
import io
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import av
import httpx
import pytest
import retell
import telnyx
from retell import AsyncRetell, Retell
from supertone import Supertone
from supertone.errors import NotFoundErrorResponse, PaymentRequiredErrorResponse
from telnyx import AsyncTelnyx, Telnyx

from mockvoice.audio.detect import sniff

from ..conftest import Serve

LONG_TEXT = "It was the best of times, it was the worst of times. " * 16  # over 800 characters


async def resolve(result: Any) -> Any:
    """Return the result of a sync client, or await that of an async one."""
    return await result if inspect.isawaitable(result) else result


async def collect(pages: Any) -> list[Any]:
    """Return the items of all pages."""
    if hasattr(pages, "__aiter__"):
        return [item async for item in pages]
    return [*await resolve(pages)]


def seconds(audio: bytes) -> float:
    """Return the duration of audio, decoded by FFmpeg."""
    with av.open(io.BytesIO(audio), "r") as container:
        stream = container.streams.audio[0]
        return sum(frame.samples for frame in container.decode(audio=0)) / stream.rate


@pytest.mark.parametrize("kind", [Telnyx, AsyncTelnyx])
def test_life_cycle_of_telnyx_voice(serve: Serve, wav: bytes, kind: Any) -> None:
    async def main() -> None:
        client = kind(api_key="KEY_test", base_url=f"{serve().url}/telnyx/v2", max_retries=0)
        clones, designs = client.voice_clones, client.voice_designs
        created = await resolve(designs.create(name="calm", prompt="Calm.", text="Hello there."))
        design = created.data
        await resolve(
            designs.create(voice_design_id=design.id, prompt="Calmer.", text="Hello there.")
        )
        assert (await resolve(designs.retrieve("calm"))).data.version == 2
        assert (await resolve(designs.retrieve(design.id, version=1))).data.prompt == "Calm."
        assert {item.name for item in await collect(designs.list())} == {
            "calm",
            "friendly-narrator",
        }
        request = {
            "name": "clone",
            "voice_design_id": design.id,
            "language": "en",
            "gender": "female",
        }
        clone = (await resolve(clones.create(voice_clone_request=request))).data
        assert clone.label == "Calmer."
        for number in range(6):
            upload = {
                "audio_file": wav,
                "name": f"upload {number}",
                "language": "en",
                "gender": "male",
                "provider": "telnyx",
            }
            await resolve(clones.create_from_upload(voice_clone_upload_request=upload))
        listed = await collect(clones.list(page_size=3, filter_name="upload"))
        assert [item.name for item in listed] == [f"upload {n}" for n in (5, 4, 3, 2, 1, 0)]
        renamed = await resolve(clones.update(clone.id, name="narrator", gender="neutral"))
        assert (renamed.data.name, renamed.data.gender) == ("narrator", "neutral")
        speech = client.text_to_speech.with_raw_response
        generated = await resolve(
            speech.generate_speech(text="Hello there", voice=f"Telnyx.Qwen3TTS.{clone.id}")
        )
        assert generated.headers["content-type"] == "audio/mpeg"
        assert seconds(generated.http_response.content) == pytest.approx(0.66, abs=0.05)
        voices = await resolve(client.text_to_speech.list_voices(provider="telnyx"))
        assert "narrator" in [item.name for item in voices.voices]
        sample = await resolve(clones.download_sample(clone.id))
        assert sniff(await resolve(sample.read())).problem == ""
        uploaded = await resolve(clones.download_sample(listed[0].id))
        assert await resolve(uploaded.read()) == wav
        await resolve(designs.rename("calm", name="quiet"))
        assert (
            sniff(await resolve((await resolve(designs.download_sample("quiet"))).read())).format
            == "wav"
        )
        await resolve(clones.delete(clone.id))
        with pytest.raises(telnyx.NotFoundError):
            await resolve(clones.delete(clone.id))
        with pytest.raises(telnyx.NotFoundError):
            await resolve(clones.download_sample(clone.id))
        with pytest.raises(telnyx.BadRequestError, match="Failed to produce text to speech"):
            await resolve(speech.generate_speech(text="x", voice=f"Telnyx.Qwen3TTS.{clone.id}"))
        with pytest.raises(telnyx.UnprocessableEntityError) as caught:
            await resolve(speech.generate_speech(voice="telnyx.NaturalHD.Alloy"))
        assert caught.value.body == {"errors": {"text": ["is required"]}}
        await resolve(designs.delete_version(1, id="quiet"))
        await resolve(designs.delete("quiet"))
        with pytest.raises(telnyx.NotFoundError):
            await resolve(designs.retrieve("quiet"))
        await resolve(client.close())

    asyncio.run(main())


@pytest.mark.parametrize("kind", [Retell, AsyncRetell])
def test_life_cycle_of_retell_voice(serve: Serve, wav: bytes, kind: Any) -> None:
    async def main() -> None:
        client = kind(api_key="key_test", base_url=f"{serve().url}/retell", max_retries=0)
        voice = client.voice
        cloned = await resolve(
            voice.clone(files=[wav], voice_name="narrator", voice_provider="elevenlabs")
        )
        match = (await resolve(voice.search(search_query="rachel"))).voices[0]
        added = await resolve(
            voice.add_resource(
                provider_voice_id=match.provider_voice_id,
                voice_name="Rachel",
                public_user_id=match.public_user_id,
            )
        )
        listed = [item.voice_id for item in await resolve(voice.list())]
        assert "retell-Cimo" in listed
        assert listed[-2:] == [cloned.voice_id, added.voice_id]
        assert await resolve(voice.retrieve(cloned.voice_id)) == cloned
        with pytest.raises(retell.UnprocessableEntityError, match="Cannot find requested asset"):
            await resolve(voice.retrieve("nobody"))
        assert (await resolve(client.concurrency.retrieve())).concurrency_limit == 20
        await resolve(client.close())

    asyncio.run(main())


@pytest.mark.parametrize("suffix", ["", "_async"])
def test_life_cycle_of_supertone_voice(serve: Serve, wav: bytes, suffix: str) -> None:
    server = serve(accounts={"supertone": {"poor": {"credit": 0.5}}})

    @asynccontextmanager
    async def connect(key: str) -> AsyncIterator[Any]:
        client = Supertone(api_key=key, server_url=f"{server.url}/supertone")
        async with client:  # closes its async HTTP client, `with` its sync one
            with client:
                yield client

    async def call(group: Any, method: str, /, **arguments: Any) -> Any:
        return await resolve(getattr(group, method + suffix)(**arguments))

    async def life_cycle(client: Any, poor: Any) -> None:
        custom, speech = client.custom_voices, client.text_to_speech
        files = {"file_name": "a.wav", "content": wav}
        ids = [
            (await call(custom, "create_cloned_voice", files=files, name=f"n{n}")).voice_id
            for n in range(12)
        ]
        first = await call(custom, "list_custom_voices", page_size=10)
        rest = await call(
            custom, "list_custom_voices", page_size=10, next_page_token=first.next_page_token
        )
        assert [item.voice_id for item in first.items + rest.items] == ids
        matches = await call(custom, "search_custom_voices", name="n11")
        assert [item.voice_id for item in matches.items] == [ids[11]]
        edited = await call(custom, "edit_custom_voice", voice_id=ids[0], name="narrator")
        assert edited.name == "narrator"
        assert (await call(custom, "get_custom_voice", voice_id=ids[0])).name == "narrator"
        presets = await call(client.voices, "list_voices")
        assert presets.items[0].samples
        for format in ("wav", "mp3"):
            created = await call(
                speech,
                "create_speech",
                voice_id=ids[0],
                text=LONG_TEXT,
                language="en",
                output_format=format,
            )
            audio = await _bytes(created.result)
            assert sniff(audio).format == format
            # The SDK splits the text into sentences and joins the responses.
            assert seconds(audio) == pytest.approx(len(LONG_TEXT) * 0.06, rel=0.02)
        prediction = await call(
            speech, "predict_duration", voice_id=ids[0], text="Hello there", language="en"
        )
        assert prediction.duration == pytest.approx(0.66)
        phonemes = await call(
            speech,
            "create_speech",
            voice_id=ids[0],
            text="Hello",
            language="en",
            include_phonemes=True,
        )
        assert phonemes.result.phonemes.symbols == [*"Hello"]
        streamed = await call(
            speech, "stream_speech", voice_id=ids[0], text="Hello there", language="en"
        )
        assert seconds(await _bytes(streamed.result)) == pytest.approx(0.66, abs=0.01)
        balance = (await call(client.usage, "get_credit_balance")).balance
        assert balance < 100_000 - len(LONG_TEXT) * 0.06 * 2
        await call(custom, "delete_custom_voice", voice_id=ids[0])
        with pytest.raises(NotFoundErrorResponse):
            await call(custom, "get_custom_voice", voice_id=ids[0])
        with pytest.raises(PaymentRequiredErrorResponse, match="Not enough credits"):
            await call(
                poor.text_to_speech,
                "create_speech",
                voice_id=presets.items[0].voice_id,
                text="Hello there",
                language="en",
            )

    async def main() -> None:
        async with connect("sk_test") as client, connect("poor") as poor:
            await life_cycle(client, poor)

    asyncio.run(main())


async def _bytes(result: Any) -> bytes:
    """Return the audio of an SDK result: bytes, or a response that may be unread."""
    if isinstance(result, bytes):
        return result
    try:
        return bytes(result.content)
    except httpx.ResponseNotRead:
        stream = result.stream
        asynchronous = isinstance(stream, httpx.AsyncByteStream)
        return bytes(await (result.aread() if asynchronous else resolve(result.read())))


def test_life_cycle_of_faseeh_voice(serve: Serve, wav: bytes) -> None:
    text = "مرحبا بك في فصيح"
    url = f"{serve().url}/faseeh/api/v1"
    with httpx.Client(base_url=url, headers={"x-api-key": "K"}) as client:
        model = client.get("/models").json()[0]["model_id"]
        form = {"text": text, "similarity": "0.75", "model_id": model}
        with client.stream("POST", "/voices/preview", data=form, files={"file": wav}) as preview:
            pcm = b"".join(preview.iter_bytes())
        form = {"text": text, "stability": "0.5", "name": "n", "model": model, "languages": "ar"}
        files = {"voice_file": ("preview.pcm", pcm), "reference_audio_file": ("a.wav", wav)}
        voice = client.post("/voices/clone", data=form, files=files).json()
        assert voice["voice_id"] in [item["voice_id"] for item in client.get("/voices").json()]
        body = {"voice_id": voice["voice_id"], "text": text, "stability": 0.5, "streaming": False}
        speech = client.post(f"/text-to-speech/{model}", json=body)
        assert seconds(speech.content) == pytest.approx(len(text) * 0.06, abs=0.001)

"""The whole life of a voice with the official SDKs, sync and async, over a real socket."""

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

LONG = "It was the best of times, it was the worst of times. " * 16  # over 800 characters


async def settled(result: Any) -> Any:
    """What a sync client returned, or what an async one will return."""
    return await result if inspect.isawaitable(result) else result


async def collected(pages: Any) -> list[Any]:
    """Everything on all pages."""
    if hasattr(pages, "__aiter__"):
        return [each async for each in pages]
    return [*await settled(pages)]


def seconds(sound: bytes) -> float:
    """How long a sound plays, as FFmpeg hears it."""
    with av.open(io.BytesIO(sound), "r") as container:
        stream = container.streams.audio[0]
        return sum(frame.samples for frame in container.decode(audio=0)) / stream.rate


@pytest.mark.parametrize("kind", [Telnyx, AsyncTelnyx])
def test_the_story_of_a_telnyx_voice(serve: Serve, wav: bytes, kind: Any) -> None:
    async def story() -> None:
        client = kind(api_key="KEY_test", base_url=f"{serve().url}/telnyx/v2", max_retries=0)
        clones, designs = client.voice_clones, client.voice_designs
        made = await settled(designs.create(name="calm", prompt="Calm.", text="Hello there."))
        design = made.data
        await settled(
            designs.create(voice_design_id=design.id, prompt="Calmer.", text="Hello there.")
        )
        assert (await settled(designs.retrieve("calm"))).data.version == 2
        assert (await settled(designs.retrieve(design.id, version=1))).data.prompt == "Calm."
        assert {each.name for each in await collected(designs.list())} == {
            "calm",
            "friendly-narrator",
        }
        request = {
            "name": "clone",
            "voice_design_id": design.id,
            "language": "en",
            "gender": "female",
        }
        clone = (await settled(clones.create(voice_clone_request=request))).data
        assert clone.label == "Calmer."
        for number in range(6):
            upload = {
                "audio_file": wav,
                "name": f"upload {number}",
                "language": "en",
                "gender": "male",
                "provider": "telnyx",
            }
            await settled(clones.create_from_upload(voice_clone_upload_request=upload))
        listed = await collected(clones.list(page_size=3, filter_name="upload"))
        assert [each.name for each in listed] == [f"upload {n}" for n in (5, 4, 3, 2, 1, 0)]
        renamed = await settled(clones.update(clone.id, name="narrator", gender="neutral"))
        assert (renamed.data.name, renamed.data.gender) == ("narrator", "neutral")
        speech = client.text_to_speech.with_raw_response
        said = await settled(
            speech.generate_speech(text="Hello there", voice=f"Telnyx.Qwen3TTS.{clone.id}")
        )
        assert said.headers["content-type"] == "audio/mpeg"
        assert seconds(said.http_response.content) == pytest.approx(0.66, abs=0.05)
        voices = await settled(client.text_to_speech.list_voices(provider="telnyx"))
        assert "narrator" in [each.name for each in voices.voices]
        sample = await settled(clones.download_sample(clone.id))
        assert sniff(await settled(sample.read())).problem == ""
        of_upload = await settled(clones.download_sample(listed[0].id))
        assert await settled(of_upload.read()) == wav
        await settled(designs.rename("calm", name="quiet"))
        assert (
            sniff(await settled((await settled(designs.download_sample("quiet"))).read())).format
            == "wav"
        )
        await settled(clones.delete(clone.id))
        with pytest.raises(telnyx.NotFoundError):
            await settled(clones.delete(clone.id))
        with pytest.raises(telnyx.NotFoundError):
            await settled(clones.download_sample(clone.id))
        with pytest.raises(telnyx.BadRequestError, match="Failed to produce text to speech"):
            await settled(speech.generate_speech(text="x", voice=f"Telnyx.Qwen3TTS.{clone.id}"))
        with pytest.raises(telnyx.UnprocessableEntityError) as caught:
            await settled(speech.generate_speech(voice="telnyx.NaturalHD.Alloy"))
        assert caught.value.body == {"errors": {"text": ["is required"]}}
        await settled(designs.delete_version(1, id="quiet"))
        await settled(designs.delete("quiet"))
        with pytest.raises(telnyx.NotFoundError):
            await settled(designs.retrieve("quiet"))
        await settled(client.close())

    asyncio.run(story())


@pytest.mark.parametrize("kind", [Retell, AsyncRetell])
def test_the_story_of_a_retell_voice(serve: Serve, wav: bytes, kind: Any) -> None:
    async def story() -> None:
        client = kind(api_key="key_test", base_url=f"{serve().url}/retell", max_retries=0)
        voice = client.voice
        made = await settled(
            voice.clone(files=[wav], voice_name="narrator", voice_provider="elevenlabs")
        )
        found = (await settled(voice.search(search_query="rachel"))).voices[0]
        added = await settled(
            voice.add_resource(
                provider_voice_id=found.provider_voice_id,
                voice_name="Rachel",
                public_user_id=found.public_user_id,
            )
        )
        listed = [each.voice_id for each in await settled(voice.list())]
        assert "retell-Cimo" in listed
        assert listed[-2:] == [made.voice_id, added.voice_id]
        assert await settled(voice.retrieve(made.voice_id)) == made
        with pytest.raises(retell.UnprocessableEntityError, match="Cannot find requested asset"):
            await settled(voice.retrieve("nobody"))
        assert (await settled(client.concurrency.retrieve())).concurrency_limit == 20
        await settled(client.close())

    asyncio.run(story())


@pytest.mark.parametrize("suffix", ["", "_async"])
def test_the_story_of_a_supertone_voice(serve: Serve, wav: bytes, suffix: str) -> None:
    server = serve(accounts={"supertone": {"poor": {"credit": 0.5}}})

    @asynccontextmanager
    async def opened(key: str) -> AsyncIterator[Any]:
        client = Supertone(api_key=key, server_url=f"{server.url}/supertone")
        async with client:  # it has a client for async methods, and one for the others
            with client:
                yield client

    async def call(group: Any, method: str, /, **arguments: Any) -> Any:
        return await settled(getattr(group, method + suffix)(**arguments))

    async def story(client: Any, poor: Any) -> None:
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
        assert [each.voice_id for each in first.items + rest.items] == ids
        found = await call(custom, "search_custom_voices", name="n11")
        assert [each.voice_id for each in found.items] == [ids[11]]
        edited = await call(custom, "edit_custom_voice", voice_id=ids[0], name="narrator")
        assert edited.name == "narrator"
        assert (await call(custom, "get_custom_voice", voice_id=ids[0])).name == "narrator"
        presets = await call(client.voices, "list_voices")
        assert presets.items[0].samples
        for format in ("wav", "mp3"):
            said = await call(
                speech,
                "create_speech",
                voice_id=ids[0],
                text=LONG,
                language="en",
                output_format=format,
            )
            sound = await _bytes(said.result)
            assert sniff(sound).format == format
            # The SDK splits the text where sentences end, and puts the answers together.
            assert seconds(sound) == pytest.approx(len(LONG) * 0.06, rel=0.02)
        told = await call(
            speech, "predict_duration", voice_id=ids[0], text="Hello there", language="en"
        )
        assert told.duration == pytest.approx(0.66)
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
        assert balance < 100_000 - len(LONG) * 0.06 * 2
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

    async def both() -> None:
        async with opened("sk_test") as client, opened("poor") as poor:
            await story(client, poor)

    asyncio.run(both())


async def _bytes(result: Any) -> bytes:
    """The sound in what the SDK returns: bytes, or a response that may still be read."""
    if isinstance(result, bytes):
        return result
    try:
        return bytes(result.content)
    except httpx.ResponseNotRead:
        stream = result.stream
        asynchronous = isinstance(stream, httpx.AsyncByteStream)
        return bytes(await (result.aread() if asynchronous else settled(result.read())))


def test_the_story_of_a_faseeh_voice(serve: Serve, wav: bytes) -> None:
    text = "مرحبا بك في فصيح"
    url = f"{serve().url}/faseeh/api/v1"
    with httpx.Client(base_url=url, headers={"x-api-key": "K"}) as client:
        model = client.get("/models").json()[0]["model_id"]
        form = {"text": text, "similarity": "0.75", "model_id": model}
        with client.stream("POST", "/voices/preview", data=form, files={"file": wav}) as preview:
            info = b"".join(preview.iter_bytes())
        form = {"text": text, "stability": "0.5", "name": "n", "model": model, "languages": "ar"}
        files = {"voice_file": ("preview.pcm", info), "reference_audio_file": ("a.wav", wav)}
        voice = client.post("/voices/clone", data=form, files=files).json()
        assert voice["voice_id"] in [each["voice_id"] for each in client.get("/voices").json()]
        body = {"voice_id": voice["voice_id"], "text": text, "stability": 0.5, "streaming": False}
        said = client.post(f"/text-to-speech/{model}", json=body)
        assert seconds(said.content) == pytest.approx(len(text) * 0.06, abs=0.001)

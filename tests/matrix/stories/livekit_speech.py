"""A LiveKit plugin of Faseeh, PLUGIN, whose speech uses HTTP: at once, and streamed."""

import asyncio
import importlib
import os

import aiohttp
from livekit.agents import APIConnectOptions, APIStatusError

plugin = importlib.import_module(f"livekit.plugins.{os.environ['PLUGIN']}")
options = APIConnectOptions(max_retry=3, retry_interval=0.01, timeout=10)
TEXT = "مرحبا بك في فصيح. "
url = os.environ["MOCKVOICE_URL"] + "/faseeh/api/v1"


async def seconds(stream):
    async with stream:
        return sum([event.frame.duration async for event in stream])


async def main():
    async with aiohttp.ClientSession() as session:
        tts = plugin.TTS(api_key="KEY", base_url=url, http_session=session)
        assert await seconds(tts.synthesize(TEXT, conn_options=options)) > 0.5
        print("speech")
        assert await seconds(tts.synthesize(TEXT, conn_options=options)) > 0.5
        print("retry")
        stream = tts.stream(conn_options=options)
        stream.push_text(TEXT)
        stream.end_input()
        assert await seconds(stream) > 0.5
        print("stream")
        tts.update_options(voice_id="unknown")
        try:
            await seconds(tts.synthesize(TEXT, conn_options=APIConnectOptions(max_retry=0)))
            raise AssertionError("no error")
        except APIStatusError as error:
            assert error.status_code == 404, error
        print("unknown")


asyncio.run(main())

"""LiveKit's plugin for Telnyx, whose speech uses a WebSocket."""

import asyncio
import os

import aiohttp
from livekit.agents import APIConnectOptions, APIError
from livekit.plugins import telnyx

options = APIConnectOptions(max_retry=3, retry_interval=0.01, timeout=10)
url = os.environ["MOCKVOICE_URL"].replace("http", "ws", 1) + "/telnyx/v2/text-to-speech/speech"


async def seconds(stream):
    async with stream:
        return sum([event.frame.duration async for event in stream])


async def main():
    async with aiohttp.ClientSession() as session:
        tts = telnyx.TTS(api_key="KEY", base_url=url, http_session=session)
        assert await seconds(tts.synthesize("Hello there.", conn_options=options)) > 0.5
        print("speech")
        stream = tts.stream(conn_options=options)
        stream.push_text("Hello ")
        stream.push_text("there.")
        stream.end_input()
        assert await seconds(stream) > 0.5
        print("stream")
        unknown = telnyx.TTS(api_key="KEY", base_url=url, voice="Nobody.x.y", http_session=session)
        try:
            await seconds(unknown.synthesize("Hi.", conn_options=APIConnectOptions(max_retry=0)))
            raise AssertionError("no error")
        except APIError as error:
            assert "400" in str(error), error
        print("unknown")


asyncio.run(main())

"""The MCP server `supertone-mcp`, called with the MCP client over its standard input and output."""

import asyncio
import os
import re
import sys

from mcp import ClientSession, StdioServerParameters
from mcp.client.stdio import stdio_client

SERVER = StdioServerParameters(
    command=sys.executable, args=["-m", "supertone_mcp"], env={**os.environ}
)


async def main():
    async with stdio_client(SERVER) as streams, ClientSession(*streams) as session:
        await session.initialize()

        async def call(tool, **arguments):
            result = await session.call_tool(tool, arguments)
            return "".join(content.text for content in result.content)

        cloned = await call("clone_voice", name="narrator", audio_path=os.environ["SAMPLE"])
        id = re.search(r"voice_[0-9a-f]{20}", cloned)[0]
        print("clone")
        found = await call("search_custom_voice", name="narrator")
        assert id in found, found
        print("list")
        said = await call("text_to_speech", text="Hello there.", voice_id=id, language="en")
        assert ".wav" in said or ".mp3" in said, said
        print("speech")
        deleted = await call("delete_custom_voice", voice_id=id)
        assert id in deleted, deleted
        print("delete")
        missing = await call("get_custom_voice", voice_id=id)
        assert "404" in missing or "not found" in missing.lower(), missing
        print("unknown")


asyncio.run(main())

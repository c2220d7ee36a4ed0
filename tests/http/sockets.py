"""A WebSocket client for tests."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import Mapping, Sequence
from typing import Any
from urllib.parse import urlencode

from websockets.exceptions import ConnectionClosed
from websockets.sync.client import ClientConnection, connect

from ..conftest import Box

KEY = {"Authorization": "Bearer KEY_123456789"}
SPEECH = "/telnyx/v2/text-to-speech/speech"


def socket_url(url: str, path: str = SPEECH, **parameters: Any) -> str:
    query = f"?{urlencode(parameters)}" if parameters else ""
    return f"{url.replace('http', 'ws', 1)}{path}{query}"


def opened(url: str, headers: dict[str, str] | None = None, **options: Any) -> ClientConnection:
    """Return an open WebSocket to a URL."""
    sent = KEY if headers is None else headers
    connection: ClientConnection = connect(
        url, additional_headers=sent, open_timeout=20, close_timeout=20, **options
    )
    return connection


def say(socket: ClientConnection, *frames: Any) -> None:
    """Send frames: text is that of a frame of Telnyx."""
    for frame in frames:
        socket.send(json.dumps({"text": frame} if isinstance(frame, str) else frame))


def receive_frames(socket: ClientConnection, count: int | None = None) -> list[Any]:
    """Return the next frames, or all until the connection ends."""
    frames: list[Any] = []
    try:
        while count is None or len(frames) < count:
            frames.append(json.loads(socket.recv(timeout=20)))
    except ConnectionClosed:
        assert count is None
    return frames


def kinds(frames: list[Any]) -> list[str]:
    """Return the types of frames of Telnyx, each run of audio as one."""
    types = [frame["type"] for frame in frames]
    return [kind for i, kind in enumerate(types) if i == 0 or types[i - 1] != kind]


async def exchanged(
    app: Any,
    frames: Sequence[str | bytes],
    headers: Mapping[str, str] = KEY,
    *,
    extensions: Mapping[str, Any] = {"websocket.http.response": {}},
) -> list[Any]:
    """Return all messages of an ASGI application to a client that sends frames, and waits."""
    received = [
        {"type": "websocket.receive", "text" if isinstance(frame, str) else "bytes": frame}
        for frame in frames
    ]
    waiting = [{"type": "websocket.connect"}, *received]
    sent: list[Any] = []

    async def receive() -> Any:
        if not waiting:
            await asyncio.Event().wait()
        return waiting.pop(0)

    async def send(message: Any) -> None:
        sent.append(message)

    raw = [(name.lower().encode(), text.encode()) for name, text in headers.items()]
    scope = {
        "type": "websocket",
        "path": SPEECH,
        "scheme": "ws",
        "query_string": b"",
        "headers": [(b"host", b"x"), *raw],
        "extensions": extensions,
    }
    await app(scope, receive, send)
    return sent


def closed(box: Box, index: int = 0) -> Any:
    """Return a journal entry, by default the oldest one, once its connection has ended."""
    deadline = time.monotonic() + 20
    while (entry := box.requests()[index])["closed"] is None and time.monotonic() < deadline:
        pass
    return entry

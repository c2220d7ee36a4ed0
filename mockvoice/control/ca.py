"""Handlers for `/ca.pem` and `/ca.p12`: the certificate that clients of TLS have to trust."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from ..errors import TLSUnavailable
from ..http.tls import TLSError
from ..provider import Response
from .context import ControlContext


async def get_ca(ctx: ControlContext) -> Response:
    return await _file(lambda: ctx.mock.ca.pem)


async def get_trust_store(ctx: ControlContext) -> Response:
    return await _file(lambda: ctx.mock.ca.p12)


async def _file(read: Callable[[], bytes]) -> Response:
    """Return the result of a function that may take a while, once in each process."""
    try:
        return Response(await asyncio.to_thread(read))
    except TLSError as error:
        raise TLSUnavailable(str(error)) from None

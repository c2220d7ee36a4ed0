"""HTTP clients of servers without TLS."""

from __future__ import annotations

import ssl
from typing import Any

import httpx

# Without CAs, and shared: httpx would make one for each client, which takes longer than a request.
_TLS = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)


def make_client(url: str, **options: Any) -> httpx.Client:
    """Return a client with a base URL."""
    return httpx.Client(base_url=url, verify=_TLS, **options)

"""Requests to live services, and their responses."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import NamedTuple

Headers = Sequence[tuple[bytes, bytes]]


class LiveRequest(NamedTuple):
    """A request as a client sent it; `target` is its path below the base path, with the query."""

    provider: str
    method: str
    target: bytes
    headers: Headers
    body: Sequence[bytes] = ()
    size: int = 0


@dataclass(slots=True, eq=False)
class LiveResponse:
    """The response of a live service; a body that is not `bytes` is still on its way.

    `headers` are those of the message, without those of its connection; `repeated` has the further
    values of a header that was sent several times. `failure` is the reason why the body broke off.
    `close` has to be called unless the body is `bytes`.
    """

    status: int
    media_type: str
    headers: dict[str, str]
    body: bytes | AsyncIterator[bytes] = b""
    repeated: Headers = ()
    content_length: int | None = None
    failure: str = ""
    close: Callable[[], Awaitable[None]] | None = None

    @property
    def is_json(self) -> bool:
        """True for JSON that is not encoded further."""
        name = self.media_type.partition(";")[0].strip().lower()
        is_json = name == "application/json" or name.endswith("+json")
        return is_json and "content-encoding" not in self.headers

    def whole(self) -> bytes:
        """Return a body that was read."""
        return self.body if isinstance(self.body, bytes) else b""

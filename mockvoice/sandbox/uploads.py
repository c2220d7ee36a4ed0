"""Files as they arrived, and how many of their bytes are kept."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, field
from functools import cached_property
from hashlib import sha256
from typing import Any

from ..audio import Heard, listen, seconds


@dataclass(eq=False)
class Upload:
    """A file as it arrived: what its sender called it, and its bytes while they are kept.

    `size` is in bytes and stays when the content is given up.
    """

    name: str
    filename: str
    content_type: str
    content: bytes | memoryview = field(repr=False)
    size: int = field(init=False)
    kept: bool = field(default=True, init=False)

    def __post_init__(self) -> None:
        self.size = len(self.content)

    @property
    def data(self) -> bytes:
        """The bytes of the file; none when they were given up."""
        return bytes(self.content)

    @cached_property
    def heard(self) -> Heard:
        """What the file is by its bytes."""
        return listen(self.content)

    @cached_property
    def seconds(self) -> float | None:
        """How long it plays; None when that cannot be told."""
        return seconds(self.data, self.heard.format) if self.kept else None

    @cached_property
    def sha256(self) -> str | None:
        """The digest of its bytes; None when they were given up unasked."""
        return sha256(self.content).hexdigest() if self.kept else None

    def give_up(self) -> None:
        """Forget the bytes, not what they were."""
        _ = self.heard
        self.content, self.kept = b"", False

    def described(self) -> dict[str, Any]:
        """The file without its bytes, as JSON."""
        return {
            "field": self.name,
            "filename": self.filename,
            "content_type": self.content_type,
            "bytes": self.size,
            "sha256": self.sha256,
            "format": self.heard.format,
            "seconds": self.seconds,
        }


class Kept:
    """The files whose bytes a server keeps, for all its sandboxes: at most `most` bytes of them.

    Beyond that the oldest are given up, and counted in `dropped`.
    """

    def __init__(self, most: int) -> None:
        self._most = most
        self._uploads: deque[Upload] = deque()
        self.bytes = 0
        self.dropped = 0

    def keep(self, upload: Upload) -> None:
        """Keep one more file, at the cost of the oldest where there is no room."""
        self._uploads.append(upload)
        self.bytes += upload.size
        while self.bytes > self._most and len(self._uploads) > 1:
            self._give_up(self._uploads.popleft())
            self.dropped += 1

    def forget(self, uploads: set[Upload]) -> None:
        """Give up files that nobody will ask for again."""
        for upload in uploads & set(self._uploads):
            self._give_up(upload)
        self._uploads = deque(each for each in self._uploads if each.kept)

    def _give_up(self, upload: Upload) -> None:
        self.bytes -= upload.size
        upload.give_up()

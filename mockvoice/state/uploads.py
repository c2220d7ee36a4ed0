"""Uploaded files, and the memory that they may occupy."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from hashlib import sha256
from typing import Any

from ..audio.detect import AudioInfo, seconds, sniff


@dataclass(slots=True, eq=False)
class Upload:
    """A file as it arrived: the name of its field, and what its sender declared.

    `content` is None when it was evicted from the store; `size` is in bytes and stays. `id` is
    given by the request that stores it. `detected`, `duration` and `digest` hold what was computed
    from the content, so that it is computed once.
    """

    name: str
    filename: str
    content_type: str
    content: bytes | memoryview | None = field(repr=False)
    size: int = -1
    id: str = ""
    detected: AudioInfo | None = field(default=None, repr=False)
    duration: float | None = field(default=None, repr=False)
    digest: str | None = field(default=None, repr=False)

    def __post_init__(self) -> None:
        if self.size < 0:
            self.size = len(self.content or b"")

    @property
    def data(self) -> bytes:
        """The bytes of the file; none if they were evicted."""
        return bytes(self.content or b"")

    @property
    def info(self) -> AudioInfo:
        """The format of the file by its bytes."""
        if self.detected is None:
            self.detected = sniff(self.content or b"")
        return self.detected

    @property
    def seconds(self) -> float | None:
        """The duration of the audio; None if it cannot be determined, or the bytes were evicted."""
        if self.content is None:
            return None
        if self.duration is None:
            self.duration = seconds(self.content, self.info.format)
        return self.duration

    @property
    def sha256(self) -> str | None:
        """The SHA-256 digest in hexadecimal; None if the bytes were evicted."""
        if self.content is None:
            return None
        if self.digest is None:
            self.digest = sha256(self.content).hexdigest()
        return self.digest

    def described(self) -> dict[str, Any]:
        """Return the file without its bytes, as JSON."""
        return {
            "field": self.name,
            "filename": self.filename,
            "content_type": self.content_type,
            "bytes": self.size,
            "sha256": self.sha256,
            "format": self.info.format,
            "seconds": self.seconds,
        }


class UploadCache:
    """The uploaded files of all sandboxes in memory, at most `capacity` bytes of them.

    The content of the oldest files is evicted. A file that no record and no journal entry refers
    to is deleted. The ids of files differ between all sandboxes.
    """

    def __init__(self, capacity: int) -> None:
        self._capacity = capacity
        self._uploads: dict[str, Upload] = {}
        self._references: dict[str, int] = {}
        self._sizes: OrderedDict[str, int] = OrderedDict()  # of the files with content
        self.bytes = 0
        self.evicted = 0

    def retain(self, ids: Iterable[str]) -> None:
        """Count one more reference to each of these files."""
        references = self._references
        for id in ids:
            references[id] = references.get(id, 0) + 1

    def release(self, ids: Iterable[str]) -> None:
        """Count one less, and delete the files that have none."""
        for id in ids:
            references = self._references.get(id, 0) - 1
            if references > 0:
                self._references[id] = references
            elif references == 0:
                del self._references[id]
                self._uploads.pop(id, None)
                self.bytes -= self._sizes.pop(id, 0)

    def put(self, upload: Upload) -> None:
        """Store a file that is referred to, unless it is there."""
        id = upload.id
        if id not in self._references or id in self._sizes:
            return
        self._uploads[id] = upload
        self._sizes[id] = upload.size
        self.bytes += upload.size
        while self.bytes > self._capacity and len(self._sizes) > 1:
            oldest, size = self._sizes.popitem(last=False)
            self.bytes -= size
            self.evicted += 1
            evicted = self._uploads[oldest]
            self._uploads[oldest] = replace(evicted, content=None, detected=evicted.info)

    def get(self, ids: Iterable[str]) -> list[Upload]:
        """Return files by their ids."""
        return [self._uploads[id] for id in ids if id in self._uploads]

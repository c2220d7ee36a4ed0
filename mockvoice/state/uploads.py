"""Uploaded files, and the memory that they may occupy."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Iterable
from dataclasses import dataclass, field
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

    def without_content(self) -> Upload:
        """Return the file as it is once its bytes are evicted."""
        name, filename, content_type = self.name, self.filename, self.content_type
        return Upload(name, filename, content_type, None, self.size, self.id, self.info)

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


@dataclass(slots=True, eq=False)
class _File:
    """A file that records and journal entries refer to; its upload is put after the first one."""

    references: int = 0
    upload: Upload | None = None


class UploadCache:
    """The uploaded files of all sandboxes in memory, at most `capacity` bytes of them.

    The content of the oldest files is evicted. A file that no record and no journal entry refers
    to is deleted. The ids of files differ between all sandboxes.
    """

    def __init__(self, capacity: int) -> None:
        self._capacity = capacity
        self._files: dict[str, _File] = {}
        self._sizes: OrderedDict[str, int] = OrderedDict()  # of the files with content
        self.bytes = 0
        self.evicted = 0

    def retain(self, ids: Iterable[str]) -> None:
        """Count one more reference to each of these files."""
        for id in ids:
            file = self._files.get(id)
            if file is None:
                file = self._files[id] = _File()
            file.references += 1

    def release(self, ids: Iterable[str]) -> None:
        """Count one less, and delete the files that have none."""
        for id in ids:
            file = self._files.get(id)
            if file is not None:
                file.references -= 1
                if not file.references:
                    del self._files[id]
                    self.bytes -= self._sizes.pop(id, 0)

    def put(self, upload: Upload) -> None:
        """Store a file that is referred to, unless it is there."""
        id = upload.id
        file = self._files.get(id)
        if file is None or id in self._sizes:
            return
        file.upload = upload
        self._sizes[id] = upload.size
        self.bytes += upload.size
        while self.bytes > self._capacity and len(self._sizes) > 1:
            oldest, size = self._sizes.popitem(last=False)
            self.bytes -= size
            self.evicted += 1
            evicted = self._files[oldest]
            evicted.upload = evicted.upload and evicted.upload.without_content()

    def get(self, ids: Iterable[str]) -> list[Upload]:
        """Return files by their ids."""
        files = [self._files[id] for id in ids if id in self._files]
        return [file.upload for file in files if file.upload]

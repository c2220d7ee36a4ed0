"""Files as they arrived, and how many of their bytes are kept."""

from __future__ import annotations

from collections import OrderedDict
from dataclasses import dataclass, field
from hashlib import sha256
from typing import Any
from weakref import ReferenceType, ref

from ..audio.detect import AudioInfo, seconds, sniff


@dataclass(slots=True, eq=False, weakref_slot=True)
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
    _info: AudioInfo | None = field(default=None, init=False, repr=False)
    _seconds: float | None = field(default=None, init=False, repr=False)
    _sha256: str | None = field(default=None, init=False, repr=False)

    def __post_init__(self) -> None:
        self.size = len(self.content)

    @property
    def data(self) -> bytes:
        """The bytes of the file; none when they were given up."""
        return bytes(self.content)

    @property
    def info(self) -> AudioInfo:
        """What the file is by its bytes."""
        if self._info is None:
            self._info = sniff(self.content)
        return self._info

    @property
    def seconds(self) -> float | None:
        """How long it plays; None when that cannot be told."""
        if self.kept and self._seconds is None:
            self._seconds = seconds(self.content, self.info.format)
        return self._seconds if self.kept else None

    @property
    def sha256(self) -> str | None:
        """The digest of its bytes; None when they were given up."""
        if self.kept and self._sha256 is None:
            self._sha256 = sha256(self.content).hexdigest()
        return self._sha256 if self.kept else None

    def evict(self) -> None:
        """Forget the bytes, not what they were."""
        self._info = self.info
        self.content, self.kept = b"", False

    def described(self) -> dict[str, Any]:
        """The file without its bytes, as JSON."""
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
    """The files whose bytes a server keeps, for all its sandboxes: at most `most` bytes of them.

    Beyond that the oldest are given up, and counted in `dropped`. A file that no record and no
    exchange holds any more is not kept by this.
    """

    def __init__(self, max_count: int) -> None:
        self._max_count = max_count
        self._sizes: OrderedDict[ReferenceType[Upload], int] = OrderedDict()
        self.bytes = 0
        self.evicted = 0

    def keep(self, upload: Upload) -> None:
        """Keep one more file, at the cost of the oldest where there is no room."""
        self._sizes[ref(upload, self._gone)] = upload.size
        self.bytes += upload.size
        while self.bytes > self._max_count and len(self._sizes) > 1:
            oldest, size = self._sizes.popitem(last=False)
            self.bytes -= size
            self.evicted += 1
            if found := oldest():
                found.evict()

    def _gone(self, reference: ReferenceType[Upload]) -> None:
        self.bytes -= self._sizes.pop(reference, 0)

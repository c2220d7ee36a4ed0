"""Journal entries, records, fault rules and files as bytes, for a store in another process."""

from __future__ import annotations

import json
from typing import Any

from ..audio.detect import AudioInfo
from ..errors import Violation
from .journal import JournalEntry, JournalFrame, ResponseDifference
from .records import Record
from .uploads import Upload

_QUERY, _HEADERS, _UPLOADS, _VIOLATIONS, _RESPONSE, _DIFFERENCE, _FRAMES, _CLOSED = map(
    JournalEntry._fields.index,
    (
        "query",
        "headers",
        "uploads",
        "violations",
        "response",
        "difference",
        "frames",
        "closed",
    ),
)
_FILES = Record._fields.index("uploads")
# Number, revision and removal of a record change in the store, which has its keys beside it.
_RECORD_FIELDS = tuple(
    name not in ("number", "revision", "removed", "keys") for name in Record._fields
)


def dump(value: Any) -> str:
    """Return JSON in ASCII, without spaces."""
    return json.dumps(value, separators=(",", ":"))


def encode_entry(entry: JournalEntry) -> bytes:
    """Return a journal entry as a line of JSON that is followed by the body of the response."""
    values: list[Any] = [*entry]
    values[_QUERY] = entry.query.decode("latin-1")
    values[_HEADERS] = [
        (name.decode("latin-1"), text.decode("latin-1")) for name, text in entry.headers
    ]
    values[_RESPONSE] = None
    return b"%s\n%s" % (dump(values).encode(), entry.response)


def decode_entry(data: bytes) -> JournalEntry:
    """Return the journal entry that `encode_entry` encoded."""
    line, _, response = data.partition(b"\n")
    values = json.loads(line)
    values[_QUERY] = values[_QUERY].encode("latin-1")
    values[_HEADERS] = [
        (name.encode("latin-1"), text.encode("latin-1")) for name, text in values[_HEADERS]
    ]
    values[_UPLOADS] = tuple(values[_UPLOADS])
    values[_VIOLATIONS] = tuple(Violation(*violation) for violation in values[_VIOLATIONS])
    values[_RESPONSE] = response
    if values[_DIFFERENCE] is not None:
        values[_DIFFERENCE] = tuple(ResponseDifference(*one) for one in values[_DIFFERENCE])
    values[_FRAMES] = tuple(JournalFrame(*frame) for frame in values[_FRAMES])
    values[_CLOSED] = values[_CLOSED] and tuple(values[_CLOSED])
    return JournalEntry(*values)


def encode_record(record: Record) -> str:
    """Return a record without what changes in the store."""
    return dump([value for value, kept in zip(record, _RECORD_FIELDS, strict=True) if kept])


def decode_record(data: bytes, number: int, revision: int, *, removed: bool) -> Record:
    """Return the record that `encode_record` encoded, with its state in the store."""
    values = json.loads(data)
    values[_FILES] = () if removed else tuple(values[_FILES])
    return Record(*values)._replace(number=number, revision=revision, removed=removed)


def describe_upload(upload: Upload) -> str:
    """Return a file without its content."""
    return dump([upload.name, upload.filename, upload.content_type, upload.size, upload.info])


def decode_upload(id: str, about: bytes, content: bytes | None) -> Upload:
    """Return the file that `describe_upload` described."""
    name, filename, content_type, size, info = json.loads(about)
    return Upload(name, filename, content_type, content, size, id, AudioInfo(*info))

"""Uploaded files in a store: the size limit, and references from records and journal entries."""

from __future__ import annotations

from hashlib import sha256
from typing import Any, ClassVar

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from mockvoice.config.settings import BYTES_PER_MB
from mockvoice.state.store import PutRecord, RemoveRecord, Store
from mockvoice.state.uploads import Upload, UploadCache

from .requests import begin, make_record, make_store, run

CAPACITY = 10


def make_upload(id: str, size: int) -> Upload:
    return Upload("file", "a.wav", "audio/wav", bytes(size), id=id)


def put(cache: UploadCache, *uploads: Upload) -> None:
    for upload in uploads:
        cache.retain([upload.id])
        cache.put(upload)


def contents(store: Store, *ids: str, sandbox: str = "") -> list[bytes | memoryview | None]:
    return [upload.content for upload in run(store.get_uploads(sandbox, ids))]


# --- the cache -----------------------------------------------------------------------------------


def test_content_over_capacity_is_evicted_oldest_first_and_counted() -> None:
    cache = UploadCache(CAPACITY)
    put(cache, *(make_upload(str(number), 4) for number in range(4)))
    uploads = cache.get("0123")
    assert [len(upload.data) for upload in uploads] == [0, 0, 4, 4]
    assert [upload.size for upload in uploads] == [4, 4, 4, 4]
    assert (cache.bytes, cache.evicted) == (8, 2)


def test_evicted_file_is_described_without_its_content(wav: bytes) -> None:
    cache = UploadCache(CAPACITY)
    evicted = Upload("file", "a.wav", "audio/wav", wav, id="a")
    before = evicted.described()
    put(cache, evicted, make_upload("b", 1))
    (upload,) = cache.get("a")
    assert before["sha256"] == sha256(wav).hexdigest()
    assert before["seconds"] == pytest.approx(1, abs=0.1)
    assert upload.described() == {**before, "sha256": None, "seconds": None}
    assert upload.info.format == "wav"


def test_file_larger_than_the_capacity_is_kept_alone() -> None:
    cache = UploadCache(CAPACITY)
    put(cache, make_upload("small", 5), make_upload("large", 50))
    small, large = cache.get(["small", "large"])
    assert (small.content, large.data) == (None, bytes(50))
    assert (cache.bytes, cache.evicted) == (50, 1)


def test_file_without_references_is_not_stored() -> None:
    cache = UploadCache(CAPACITY)
    cache.put(make_upload("a", 5))
    assert cache.get("a") == []
    assert cache.bytes == 0
    cache.release("a")  # and has none to release


def test_file_is_stored_once() -> None:
    cache = UploadCache(CAPACITY)
    upload = make_upload("a", 6)
    put(cache, upload, upload)
    assert (cache.bytes, cache.evicted) == (6, 0)


def test_file_is_deleted_with_its_last_reference() -> None:
    cache = UploadCache(CAPACITY)
    put(cache, make_upload("a", 5))
    cache.retain("a")
    cache.release("a")
    assert len(cache.get("a")) == 1
    cache.release("a")
    assert cache.get("a") == []
    assert (cache.bytes, cache.evicted) == (0, 0)


class Uploads(RuleBasedStateMachine):
    """A cache beside a model of it: references, and sizes in the order of storage."""

    IDS: ClassVar[Any] = st.sampled_from("abcdef")

    @initialize(capacity=st.integers(0, 20))
    def start(self, capacity: int) -> None:
        self.cache, self.capacity = UploadCache(capacity), capacity
        self.references: dict[str, int] = {}
        self.sizes: dict[str, int] = {}
        self.in_memory: dict[str, int] = {}
        self.evicted = 0

    @rule(id=IDS)
    def retain(self, id: str) -> None:
        self.cache.retain([id])
        self.references[id] = self.references.get(id, 0) + 1

    @rule(id=IDS)
    def release(self, id: str) -> None:
        self.cache.release([id])
        self.references[id] = max(self.references.get(id, 0) - 1, 0)
        if not self.references[id]:
            self.sizes.pop(id, None)
            self.in_memory.pop(id, None)

    @precondition(lambda self: any(self.references.values()))
    @rule(id=IDS, size=st.integers(0, 12))
    def put(self, id: str, size: int) -> None:
        self.cache.put(make_upload(id, size))
        if self.references.get(id) and id not in self.in_memory:
            self.sizes[id] = self.in_memory[id] = size
            while sum(self.in_memory.values()) > self.capacity and len(self.in_memory) > 1:
                del self.in_memory[next(iter(self.in_memory))]
                self.evicted += 1

    @invariant()
    def cache_matches_model(self) -> None:
        stored = {upload.id: upload for upload in self.cache.get("abcdef")}
        assert {id: upload.size for id, upload in stored.items()} == self.sizes
        assert {id for id, upload in stored.items() if upload.content is not None} == {
            *self.in_memory
        }
        assert self.cache.bytes == sum(self.in_memory.values())
        assert self.cache.evicted == self.evicted


TestUploads = Uploads.TestCase
TestUploads.settings = settings(max_examples=100, stateful_step_count=30)


# --- the store -----------------------------------------------------------------------------------


def store_voice(store: Store, id: str, content: bytes = b"RIFF", sandbox: str = "") -> Upload:
    """Make a record with a file; returns the file."""
    request = begin(store, sandbox=sandbox)
    upload = request.upload(content)
    request.commit(PutRecord(make_record(id, uploads=(upload.id,))), uploads=[upload])
    return upload


def test_file_of_a_record_outlasts_its_journal_entry() -> None:
    store = make_store(max_requests=1)
    upload = store_voice(store, "a")
    begin(store).commit()
    assert contents(store, upload.id) == [b"RIFF"]
    run(store.clear_entries(""))
    assert contents(store, upload.id) == [b"RIFF"]
    begin(store).commit(RemoveRecord(make_record("a")))
    assert contents(store, upload.id) == []


def test_file_in_the_journal_outlasts_its_record() -> None:
    store = make_store()
    upload = store_voice(store, "a")
    begin(store).commit(RemoveRecord(make_record("a")))
    assert contents(store, upload.id) == [b"RIFF"]
    run(store.clear_entries(""))
    assert contents(store, upload.id) == []


def test_file_of_a_request_without_record_leaves_with_its_entry() -> None:
    store = make_store(max_requests=1)
    request = begin(store)
    upload = request.upload(b"RIFF")
    request.commit(uploads=[upload], finished=False)
    request.finish(uploads=[upload], status=200)
    assert contents(store, upload.id) == [b"RIFF"]
    begin(store).commit()
    assert contents(store, upload.id) == []


def test_file_whose_content_was_evicted_leaves_with_its_entry() -> None:
    store = make_store(max_requests=2, upload_cache_mb=0)
    requests = [begin(store) for _ in range(3)]
    uploads = [request.upload(b"RIFF") for request in requests]
    for request, upload in zip(requests, uploads, strict=True):
        assert request.commit(uploads=[upload]) is None
    assert contents(store, *(upload.id for upload in uploads)) == [None, b"RIFF"]


def test_replaced_and_evicted_records_release_their_files() -> None:
    store = make_store(max_requests=0, max_voices=2)
    first = store_voice(store, "a")
    second = store_voice(store, "a")
    assert contents(store, first.id, second.id) == [b"RIFF"]
    store_voice(store, "b")
    store_voice(store, "c")
    assert contents(store, second.id) == []


def test_record_evicted_by_the_marker_of_a_preset_releases_its_files() -> None:
    store = make_store(max_requests=0, max_voices=1)
    upload = store_voice(store, "a")
    begin(store).commit(RemoveRecord(make_record("preset", base=True)))
    assert run(store.all_records(""))[1] == 1
    assert contents(store, upload.id) == []


def test_clearing_records_releases_their_files() -> None:
    store = make_store(max_requests=0)
    upload = store_voice(store, "a")
    run(store.clear_records(""))
    assert contents(store, upload.id) == []


@pytest.mark.memory  # elsewhere each sandbox has a limit of its own
def test_all_sandboxes_share_the_size_limit() -> None:
    store = make_store(upload_cache_mb=1)
    half = bytes(BYTES_PER_MB // 2)
    first = store_voice(store, "a", half, "one")
    second = store_voice(store, "a", half, "two")
    store_voice(store, "b", b"RIFF", "two")
    assert contents(store, first.id, sandbox="one") == [None]
    assert contents(store, second.id, sandbox="two") == [half]

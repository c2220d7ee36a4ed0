"""Requests to a store, one call after the other, and the values that they need."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, TypeVar, cast

from mockvoice.config.settings import Settings
from mockvoice.faults.headers import header_rule
from mockvoice.state.accounts import LimitRule
from mockvoice.state.journal import JournalEntry
from mockvoice.state.records import Record
from mockvoice.state.store import Begin, Begun, Change, Commit, CommitConflict, Store, TakenFault
from mockvoice.state.uploads import Upload

from .serializing import SerializingStore, open_test_store

Result = TypeVar("Result")


def run(coroutine: Coroutine[Any, Any, Result]) -> Result:
    """Return the result of a call of a store."""
    return asyncio.run(coroutine)


def make_store(**settings: Any) -> Store:
    """Return a store that serializes what crosses its interface."""
    return cast("Store", SerializingStore(open_test_store(Settings(**settings))))


def make_record(id: str, account: str = "K", **members: Any) -> Record:
    """Return a record of the collection `voices` of Acme."""
    return Record("acme", "voices", account, id, {"id": id}, 0.0, **members)


def make_entry(number: int, **members: Any) -> JournalEntry:
    """Return the journal entry of a request to Acme."""
    values = {"operation": "clone", **members}
    return JournalEntry(
        number,
        "acme",
        account="K",
        method="POST",
        path="/clone",
        query=b"",
        headers=(),
        at=0.0,
        **values,
    )


@dataclass(frozen=True)
class Request:
    """A request in progress."""

    store: Store
    begin: Begin
    begun: Begun

    def upload(self, content: bytes, position: int = 0) -> Upload:
        """Return a file of the request."""
        id = f"{self.begun.epochs[0]}.{self.begun.number}.{position}"
        return Upload("file", "a.wav", "audio/wav", content, id=id)

    def commit(
        self,
        *changes: Change,
        uploads: Sequence[Upload] = (),
        finished: bool = True,
        retry_at: float | None = None,
        **entry: Any,
    ) -> CommitConflict | None:
        """Commit the request with these changes, and members of its journal entry."""
        commit = replace(
            self._commit(uploads, **entry), changes=changes, finished=finished, retry_at=retry_at
        )
        return run(self.store.commit(commit))

    def finish(self, *, uploads: Sequence[Upload] = (), **entry: Any) -> None:
        """Finish a request that was not finished at its commit, which had the status 200."""
        committed = replace(self._commit(uploads, status=200), finished=False)
        run(self.store.finish(committed, self._commit(uploads, **{"status": 200, **entry}).entry))

    def take_faults(self, *rules: str, header: Any = None) -> Sequence[TakenFault]:
        """Take the faults that fire: that of a header, then these."""
        own = () if header is None else [header_rule(header, self.begun.now)]
        version = self.begun.rules_version
        taken = run(self.store.take_faults(self.begin, self.begun, version, rules, own))
        assert taken is not None
        return taken

    def _commit(self, uploads: Sequence[Upload], **entry: Any) -> Commit:
        begin, begun = self.begin, self.begun
        ids = tuple(upload.id for upload in uploads)
        return Commit(
            begin.sandbox,
            begun.epochs,
            begin.provider,
            begin.operation,
            begin.account,
            make_entry(begun.number, operation=begin.operation, uploads=ids, **entry),
            uploads=uploads,
        )


def begin(
    store: Store,
    account: str = "K",
    *,
    sandbox: str = "",
    operation: str = "clone",
    defaults: Mapping[str, Any] | None = None,
    limits: Sequence[LimitRule] = (),
    other_limits: Sequence[str] = (),
) -> Request:
    """Begin a request to Acme."""
    request = Begin(sandbox, "acme", operation, account, defaults or {}, limits, other_limits)
    begun = run(store.begin(request))
    assert isinstance(begun, Begun)
    return Request(store, request, begun)


def records_of(store: Store, sandbox: str = "") -> Sequence[Record]:
    """Return all stored records of a sandbox."""
    return run(store.all_records(sandbox))[0]


def ids_of(store: Store, sandbox: str = "") -> list[str]:
    """Return the ids of all stored records of a sandbox, oldest first."""
    return [record.id for record in records_of(store, sandbox)]

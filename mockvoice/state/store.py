"""The store interface: everything that outlives one request, as plain data.

A request makes two calls. `begin`, once its body is read, opens the account, counts the limits,
reads the clock and reserves a journal entry; `commit` applies what the handler changed, all of it
or nothing, and completes the entry. Reading a record and taking a fault are calls of their own.

Only plain data crosses the interface: JSON values, bytes, and the tuples and data classes of this
package.
No callable, no open file and no object that both sides could modify.

A reset starts new epochs, so that a request in flight cannot write into the state that follows.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple, Protocol

from ..faults.rules import FaultRule
from ..types import JSON
from .accounts import Account, LimitResult, LimitRule
from .journal import CoverageCount, JournalEntry, JournalEvents, RequestCount
from .records import Query, Record, RecordPage
from .uploads import Upload

PARTS = ("faults", "requests", "voices", "accounts", "clock", "ids")
EVERY_ACCOUNT = "*"  # the account of records that all accounts of a provider see

Epochs = tuple[int, int, int]  # of faults and requests, of voices, of accounts


@dataclass(slots=True, eq=False)
class Begin:
    """A request whose body is read.

    `account` is the API key, "" where there is none; `defaults` is the state of a new account.
    `limits` are the provider's limits for the operation, `other_limits` the names of those for
    other operations. `edition` is the edition of the provider's contract that the request was
    routed with, as the sandbox selects it: "" for the default.
    """

    sandbox: str
    provider: str
    operation: str
    account: str
    defaults: Mapping[str, Any] = field(default_factory=dict)
    limits: Sequence[LimitRule] = ()
    other_limits: Collection[str] = ()
    edition: str = ""


class WrongEdition(NamedTuple):
    """The sandbox selects another edition than that of the request: nothing was begun.

    `editions` are those that the sandbox selects, by provider.
    """

    editions: Mapping[str, str]


@dataclass(slots=True, eq=False)
class Begun:
    """The state that a request begins with.

    `number` is the reserved journal entry; `ordinal` is the number of requests to this operation,
    this one included; `now` is the time of the sandbox in seconds since 1970; `rules_version`
    changes whenever a fault rule is added or removed and is 0 while there is none; `started_at`
    is the time at which the configured records were made, None when they were deleted.
    """

    epochs: Epochs
    number: int
    ordinal: int
    now: float
    seed: str
    started_at: float | None
    audio: str
    account: Account
    limits: Sequence[LimitResult]
    rules_version: int
    retry_at: float | None
    keys: str = "any"
    retry_after: str = "documented"
    strict_fields: bool = False


class PutRecord(NamedTuple):
    """Store a record. `revision` is that of the record it replaces; None replaces any."""

    record: Record
    revision: int | None = None


class RemoveRecord(NamedTuple):
    """Delete a record; a base record, which is not stored, is hidden."""

    record: Record


class Spend(NamedTuple):
    """Take credit from the account. A precondition: it has as much as the request takes in all."""

    amount: float


class AddUsage(NamedTuple):
    """Record a use of the account."""

    usage: Mapping[str, Any]


class AtMost(NamedTuple):
    """A precondition: at most `limit` stored records have ids with this prefix.

    The records are those of the account and those of every account.
    """

    collection: str
    prefix: str
    limit: int


Change = PutRecord | RemoveRecord | Spend | AddUsage | AtMost


@dataclass(slots=True, eq=False)
class Commit:
    """The end of a request.

    `retry_at` is the time until which the client was told to wait. A request that is not
    `finished` still counts as one in progress, until `finish`; until then it can be committed
    `again` with further changes, and a journal entry that replaces the one before.
    """

    sandbox: str
    epochs: Epochs
    provider: str
    operation: str
    account: str
    entry: JournalEntry
    changes: Sequence[Change] = ()
    uploads: Sequence[Upload] = ()
    retry_at: float | None = None
    finished: bool = True
    again: bool = False


class CommitConflict(NamedTuple):
    """A precondition failed: nothing was applied. `account` is the account as it is now."""

    account: Account


class TakenFault(NamedTuple):
    """A fault that fires: its rule, the step of its sequence, and the number of its match."""

    id: str
    step: int
    matched: int


class SandboxSettings(NamedTuple):
    """Settings that a reset can change for one sandbox; None leaves a setting as it is.

    `edition` changes the editions of the providers that it names.
    """

    seed: int | None = None
    audio: str | None = None
    limits: str | None = None
    keys: str | None = None
    retry_after: str | None = None
    strict_fields: bool | None = None
    edition: Mapping[str, str] | None = None


class ClockState(NamedTuple):
    """The time of a sandbox in seconds since 1970."""

    now: float
    frozen: bool


class Store(Protocol):
    """The state of all sandboxes of one or more processes. A sandbox exists from its first use."""

    # --- the two calls of every request, and what some requests need in between ---

    async def begin(self, begin: Begin) -> Begun | WrongEdition:
        """Begin a request, unless it was routed with another edition than the sandbox selects."""

    async def commit(self, commit: Commit) -> CommitConflict | None:
        """Apply all changes of a request and complete its journal entry, or neither."""

    async def finish(self, commit: Commit, entry: JournalEntry) -> None:
        """Replace the journal entry of a request that was not finished at its commit.

        All counts follow its status, which is None if the client left before the response.
        """

    async def take_faults(
        self,
        begin: Begin,
        begun: Begun,
        version: int,
        rules: Sequence[str],
        from_headers: Sequence[FaultRule] = (),
    ) -> Sequence[TakenFault] | None:
        """Count a match of these fault rules, in their order, and return the ones that fire.

        The rules in the headers of the request come first, and are counted by their ids; an "ok"
        in one of them lets the request pass. None, and nothing is counted, if the rules of the
        sandbox have changed since this version of them. A fault that replaces the operation gives
        back what the request used of its limits.
        """

    async def get_record(
        self, sandbox: str, provider: str, collection: str, account: str, id: str
    ) -> Record | None:
        """Return the stored record of this account, or of every account.

        A removed record is returned only if there is no other one.
        """

    async def find_records(
        self, sandbox: str, provider: str, collection: str, account: str, query: Query
    ) -> RecordPage:
        """Return stored records of this account and of every account, but no removed ones.

        The time depends on the page, not on the number of records, unless tests of "contains", or
        tests together with an order, require looking at each record.
        """

    async def has_record(self, sandbox: str, provider: str, collection: str, id: str) -> bool:
        """Return True if any account has a stored record with this id that is not removed."""

    async def get_usage(
        self, sandbox: str, provider: str, account: str
    ) -> Sequence[Mapping[str, Any]]:
        """Return the recorded uses of an account, oldest first."""

    # --- fault rules ---

    async def list_rules(self, sandbox: str) -> tuple[int, Sequence[FaultRule]]:
        """Return the version of the fault rules, and the rules, oldest first."""

    async def add_rule(self, sandbox: str, fault: JSON) -> FaultRule:
        """Add a fault rule for a valid fault, as JSON or in shorthand."""

    async def remove_rule(self, sandbox: str, id: str) -> bool:
        """Remove a fault rule; False if there is none."""

    async def clear_rules(self, sandbox: str) -> None:
        """Remove all fault rules."""

    # --- journal ---

    async def list_entries(self, sandbox: str) -> tuple[Sequence[JournalEntry], int]:
        """Return the journal, oldest first, and the number of evicted entries."""

    async def count_entries(self, sandbox: str) -> tuple[Sequence[RequestCount], int]:
        """Return the number of requests by provider, operation and status, and of evicted entries.

        Evicted entries are counted, too. Counting begins anew whenever the journal is deleted.
        """

    async def get_entry(self, sandbox: str, number: int) -> JournalEntry | None:
        """Return one journal entry."""

    async def clear_entries(self, sandbox: str) -> None:
        """Delete all journal entries."""

    async def list_internal_errors(self, sandbox: str) -> Sequence[JournalEntry]:
        """Return the entries with an internal error, whether evicted from the journal or not."""

    async def wait_for_entries(
        self, sandbox: str | None, after: int | None, seconds: float
    ) -> JournalEvents:
        """Return the next entries that were completed after the event with a number.

        Waits up to that many seconds if there are none. None for `sandbox` means all sandboxes;
        None for `after` returns the number of the newest event, and no entry. Numbers increase, and
        are never used again: one from before the start of the store, or of the sandbox, stands for
        its beginning, and an event without entry precedes those after it. The deletion of a journal
        is an event as well. Returns only some of many entries. Creates no sandbox.

        An entry is complete when its request has finished. It is returned again if its request
        failed after that.
        """

    async def get_uploads(self, sandbox: str, ids: Sequence[str]) -> Sequence[Upload]:
        """Return uploaded files; the content of an evicted one is None."""

    # --- coverage ---

    async def count_coverage(self, sandbox: str | None) -> Sequence[CoverageCount]:
        """Return the requests of a sandbox by operation, status and kinds of faults.

        None counts those of all sandboxes, also of sandboxes that no longer exist. Counted when the
        request is committed, see `count_of`; neither a reset nor a deleted journal changes it.
        """

    async def clear_coverage(self, sandbox: str | None) -> None:
        """Begin to count anew: for one sandbox, or with None for the server and all sandboxes."""

    # --- records, accounts, clock ---

    async def all_records(self, sandbox: str) -> tuple[Sequence[Record], int]:
        """Return all stored records, oldest first, and the number of evicted ones."""

    async def put_records(
        self, sandbox: str, records: Sequence[Record], uploads: Sequence[Upload] = ()
    ) -> Sequence[Record]:
        """Store records with the files that they refer to; return them as they are stored."""

    async def remove_records(self, sandbox: str, records: Sequence[Record]) -> None:
        """Delete records; base records stay hidden until a reset."""

    async def clear_records(self, sandbox: str) -> None:
        """Delete all records; presets are back."""

    async def next_count(self, sandbox: str, kind: str) -> int:
        """Return the next number for a kind of object, such as records seeded over HTTP."""

    async def get_account(
        self, sandbox: str, provider: str, key: str, defaults: Mapping[str, Any]
    ) -> Account:
        """Return an account."""

    async def change_account(
        self,
        sandbox: str,
        provider: str,
        key: str,
        defaults: Mapping[str, Any],
        state: Mapping[str, Any],
    ) -> Account:
        """Change parts of an account; those of the key "*" change every account."""

    async def list_accounts(self, sandbox: str) -> Sequence[Account]:
        """Return the accounts of all keys that were used or changed, oldest first."""

    async def get_clock(self, sandbox: str) -> ClockState:
        """Return the time of a sandbox. Unlike other calls, this one does not create it."""

    async def set_clock(
        self, sandbox: str, *, at: float | None, frozen: bool | None, advance: float
    ) -> ClockState:
        """Freeze the clock (at a moment), let it run, advance it."""

    # --- sandboxes ---

    async def reset(self, sandbox: str, parts: Collection[str], settings: SandboxSettings) -> None:
        """Restore the initial state of parts of a sandbox."""

    async def close(self) -> None:
        """Release connections; the next call opens them again."""

    async def list_sandboxes(self) -> Sequence[str]:
        """Return the names of all sandboxes, oldest first; "" is the default one."""

    async def get_editions(self, sandbox: str) -> Mapping[str, str]:
        """Return the editions that a sandbox selects, by provider, without creating the sandbox.

        Those of the settings if there is no such sandbox.
        """

    async def get_settings(self, sandbox: str) -> SandboxSettings:
        """Return the settings of a sandbox; none is None."""

    async def delete_sandbox(self, sandbox: str) -> bool:
        """Delete a sandbox with everything in it; False if there is none.

        Requests in progress change nothing any more. The next use creates the sandbox again.
        """

    async def get_sandbox(self, sandbox: str) -> tuple[str, float | None]:
        """Return the seed of a sandbox, and the time at which its configured records were made."""

"""The store in the memory of one process."""

from __future__ import annotations

import time
from collections import Counter, OrderedDict, deque
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from itertools import count
from typing import Any

from ..config.settings import BYTES_PER_MB, Settings
from ..faults.rules import FaultRule
from ..types import JSON
from .accounts import Account, AccountEntry, Accounts
from .clock import configured_clock
from .events import NO_EVENT, EventCounter, EventNumber
from .journal import (
    EVENT_BYTES,
    EVERY_SANDBOX,
    MAX_COVERAGE,
    CoverageCount,
    Journal,
    JournalEntry,
    JournalEvent,
    JournalEvents,
    RequestCount,
    count_of,
)
from .records import EVERY_ACCOUNT, Condition, Query, Record, RecordPage, Records
from .store import (
    PARTS,
    AddUsage,
    AtMost,
    Begin,
    Begun,
    Change,
    ClockState,
    Commit,
    CommitConflict,
    Epochs,
    PutRecord,
    RemoveRecord,
    SandboxSettings,
    Spend,
    TakenFault,
    WrongEdition,
)
from .uploads import Upload, UploadCache

_HEADER_RULES = 1_000  # of a sandbox whose counts are remembered
_DELETIONS = 1_000  # of journals that are events
_EVICTED_PART = 64  # one of so many parts of the journals is evicted at once

_Coverage = Counter[CoverageCount]  # by counts with a total of 1


class _Sandbox:
    """The state of one sandbox. Each part that can be reset has an epoch."""

    def __init__(
        self, name: str, settings: Settings, versions: count[int], first_event: int
    ) -> None:
        self.settings = settings
        self.first_event = self.last_event = first_event
        self.seed = f"{settings.seed}/{name}"
        self.audio = settings.audio
        self.limits = settings.limits
        self.keys = settings.keys
        self.retry_after = settings.retry_after
        self.strict_fields = settings.strict_fields
        self.editions: Mapping[str, str] = settings.edition
        self._versions = versions  # of rules and epochs: no two sandboxes have the same one
        self.epochs: Epochs = (0, 0, 0)
        self.clock = configured_clock(settings.clock)
        self.coverage: _Coverage = Counter()
        self.begin(PARTS)

    def begin(self, parts: Collection[str]) -> None:
        """Set parts to their initial state."""
        settings = self.settings
        requests, voices, accounts = self.epochs
        if "clock" in parts:
            self.clock = configured_clock(settings.clock)
        now = self.clock.now()
        if "faults" in parts:
            self.rules: OrderedDict[str, FaultRule] = OrderedDict()
            self.header_rules: OrderedDict[str, FaultRule] = OrderedDict()
            self._rule_numbers = count(1)
            self.rules_version = 0
            for fault in settings.faults:
                self.add_rule(fault, now, configured=True)
        if "requests" in parts:
            self.journal = Journal(settings.max_requests)
            requests = next(self._versions)
        if "voices" in parts:
            self.records = Records(settings.max_voices)
            self.started_at: float | None = now
            voices = next(self._versions)
        if "accounts" in parts:
            self.accounts = Accounts(settings.accounts, settings.max_accounts)
            accounts = next(self._versions)
        if "ids" in parts:
            self.counts: Counter[str] = Counter()
        self.epochs = (requests, voices, accounts)

    def add_rule(self, fault: JSON, now: float, *, configured: bool = False) -> FaultRule:
        """Add a fault rule; beyond the limit the oldest is evicted."""
        number = next(self._rule_numbers)
        rule = FaultRule.of(f"fault_{number}", fault, now, configured=configured)
        self.rules[rule.id] = rule
        if len(self.rules) > self.settings.max_faults:
            self.rules.popitem(last=False)
        self.rules_changed()
        return rule

    def add_header_rule(self, rule: FaultRule) -> None:
        """Add a rule from the headers of a request, unless an equal one is there."""
        self.header_rules.setdefault(rule.id, rule)
        if len(self.header_rules) > _HEADER_RULES:
            self.header_rules.popitem(last=False)

    def rules_changed(self) -> None:
        """Set another version of the rules."""
        self.rules_version = next(self._versions) if self.rules else 0


class MemoryStore:
    """All sandboxes of one process; the oldest is evicted beyond `max_sandboxes`."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._uploads = UploadCache(settings.upload_cache_mb * BYTES_PER_MB)
        self._sandboxes: dict[str, _Sandbox] = {}
        self._coverage: _Coverage = Counter()  # of all sandboxes, also evicted ones
        self._max_journal_bytes = settings.journal_mb * BYTES_PER_MB
        self._journal_bytes = 0
        self._versions = count(1)
        self._events = EventCounter()
        self._deletions = deque[tuple[EventNumber, str]](maxlen=_DELETIONS)  # of journals
        self._sandbox("")

    def _sandbox(self, name: str) -> _Sandbox:
        """Return the sandbox with a name; it is made on its first use."""
        sandbox = self._sandboxes.get(name)
        if sandbox is None:
            sandbox = _Sandbox(name, self._settings, self._versions, self._events.last)
            self._sandboxes[name] = sandbox
            if len(self._sandboxes) > self._settings.max_sandboxes + 1:  # besides the default one
                self._delete(next(name for name in self._sandboxes if name))
        return sandbox

    def _delete(self, name: str) -> None:
        sandbox = self._sandboxes.pop(name)
        self._clear_journal(name, sandbox)
        self._release_records(sandbox.records)

    @property
    def journal_bytes(self) -> int:
        """The approximate number of bytes of all journals in memory."""
        return self._journal_bytes

    @property
    def upload_bytes(self) -> int:
        """The number of bytes of all uploaded files in memory."""
        return self._uploads.bytes

    # --- requests ---

    async def begin(self, begin: Begin) -> Begun | WrongEdition:
        """Begin a request, unless it was routed with another edition than the sandbox selects."""
        sandbox = self._sandbox(begin.sandbox)
        if sandbox.editions.get(begin.provider, "") != begin.edition:
            return WrongEdition(sandbox.editions)
        now = sandbox.clock.now()
        entry = sandbox.accounts.open(begin.provider, begin.account, begin.defaults)
        entry.concurrency += 1
        results: Sequence[Any] = ()
        documented = sandbox.limits == "documented" and bool(begin.limits)
        if begin.operation and (entry.account.limits or documented):
            results = entry.count(begin.limits, begin.other_limits, now, documented=documented)
        scope = f"{begin.provider}/{begin.operation}"
        sandbox.counts[scope] += 1
        return Begun(
            sandbox.epochs,
            sandbox.journal.next_number(),
            sandbox.counts[scope],
            now,
            sandbox.seed,
            sandbox.started_at,
            sandbox.audio,
            entry.account,
            results,
            sandbox.rules_version,
            entry.retry_at.pop(begin.operation, None) if entry.retry_at else None,
            sandbox.keys,
            sandbox.retry_after,
            sandbox.strict_fields,
        )

    async def take_faults(
        self,
        begin: Begin,
        begun: Begun,
        version: int,
        rules: Sequence[str],
        from_headers: Sequence[FaultRule] = (),
    ) -> Sequence[TakenFault] | None:
        """Count a match of fault rules, and return the ones that fire."""
        sandbox = self._sandbox(begin.sandbox)
        if sandbox.rules_version != version:
            return None
        taken = []
        replaces_operation = False
        for header_rule in from_headers:
            sandbox.add_header_rule(header_rule)
        for id in (*(rule.id for rule in from_headers), *rules):
            counted = sandbox.header_rules if id in sandbox.header_rules else sandbox.rules
            rule = counted.get(id)
            if rule is None or rule.is_expired(begun.now):
                continue
            counted[id], step = rule.match(sandbox.seed)
            if step is None:
                if counted is sandbox.header_rules and rule.is_ok:
                    break
                continue
            taken.append(TakenFault(id, step, counted[id].matched))
            replaces_operation = replaces_operation or rule.replaces_operation(step)
            if not rule.continues(step):
                break
        entry = sandbox.accounts.find(begin.provider, begin.account)
        if entry and replaces_operation:
            entry.give_back(begun.limits, begun.now)
        return taken

    async def commit(self, commit: Commit) -> CommitConflict | None:
        """Apply all changes of a request and complete its journal entry, or neither."""
        sandbox = self._sandboxes.get(commit.sandbox)
        if sandbox is None:  # evicted while the request was in progress
            self._cover(commit, self._coverage)
            return None
        requests, voices, accounts = sandbox.epochs
        entry = None
        if accounts == commit.epochs[2]:
            entry = sandbox.accounts.find(commit.provider, commit.account)
        stored = commit.changes if voices == commit.epochs[1] else ()
        if not self._apply_all(sandbox, entry, commit, stored):
            account = entry.account if entry else Account(commit.provider, commit.account)
            return CommitConflict(account)
        if requests == commit.epochs[0]:
            self._put_committed(sandbox, commit)
        self._cover(commit, self._coverage, sandbox.coverage)
        for upload in commit.uploads:
            self._uploads.put(upload)
        if entry:
            if commit.retry_at is not None:
                entry.retry_at[commit.operation] = commit.retry_at
            if commit.finished:
                entry.concurrency -= 1
        return None

    def _put_committed(self, sandbox: _Sandbox, commit: Commit) -> None:
        """Store the entry of a commit, unless the one that it replaces was evicted."""
        if not commit.again or sandbox.journal.find(commit.entry.number):
            self._put_entry(sandbox, commit.entry, complete=commit.finished)

    def _cover(self, commit: Commit, *coverages: _Coverage) -> None:
        """Count a request at its first commit."""
        if not commit.again:
            self._count(commit.entry, *coverages)

    async def finish(self, commit: Commit, entry: JournalEntry) -> None:
        """Replace the journal entry of a request that was not finished at its commit."""
        sandbox = self._sandboxes.get(commit.sandbox)
        if entry.status != commit.entry.status:
            coverages = [self._coverage, *([sandbox.coverage] if sandbox else [])]
            self._count(commit.entry, *coverages, by=-1)
            self._count(entry, *coverages)
        if sandbox is None:
            return
        if sandbox.epochs[0] == commit.epochs[0]:
            if sandbox.journal.find(entry.number):
                self._put_entry(sandbox, entry, complete=True)
            elif entry.internal_error:
                sandbox.journal.put_internal_error(entry)
        account = sandbox.accounts.find(commit.provider, commit.account)
        if account and not commit.finished and sandbox.epochs[2] == commit.epochs[2]:
            account.concurrency -= 1

    def _put_entry(self, sandbox: _Sandbox, entry: JournalEntry, *, complete: bool) -> None:
        event = self._next_event(sandbox) if complete else NO_EVENT
        self._uploads.retain(entry.uploads)
        before = sandbox.journal.bytes
        self._release_entries(sandbox.journal.put(entry, event))
        self._journal_bytes += sandbox.journal.bytes - before
        if self._journal_bytes > self._max_journal_bytes:
            self._evict_entries(sandbox)
        if complete:
            self._events.wake()

    def _evict_entries(self, current: _Sandbox) -> None:
        """Evict entries of the sandboxes that hold most, but not the newest one of the current."""
        limit = self._max_journal_bytes
        while self._journal_bytes > limit:
            largest = max(
                (s for s in self._sandboxes.values() if len(s.journal) > (s is current)),
                key=lambda sandbox: sandbox.journal.bytes,
                default=None,
            )
            if largest is None:
                return
            # Some at once, because finding the largest sandbox takes as long as there are many.
            goal = max(limit - limit // _EVICTED_PART, self._journal_bytes - largest.journal.bytes)
            while self._journal_bytes > goal and len(largest.journal) > (largest is current):
                before = largest.journal.bytes
                self._release_entries([largest.journal.evict()])
                self._journal_bytes -= before - largest.journal.bytes

    def _apply_all(
        self,
        sandbox: _Sandbox,
        entry: AccountEntry | None,
        commit: Commit,
        changes: Sequence[Change],
    ) -> bool:
        """Apply all changes of a commit; return False, and apply none, if a precondition fails."""
        for change in changes:
            if not self._is_met(sandbox, entry, commit, change):
                return False
        for change in changes:
            self._apply(sandbox, entry, change)
        return True

    def _is_met(
        self, sandbox: _Sandbox, entry: AccountEntry | None, commit: Commit, change: Change
    ) -> bool:
        """Return True if the precondition of a change holds."""
        if isinstance(change, PutRecord):
            record = change.record
            if change.revision is None:
                return True
            stored = sandbox.records.find(record.partition, record.id)
            if stored is None:
                return record.base
            return stored.revision == change.revision and stored.number == record.number
        if isinstance(change, AtMost):
            query = Query([Condition(["id"], "starts", change.prefix)], limit=0)
            found = sandbox.records.query(commit.provider, change.collection, commit.account, query)
            return found.total <= change.limit
        if isinstance(change, Spend):
            credit = entry.account.credit if entry else None
            return credit is None or credit >= sum(
                other.amount for other in commit.changes if isinstance(other, Spend)
            )
        return True

    def _apply(self, sandbox: _Sandbox, entry: AccountEntry | None, change: Change) -> None:
        if isinstance(change, PutRecord):
            self._put_record(sandbox, change.record)
        elif isinstance(change, RemoveRecord):
            self._remove_record(sandbox, change.record)
        elif isinstance(change, Spend) and entry and entry.account.credit is not None:
            entry.change(credit=entry.account.credit - change.amount)
        elif isinstance(change, AddUsage) and entry:
            entry.usage.append(change.usage)

    def _put_record(self, sandbox: _Sandbox, record: Record) -> Record:
        self._uploads.retain(record.uploads)
        stored, dropped = sandbox.records.put(record)
        self._release_records(dropped)
        return stored

    def _remove_record(self, sandbox: _Sandbox, record: Record) -> None:
        removed = sandbox.records.delete(record)
        if removed:
            self._release_records([removed])
        if record.base:
            self._put_record(sandbox, record._replace(removed=True, uploads=(), number=0))

    def _clear_journal(self, name: str, sandbox: _Sandbox) -> None:
        self._release_entries(sandbox.journal)
        self._journal_bytes -= sandbox.journal.bytes
        sandbox.journal.clear()
        self._deletions.append((self._next_event(sandbox), name))
        self._events.wake()

    def _next_event(self, sandbox: _Sandbox) -> EventNumber:
        sandbox.last_event += 1
        return EventNumber(sandbox.last_event, self._events.next())

    def _release_entries(self, entries: Iterable[JournalEntry]) -> None:
        for entry in entries:
            self._uploads.release(entry.uploads)

    def _release_records(self, records: Iterable[Record]) -> None:
        for record in records:
            self._uploads.release(record.uploads)

    # --- records ---

    async def get_record(
        self, sandbox: str, provider: str, collection: str, account: str, id: str
    ) -> Record | None:
        """Return the stored record of this account, or of every account."""
        records = self._sandbox(sandbox).records
        own = records.find((provider, collection, account), id)
        if own and not own.removed:
            return own
        return records.find((provider, collection, EVERY_ACCOUNT), id) or own

    async def find_records(
        self, sandbox: str, provider: str, collection: str, account: str, query: Query
    ) -> RecordPage:
        """Return stored records of this account and of every account."""
        return self._sandbox(sandbox).records.query(provider, collection, account, query)

    async def has_record(self, sandbox: str, provider: str, collection: str, id: str) -> bool:
        """Return True if any account has a record with this id."""
        return self._sandbox(sandbox).records.has(provider, collection, id)

    async def all_records(self, sandbox: str) -> tuple[Sequence[Record], int]:
        """Return all stored records, oldest first, and the number of evicted ones."""
        records = self._sandbox(sandbox).records
        return [*records], records.evicted

    async def put_records(
        self, sandbox: str, records: Sequence[Record], uploads: Sequence[Upload] = ()
    ) -> Sequence[Record]:
        """Store records with the files that they refer to; return them as they are stored."""
        stored = [self._put_record(self._sandbox(sandbox), record) for record in records]
        for upload in uploads:
            self._uploads.put(upload)
        return stored

    async def remove_records(self, sandbox: str, records: Sequence[Record]) -> None:
        """Delete records; base records stay hidden until a reset."""
        for record in records:
            self._remove_record(self._sandbox(sandbox), record)

    async def clear_records(self, sandbox: str) -> None:
        """Delete all records; presets are back."""
        state = self._sandbox(sandbox)
        self._release_records(state.records)
        requests, _, accounts = state.epochs
        state.records = Records(self._settings.max_voices)
        state.started_at = None
        state.epochs = (requests, next(self._versions), accounts)

    async def next_count(self, sandbox: str, kind: str) -> int:
        """Return the next number for a kind of object that the control API makes."""
        counts = self._sandbox(sandbox).counts
        counts[kind] += 1
        return counts[kind]

    # --- faults ---

    async def list_rules(self, sandbox: str) -> tuple[int, Sequence[FaultRule]]:
        """Return the version of the fault rules, and the rules, oldest first."""
        state = self._sandbox(sandbox)
        return state.rules_version, [*state.rules.values()]

    async def add_rule(self, sandbox: str, fault: JSON) -> FaultRule:
        """Add a fault rule for a valid fault."""
        state = self._sandbox(sandbox)
        return state.add_rule(fault, state.clock.now())

    async def remove_rule(self, sandbox: str, id: str) -> bool:
        """Remove a fault rule."""
        state = self._sandbox(sandbox)
        removed = state.rules.pop(id, None) is not None
        state.rules_changed()
        return removed

    async def clear_rules(self, sandbox: str) -> None:
        """Remove all fault rules."""
        state = self._sandbox(sandbox)
        state.rules.clear()
        state.header_rules.clear()
        state.rules_changed()

    # --- journal ---

    async def list_entries(self, sandbox: str) -> tuple[Sequence[JournalEntry], int]:
        """Return the journal, oldest first, and the number of evicted entries."""
        journal = self._sandbox(sandbox).journal
        return [*journal], journal.evicted

    async def count_entries(self, sandbox: str) -> tuple[Sequence[RequestCount], int]:
        """Return the number of requests by provider, operation and status, and of evicted ones."""
        journal = self._sandbox(sandbox).journal
        counts = [RequestCount(*key, total) for key, total in journal.counts.items() if total]
        return counts, journal.evicted

    async def get_entry(self, sandbox: str, number: int) -> JournalEntry | None:
        """Return one journal entry."""
        return self._sandbox(sandbox).journal.find(number)

    async def wait_for_entries(
        self, sandbox: str | None, after: int | None, seconds: float
    ) -> JournalEvents:
        """Return the next entries that were completed after an event."""
        if after is None:
            state = self._sandboxes.get(sandbox) if sandbox is not None else None
            return JournalEvents(state.last_event if state else self._events.last)
        deadline = time.monotonic() + seconds
        while True:
            next_events = self._events_after(sandbox, after)
            remaining = deadline - time.monotonic()
            if next_events.last != after or remaining <= 0:
                return next_events
            await self._events.wait(remaining)

    def _events_after(self, sandbox: str | None, after: int) -> JournalEvents:
        if sandbox is None:
            sandboxes = self._sandboxes
            first, last = self._events.first, self._events.last
        elif sandbox in self._sandboxes:
            sandboxes = {sandbox: self._sandboxes[sandbox]}
            first, last = sandboxes[sandbox].first_event, sandboxes[sandbox].last_event
        else:
            return JournalEvents(after, [])
        is_known = first <= after <= last
        start = after if is_known else first
        pending: list[tuple[JournalEvent, int]] = [
            (JournalEvent(number, name, entry), weight)
            for name, state in sandboxes.items()
            for number, entry, weight in state.journal.completed(start, overall=sandbox is None)
        ]
        pending += [(event, 0) for event in self._deletions_after(sandbox, start)]
        pending.sort(key=lambda item: item[0].number)
        events, size = list[JournalEvent](), 0
        for event, weight in pending:
            size += weight
            if events and size > EVENT_BYTES:
                last = events[-1].number
                break
            events.append(event)
        missed = last - start - len(events)
        if after and not is_known:
            name = EVERY_SANDBOX if sandbox is None else sandbox
            events.insert(0, JournalEvent(start, name, None))
        return JournalEvents(last, events, missed)

    def _deletions_after(self, sandbox: str | None, start: int) -> Iterator[JournalEvent]:
        for event, name in reversed(self._deletions):
            if event.overall <= start:  # numbers in a sandbox are never greater
                return
            if sandbox is None:
                yield JournalEvent(event.overall, name, None)
            elif name == sandbox and event.in_sandbox > start:
                yield JournalEvent(event.in_sandbox, name, None)

    async def clear_entries(self, sandbox: str) -> None:
        """Delete all journal entries."""
        self._clear_journal(sandbox, self._sandbox(sandbox))

    async def list_internal_errors(self, sandbox: str) -> Sequence[JournalEntry]:
        """Return the entries with an internal error."""
        return [*self._sandbox(sandbox).journal.internal_errors]

    async def get_uploads(self, sandbox: str, ids: Sequence[str]) -> Sequence[Upload]:
        """Return uploaded files."""
        return self._uploads.get(ids)

    # --- coverage ---

    def _count(self, entry: JournalEntry, *coverages: _Coverage, by: int = 1) -> None:
        count = count_of(entry)
        if count is None:
            return
        for counts in coverages:
            total = counts.get(count)
            if total is not None or len(counts) < MAX_COVERAGE:
                counts[count] = (total or 0) + by

    async def count_coverage(self, sandbox: str | None) -> Sequence[CoverageCount]:
        """Return the requests of a sandbox by operation, status and kinds of faults."""
        counts = self._coverage if sandbox is None else self._sandbox(sandbox).coverage
        return [count._replace(total=total) for count, total in counts.items() if total > 0]

    async def clear_coverage(self, sandbox: str | None) -> None:
        """Begin to count anew."""
        if sandbox is not None:
            self._sandbox(sandbox).coverage.clear()
            return
        self._coverage.clear()
        for state in self._sandboxes.values():
            state.coverage.clear()

    # --- accounts, clock, sandboxes ---

    async def get_usage(
        self, sandbox: str, provider: str, account: str
    ) -> Sequence[Mapping[str, Any]]:
        """Return the recorded uses of an account, oldest first."""
        entry = self._sandbox(sandbox).accounts.find(provider, account)
        return [*entry.usage] if entry else []

    async def get_account(
        self, sandbox: str, provider: str, key: str, defaults: Mapping[str, Any]
    ) -> Account:
        """Return an account."""
        entry = self._sandbox(sandbox).accounts.open(provider, key, defaults)
        return entry.account._replace(concurrency=entry.concurrency)

    async def change_account(
        self,
        sandbox: str,
        provider: str,
        key: str,
        defaults: Mapping[str, Any],
        state: Mapping[str, Any],
    ) -> Account:
        """Change parts of an account."""
        accounts = self._sandbox(sandbox).accounts
        return accounts.change(accounts.open(provider, key, defaults), state)

    async def list_accounts(self, sandbox: str) -> Sequence[Account]:
        """Return the accounts of all keys that were used or changed, oldest first."""
        return [entry.account for entry in self._sandbox(sandbox).accounts]

    async def get_clock(self, sandbox: str) -> ClockState:
        """Return the time of a sandbox."""
        state = self._sandboxes.get(sandbox)
        clock = state.clock if state else configured_clock(self._settings.clock)
        return ClockState(clock.now(), clock.frozen)

    async def set_clock(
        self, sandbox: str, *, at: float | None, frozen: bool | None, advance: float
    ) -> ClockState:
        """Freeze the clock (at a moment), let it run, advance it."""
        clock = self._sandbox(sandbox).clock
        if frozen:
            clock.freeze(at)
        elif frozen is not None:
            clock.run()
        clock.advance(advance)
        return ClockState(clock.now(), clock.frozen)

    async def reset(self, sandbox: str, parts: Collection[str], settings: SandboxSettings) -> None:
        """Restore the initial state of parts of a sandbox."""
        state = self._sandbox(sandbox)
        if settings.seed is not None:
            state.seed = f"{settings.seed}/"
        state.audio = settings.audio or state.audio
        state.limits = settings.limits or state.limits
        state.keys = settings.keys or state.keys
        state.retry_after = settings.retry_after or state.retry_after
        if settings.strict_fields is not None:
            state.strict_fields = settings.strict_fields
        if settings.edition:
            state.editions = {**state.editions, **settings.edition}
        if "requests" in parts:
            self._clear_journal(sandbox, state)
        if "voices" in parts:
            self._release_records(state.records)
        state.begin(parts)

    async def close(self) -> None:
        """There are no connections to release."""

    async def list_sandboxes(self) -> Sequence[str]:
        """Return the names of all sandboxes, oldest first; "" is the default one."""
        return [*self._sandboxes]

    async def get_editions(self, sandbox: str) -> Mapping[str, str]:
        """Return the editions that a sandbox selects, without creating it."""
        state = self._sandboxes.get(sandbox)
        return state.editions if state else self._settings.edition

    async def get_settings(self, sandbox: str) -> SandboxSettings:
        """Return the settings of a sandbox."""
        state = self._sandbox(sandbox)
        seed = int(state.seed.partition("/")[0])
        return SandboxSettings(
            seed,
            state.audio,
            state.limits,
            state.keys,
            state.retry_after,
            state.strict_fields,
            state.editions,
        )

    async def delete_sandbox(self, sandbox: str) -> bool:
        """Delete a sandbox with everything in it."""
        exists = sandbox in self._sandboxes
        if exists:
            self._delete(sandbox)
        return exists

    async def get_sandbox(self, sandbox: str) -> tuple[str, float | None]:
        """Return the seed of a sandbox, and the time at which its configured records were made."""
        state = self._sandbox(sandbox)
        return state.seed, state.started_at

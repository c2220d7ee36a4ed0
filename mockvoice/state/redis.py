"""The store on a Redis or Valkey server, which any number of processes share.

Each operation is one Lua script, so it happens at once for all processes. To the scripts, entries,
records and files are opaque bytes; what they compare or count is passed to them beside those.
"""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import Collection, Mapping, Sequence
from functools import lru_cache
from typing import Any
from uuid import uuid4

from ..config.settings import BYTES_PER_MB, Settings
from ..errors import StoreUnavailable
from ..faults.rules import FaultRule
from ..faults.shorthand import OK
from ..types import JSON
from .accounts import (
    EVERY_KEY,
    MAX_KEY_CHARACTERS,
    STATE,
    USAGE_ENTRIES,
    Account,
    LimitResult,
    LimitRule,
    initial_account,
)
from .clock import parse_time
from .codec import (
    decode_entry,
    decode_record,
    decode_upload,
    describe_upload,
    dump,
    encode_entry,
    encode_record,
)
from .journal import (
    EVENT_BYTES,
    MAX_COVERAGE,
    CoverageCount,
    JournalEntry,
    JournalEvent,
    JournalEvents,
    RequestCount,
    count_of,
)
from .records import EVERY_ACCOUNT, Query, Record, RecordPage
from .redis_client import SCHEMA, Argument, Constants, RedisClient, forget_ended
from .store import (
    AtMost,
    Begin,
    Begun,
    Change,
    ClockState,
    Commit,
    CommitConflict,
    PutRecord,
    RemoveRecord,
    SandboxSettings,
    Spend,
    TakenFault,
    WrongEdition,
)
from .uploads import Upload

_MAX_OFFSET = 2**53  # integers of Lua
HEARTBEAT_SECONDS = 3.0
PROCESS_SECONDS = 12  # without a heartbeat, after which the requests of a process have ended


class RedisStore:
    """All sandboxes of a deployment; idle ones expire, and the oldest are evicted.

    Unlike in memory, the limits of journals and files are those of one sandbox.
    """

    def __init__(self, settings: Settings) -> None:
        self._client = RedisClient(settings.store, _constants(settings))
        self._accounts = settings.accounts
        self._processes: dict[asyncio.AbstractEventLoop, _Process] = {}

    def check(self, wait: float) -> None:
        """Check that the server can be used, for up to `wait` seconds.

        Raises StoreUnavailable.
        """
        self._client.check(wait)

    async def close(self) -> None:
        """Close the connections of the running event loop."""
        process = self._processes.pop(asyncio.get_running_loop(), None)
        if process:
            await process.stop()
        await self._client.close()

    def _process(self) -> _Process:
        """Return the process that the running event loop is to the server."""
        loop = asyncio.get_running_loop()
        process = self._processes.get(loop)
        if process is None or process.heart.done():
            forget_ended(self._processes)
            process = self._processes[loop] = _Process(self._client)
        return process

    # --- requests ---

    async def begin(self, begin: Begin) -> Begun | WrongEdition:
        """Begin a request, unless it was routed with another edition than the sandbox selects."""
        process = self._process()
        try:
            reply = await self._client.run(
                "begin",
                begin.sandbox,
                process.id,
                begin.provider,
                begin.operation,
                _account_id(begin.provider, begin.account),
                _rules_json(begin.limits),
                dump([*begin.other_limits]),
                *self._initial(begin.provider, begin.account, begin.defaults),
                begin.edition,
            )
        except StoreUnavailable:
            process.lost = True
            raise
        if len(reply) == 1:
            return WrongEdition(json.loads(reply[0]))
        requests, voices, accounts, number, ordinal, now, seed, started_at, audio = reply[:9]
        rules_version, retry_at, account, results, keys, retry_after, strict = reply[9:]
        begun = Begun(
            (int(requests), int(voices), int(accounts)),
            number,
            ordinal,
            float(now),
            seed.decode(),
            _number(started_at),
            audio.decode(),
            _account(begin.provider, begin.account, account),
            () if results is None else [_limit_result(*result) for result in results],
            int(rules_version),
            _number(retry_at),
            keys.decode(),
            retry_after.decode(),
            strict == b"true",
        )
        process.running.add(_token(begin.sandbox, begun.epochs[0], number))
        return begun

    async def take_faults(
        self,
        begin: Begin,
        begun: Begun,
        version: int,
        rules: Sequence[str],
        from_headers: Sequence[FaultRule] = (),
    ) -> Sequence[TakenFault] | None:
        """Count a match of fault rules, and return the ones that fire."""
        used = [r.name for r in begun.limits if r.per is not None and not r.exceeded]
        taken = await self._client.run(
            "take_faults",
            begin.sandbox,
            _account_id(begin.provider, begin.account),
            repr(begun.now),
            dump(used),
            version,
            dump([[rule.id, _plan(rule)] for rule in from_headers]),
            *rules,
        )
        if taken is None:
            return None
        return [TakenFault(id.decode(), step, matched) for id, step, matched in taken]

    async def commit(self, commit: Commit) -> CommitConflict | None:
        """Apply all changes of a request and complete its journal entry, or neither."""
        data: list[str] = []  # of the records in the changes
        changes = [_change_json(commit, change, data) for change in commit.changes]
        token = _token(commit.sandbox, commit.epochs[0], commit.entry.number)
        process = self._process()
        account = await process.end(
            "commit",
            token,
            commit.sandbox,
            process.id,
            token,
            *commit.epochs,
            _account_id(commit.provider, commit.account),
            commit.operation,
            int(commit.finished),
            "" if commit.retry_at is None else repr(commit.retry_at),
            *_entry_arguments(commit.entry),
            dump(changes) if changes else "",
            int(commit.again),
            *_upload_arguments(commit.uploads),
            *data,
        )
        if account is None:
            if commit.finished:
                process.running.discard(token)
            return None
        return CommitConflict(_account(commit.provider, commit.account, account))

    async def finish(self, commit: Commit, entry: JournalEntry) -> None:
        """Replace the journal entry of a request that was not finished at its commit."""
        token = _token(commit.sandbox, commit.epochs[0], commit.entry.number)
        process = self._process()
        await process.end(
            "finish",
            token,
            commit.sandbox,
            process.id,
            token,
            commit.epochs[0],
            int(commit.finished),
            *_counted(commit.entry),
            *_entry_arguments(entry),
        )
        process.running.discard(token)

    def _initial(self, provider: str, key: str, defaults: Mapping[str, Any]) -> Sequence[str]:
        """Return the state of a new account, in the order of STATE."""
        new = initial_account(self._accounts, provider, key, defaults)
        state = {name: getattr(new, name) for name in STATE}
        return [*_state_json(state).values()]

    # --- records ---

    async def get_record(
        self, sandbox: str, provider: str, collection: str, account: str, id: str
    ) -> Record | None:
        """Return the stored record of this account, or of every account."""
        own, shared = (_ref(provider, collection, a, id) for a in (account, EVERY_ACCOUNT))
        found = await self._client.run("get_record", sandbox, own, shared)
        records = [_record(item) for item in found]
        return next((record for record in records if not record.removed), next(iter(records), None))

    async def find_records(
        self, sandbox: str, provider: str, collection: str, account: str, query: Query
    ) -> RecordPage:
        """Return stored records of this account and of every account."""
        described = _query_json(provider, collection, account, query)
        found, total, stored = await self._client.run("find_records", sandbox, dump(described))
        hidden = [id for id, is_stored in zip(query.base, stored, strict=True) if is_stored]
        return RecordPage([_record(values) for values in found], total, hidden)

    async def has_record(self, sandbox: str, provider: str, collection: str, id: str) -> bool:
        """Return True if any account has a record with this id."""
        return bool(await self._client.run("has_record", sandbox, _held(provider, collection, id)))

    async def all_records(self, sandbox: str) -> tuple[Sequence[Record], int]:
        """Return all stored records, oldest first, and the number of evicted ones."""
        records, evicted = await self._client.run("all_records", sandbox)
        return [_record(found) for found in records], evicted

    async def put_records(
        self, sandbox: str, records: Sequence[Record], uploads: Sequence[Upload] = ()
    ) -> Sequence[Record]:
        """Store records with the files that they refer to; return them as they are stored."""
        described = dump([_record_json(record) for record in records])
        data = [encode_record(record) for record in records]
        files = _upload_arguments(uploads)
        stored = await self._client.run("put_records", sandbox, described, *files, *data)
        return [
            record._replace(number=number, revision=revision)
            for record, (number, revision) in zip(records, stored, strict=True)
        ]

    async def remove_records(self, sandbox: str, records: Sequence[Record]) -> None:
        """Delete records; base records stay hidden until a reset."""
        described = [_record_json(record) for record in records]
        data = [encode_record(record) for record in records]
        await self._client.run("remove_records", sandbox, dump(described), *data)

    async def clear_records(self, sandbox: str) -> None:
        """Delete all records; presets are back."""
        await self._client.run("clear_records", sandbox)

    async def next_count(self, sandbox: str, kind: str) -> int:
        """Return the next number for a kind of object that the control API makes."""
        return int(await self._client.run("next_count", sandbox, kind))

    # --- faults ---

    async def list_rules(self, sandbox: str) -> tuple[int, Sequence[FaultRule]]:
        """Return the version of the fault rules, and the rules, oldest first."""
        version, rules = await self._client.run("list_rules", sandbox)
        return version, [_rule(*rule) for rule in sorted(rules)]

    async def add_rule(self, sandbox: str, fault: JSON) -> FaultRule:
        """Add a fault rule for a valid fault."""
        number, created_at = await self._client.run("add_rule", sandbox, *_rule_json(fault))
        return FaultRule.of(f"fault_{number}", fault, float(created_at))

    async def remove_rule(self, sandbox: str, id: str) -> bool:
        """Remove a fault rule."""
        number = id.removeprefix("fault_")
        return number.isdecimal() and bool(await self._client.run("remove_rule", sandbox, number))

    async def clear_rules(self, sandbox: str) -> None:
        """Remove all fault rules."""
        await self._client.run("clear_rules", sandbox)

    # --- journal ---

    async def list_entries(self, sandbox: str) -> tuple[Sequence[JournalEntry], int]:
        """Return the journal, oldest first, and the number of evicted entries."""
        entries, evicted = await self._client.run("list_entries", sandbox)
        return [decode_entry(entry) for entry in entries], evicted

    async def count_entries(self, sandbox: str) -> tuple[Sequence[RequestCount], int]:
        """Return the number of requests by provider, operation and status, and of evicted ones."""
        counts, evicted = await self._client.run("count_entries", sandbox)
        found = []
        for name, total in _pairs(counts):
            provider, operation, status = json.loads(name)
            found.append(RequestCount(provider, operation, status, int(total)))
        return found, evicted

    async def get_entry(self, sandbox: str, number: int) -> JournalEntry | None:
        """Return one journal entry."""
        entry = await self._client.run("get_entry", sandbox, number)
        return decode_entry(entry) if entry else None

    async def wait_for_entries(
        self, sandbox: str | None, after: int | None, seconds: float
    ) -> JournalEvents:
        """Return the next entries that were completed after an event."""
        found = await self._entries_after(sandbox, after)
        if found.last != after or seconds <= 0:
            return found
        async with self._client.subscribe("events") as next_message:
            deadline = time.monotonic() + seconds
            while True:
                found = await self._entries_after(sandbox, after)
                remaining = deadline - time.monotonic()
                if found.last != after or remaining <= 0:
                    return found
                await next_message(remaining)

    async def _entries_after(self, sandbox: str | None, after: int | None) -> JournalEvents:
        last, events, missed = await self._client.run(
            "entries_after",
            sandbox or "",
            int(sandbox is None),
            "" if after is None else after,
            EVENT_BYTES,
        )
        return JournalEvents(
            last,
            [
                JournalEvent(number, name.decode(), decode_entry(entry) if entry else None)
                for number, name, entry in events
            ],
            missed,
        )

    async def clear_entries(self, sandbox: str) -> None:
        """Delete all journal entries."""
        await self._client.run("clear_entries", sandbox)

    async def list_internal_errors(self, sandbox: str) -> Sequence[JournalEntry]:
        """Return the entries with an internal error."""
        return [decode_entry(entry) for entry in await self._client.run("list_errors", sandbox)]

    async def get_uploads(self, sandbox: str, ids: Sequence[str]) -> Sequence[Upload]:
        """Return uploaded files."""
        if not ids:
            return []
        return [
            decode_upload(id.decode(), about, content)
            for id, about, content in await self._client.run("get_uploads", sandbox, *ids)
        ]

    # --- coverage ---

    async def count_coverage(self, sandbox: str | None) -> Sequence[CoverageCount]:
        """Return the requests of a sandbox by operation, status and kinds of faults."""
        counts = await self._client.run("count_coverage", sandbox or "", int(sandbox is None))
        found = []
        for name, total in _pairs(counts):
            provider, edition, operation, status, kinds = json.loads(name)
            count = CoverageCount(provider, edition, operation, status, tuple(kinds), int(total))
            found.append(count)
        return found

    async def clear_coverage(self, sandbox: str | None) -> None:
        """Begin to count anew."""
        await self._client.run("clear_coverage", sandbox or "", int(sandbox is None))

    # --- accounts, clock, sandboxes ---

    async def get_usage(
        self, sandbox: str, provider: str, account: str
    ) -> Sequence[Mapping[str, Any]]:
        """Return the recorded uses of an account, oldest first."""
        uses = await self._client.run("get_usage", sandbox, _account_id(provider, account))
        return [json.loads(use) for use in uses]

    async def get_account(
        self, sandbox: str, provider: str, key: str, defaults: Mapping[str, Any]
    ) -> Account:
        """Return an account."""
        id, initial = _account_id(provider, key), self._initial(provider, key, defaults)
        state, running = await self._client.run("get_account", sandbox, id, provider, *initial)
        return _account(provider, key, state)._replace(concurrency=running)

    async def change_account(
        self,
        sandbox: str,
        provider: str,
        key: str,
        defaults: Mapping[str, Any],
        state: Mapping[str, Any],
    ) -> Account:
        """Change parts of an account."""
        changed_state = await self._client.run(
            "change_account",
            sandbox,
            _account_id(provider, key),
            provider,
            int(key == EVERY_KEY),
            dump(_state_json(state)),
            *self._initial(provider, key, defaults),
        )
        return _account(provider, key, changed_state)

    async def list_accounts(self, sandbox: str) -> Sequence[Account]:
        """Return the accounts of all keys that were used or changed, oldest first."""
        accounts = []
        for id, state in await self._client.run("list_accounts", sandbox):
            provider, _, key = id.decode().partition("/")
            accounts.append(_account(provider, json.loads(key), state))
        return accounts

    async def get_clock(self, sandbox: str) -> ClockState:
        """Return the time of a sandbox."""
        now, frozen = await self._client.run("get_clock", sandbox)
        return ClockState(float(now), bool(frozen))

    async def set_clock(
        self, sandbox: str, *, at: float | None, frozen: bool | None, advance: float
    ) -> ClockState:
        """Freeze the clock (at a moment), let it run, advance it."""
        now, is_frozen = await self._client.run(
            "set_clock",
            sandbox,
            "" if at is None else repr(at),
            "" if frozen is None else int(frozen),
            repr(advance),
        )
        return ClockState(float(now), bool(is_frozen))

    async def reset(self, sandbox: str, parts: Collection[str], settings: SandboxSettings) -> None:
        """Restore the initial state of parts of a sandbox."""
        seed = "" if settings.seed is None else f"{settings.seed}/"
        edition = dump(dict(settings.edition)) if settings.edition else ""
        strict = None if settings.strict_fields is None else dump(settings.strict_fields)
        texts = (settings.audio, settings.limits, settings.keys, settings.retry_after, strict)
        values = (seed, edition, *(text or "" for text in texts))
        await self._client.run("reset", sandbox, dump([*parts]), *values)

    async def list_sandboxes(self) -> Sequence[str]:
        """Return the names of all sandboxes, oldest first; "" is the default one."""
        names = await self._client.run("list_sandboxes", "")
        return ["", *(name.decode() for name in names)]

    async def get_editions(self, sandbox: str) -> Mapping[str, str]:
        """Return the editions that a sandbox selects, without creating it."""
        editions: dict[str, str] = json.loads(await self._client.run("get_editions", sandbox))
        return editions

    async def get_settings(self, sandbox: str) -> SandboxSettings:
        """Return the settings of a sandbox."""
        reply = await self._client.run("get_settings", sandbox)
        seed, editions, audio, limits, keys, retry_after, strict = (t.decode() for t in reply)
        return SandboxSettings(
            int(seed.partition("/")[0]),
            audio,
            limits,
            keys,
            retry_after,
            strict == "true",
            json.loads(editions),
        )

    async def delete_sandbox(self, sandbox: str) -> bool:
        """Delete a sandbox with everything in it."""
        return bool(await self._client.run("delete_sandbox", sandbox))

    async def get_sandbox(self, sandbox: str) -> tuple[str, float | None]:
        """Return the seed of a sandbox, and the time at which its configured records were made."""
        seed, started_at = await self._client.run("get_sandbox", sandbox)
        return seed.decode(), _number(started_at)


class _Process:
    """The requests in progress of one event loop, which is one process to the server.

    `lost` is True after an error: the server may count requests that have ended.
    """

    def __init__(self, client: RedisClient) -> None:
        self.id = uuid4().hex
        self.running: set[str] = set()  # tokens
        self.lost = False
        self._client = client
        self.heart = asyncio.create_task(self._beat())

    async def end(self, name: str, token: str, *arguments: Argument) -> Any:
        """Run a script that ends a request, or its operation. Nothing follows after an error."""
        try:
            return await self._client.run(name, *arguments)
        except StoreUnavailable:
            self.lost = True
            self.running.discard(token)
            raise

    async def _beat(self) -> None:
        """Report again and again that this process is alive."""
        while True:
            lost, self.lost = self.lost, False
            tokens = [*self.running] if lost else []
            try:
                await self._client.run("heartbeat", "", self.id, int(lost), *tokens)
            except StoreUnavailable:
                self.lost = True
            await asyncio.sleep(HEARTBEAT_SECONDS)

    async def stop(self) -> None:
        """Report no longer that this process is alive."""
        self.heart.cancel()
        await asyncio.wait({self.heart})


def _constants(settings: Settings) -> Constants:
    """Return the values that the scripts of a deployment contain."""
    return {
        "PREFIX": f"{settings.store_prefix}:",
        "SCHEMA": str(SCHEMA),
        "SEED": str(settings.seed),
        "AUDIO": settings.audio,
        "LIMITS": settings.limits,
        "VALID_KEYS": settings.keys,
        "RETRY_AFTER": settings.retry_after,
        "STRICT_FIELDS": dump(settings.strict_fields),
        "EDITIONS": dump(dict(settings.edition)),
        "FAULTS": dump([_rule_json(fault, configured=True) for fault in settings.faults]),
        "CLOCK_FREEZE": _seconds(settings.clock.get("freeze")),
        "CLOCK_START": _seconds(settings.clock.get("start")),
        "MAX_FAULTS": settings.max_faults,
        "MAX_SANDBOXES": settings.max_sandboxes,
        "MAX_VOICES": settings.max_voices,
        "MAX_ACCOUNTS": settings.max_accounts,
        "MAX_KEY_BYTES": MAX_KEY_CHARACTERS,
        "MAX_REQUESTS": settings.max_requests,
        "MAX_COVERAGE": MAX_COVERAGE,
        "JOURNAL_BYTES": settings.journal_mb * BYTES_PER_MB,
        "UPLOAD_BYTES": settings.upload_cache_mb * BYTES_PER_MB,
        "USAGE_ENTRIES": USAGE_ENTRIES,
        "SANDBOX_TTL": settings.sandbox_ttl,
        "PROCESS_SECONDS": PROCESS_SECONDS,
    }


def _seconds(time: str | None) -> str:
    """Return a time as seconds since 1970, "" without one."""
    return "" if time is None else repr(parse_time(time))


def _number(text: bytes | None) -> float | None:
    return None if text is None else float(text)


def _pairs(values: Sequence[Any]) -> list[tuple[Any, Any]]:
    return [*zip(values[::2], values[1::2], strict=True)]


# --- requests and accounts -----------------------------------------------------------------------


def _token(sandbox: str, epoch: int, number: int) -> str:
    """Return the name of a request in progress, which no other request has."""
    return f"{sandbox}/{epoch}.{number}"


def _account_id(provider: str, key: str) -> str:
    """Return the id of an account in ASCII, "" without a key."""
    return f"{provider}/{dump(key)}" if key else ""


@lru_cache(maxsize=256)
def _account_state(*state: bytes) -> Any:
    """Return the state of an account from its JSON; most accounts have the same one."""
    tier, credit, trial_ended, models, listed, limits = map(json.loads, state)
    names = None if models is None else tuple(models)
    return tier, credit, trial_ended, names, listed, dict(limits)


def _account(provider: str, key: str, state: Sequence[bytes]) -> Account:
    """Return an account; without state it is one that does not exist."""
    return Account(provider, key, *_account_state(*state)) if state else Account(provider, key)


def _state_json(state: Mapping[str, Any]) -> dict[str, str]:
    """Return parts of an account as JSON; limits are pairs: Lua does not keep their order."""
    return {
        name: dump([*value.items()] if name == "limits" else value) for name, value in state.items()
    }


def _rules_json(rules: Sequence[LimitRule]) -> str:
    return dump(rules) if rules else "[]"


def _limit_result(
    name: bytes, maximum: int, per: bytes, used: int, reset: bytes, wait: bytes
) -> LimitResult:
    period = float(per) if per else None
    return LimitResult(name.decode(), maximum, period, used, float(reset), float(wait))


def _counted(entry: JournalEntry) -> tuple[str, str]:
    """Return the names of the request counts and of the coverage of an entry."""
    covered = count_of(entry)
    name = dump([entry.provider, entry.operation, entry.status])
    return name, dump(covered[:-1]) if covered else ""


def _entry_arguments(entry: JournalEntry) -> tuple[Argument, ...]:
    """Return a journal entry, and what the scripts need of it."""
    return (
        entry.number,
        *_counted(entry),
        int(bool(entry.internal_error)),
        encode_entry(entry),
        dump(entry.uploads) if entry.uploads else "",
    )


def _upload_arguments(uploads: Sequence[Upload]) -> list[Argument]:
    """Return the number of files, then three arguments for each."""
    arguments: list[Argument] = [len(uploads)]
    for upload in uploads:
        arguments += [upload.id, describe_upload(upload), upload.data]
    return arguments


# --- records -------------------------------------------------------------------------------------


def _partition(provider: str, collection: str, account: str) -> str:
    """Return the name of a partition in ASCII; none is the beginning of another one."""
    return dump([provider, collection, account])


def _visible(provider: str, collection: str, account: str) -> list[str]:
    """Return the partitions with the records that an account sees."""
    accounts = {account: None, EVERY_ACCOUNT: None}
    return [_partition(provider, collection, name) for name in accounts]


def _text(id: str) -> str:
    """Return an id, or its beginning, in ASCII."""
    return dump(id)[1:-1]


def _ref(provider: str, collection: str, account: str, id: str) -> str:
    return _partition(provider, collection, account) + _text(id)


def _held(provider: str, collection: str, id: str) -> str:
    return dump([provider, collection, id])


def _record_json(record: Record) -> dict[str, Any]:
    """Return what the scripts need of a record, see lua/parts/records.lua."""
    partition = _partition(*record.partition)
    keys = {"": "", "id": record.id, **record.keys}
    return {
        "partition": partition,
        "ref": partition + _text(record.id),
        "held": _held(record.provider, record.collection, record.id),
        "number": record.number,
        "uploads": record.uploads,
        "base": record.base,
        "removed": record.removed,
        "keys": {name: _hex(value) for name, value in keys.items()},
    }


def _hex(text: str) -> str:
    """Return text in hexadecimal, which has its order: that of code points."""
    return text.encode("utf-8", "surrogatepass").hex()


def _query_json(provider: str, collection: str, account: str, query: Query) -> dict[str, Any]:
    """Return a query as the script `find_records` has it."""
    partitions = _visible(provider, collection, account)
    return {
        "partitions": partitions,
        "where": [test._replace(text=_hex(test.text))._asdict() for test in query.where],
        "order": query.order,
        "descending": query.descending,
        "offset": min(query.offset, _MAX_OFFSET),
        "limit": query.limit,
        "refs": [[partition + _text(id) for partition in partitions] for id in query.base],
    }


def _record(found: Sequence[Any]) -> Record:
    number, revision, removed, data = found
    return decode_record(data, number, revision, removed=bool(removed))


def _change_json(commit: Commit, change: Change, data: list[str]) -> dict[str, Any]:
    """Return a change as the script `commit` has it; the data of a record is appended to `data`."""
    if isinstance(change, PutRecord | RemoveRecord):
        data.append(encode_record(change.record))
        described: dict[str, Any] = {
            "kind": "remove",
            "record": _record_json(change.record),
            "data": len(data) - 1,
        }
        if isinstance(change, PutRecord):
            described |= {"kind": "put", "revision": change.revision}
        return described
    if isinstance(change, Spend):
        return {"kind": "spend", "amount": change.amount}
    if isinstance(change, AtMost):
        partitions = _visible(commit.provider, change.collection, commit.account)
        return {
            "kind": "at_most",
            "partitions": partitions,
            "prefix": _hex(change.prefix),
            "limit": change.limit,
        }
    return {"kind": "use", "usage": dump(change.usage)}


# --- fault rules ---------------------------------------------------------------------------------


def _rule_json(fault: JSON, *, configured: bool = False) -> tuple[str, str]:
    """Return a new rule, and its plan."""
    rule = FaultRule.of("", fault, 0.0)
    return dump([rule.data, configured]), _plan(rule)


def _plan(rule: FaultRule) -> str:
    """Return what decides for which matches a rule fires: see lua/take_faults.lua."""
    data = rule.data
    steps = [
        "-" if fault == OK else str(rule.replaces_operation(i) + 2 * rule.continues(i))
        for i, fault in enumerate(rule.steps)
    ]
    plan = {
        "sequence": "sequence" in data,
        "steps": "".join(steps),
        "skip": data.get("skip", 0),
        "every": data.get("every", 1),
        "probability": data.get("probability", 1.0),
    }
    plan |= {name: data[name] for name in ("times", "expires_in") if data.get(name) is not None}
    return dump(plan)


def _rule(number: int, stored: bytes, created_at: bytes, matched: int, hits: int) -> FaultRule:
    data, configured = json.loads(stored)
    return FaultRule(f"fault_{number}", data, float(created_at), configured, matched, hits)

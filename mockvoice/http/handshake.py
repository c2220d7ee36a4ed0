"""Faults of TLS handshakes, which precede all requests of a connection."""

from __future__ import annotations

from dataclasses import replace

from ..faults.kinds import is_handshake_fault
from ..mock import Mock
from ..provider import Provider
from ..state.accounts import Account
from ..state.journal import JournalEntry
from ..state.store import Begin, Begun, Commit, WrongEdition
from .identify import is_sandbox_name

_ATTEMPTS = 10  # to take a fault while rules change
_EXPIRED = "expired"  # the default


async def take_defect(mock: Mock, provider: Provider, sandbox: str, host: str) -> str:
    """Return the defect of the certificate for a handshake with a host, "" for none.

    A fault that fires is recorded like a request without a response.
    """
    if sandbox and not is_sandbox_name(sandbox):
        return ""  # the request is going to be rejected
    for _ in range(_ATTEMPTS):
        version, rules = await mock.store.list_rules(sandbox)
        matching = {
            rule.id: rule
            for rule in rules
            if is_handshake_fault(rule.data) and rule.data.get("provider") in (None, provider.name)
        }
        if not matching:
            return ""
        now = (await mock.store.get_clock(sandbox)).now
        account = Account(provider.name, "")
        begun = Begun((0, 0, 0), 0, 0, now, "", None, "", account, (), version, None)
        begin = Begin(sandbox, provider.name, "", "")
        taken = await mock.store.take_faults(begin, begun, version, [*matching])
        if taken is None:
            continue
        for fault in taken:
            await _record(mock, begin, host, fault.id)
            step = matching[fault.id].steps[fault.step]
            return str(step.get("certificate", _EXPIRED))
        return ""
    return ""


async def _record(mock: Mock, begin: Begin, host: str, fault: str) -> None:
    """Add a handshake that a fault breaks to the journal."""
    begun = await mock.store.begin(begin)
    while isinstance(begun, WrongEdition):
        begin = replace(begin, edition=begun.editions.get(begin.provider, ""))
        begun = await mock.store.begin(begin)
    entry = JournalEntry(
        begun.number,
        begin.provider,
        "",
        "",
        "TLS",
        host,
        b"",
        (),
        begun.now,
        fault=fault,
        kind="tls",
        milliseconds=0.0,
        edition=begin.edition,
    )
    await mock.store.commit(Commit(begin.sandbox, begun.epochs, begin.provider, "", "", entry))
    if mock.log:
        mock.log(begin.sandbox, entry)

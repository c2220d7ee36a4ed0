"""The mock: settings, providers and store of one server."""

from __future__ import annotations

import asyncio
from collections import OrderedDict
from collections.abc import Iterable, Mapping, Sequence
from functools import cache
from typing import Any

from .config.settings import Settings
from .errors import StoreUnavailable
from .faults.rules import FaultRule
from .http.tls import CertificateAuthority
from .openapi.document import Document
from .provider import SPECS, Provider
from .seeding import make_records
from .state.access_log import access_log
from .state.ids import Ids
from .state.memory import MemoryStore
from .state.records import Record
from .state.store import Store

_CACHED = 256  # sandboxes whose fault rules and configured records are remembered


@cache
def control_document() -> Document:
    """Return the contract of the control API; all mocks of a process share it."""
    return Document("mockvoice", (SPECS / "mockvoice.yaml").read_text(encoding="utf-8"))


def open_store(settings: Settings) -> Store:
    """Return the store that the settings select. Raises StoreUnavailable."""
    if settings.store == "memory":
        return MemoryStore(settings)
    try:
        from .state.redis import RedisStore
    except ImportError:
        raise StoreUnavailable(
            "--store with a Redis URL needs a package: pip install 'mockvoice[redis]'"
        ) from None
    store = RedisStore(settings)
    store.check(settings.store_wait)
    return store


class Mock:
    """The settings, contracts, providers and state of one server."""

    def __init__(
        self, settings: Settings, providers: Iterable[Provider], store: Store | None = None
    ) -> None:
        self.settings = settings
        self.store: Store = store or open_store(settings)
        self.providers: Mapping[str, Provider] = {provider.name: provider for provider in providers}
        self.control = control_document()
        self.log = access_log(settings.log)
        self.retry_lock = asyncio.Lock()
        self.ca = CertificateAuthority(settings.tls_ca_cert, settings.tls_ca_key)
        self._rules: OrderedDict[str, tuple[int, Sequence[FaultRule]]] = OrderedDict()
        self._configured: OrderedDict[tuple[str, float], list[Record]] = OrderedDict()

    async def fault_rules(
        self, sandbox: str, version: int | None
    ) -> tuple[int, Sequence[FaultRule]]:
        """Return the fault rules of a sandbox, and their version.

        Rules that are remembered are returned without reading them again if they are of `version`.
        """
        cached = self._rules.get(sandbox)
        if cached is None or cached[0] != version:
            cached = await self.store.list_rules(sandbox)
            _remember(self._rules, sandbox, cached)
        return cached

    def base_records(
        self, provider: Provider, account: str, collection: str, seed: str, started_at: float | None
    ) -> list[Record]:
        """Return the presets of an account, and the configured records that it sees."""
        configured = [
            record
            for record in self.configured_records(seed, started_at)
            if (record.provider, record.collection) == (provider.name, collection)
            and record.account in ("*", account)
        ]
        if provider.presets is None:
            return configured
        replaced = {record.id for record in configured}
        presets = [
            record
            for record in provider.presets(account)
            if record.collection == collection and record.id not in replaced
        ]
        return [*presets, *configured]

    def configured_records(self, seed: str, started_at: float | None) -> list[Record]:
        """Return the records of the settings as a sandbox has them at its start."""
        if not self.settings.voices or started_at is None:
            return []
        key = seed, started_at
        records = self._configured.get(key)
        if records is None:
            # Ids of their own: the same after every reset, and different from all later ones.
            ids = Ids(seed, "configured", 0)
            made = [
                record
                for voice in self.settings.voices
                for record in make_records(self.providers, voice, ids, started_at)
            ]
            unique = {(record.partition, record.id): record for record in made}
            records = [record._replace(base=True) for record in unique.values()]
            _remember(self._configured, key, records)
        return records


def _remember(cache: OrderedDict[Any, Any], key: object, value: object) -> None:
    """Put a value into a cache, and evict the oldest one beyond its size."""
    cache[key] = value
    if len(cache) > _CACHED:
        cache.popitem(last=False)

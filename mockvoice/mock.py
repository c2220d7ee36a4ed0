"""The mock: settings, providers and store of one server."""

from __future__ import annotations

import asyncio
from collections import OrderedDict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from functools import cache, cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

from .config.settings import Settings
from .errors import StoreUnavailable
from .faults.rules import FaultRule
from .http.tls import CertificateAuthority
from .openapi.document import Document
from .openapi.normalize import ContractError
from .provider import SPECS, Provider
from .seeding import make_all, seeded_uploads
from .state.access_log import access_log
from .state.ids import Ids
from .state.memory import MemoryStore
from .state.records import Record
from .state.store import Store
from .state.uploads import Upload
from .text import did_you_mean

if TYPE_CHECKING:
    from .upstream.services import LiveServices

_CACHED = 256  # sandboxes whose fault rules, records and editions are remembered

Editions = Mapping[str, str]  # a name of an edition, or "latest", by provider


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


def _open_live(settings: Settings, providers: Mapping[str, Provider]) -> LiveServices | None:
    """Return the live services of the settings; None, the default, if there are none."""
    if not (settings.upstream or settings.record or settings.replay):
        return None
    from .upstream.services import open_services  # few servers have any

    return open_services(settings, providers)


class Mock:
    """The settings, contracts, providers and state of one server."""

    def __init__(
        self, settings: Settings, providers: Iterable[Provider], store: Store | None = None
    ) -> None:
        self.settings = settings
        self._served = {provider.name: provider for provider in providers}
        self._by_edition: dict[tuple[str, str], Provider] = {}
        self._editions: OrderedDict[str, Editions] = OrderedDict()
        _check_names(settings, self._served)
        self.providers = self.select(settings.edition)
        self.store: Store = store or open_store(settings)
        self.log = access_log(settings.log)
        self.live = _open_live(settings, self.providers)
        self.retry_lock = asyncio.Lock()
        self.ca = CertificateAuthority(settings.tls_ca_cert, settings.tls_ca_key)
        self._rules: OrderedDict[str, tuple[int, Sequence[FaultRule]]] = OrderedDict()
        self._configured: OrderedDict[Any, list[Record]] = OrderedDict()

    @cached_property
    def control(self) -> Document:
        """The contract of the control API, read on first use."""
        return control_document()

    def read_contracts(self) -> None:
        """Read all contracts now, instead of each one on first use."""
        _ = self.control, [provider.document for provider in self.providers.values()]

    def select(self, editions: Editions) -> Mapping[str, Provider]:
        """Return the served providers by name, each in the edition that is selected for it."""
        return {name: self.select_one(name, editions.get(name, "")) for name in self._served}

    def select_one(self, name: str, edition: str) -> Provider:
        """Return a served provider in an edition, always the same object."""
        found = self._by_edition.get((name, edition))
        if found is None:
            resolved = self._served[name].resolve(edition)
            found = self._by_edition.get((name, resolved)) or self._selected(name, resolved)
            self._by_edition[name, resolved] = self._by_edition[name, edition] = found
        return found

    def _selected(self, name: str, edition: str) -> Provider:
        selected, contract = self._served[name].select(edition), self.settings.contracts.get(name)
        if contract:
            return replace(selected, contract=Path(contract), warned=set())
        return selected

    def editions(self, sandbox: str) -> Editions:
        """Return the editions that a sandbox selects, as far as this process knows.

        The store refuses a request that was routed with another edition, see `WrongEdition`.
        """
        return self._editions.get(sandbox, self.settings.edition)

    @property
    def has_other_editions(self) -> bool:
        """True if a sandbox is known to select other editions than the settings."""
        return bool(self._editions)

    def remember_editions(self, sandbox: str, editions: Editions) -> None:
        """Remember the editions that a sandbox selects."""
        self._editions.pop(sandbox, None)
        if editions != self.settings.edition:
            _remember(self._editions, sandbox, editions)

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
            for record in self.configured_records(provider, seed, started_at)
            if record.collection == collection and record.account in ("*", account)
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

    def configured_records(
        self, provider: Provider, seed: str, started_at: float | None
    ) -> list[Record]:
        """Return the provider's records of the settings as a sandbox has them at its start."""
        providers = {**self.providers, provider.name: provider}
        records = self.all_configured_records(providers, seed, started_at)
        return [record for record in records if record.provider == provider.name]

    def all_configured_records(
        self, providers: Mapping[str, Provider], seed: str, started_at: float | None
    ) -> list[Record]:
        """Return the records of the settings as a sandbox with these editions has them."""
        if not self.settings.voices or started_at is None:
            return []
        key = seed, started_at, *(provider.edition for provider in providers.values())
        records = self._configured.get(key)
        if records is None:
            # Ids of their own: the same after every reset, and different from all later ones.
            ids = Ids(seed, "configured", 0)
            made = make_all(providers, self.settings.voices, ids, started_at)
            records = [record._replace(base=True) for record in made]
            _remember(self._configured, key, records)
        return records

    async def get_uploads(self, sandbox: str, ids: Sequence[str]) -> Sequence[Upload]:
        """Return the files of records; the content of an evicted one is None."""
        configured = self._configured_uploads
        stored = await self.store.get_uploads(sandbox, [id for id in ids if id not in configured])
        found = {**configured, **{upload.id: upload for upload in stored}}
        return [found[id] for id in ids if id in found]

    @cached_property
    def _configured_uploads(self) -> Mapping[str, Upload]:
        """The files of the records of the settings, by id. Unlike others, they are not evicted."""
        voices = self.settings.voices
        return {upload.id: upload for seed in voices for upload in seeded_uploads(seed)}


def _check_names(settings: Settings, served: Mapping[str, Provider]) -> None:
    """Raise ContractError for a setting of a provider that is not served."""
    for setting in ("edition", "contracts", "upstream"):
        for name in getattr(settings, setting):
            if name not in served:
                hint = did_you_mean(name, served) or f"available: {', '.join(served)}"
                raise ContractError(f"{setting} names the unknown provider {name}; {hint}")
    for name, path in settings.contracts.items():
        if not Path(path).is_file():
            raise ContractError(f"the contract of {name} does not exist: {path}")


def _remember(cache: OrderedDict[Any, Any], key: object, value: object) -> None:
    """Put a value into a cache, and evict the oldest one beyond its size."""
    cache[key] = value
    if len(cache) > _CACHED:
        cache.popitem(last=False)

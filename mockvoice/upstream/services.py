"""The live services of a mock: forwarded to, recorded, or replayed."""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

from ..config.settings import Settings, SettingsError
from ..provider import Provider
from .forward import Forwarder
from .recording import Recorder
from .replay import Replayer


class LiveServices(NamedTuple):
    """The sources of live responses, each None where the settings have none."""

    forwarder: Forwarder | None = None
    recorder: Recorder | None = None
    replayer: Replayer | None = None

    def replays(self, provider: str) -> bool:
        """Return True for a provider whose recorded responses are sent."""
        return self.replayer is not None and provider in self.replayer.providers

    def source(self, provider: str) -> str:
        """Return the file or the URL that live responses of a provider come from, "" for none."""
        if self.replayer and self.replays(provider):
            return self.replayer.path
        return self.forwarder.urls.get(provider, "") if self.forwarder else ""


def open_services(settings: Settings, providers: Mapping[str, Provider]) -> LiveServices:
    """Return the live services that the settings select. Raises SettingsError."""
    if settings.record and not settings.upstream:
        raise SettingsError("record needs an upstream: add --upstream NAME=URL")
    replayer = Replayer(settings.replay, providers.values()) if settings.replay else None
    if replayer:
        replayer.check_upstream(settings.upstream)
    return LiveServices(
        Forwarder(settings) if settings.upstream else None,
        Recorder(settings.record) if settings.record else None,
        replayer,
    )

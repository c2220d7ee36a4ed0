"""The argument of the control API's handlers."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from ..errors import NotFound
from ..mock import Mock
from ..openapi.document import Operation
from ..provider import Headers, Provider, sample_url
from ..state.store import Store
from ..types import JSON


@dataclass(slots=True, eq=False)
class ControlContext:
    """One request to the control API of a sandbox.

    `parameters` are those of path and query, `fields` the members of the body, in the types that
    the contract declares; `body` is the whole of it. `origin` is the address at which the client
    reaches the sandbox. `providers` are the served ones by name, each in the edition that the
    sandbox selects.
    """

    mock: Mock
    operation: Operation
    sandbox: str
    headers: Headers
    origin: str
    providers: Mapping[str, Provider]
    parameters: dict[str, JSON] = field(default_factory=dict)
    fields: dict[str, Any] = field(default_factory=dict)
    body: JSON = None

    @property
    def store(self) -> Store:
        """The state of all sandboxes."""
        return self.mock.store

    @property
    def server_url(self) -> str:
        """The address at which the client reaches the default sandbox."""
        return self.origin.removesuffix(f"/~{self.sandbox}")

    def find_provider(self, name: str) -> Provider:
        """Return the served provider with a name. Raises NotFound."""
        if name not in self.providers:
            raise NotFound(f"unknown provider {name}; available: {', '.join(self.providers)}")
        return self.providers[name]

    def sample_url(self, voice: str) -> str:
        """Return the URL at which the mock serves a sample of a voice."""
        return sample_url(self.origin, voice)

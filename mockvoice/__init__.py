"""A local server that behaves like four voice-cloning APIs."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from .asgi import Application
    from .client.control import Control
    from .mock import Mock
from .provider import Provider

__all__ = ["Control", "connect", "create_app", "serve"]
__version__ = "0.1.0"

# What stands here is imported late: `import mockvoice` alone is to cost nothing.


@contextmanager
def serve(*, providers: Iterable[Provider | str] = (), **settings: Any) -> Iterator[Control]:
    """Serve in a thread, on a free port unless `port` is given; gives the control object.

    `settings` are those of the README; `providers` are served besides the built-in ones
    ("acme=path.yaml" or "acme=path.yaml:module"). Raises SettingsError, ContractError, PortTaken.
    """
    from .http.server import Server, bind

    mock = _mock(providers, {"port": 0, **settings})
    with Server(mock, bind(mock.settings.host, mock.settings.port)) as server:
        yield connect(server.url)


def connect(url: str) -> Control:
    """The control object of a running server; a URL may name a sandbox (`http://host:4010/~name`).

    Raises ConnectionError when no mockvoice answers there.
    """
    from .client.control import connect

    return connect(url)


def create_app(*, providers: Iterable[Provider | str] = (), **settings: Any) -> Application:
    """An ASGI application for clients in this process; its `control` is the control object."""
    from .asgi import Application

    return Application(_mock(providers, settings))


def _mock(providers: Iterable[Provider | str], settings: Mapping[str, Any]) -> Mock:
    from .config.file import check
    from .config.settings import load
    from .mock import Mock
    from .providers import served

    known = served(providers)
    check(settings, known)
    return Mock(load(settings), known)


def __getattr__(name: str) -> Any:
    if name == "Control":
        from .client.control import Control

        return Control
    raise AttributeError(f"module {__name__} has no attribute {name}")

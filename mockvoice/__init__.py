"""A local mock server for four voice-cloning APIs."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from os import PathLike, fspath
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from .asgi import Application
    from .client.control import Control
    from .mock import Mock
    from .provider import Provider

__all__ = ["Control", "connect", "create_app", "serve"]
__version__ = "0.1.0"

# Imports are local to the functions, so that `import mockvoice` stays cheap.


@contextmanager
def serve(
    *,
    providers: Iterable[Provider | str] = (),
    config: str | PathLike[str] | None = None,
    **settings: Any,
) -> Iterator[Control]:
    """Run a server in a thread and yield its `Control`; the port is free unless `port` is passed.

    `settings` are the settings of `mockvoice serve`; they override those of the configuration file
    `config`. `providers` are served in addition to the built-in ones ("acme=path.yaml" or
    "acme=path.yaml:module"). Raises SettingsError, ContractError or PortTaken.
    """
    from .http.server import Server, bind

    mock = _mock(providers, config, {"port": 0, **settings})
    with Server(mock, bind(mock.settings.host, mock.settings.port)) as server:
        yield connect(server.url, control_token=mock.settings.control_token)


def connect(url: str, *, control_token: str | None = None) -> Control:
    """Connect to a running server; the URL may name a sandbox (`http://host:4010/~name`).

    The control token is read from MOCKVOICE_CONTROL_TOKEN by default. Raises ConnectionError if no
    mockvoice server responds.
    """
    from .client.control import connect

    return connect(url, control_token=control_token)


def create_app(
    *,
    providers: Iterable[Provider | str] = (),
    config: str | PathLike[str] | None = None,
    **settings: Any,
) -> Application:
    """Return an ASGI application for clients in this process; its `control` manages it.

    The arguments are those of `serve`.
    """
    from .asgi import Application

    return Application(_mock(providers, config, settings))


def _mock(
    providers: Iterable[Provider | str],
    config: str | PathLike[str] | None,
    settings: Mapping[str, Any],
) -> Mock:
    from .config.file import check, read
    from .config.settings import SettingsError, load
    from .mock import Mock
    from .providers import served

    all_providers = served(providers)
    check(settings, all_providers)
    file = read(fspath(config), all_providers) if config else {}
    loaded = load({"workers": 1, **settings}, file=file)
    if loaded.workers > 1:
        raise SettingsError("workers: only the command `mockvoice serve` starts several processes")
    return Mock(loaded, all_providers)


def __getattr__(name: str) -> Any:
    if name == "Control":
        from .client.control import Control

        return Control
    raise AttributeError(f"module {__name__} has no attribute {name}")

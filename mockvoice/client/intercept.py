"""Variables that make clients with hard-coded URLs use the mock: as their proxy, with its CA."""

from __future__ import annotations

import os
import ssl
import sys
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any, Protocol
from urllib.parse import quote, unquote, urlsplit

_LOCAL = ("localhost", "127.0.0.1", "::1")  # are reached directly
_PROXIES = ("HTTP_PROXY", "HTTPS_PROXY", "WS_PROXY", "WSS_PROXY")
_CA_FILES = ("SSL_CERT_FILE", "REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE", "NODE_EXTRA_CA_CERTS")
_ROOTS = (  # of Debian and Alpine, Fedora, SUSE, macOS and the BSDs
    "/etc/ssl/certs/ca-certificates.crt",
    "/etc/pki/tls/certs/ca-bundle.crt",
    "/etc/ssl/ca-bundle.pem",
    "/etc/ssl/cert.pem",
)


class Patcher(Protocol):
    """Sets variables and attributes and restores them later, like pytest's monkeypatch."""

    def setenv(self, name: str, value: str) -> None:
        """Set an environment variable."""

    def setattr(self, target: object, name: str, value: object) -> None:
        """Set an attribute."""


def proxy_variables(url: str, ca_file: str | None = None) -> dict[str, str]:
    """Return variables that make clients use the sandbox at a URL as their proxy.

    `ca_file` is a file with the CA of the mock and all other CAs that clients shall trust.
    """
    parts = urlsplit(url)
    sandbox = unquote(parts.path.partition("/~")[2].strip("/"))
    user = f"{quote(sandbox, safe='')}:x@" if sandbox else ""  # some clients want a password
    proxy = f"{parts.scheme}://{user}{parts.netloc}"
    excluded = ",".join(dict.fromkeys([*_LOCAL, parts.hostname or ""]))
    variables = {**dict.fromkeys(_PROXIES, proxy), "NO_PROXY": excluded}
    variables |= {name.lower(): value for name, value in variables.items()}
    if ca_file:
        variables |= dict.fromkeys(_CA_FILES, ca_file)
    return {**variables, "NODE_USE_ENV_PROXY": "1"}


def with_system_roots(ca: bytes) -> bytes:
    """Return a CA after those that the system trusts, which a file of CAs replaces."""
    return _system_roots().rstrip() + b"\n" + ca


def _system_roots() -> bytes:
    paths = (os.environ.get("SSL_CERT_FILE"), ssl.get_default_verify_paths().cafile, *_ROOTS)
    for path in paths:
        if path and Path(path).is_file():
            return Path(path).read_bytes()
    certificates = ssl.create_default_context().get_ca_certs(binary_form=True)  # of Windows
    return "".join(map(ssl.DER_cert_to_PEM_cert, certificates)).encode()


def apply(variables: Mapping[str, str], patcher: Patcher) -> None:
    """Set variables, also for clients that have read them already."""
    for name, value in variables.items():
        patcher.setenv(name, value)
    # aiohttp makes the TLS context of all clients when it is imported.
    connector = sys.modules.get("aiohttp.connector")
    make_context = getattr(connector, "_make_ssl_context", None)
    if make_context and hasattr(connector, "_SSL_CONTEXT_VERIFIED"):
        patcher.setattr(connector, "_SSL_CONTEXT_VERIFIED", make_context(True))
    # urlopen() keeps the proxies that it has found when it is first called.
    request = sys.modules.get("urllib.request")
    if hasattr(request, "_opener"):
        patcher.setattr(request, "_opener", None)


class _StackPatcher:
    """A patcher that restores everything when its stack is closed."""

    def __init__(self, stack: ExitStack) -> None:
        self._stack = stack

    def setenv(self, name: str, value: str) -> None:
        """Set an environment variable; see `Patcher`."""
        from unittest.mock import patch  # here: few need it, and it takes a while to import

        self._stack.enter_context(patch.dict(os.environ, {name: value}))

    def setattr(self, target: Any, name: str, value: object) -> None:
        """Set an attribute; see `Patcher`."""
        from unittest.mock import patch

        self._stack.enter_context(patch.object(target, name, value))


@contextmanager
def applied(variables: Mapping[str, str]) -> Iterator[None]:
    """Set variables for the duration of a block."""
    with ExitStack() as stack:
        apply(variables, _StackPatcher(stack))
        yield

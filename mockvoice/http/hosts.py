"""Host names of the providers' real servers, and the requests that clients make to them."""

from __future__ import annotations

from base64 import b64decode
from collections.abc import Iterable, Mapping, Sequence
from functools import lru_cache
from ipaddress import ip_address
from typing import NamedTuple
from urllib.parse import unquote

from starlette.types import Scope

from ..errors import UnknownHost
from ..provider import Headers, Provider
from .transport import TARGET

CONTROL = "/__mockvoice"  # is served at every host
PROXY_USER = "mockvoice.proxy_user"  # the key in a scope of the user name in a proxy URL
HIDDEN = "mockvoice.hidden"  # the key in a scope of the prefix that the client's path does not have
PROBLEM = "mockvoice.problem"  # the key in a scope of a problem that is certain
INTERCEPTED = "mockvoice.intercepted"  # the key in a scope's state of an Intercepted


class Intercepted(NamedTuple):
    """The circumstances of a connection that uses TLS or a proxy tunnel.

    `host` is the one that the client connects to, by CONNECT or by its ClientHello; `sandbox` is
    the user name of the proxy URL.
    """

    host: str = ""
    sandbox: str = ""
    tls: bool = False
    tunneled: bool = False


class _Mount(NamedTuple):
    """A base path at a host, and the provider that it belongs to."""

    path: str
    provider: Provider


class Hosts:
    """The hosts of all providers: those in their contracts, and aliases by provider.

    The aliases of `mockvoice` are names of the mock itself.
    """

    def __init__(
        self, providers: Iterable[Provider], aliases: Mapping[str, Sequence[str]] | None = None
    ) -> None:
        aliases = aliases or {}
        self._own = {host.lower() for host in aliases.get("mockvoice", ())}
        self._mounts: dict[str, list[_Mount]] = {}
        for provider in providers:
            outline = provider.outline
            servers = [(host, outline.base_path) for host in aliases.get(provider.name, ())]
            for host, path in [*outline.servers, *servers]:
                self._mounts.setdefault(host.lower(), []).append(_Mount(path, provider))
        for mounts in self._mounts.values():
            mounts.sort(key=lambda mount: -len(mount.path))

    def serves(self, host: str) -> bool:
        """Return True for a host of a provider or of the mock itself."""
        return host in self._mounts or host in self._own or _is_local(host)

    def provider(self, host: str) -> Provider | None:
        """Return the provider that has a host."""
        mounts = self._mounts.get(host)
        return mounts[0].provider if mounts else None

    def unknown(self, host: str) -> UnknownHost:
        """Return the problem of a request to a host that is not served."""
        return UnknownHost(
            f"mockvoice does not serve {host[:253]}; it serves {', '.join(self._mounts)}",
            hint=f"add {host[:253]} to the setting hosts if a provider serves it, or exclude it"
            " from the proxy with NO_PROXY; unknown_hosts: tunnel lets https requests through",
        )

    def route(self, scope: Scope, headers: Headers) -> None:
        """Put the path at a provider's host below the prefix that the provider has here.

        A request that was made to an unknown host, by TLS or as a proxy request, gets a problem.
        """
        target: str = scope.get(TARGET, "")
        state = scope.get("state")
        intercepted: Intercepted | None = state.get(INTERCEPTED) if state else None
        user = ""
        if target:
            host = host_name(target.partition("://")[2].partition("/")[0])
            user = user_name(headers.get("proxy-authorization").encode("latin-1"))
        else:
            host = host_name(headers.get("host"))
        if intercepted:
            host, user = host or intercepted.host, user or intercepted.sandbox
        if user:
            scope[PROXY_USER] = user
        if host in self._mounts:
            self._mount(scope, self._mounts[host])
        elif (target or intercepted) and not self.serves(host):
            scope[PROBLEM] = self.unknown(host)

    def _mount(self, scope: Scope, mounts: list[_Mount]) -> None:
        path: str = scope["path"]
        if path == CONTROL or path.startswith(f"{CONTROL}/"):
            return
        for base, provider in mounts:
            if path == base or path.startswith(f"{base}/"):
                scope["path"] = provider.base_path + path[len(base) :]
                break
        else:
            provider = mounts[0].provider
            scope["path"] = f"/{provider.name}{path}"
        scope[HIDDEN] = f"/{provider.name}"


@lru_cache(maxsize=256)  # requests repeat the same few hosts
def host_name(authority: str) -> str:
    """Return the host of `host:port` in lower case, without a final dot."""
    authority = authority.rpartition("@")[2]
    if authority.startswith("["):  # IPv6
        return authority[1:].partition("]")[0].lower()
    return authority.partition(":")[0].rstrip(".").lower()


def user_name(authorization: bytes) -> str:
    """Return the user name in the value of a `Proxy-Authorization` header, "" if it has none."""
    scheme, _, encoded = authorization.partition(b" ")
    if scheme.lower() != b"basic":
        return ""
    try:
        return unquote(b64decode(encoded.strip(), validate=True).partition(b":")[0].decode())
    except ValueError:  # invalid Base64 or UTF-8
        return ""


def _is_local(host: str) -> bool:
    """Return True for localhost, an IP address and any other name without a dot."""
    if "." not in host or host.endswith(".localhost"):
        return True
    try:
        ip_address(host)
    except ValueError:
        return False
    return True

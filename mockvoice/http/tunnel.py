"""Tunnels to hosts that the mock does not serve, if the settings allow them."""

from __future__ import annotations

import asyncio
import socket
from ipaddress import ip_address
from typing import Any, cast

from ..errors import UnknownHost
from .transport import Connection

_CONNECT_SECONDS = 10.0
_IDLE_SECONDS = 300.0


class Relay(asyncio.Protocol):
    """One side of a tunnel: writes what it receives to the other side.

    Nothing is read before both sides are linked.
    """

    other: Relay

    def __init__(self, server_state: Any) -> None:
        self._connections = server_state.connections
        self.transport: asyncio.Transport
        self.connection: Connection
        self.used_at = asyncio.get_running_loop().time()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Register the connection with the server, and wait for the other side."""
        self.transport = cast("asyncio.Transport", transport)
        self.transport.pause_reading()
        self.connection = Connection(transport)
        self._connections.add(self)

    def data_received(self, data: bytes) -> None:
        """Write data to the other side."""
        self.used_at = self.other.used_at = asyncio.get_running_loop().time()
        self.other.transport.write(data)

    def eof_received(self) -> bool:
        """Pass on the end of one direction; return True to keep the other one."""
        if not self.other.transport.can_write_eof():
            return False
        self.other.transport.write_eof()
        return True

    def pause_writing(self) -> None:
        """Read nothing more for a peer that does not read."""
        self.other.transport.pause_reading()

    def resume_writing(self) -> None:
        """Read again."""
        self.other.transport.resume_reading()

    def connection_lost(self, error: Exception | None) -> None:
        """Close the other side."""
        self._connections.discard(self)
        if hasattr(self, "other"):
            self.other.transport.close()

    def close_if_stalled(self, since: float) -> None:
        """Close the tunnel if nothing was sent for long."""
        if self.used_at < since - _IDLE_SECONDS:
            self.transport.abort()

    def shutdown(self) -> None:
        """Close the tunnel."""
        self.transport.close()


def link(one: Relay, two: Relay) -> None:
    """Begin to pass on data between two sides, one of which may be closed already."""
    one.other, two.other = two, one
    for relay in (one, two):
        if relay.transport.is_closing():
            relay.other.transport.close()
        else:
            relay.transport.resume_reading()


async def open_tunnel(host: str, port: str, own_port: int, server_state: Any) -> Relay:
    """Connect to a host, and return that side of a tunnel. Raises UnknownHost with the reason.

    Addresses that only this machine or its provider can reach are refused, and so is the mock.
    """
    loop = asyncio.get_running_loop()
    target = f"{host}:{port}"
    if not (port.isdecimal() and 0 < int(port) < 65536):
        raise UnknownHost(f"{target} must be a host and a port, such as {host}:443")
    try:
        async with asyncio.timeout(_CONNECT_SECONDS):
            found = await loop.getaddrinfo(host, int(port), type=socket.SOCK_STREAM)
            address = str(found[0][4][0])
            _check_address(target, address)
            transport, relay = await loop.create_connection(
                lambda: Relay(server_state), address, int(port)
            )
    except TimeoutError:
        raise UnknownHost(f"{target} did not respond in {_CONNECT_SECONDS:g} seconds") from None
    except OSError as error:
        raise UnknownHost(f"cannot connect to {target}: {error.strerror or error}") from None
    own, peer = (transport.get_extra_info(name) for name in ("sockname", "peername"))
    if peer[0] == own[0] and peer[1] == own_port:
        transport.abort()
        raise UnknownHost(f"{target} leads back to mockvoice")
    return relay


def _check_address(target: str, address: str) -> None:
    """Raise UnknownHost for an address to which no tunnel may lead."""
    ip = ip_address(address.partition("%")[0])
    if ip.is_loopback or ip.is_link_local or ip.is_unspecified or ip.is_multicast:
        raise UnknownHost(f"{target} has the address {address}, to which no tunnel may lead")

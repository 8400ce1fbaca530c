"""Addresses that others named may only lead to where anybody could go: never into the network that Clamor runs in.

A name is resolved once, and the connection goes to the very address that was looked at, so that a name server cannot
answer otherwise a moment later.
"""

from __future__ import annotations

import socket
import ssl
from collections.abc import Iterable
from ipaddress import ip_address

import httpcore
import httpx


class NotPublic(httpcore.ConnectError):
    """The name leads into a private network, to this machine, or to a range that nobody owns."""


def is_public(address: str) -> bool:
    """Whether an IP address can be reached by everybody; an IPv4 address inside an IPv6 one counts as itself."""
    found = ip_address(address.partition("%")[0])
    inner = getattr(found, "ipv4_mapped", None) or getattr(found, "sixtofour", None)
    if getattr(found, "teredo", None) is not None:
        return False
    return (inner or found).is_global and not (inner or found).is_multicast


class PublicTransport(httpx.HTTPTransport):
    """Connects to public addresses only, and through no proxy. The `httpx.ConnectError` that it raises else has a
    NotPublic for its cause."""

    def __init__(self, certificates: ssl.SSLContext) -> None:
        super().__init__(verify=certificates)
        self._pool.close()
        self._pool = httpcore.ConnectionPool(
            ssl_context=certificates, network_backend=_PublicBackend(), max_connections=10
        )


class _PublicBackend(httpcore.SyncBackend):
    def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,
        local_address: str | None = None,
        socket_options: Iterable[httpcore.SOCKET_OPTION] | None = None,
    ) -> httpcore.NetworkStream:
        try:
            found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
        except (OSError, UnicodeError) as fault:
            raise httpcore.ConnectError(f"{host} is not known: {type(fault).__name__}") from None
        addresses = list(dict.fromkeys(str(one[4][0]) for one in found))
        if not addresses or not all(map(is_public, addresses)):
            raise NotPublic("it leads into a private network")
        return super().connect_tcp(addresses[0], port, timeout, local_address, socket_options)

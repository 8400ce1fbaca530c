"""Addresses that others named may only lead to where anybody could go: never into the network that Clamor runs in.

A name is resolved once, and the connection goes to the very address that was looked at, so that a name server cannot
answer otherwise a moment later.
"""

from __future__ import annotations

import math
import socket
import ssl
import time
from collections.abc import Iterable
from ipaddress import IPv4Address, IPv6Address, IPv6Network, ip_address
from typing import Any

import httpcore
import httpx

_GLOBAL_UNICAST = IPv6Network("2000::/3")
"""All that is assigned to the public (IANA, "IPv6 Global Unicast Address Assignments"); Python takes site-local
addresses for global ones."""
_TRANSLATED = IPv6Network("64:ff9b::/96")
"""IPv4 addresses as a network without IPv4 sees them (RFC 6052): its gateway may lead inside."""


class NotPublic(httpcore.ConnectError):
    """The name leads into a private network, to this machine, or to a range that nobody owns."""


def is_public(address: str) -> bool:
    """Whether an IP address can be reached by everybody; an IPv4 address inside an IPv6 one counts as itself."""
    found = ip_address(address.partition("%")[0])
    if isinstance(found, IPv6Address):
        inner = _inner(found)
        if inner is None:
            return found in _GLOBAL_UNICAST and found.is_global and found.teredo is None
        found = inner
    return found.is_global and not found.is_multicast


def _inner(address: IPv6Address) -> IPv4Address | None:
    if address in _TRANSLATED:
        return IPv4Address(int(address) & 0xFFFFFFFF)
    return address.ipv4_mapped or address.sixtofour


class PublicTransport(httpx.HTTPTransport):
    """Connects to public addresses only, and through no proxy. The `httpx.ConnectError` that it raises else has a
    NotPublic for its cause. For one request at a time. `anywhere`: whoever runs Clamor allowed private ones."""

    def __init__(self, certificates: ssl.SSLContext, *, anywhere: bool = False) -> None:
        super().__init__(verify=certificates)
        self._pool.close()
        self._backend = _PublicBackend(anywhere)
        self._pool = httpcore.ConnectionPool(
            ssl_context=certificates, network_backend=self._backend, max_connections=10
        )

    def within(self, seconds: float) -> None:
        """The next answer has to be over by then, its head too: who sends that byte by byte keeps within every
        time-out."""
        self._backend.until = time.monotonic() + seconds


class _PublicBackend(httpcore.SyncBackend):
    until = math.inf
    """When the answer has to be over, by `time.monotonic()`."""

    def __init__(self, anywhere: bool) -> None:
        super().__init__()
        self._anywhere = anywhere

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
        if not addresses or not (self._anywhere or all(map(is_public, addresses))):
            raise NotPublic("it leads into a private network")
        return _Timed(super().connect_tcp(addresses[0], port, timeout, local_address, socket_options), self)


class _Timed(httpcore.NetworkStream):
    """A connection that is not waited for longer than its backend says."""

    def __init__(self, stream: httpcore.NetworkStream, backend: _PublicBackend) -> None:
        self._stream, self._backend = stream, backend

    def read(self, max_bytes: int, timeout: float | None = None) -> bytes:
        left = self._backend.until - time.monotonic()
        if left <= 0:
            raise httpcore.ReadTimeout("the answer takes too long")
        limits = [limit for limit in (timeout, left) if limit is not None and limit != math.inf]
        return self._stream.read(max_bytes, min(limits, default=None))

    def write(self, buffer: bytes, timeout: float | None = None) -> None:
        self._stream.write(buffer, timeout)

    def close(self) -> None:
        self._stream.close()

    def start_tls(
        self, ssl_context: ssl.SSLContext, server_hostname: str | None = None, timeout: float | None = None
    ) -> httpcore.NetworkStream:
        return _Timed(self._stream.start_tls(ssl_context, server_hostname, timeout), self._backend)

    def get_extra_info(self, info: str) -> Any:
        return self._stream.get_extra_info(info)

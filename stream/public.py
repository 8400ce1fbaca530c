"""Addresses that others named may only lead to where anybody could go: never into the network that Clamor runs in.

A name is resolved once, and the connection goes to the very address that was looked at, so that a name server cannot
answer otherwise a moment later.
"""

from __future__ import annotations

import math
import socket
import ssl
import time
from collections.abc import Callable, Iterable
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

    def within(self, seconds: float, allowed: Callable[[], float] = lambda: math.inf) -> None:
        """The next answer has to be over by then, its head too: who sends that byte by byte keeps within every
        time-out. `allowed`: seconds from now for which somebody lets this go on, asked again when they are over."""
        self._backend.until, self._backend.allowed = time.monotonic() + seconds, allowed


class _PublicBackend(httpcore.SyncBackend):
    def __init__(self, anywhere: bool) -> None:
        super().__init__()
        self._anywhere = anywhere
        self.until = math.inf
        """When the exchange has to be over, by `time.monotonic()`."""
        self.allowed: Callable[[], float] = lambda: math.inf

    def left(self, timeout: float | None) -> float:
        """Seconds for which the next step may wait, `timeout` at most; 0 or less: none."""
        return min(math.inf if timeout is None else timeout, self.until - time.monotonic(), self.allowed())

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
        left = self.left(timeout)
        if left <= 0:
            raise httpcore.ConnectTimeout("looking up its name took too long")
        return _Timed(super().connect_tcp(addresses[0], port, _finite(left), local_address, socket_options), self)


PIECE = 16_384
"""Bytes of a body after which it is looked at whether there is time left: who takes them in drop by drop keeps within
every time-out, too."""


def _finite(seconds: float) -> float | None:
    return None if seconds == math.inf else seconds


class _Timed(httpcore.NetworkStream):
    """A connection that is not waited for longer than its backend says."""

    def __init__(self, stream: httpcore.NetworkStream, backend: _PublicBackend) -> None:
        self._stream, self._backend = stream, backend

    def read(self, max_bytes: int, timeout: float | None = None) -> bytes:
        patient = math.inf if timeout is None else time.monotonic() + timeout
        while (left := self._backend.left(patient - time.monotonic())) > 0:
            try:
                return self._stream.read(max_bytes, _finite(left))
            except httpcore.ReadTimeout:
                # It may be allowed to go on by now.
                continue
        raise httpcore.ReadTimeout("the answer takes too long")

    def write(self, buffer: bytes, timeout: float | None = None) -> None:
        for start in range(0, len(buffer), PIECE):
            left = self._backend.left(timeout)
            if left <= 0:
                raise httpcore.WriteTimeout("taking it in takes too long")
            self._stream.write(buffer[start : start + PIECE], _finite(left))

    def close(self) -> None:
        self._stream.close()

    def start_tls(
        self, ssl_context: ssl.SSLContext, server_hostname: str | None = None, timeout: float | None = None
    ) -> httpcore.NetworkStream:
        left = self._backend.left(timeout)
        if left <= 0:
            raise httpcore.ConnectTimeout("connecting takes too long")
        return _Timed(self._stream.start_tls(ssl_context, server_hostname, _finite(left)), self._backend)

    def get_extra_info(self, info: str) -> Any:
        return self._stream.get_extra_info(info)

"""Whether the API can listen where it is told to: asked before anything is started."""

from __future__ import annotations

import errno
import socket
from typing import Any

from config.home import HomeError
from config.schema import Api


def listenable(api: Api) -> None:
    """Raises HomeError where the address is taken, or none of this machine."""
    try:
        found = socket.getaddrinfo(api.host, api.port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)
    except OSError as error:
        raise cannot_listen(api.host, api.port) from error
    faults = [fault for family, *_, address in found if (fault := _fault(family, address)) is not None]
    # One of a name's several addresses may not be this machine's, as ::1 where there is no IPv6.
    if len(faults) == len(found) or any(fault.errno == errno.EADDRINUSE for fault in faults):
        raise cannot_listen(api.host, api.port) from faults[0]


def _fault(family: int, address: Any) -> OSError | None:
    try:
        with socket.socket(family, socket.SOCK_STREAM) as tried:
            tried.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            if family == socket.AF_INET6:
                tried.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
            tried.bind(address)
    except OSError as error:
        return error
    return None


def cannot_listen(host: str, port: int) -> HomeError:
    return HomeError(
        f"the API cannot listen on {host}:{port}: another program does, or the address is not this machine's; "
        "set `api: port:` in clamor.yaml or CLAMOR_API__PORT"
    )

"""Why a network was not reached, in words that people can act on."""

from __future__ import annotations

import errno
import socket
import ssl

import httpx

_NO_WAY = frozenset({errno.ENETUNREACH, errno.EHOSTUNREACH, errno.ENETDOWN})
_DEEPEST = 10


def unreached(fault: BaseException) -> str:
    """By the kinds of the fault and of what caused it, never by its words: they may hold an address with a key."""
    cause: BaseException | None = fault
    for _ in range(_DEEPEST):
        if cause is None:
            break
        if said := _said(cause):
            return said
        cause = cause.__cause__ or cause.__context__
    return type(fault).__name__


def _said(fault: BaseException) -> str:
    match fault:
        case socket.gaierror():
            return "its name is not found: look at this machine's internet connection and DNS"
        case ConnectionRefusedError():
            return "the connection was refused: nothing listens there, or a firewall stands between"
        case ssl.SSLError():
            return "its certificate is not accepted, or something between speaks no TLS"
        case httpx.TimeoutException() | TimeoutError():
            return "it did not answer in time"
        case ConnectionResetError() | BrokenPipeError():
            return "the connection was cut"
        case OSError() if fault.errno in _NO_WAY:
            return "no way leads there: look at this machine's internet connection and firewall"
    return ""

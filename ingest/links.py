"""Which addresses a post may bring along: those that a reader can follow without being led elsewhere."""

from __future__ import annotations

import re
from urllib.parse import urlsplit

MAX_LINK = 2_000
"""Characters of an address; half of a longer one leads nowhere."""
_PLAIN = re.compile(r"https?://[A-Za-z0-9][A-Za-z0-9.-]*(?:/[!-\[\]-~]*)?")
"""What nearly every address looks like: ASCII, a bare host, no backslash. Ten times as fast as taking it apart."""


def web_address(address: str) -> str | None:
    """The address where it is `http` or `https`, names a host, holds no login and is not over-long; else None."""
    if len(address) <= MAX_LINK and _PLAIN.fullmatch(address):
        return address
    address = address.strip()
    if len(address) > MAX_LINK or not address.isprintable() or " " in address:
        return None
    try:
        parts = urlsplit(address)
        host, _ = parts.hostname, parts.port
    except ValueError:
        return None
    # Browsers read a backslash as a slash: what looks like a path could be the host.
    if parts.scheme not in ("http", "https") or not host or "@" in parts.netloc or "\\" in address:
        return None
    return address

"""Answers that come packed (`Content-Encoding`), unpacked piece by piece: no more is held at once than was asked for.

httpx unpacks whatever a network's packet holds in one go, and 12 kB of zstd hold 400 MB. Only gzip is offered here, and
gzip and deflate are read (RFC 9110, 8.4.1).
"""

from __future__ import annotations

import zlib
from collections.abc import Iterable, Iterator

OFFERED = "gzip"
PIECE = 65_536
"""Bytes that are unpacked at a time."""
_PLAIN = frozenset({"", "identity"})
_GZIP_OR_ZLIB = zlib.MAX_WBITS | 32
_BARE = -zlib.MAX_WBITS
"""Deflate without zlib's frame, as some servers send it."""


class Unpackable(ValueError):
    """Packed in a way that is not read here, or broken."""


def unpacked(parts: Iterable[bytes], coding: str) -> Iterator[bytes]:
    """What `parts` hold, in pieces of `PIECE` bytes at most where it was packed; what comes behind its end is left.
    Raises Unpackable."""
    coding = coding.strip().lower()
    if coding in _PLAIN:
        yield from parts
    elif coding in ("gzip", "x-gzip", "deflate"):
        try:
            yield from _inflated(iter(parts), coding)
        except zlib.error:
            raise Unpackable("it is broken") from None
    else:
        raise Unpackable(f"it is packed as {coding[:40]!r}")


def _inflated(parts: Iterator[bytes], coding: str) -> Iterator[bytes]:
    first = next(parts, b"")
    inflating = zlib.decompressobj(_GZIP_OR_ZLIB)
    if coding == "deflate":
        try:
            zlib.decompressobj(_GZIP_OR_ZLIB).decompress(first, 1)
        except zlib.error:
            inflating = zlib.decompressobj(_BARE)
    part: bytes | None = first
    while part is not None:
        while part:
            yield inflating.decompress(part, PIECE)
            if inflating.eof:
                # zlib would keep whatever else is sent, without end.
                return
            part = inflating.unconsumed_tail
        part = next(parts, None)
    # Of a repeated run zlib may owe some kilobytes whose codes it has read.
    yield inflating.flush()

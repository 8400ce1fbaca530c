"""One number for an author on a network."""

from __future__ import annotations

from hashlib import blake2b

NOBODY = 0


def author_key(network: str, author_id: str) -> int:
    """63 bits of BLAKE2b over network and id: the same in every process and database, and never 0.

    Two authors share a key with a chance of 1 in 10^7 among a million of them.
    """
    digest = blake2b(f"{network}\0{author_id}".encode(), digest_size=8).digest()
    return (int.from_bytes(digest, "big") >> 1) or 1

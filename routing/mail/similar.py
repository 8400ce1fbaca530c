"""Posts like one: near copies of its text, else what says the same of the same brand. From SQL, live ones only."""

from __future__ import annotations

from collections.abc import Collection

from sqlalchemy import Connection

from query.document import effective
from routing.named import named
from stream.records import Mention, decode

REACH = 5_000
"""How many mentions back (all brands) are looked through: with it the search costs the same however much is stored."""
CANDIDATES = 400
NEAR_BITS = 6
"""Fingerprints that differ in at most this many of 64 bits are near copies. Manku, Jain and Das Sarma (2007)
settle on 3 for web pages; a post has some 20 words, and one changed word moves more bits."""


def similar_to(connection: Connection, mention: Mention, n: int, access: Collection[str], most: int) -> list[Mention]:
    """Up to `most` live mentions of the same brand that the reader may read: near copies first, then those of the
    same intent; newest first within both. `n`: the number of the mention itself."""
    found = named(
        connection,
        "SELECT m.n, m.body FROM mention m WHERE m.n > ? AND m.n < ? AND m.state = 'live' AND m.n <> ?"
        " AND m.brand = (SELECT brand FROM mention WHERE n = ?) ORDER BY m.n DESC LIMIT ?",
        (n - REACH, n + REACH, n, n, CANDIDATES),
    )
    intent = effective(mention, "intent")
    copies: list[Mention] = []
    alike: list[Mention] = []
    for r in found:
        other = decode(Mention, r.body)
        if other.post is None or (other.access != "public" and other.access not in access):
            continue
        if mention.fingerprint and distance(mention.fingerprint, other.fingerprint) <= NEAR_BITS:
            copies.append(other)
        elif intent and effective(other, "intent") == intent:
            alike.append(other)
    return (copies + alike)[:most]


def distance(one: int, other: int) -> int:
    """In how many of 64 bits two fingerprints (signed integers) differ."""
    return ((one ^ other) & 0xFFFF_FFFF_FFFF_FFFF).bit_count()

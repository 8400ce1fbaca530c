"""Posts like one: near copies of its text, else what says the same of the same brand. From SQL, live ones only."""

from __future__ import annotations

from collections.abc import Collection

from sqlalchemy import Connection

from query.document import effective, set_aside
from routing.named import named
from stream.records import Mention, decode

REACH = 5_000
"""How many mentions back (all brands) are looked through: with it the search costs the same however much is stored."""
CANDIDATES = 400
NEWEST = 40
"""Near copies that are looked at."""


def similar_to(connection: Connection, mention: Mention, n: int, access: Collection[str], most: int) -> list[Mention]:
    """Up to `most` live mentions of the same brand that the reader may read: those of the same cluster first, then
    those of the same intent; newest first within both. `n`: the number of the mention itself."""
    if most < 1:
        return []
    found = _readable(named(connection, _COPIES, (mention.cluster, n, n, NEWEST)), access)[:most]
    intent = effective(mention, "intent")
    if len(found) < most and intent:
        around = named(connection, _AROUND, (n - REACH, n + REACH, n, n, CANDIDATES))
        known = {one.id for one in found}
        found += [
            one for one in _readable(around, access) if one.id not in known and effective(one, "intent") == intent
        ]
    return found[:most]


def _readable(found: Collection[object], access: Collection[str]) -> list[Mention]:
    mentions = [decode(Mention, row.body) for row in found]  # type: ignore[attr-defined]
    shown = [one for one in mentions if one.post is not None and not set_aside(one)]
    return [one for one in shown if one.access == "public" or one.access in access]


_COPIES = (
    "SELECT m.body FROM cluster_post c JOIN mention m ON m.post = c.post WHERE c.cluster = ? AND m.state = 'live'"
    " AND m.n <> ? AND m.brand = (SELECT brand FROM mention WHERE n = ?) ORDER BY c.n DESC LIMIT ?"
)
_AROUND = (
    "SELECT m.body FROM mention m WHERE m.n > ? AND m.n < ? AND m.state = 'live' AND m.n <> ?"
    " AND m.brand = (SELECT brand FROM mention WHERE n = ?) ORDER BY m.n DESC LIMIT ?"
)

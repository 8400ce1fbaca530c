"""Which alerts are about posts of an incident that people know of: those need no mail of their own."""

from __future__ import annotations

from collections.abc import Sequence

from sqlalchemy import Connection

from database.engine import rows_in
from query.text import analyse
from routing.incidents.cause import Cause, cause_of
from stream.clock import HOUR
from stream.records import Mention, Millis, decode

COMPARED = 50
"""Where less was said before, nobody can tell new words from those that are always said, such as a brand's name."""
SAME_WORDS = 2
"""One word alone may be another matter's."""


def part_of_incident(connection: Connection, alerts: Sequence[tuple[int, str, int]]) -> set[int]:
    """Of (alert, brand, mention) the alerts whose mention is a part of its brand's incident: published since it began,
    and a copy of, in one thread with, or using a new word of what it is made of. Another matter of the same hour is
    none: somebody has to hear of it."""
    brands = sorted({brand for _, brand, _ in alerts})
    if not brands:
        return set()
    told = {brand: (since, seen) for brand, since, seen in rows_in(connection, _TOLD, brands)}
    asked = [(alert, brand, mention) for alert, brand, mention in alerts if brand in told]
    if not asked:
        return set()
    bodies = dict(rows_in(connection, _BODIES, sorted({mention for _, _, mention in asked})))
    causes = {brand: _cause(connection, brand, *told[brand]) for brand in {brand for _, brand, _ in asked}}
    return {
        alert
        for alert, brand, number in asked
        if number in bodies and _belongs(decode(Mention, bodies[number]), told[brand][0], causes[brand])
    }


def _cause(connection: Connection, brand: str, since: Millis, seen: Millis) -> Cause:
    return cause_of(connection, brand, since, seen + HOUR, hurts=True, access=None)


def _belongs(mention: Mention, since: Millis, cause: Cause) -> bool:
    if mention.event_time < since or mention.post is None:
        return False
    if any(mention.cluster == heap.number for heap in cause.copies):
        return True
    if any(mention.conversation == heap.name for heap in cause.threads):
        return True
    if cause.compared < COMPARED:
        return False
    words = set(analyse(mention.post.text).surfaces)
    return sum(word.name in words for word in cause.words) >= SAME_WORDS


_TOLD = (
    "SELECT brand, since, seen_at FROM incident WHERE state IN ('warning', 'crisis') AND told_at > 0 AND brand IN (??)"
)
_BODIES = "SELECT n, body FROM mention WHERE state = 'live' AND n IN (??)"

"""Which alerts are about posts of an incident that people know of: those need no mail of their own."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from sqlalchemy import Connection

from database.engine import rows_in
from query.text import analyse
from routing.incidents.cause import Cause, Heap, cause_of
from stream.clock import HOUR, MINUTE, passed
from stream.records import Mention, Millis, decode

COMPARED = 50
"""Where less was said before, nobody can tell new words from those that are always said, such as a brand's name."""
SAME_WORDS = 2
"""One word alone may be another matter's."""
LARGE, LARGE_SHARE = 3, 0.1
"""Copies or a thread of so many posts, and of so large a part of the incident, are what it is made of: two copies in a
storm may be another matter."""
KNOWN_FOR: Millis = MINUTE
"""What an incident is made of is worked out again after so long: it takes reading thousands of posts."""


class _Known(NamedTuple):
    at: Millis
    cause: Cause


class Members:
    """Remembers what each incident is made of for a minute. Not for several threads at once."""

    def __init__(self) -> None:
        self._known: dict[int, _Known] = {}

    def among(self, connection: Connection, alerts: Sequence[tuple[int, str, int]], now: Millis) -> dict[int, int]:
        """Of (alert, brand, mention) the alerts whose mention is a part of its brand's incident, with that incident:
        published since it began, and a copy of, in one thread with, or using new words of what it is made of. Another
        matter of the same hour is none: somebody has to hear of it."""
        brands = sorted({brand for _, brand, _ in alerts})
        told = {brand: (id, since, seen) for id, brand, since, seen in rows_in(connection, _TOLD, brands)}
        asked = [(alert, brand, mention) for alert, brand, mention in alerts if brand in told]
        if not asked:
            return {}
        bodies = dict(rows_in(connection, _BODIES, sorted({mention for _, _, mention in asked})))
        causes = {brand: self._cause(connection, brand, *told[brand], now) for brand in {one[1] for one in asked}}
        return {
            alert: told[brand][0]
            for alert, brand, number in asked
            if number in bodies and belongs(decode(Mention, bodies[number]), told[brand][1], causes[brand])
        }

    def _cause(self, connection: Connection, brand: str, id: int, since: Millis, seen: Millis, now: Millis) -> Cause:
        known = self._known.get(id)
        if known is None or passed(known.at, now, KNOWN_FOR):
            cause = cause_of(connection, brand, since, seen + HOUR, hurts=True, access=None)
            known = self._known[id] = _Known(now, cause)
            self._known = {one: held for one, held in self._known.items() if not passed(held.at, now, HOUR)}
        return known.cause


def belongs(mention: Mention, since: Millis, cause: Cause) -> bool:
    """Whether it is a part of the incident that began `since` and is made of `cause`."""
    if mention.event_time < since or mention.post is None:
        return False
    if any(_large(heap) and mention.cluster == heap.number for heap in cause.copies):
        return True
    if any(_large(heap) and mention.conversation == heap.name for heap in cause.threads):
        return True
    if cause.compared < COMPARED:
        return False
    words = set(analyse(mention.post.text).surfaces)
    return sum(word.name in words for word in cause.words) >= SAME_WORDS


def _large(heap: Heap) -> bool:
    return heap.posts >= LARGE and heap.share >= LARGE_SHARE


_TOLD = (
    "SELECT id, brand, since, seen_at FROM incident WHERE state IN ('warning', 'crisis') AND told_at > 0"
    " AND brand IN (??)"
)
_BODIES = "SELECT n, body FROM mention WHERE state = 'live' AND n IN (??)"

"""Another matter of a brand whose incident people know of: they think of the first, and somebody has to tell them.

What hurt the brand before people were told last is what they know. Of what came since, posts that stand under new marks
(`routing.incidents.common`), and under none that what they know is largely made of, are another matter where they are
many. Worked out from the live posts every few minutes; nothing is stored but that people were told.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence

from sqlalchemy import Connection, Engine

from database.engine import read, write
from database.tenure import Guard
from routing import silences
from routing.incidents import book
from routing.incidents.book import Incident
from routing.incidents.cause import BEFORE, hurtful_posts
from routing.incidents.common import author_in, marks_in, new_marks, under
from routing.silences import of_incident
from stream.clock import HOUR, MINUTE, passed
from stream.records import Mention, Millis

AGAIN: Millis = 5 * MINUTE
"""So long after an incident was looked at last, it is looked at anew."""
READ = 600
"""Posts of before people were told, of since then, and of before the incident, the newest."""
POSTS, PEOPLE, PART = 10, 5, 0.2
"""So many posts, by so many authors, and so large a part of what came since people were told."""
KNOWN = 0.05
"""A mark under which so large a part stands of what people know, or three of its posts, belongs to that."""
KNOWN_POSTS = 3
REST: Millis = HOUR
"""Between two mails that tell of another matter of one incident."""
_TOLD = ("warning", "crisis", "another")


class Another:
    """What was looked at of late. Not for several threads at once."""

    def __init__(self, engine: Engine, guard: Guard) -> None:
        self._engine, self._guard = engine, guard
        self._at: dict[int, Millis] = {}

    def step(self, live: Iterable[Incident], now: Millis) -> int:
        """Look at one incident, the one that waits for longest; 1 where people are told of another matter. Who silenced
        the incident knew of the first alone; a silence of the brand is of both. Raises Transient."""
        told = [one for one in live if one.state in ("warning", "crisis") and one.told]
        self._at = {one.id: self._at.get(one.id, now) for one in told}
        ripe = [one for one in told if passed(self._at[one.id], now, AGAIN)]
        if not ripe:
            return 0
        held = min(ripe, key=lambda one: self._at[one.id])
        self._at[held.id] = now
        with read(self._engine) as connection:
            of_brands = [one for one in silences.live(connection, now) if one.incident is None]
            quiet = of_incident(of_brands, held.brand, held.id, held.state, now)
            found = self._found(connection, held, now) if quiet is None else 0
        if not found:
            return 0
        with write(self._engine) as connection:
            self._guard(connection)
            fresh = book.find(connection, held.id)
            if fresh.state == "over":
                return 0
            book.tell(connection, held.id, held.brand, "another", 0, now)
        return 1

    def _found(self, connection: Connection, held: Incident, now: Millis) -> int:
        events = [one for one in book.events(connection, held.id) if one.change == "told" and one.detail in _TOLD]
        last = max((one.at for one in events), default=held.since)
        another = max((one.at for one in events if one.detail == "another"), default=None)
        if another is not None and not passed(another, now, REST):
            return 0
        known = hurtful_posts(connection, held.brand, held.since, last, READ)
        fresh = hurtful_posts(connection, held.brand, last, now + MINUTE, READ)
        if len(fresh) < POSTS or not known:
            return 0
        return another_matter(
            fresh, known, hurtful_posts(connection, held.brand, held.since - BEFORE, held.since, READ)
        )


def another_matter(fresh: Sequence[Mention], known: Sequence[Mention], before: Sequence[Mention]) -> int:
    """How many of the fresh posts are about another matter than the known ones; 0: too few for one."""
    marked = [marks_in(mention) for mention in fresh]
    new = new_marks(marked, [marks_in(mention) for mention in (*known, *before)])
    of_known = _largely([marks_in(mention) for mention in known])
    found = under(new, _without_people(new)) - under(_places(marked), of_known)
    people = {author_in(marked[place], place) for place in found}
    enough = len(found) >= POSTS and len(people) >= PEOPLE and len(found) >= PART * len(fresh)
    return len(found) if enough else 0


def _largely(marked: Sequence[Collection[tuple[str, int]]]) -> list[tuple[str, int]]:
    """Marks of what people know: those under which a part of it stands. A post of a person who spoke of the first may
    speak of the other."""
    places = _places(marked)
    least = max(KNOWN * len(marked), KNOWN_POSTS)
    return [key for key, posts in places.items() if len(posts) >= least and key[0] not in ("author", "post", "word")]


def _places(marked: Sequence[Collection[tuple[str, int]]]) -> Mapping[tuple[str, int], frozenset[int]]:
    found: dict[tuple[str, int], set[int]] = {}
    for place, marks in enumerate(marked):
        for mark in marks:
            found.setdefault(mark, set()).add(place)
    return {key: frozenset(posts) for key, posts in found.items()}


def _without_people(new: Mapping[tuple[str, int], frozenset[int]]) -> list[tuple[str, int]]:
    return [key for key in new if key[0] not in ("author", "post")]

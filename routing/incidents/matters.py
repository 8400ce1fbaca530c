"""One matter of several brands: their incidents are joined where they have one cause, and a person may split them.

Each brand keeps an incident of its own, with its numbers, its posts and its people; those of one matter name the first
of them. Mails, acknowledging, silence and the end are the matter's.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import suppress
from typing import Literal, NamedTuple

import msgspec
from sqlalchemy import Connection, Engine

from database.engine import many, read, rows, rows_in, write
from database.tenure import Guard
from routing import silences
from routing.incidents import book, hold, telling
from routing.incidents.book import Incident
from routing.incidents.cause import BEFORE, hurtful_posts
from routing.incidents.common import Common, Made, in_common, is_one, made_of
from routing.incidents.levels import RANK
from stream.clock import MINUTE, passed
from stream.records import Millis

GRAVE = ("warning", "crisis")
READ = 600
"""Posts of a rise, and of before it, that are compared, the newest: some tens of milliseconds."""
AGAIN: Millis = 5 * MINUTE
"""So long after they were compared last, two incidents that are not one matter are compared anew."""
WAITS: Millis = MINUTE
"""No first mail waits for longer: a comparison that fails keeps nobody from being told."""
MOST = 8
"""Incidents that are compared with one another at a time, those that were unusual last: more at once are no matter of
some brands, they are the network's."""


class Tie(NamedTuple):
    other: int
    state: Literal["joined", "split"]
    common: Common
    at: Millis
    person: str


class Comparing:
    """What is known of the incidents under way while one process is the clock. Not for several threads at once."""

    def __init__(self, engine: Engine, guard: Guard) -> None:
        self._engine, self._guard = engine, guard
        self._at: dict[int, Millis] = {}

    def waits(self, live: Sequence[Incident], now: Millis) -> set[int]:
        """Incidents of which nobody is to be told before they were compared with the others that are grave: for the
        first time."""
        grave = _grave(live)
        brands = {one.brand for one in grave}
        if len(brands) < 2:
            return set()
        unknown = (one for one in grave if one.id not in self._at and one.told == "")
        return {one.id for one in unknown if not passed(one.state_at, now, WAITS)}

    def step(self, now: Millis) -> int:
        """Compare what has not been compared of late, and join what is one; how many were joined. Raises Transient."""
        with read(self._engine) as connection:
            live = book.listed(connection, all=False, most=MOST * 100)
            grave = _grave(live)
            fresh = [one for one in grave if one.id not in self._at or passed(self._at[one.id], now, AGAIN)]
            if len({one.matter for one in grave}) < 2 or not fresh:
                # Where all are one matter, as somebody said before they were grave, there is nothing to wait for.
                self._at = {one.id: self._at.get(one.id, now) for one in grave}
                return 0
            made = {one.id: _made(connection, one) for one in grave}
            known = _known(connection, [one.id for one in grave])
        found = _one_matter(grave, made, known)
        if found:
            with write(self._engine) as connection:
                self._guard(connection)
                for one, other, common in found:
                    # A person may have done so, or it may be over, since it was read.
                    with suppress(ValueError):
                        join(connection, one, other, now, common=common)
        self._at = {one.id: now for one in grave}
        return len(found)


def join(
    connection: Connection, one: int, other: int, now: Millis, person: str = "", common: Common | None = None
) -> None:
    """The two, and what is one matter with either, are one from now on: who looks after one looks after all. Raises
    NoSuchIncident, ValueError where one is over or they are one already, and, where no person asks, where one has said
    that they are not."""
    pair = [book.find(connection, min(one, other)), book.find(connection, max(one, other))]
    for held in pair:
        if held.state == "over":
            raise ValueError(f"incident {held.id} is over: only what is under way is joined")
    if pair[0].matter == pair[1].matter:
        raise ValueError(f"incidents {one} and {other} are one matter already")
    strands = [*book.strands(connection, pair[0]), *book.strands(connection, pair[1])]
    if not person and _kept_apart(connection, *(book.strands(connection, held) for held in pair)):
        raise ValueError(f"somebody said that incidents {one} and {other} are not one matter")
    first = min(held.id for held in strands)
    many(connection, "UPDATE incident SET part_of = ? WHERE id = ?", [(first, h.id) for h in strands if h.id != first])
    many(connection, "UPDATE incident SET part_of = NULL WHERE id = ?", [(first,)])
    hold.gather(connection, [held.id for held in strands], first)
    _keep(connection, pair[0].id, pair[1].id, "joined", common or Common(), now, person)
    for held, with_ in ((pair[0], pair[1]), (pair[1], pair[0])):
        book.note(connection, held.id, "joined", now, person, f"one matter with incident {with_.id}{_why(common)}")
    _share(connection, strands, now)


def split(connection: Connection, id: int, now: Millis, person: str, why: str = "") -> list[int]:
    """An incident leaves its matter, and is never joined with what it leaves again; the incidents that it leaves. What
    is over, and only waited for the others, is told to be. Raises NoSuchIncident, ValueError where it is no part of
    one."""
    held = book.find(connection, id)
    others = [one for one in book.strands(connection, held) if one.id != id]
    if not others:
        raise ValueError(f"incident {id} is a matter of its own: there is nothing to split")
    many(connection, "UPDATE incident SET part_of = NULL WHERE id = ?", [(id,)])
    first = min(one.id for one in others)
    many(connection, "UPDATE incident SET part_of = ? WHERE id = ?",
         [(first if one.id != first else None, one.id) for one in others])  # fmt: skip
    known = {tie.other: tie for tie in ties(connection, id)}
    for one in others:
        common = known[one.id].common if one.id in known else Common()
        _keep(connection, id, one.id, "split", common, now, person)
        book.note(connection, one.id, "split", now, person, f"incident {id} left")
    book.note(connection, id, "split", now, person, why)
    if any(one.state != "over" for one in (held, *others)):
        quiet = silences.live(connection, now)
        for group in ([held], others):
            if any(book.silent(one, now) for one in group):
                continue
            telling.end_of(connection, group, now, quiet)
    return [one.id for one in others]


def ties(connection: Connection, id: int) -> list[Tie]:
    """What is known of an incident and others."""
    sql = "SELECT one, other, state, evidence, at, person FROM incident_tie WHERE one = ? OR other = ?"
    found = rows(connection, sql, (id, id))
    return [
        Tie(other if one == id else one, state, msgspec.json.decode(evidence, type=Common), at, person)
        for one, other, state, evidence, at, person in found
    ]


def _share(connection: Connection, strands: Sequence[Incident], now: Millis) -> None:
    """Who looks after one looks after all. All are silent as long as one is, but for what whoever silenced it did not
    know of: a brand of which nobody was told, or that is worse."""
    keeper = next((one for one in strands if one.acknowledged_by), None)
    silenced = [(RANK[one.state], one.silent_until) for one in strands if one.silent_until is not None]
    for one in strands:
        until = max((until for rank, until in silenced if one.told and RANK[one.state] <= rank), default=None)
        if keeper is not None and one.acknowledged_by is None and one.state != "over":
            assert keeper.acknowledged_by is not None
            sql = "UPDATE incident SET acknowledged_by = ?, acknowledged_at = ? WHERE id = ?"
            many(connection, sql, [(keeper.acknowledged_by, now, one.id)])
            book.note(connection, one.id, "acknowledged", now, keeper.acknowledged_by)
        if until is not None and one.silent_until is None:
            many(connection, "UPDATE incident SET silent_until = ? WHERE id = ?", [(until, one.id)])


def _grave(live: Sequence[Incident]) -> list[Incident]:
    return sorted((one for one in live if one.state in GRAVE), key=lambda one: (-one.seen_at, one.id))[:MOST]


def _made(connection: Connection, held: Incident) -> Made:
    rise = hurtful_posts(connection, held.brand, held.since, held.seen_at + AGAIN, READ)
    return made_of(rise, hurtful_posts(connection, held.brand, held.since - BEFORE, held.since, READ))


def _one_matter(
    grave: Sequence[Incident], made: Mapping[int, Made], known: set[tuple[int, int]]
) -> list[tuple[int, int, Common]]:
    """Pairs to be joined, each once; two that are one with a third are not asked about each other."""
    matter = {one.id: one.matter for one in grave}
    found = []
    for place, one in enumerate(grave):
        for other in grave[place + 1 :]:
            first, second = (one, other) if one.id < other.id else (other, one)
            barred = any(
                (min(a, b), max(a, b)) in known
                for a in matter if matter[a] == matter[first.id]
                for b in matter if matter[b] == matter[second.id]
            )  # fmt: skip
            if first.brand == second.brand or matter[first.id] == matter[second.id] or barred:
                continue
            common = in_common(made[first.id], made[second.id])
            if is_one(common):
                found.append((first.id, second.id, common))
                joined = {matter[first.id], matter[second.id]}
                matter = {id: min(joined) if of in joined else of for id, of in matter.items()}
    return found


def _kept_apart(connection: Connection, ours: Sequence[Incident], theirs: Sequence[Incident]) -> bool:
    known = _known(connection, [held.id for held in (*ours, *theirs)])
    return any((min(a.id, b.id), max(a.id, b.id)) in known for a in ours for b in theirs)


def _known(connection: Connection, ids: Sequence[int]) -> set[tuple[int, int]]:
    """Pairs of which somebody said that they are not one."""
    sql = "SELECT one, other FROM incident_tie WHERE state = 'split' AND one IN (??)"
    return {(one, other) for one, other in rows_in(connection, sql, sorted(ids))}


def _why(common: Common | None) -> str:
    if common is None or not common.kinds:
        return ""
    return (
        f": {common.percent[0]} % of the posts of one and {common.percent[1]} % of the other share {in_words(common)}"
    )


def in_words(common: Common) -> str:
    """`near copies, links`."""
    return ", ".join(_SAID[kind] for kind in common.kinds if kind in _SAID)


_SAID = {
    "copy": "near copies", "link": "links", "tag": "tags", "code": "codes", "name": "names", "author": "authors",
    "post": "posts", "word": "new words",
}  # fmt: skip


def _keep(connection: Connection, one: int, other: int, state: str, common: Common, now: Millis, person: str) -> None:
    sql = (
        "INSERT INTO incident_tie (one, other, state, evidence, at, person) VALUES (?, ?, ?, ?, ?, ?) "
        "ON CONFLICT (one, other) DO UPDATE SET state = excluded.state, evidence = excluded.evidence, "
        "at = excluded.at, person = excluded.person"
    )
    written = msgspec.json.encode(common).decode()
    many(connection, sql, [(min(one, other), max(one, other), state, written, now, person)])

"""When people are told of an incident: that it began or grew, that nobody looks after it, that it is over."""

from __future__ import annotations

from collections.abc import Collection, Sequence

import msgspec
from sqlalchemy import Connection

from database.engine import rows
from routing.incidents import book
from routing.incidents.book import Incident, Word
from routing.incidents.levels import RANK
from routing.silences import Silence, of_incident
from stream.clock import HOUR, MINUTE, passed
from stream.records import Millis

FRESH: Millis = HOUR
"""What was last unusual longer ago wakes nobody: it was found late."""

WITHHELD = "withheld"
"""In the history: people would have been told, and a silence kept them from it."""


class Telling(msgspec.Struct, frozen=True):
    """When people are told of an incident, and told again."""

    repeat_after: Millis = HOUR
    """A crisis that nobody looks after is told again."""
    escalate_after: Millis = 15 * MINUTE
    """A crisis that nobody looks after is told to the next one of the chain."""
    chain: int = 0
    """How many stand in it."""


def due(held: Incident, telling: Telling, now: Millis, silences: Sequence[Silence] = ()) -> tuple[Word, int] | None:
    """What people are to be told now, and to which step (see book.tell): that it is a warning or a crisis, where they
    do not know; that a crisis goes on which nobody looks after. None: nothing, it is silenced, or it is old."""
    asked = _asked(held, telling, now)
    if asked is None or of_incident(silences, held.brand, held.id, asked[0], now) is not None:
        return None
    return asked


def _asked(held: Incident, telling: Telling, now: Millis) -> tuple[Word, int] | None:
    """What is due, but for the silences that people made."""
    if held.state not in ("warning", "crisis") or book.silent(held, now) or passed(held.seen_at, now, FRESH):
        return None
    if RANK[held.state] > RANK.get(held.told, 0):
        return ("crisis" if held.state == "crisis" else "warning"), 0
    if held.state != "crisis" or held.acknowledged_by is not None or held.told_at is None:
        return None
    further = held.steps < telling.chain
    if not passed(held.told_at, now, telling.escalate_after if further else telling.repeat_after):
        return None
    return "still", held.steps + 1 if further else -held.steps


def as_one(strands: Sequence[Incident]) -> Incident:
    """A matter as if it were one incident: as grave as its gravest brand, told as its least told one."""
    grave = [one for one in strands if one.state in ("warning", "crisis")] or list(strands)
    return max(grave, key=lambda one: (RANK[one.state], one.seen_at))._replace(
        told=min((one.told for one in grave), key=lambda told: RANK.get(told, 0)),
        told_at=max((one.told_at for one in strands if one.told_at is not None), default=None),
        steps=max(one.steps for one in strands),
        seen_at=max(one.seen_at for one in grave),
        acknowledged_by=next((one.acknowledged_by for one in strands if one.acknowledged_by), None),
        silent_until=max((one.silent_until for one in grave if one.silent_until is not None), default=None),
    )


def due_of(
    strands: Sequence[Incident], telling: Telling, now: Millis, silences: Sequence[Silence] = ()
) -> tuple[Word, int] | None:
    """As `due`, of a matter: a brand that is silenced is as if it were not there, but that the chain knows of it."""
    loud = _loud(strands, now, silences)
    if not loud:
        return None
    return due(as_one(loud)._replace(steps=max(one.steps for one in strands)), telling, now, silences)


def tell(
    connection: Connection, strands: Sequence[Incident], telling: Telling, now: Millis, silences: Sequence[Silence] = ()
) -> int:
    """1 where people are told of a matter: those of each brand that is grave, and who is told of several once (see
    planner). That a silence keeps them from being told stands in the history, once."""
    for one in strands:
        quiet, asked = _quiet(one, now, silences), _asked(one, telling, now)
        if quiet is not None and asked is not None:
            withheld = f"{asked[0]}, by silence {quiet.id}"
            if not any(e.change == WITHHELD and e.detail == withheld for e in book.events(connection, one.id)):
                book.note(connection, one.id, WITHHELD, now, detail=withheld)
    told = due_of(strands, telling, now, silences)
    if told is None:
        return 0
    for one in _to_tell(_loud(strands, now, silences), *told):
        book.tell(connection, one.id, one.brand, *told, now)
    return 1


def _loud(strands: Sequence[Incident], now: Millis, silences: Sequence[Silence]) -> list[Incident]:
    """Those that nobody silenced: whoever silenced a warning of one brand did not know of a crisis of the other."""
    return [one for one in strands if _quiet(one, now, silences) is None and not book.silent(one, now)]


def _quiet(held: Incident, now: Millis, silences: Sequence[Silence]) -> Silence | None:
    word: Word = "crisis" if held.state == "crisis" else "warning"
    return of_incident(silences, held.brand, held.id, word, now)


def _to_tell(strands: Sequence[Incident], word: Word, step: int) -> list[Incident]:
    if step > 0:
        return [as_one(strands)]
    grave = [one for one in strands if one.state in ("warning", "crisis")]
    if word == "still":
        return grave
    return [one for one in grave if RANK[word] > RANK.get(one.told, 0)]


def all_clear(connection: Connection, brands: Collection[str], now: Millis, silences: Sequence[Silence] = ()) -> int:
    """Of these brands' incidents that are over as of now, where their matter is over with them: to everybody who was
    told of one, the chain included. Whom a crisis reached through a silence hears that it is over, but where that is of
    crises as well."""
    told = 0
    for brand in brands:
        held = book.ended(connection, brand, now)
        if held is not None and not book.silent(held, now):
            told += end_of(connection, book.strands(connection, held), now, silences)
    return told


def end_of(connection: Connection, strands: Sequence[Incident], now: Millis, silences: Sequence[Silence] = ()) -> int:
    """Of a matter that is over at all its brands, to everybody who was told of it and not yet of its end; of how many
    brands they are told. Nothing while it goes on at one."""
    if any(one.state != "over" for one in strands):
        return 0
    told, steps = 0, max(one.steps for one in strands)
    for one in strands:
        if one.told_at is None or _said_over(connection, one):
            continue
        word: Word = "crisis" if one.told == "crisis" else "over"
        if of_incident(silences, one.brand, one.id, word, now) is None:
            book.tell(connection, one.id, one.brand, "over", -steps, now)
            told += 1
    return told


def _said_over(connection: Connection, held: Incident) -> bool:
    """Two brands of a matter may end in one minute."""
    return bool(rows(connection, "SELECT 1 FROM alert WHERE incident = ? AND why = 'over'", (held.id,)))

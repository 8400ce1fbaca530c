"""When people are told of an incident: that it began or grew, that nobody looks after it, that it is over."""

from __future__ import annotations

from collections.abc import Collection, Sequence

import msgspec
from sqlalchemy import Connection

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


def tell(
    connection: Connection, held: Incident, telling: Telling, now: Millis, silences: Sequence[Silence] = ()
) -> int:
    """1 where people are told. That a silence keeps them from being told stands in the history, once."""
    asked = _asked(held, telling, now)
    if asked is None:
        return 0
    quiet = of_incident(silences, held.brand, held.id, asked[0], now)
    if quiet is not None:
        withheld = f"{asked[0]}, by silence {quiet.id}"
        if not any(one.change == WITHHELD and one.detail == withheld for one in book.events(connection, held.id)):
            book.note(connection, held.id, WITHHELD, now, detail=withheld)
        return 0
    book.tell(connection, held.id, held.brand, *asked, now)
    return 1


def all_clear(connection: Connection, brands: Collection[str], now: Millis, silences: Sequence[Silence] = ()) -> int:
    """Of these brands' incidents that are over as of now: to everybody who was told of one, the chain included. Whom a
    crisis reached through a silence hears that it is over."""
    told = 0
    for brand in brands:
        held = book.ended(connection, brand, now)
        if held is None or held.told_at is None or book.silent(held, now):
            continue
        if held.told == "crisis" or of_incident(silences, brand, held.id, "over", now) is None:
            book.tell(connection, held.id, brand, "over", -held.steps, now)
            told += 1
    return told

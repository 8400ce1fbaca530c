"""When people are told of an incident: that it began or grew, that nobody looks after it, that it is over."""

from __future__ import annotations

from collections.abc import Collection

import msgspec
from sqlalchemy import Connection

from routing.incidents import book
from routing.incidents.book import Incident, Word
from routing.incidents.levels import RANK
from stream.clock import HOUR, MINUTE, passed
from stream.records import Millis

FRESH: Millis = HOUR
"""What was last unusual longer ago wakes nobody: it was found late."""


class Telling(msgspec.Struct, frozen=True):
    """When people are told of an incident, and told again."""

    repeat_after: Millis = HOUR
    """A crisis that nobody looks after is told again."""
    escalate_after: Millis = 15 * MINUTE
    """A crisis that nobody looks after is told to the next one of the chain."""
    chain: int = 0
    """How many stand in it."""


def due(held: Incident, telling: Telling, now: Millis) -> tuple[Word, int] | None:
    """What people are to be told now, and to which step (see book.tell): that it is a warning or a crisis, where they
    do not know; that a crisis goes on which nobody looks after. None: nothing, it is silenced, or it is old."""
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


def tell(connection: Connection, held: Incident, telling: Telling, now: Millis) -> int:
    """1 where people are told."""
    asked = due(held, telling, now)
    if asked is None:
        return 0
    book.tell(connection, held.id, held.brand, *asked, now)
    return 1


def all_clear(connection: Connection, brands: Collection[str], now: Millis) -> int:
    """Of these brands' incidents that are over as of now: to everybody who was told of one, the chain included."""
    told = 0
    for brand in brands:
        held = book.ended(connection, brand, now)
        if held is not None and held.told_at is not None and not book.silent(held, now):
            book.tell(connection, held.id, brand, "over", -held.steps, now)
            told += 1
    return told

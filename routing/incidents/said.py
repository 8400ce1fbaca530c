"""What the brand said in public about an incident, where and when: what people ask for first, and what the next answer
must not contradict."""

from __future__ import annotations

import msgspec
from sqlalchemy import Connection

from database.engine import many, rows
from routing.incidents import book
from stream.clock import MINUTE
from stream.records import Millis

LONGEST = 10_000
LONGEST_PLACE = 200
AHEAD: Millis = MINUTE
"""Clocks of people may go before ours by so much."""


class Statement(msgspec.Struct, frozen=True):
    n: int
    said_at: Millis
    place: str
    text: str
    """Empty: it is as old as the posts that are no longer kept."""
    person: str
    """Who wrote it down."""


def say(connection: Connection, id: int, text: str, place: str, said_at: Millis, person: str, now: Millis) -> Statement:
    """Keep that this was said. Raises NoSuchIncident, ValueError in words."""
    book.find(connection, id)
    words, where = text.strip(), " ".join(place.split())
    if not 1 <= len(words) <= LONGEST:
        raise ValueError(f"what was said has 1 to {LONGEST:,} characters, and this has {len(words):,}")
    if not 1 <= len(where) <= LONGEST_PLACE or not where.isprintable():
        raise ValueError(f"where it was said has 1 to {LONGEST_PLACE} printable characters, such as `x` or `our site`")
    if said_at > now + AHEAD:
        raise ValueError("it lies ahead: write down what was said once it is said, `clamor incident note` keeps a plan")
    values = (id, said_at, where, words, person, now)
    n: int = rows(connection, _NEW, values)[0][0]
    book.note(connection, id, "said", now, person, f"statement {n}")
    return Statement(n, said_at, where, words, person)


def statements(connection: Connection, id: int) -> list[Statement]:
    """In the order in which the public could read them."""
    sql = "SELECT n, said_at, place, text, person FROM incident_statement WHERE incident = ? ORDER BY said_at, n"
    return [Statement(*row) for row in rows(connection, sql, (id,))]


def let_go(connection: Connection, before: Millis) -> None:
    """The words of before then; that something was said, where and when stays."""
    many(connection, "UPDATE incident_statement SET text = '' WHERE text != '' AND said_at < ?", [(before,)])


_NEW = (
    "INSERT INTO incident_statement (incident, said_at, place, text, person, at) VALUES (?, ?, ?, ?, ?, ?) RETURNING n"
)

"""The epoch of a database: grows with every restore, and orders what leaves it before all counters of revisions."""

from __future__ import annotations

from sqlalchemy import Connection

from database.engine import many, rows
from stream.records import Millis


def current(connection: Connection) -> int:
    """The epoch in force: 0 before the first restore."""
    found: int = rows(connection, "SELECT coalesce(max(number), 0) FROM epoch")[0][0]
    return found


def begin(connection: Connection, now: Millis, why: str, *, above: int = 0) -> int:
    """Open a new epoch, higher than the one in force and than `above`; its number."""
    number = max(current(connection), above) + 1
    many(connection, "INSERT INTO epoch (number, begun_at, why) VALUES (?, ?, ?)", [(number, now, why)])
    return number

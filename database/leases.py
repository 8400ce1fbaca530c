"""Leases: one process at a time does a thing, on whatever machine, and a late one finds its fence outdated.

The row changes with every renewal, and who waits for it looks whether it still does (`database.tenure`): the clocks of
two machines are never compared.
"""

from __future__ import annotations

from typing import NamedTuple

from sqlalchemy import Connection

from database.engine import many, rows
from stream.records import Millis


class Lease(NamedTuple):
    """As it stands in SQL."""

    name: str
    owner: str
    fence: int
    """Grows with every taking: what was written under a lower one is of a former owner."""
    expires: Millis
    """By its owner's wall clock, for people to read; 0: given back. Another one after every renewal."""


def standing(connection: Connection, name: str) -> Lease | None:
    """None: nobody ever had it."""
    found = rows(connection, "SELECT owner, fence, expires FROM lease WHERE name = ?", (name,))
    return Lease(name, *found[0]) if found else None


def take(connection: Connection, name: str, owner: str, expires: Millis, after: Lease | None) -> Lease | None:
    """Take the lease over from `after`, which is what was seen of it; None where it has changed since.

    In a transaction that writes alone, so that whoever holds it may go by `held` until the end of one.
    """
    if after is None:
        made = many(connection, _FIRST, [(name, owner, expires)])
        return Lease(name, owner, 1, expires) if made else None
    values = (owner, expires, expires, name, after.owner, after.fence, after.expires)
    found = rows(connection, _TAKE, values)
    return Lease(name, owner, *found[0]) if found else None


def renew(connection: Connection, lease: Lease, expires: Millis) -> Lease | None:
    """The lease, kept on; None where it is in other hands, or was given back."""
    found = rows(connection, _RENEW, (expires, expires, lease.name, lease.owner, lease.fence))
    return lease._replace(expires=found[0][0]) if found else None


def held(connection: Connection, lease: Lease) -> bool:
    """Whether the lease is still in these hands; inside a transaction that writes alone it stays so until its end."""
    sql = "SELECT 1 FROM lease WHERE name = ? AND owner = ? AND fence = ?"
    return bool(rows(connection, sql, (lease.name, lease.owner, lease.fence)))


def release(connection: Connection, lease: Lease) -> None:
    """Let others have it at once. Nothing happens where it is in other hands."""
    sql = "UPDATE lease SET expires = 0 WHERE name = ? AND owner = ? AND fence = ?"
    many(connection, sql, [(lease.name, lease.owner, lease.fence)])


_LATER = "expires = CASE WHEN expires >= ? THEN expires + 1 ELSE ? END"
"""A clock that was set back must not make two renewals look like one."""
_FIRST = "INSERT INTO lease (name, owner, fence, expires) VALUES (?, ?, 1, ?) ON CONFLICT (name) DO NOTHING"
_TAKE = (
    f"UPDATE lease SET owner = ?, fence = fence + 1, {_LATER} "
    "WHERE name = ? AND owner = ? AND fence = ? AND expires = ? RETURNING fence, expires"
)
_RENEW = f"UPDATE lease SET {_LATER} WHERE name = ? AND owner = ? AND fence = ? AND expires > 0 RETURNING expires"

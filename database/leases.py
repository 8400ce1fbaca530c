"""Leases: one process at a time does a thing, and a late one finds its fence outdated. By the wall clock.

A clock that was set back leaves leases that would hold for as long as it was set back: one that lies further ahead than
its length is not believed.
"""

from __future__ import annotations

from typing import NamedTuple

from sqlalchemy import Connection

from database.engine import many, rows
from stream.records import Millis


class Lease(NamedTuple):
    name: str
    owner: str
    fence: int
    """Grows with every change of hands: what was written under a lower one is of a former owner."""
    expires: Millis


def acquire(connection: Connection, name: str, owner: str, wall: Millis, duration: Millis) -> Lease | None:
    """The lease, taken or prolonged for `duration`, which is the same for all that ask for `name`; None while somebody
    else holds it."""
    many(connection, _FIRST, [(name, owner, 0, 0)])
    changed = many(connection, _TAKE, [(owner, owner, wall + duration, name, owner, wall, wall + duration)])
    if changed == 0:
        return None
    fence = rows(connection, "SELECT fence FROM lease WHERE name = ?", (name,))[0][0]
    return Lease(name, owner, fence, wall + duration)


def held(connection: Connection, lease: Lease) -> bool:
    """Whether the lease is still in these hands; inside a writing transaction it stays so until its end."""
    sql = "SELECT 1 FROM lease WHERE name = ? AND owner = ? AND fence = ?"
    return bool(rows(connection, sql, (lease.name, lease.owner, lease.fence)))


def release(connection: Connection, lease: Lease) -> None:
    """Let others have it at once. Nothing happens where it is in other hands."""
    sql = "UPDATE lease SET expires = 0 WHERE name = ? AND owner = ? AND fence = ?"
    many(connection, sql, [(lease.name, lease.owner, lease.fence)])


_FIRST = "INSERT INTO lease (name, owner, fence, expires) VALUES (?, ?, ?, ?) ON CONFLICT (name) DO NOTHING"
_TAKE = (
    "UPDATE lease SET fence = fence + CASE WHEN owner = ? AND fence > 0 THEN 0 ELSE 1 END, owner = ?, expires = ? "
    "WHERE name = ? AND (owner = ? OR expires <= ? OR expires > ?)"
)

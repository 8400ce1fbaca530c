"""A thing that only one process does at a time: taken for a while, kept by renewing, fenced against whoever lost it."""

from __future__ import annotations

import os
import socket
import uuid
from pathlib import Path

import psutil
from sqlalchemy import Connection, Engine

from database.engine import many, rows, write
from stream.records import Millis


class LeaseLost(Exception):
    """Somebody else does this now: drop what is in hand, nothing of it may be written."""


class Lease:
    """One holder's view of a lease. Times by the wall clock."""

    def __init__(self, engine: Engine, name: str, ttl: Millis, owner: str | None = None) -> None:
        self.name, self.ttl = name, ttl
        self.owner = owner or this_process()
        self.fence: int | None = None
        """Grows with every change of hands; None while the lease is not held."""
        self._engine = engine
        self._expires: Millis = 0

    def hold(self, wall: Millis, at_least: Millis | None = None) -> bool:
        """Take the lease or keep it; whether it is held for `at_least` from now (two thirds of `ttl` unless told).

        A holder that was a process of this machine and is dead is followed at once, any other when its time is up.
        """
        enough = self.ttl * 2 // 3 if at_least is None else at_least
        if self.fence is not None and self._expires - wall >= enough:
            return True
        with write(self._engine) as connection:
            self.fence = self._take(connection, wall)
        self._expires = wall + self.ttl if self.fence is not None else 0
        return self.fence is not None

    def guard(self, connection: Connection) -> None:
        """Raises LeaseLost where the lease has changed hands. Call it first in each transaction that writes."""
        found = rows(connection, "SELECT fence FROM lease WHERE name = ? AND owner = ?", (self.name, self.owner))
        if self.fence is None or not found or found[0].fence != self.fence:
            self.fence = None
            raise LeaseLost(f"the lease {self.name} is no longer held by {self.owner}")

    def release(self, wall: Millis) -> None:
        """Let the next one take it at once."""
        if self.fence is None:
            return
        sql = "UPDATE lease SET expires = ? WHERE name = ? AND owner = ? AND fence = ?"
        with write(self._engine) as connection:
            many(connection, sql, [(wall, self.name, self.owner, self.fence)])
        self.fence = None

    def _take(self, connection: Connection, wall: Millis) -> int | None:
        found = rows(connection, "SELECT owner, fence, expires FROM lease WHERE name = ?", (self.name,))
        expires = wall + self.ttl
        if not found:
            sql = "INSERT INTO lease (name, owner, fence, expires) VALUES (?, ?, 1, ?)"
            many(connection, sql, [(self.name, self.owner, expires)])
            return 1
        holder = found[0]
        fence: int = holder.fence
        if holder.owner == self.owner and fence == self.fence:
            many(connection, "UPDATE lease SET expires = ? WHERE name = ?", [(expires, self.name)])
            return fence
        if holder.expires > wall and holder.owner != self.owner and not is_dead(holder.owner):
            return None
        sql = "UPDATE lease SET owner = ?, fence = ?, expires = ? WHERE name = ? AND fence = ?"
        changed = many(connection, sql, [(self.owner, fence + 1, expires, self.name, fence)])
        return fence + 1 if changed else None


def this_process() -> str:
    """A name of this process that no other has, and by which `is_dead` knows it."""
    process = psutil.Process()
    return f"{_here()}|{process.pid}|{process.create_time():.2f}|{uuid.uuid4().hex[:8]}"


def is_dead(owner: str) -> bool:
    """Whether an owner is known to be a process of this machine that has ended."""
    here, _, rest = owner.partition("|")
    number, _, rest = rest.partition("|")
    created = rest.partition("|")[0]
    if here != _here() or not number.isdigit():
        return False
    try:
        process = psutil.Process(int(number))
        return f"{process.create_time():.2f}" != created or process.status() == psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return True
    except psutil.AccessDenied:
        return False


def _here() -> str:
    """This machine since its start, seen from this container: process numbers mean nothing elsewhere."""
    boot = Path("/proc/sys/kernel/random/boot_id")
    if not boot.exists():
        return socket.gethostname()
    return f"{socket.gethostname()}/{boot.read_text().strip()[:8]}/{os.stat('/proc/self/ns/pid').st_ino}"  # noqa: PTH116

"""A hold on a lease that renews itself, guards what is written under it, and follows a dead process at once."""

from __future__ import annotations

import uuid

from sqlalchemy import Connection, Engine

from database.engine import read, write
from database.leases import Lease, acquire, held, release
from routing.named import named
from stream import process
from stream.records import Millis


class LeaseLost(Exception):
    """Somebody else does this now: drop what is in hand, nothing of it may be written."""


class Tenure:
    """One process's hold on a lease of `duration`. Times by the wall clock."""

    def __init__(self, engine: Engine, name: str, duration: Millis, owner: str | None = None) -> None:
        self.name, self.duration = name, duration
        self.owner = owner or this_process()
        self._engine = engine
        self._lease: Lease | None = None

    @property
    def fence(self) -> int | None:
        """Grows with every change of hands; None while the lease is not held."""
        return self._lease.fence if self._lease is not None else None

    def hold(self, wall: Millis, at_least: Millis | None = None) -> bool:
        """Take the lease or keep it; whether it is held for `at_least` from now (two thirds of it unless told).

        A holder that was a process of this machine and is dead is followed at once, any other when its time is up.
        """
        enough = self.duration * 2 // 3 if at_least is None else at_least
        if self._lease is not None and enough <= self._lease.expires - wall <= self.duration:
            return True
        if self._lease is None:
            # Who waits for a lease asks many times a second: that must keep no writer waiting.
            with read(self._engine) as connection:
                if any(self._has_it(holder, wall) for holder in self._holders(connection)):
                    return False
        with write(self._engine) as connection:
            self._free_from_the_dead(connection, wall)
            self._lease = acquire(connection, self.name, self.owner, wall, self.duration)
        return self._lease is not None

    def guard(self, connection: Connection) -> None:
        """Raises LeaseLost where the lease has changed hands. Call it first in each transaction that writes."""
        if self._lease is None or not held(connection, self._lease):
            self._lease = None
            raise LeaseLost(f"the lease {self.name} is no longer held by {self.owner}")

    def leave(self) -> None:
        """Let the next one take it at once."""
        if self._lease is not None:
            with write(self._engine) as connection:
                release(connection, self._lease)
            self._lease = None

    def _has_it(self, holder: Lease, wall: Millis) -> bool:
        """Whether another one does: as `acquire` judges it."""
        in_time = wall < holder.expires <= wall + self.duration
        return in_time and holder.owner != self.owner and not is_dead(holder.owner)

    def _free_from_the_dead(self, connection: Connection, wall: Millis) -> None:
        for holder in self._holders(connection):
            if holder.owner != self.owner and holder.expires > wall and is_dead(holder.owner):
                release(connection, holder)

    def _holders(self, connection: Connection) -> list[Lease]:
        """None, or the one that took it last."""
        return [
            Lease(self.name, *row)
            for row in named(connection, "SELECT owner, fence, expires FROM lease WHERE name = ?", (self.name,))
        ]


def this_process() -> str:
    """A name of this process that no other has, and by which `is_dead` knows it."""
    pid, began = process.this_process()
    return f"{process.here()}|{pid}|{began}|{uuid.uuid4().hex[:8]}"


def is_dead(owner: str) -> bool:
    """Whether an owner is known to be a process of this machine that has ended."""
    here, _, rest = owner.partition("|")
    number, _, rest = rest.partition("|")
    began = rest.partition("|")[0]
    return here == process.here() and number.isdigit() and not process.runs(int(number), began)

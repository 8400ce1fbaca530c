"""A hold on a lease that renews itself, guards what is written under it, and follows a dead process within LENGTH.

A holder reckons from before its renewal was written, who waits from after it was seen, each by its own steady clock. So
the one has stopped before the other begins, however their clocks are set; the fence keeps what is late out of SQL.
"""

from __future__ import annotations

import threading
import time
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import NamedTuple, TypeAlias

import structlog
from sqlalchemy import Connection, Engine

from database.engine import read, write
from database.leases import Lease, held, release, renew, standing, take
from stream import process
from stream.clock import SECOND, Clock
from stream.ports import Transient, Unusable
from stream.records import Millis

log = structlog.get_logger(__name__)

LENGTH: Millis = 15 * SECOND
"""After a holder's last sign of life: half of the time in which a dead one has to be followed."""
LOOK_EVERY: Millis = 250
"""Who waits for a lease may ask as often as it likes."""
MARGIN: Millis = 2 * SECOND
"""So long before its end a holder no longer counts on its lease: what it has sent may be on its way."""


Guard: TypeAlias = Callable[[Connection], None]
"""Raises LeaseLost where this process may not write any more; called in the transaction that writes."""


class LeaseLost(Exception):
    """Somebody else does this now: drop what is in hand, nothing of it may be written."""


class _Held(NamedTuple):
    lease: Lease
    until: Millis
    """By the steady clock of this process."""


class Tenure:
    """One process's hold on the lease `name`. Several threads may ask."""

    def __init__(
        self, engine: Engine, name: str, clock: Clock, owner: str | None = None, *, length: Millis = LENGTH
    ) -> None:
        """`length` is the same for all that ask for `name`."""
        self.name, self.length = name, length
        self.owner = owner or this_process()
        self._engine, self._clock = engine, clock
        self._held: _Held | None = None
        self._seen: Lease | None = None
        self._seen_at: Millis = 0
        self._looked_at: Millis | None = None
        self._turn = threading.Lock()
        self.outlived: int | None = None
        """The fence of the dead process that this one followed; None where whoever it followed may still live."""

    @property
    def fence(self) -> int | None:
        """Grows with every change of hands; None while the lease is not held."""
        holds = self._held
        return holds.lease.fence if holds is not None else None

    def left(self) -> Millis:
        """How long nobody else can have it, as this process knows; 0 where it is not sure any more."""
        holds = self._held
        return max(0, holds.until - MARGIN * self.length // LENGTH - self._clock.steady()) if holds is not None else 0

    def hold(self) -> bool:
        """Take the lease or keep it; whether it is held, then for a third of its length from now at least.

        A holder that was a process of this machine and is dead is followed at once, any other once it has given no sign
        of life for the length of the lease. Raises Transient.
        """
        with self._turn:
            if self._held is not None and (self.left() >= self.length // 3 or self._renew()):
                return True
            return self._follow()

    def guard(self, connection: Connection) -> None:
        """Raises LeaseLost where the lease has changed hands. Call it first in each transaction that writes (alone, see
        `database.engine.write`)."""
        holds = self._held
        if holds is None or not held(connection, holds.lease):
            self._held = None
            raise LeaseLost(f"the lease {self.name} is no longer held by {self.owner}")

    @contextmanager
    def kept(self, most: Millis) -> Iterator[None]:
        """Renewed by a thread of its own meanwhile, for at most `most`: a holder that hangs must not keep it."""
        over = threading.Event()
        beat = threading.Thread(target=self._beat, args=(over, most), name=f"lease-{self.name}", daemon=True)
        beat.start()
        try:
            yield
        finally:
            over.set()
            beat.join()

    def leave(self) -> None:
        """Let the next one take it at once. Raises Transient."""
        with self._turn:
            holds, self._held = self._held, None
            if holds is not None:
                with write(self._engine) as connection:
                    release(connection, holds.lease)

    def _renew(self) -> bool:
        """Beside other writers, who may take their time: it changes a row that nobody else may change meanwhile."""
        holds = self._held
        if holds is None:
            return False
        began = self._clock.steady()
        with write(self._engine, alone=False) as connection:
            kept = renew(connection, holds.lease, self._clock.wall() + self.length)
        self._held = None if kept is None else _Held(kept, began + self.length)
        return kept is not None

    def _beat(self, over: threading.Event, most: Millis) -> None:
        ends, wait = time.monotonic() + most / SECOND, self.length / SECOND / 3
        while not over.wait(wait) and time.monotonic() < ends:
            try:
                if not self._renew():
                    return
            except (Transient, Unusable) as fault:
                log.warning("lease_not_renewed", lease=self.name, why=str(fault))

    def _follow(self) -> bool:
        asked = self._clock.steady()
        if self._looked_at is not None and asked - self._looked_at < LOOK_EVERY:
            return False
        self._looked_at = asked
        with read(self._engine) as connection:
            seen = standing(connection, self.name)
        if seen is not None and not self._may_follow(seen):
            return False
        began = self._clock.steady()
        with write(self._engine) as connection:
            lease = take(connection, self.name, self.owner, self._clock.wall() + self.length, seen)
        if lease is None:
            return False
        self.outlived = seen.fence if seen is not None and is_dead(seen.owner) else None
        self._held, self._seen, self._looked_at = _Held(lease, began + self.length), None, None
        log.info("lease_taken", lease=self.name, fence=lease.fence)
        return True

    def _may_follow(self, seen: Lease) -> bool:
        if not seen.expires or seen.owner == self.owner or is_dead(seen.owner):
            return True
        steady = self._clock.steady()
        if seen != self._seen:
            self._seen, self._seen_at = seen, steady
        return steady - self._seen_at >= self.length


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

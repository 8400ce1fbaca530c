"""Access tokens as networks gave them, kept in SQL: every process of a home uses the same, and one of them renews it.

They are as secret as what a person gave for them: nothing here shows or logs one. See docs/credentials.md for who can
read the table.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext, suppress
from dataclasses import dataclass, field, replace
from threading import Lock
from typing import Protocol

from sqlalchemy import Engine

from database.engine import many, read, rows, write
from database.tenure import Tenure
from stream.clock import DAY, MINUTE, Clock
from stream.ports import Transient
from stream.records import Millis

RENEWED_FROM: Millis = 6 * DAY
"""So long before its end a token is renewed at most: who looks at the mails once a week has time to act."""
RENEWING: Millis = MINUTE
"""A renewal takes no longer; a process that hangs over one is followed then."""
REPLACED_AFTER: Millis = 30 * DAY
"""Unused for so long, a token is forgotten once another one rests on the same NAME."""
FORGOTTEN_AFTER: Millis = 400 * DAY
"""Unused for so long, it is forgotten: no network's refresh token is known to count for longer than a year."""


@dataclass(frozen=True)
class Kept:
    """What a network gave last for one grant. Times are of the wall clock."""

    access: str = field(repr=False)
    ends: Millis | None
    """None: the network did not say."""
    refresh: str | None = field(default=None, repr=False)
    """Newer than the one that a person gave; None: that one still counts."""
    refresh_ends: Millis | None = None
    """Of the refresh token, whoever gave it."""
    extends: bool = False
    """Each renewal puts off `refresh_ends` as well, so that no person is needed."""
    given_at: Millis = 0
    number: int = 0
    """Grows with every renewal."""

    def fresh(self, wall: Millis) -> bool:
        """It need not be renewed: a tenth of its life is left, or `RENEWED_FROM`."""
        return self.ends is None or wall < self.ends - min((self.ends - self.given_at) // 10, RENEWED_FROM)

    def counts(self, wall: Millis) -> bool:
        return self.ends is None or wall < self.ends


class Tokens(Protocol):
    """By the id of a grant. What is asked of SQL raises stream.ports.Transient."""

    def get(self, id: str) -> Kept | None: ...

    def put(self, id: str, name: str, kept: Kept, after: Kept | None) -> bool:
        """Keep what was given in place of `after`; False, and nothing is kept, where another one stands there."""

    def turn(self, id: str) -> AbstractContextManager[bool]:
        """Whether it is this process's turn to renew it, as long as the block lasts."""


class UnsharedTokens:
    """Tokens that only this process knows, as long as it lives."""

    def __init__(self) -> None:
        self._held: dict[str, Kept] = {}

    def get(self, id: str) -> Kept | None:
        return self._held.get(id)

    def put(self, id: str, name: str, kept: Kept, after: Kept | None) -> bool:
        self._held[id] = kept
        return True

    def turn(self, id: str) -> AbstractContextManager[bool]:
        return nullcontext(True)


class KeptTokens:
    """Table `credential`. Several threads may ask."""

    def __init__(self, engine: Engine, clock: Clock) -> None:
        self._engine, self._clock = engine, clock
        self._tenures: dict[str, tuple[Tenure, Lock]] = {}

    def get(self, id: str) -> Kept | None:
        now = self._clock.wall()
        with read(self._engine) as connection:
            found = rows(connection, f"SELECT {_COLUMNS}, used_at FROM credential WHERE id = ?", (id,))
        if not found:
            return None
        *held, used_at = found[0]
        if now - used_at >= DAY:
            with write(self._engine, alone=False) as connection:
                many(connection, "UPDATE credential SET used_at = ? WHERE id = ?", [(now, id)])
        access, ends, refresh, refresh_ends, extends, given_at, number = held
        return Kept(access, ends, refresh, refresh_ends, bool(extends), given_at, number)

    def put(self, id: str, name: str, kept: Kept, after: Kept | None) -> bool:
        now, before = self._clock.wall(), 0 if after is None else after.number
        with write(self._engine) as connection:
            found = rows(connection, "SELECT number FROM credential WHERE id = ?", (id,))
            if (found[0][0] if found else 0) != before:
                return False
            one = replace(kept, number=before + 1)
            held = (one.access, one.ends, one.refresh, one.refresh_ends, one.extends, one.given_at, one.number)
            many(connection, "DELETE FROM credential WHERE id = ?", [(id,)])
            many(connection, _PUT, [(id, name, now, *held)])
            many(connection, _FORGET, [(name, now - REPLACED_AFTER, now - FORGOTTEN_AFTER)])
        return True

    @contextmanager
    def turn(self, id: str) -> Iterator[bool]:
        # Kept, since only who has seen a silent holder for a while may follow it.
        tenure, one_thread = self._tenures.setdefault(
            id, (Tenure(self._engine, f"credential:{id}", self._clock), Lock())
        )
        if not one_thread.acquire(blocking=False):
            yield False
            return
        try:
            if not tenure.hold():
                yield False
                return
            try:
                with tenure.kept(RENEWING):
                    yield True
            finally:
                with suppress(Transient):
                    tenure.leave()
        finally:
            one_thread.release()


_COLUMNS = "access_token, ends, refresh_token, refresh_ends, extends, given_at, number"
_PUT = f"INSERT INTO credential (id, name, used_at, {_COLUMNS}) VALUES ({', '.join('?' * 10)})"
_FORGET = "DELETE FROM credential WHERE (name = ? AND used_at < ?) OR used_at < ?"

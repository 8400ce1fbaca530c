"""Of which replies people asked what they answer, and what came of it: of one source, each call a short transaction."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from sqlalchemy import Engine

from database.engine import many, read, rows, write
from database.tenure import Guard
from stream.records import Millis


class Request(NamedTuple):
    post: int
    """Number of the reply."""
    id: str | None
    """None: nothing is known of it any more."""
    parent: str | None
    state: str
    """Of the reply, as routing has it."""
    case_id: int
    asked_at: Millis


class ContextList:
    def __init__(self, engine: Engine, source_id: str, guard: Guard | None = None) -> None:
        self.engine, self.source_id, self._guard = engine, source_id, guard

    def next(self) -> Request | None:
        """The one that waits for longest since it was asked for or tried."""
        with read(self.engine) as connection:
            found = rows(connection, _NEXT, (self.source_id,))
        return Request(*found[0]) if found else None

    def list(self, request: Request, ids: Sequence[str], now: Millis) -> None:
        """The texts of these posts are to be kept, whoever they are about; called before they are in the log."""
        self._write((_LIST, [(id, request.case_id, now) for id in sorted(ids)]))

    def waits(self, request: Request, why: str, now: Millis) -> None:
        """It is tried again later."""
        self._write((_TRIED, [("asked", why, now, self.source_id, request.post)]))

    def all_wait(self, why: str) -> None:
        self._write((_ALL, [(why, self.source_id)]))

    def over(self, request: Request, state: str, why: str, now: Millis) -> None:
        self._write((_TRIED, [(state, why, now, self.source_id, request.post)]))

    def _write(self, statement: tuple[str, Sequence[tuple[object, ...]]]) -> None:
        sql, values = statement
        if not values:
            return
        with write(self.engine, alone=self._guard is not None) as connection:
            if self._guard is not None:
                self._guard(connection)
            many(connection, sql, values)


_NEXT = (
    "SELECT r.post, p.id, above.id, coalesce(p.state, ''), r.case_id, r.asked_at FROM context_request r "
    "LEFT JOIN post p ON p.n = r.post LEFT JOIN post above ON above.n = r.parent "
    "WHERE r.source_id = ? AND r.state = 'asked' ORDER BY r.tried_at, r.asked_at, r.post LIMIT 1"
)
_LIST = (
    "INSERT INTO context_post (id, case_id, asked_at) VALUES (?, ?, ?) "
    "ON CONFLICT (id) DO UPDATE SET case_id = excluded.case_id, asked_at = excluded.asked_at"
)
_TRIED = "UPDATE context_request SET state = ?, why = ?, tried_at = ? WHERE source_id = ? AND post = ?"
_ALL = "UPDATE context_request SET why = ? WHERE source_id = ? AND state = 'asked'"

"""How long a delete takes, from our learning of it until SQL holds the text no more."""

from __future__ import annotations

from collections.abc import Sequence

from sqlalchemy import Connection, Engine

from database.engine import many, read, rows, write
from stream.clock import HOUR, Clock
from stream.latency import Latency, Stopwatch, latency_of
from stream.records import Millis


class Unreachable:
    """Notes what was taken away once it is committed; stored with the next batch, or when nothing is to be done.

    What a process noted and had not stored when it was killed is not reported.
    """

    def __init__(self, clock: Clock) -> None:
        """`clock` is the one that stamps arrivals in the log."""
        self._clock = clock
        self._stopwatch = Stopwatch()

    def note(self, learnt: Sequence[Millis]) -> None:
        """Of these deletes, by when the log took them, the effect is durable."""
        if learnt:
            self._stopwatch.note(learnt, self._clock.now())

    def store(self, connection: Connection) -> None:
        """Inside a transaction; `stored` follows its commit."""
        if self._stopwatch:
            many(connection, _ADD, sorted(self._stopwatch.rows()))
            many(connection, "DELETE FROM delete_latency WHERE minute < ?", [(self._stopwatch.forgotten(),)])

    def stored(self) -> None:
        self._stopwatch.stored()

    def tidy(self, engine: Engine) -> None:
        """Store what was noted since the last transaction."""
        if self._stopwatch:
            with write(engine, alone=False) as connection:
                self.store(connection)
            self.stored()


def unreachable(engine: Engine, now: Millis, span: Millis = HOUR) -> Latency:
    """Of the texts that SQL lost within `span` before `now`, a mention each."""
    with read(engine) as connection:
        return latency_of([tuple(row) for row in rows(connection, _WITHIN, (now - span, now))])


_ADD = (
    "INSERT INTO delete_latency (minute, bucket, count) VALUES (?, ?, ?) "
    "ON CONFLICT (minute, bucket) DO UPDATE SET count = delete_latency.count + excluded.count"
)
_WITHIN = (
    "SELECT bucket, sum(count) FROM delete_latency WHERE minute > ? AND minute <= ? GROUP BY bucket ORDER BY bucket"
)

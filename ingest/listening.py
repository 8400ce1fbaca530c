"""What is known of a push source: when its webhook was open, what came, and when something last did.

While it is open the ledger has complete rows, as of a stream; while a full disk keeps it shut there is one gap, which
grows until it is over. What a sender did not send nobody here can know, but one that has gone silent can be told.
"""

from __future__ import annotations

import threading
from collections.abc import Sequence

import msgspec
from sqlalchemy import Engine

from database.engine import many, read, rows, write
from ingest.collector import Delivery, Source
from ingest.coverage import Ledger
from ingest.intake import Took
from ingest.windows import Windows
from stream.clock import MINUTE
from stream.records import Coverage, Millis

PAUSED = "too little disk is free: pushes were refused, to be sent again"
APART: Millis = 10 * MINUTE
"""Two looks that lie further apart have a time between them in which nobody listened."""


class Pulse(msgspec.Struct, frozen=True):
    """Of one source; times are the home's."""

    source_id: str
    listening_since: Millis
    looked_at: Millis
    """Up to when it is known to have been open."""
    last_post_at: Millis | None
    """None: it never brought any."""

    @property
    def silent_for(self) -> Millis:
        """How long it was listened to and brought nothing, after it had brought something before; else 0."""
        if self.last_post_at is None:
            return 0
        return max(0, self.looked_at - max(self.last_post_at, self.listening_since))


class Pulses:
    """Table `source_pulse`."""

    def __init__(self, engine: Engine) -> None:
        self.engine = engine

    def put(self, pulse: Pulse) -> None:
        """A later post that another process of the API has noted stays, unless it lies ahead: then it is of before the
        clock was set back."""
        with write(self.engine, alone=False) as connection:
            many(connection, _PUT, [msgspec.structs.astuple(pulse)])

    def all(self) -> dict[str, Pulse]:
        with read(self.engine) as connection:
            found = rows(connection, "SELECT source_id, listening_since, looked_at, last_post_at FROM source_pulse")
        return {row[0]: Pulse(*row) for row in found}


class Listening:
    """One webhook. Any thread may say what it `took`, and look; what it `took` never waits for a look."""

    def __init__(self, source: Source, ledger: Ledger, pulses: Pulses, apart: Millis = APART) -> None:
        """`apart` is in the home's time."""
        self._source, self._ledger, self._pulses, self._apart = source, ledger, pulses, apart
        self._windows = Windows(source, ledger)
        self._lock, self._looking = threading.Lock(), threading.RLock()
        self._took: list[Took] = []
        self._pulse: Pulse | None = None
        self._paused_since: Millis | None = None

    def took(self, took: Took) -> None:
        """What became of a push: its posts are durable now."""
        with self._lock:
            self._took.append(took)

    def look(self, now: Millis, *, paused: bool) -> None:
        """Account for what came since the last look. Raises Transient; what came is accounted for at the next look."""
        with self._looking:
            if paused:
                self._pause(now)
            else:
                self._account(now)

    def close(self, now: Millis) -> None:
        """The webhook is shut: what is known up to now goes into the ledger."""
        with self._looking:
            if self._pulse is not None:
                self._account(now)
                self._windows.close_all(now)

    def _account(self, now: Millis) -> None:
        pulse = self._pulse or self._begin(now)
        with self._lock:
            took, self._took = _together(self._took), []
        last = now if took.kept else pulse.last_post_at
        self._pulse = msgspec.structs.replace(pulse, looked_at=now, last_post_at=last)
        self._windows.add(Delivery(asked=0), took, now)
        # Whoever is killed takes the counts since the last look along, and no more.
        self._windows.keep(now)
        self._pulses.put(self._pulse)

    def _begin(self, now: Millis) -> Pulse:
        """Open for the first time, or again."""
        kept = self._pulses.all().get(self._source.id)
        since = now
        if kept is not None and self._paused_since is None and now - kept.looked_at <= self._apart:
            since = kept.listening_since
        if self._paused_since is not None:
            self._note_pause(self._paused_since, now)
        self._paused_since = None
        self._windows.start(now)
        return Pulse(self._source.id, since, now, kept.last_post_at if kept else None)

    def _pause(self, now: Millis) -> None:
        if self._paused_since is None:
            self._paused_since = self._pausing_since(now)
            self._windows.close_all(now)
            self._pulse = None
        self._note_pause(self._paused_since, now)

    def _note_pause(self, since: Millis, now: Millis) -> None:
        """One row from its beginning on: each note replaces the one before."""
        if since < now:
            row = Coverage(
                source_id=self._source.id, since=since, until=now, state="gap", missed=None, reason=PAUSED,
                recorded_at=now,
            )  # fmt: skip
            self._ledger.record(row, f"gap:{since}", self._source.brands)

    def _pausing_since(self, now: Millis) -> Millis:
        """The beginning of the gap that another process has noted up to a moment ago, else where listening ended."""
        for gap in reversed(self._ledger.gaps([self._source.id], since=now - self._apart)):
            if gap.reason == PAUSED:
                return gap.since
        return self._pulse.looked_at if self._pulse is not None else now


def _together(pushes: Sequence[Took]) -> Took:
    return Took(
        kept=[id for one in pushes for id in one.kept],
        filtered=sum(one.filtered for one in pushes),
        dead=sum(one.dead for one in pushes),
        again=[id for one in pushes for id in one.again],
        late=sum(one.late for one in pushes),
    )


_PUT = (
    "INSERT INTO source_pulse (source_id, listening_since, looked_at, last_post_at) VALUES (?, ?, ?, ?) "
    "ON CONFLICT (source_id) DO UPDATE SET listening_since = excluded.listening_since, "
    "looked_at = excluded.looked_at, last_post_at = CASE WHEN excluded.last_post_at IS NULL "
    "OR (source_pulse.last_post_at > excluded.last_post_at AND source_pulse.last_post_at <= excluded.looked_at) "
    "THEN source_pulse.last_post_at ELSE excluded.last_post_at END"
)

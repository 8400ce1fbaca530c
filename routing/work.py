"""Routing as a stage's work: one SQL transaction a batch, with its offsets in it."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

import msgspec
from sqlalchemy import Connection, Engine

from database.engine import many, read, rows
from routing.apply import apply
from routing.desk import Desk
from routing.unreachable import Unreachable
from stream.clock import Clock, SimulatedClock, WallClock
from stream.ports import (
    MENTIONS,
    Append,
    Commit,
    LogRecord,
    OffsetConflict,
    OffsetOutside,
    Refused,
    Registry,
)
from stream.records import Millis, Understood, decode


class RouteWork:
    """Reads `mentions`, decides, and stores mentions, cases, counts, outbox and offsets in one transaction.

    What leaves SQL goes by the outbox (`routing.relay`), so `run` returns nothing to append. `epoch` is the log's.
    """

    name = "routing"
    topic = MENTIONS
    owns_offsets = True

    def __init__(
        self,
        engine: Engine,
        registry: Registry,
        *,
        epoch: str = "",
        group: str = "routing",
        idle: Callable[[Millis], None] | None = None,
        clock: Clock | None = None,
    ) -> None:
        """`clock` is the one that stamps arrivals in the log; where it is simulated, lateness is that of the story.

        `idle` is called from the stage's `idle`, after a new configuration was adopted."""
        self.group = group
        self._engine, self._registry, self._epoch, self._also = engine, registry, epoch, idle
        self._desk = Desk(registry.current(), simulated=isinstance(clock, SimulatedClock))
        self._unreachable = Unreachable(clock or WallClock())

    def run(self, records: Sequence[LogRecord], commits: Sequence[Commit], now: Millis) -> Sequence[Append]:
        """Raises Refused for records that cannot be read, before any effect; OffsetConflict; Transient."""
        understood, gone = _decoded(records), tuple[Millis, ...]()
        with self._desk.transaction(self._engine) as connection:
            _advance(connection, self.group, self._epoch, commits)
            if understood:
                gone = apply(connection, self._desk, understood, now).gone
            self._unreachable.store(connection)
        self._unreachable.stored()
        self._unreachable.note(gone)
        return ()

    def offsets(self, partitions: frozenset[int], epoch: str) -> Mapping[int, int]:
        """Where each partition goes on; those never read are left out. Raises OffsetOutside for another log's."""
        self._epoch = epoch
        with read(self._engine) as connection:
            sql = "SELECT part, epoch, next FROM stored_offset WHERE consumer_group = ? AND topic = ?"
            stored = rows(connection, sql, (self.group, self.topic))
            # All of them at once, a second's work for a million: nobody waits for a reader.
            self._desk.near.follow(connection)
        foreign = {found for _, found, _ in stored if found != epoch}
        if foreign:
            raise OffsetOutside(
                f"routing's offsets belong to the log {', '.join(sorted(foreign))}, this log is {epoch}: the log "
                "was made anew or the database restored. Decide with `clamor offsets`; nothing was read"
            )
        return {part: next for part, _, next in stored if part in partitions}

    def idle(self, now: Millis) -> None:
        self._desk.keep_up(self._registry.current())
        self._unreachable.tidy(self._engine)
        if self._also is not None:
            self._also(now)

    def close(self) -> None:
        self._engine.dispose()


def _decoded(records: Sequence[LogRecord]) -> list[Understood]:
    found, refused = [], []
    for record in records:
        try:
            found.append(decode(Understood, record.value))
        except msgspec.MsgspecError as error:
            refused.append((record, f"not a record of what was understood: {error}", type(error).__name__))
    if refused:
        raise Refused(refused)
    return found


def _advance(connection: Connection, group: str, epoch: str, commits: Sequence[Commit]) -> None:
    for commit in commits:
        key = (group, commit.topic, commit.partition)
        changed = many(connection, _MOVE, [(commit.next, *key, epoch, commit.expected)])
        if changed == 0 and commit.expected == 0:
            changed = many(connection, _BEGIN, [(*key, epoch, commit.next)])
        if changed == 0:
            raise OffsetConflict(
                f"{group} on {commit.topic}/{commit.partition}: somebody else moved the offset from {commit.expected}"
            )


_MOVE = (
    "UPDATE stored_offset SET next = ? WHERE consumer_group = ? AND topic = ? AND part = ? AND epoch = ? AND next = ?"
)
_BEGIN = (
    "INSERT INTO stored_offset (consumer_group, topic, part, epoch, next) VALUES (?, ?, ?, ?, ?) ON CONFLICT DO NOTHING"
)

"""Where each group goes on in the other log: what it had not done is still before it, though the offsets are others.

It may find a few records before it that it had done, those of the batch in which it stood. Done once more they change
nothing: stages work by key, revision and merge.
"""

from __future__ import annotations

import time
from collections.abc import Mapping
from math import gcd

from sqlalchemy import Engine

from clamor.moving.journal import Journal
from clamor.moving.note import MoveError
from database.engine import many, read, rows, write
from stream.ports import MENTIONS, Log

GROUP = "routing"
JOIN_WITHIN = 90.0
"""Seconds: longer than the session of a member that was killed while it did the same."""


def places(
    journal: Journal, topic: str, stands: Mapping[int, int], sources: int, bounds: Mapping[int, tuple[int, int]]
) -> dict[int, int]:
    """By partition of the copy. `stands`: by partition of the source, where the group stood in it; `sources`: how many
    of them there are; `bounds`: of the copy.

    A partition of the copy holds what came from those partitions whose keys can fall into both.
    """
    step, found = gcd(sources, len(bounds)), {}
    for part, (low, end) in bounds.items():
        place = end
        for source in range(part % step, sources, step):
            begun, dealt = journal.span_of(topic, source)
            stood = max(stands.get(source, 0), begun)
            if stood < dealt:
                place = min(place, journal.ends_before(topic, source, stood).get(part, low))
        found[part] = max(place, low)
    return found


def put_group(log: Log, group: str, topic: str, at: Mapping[int, int]) -> None:
    """Let a group whose offsets the log keeps go on there: as its only member. Raises MoveError, Transient."""
    member = log.consumer(group, topic, on_assigned=lambda partitions: {part: at[part] for part in partitions})
    deadline = time.monotonic() + JOIN_WITHIN
    try:
        while member.assignment() != frozenset(at):
            if time.monotonic() > deadline:
                raise MoveError(
                    f"group {group!r} of the new log has other members: stop what works there, and give the move again"
                )
            member.poll(1, 0.5)
    finally:
        member.close()
    stored = log.committed(group, topic)
    if any(stored.get(part, 0) != place for part, place in at.items()):
        raise MoveError(f"the new log did not store where group {group!r} goes on: give the move again")


def stored_places(engine: Engine, epoch: str) -> dict[int, int]:
    """Where routing stands in the log `epoch`, as SQL says."""
    sql = "SELECT part, next FROM stored_offset WHERE consumer_group = ? AND topic = ? AND epoch = ?"
    with read(engine) as connection:
        return dict(rows(connection, sql, (GROUP, MENTIONS, epoch)))


def store_places(engine: Engine, epoch: str, at: Mapping[int, int]) -> None:
    """Let routing go on there in the log `epoch`."""
    with write(engine) as connection:
        many(connection, "DELETE FROM stored_offset WHERE consumer_group = ? AND topic = ?", [(GROUP, MENTIONS)])
        sql = "INSERT INTO stored_offset (consumer_group, topic, part, epoch, next) VALUES (?, ?, ?, ?, ?)"
        many(connection, sql, [(GROUP, MENTIONS, part, epoch, place) for part, place in at.items()])

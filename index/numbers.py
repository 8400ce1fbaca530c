"""Which number a new mention gets: its time, and a slot among the mentions of its millisecond."""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence

import msgspec

from index.schema import FARTHEST, SLOT_BITS, SLOTS, first_number
from stream.records import Millis

_LAST = """
SELECT value, (SELECT max(n) FROM mention WHERE n >= value AND n < value + ?) FROM json_each(?)
"""


def number(connection: sqlite3.Connection, times: Sequence[Millis]) -> list[int]:
    """A free number for each of `times`, all different; to be called inside the transaction that uses them.

    Where all slots of a millisecond are taken (an import whose dates have no time of day) the number of a later one is
    given, and `drift` in `meta` says by how much at most: readers then look at the time itself as well.
    """
    firsts = [first_number(time) for time in times]
    asked = msgspec.json.encode(sorted(set(firsts))).decode()
    last = connection.execute(_LAST, (SLOTS, asked)).fetchall()
    following = {start: start if found is None else found + 1 for start, found in last}
    given: list[int] = []
    taken: set[int] = set()
    for start in firsts:
        free = following[start]
        if free >= start + SLOTS or free in taken:
            free = _later(connection, start, free, taken)
        taken.add(free)
        following[start] = free + 1
        given.append(free)
    _note_drift(connection, times, given)
    return given


def _later(connection: sqlite3.Connection, start: int, free: int, taken: set[int]) -> int:
    crowd = connection.execute("SELECT next FROM crowd WHERE at = ?", (start,)).fetchone()
    free = max(free, crowd[0] if crowd else start)
    while free in taken or connection.execute("SELECT 1 FROM mention WHERE n = ?", (free,)).fetchone():
        free += 1
    connection.execute(
        "INSERT INTO crowd (at, next) VALUES (?, ?) ON CONFLICT (at) DO UPDATE SET next = excluded.next",
        (start, free + 1),
    )
    return free


def _note_drift(connection: sqlite3.Connection, times: Sequence[Millis], given: Sequence[int]) -> None:
    drift = max(
        ((found >> SLOT_BITS) - time if abs(time) < FARTHEST else 1 for time, found in zip(times, given, strict=True)),
        default=0,
    )
    if drift > 0:
        connection.execute("UPDATE meta SET value = ? WHERE name = 'drift' AND value < ?", (drift, drift))

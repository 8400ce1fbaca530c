"""How long it takes until the index shows a post, and until it shows one no more: in the index itself."""

from __future__ import annotations

import sqlite3

from stream.clock import HOUR
from stream.latency import Latency, Stopwatch, latency_of
from stream.records import Millis

SEARCHABLE = "latency"
"""From a post's arrival in the log until it can be found."""
HIDDEN = "hidden"
"""From a delete's arrival in the log until its post can be found no more."""


def store(connection: sqlite3.Connection, table: str, stopwatch: Stopwatch) -> None:
    """Inside a transaction; `stopwatch.stored` follows its commit."""
    if not stopwatch:
        return
    connection.executemany(
        f"INSERT INTO {table} (minute, bucket, count) VALUES (?, ?, ?) "
        "ON CONFLICT DO UPDATE SET count = count + excluded.count",
        stopwatch.rows(),
    )
    connection.execute(f"DELETE FROM {table} WHERE minute < ?", (stopwatch.forgotten(),))


def latency(connection: sqlite3.Connection, table: str, now: Millis, span: Millis = HOUR) -> Latency:
    """Of what ended within `span` before `now`. Nothing did in an index that was not written since it counts this."""
    if not connection.execute("SELECT 1 FROM sqlite_master WHERE name = ?", (table,)).fetchone():
        return latency_of([])
    return latency_of(
        connection.execute(
            f"SELECT bucket, sum(count) FROM {table} WHERE minute > ? AND minute <= ? GROUP BY bucket ORDER BY bucket",
            (now - span, now),
        ).fetchall()
    )

"""Erased texts leave the file: small steps of merging between batches, until no segment holds their tokens.

Rows are overwritten at once (`secure_delete`). FTS5 only notes that a text is gone; its tokens lie in older segments
until these are merged. A round merges all segments there were when it began; then the WAL is moved into the file and
emptied, and what was asked for before the round is gone.
"""

from __future__ import annotations

import sqlite3

import msgspec

from stream.records import Millis

PAGES = 64
"""Pages merged in one step, a few milliseconds of work."""
MOST_LEVELS = 1_900
"""Each round leaves two levels in FTS5's structure record (measured with SQLite 3.40), which may hold 2,000: enough for
two and a half years of daily rounds."""


def note(connection: sqlite3.Connection, erased: int, now: Millis) -> None:
    """Inside the transaction that takes texts out."""
    if erased:
        connection.execute("INSERT INTO erasure (asked) VALUES (?)", (now,))


class Erasing(msgspec.Struct, frozen=True):
    """How far erasure is."""

    waiting: int
    """Batches with erased texts whose tokens may still lie in the file."""
    since: Millis | None
    """When the oldest of them was written."""
    rounds_left: int
    """At 0 no round is possible: the index has to be rebuilt (`clamor reindex`)."""


def progress(connection: sqlite3.Connection) -> Erasing:
    waiting, since = connection.execute("SELECT count(*), min(asked) FROM erasure").fetchone()
    return Erasing(waiting, since, max(0, MOST_LEVELS - _levels(connection)) // 2)


def due(connection: sqlite3.Connection, now: Millis, every: Millis) -> bool:
    """There is a round under way, or one to begin: each rewrites the inverted index, so erasures are gathered."""
    running, oldest = connection.execute("SELECT max(batch), (SELECT min(asked) FROM erasure) FROM erasure").fetchone()
    if running or oldest is None:
        return bool(running)
    return now - oldest >= every and _levels(connection) < MOST_LEVELS


def step(connection: sqlite3.Connection) -> bool:
    """One step inside a transaction; true once the round has merged all it had to."""
    running = connection.execute("SELECT count(*) FROM erasure WHERE batch = 1").fetchone()[0]
    if not running:
        connection.execute("UPDATE erasure SET batch = 1")
        connection.execute("INSERT INTO hits (hits, rank) VALUES ('merge', ?)", (-PAGES,))
        return False
    before = connection.total_changes
    connection.execute("INSERT INTO hits (hits, rank) VALUES ('merge', ?)", (PAGES,))
    # FTS5's documented sign that nothing was left to merge.
    return connection.total_changes - before < 2


def finish(connection: sqlite3.Connection) -> None:
    """After the WAL was emptied: what the round was for is gone."""
    connection.execute("DELETE FROM erasure WHERE batch = 1")


def _levels(connection: sqlite3.Connection) -> int:
    """From FTS5's structure record (id 10): four bytes, then the number of levels as a SQLite varint."""
    record: bytes = connection.execute("SELECT block FROM hits_data WHERE id = 10").fetchone()[0]
    return record[4] if record[4] < 0x80 else (record[4] & 0x7F) << 7 | record[5] & 0x7F

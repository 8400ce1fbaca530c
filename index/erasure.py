"""Erased texts leave the file: small steps of merging between batches, until no segment holds their tokens.

Rows are overwritten at once (`secure_delete`). FTS5 only notes that a text is gone; its tokens lie in older segments
until these are merged. A round merges all segments there were when it began; then the WAL is moved into the file and
emptied, and what was asked for before the round is gone.
"""

from __future__ import annotations

import sqlite3

from stream.clock import HOUR
from stream.records import Millis

PAGES = 64
"""Pages merged in one step, a few milliseconds of work."""
ROUND_EVERY: Millis = 6 * HOUR
"""Erasures are gathered so long before a round begins, as each rewrites the inverted index."""


def note(connection: sqlite3.Connection, erased: int, now: Millis) -> None:
    """Inside the transaction that takes texts out."""
    if erased:
        connection.execute("INSERT INTO erasure (asked) VALUES (?)", (now,))


def waiting(connection: sqlite3.Connection) -> tuple[int, Millis | None]:
    """(batches of erased texts whose tokens may still lie in the file, when the oldest was asked for)."""
    found: tuple[int, Millis | None] = connection.execute("SELECT count(*), min(asked) FROM erasure").fetchone()
    return found


def due(connection: sqlite3.Connection, now: Millis, every: Millis) -> bool:
    """There is a round under way, or one to begin."""
    running, oldest = connection.execute("SELECT max(batch), (SELECT min(asked) FROM erasure) FROM erasure").fetchone()
    return bool(running) or (oldest is not None and now - oldest >= every)


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

"""`move.db`: which records of the log were copied where, so that a move goes on where it was cut short.

A batch is noted once it is durable in the other log. One that was appended and never noted is appended again: it then
stands there twice, as after any call of `append` that failed, and readers work by key and revision. What is tried is
written down before it is appended, since not all of it need be copied the next time.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from stream.sqlite_file import Writer

_TABLES = """
CREATE TABLE IF NOT EXISTS mark (name TEXT PRIMARY KEY, value INTEGER NOT NULL) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS batch (topic TEXT, part INTEGER, next INTEGER, ends TEXT NOT NULL,
    copied INTEGER NOT NULL, left_out INTEGER NOT NULL, PRIMARY KEY (topic, part, next)) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS span (topic TEXT, part INTEGER, first INTEGER, last INTEGER NOT NULL, digest BLOB NOT NULL,
    PRIMARY KEY (topic, part, first)) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS tried (topic TEXT, record BLOB, PRIMARY KEY (topic, record)) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS refused (mention TEXT PRIMARY KEY) WITHOUT ROWID
"""
PATIENCE = 10.0


class Span(NamedTuple):
    """Records that stand side by side in a partition of the copy."""

    part: int
    first: int
    last: int
    digest: bytes


class Batch(NamedTuple):
    """Everything below `next` of a partition of the source has been dealt with."""

    topic: str
    part: int
    next: int
    ends: Mapping[int, int]
    """By partition of the copy: what was copied by then stands below, what comes later does not."""
    copied: int
    """Records."""
    left_out: int
    """Records of posts that are gone."""
    spans: Sequence[Span]


class Journal:
    """For one process at a time."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._writer = Writer(path, fsync="always", patience=PATIENCE)
        with self._writer.transaction("make its tables") as connection:
            for statement in _TABLES.split(";"):
                connection.execute(statement)

    def try_out(self, topic: str, records: Sequence[bytes]) -> list[bytes]:
        """Before these fingerprints' records are appended; those that were not tried before, for `note`."""
        with self._writer.transaction("note what is tried") as connection:
            asked = "INSERT OR IGNORE INTO tried (topic, record) VALUES (?, ?)"
            return [record for record in records if connection.execute(asked, (topic, record)).rowcount]

    def tried(self, topic: str) -> frozenset[bytes]:
        """Fingerprints of records that may stand in the copy though no batch has them: their call failed, or whoever
        called was killed."""
        with self._writer.transaction("read") as connection:
            found = connection.execute("SELECT record FROM tried WHERE topic = ?", (topic,))
            return frozenset(row[0] for row in found)

    def note(self, batch: Batch, tried: Sequence[bytes] = ()) -> None:
        """`tried`: what `try_out` gave for it, whose whereabouts are known from now on."""
        ends = json.dumps(sorted(batch.ends.items()))
        with self._writer.transaction("note a batch") as connection:
            connection.execute(
                "INSERT OR REPLACE INTO batch (topic, part, next, ends, copied, left_out) VALUES (?, ?, ?, ?, ?, ?)",
                (batch.topic, batch.part, batch.next, ends, batch.copied, batch.left_out),
            )
            connection.executemany(
                "INSERT INTO span (topic, part, first, last, digest) VALUES (?, ?, ?, ?, ?)",
                [(batch.topic, *span) for span in batch.spans],
            )
            connection.executemany(
                "DELETE FROM tried WHERE topic = ? AND record = ?", [(batch.topic, record) for record in tried]
            )

    def next(self, topic: str, part: int) -> int | None:
        """Up to where a partition of the source is dealt with; None where it was not begun."""
        found: int | None = self._one("SELECT max(next) FROM batch WHERE topic = ? AND part = ?", topic, part)
        return found

    def span_of(self, topic: str, part: int) -> tuple[int, int]:
        """Offsets of a partition of the source: where the copy began, and up to where it is dealt with."""
        asked = "SELECT coalesce(min(next), 0), coalesce(max(next), 0) FROM batch WHERE topic = ? AND part = ?"
        with self._writer.transaction("read") as connection:
            begun, dealt = connection.execute(asked, (topic, part)).fetchone()
        return begun, dealt

    def ends_before(self, topic: str, part: int, offset: int) -> dict[int, int]:
        """As they were when everything below some place at or before `offset` was dealt with; empty where that was
        before the copy began."""
        asked = "SELECT ends FROM batch WHERE topic = ? AND part = ? AND next <= ? ORDER BY next DESC LIMIT 1"
        found: str | None = self._one(asked, topic, part, offset)
        return dict(json.loads(found)) if found is not None else {}

    def spans(self, topic: str, part: int, start: int) -> Iterator[Span]:
        """Those of a partition of the copy that begin at `start` or behind it, in order."""
        asked = (
            "SELECT part, first, last, digest FROM span WHERE topic = ? AND part = ? AND first >= ? ORDER BY first "
            "LIMIT 1000"
        )
        while True:
            with self._writer.transaction("read") as connection:
                found = [Span(*row) for row in connection.execute(asked, (topic, part, start))]
            yield from found
            if not found:
                return
            start = found[-1].last + 1

    def records(self) -> tuple[int, int]:
        """(copied, left out) so far."""
        with self._writer.transaction("read") as connection:
            asked = "SELECT coalesce(sum(copied), 0), coalesce(sum(left_out), 0) FROM batch"
            copied, left_out = connection.execute(asked).fetchone()
        return copied, left_out

    def mark(self, name: str) -> int | None:
        found: int | None = self._one("SELECT value FROM mark WHERE name = ?", name)
        return found

    def set(self, marks: Mapping[str, int]) -> None:
        with self._writer.transaction("set marks") as connection:
            connection.executemany("INSERT OR REPLACE INTO mark (name, value) VALUES (?, ?)", list(marks.items()))

    def refused(self) -> frozenset[str]:
        """Mentions that the other store cannot take."""
        with self._writer.transaction("read") as connection:
            return frozenset(row[0] for row in connection.execute("SELECT mention FROM refused"))

    def refuse(self, mentions: Sequence[str]) -> None:
        with self._writer.transaction("note what was refused") as connection:
            connection.executemany("INSERT OR REPLACE INTO refused (mention) VALUES (?)", [(id,) for id in mentions])

    def close(self) -> None:
        self._writer.close()

    def remove(self) -> None:
        """Closed, and its file with it: what it knows is of no more use."""
        self.close()
        for path in self._path.parent.glob(f"{self._path.name}*"):
            path.unlink(missing_ok=True)

    def _one(self, statement: str, *values: object) -> Any:
        with self._writer.transaction("read") as connection:
            found = connection.execute(statement, values).fetchone()
        return found[0] if found is not None else None

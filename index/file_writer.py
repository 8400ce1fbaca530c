"""The one connection of this process that writes the index, its transactions, and what they leave for later."""

from __future__ import annotations

import sqlite3
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from index import erasure, latency, schema
from index.files import BUSY_MS, Identity, identity, open_writer, speaking
from index.write import Entry, Writer
from stream.clock import Clock
from stream.latency import Stopwatch
from stream.ports import Commit, OffsetOutside
from stream.records import Mention, Millis

CHECKPOINT_WAIT_MS = 100
"""A step of erasure waits so long for searches to end; then the next step tries again."""


class FileWriter:
    """Opened when first used, and again once the index was rebuilt by somebody else."""

    def __init__(self, path: Path, clock: Clock) -> None:
        self._path, self._clock = path, clock
        self._lock = threading.RLock()
        self._connection: sqlite3.Connection | None = None
        self._writer: Writer | None = None
        self._identity: Identity | None = None
        self._searchable, self._hidden = Stopwatch(), Stopwatch()

    def touch(self) -> None:
        """Lay the tables where there are none yet."""
        with self._lock, speaking(self._path, "open"):
            self._opened()

    def put(self, entries: Sequence[Entry], commits: Sequence[Commit], epoch: str, now: Millis) -> None:
        """Entries and offsets in one transaction. Raises OffsetConflict, OffsetOutside, Transient, IndexUnusable."""
        with self._lock:
            with self._transaction("write") as (connection, writer):
                if commits:
                    claim(connection, epoch, self._path)
                written = writer.write(entries) if entries else None
                writer.commit_offsets(commits)
                if written:
                    erasure.note(connection, written.erased, now)
                self._store_measured(connection)
            self._measured()
            if written:
                self.visible(written.new)
                self._hidden.note([mention.gone_since for mention in written.gone], self._clock.now())

    def visible(self, mentions: Sequence[Mention]) -> None:
        """Note how long these took until now."""
        self._searchable.note([mention.appended_at for mention in mentions], self._clock.now())

    def tidy(self) -> None:
        """Store what was measured since the last transaction."""
        with self._lock:
            if self._searchable or self._hidden:
                with self._transaction("store latencies") as (connection, _):
                    self._store_measured(connection)
                self._measured()

    def erase_step(self, now: Millis, every: Millis) -> bool:
        """One small step of a round of erasure; true where there is more to do."""
        with self._lock:
            with speaking(self._path, "erase"):
                if not erasure.due(self._opened()[0], now, every):
                    return False
            with self._transaction("erase") as (connection, _):
                merged = erasure.step(connection)
            if not merged or not self._emptied():
                return True
            with self._transaction("erase") as (connection, _):
                erasure.finish(connection)
            return False

    def close(self) -> None:
        with self._lock:
            if self._connection is not None:
                with speaking(self._path, "close"):
                    self._connection.close()
            self._connection = self._writer = None

    def _store_measured(self, connection: sqlite3.Connection) -> None:
        latency.store(connection, latency.SEARCHABLE, self._searchable)
        latency.store(connection, latency.HIDDEN, self._hidden)

    def _measured(self) -> None:
        self._searchable.stored()
        self._hidden.stored()

    def _emptied(self) -> bool:
        """Move the WAL into the file and empty it; false where a reader stood in the way."""
        with speaking(self._path, "checkpoint"):
            connection, _ = self._opened()
            connection.execute(f"PRAGMA busy_timeout = {CHECKPOINT_WAIT_MS}")
            try:
                blocked: int = connection.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()[0]
            finally:
                connection.execute(f"PRAGMA busy_timeout = {BUSY_MS}")
        return not blocked

    @contextmanager
    def _transaction(self, doing: str) -> Iterator[tuple[sqlite3.Connection, Writer]]:
        with speaking(self._path, doing):
            connection, writer = self._opened()
            connection.execute("BEGIN IMMEDIATE")
            try:
                yield connection, writer
                connection.execute("COMMIT")
            except BaseException:
                if connection.in_transaction:
                    connection.execute("ROLLBACK")
                writer.forget()
                raise

    def _opened(self) -> tuple[sqlite3.Connection, Writer]:
        if self._connection is not None and identity(self._path) != self._identity:
            self.close()
        if self._connection is None or self._writer is None:
            connection = open_writer(self._path)
            try:
                schema.create(connection)
                schema.check(connection, self._path)
            except BaseException:
                connection.close()
                raise
            self._connection, self._writer, self._identity = connection, Writer(connection), identity(self._path)
        return self._connection, self._writer


def claim(connection: sqlite3.Connection, epoch: str, path: Path) -> None:
    """The offsets in the index are of the log `epoch`. Raises OffsetOutside where they are of another."""
    stored = schema.meta(connection, "log")
    if stored is None:
        connection.execute("INSERT INTO meta (name, value) VALUES ('log', ?)", (epoch,))
    elif stored != epoch:
        raise OffsetOutside(
            f"{path} holds offsets of another log ({stored!s}, not {epoch}): rebuild it with `clamor reindex`"
        )

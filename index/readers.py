"""Connections that read: a few per process, each used by one thread at a time, renewed when the index was rebuilt."""

from __future__ import annotations

import sqlite3
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from index import schema
from index.files import Identity, QueryTooSlow, identity, open_reader, speaking
from stream.ports import Transient

STEPS_BETWEEN_LOOKS = 2_000
"""SQLite's virtual machine looks at the clock so often."""


class Readers:
    """At most `most` connections; who finds none free waits up to `time_limit` seconds."""

    def __init__(self, path: Path, *, most: int, time_limit: float, create: Callable[[], None]) -> None:
        """`create` is called where there is no file yet."""
        self._path, self._time_limit, self._create = path, time_limit, create
        self._free: list[tuple[Identity | None, sqlite3.Connection]] = []
        self._places = threading.BoundedSemaphore(most)
        self._lock = threading.Lock()
        self._closed = False

    @contextmanager
    def reading(self, doing: str) -> Iterator[sqlite3.Connection]:
        """A connection inside one read transaction: all that is read is of one moment.

        Raises QueryTooSlow after the time limit, ValueError where FTS5 cannot take a query's depth, Transient and
        IndexUnusable as `speaking` does.
        """
        if not self._places.acquire(timeout=self._time_limit):
            raise Transient(f"{self._path}: cannot {doing}: all connections are busy with other searches; try again")
        try:
            with speaking(self._path, doing):
                found, connection = self._take()
                deadline = time.monotonic() + self._time_limit
                connection.set_progress_handler(lambda: time.monotonic() > deadline, STEPS_BETWEEN_LOOKS)
                try:
                    connection.execute("BEGIN")
                    yield connection
                except sqlite3.OperationalError as error:
                    if getattr(error, "sqlite_errorcode", 0) == sqlite3.SQLITE_INTERRUPT:
                        raise QueryTooSlow(
                            f"cannot {doing} within {self._time_limit:g} s: ask for a shorter time (since:-7d), add a "
                            "word or a field, make a prefix longer, or take the estimate instead of the exact number"
                        ) from error
                    if "parser stack overflow" in str(error):
                        raise ValueError(f"cannot {doing}: the query nests too deeply: make two of it") from error
                    raise
                finally:
                    connection.set_progress_handler(None, 0)
                    if connection.in_transaction:
                        connection.execute("ROLLBACK")
                    self._give_back(found, connection)
        finally:
            self._places.release()

    def close(self) -> None:
        with self._lock:
            self._closed = True
            free, self._free = self._free, []
        for _, connection in free:
            connection.close()

    def _take(self) -> tuple[Identity | None, sqlite3.Connection]:
        now = identity(self._path)
        if now is None:
            self._create()
            now = identity(self._path)
        with self._lock:
            stale = [pair for pair in self._free if pair[0] != now]
            self._free = [pair for pair in self._free if pair[0] == now]
            taken = self._free.pop() if self._free else None
        for _, connection in stale:
            connection.close()
        return taken or (now, self._opened())

    def _opened(self) -> sqlite3.Connection:
        connection = open_reader(self._path)
        try:
            schema.check(connection, self._path)
        except BaseException:
            connection.close()
            raise
        return connection

    def _give_back(self, found: Identity | None, connection: sqlite3.Connection) -> None:
        with self._lock:
            if not self._closed:
                self._free.append((found, connection))
                return
        connection.close()

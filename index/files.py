"""The file `index.db`: how it is opened, what SQLite's errors mean, and how a rebuilt one takes its place.

A rebuilt index gets a file name of its own and `index.db` becomes a link to it, in one step. Putting it under the old
name instead would let processes that still read the old file mix its WAL with the new one's.
"""

from __future__ import annotations

import itertools
import os
import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TypeAlias

from stream.ports import Transient

Identity: TypeAlias = tuple[int, int]
"""Device and inode: what tells a rebuilt file from the one that is open."""

WRITER_CACHE_KIB = 64_000
READER_CACHE_KIB = 16_000
WAL_LIMIT_BYTES = 64 << 20
BUSY_MS = 5_000
"""A connection waits so long for a lock."""


class IndexUnusable(Exception):
    """The index cannot be used until a person decides; the message names the file and the way out."""


class QueryTooSlow(TimeoutError):
    """A search ran into its time limit; the message says how to ask for less."""


_PASSING = {
    sqlite3.SQLITE_BUSY: "another process writes for too long; it is tried again",
    sqlite3.SQLITE_LOCKED: "another connection holds it; it is tried again",
    sqlite3.SQLITE_FULL: "the disk is full: free space; it is tried again and nothing is lost",
    sqlite3.SQLITE_IOERR: "the disk refused: look at its free space and health; it is tried again",
    sqlite3.SQLITE_PROTOCOL: "the file's locks are contended; it is tried again",
    sqlite3.SQLITE_NOMEM: "memory is short; it is tried again",
}
_LASTING = {
    sqlite3.SQLITE_CORRUPT: "the file is damaged: rebuild it from the cases' database with `clamor reindex`",
    sqlite3.SQLITE_NOTADB: "this is not a SQLite file: move it away, then rebuild it with `clamor reindex`",
    sqlite3.SQLITE_CANTOPEN: "it cannot be opened: look at the folder and its permissions",
    sqlite3.SQLITE_PERM: "permission denied: the folder must belong to the user that runs Clamor",
    sqlite3.SQLITE_READONLY: "it is read-only: folder and file must be writable by the user that runs Clamor",
}


@contextmanager
def speaking(path: Path, doing: str) -> Iterator[None]:
    """Turns SQLite's errors into Transient (it passes) or IndexUnusable (a person decides), with the way out."""
    try:
        yield
    except sqlite3.Error as error:
        code = getattr(error, "sqlite_errorcode", 0) & 0xFF
        if code in _PASSING:
            raise Transient(f"{path}: cannot {doing}: {error}; {_PASSING[code]}") from error
        # FTS5 reports a damaged inverted index of its own as CORRUPT_VTAB, whose primary code is CORRUPT.
        if code in _LASTING:
            raise IndexUnusable(f"{path}: cannot {doing}: {error}; {_LASTING[code]}") from error
        raise


def identity(path: Path) -> Identity | None:
    """Which file `path` leads to now; None where there is none."""
    try:
        found = path.stat()
    except FileNotFoundError:
        return None
    return found.st_dev, found.st_ino


def open_writer(path: Path) -> sqlite3.Connection:
    """A connection that writes: WAL, deleted content overwritten, transactions begun by hand.

    The commit of a projection need not outlive a power cut (its offset goes back with it), so `synchronous` is NORMAL.
    """
    connection = sqlite3.connect(
        path, timeout=BUSY_MS / 1_000, isolation_level=None, check_same_thread=False, cached_statements=256
    )
    try:
        for pragma in (
            "page_size = 8192",
            "journal_mode = WAL",
            "synchronous = NORMAL",
            "secure_delete = ON",
            f"cache_size = -{WRITER_CACHE_KIB}",
            f"journal_size_limit = {WAL_LIMIT_BYTES}",
            "wal_autocheckpoint = 4000",
            "temp_store = MEMORY",
        ):
            connection.execute(f"PRAGMA {pragma}")
    except BaseException:
        connection.close()
        raise
    return connection


def open_reader(path: Path) -> sqlite3.Connection:
    """A connection that cannot write."""
    connection = sqlite3.connect(
        path, timeout=BUSY_MS / 1_000, isolation_level=None, check_same_thread=False, cached_statements=256
    )
    try:
        for pragma in ("query_only = ON", f"cache_size = -{READER_CACHE_KIB}", "temp_store = MEMORY"):
            connection.execute(f"PRAGMA {pragma}")
    except BaseException:
        connection.close()
        raise
    return connection


def sidestep(path: Path) -> Path:
    """A name beside `path` that is not taken: where a rebuilt index is written."""
    names = (path.with_name(f"{path.stem}-{number}{path.suffix}") for number in itertools.count(1))
    return next(name for name in names if not name.exists())


def put_in_place(new: Path, path: Path) -> None:
    """Make `path` lead to `new`, atomically, and remove the file that it led to (open connections keep reading it)."""
    old = path.resolve() if path.exists() else None
    link = path.with_name(f"{path.name}.next")
    with suppress(FileNotFoundError):
        link.unlink()
    link.symlink_to(new.name)
    link.replace(path)
    _sync_folder(path.parent)
    if old is not None and old != new.resolve():
        remove(old if old != path.parent.resolve() / path.name else None, wal_of=old)


def remove(path: Path | None, *, wal_of: Path | None = None) -> None:
    """Delete a database file with its WAL and shared memory, those that are there."""
    beside = wal_of or path
    if beside is None:
        return
    gone = [beside.with_name(beside.name + end) for end in ("-wal", "-shm")]
    for name in ([path] if path else []) + gone:
        with suppress(FileNotFoundError):
            name.unlink()


def _sync_folder(folder: Path) -> None:
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)

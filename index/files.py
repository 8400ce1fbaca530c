"""The file `index.db`: how it is opened, what SQLite's errors mean, and how a rebuilt one takes its place.

A rebuilt index gets a file name of its own and `index.db` becomes a link to it, in one step. Putting it under the old
name instead would let processes that still read the old file mix its WAL with the new one's.
"""

from __future__ import annotations

import fcntl
import os
import secrets
import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TypeAlias

from stream.ports import Transient, Unusable

Identity: TypeAlias = tuple[int, int]
"""Device and inode: what tells a rebuilt file from the one that is open."""

WRITER_CACHE_KIB = 16_000
READER_CACHE_KIB = 16_000
WAL_LIMIT_BYTES = 64 << 20
BUSY_MS = 5_000
"""A connection waits so long for a lock."""


class IndexUnusable(Unusable):
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


@contextmanager
def rebuilding(path: Path) -> Iterator[Path]:
    """A name beside `path` to write a rebuilt index to; it is put in place at the end, and removed on an error.

    The name is never one that was used before: whoever still holds that file would, on closing it, delete the new
    one's WAL. Raises IndexUnusable where another rebuild is under way.
    """
    lock = path.with_name(f"{path.name}.rebuild")
    with lock.open("w") as held:
        try:
            fcntl.flock(held, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise IndexUnusable(f"{path}: it is being rebuilt by another process: wait for that to end") from None
        _sweep(path)
        new = path.with_name(f"{path.stem}-{secrets.token_hex(4)}{path.suffix}")
        try:
            yield new
            _put_in_place(new, path)
        finally:
            _sweep(path)
            lock.unlink(missing_ok=True)


def _put_in_place(new: Path, path: Path) -> None:
    link = path.with_name(f"{path.name}.next")
    link.unlink(missing_ok=True)
    link.symlink_to(new.name)
    link.replace(path)
    _sync_folder(path.parent)


def _sweep(path: Path) -> None:
    """Remove index files that `path` does not lead to; connections that read one go on reading it."""
    kept = path.resolve().name
    for file in path.parent.glob(f"{path.stem}*{path.suffix}*"):
        base = file.name.removesuffix("-wal").removesuffix("-shm")
        ours = base == path.name or (base.startswith(f"{path.stem}-") and base.endswith(path.suffix))
        if ours and base != kept and file != path:
            file.unlink(missing_ok=True)


def _sync_folder(folder: Path) -> None:
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)

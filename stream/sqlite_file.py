"""How a SQLite file of Clamor is opened, written in one transaction at a time, and what its errors mean."""

from __future__ import annotations

import os
import random
import sqlite3
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Literal, TypeAlias

from stream.ports import LogUnusable, Transient

Fsync: TypeAlias = Literal["always", "normal"]

NETWORK_FILE_SYSTEMS: frozenset[str] = frozenset(
    {
        *(
            "nfs",
            "nfs4",
            "cifs",
            "smb3",
            "smbfs",
            "9p",
            "afs",
            "ncpfs",
            "ceph",
            "lustre",
            "glusterfs",
            "beegfs",
            "gpfs",
        ),
        *("fuse.sshfs", "fuse.glusterfs", "fuse.cephfs", "fuse.s3fs", "fuse.rclone", "fuse.gcsfuse"),
    }
)

_PASSING = (
    sqlite3.SQLITE_BUSY,
    sqlite3.SQLITE_LOCKED,
    sqlite3.SQLITE_FULL,
    sqlite3.SQLITE_IOERR,
    sqlite3.SQLITE_PROTOCOL,
    sqlite3.SQLITE_NOMEM,
)
_UNUSABLE = (
    sqlite3.SQLITE_CORRUPT,
    sqlite3.SQLITE_NOTADB,
    sqlite3.SQLITE_CANTOPEN,
    sqlite3.SQLITE_PERM,
    sqlite3.SQLITE_READONLY,
)
_ADVICE = {
    sqlite3.SQLITE_BUSY: "another process writes for too long; it is tried again",
    sqlite3.SQLITE_LOCKED: "another connection holds it; it is tried again",
    sqlite3.SQLITE_FULL: "the disk is full: free space or shorten the retention; it is tried again and nothing is lost",
    sqlite3.SQLITE_IOERR: "the disk refused: look at its free space and health; it is tried again",
    sqlite3.SQLITE_CORRUPT: "the file is damaged: restore it with `clamor restore`",
    sqlite3.SQLITE_NOTADB: "this is not a SQLite file: move it away or restore it with `clamor restore`",
    sqlite3.SQLITE_CANTOPEN: "it cannot be opened: look at the folder's permissions",
    sqlite3.SQLITE_PERM: "permission denied: the folder must belong to the user that runs Clamor",
    sqlite3.SQLITE_READONLY: "it is read-only: the folder and the file must be writable by the user that runs Clamor",
}


def open_file(path: Path, *, fsync: Fsync = "always", busy: float = 5.0) -> sqlite3.Connection:
    """A connection in WAL mode without implicit transactions, usable by one thread at a time.

    `busy` seconds are waited for a lock. Deleted content is overwritten. Raises LogUnusable or Transient.
    """
    with speaking(path, "open"):
        connection = sqlite3.connect(
            path, timeout=busy, isolation_level=None, check_same_thread=False, cached_statements=512
        )
        try:
            connection.execute("PRAGMA page_size = 8192")
            _enter_wal(connection)
            connection.execute(f"PRAGMA synchronous = {'FULL' if fsync == 'always' else 'NORMAL'}")
            connection.execute("PRAGMA secure_delete = ON")
            connection.execute("PRAGMA wal_autocheckpoint = 2000")
        except BaseException:
            connection.close()
            raise
    return connection


class Writer:
    """The one connection of this process that writes to `path`: transactions of its threads follow one another."""

    def __init__(self, path: Path, *, fsync: Fsync, patience: float) -> None:
        """`patience`: seconds to wait for other processes' transactions before Transient is raised."""
        self._path, self._patience = path, patience
        self._connection = open_file(path, fsync=fsync, busy=0.0)
        self._lock = threading.RLock()

    @contextmanager
    def transaction(self, doing: str) -> Iterator[sqlite3.Connection]:
        """BEGIN IMMEDIATE … COMMIT; rolled back on any error. Not to be nested."""
        with self._lock, speaking(self._path, doing):
            self._begin()
            try:
                yield self._connection
                self._connection.execute("COMMIT")
            except BaseException:
                if self._connection.in_transaction:
                    self._connection.execute("ROLLBACK")
                raise

    def truncate_wal(self) -> bool:
        """Move all that is in the WAL into the file and empty it; false where a reader or writer stood in the way."""
        with self._lock, speaking(self._path, "checkpoint"):
            # The passive one does the work without keeping writers out.
            self._connection.execute("PRAGMA wal_checkpoint(PASSIVE)").fetchone()
            self._connection.execute("PRAGMA busy_timeout = 2000")
            try:
                blocked: int = self._connection.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()[0]
            finally:
                self._connection.execute("PRAGMA busy_timeout = 0")
        return not blocked

    def close(self) -> None:
        with self._lock:
            self._connection.close()

    def _begin(self) -> None:
        # SQLite's own busy handler sleeps up to 100 ms at a time: too long where transactions last a few.
        deadline = time.monotonic() + self._patience
        while True:
            try:
                self._connection.execute("BEGIN IMMEDIATE")
                return
            except sqlite3.OperationalError as error:
                if _primary(error) != sqlite3.SQLITE_BUSY or time.monotonic() > deadline:
                    raise
                time.sleep(random.uniform(0.0005, 0.003))


@contextmanager
def speaking(path: Path, doing: str) -> Iterator[None]:
    """Turns SQLite's errors into Transient (it passes) and LogUnusable (a person decides), with what to do."""
    try:
        yield
    except sqlite3.Error as error:
        if getattr(error, "sqlite_errorcode", 0) == sqlite3.SQLITE_CONSTRAINT_TRIGGER:
            # The file is closed to writers, and says in its own words why.
            raise LogUnusable(f"{path}: cannot {doing}: {error}") from error
        code = _primary(error)
        text = f"{path}: cannot {doing}: {error}; {_ADVICE.get(code, 'it is tried again')}"
        if code in _PASSING:
            raise Transient(text) from error
        if code in _UNUSABLE:
            raise LogUnusable(text) from error
        raise


def refuse_network(path: Path, mounts: Path = Path("/proc/mounts")) -> None:
    """Raises LogUnusable where `path` lies on a network file system, whose locks SQLite cannot rely on."""
    kind = file_system(path, mounts)
    if kind in NETWORK_FILE_SYSTEMS:
        raise LogUnusable(
            f"{path} lies on a network file system ({kind}), where SQLite's locks do not hold: "
            "put the home's data folder on a local disk (--home or CLAMOR_HOME)"
        )


def file_system(path: Path, mounts: Path = Path("/proc/mounts")) -> str:
    """Type of the file system that holds `path`; empty where the system does not tell."""
    try:
        lines = mounts.read_text(encoding="utf-8", errors="surrogateescape").splitlines()
    except OSError:
        return ""
    where = os.path.realpath(path)
    best, kind = "", ""
    for line in lines:
        _, point, found, *_ = line.split(" ")
        # The kernel writes blanks in a mount point as octal.
        point = point.replace("\\040", " ").replace("\\011", "\t")
        inside = where == point or where.startswith(point.rstrip("/") + "/")
        if inside and len(point) >= len(best):
            best, kind = point, found
    return kind


def _enter_wal(connection: sqlite3.Connection) -> None:
    # The switch to WAL takes an exclusive lock that does not wait when several processes open a new file at once.
    for attempt in range(200):
        try:
            connection.execute("PRAGMA journal_mode = WAL")
            return
        except sqlite3.OperationalError as error:
            if _primary(error) != sqlite3.SQLITE_BUSY or attempt == 199:
                raise
            time.sleep(random.uniform(0.005, 0.03))


def _primary(error: sqlite3.Error) -> int:
    code: int = getattr(error, "sqlite_errorcode", 0)
    return code & 0xFF

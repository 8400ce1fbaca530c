"""One way into SQL: an engine, a transaction that reads, a transaction that writes.

Statements with many rows are written with `?` and plain tuples (`many`, `rows`) and go to the driver as they are: on
the way of every post the binding of named parameters would cost more than the statement.
"""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from sqlalchemy import Connection, Engine, create_engine, event
from sqlalchemy.engine import make_url
from sqlalchemy.exc import DBAPIError

from stream.ports import Transient, Unusable
from stream.sqlite_file import refuse_network

BUSY_MS = 10_000
CACHE_KIB = 16_384
"""Pages kept by a connection: those that a batch changes at a million posts, and hardly more. What is kept is void as
soon as another connection writes, as the relay does after every batch."""

_PASSING_SQLITE = {
    sqlite3.SQLITE_BUSY: "is locked by another process",
    sqlite3.SQLITE_LOCKED: "is locked by another connection",
    sqlite3.SQLITE_FULL: "cannot grow, the disk is full: free some space",
    sqlite3.SQLITE_IOERR: "cannot be read or written, the disk reports an error",
    sqlite3.SQLITE_CANTOPEN: "cannot be opened: is its folder there, and may this user write to it?",
}
_PASSING_SQLSTATES = ("40001", "40P01", "53", "57P", "08")


_LASTING_SQLITE = {
    sqlite3.SQLITE_NOTADB: "is not a database: something else was written over it",
    sqlite3.SQLITE_CORRUPT: "is damaged",
}


class DatabaseUnusable(Unusable):
    """The database cannot be worked with until a person decides; the message names the file and the way out."""


def open_database(place: str | os.PathLike[str]) -> Engine:
    """Engine for `place`: a file's path, or a SQLAlchemy URL (`sqlite:///…`, `postgresql+psycopg://…`).

    Its errors name the statement and never the values, which may be a post's text.

    Raises stream.ports.LogUnusable where a SQLite file would lie on a network file system.
    """
    text = os.fspath(place)
    url = make_url(text if "://" in text else f"sqlite:///{text}")
    if url.get_backend_name() != "sqlite":
        return create_engine(url, pool_pre_ping=True, hide_parameters=True)
    if url.database and url.database != ":memory:":
        refuse_network(Path(url.database))
    engine = create_engine(
        url,
        hide_parameters=True,
        connect_args={"timeout": BUSY_MS / 1000, "check_same_thread": False, "cached_statements": 512},
    )
    event.listen(engine, "connect", _prepare)
    event.listen(engine, "begin", _begin)
    return engine


@contextmanager
def write(engine: Engine) -> Iterator[Connection]:
    """A transaction that will write: takes the writers' lock first, commits at the end, rolls back on an error.

    Raises stream.ports.Transient for a fault that passes (locked, disk full, connection lost).
    """
    with _words(engine), engine.connect() as plain:
        connection = plain.execution_options(clamor_write=True)
        with connection.begin():
            yield connection


@contextmanager
def read(engine: Engine) -> Iterator[Connection]:
    """A transaction that only reads, all of one moment. Raises as `write` does."""
    with _words(engine), engine.connect() as connection, connection.begin():
        yield connection


def rows(connection: Connection, sql: str, values: Sequence[Any] = ()) -> list[Any]:
    """All rows of a statement written with `?`."""
    cursor = connection.connection.cursor()
    try:
        cursor.execute(_driver(connection, sql), tuple(values))
        return list(cursor.fetchall())
    finally:
        cursor.close()


def many(connection: Connection, sql: str, values: Sequence[tuple[Any, ...]]) -> int:
    """Run a statement written with `?` once per tuple; rows changed where the driver counts them."""
    if not values:
        return 0
    cursor = connection.connection.cursor()
    try:
        if len(values) == 1:
            cursor.execute(_driver(connection, sql), values[0])
        else:
            cursor.executemany(_driver(connection, sql), values)
        return cursor.rowcount
    finally:
        cursor.close()


def delete_numbered(connection: Connection, table: str, numbers: Sequence[int]) -> None:
    """Delete the rows of `table` whose `n` is among `numbers` (ascending), and no other: another transaction's row may
    appear between them."""
    for start in range(0, len(numbers), CHUNK):
        part = numbers[start : start + CHUNK]
        if part[-1] - part[0] == len(part) - 1:
            many(connection, f"DELETE FROM {table} WHERE n BETWEEN ? AND ?", [(part[0], part[-1])])
        else:
            many(connection, f"DELETE FROM {table} WHERE n = ?", [(n,) for n in part])


CHUNK = 512


def rows_in(connection: Connection, sql: str, keys: Sequence[Any], before: Sequence[Any] = ()) -> list[Any]:
    """Rows of a statement whose `(??)` stands for a list of `keys` of any length; `before`: values bound ahead of it.

    Lists are filled up to a few fixed lengths by repeating the last key, so that statements stay prepared.
    """
    found: list[Any] = []
    for start in range(0, len(keys), CHUNK):
        part = list(keys[start : start + CHUNK])
        size = 8 if len(part) <= 8 else 64 if len(part) <= 64 else CHUNK
        part += [part[-1]] * (size - len(part))
        statement = sql.replace("(??)", f"({','.join('?' * size)})")
        found += rows(connection, statement, (*before, *part))
    return found


def _driver(connection: Connection, sql: str) -> str:
    return sql if connection.dialect.paramstyle == "qmark" else sql.replace("?", "%s")


def _prepare(connection: Any, _: object) -> None:
    connection.isolation_level = None
    cursor = connection.cursor()
    for pragma in (
        f"busy_timeout = {BUSY_MS}",
        "journal_mode = WAL",
        "synchronous = FULL",
        "foreign_keys = ON",
        "secure_delete = ON",
        f"cache_size = -{CACHE_KIB}",
        "temp_store = MEMORY",
        "wal_autocheckpoint = 2000",
    ):
        cursor.execute(f"PRAGMA {pragma}")
    cursor.close()


def _begin(connection: Connection) -> None:
    writes = connection.get_execution_options().get("clamor_write", False)
    connection.exec_driver_sql("BEGIN IMMEDIATE" if writes else "BEGIN")


@contextmanager
def _words(engine: Engine) -> Iterator[None]:
    try:
        yield
    except Exception as error:
        name = engine.url.database if engine.dialect.name == "sqlite" else engine.url.render_as_string()
        if lasting := _lasting(engine, error):
            raise DatabaseUnusable(f"the database {name} {lasting}") from error
        why = _passing(engine, error)
        if why is None:
            raise
        raise Transient(f"the database {name} {why}") from error


def _lasting(engine: Engine, error: Exception) -> str | None:
    cause = error.orig if isinstance(error, DBAPIError) else error
    if isinstance(cause, sqlite3.Error):
        why = _LASTING_SQLITE.get(getattr(cause, "sqlite_errorcode", 0) & 0xFF)
        if why is not None:
            return f"{why}: put it back from a backup with `clamor restore`"
    if isinstance(cause, engine.dialect.loaded_dbapi.Error) and _lacks_tables(cause):
        return (
            "has no tables yet, or those of an earlier release: `clamor run`, or any stage of it, makes them when it "
            "starts"
        )
    return None


def _lacks_tables(cause: BaseException) -> bool:
    # SQLite says it in words only; 42P01 is PostgreSQL's undefined_table.
    return getattr(cause, "sqlstate", None) == "42P01" or (
        isinstance(cause, sqlite3.OperationalError) and str(cause).startswith("no such table:")
    )


def _passing(engine: Engine, error: Exception) -> str | None:
    cause = error.orig if isinstance(error, DBAPIError) else error
    if not isinstance(cause, engine.dialect.loaded_dbapi.Error):
        return None
    if isinstance(cause, sqlite3.Error):
        return _PASSING_SQLITE.get(getattr(cause, "sqlite_errorcode", 0) & 0xFF)
    state = str(getattr(cause, "sqlstate", "") or "")
    lost = isinstance(error, DBAPIError) and error.connection_invalidated
    if lost or state.startswith(_PASSING_SQLSTATES):
        return f"did not answer as it should ({state or 'connection lost'})"
    return None

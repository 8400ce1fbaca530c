"""One way into SQL: an engine, a transaction that reads, a transaction that writes; on SQLite and on PostgreSQL.

Statements with many rows are written with `?` and plain tuples (`many`, `rows`) and go to the driver as they are: on
the way of every post the binding of named parameters would cost more than the statement. What the two databases do
differently stands here, in `database.server` (PostgreSQL's connections) and in `database.faults` (errors).
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from functools import lru_cache
from pathlib import Path
from typing import Any

from sqlalchemy import Connection, Engine, create_engine, event
from sqlalchemy.engine import make_url

from database import server
from database.faults import DatabaseUnusable, in_words
from database.server import Server
from stream.sqlite_file import refuse_network

__all__ = [
    "DatabaseUnusable", "Server", "delete_numbered", "driver_sql", "many", "open_database", "read", "refuse_unfit",
    "rows", "rows_in", "size_on_server", "unhurried", "wipe", "write",
]  # fmt: skip

BUSY_MS = 10_000
CACHE_KIB = 16_384
"""Pages kept by a connection: those that a batch changes at a million posts, and hardly more. What is kept is void as
soon as another connection writes, as the relay does after every batch."""


def open_database(place: str | os.PathLike[str] | Server) -> Engine:
    """Engine for `place`: a file's path, a server, or a SQLAlchemy URL (`sqlite:///…`, `postgresql+psycopg://…`).

    Its errors name the statement and never the values, which may be a post's text. No password is part of it.

    Raises stream.ports.LogUnusable where a SQLite file would lie on a network file system, DatabaseUnusable where the
    driver of PostgreSQL is not installed.
    """
    if isinstance(place, Server):
        return place.engine()
    text = os.fspath(place)
    url = make_url(text if "://" in text else f"sqlite:///{text}")
    if url.get_backend_name() != "sqlite":
        return server.engine_of(url._replace(password=None), server.given_in(url), {})
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
def write(engine: Engine, *, alone: bool = True) -> Iterator[Connection]:
    """A transaction that will write: takes the writers' lock first, commits at the end, rolls back on an error.

    Not `alone`: on PostgreSQL it goes beside other writers. That is for rows put or deleted by their key, which number
    nothing and rest on nothing that was read before.

    Raises stream.ports.Transient for a fault that passes (locked, disk full, connection lost).
    """
    with in_words(engine), engine.connect() as plain:
        connection = plain.execution_options(clamor_write="alone" if alone else "beside")
        with connection.begin():
            yield connection


@contextmanager
def read(engine: Engine) -> Iterator[Connection]:
    """A transaction that only reads, all of one moment. Raises as `write` does."""
    with in_words(engine), engine.connect() as plain:
        connection = server.reading(plain) if _on_server(plain) else plain
        with connection.begin():
            yield connection


def rows(connection: Connection, sql: str, values: Sequence[Any] = ()) -> list[Any]:
    """All rows of a statement written with `?`."""
    cursor = connection.connection.cursor()
    try:
        cursor.execute(driver_sql(connection, sql), tuple(values))
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
            cursor.execute(driver_sql(connection, sql), values[0])
        elif len(values) >= server.COPIED and _on_server(connection) and (copying := server.as_copy(sql)) is not None:
            return server.copy_in(cursor, copying, values)
        else:
            cursor.executemany(driver_sql(connection, sql), values)
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
    """Rows of a statement whose `IN (??)` stands for a list of `keys` of any length; `before`: values bound ahead.

    Statements stay prepared: for SQLite lists are filled up to a few fixed lengths by repeating the last key,
    PostgreSQL takes a list as one value.
    """
    found: list[Any] = []
    as_one = _on_server(connection)
    for start in range(0, len(keys), CHUNK):
        part = list(keys[start : start + CHUNK])
        if as_one:
            found += rows(connection, sql.replace("IN (??)", "= ANY(?)"), (*before, part))
            continue
        size = 8 if len(part) <= 8 else 64 if len(part) <= 64 else CHUNK
        part += [part[-1]] * (size - len(part))
        statement = sql.replace("(??)", f"({','.join('?' * size)})")
        found += rows(connection, statement, (*before, *part))
    return found


def driver_sql(connection: Connection, sql: str) -> str:
    """A statement written with `?`, as the driver takes it together with values."""
    return sql if connection.dialect.paramstyle == "qmark" else _with_percents(sql)


@lru_cache(maxsize=1_024)
def _with_percents(sql: str) -> str:
    return sql.replace("%", "%%").replace("?", "%s")


def wipe(engine: Engine, tables: Sequence[str]) -> bool:
    """Take what was deleted from `tables` out of the database's files, as far as one can ask for that; whether nobody
    stood in the way.

    SQLite: the write-ahead log is emptied, where overwritten text may still stand; with `secure_delete` on, what was
    deleted is zeros in the file itself. PostgreSQL: its place is given free, to be written over by what comes next.
    """
    if engine.dialect.name != "sqlite":
        server.give_free(engine, tables)
        return True
    with engine.connect() as connection:
        cursor = connection.connection.cursor()
        try:
            busy, _, _ = cursor.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()
        finally:
            cursor.close()
    return not busy


def unhurried(connection: Connection) -> None:
    """Let this transaction's statements take as long as they need: for migrations."""
    if _on_server(connection):
        server.unhurried(connection)


def size_on_server(connection: Connection) -> int | None:
    """Bytes of the database there; None for one that is a file."""
    return server.size(connection) if _on_server(connection) else None


def refuse_unfit(connection: Connection) -> None:
    """Raises DatabaseUnusable for a server that is too old, or a database that cannot hold every character."""
    if _on_server(connection):
        server.refuse_unfit(connection)


def _on_server(connection: Connection) -> bool:
    return connection.dialect.name != "sqlite"


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

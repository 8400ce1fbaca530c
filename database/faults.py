"""What an error of SQLite or of PostgreSQL means: a fault that passes, one that waits for a person, or a mistake."""

from __future__ import annotations

import re
import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager

from sqlalchemy import Engine
from sqlalchemy.exc import DBAPIError
from sqlalchemy.exc import TimeoutError as NoneFree

from stream.ports import Transient, Unusable

_PASSING_SQLITE = {
    sqlite3.SQLITE_BUSY: "is locked by another process",
    sqlite3.SQLITE_LOCKED: "is locked by another connection",
    sqlite3.SQLITE_FULL: "cannot grow, the disk is full: free some space",
    sqlite3.SQLITE_IOERR: "cannot be read or written, the disk reports an error",
    sqlite3.SQLITE_CANTOPEN: "cannot be opened: is its folder there, and may this user write to it?",
}
_LASTING_SQLITE = {
    sqlite3.SQLITE_NOTADB: "is not a database: something else was written over it",
    sqlite3.SQLITE_CORRUPT: "is damaged",
}
_PASSING_SQLSTATES = {
    "40": "let two transactions get into each other's way",
    "55P03": "is locked by another process",
    "57014": "took longer over a statement than it may",
    "53100": "cannot grow, its disk is full: free some space",
    "53300": "has no connection free: raise its max_connections, or run fewer processes",
    "53": "lacks memory or another resource",
    "57P": "is being stopped or started",
    "58": "cannot be read or written, its disk reports an error",
    "25006": "takes no writes: it is the copy of another server",
    "25P03": "gave up a transaction that stood still",
    "25P04": "gave up a transaction that took too long",
    "08": "broke the connection off",
}
"""By what a SQLSTATE begins with, the longer beginnings first."""
_LASTING_SQLSTATES = {
    "42501": "does not let this user do that: make it the owner of the database, or grant it what its schema holds",
    "XX001": "is damaged: put it back from a backup of the server",
    "XX002": "has a damaged index: `REINDEX` it",
}


class DatabaseUnusable(Unusable):
    """The database cannot be worked with until a person decides; the message names it and the way out."""


@contextmanager
def in_words(engine: Engine) -> Iterator[None]:
    """Raises stream.ports.Transient for a fault that passes, DatabaseUnusable for one that does not; a mistake in a
    statement as it is."""
    try:
        yield
    except NoneFree as error:
        raise Transient(f"the database {name_of(engine)} has no connection free in this process") from error
    except Exception as error:
        cause = error.orig if isinstance(error, DBAPIError) else error
        if not isinstance(cause, engine.dialect.loaded_dbapi.Error):
            raise
        _keep_to_the_first_line(error, cause)
        if lasting := _lasting(cause):
            raise DatabaseUnusable(f"the database {name_of(engine)} {lasting}") from error
        why = _passing(engine, error, cause)
        if why is None:
            raise
        raise Transient(f"the database {name_of(engine)} {why}") from error


def name_of(engine: Engine) -> str:
    """SQLite's file, or the address of a server's database: no password is part of it."""
    return str(engine.url.database) if engine.dialect.name == "sqlite" else engine.url.render_as_string()


def _keep_to_the_first_line(error: BaseException, cause: BaseException) -> None:
    """PostgreSQL repeats a row's values in the lines that follow, and a post's text may be among them."""
    if isinstance(cause, sqlite3.Error):
        return
    for one in (error, cause):
        if one.args:
            one.args = (str(one.args[0]).partition("\n")[0],)


def _lasting(cause: BaseException) -> str | None:
    if isinstance(cause, sqlite3.Error):
        if getattr(cause, "sqlite_errorcode", 0) == sqlite3.SQLITE_CONSTRAINT_TRIGGER:
            return f"is closed to writers: {cause}"
        why = _LASTING_SQLITE.get(getattr(cause, "sqlite_errorcode", 0) & 0xFF)
        if why is not None:
            return f"{why}: put it back from a backup with `clamor restore`"
    if _lacks_columns(cause):
        return (
            "has other columns than this release works on: another release has upgraded it; stop this process and "
            "start it by that release"
        )
    if _lacks_tables(cause):
        return (
            "has no tables yet, or those of an earlier release: `clamor run`, or any stage of it, makes them when it "
            "starts"
        )
    return _LASTING_SQLSTATES.get(_sqlstate(cause))


def _lacks_columns(cause: BaseException) -> bool:
    """As an older release finds it once a newer one has upgraded it: no record is to blame."""
    return _sqlstate(cause) == "42703" or (
        isinstance(cause, sqlite3.OperationalError) and _NO_SUCH_COLUMN.match(str(cause)) is not None
    )


_NO_SUCH_COLUMN = re.compile("no such column:|table .* has no column named ")


def _lacks_tables(cause: BaseException) -> bool:
    # SQLite says it in words only; 42P01 is PostgreSQL's undefined_table.
    return _sqlstate(cause) == "42P01" or (
        isinstance(cause, sqlite3.OperationalError) and str(cause).startswith("no such table:")
    )


def _passing(engine: Engine, error: Exception, cause: BaseException) -> str | None:
    if isinstance(cause, sqlite3.Error):
        return _PASSING_SQLITE.get(getattr(cause, "sqlite_errorcode", 0) & 0xFF)
    state = _sqlstate(cause)
    for beginning, words in _PASSING_SQLSTATES.items():
        if state.startswith(beginning):
            return f"{words} ({state})"
    if _prepared_before_a_migration(cause):
        return f"has other tables than a moment ago ({state})"
    lost = isinstance(error, DBAPIError) and error.connection_invalidated
    # What libpq itself says has no SQLSTATE: it did not get through, was not let in, or was cut off.
    if lost or (not state and isinstance(cause, engine.dialect.loaded_dbapi.OperationalError)):
        return f"cannot be reached ({str(cause)[:300] or 'connection lost'})"
    return None


def _prepared_before_a_migration(cause: BaseException) -> bool:
    # Its SQLSTATE is that of whatever is not supported, its words are in the server's language.
    return getattr(getattr(cause, "diag", None), "source_function", None) == "RevalidateCachedQuery"


def _sqlstate(cause: BaseException) -> str:
    return str(getattr(cause, "sqlstate", None) or "")

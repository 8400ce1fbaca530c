"""Numbers that a database gives to rows by itself: which it gave last, and going on behind those of another one."""

from __future__ import annotations

from collections.abc import Mapping

from sqlalchemy import Engine

import database.tables  # noqa: F401
from database.base import metadata
from database.engine import many, read, rows, write

NUMBERED: Mapping[str, str] = {
    table.name: column.name for table in metadata.sorted_tables if (column := table.autoincrement_column) is not None
}
"""The column of each table whose rows the database numbers."""
_NEVER_TWICE = [table.name for table in metadata.sorted_tables if table.dialect_options["sqlite"]["autoincrement"]]
"""Tables of which SQLite remembers the last number when its row is gone, as PostgreSQL does of all."""


def last_given(engine: Engine) -> dict[str, int]:
    """By table: the highest number that a row has, or is known to have had; 0 before the first."""
    found = {}
    with read(engine) as connection:
        for table, column in NUMBERED.items():
            found[table] = rows(connection, f"SELECT coalesce(max({column}), 0) FROM {table}")[0][0]
        if engine.dialect.name == "sqlite":
            remembered = dict(rows(connection, "SELECT name, seq FROM sqlite_sequence"))
        else:
            remembered = {
                table: rows(connection, f"SELECT CASE WHEN is_called THEN last_value ELSE 0 END FROM {sequence}")[0][0]
                for table, column in NUMBERED.items()
                if (sequence := rows(connection, "SELECT pg_get_serial_sequence(?, ?)", (table, column))[0][0])
            }
    return {table: max(number, remembered.get(table, 0)) for table, number in found.items()}


def go_on_behind(engine: Engine, given: Mapping[str, int]) -> None:
    """No number that is as high as these, or lower, is given any more."""
    with write(engine) as connection:
        for table, last in given.items():
            if not last:
                continue
            if engine.dialect.name != "sqlite":
                rows(connection, "SELECT setval(pg_get_serial_sequence(?, ?), ?)", (table, NUMBERED[table], last))
            elif table in _NEVER_TWICE:
                sql = "INSERT INTO sqlite_sequence (name, seq) SELECT ?, 0 WHERE NOT EXISTS "
                many(connection, f"{sql}(SELECT 1 FROM sqlite_sequence WHERE name = ?)", [(table, table)])
                many(connection, "UPDATE sqlite_sequence SET seq = max(seq, ?) WHERE name = ?", [(last, table)])

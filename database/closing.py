"""A SQLite file that is written no more, whoever still has it open: reads go on."""

from __future__ import annotations

from sqlalchemy import Engine

import database.tables  # noqa: F401
from database.base import metadata
from database.engine import write

CHANGES = ("INSERT", "UPDATE", "DELETE")


def close_off(engine: Engine, why: str) -> None:
    """From now on each process that would write is refused, and told `why`."""
    words = why.replace("'", "''")
    with write(engine) as connection:
        for name, change, table in _triggers():
            connection.exec_driver_sql(
                f"CREATE TRIGGER IF NOT EXISTS {name} BEFORE {change} ON {table} "
                f"BEGIN SELECT RAISE(ABORT, '{words}'); END"
            )


def open_again(engine: Engine) -> None:
    """The end of `close_off`."""
    with write(engine) as connection:
        for name, _, _ in _triggers():
            connection.exec_driver_sql(f"DROP TRIGGER IF EXISTS {name}")


def _triggers() -> list[tuple[str, str, str]]:
    """(name, change, table)"""
    return [(f"closed_{table}_{change.lower()}", change, table) for table in metadata.tables for change in CHANGES]

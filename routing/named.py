"""Rows by the names of their columns: for statements that are not on the way of every post."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from sqlalchemy import Connection

from database.engine import driver_sql


def named(connection: Connection, sql: str, values: Sequence[Any] = ()) -> list[Any]:
    """All rows of a statement written with `?`; `row.column` is a column's value."""
    return list(connection.exec_driver_sql(driver_sql(connection, sql), tuple(values)).fetchall())

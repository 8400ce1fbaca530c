"""Mentions per minute: deltas that routers append, and the minutes that the compactor folds them into."""

from __future__ import annotations

from typing import Any

from sqlalchemy import BigInteger, Column, Integer, Table, Text

from database.base import metadata

KEY = ("brand", "minute", "network", "intent", "queue")
VALUES = ("mentions", "negative", "positive", "detractors", "severe", "risk", "own")


def _values() -> list[Column[Any]]:
    return [Column(name, Integer, nullable=False) for name in VALUES]


count_delta = Table(
    "count_delta",
    metadata,
    Column("n", BigInteger().with_variant(Integer, "sqlite"), primary_key=True),
    Column("brand", Integer, nullable=False),
    Column("minute", BigInteger, nullable=False, comment="minutes since 1970 UTC, event time"),
    Column("network", Integer, nullable=False),
    Column("intent", Integer, nullable=False),
    Column("queue", Text, nullable=False),
    *_values(),
    sqlite_autoincrement=True,
)

count_minute = Table(
    "count_minute",
    metadata,
    Column("brand", Integer, primary_key=True),
    Column("minute", BigInteger, primary_key=True),
    Column("network", Integer, primary_key=True),
    Column("intent", Integer, primary_key=True),
    Column("queue", Text, primary_key=True),
    *_values(),
    sqlite_with_rowid=False,
)

"""What is known of who writes: counters per brand, and facts about customers. Keys only, no names."""

from __future__ import annotations

from sqlalchemy import BigInteger, Column, Integer, Table, Text

from database.base import metadata

author = Table(
    "author",
    metadata,
    Column("author", BigInteger, primary_key=True, autoincrement=False),
    Column("brand", Integer, primary_key=True, autoincrement=False),
    Column("mentions", Integer, nullable=False),
    Column("negatives", Integer, nullable=False),
    Column("seen_at", BigInteger, nullable=False, comment="latest event time"),
    sqlite_with_rowid=False,
)

customer = Table(
    "customer",
    metadata,
    Column("author", BigInteger, primary_key=True, autoincrement=False),
    Column("brand", Integer, primary_key=True, autoincrement=False),
    Column("value", Text, nullable=False, comment="normal, valued or key"),
    sqlite_with_rowid=False,
)

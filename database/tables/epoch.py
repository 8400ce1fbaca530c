"""How often this database was restored: nothing told before a restore passes for newer than what is told after it."""

from __future__ import annotations

from sqlalchemy import BigInteger, Column, Integer, Table, Text

from database.base import metadata

epoch = Table(
    "epoch",
    metadata,
    Column("number", Integer, primary_key=True, autoincrement=False, comment="the highest is in force; none: 0"),
    Column("begun_at", BigInteger, nullable=False),
    Column("why", Text, nullable=False),
)

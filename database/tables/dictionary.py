"""Small numbers for words that stand in many rows, and the numbers of rows themselves."""

from __future__ import annotations

from sqlalchemy import BigInteger, Column, Integer, Table, Text, UniqueConstraint

from database.base import metadata

dictionary = Table(
    "dictionary",
    metadata,
    Column("n", Integer, primary_key=True),
    Column("kind", Text, nullable=False, comment="brand, network or intent"),
    Column("value", Text, nullable=False),
    UniqueConstraint("kind", "value"),
)

serial = Table(
    "serial",
    metadata,
    Column("name", Text, primary_key=True, comment="the table whose rows are numbered"),
    Column("next", BigInteger, nullable=False),
)

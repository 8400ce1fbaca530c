"""Offsets of the groups whose effects are in SQL, stored in the same transaction as those effects."""

from __future__ import annotations

from sqlalchemy import BigInteger, Column, Integer, Table, Text

from database.base import metadata

stored_offset = Table(
    "stored_offset",
    metadata,
    Column("consumer_group", Text, primary_key=True),
    Column("topic", Text, primary_key=True),
    Column("part", Integer, primary_key=True, comment="partition"),
    Column("epoch", Text, nullable=False, comment="identity of the log that the offset belongs to"),
    Column("next", BigInteger, nullable=False, comment="everything below is done"),
)

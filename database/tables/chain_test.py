"""Tests of the way to people: whom one was sent to, and who said that it came."""

from __future__ import annotations

from sqlalchemy import BigInteger, Column, Table, Text

from database.base import metadata

chain_test = Table(
    "chain_test",
    metadata,
    Column("test", Text, primary_key=True, comment="2026-12; of one by hand the moment"),
    Column("person", Text, primary_key=True),
    Column("alert", BigInteger, nullable=False),
    Column("asked_at", BigInteger, nullable=False),
    Column("confirmed_at", BigInteger, comment="null: nobody clicked"),
    Column("told_at", BigInteger, comment="when others were told that this one did not"),
    sqlite_with_rowid=False,
)

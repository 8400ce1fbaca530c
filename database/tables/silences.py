"""Silences: what people said nobody is to be told of, until when, and why."""

from __future__ import annotations

from sqlalchemy import BigInteger, Boolean, Column, Integer, Table, Text, text

from database.base import metadata

silence = Table(
    "silence",
    metadata,
    Column("id", BigInteger().with_variant(Integer, "sqlite"), primary_key=True),
    Column("brand", Text, nullable=False, server_default="", comment="empty: all"),
    Column("query", Text, nullable=False, server_default="", comment="only severe posts that it finds; empty: all"),
    Column("incident", BigInteger, comment="only this one; null: all"),
    Column("crisis", Boolean, nullable=False, server_default=text("false"), comment="a crisis is silenced, too"),
    Column("reason", Text, nullable=False),
    Column("person", Text, nullable=False, comment="who made it"),
    Column("made_at", BigInteger, nullable=False),
    Column("since", BigInteger, nullable=False),
    Column("until", BigInteger, nullable=False),
    Column("weekly", Text, nullable=False, server_default="", comment="begins then: sun 02:00; empty: once"),
    Column("length", BigInteger, nullable=False, server_default="0", comment="of a weekly one, in milliseconds"),
    Column("zone", Text, nullable=False, server_default="UTC", comment="of a weekly one"),
    Column("ended_at", BigInteger, comment="null: nobody ended it before its time"),
    Column("ended_by", Text, nullable=False, server_default=""),
    sqlite_autoincrement=True,
)

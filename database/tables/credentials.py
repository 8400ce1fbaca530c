"""Access tokens that networks gave for what a person has given Clamor, shared by the processes of a home."""

from __future__ import annotations

from sqlalchemy import BigInteger, Boolean, Column, Table, Text, false

from database.base import metadata

credential = Table(
    "credential",
    metadata,
    Column("id", Text, primary_key=True, comment="hash of where it is asked for and of the secrets it is asked by"),
    Column("name", Text, nullable=False, comment="NAME of the secret that it rests on"),
    Column("number", BigInteger, nullable=False, comment="grows with every renewal"),
    Column("access_token", Text, nullable=False, comment="secret"),
    Column("ends", BigInteger, comment="wall clock; null: the network did not say"),
    Column("refresh_token", Text, comment="secret; newer than the one that a person gave; null: there is none"),
    Column("refresh_ends", BigInteger, comment="wall clock; null: not at all, or the network did not say"),
    Column(
        "extends", Boolean, nullable=False, server_default=false(), comment="each renewal puts off refresh_ends as well"
    ),
    Column("given_at", BigInteger, nullable=False, comment="wall clock, before it was asked for"),
    Column("used_at", BigInteger, nullable=False, comment="wall clock, to a day"),
    comment="Secrets: backups leave it out.",
    sqlite_with_rowid=False,
)

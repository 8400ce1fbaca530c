"""Links in mails that do something without a login: what they are signed with, and which were used."""

from __future__ import annotations

from sqlalchemy import BigInteger, Column, Integer, LargeBinary, Table, Text

from database.base import metadata

link_key = Table(
    "link_key",
    metadata,
    Column("n", Integer, primary_key=True, autoincrement=False),
    Column("key", LargeBinary, nullable=False, comment="secret"),
    comment="One row, made when the first link is; backups leave it out: links of before are void then.",
)

link_used = Table(
    "link_used",
    metadata,
    Column("id", Text, primary_key=True, comment="hash of the link"),
    Column("person", Text, nullable=False),
    Column("deed", Text, nullable=False),
    Column("at", BigInteger, nullable=False),
    sqlite_with_rowid=False,
)

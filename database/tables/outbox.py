"""What has to leave SQL for the log: references only, the relay reads the present truth."""

from __future__ import annotations

from sqlalchemy import BigInteger, Column, Integer, Table, Text

from database.base import metadata

outbox = Table(
    "outbox",
    metadata,
    Column("n", BigInteger().with_variant(Integer, "sqlite"), primary_key=True),
    Column("kind", Text, nullable=False, comment="decided, alert, or the change of a case (opened, grew, raised, …)"),
    Column("mention", BigInteger, nullable=False),
    Column("case_id", BigInteger),
    Column("queue", Text, nullable=False, server_default="none"),
    Column("revision", Integer, nullable=False),
    Column("at", BigInteger, nullable=False),
    Column("alert", BigInteger, comment="the alert to tell of, of kind alert"),
    sqlite_autoincrement=True,
)

"""What people are to be told, by reference: written by routing with the decision, sent by the mailer."""

from __future__ import annotations

from sqlalchemy import BigInteger, Column, Index, Integer, Table, Text

from database.base import metadata

alert = Table(
    "alert",
    metadata,
    Column("id", BigInteger().with_variant(Integer, "sqlite"), primary_key=True),
    Column(
        "kind",
        Text,
        nullable=False,
        comment="mention; found_late: gap-filled, too old to wake anybody; note, assigned, …: news of a case",
    ),
    Column("mention_n", BigInteger),
    Column("case_id", BigInteger),
    Column("brand", Text, nullable=False),
    Column("queue", Text, nullable=False),
    Column("risk", Integer, nullable=False),
    Column("why", Text, nullable=False),
    Column("event_time", BigInteger, nullable=False),
    Column("created_at", BigInteger, nullable=False),
    Column("state", Text, nullable=False, server_default="pending"),
    Column("incident", BigInteger, comment="null: it is about a mention or a trouble"),
    Column(
        "step", Integer, nullable=False, server_default="0", comment="of an incident's chain: 0 the people of the brand"
    ),
    sqlite_autoincrement=True,
)
Index(
    "ix_alert_pending", alert.c.id,
    sqlite_where=alert.c.state == "pending", postgresql_where=alert.c.state == "pending",
)  # fmt: skip

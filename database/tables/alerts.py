"""Mails about alerts: who is told of what, by reference. Their words are made when they leave and stored nowhere."""

from __future__ import annotations

from sqlalchemy import BigInteger, Boolean, Column, ForeignKey, Index, Integer, Table, Text, text

from database.base import metadata

mail = Table(
    "mail",
    metadata,
    Column("id", BigInteger().with_variant(Integer, "sqlite"), primary_key=True),
    Column("message_id", Text, nullable=False, unique=True, comment="the same for every try, so that a double shows"),
    Column("person", Text, nullable=False, comment="empty: it is for a channel alone"),
    Column(
        "kind",
        Text,
        nullable=False,
        comment="alert, summary, found_late, cases, operations, incident, chain_test or crm",
    ),
    Column("channel", Text, nullable=False, server_default="", comment="by which it leaves; empty: by mail"),
    Column("brand", Text, nullable=False, server_default=""),
    Column("queue", Text, nullable=False, server_default="none"),
    Column("state", Text, nullable=False, comment="gathering, pending, sending, sent, failed or dropped"),
    Column("reason", Text, nullable=False, server_default="", comment="why failed, dropped or not yet sent"),
    Column("created_at", BigInteger, nullable=False),
    Column("latest_at", BigInteger, nullable=False, comment="when the last alert joined it"),
    Column("ended_at", BigInteger, comment="when it was sent, failed or dropped"),
    Column("arrived_at", BigInteger, comment="when the log took the post of its alert: what the latency counts from"),
    Column("attempts", Integer, nullable=False, server_default="0"),
    Column(
        "repeated",
        Boolean,
        nullable=False,
        server_default=text("false"),
        comment="it may have reached the server before",
    ),
    Column("first_try", BigInteger, comment="wall clock"),
    Column("next_try", BigInteger, nullable=False, server_default="0", comment="wall clock"),
    Column("claimed_at", BigInteger, comment="wall clock of the last hand-over's start"),
    Column("fence", BigInteger, comment="lease under which it was claimed"),
    Column("content_hash", Text, comment="SHA-256 of what was last handed over"),
    sqlite_autoincrement=True,
)
_open = mail.c.state.in_(("gathering", "pending", "sending"))
Index("ix_mail_open", mail.c.next_try, sqlite_where=_open, postgresql_where=_open)
Index("ix_mail_ended_at", mail.c.ended_at)

mail_item = Table(
    "mail_item",
    metadata,
    Column("mail", BigInteger, ForeignKey("mail.id"), primary_key=True),
    Column("alert", BigInteger, primary_key=True),
    comment="The alerts that a mail tells of.",
    sqlite_with_rowid=False,
)

alert_recipient = Table(
    "alert_recipient",
    metadata,
    Column("alert", BigInteger, primary_key=True, autoincrement=False),
    Column("person", Text, primary_key=True),
    comment="Whom an alert about a case is for; other alerts are for who is configured for their brand and queue.",
    sqlite_with_rowid=False,
)

told = Table(
    "told",
    metadata,
    Column("subject", BigInteger, primary_key=True, autoincrement=False, comment="case; minus the mention without one"),
    Column("person", Text, primary_key=True),
    Column("level", Integer, nullable=False, comment="risk level last told"),
    Column("queue", Text, nullable=False),
    Column("mentions", Integer, nullable=False),
    Column("at", BigInteger, nullable=False),
    comment="How bad a case was when a person was last told of it.",
    sqlite_with_rowid=False,
)
Index("ix_told_at", told.c.at)

operation_alert = Table(
    "operation_alert",
    metadata,
    Column("key", Text, primary_key=True, comment="what is wrong, and with what: `stage:nlp`, `disk:app.db`"),
    Column("alert", BigInteger, nullable=False),
    Column("raised_at", BigInteger, nullable=False),
    Column("resolved_at", BigInteger),
    comment="Troubles of Clamor itself: told once until they are resolved.",
)

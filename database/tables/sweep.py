"""Posts that are looked up again on their networks, and how that goes. No text, ever."""

from __future__ import annotations

from sqlalchemy import BigInteger, Column, Index, Table, Text

from database.base import metadata

swept_post = Table(
    "swept_post",
    metadata,
    Column("source_id", Text, primary_key=True),
    Column("post", BigInteger, primary_key=True, autoincrement=False, comment="n of table post"),
    Column("due_at", BigInteger, comment="may be looked up from then on; NULL: not planned yet"),
    Column("limit_at", BigInteger, comment="has to be looked up by then"),
    Column("looked_at", BigInteger, comment="when a sweep last saw it there; NULL: never"),
    Column("absent_since", BigInteger, comment="not there since then, and not yet taken for deleted"),
    Column("gone_at", BigInteger, comment="when a sweep took it for deleted"),
    comment="Routing adds the posts that became mentions; the sweeper of the source plans, looks up and removes.",
    sqlite_with_rowid=False,
)
Index("ix_swept_post_due", swept_post.c.source_id, swept_post.c.due_at)
_doubted = swept_post.c.absent_since.is_not(None)
Index("ix_swept_post_doubted", swept_post.c.source_id, sqlite_where=_doubted, postgresql_where=_doubted)

sweep = Table(
    "sweep",
    metadata,
    Column("source_id", Text, primary_key=True),
    Column("schedule", Text, nullable=False, comment="that its posts were planned by"),
    Column("looked_at", BigInteger, nullable=False, comment="when the sweeper last said how it does"),
    Column("held", BigInteger, nullable=False, comment="posts that it looks after"),
    Column("overdue", BigInteger, nullable=False, comment="of these: not looked up in time"),
    Column("oldest_limit", BigInteger, comment="of those overdue, the first"),
    Column("paused_at", BigInteger, comment="too many were gone at once: a person has to look"),
    Column("why", Text, nullable=False, comment="it is paused or does not get on; empty: all is well"),
    sqlite_with_rowid=False,
)

"""The truth about a mention, text included, and the decisions that were replaced."""

from __future__ import annotations

from sqlalchemy import BigInteger, Column, Index, Integer, LargeBinary, Table, Text

from database.base import metadata

mention = Table(
    "mention",
    metadata,
    Column("n", BigInteger().with_variant(Integer, "sqlite"), primary_key=True, autoincrement=False),
    Column("post", BigInteger, nullable=False),
    Column("brand", Integer, nullable=False, comment="dictionary"),
    Column("revision", Integer, nullable=False),
    Column("state", Text, nullable=False),
    Column("queue", Text, nullable=False),
    Column("risk", Integer, nullable=False),
    Column("case_id", BigInteger),
    Column("event_time", BigInteger, nullable=False),
    Column("indexed_month", Integer, nullable=False, comment="yyyymm of its first revision, never changed"),
    Column("contribution", Text, comment="what it added to the counts (routing.contribution); NULL: nothing"),
    Column("body", LargeBinary, nullable=False, comment="stream.records.Mention as JSON"),
    Index("uq_mention_post_brand", "post", "brand", unique=True),
)
Index(
    "ix_mention_case_id", mention.c.case_id,
    sqlite_where=mention.c.case_id.is_not(None), postgresql_where=mention.c.case_id.is_not(None),
)  # fmt: skip

decision = Table(
    "decision",
    metadata,
    Column("mention", BigInteger, primary_key=True, autoincrement=False),
    Column("revision", Integer, primary_key=True, comment="last revision of the mention that rested on it"),
    Column("at", BigInteger, nullable=False, comment="when it was replaced"),
    Column("body", LargeBinary, nullable=False, comment="stream.records.Decision as JSON"),
    comment="Decisions that were replaced; the one in force stands in the mention.",
)

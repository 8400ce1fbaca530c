"""What can show that cases are one matter, and which of them are, may be, or are not."""

from __future__ import annotations

from sqlalchemy import BigInteger, Column, Index, Integer, Table, Text

from database.base import metadata

case_mark = Table(
    "case_mark",
    metadata,
    Column("n", BigInteger().with_variant(Integer, "sqlite"), primary_key=True),
    Column("key", BigInteger, nullable=False, comment="hash of what marks a matter, or the cluster's number"),
    Column("kind", Text, nullable=False, comment="copy, link, tag, code, name, author, handle, post"),
    Column("mention", BigInteger, nullable=False, comment="n"),
    Column("event_time", BigInteger, nullable=False),
    Index("ix_case_mark_key", "key", "kind", "n"),
    Index("ix_case_mark_mention", "mention"),
    comment="Of a live mention in a case, for two weeks: numbers, no text. Goes with the mention's text.",
    sqlite_autoincrement=True,
)

case_tie = Table(
    "case_tie",
    metadata,
    Column("one", BigInteger, primary_key=True, autoincrement=False, comment="the lower id of two cases"),
    Column("other", BigInteger, primary_key=True, autoincrement=False),
    Column("state", Text, nullable=False, comment="proposed, joined, apart, linked (cases of two brands)"),
    Column("certainty", Integer, nullable=False, comment="of 10,000"),
    Column("evidence", Text, nullable=False, comment="JSON: terms with weights, numbers of two mentions; no text"),
    Column("at", BigInteger, nullable=False),
    Column("person", Text, nullable=False, server_default="", comment="who decided; empty: Clamor"),
    Index("ix_case_tie_other", "other"),
    comment="What is known of two cases: one matter, perhaps, or not.",
    sqlite_with_rowid=False,
)
_proposed = case_tie.c.state == "proposed"
Index("ix_case_tie_proposed", case_tie.c.certainty, sqlite_where=_proposed, postgresql_where=_proposed)

case_sought = Table(
    "case_sought",
    metadata,
    Column("n", Integer, primary_key=True, autoincrement=False, comment="1"),
    Column("event", BigInteger, nullable=False, comment="n of the last case_event that was looked at"),
    comment="How far cases were compared with one another.",
)

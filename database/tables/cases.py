"""Cases: one live case for (brand, conversation, author) in sales and support, for (brand, conversation) in pr."""

from __future__ import annotations

from sqlalchemy import BigInteger, Column, Index, Integer, Table, Text, and_

from database.base import metadata

cases = Table(
    "cases",
    metadata,
    Column("id", BigInteger().with_variant(Integer, "sqlite"), primary_key=True, autoincrement=False),
    Column("brand", Integer, nullable=False, comment="dictionary"),
    Column("conversation", BigInteger, nullable=False),
    Column("author", BigInteger, nullable=False, comment="author key; 0 in pr and where the author is not known"),
    Column("queue", Text, nullable=False),
    Column("state", Text, nullable=False, comment="new, open, waiting, solved, closed, merged"),
    Column("live", Integer, nullable=False, comment="1: neither closed nor merged into another"),
    Column("priority", Text, nullable=False),
    Column("risk", Integer, nullable=False, comment="the worst of its live mentions"),
    Column("mentions", Integer, nullable=False, comment="live mentions that ask for work"),
    Column("opened_at", BigInteger, nullable=False),
    Column("updated_at", BigInteger, nullable=False),
    Column("closed_at", BigInteger),
    Column("closed_why", Text),
    Column("assignee", Text),
    Column("merged_into", BigInteger, comment="the case that took its mentions over"),
)
_pr = and_(cases.c.live == 1, cases.c.queue == "pr")
_one = and_(cases.c.live == 1, cases.c.queue != "pr")
_past = cases.c.live == 0
Index("uq_cases_pr", cases.c.conversation, cases.c.brand, unique=True, sqlite_where=_pr, postgresql_where=_pr)
Index(
    "uq_cases_author", cases.c.conversation, cases.c.brand, cases.c.author,
    unique=True, sqlite_where=_one, postgresql_where=_one,
)  # fmt: skip
Index("ix_cases_past", cases.c.conversation, sqlite_where=_past, postgresql_where=_past)

case_event = Table(
    "case_event",
    metadata,
    Column("n", BigInteger().with_variant(Integer, "sqlite"), primary_key=True),
    Column("case_id", BigInteger, nullable=False, index=True),
    Column("at", BigInteger, nullable=False),
    Column("change", Text, nullable=False, comment="opened, grew, raised, shrank, closed, reopened, merged, parted"),
    Column("mention", BigInteger, comment="n of the mention that moved it"),
    Column("detail", Text, nullable=False, server_default=""),
    comment="History of a case.",
)

case_party = Table(
    "case_party",
    metadata,
    Column("case_id", BigInteger, primary_key=True, autoincrement=False),
    Column("author", BigInteger, primary_key=True, autoincrement=False),
    comment="Authors whose matter a pr case took over: what they write next in the conversation joins it.",
    sqlite_with_rowid=False,
)

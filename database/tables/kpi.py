"""Key figures of the teams' work: sums by day, and what each case and incident has added to them."""

from __future__ import annotations

from sqlalchemy import BigInteger, Column, Index, Integer, Table, Text

from database.base import metadata

kpi_day = Table(
    "kpi_day",
    metadata,
    Column("day", Integer, primary_key=True, autoincrement=False, comment="days since 1970 UTC"),
    Column("brand", Text, primary_key=True),
    Column("queue", Text, primary_key=True),
    Column("network", Text, primary_key=True, comment="empty: of an incident"),
    Column("measure", Text, primary_key=True, comment="routing.kpi.measures"),
    Column("bucket", Integer, primary_key=True, autoincrement=False, comment="of a span of time; else 0"),
    Column("value", Integer, nullable=False),
    sqlite_with_rowid=False,
)

kpi_delta = Table(
    "kpi_delta",
    metadata,
    Column("n", BigInteger().with_variant(Integer, "sqlite"), primary_key=True),
    Column("day", Integer, nullable=False),
    Column("brand", Text, nullable=False),
    Column("queue", Text, nullable=False),
    Column("network", Text, nullable=False),
    Column("measure", Text, nullable=False),
    Column("bucket", Integer, nullable=False),
    Column("value", Integer, nullable=False),
    comment="Appended with what caused it, folded into kpi_day by the compactor.",
    sqlite_autoincrement=True,
)

kpi_added = Table(
    "kpi_added",
    metadata,
    Column("kind", Text, primary_key=True, comment="case or incident"),
    Column("id", BigInteger, primary_key=True, autoincrement=False),
    Column("facts", Text, nullable=False, comment="JSON: what it has added to the sums, to be taken back"),
    sqlite_with_rowid=False,
)

kpi_detractor = Table(
    "kpi_detractor",
    metadata,
    Column("author", BigInteger, primary_key=True, autoincrement=False, comment="routing.keys"),
    Column("case_id", BigInteger, primary_key=True, autoincrement=False),
    Column("brand", Integer, nullable=False, comment="dictionary"),
    Column("resolved_at", BigInteger, nullable=False, index=True),
    comment="Detractors of resolved cases, for as long as what they say next is looked at.",
    sqlite_with_rowid=False,
)
Index("ix_kpi_detractor_case", kpi_detractor.c.case_id)

kpi_praise = Table(
    "kpi_praise",
    metadata,
    Column("case_id", BigInteger, primary_key=True, autoincrement=False),
    Column("mention", BigInteger, primary_key=True, autoincrement=False),
    Column("author", BigInteger, nullable=False),
    comment="Mentions in which a detractor of a resolved case spoke well of the brand later.",
    sqlite_with_rowid=False,
)
Index("ix_kpi_praise_mention", kpi_praise.c.mention)

count_day = Table(
    "count_day",
    metadata,
    Column("day", Integer, primary_key=True, autoincrement=False, comment="days since 1970 UTC, event time"),
    Column("brand", Integer, primary_key=True, autoincrement=False, comment="dictionary"),
    Column("network", Integer, primary_key=True, autoincrement=False, comment="dictionary"),
    Column("mentions", Integer, nullable=False),
    comment="Mentions by day: folded with count_minute, in one transaction.",
    sqlite_with_rowid=False,
)

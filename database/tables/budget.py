"""What each source has used up of its money, its quota and its rate."""

from __future__ import annotations

from sqlalchemy import BigInteger, Column, Integer, Table, Text

from database.base import metadata

budget_used = Table(
    "budget_used",
    metadata,
    Column("source_id", Text, primary_key=True),
    Column("brand", Text, primary_key=True, comment="empty: the source as a whole"),
    Column("measure", Text, primary_key=True, comment="money, units or requests"),
    Column("since", BigInteger, primary_key=True, autoincrement=False, comment="begin of the day, month or slice"),
    Column("used", BigInteger, nullable=False, comment="what is reserved included; money in millionths"),
    Column("level", Integer, nullable=False, comment="per cent of the cap reached: 0, 50, 80, 100"),
    comment="What a process reserved and died before using stays used: nobody can say whether it was billed.",
    sqlite_with_rowid=False,
)

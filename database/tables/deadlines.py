"""By when cases have to be answered and done, and what came of it."""

from __future__ import annotations

from sqlalchemy import BigInteger, Column, Index, Integer, Table, Text

from database.base import metadata

case_deadline = Table(
    "case_deadline",
    metadata,
    Column("case_id", BigInteger, primary_key=True, autoincrement=False),
    Column("what", Text, primary_key=True, comment="first_response or resolution"),
    Column("deadline", Text, nullable=False, comment="id of the deadline of the configuration"),
    Column("target", Text, nullable=False, comment="as the configuration writes it: 4h business"),
    Column("began_at", BigInteger, nullable=False),
    Column("due", BigInteger, comment="null: the clock stands still, or nobody works who would count"),
    Column("done_at", BigInteger),
    Column("warned_at", BigInteger),
    Column("missed_at", BigInteger, comment="when people were told that it was missed"),
    Column("told", Integer, nullable=False, server_default="0", comment="of those to escalate to"),
    Column("next_at", BigInteger, comment="when there is something to tell; null: nothing more"),
    sqlite_with_rowid=False,
)
_waiting = case_deadline.c.next_at.is_not(None)
Index("ix_case_deadline_next_at", case_deadline.c.next_at, sqlite_where=_waiting, postgresql_where=_waiting)

case_pause = Table(
    "case_pause",
    metadata,
    Column("case_id", BigInteger, primary_key=True, autoincrement=False),
    Column("since", BigInteger, primary_key=True, autoincrement=False),
    Column("until", BigInteger, comment="null: the clock stands still"),
    comment="While a case waits for its customer, or is over, its clock stands still.",
    sqlite_with_rowid=False,
)

deadline_round = Table(
    "deadline_round",
    metadata,
    Column("name", Text, primary_key=True),
    Column("teams", Integer, nullable=False, comment="revision that cases are reckoned by"),
    Column("deadlines", Integer, nullable=False, comment="revision"),
    Column("after", BigInteger, comment="case up to which that is done; null: all"),
)

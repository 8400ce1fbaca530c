"""How long deletes took: a histogram a minute."""

from __future__ import annotations

from sqlalchemy import BigInteger, Column, Integer, Table

from database.base import metadata

delete_latency = Table(
    "delete_latency",
    metadata,
    Column("minute", BigInteger, primary_key=True, autoincrement=False),
    Column("bucket", Integer, primary_key=True, autoincrement=False, comment="of stream.latency"),
    Column("count", Integer, nullable=False),
    comment="From a delete's arrival in the log until SQL held the text no more; the last day.",
    sqlite_with_rowid=False,
)

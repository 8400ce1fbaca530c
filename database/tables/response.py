"""What people do in an incident: what was said in public, and when."""

from __future__ import annotations

from sqlalchemy import BigInteger, Column, Integer, Table, Text

from database.base import metadata

incident_statement = Table(
    "incident_statement",
    metadata,
    Column("n", BigInteger().with_variant(Integer, "sqlite"), primary_key=True),
    Column("incident", BigInteger, nullable=False, index=True),
    Column("said_at", BigInteger, nullable=False, comment="when the public could read it"),
    Column("place", Text, nullable=False, comment="where: a network, a page, a broadcaster"),
    Column("text", Text, nullable=False, comment="as it was said; emptied with the posts of its time"),
    Column("person", Text, nullable=False, comment="who wrote it down here"),
    Column("at", BigInteger, nullable=False, comment="when that was"),
    comment="What the brand said in public about an incident.",
    sqlite_autoincrement=True,
)

"""Who may do a thing that only one process does at a time."""

from __future__ import annotations

from sqlalchemy import BigInteger, Column, Table, Text

from database.base import metadata

lease = Table(
    "lease",
    metadata,
    Column("name", Text, primary_key=True),
    Column("owner", Text, nullable=False),
    Column("fence", BigInteger, nullable=False, comment="grows with every taking"),
    Column(
        "expires",
        BigInteger,
        nullable=False,
        comment="by its owner's clock, another one after each renewal; 0: free",
    ),
)

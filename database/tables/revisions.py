"""Numbered configuration revisions, never changed once written, and the generations of brands and model."""

from __future__ import annotations

from sqlalchemy import BigInteger, Column, Integer, Table, Text

from database.base import metadata

revision = Table(
    "revision",
    metadata,
    Column("kind", Text, primary_key=True, comment="brands, sources, people, rules"),
    Column(
        "number",
        Integer,
        primary_key=True,
        autoincrement=False,
        comment="1, 2, … in each kind; the highest is in force",
    ),
    Column("body", Text, nullable=False, comment="canonical JSON; for rules, the YAML text"),
    Column("hash", Text, nullable=False, comment="SHA-256 of the body"),
    Column("created_at", BigInteger, nullable=False),
    Column("created_by", Text, nullable=False),
    Column("note", Text, nullable=False, server_default=""),
)

generation = Table(
    "generation",
    metadata,
    Column(
        "number", Integer, primary_key=True, autoincrement=False, comment="grows with every change, going back included"
    ),
    Column("brands", Integer, nullable=False, comment="revision of the brands; 0 before the first"),
    Column("model", Text, nullable=False, comment="name and version; empty before the first"),
    Column("created_at", BigInteger, nullable=False),
    Column("why", Text, nullable=False),
)

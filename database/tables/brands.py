"""What people say of which posts mean a brand, and what was learnt from it: numbers and hashed places, no text."""

from __future__ import annotations

from sqlalchemy import BigInteger, Column, Index, Integer, Table, Text

from database.base import metadata

about_word = Table(
    "about_word",
    metadata,
    Column("n", BigInteger().with_variant(Integer, "sqlite"), primary_key=True, comment="in the order of saying"),
    Column("mention", BigInteger, nullable=False),
    Column("brand", BigInteger, nullable=False, comment="number in dictionary"),
    Column("person", Text, nullable=False),
    Column("at", BigInteger, nullable=False),
    Column("about", Integer, nullable=False, comment="1: it means the brand"),
    Column("kept", Integer, nullable=False, comment="1: it counted until then; 0: it was set aside"),
    Column("version", Integer, nullable=False, comment="of the brand's filter then in force; 0: none"),
    Index("ix_about_word_brand", "brand"),
    comment="Every word of a person on whether a post means the brand; the last one on a mention holds.",
    sqlite_autoincrement=True,
)

brand_filter = Table(
    "brand_filter",
    metadata,
    Column("brand", Text, primary_key=True),
    Column("version", Integer, primary_key=True, autoincrement=False, comment="the highest of a brand is in force"),
    Column("body", Text, nullable=False, comment="JSON: hashed places and weights; empty: no filter from then on"),
    Column("measured", Text, nullable=False, comment="JSON: counts of the cross-validation"),
    Column("created_at", BigInteger, nullable=False),
    Column("created_by", Text, nullable=False),
    comment="What was learnt of which posts mean a brand, version by version.",
)
